"""Notes travel with commits, and no writer's line is lost."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import RepositoryError
from flagseal.repository import NOTES_REF, FlagRepository, notes
from tests.repository.gitrepo import GitRepository, flag

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    """Give a repository with one commit."""
    made = GitRepository.at(tmp_path / "flags")
    made.put({"flags/payments/new-checkout.yaml": flag()}).commit("first")
    return made


def test_lines_are_appended(repository: GitRepository) -> None:
    """Each line once, in order, where git itself finds them."""
    opened = repository.open()
    assert opened.notes("HEAD") is None
    assert opened.add_note("HEAD", b'{"a":1}')
    assert opened.add_note("HEAD", b'{"b":2}\n')
    assert not opened.add_note("HEAD", b'{"a":1}')
    assert opened.notes("HEAD") == b'{"a":1}\n{"b":2}\n'
    assert repository.git("notes", "--ref=flagseal", "show", "HEAD") == '{"a":1}\n{"b":2}'
    assert opened.noted_commits() == {repository.head()}


def test_a_note_is_a_line(repository: GitRepository) -> None:
    """A line break inside would make two of it."""
    for line in (b"", b"\n", b"a\nb"):
        with pytest.raises(RepositoryError):
            repository.open().add_note("HEAD", line)


def test_notes_that_git_wrote_are_found_fanned_out_or_not(repository: GitRepository) -> None:
    """Git spreads notes over folders when there are many; both readers and both writers agree."""
    commits = [repository.commit(str(number)) for number in range(3)]
    blob = repository.git("hash-object", "-w", "--stdin", stdin="from git\n")
    names = [hashlib.sha1(str(number).encode()).hexdigest() for number in range(1000)]  # noqa: S324 (spread as git's ids)
    many = "".join(f"100644 blob {blob}\t{name}\n" for name in names)
    tree = repository.git("mktree", stdin=many)
    repository.git("update-ref", NOTES_REF, repository.git("commit-tree", tree, "-m", "many"))
    repository.git("notes", "--ref=flagseal", "add", "-m", "from git", commits[0])
    assert "/" in repository.git("ls-tree", "-r", "--name-only", NOTES_REF)
    opened = repository.open()
    assert opened.notes(commits[0]) == b"from git\n"
    assert opened.add_note(commits[1], b"from us")
    assert opened.add_note(commits[0], b"from us")
    assert repository.git("notes", "--ref=flagseal", "show", commits[1]) == "from us"
    assert repository.git("notes", "--ref=flagseal", "show", commits[0]) == "from git\nfrom us"
    assert opened.notes(commits[0]) == b"from git\nfrom us\n"


def test_writers_at_the_same_time_lose_nothing(repository: GitRepository) -> None:
    """The ref moves from what was read or not at all."""
    lines = [f'{{"n":{number}}}'.encode() for number in range(12)]
    errors = []

    def write(mine: list[bytes]) -> None:
        try:
            opened = repository.open()
            for line in mine:
                opened.add_note("HEAD", line)
        except RepositoryError as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(lines[start::3],)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted((repository.open().notes("HEAD") or b"").splitlines()) == sorted(lines)


def test_a_held_lock_is_an_error_in_words(repository: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """After many attempts the writer gives up and says so."""
    monkeypatch.setattr(notes, "_PAUSE", 0)
    monkeypatch.setattr(notes, "_ATTEMPTS", 2)
    lock = repository.path / ".git/refs/notes/flagseal.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("")
    with pytest.raises(RepositoryError) as caught:
        repository.open().add_note("HEAD", b"{}")
    assert caught.value.code == "NotesConflict"


def test_a_flooded_note_is_not_read(repository: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is not the attacker's to fill."""
    monkeypatch.setattr(notes, "LARGEST_NOTE", 100)
    repository.git("notes", "--ref=flagseal", "add", "-m", "x" * 200, "HEAD")
    with pytest.raises(RepositoryError) as caught:
        repository.open().notes("HEAD")
    assert caught.value.code == "NoteTooLarge"
    with pytest.raises(RepositoryError) as caught:
        repository.open().add_note("HEAD~0", b"y" * 200)
    assert caught.value.code == "NoteTooLarge"


def test_fetched_notes_are_read_and_merged_line_by_line(repository: GitRepository, tmp_path: Path) -> None:
    """After `configure_notes` a plain fetch brings the others' approvals, before anything is merged."""
    repository.git("clone", "--quiet", str(repository.path), str(tmp_path / "clone"))
    clone = GitRepository(tmp_path / "clone")
    mine = clone.open()
    mine.configure_notes()
    mine.configure_notes()
    repository.open().add_note("HEAD", b"theirs")
    mine.add_note("HEAD", b"mine")
    clone.git("fetch", "--quiet")
    assert sorted((clone.open().notes("HEAD") or b"").splitlines()) == [b"mine", b"theirs"]
    clone.git("notes", "--ref=flagseal", "merge", "--quiet", "refs/notes/origin/flagseal")
    assert clone.git("notes", "--ref=flagseal", "show", "HEAD") == "mine\ntheirs"


def test_a_note_needs_no_identity_of_the_user(repository: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody's name is believed, so none is asked for."""
    for name in ("HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(repository.path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    repository.git("config", "user.useConfigOnly", "true")
    assert FlagRepository(repository.path).add_note("HEAD", b"{}")
