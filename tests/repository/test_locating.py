"""Repositories of every form are found where git keeps them, however they are found."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.model.errors import RepositoryError
from flagseal.repository import FlagRepository, locating
from flagseal.repository.locating import locate
from tests.repository.gitrepo import GitRepository, flag

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flagseal.repository.locating import Located


@pytest.fixture(name="made")
def a_repository_with_a_commit(tmp_path: Path) -> GitRepository:
    """A repository as people have it."""
    made = GitRepository.at(tmp_path / "made")
    (made.path / "flags/payments").mkdir(parents=True)
    (made.path / "flags/payments/new-checkout.yaml").write_text(flag())
    made.git("add", "--all")
    made.git("-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "One")
    return made


def both(path: Path) -> tuple[Located | None, Located]:
    """Find a repository the short way, if that goes, and the long way."""
    return locating._plain(path), locating._any(path)


def test_what_nearly_everybody_has_is_found_without_a_library(made: GitRepository) -> None:
    """And where the library finds it."""
    short, long = both(made.path)
    assert short == long
    assert short is not None
    assert (short.git_dir, short.root) == (made.path / ".git", made.path)


def test_a_detached_head_is_no_hindrance(made: GitRepository) -> None:
    """It names an object."""
    made.git("checkout", "--quiet", "--detach")
    short, long = both(made.path)
    assert short == long


def linked(made: GitRepository, path: Path) -> Path:
    """Make a second working tree."""
    made.git("worktree", "add", "--quiet", "--detach", str(path))
    return path


def bare(made: GitRepository, path: Path) -> Path:
    """Clone it without files."""
    made.git("clone", "--quiet", "--bare", str(made.path), str(path))
    return path


def elsewhere(made: GitRepository, path: Path) -> Path:
    """Clone it, with a file that says where git keeps it."""
    made.git("clone", "--quiet", "--separate-git-dir", str(path.with_name("kept")), str(made.path), str(path))
    return path


def said_to_be_bare(made: GitRepository, path: Path) -> Path:
    """Say that there are no files, though there are."""
    del path
    made.git("config", "core.bare", "true")
    return made.path


def includes(made: GitRepository, path: Path) -> Path:
    """Let another file say so."""
    path.write_text("[core]\n\tbare = true\n")
    made.git("config", "include.path", str(path))
    return made.path


def in_capitals(made: GitRepository, path: Path) -> Path:
    """Say later, in capitals, that there are no files."""
    del path
    with (made.path / ".git/config").open("a") as config:
        config.write("[core]\n\tBARE = true\n")
    return made.path


def includes_in_capitals(made: GitRepository, path: Path) -> Path:
    """Let another file say so, in capitals."""
    path.write_text("[core]\n\tbare = true\n")
    with (made.path / ".git/config").open("a") as config:
        config.write(f"[INCLUDE]\n\tpath = {path}\n")
    return made.path


@pytest.mark.parametrize(
    "form", [linked, bare, elsewhere, said_to_be_bare, includes, in_capitals, includes_in_capitals]
)
def test_other_forms_are_left_to_the_library(
    made: GitRepository, form: Callable[[GitRepository, Path], Path], tmp_path: Path
) -> None:
    """None of them is mistaken for the plain one, and all can be read."""
    path = form(made, tmp_path / "other")
    assert locating._plain(path) is None
    assert FlagRepository(path).has_commits


def test_variables_that_move_a_repository_are_left_to_the_library(
    made: GitRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Git and we must speak of the same."""
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(made.path / ".git/objects"))
    assert locating._plain(made.path) is None
    assert locate(made.path).environment["GIT_OBJECT_DIRECTORY"] == str(made.path / ".git/objects")


@pytest.mark.parametrize("lacking", ["HEAD", "objects", "refs"])
def test_half_a_repository_is_none(made: GitRepository, lacking: str) -> None:
    """Whatever of it is gone."""
    (made.path / ".git" / lacking).rename(made.path / "gone")
    with pytest.raises(RepositoryError) as refused:
        locate(made.path)
    assert refused.value.code == "NotARepository"


def test_a_folder_within_is_no_repository(made: GitRepository) -> None:
    """Whoever means the repository names its top folder."""
    with pytest.raises(RepositoryError) as refused:
        locate(made.path / "flags")
    assert refused.value.code == "NotARepository"


def test_without_git_it_is_said_what_is_missing(made: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not that a file was not found."""
    repository = FlagRepository(made.path)
    monkeypatch.setenv("PATH", os.fspath(made.path))
    with pytest.raises(RepositoryError) as refused:
        repository.resolve("HEAD")
    assert refused.value.code == "GitMissing"


def test_a_commit_is_looked_for_once(made: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an object id names does not change; what a branch names does."""
    repository = FlagRepository(made.path)
    asked: list[tuple[str, ...]] = []
    really = repository.git.attempt

    def spy(*words: str, **options: Any) -> tuple[int, bytes, str]:  # noqa: ANN401
        asked.append(words)
        return really(*words, **options)

    monkeypatch.setattr(repository.git, "attempt", spy)
    commit = repository.resolve("HEAD")
    assert repository.resolve(commit) == commit
    assert len(asked) == 1
    assert repository.resolve("HEAD") == commit
    assert len(asked) == 2
