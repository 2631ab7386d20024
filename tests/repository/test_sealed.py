"""A cache file is believed by who wrote it there, and by nobody else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.repository.sealed import SealedFile, own_key

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"k" * 32


@pytest.fixture(name="home")
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a person a home of their own, with nothing in it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    return home


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """And nothing else lies about afterwards."""
    file = SealedFile(tmp_path / "cache" / "x", key=KEY)
    assert file.read() is None
    for data in (b"", b"one", b"two" * 1000):
        file.write(data)
        assert file.read() == data
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["x"]


@given(at=st.integers(0), length=st.integers(0, 40), instead=st.binary(max_size=40))
def test_what_was_spoilt_is_nothing(
    tmp_path_factory: pytest.TempPathFactory, at: int, length: int, instead: bytes
) -> None:
    """Any passage replaced, the seal's own bytes included; cut off; lengthened."""
    path = tmp_path_factory.mktemp("cache") / "x"
    file = SealedFile(path, key=KEY)
    file.write(b"what was found")
    whole = path.read_bytes()
    start = at % (len(whole) + 1)
    changed = whole[:start] + instead + whole[start + length :]
    path.write_bytes(changed)
    assert file.read() == (b"what was found" if changed == whole else None)


def test_what_others_wrote_is_nothing(tmp_path: Path) -> None:
    """Another person's, or one's own of another place."""
    path = tmp_path / "x"
    SealedFile(path, key=b"another").write(b"all is well")
    assert SealedFile(path, key=KEY).read() is None
    SealedFile(path, key=KEY).write(b"all is well")
    path.rename(tmp_path / "y")
    assert SealedFile(tmp_path / "y", key=KEY).read() is None


def test_nothing_is_followed_or_waited_for(tmp_path: Path) -> None:
    """A link, a folder, a pipe and something vast are nothing; a link is replaced, not written through."""
    (tmp_path / "target").write_bytes(b"precious")
    path = tmp_path / "x"
    path.symlink_to(tmp_path / "target")
    file = SealedFile(path, key=KEY)
    assert file.read() is None
    file.write(b"data")
    assert file.read() == b"data"
    assert (tmp_path / "target").read_bytes() == b"precious"
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        assert SealedFile(tmp_path / name, key=KEY).read() is None
    assert SealedFile(path, key=KEY, largest=10).read() is None


def test_a_place_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    """The cache is an offer."""
    (tmp_path / "file").write_text("")
    file = SealedFile(tmp_path / "file" / "x", key=KEY)
    file.write(b"data")
    assert file.read() is None
    (tmp_path / "folder").mkdir()
    SealedFile(tmp_path / "folder", key=KEY).write(b"data")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_person_has_one_key_that_nobody_else_can_read(home: Path) -> None:
    """It is made at first, outside any repository."""
    key = own_key()
    assert key is not None
    assert len(key) == 32
    assert own_key() == key
    path = home / ".cache" / "flagseal" / "key"
    assert path.stat().st_mode & 0o777 == 0o600
    assert [it.name for it in path.parent.iterdir()] == ["key"]


@pytest.mark.parametrize("spoil", ["readable", "short", "link"])
def test_a_key_that_others_could_have_written_is_none(home: Path, spoil: str) -> None:
    """Then nothing is kept, and nothing that was kept is believed."""
    file = SealedFile(home / "x")
    file.write(b"data")
    assert file.read() == b"data"
    path = home / ".cache" / "flagseal" / "key"
    if spoil == "readable":
        path.chmod(0o644)
    elif spoil == "short":
        path.write_bytes(b"k")
    else:
        path.rename(home / "elsewhere")
        path.symlink_to(home / "elsewhere")
    assert own_key() is None
    assert file.read() is None
    file.write(b"new")
    assert file.read() is None


def test_a_cache_folder_inside_the_repository_is_not_taken(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative XDG_CACHE_HOME would be wherever one stands: in somebody's pull request."""
    repository = home / "repository"
    (repository / "cache" / "flagseal").mkdir(parents=True)
    (repository / "cache" / "flagseal" / "key").write_bytes(b"known to all who can read it!!!!")
    (repository / "cache" / "flagseal" / "key").chmod(0o600)
    monkeypatch.chdir(repository)
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert own_key() == own_key() != b"known to all who can read it!!!!"
    assert (home / ".cache" / "flagseal" / "key").exists()


def test_without_a_home_there_is_no_key(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job of CI may have none, or one that nothing can be written to."""
    (home / "file").write_text("")
    monkeypatch.setenv("HOME", str(home / "file"))
    assert own_key() is None
