"""Marks: memory outside the store, which never falls."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.marks import FileMarks, Mark

if TYPE_CHECKING:
    from pathlib import Path


def test_nothing_was_ever_published_from_a_fresh_machine(tmp_path: Path) -> None:
    """A missing file is the lowest mark."""
    assert FileMarks(tmp_path / "data" / "marks.json").read() == Mark(-1, 0, 0)


def test_a_mark_rises_and_never_falls(tmp_path: Path) -> None:
    """Each part by itself, across instances."""
    path = tmp_path / "data" / "marks.json"
    FileMarks(path).reach(Mark(5, 7, 9))
    FileMarks(path).reach(Mark(4, 8, 1))
    assert FileMarks(path).read() == Mark(5, 8, 9)


def test_a_damaged_mark_holds_everything(tmp_path: Path) -> None:
    """Guessing would be to forget what was published."""
    path = tmp_path / "marks.json"
    for damage in (b"", b"{}", b'{"sequence": 1, "snapshot": "x", "timestamp": 1}', b"[1]", b"\xff"):
        path.write_bytes(damage)
        for call in (FileMarks(path).read, lambda: FileMarks(path).reach(Mark(1, 1, 1))):
            with pytest.raises(SnapshotError) as refused:
                call()
            assert refused.value.code == "MarkUnreadable"
            assert refused.value.remedy


def test_many_who_raise_it_lose_nothing(tmp_path: Path) -> None:
    """The highest of each part is what stays."""
    path = tmp_path / "marks.json"
    threads = [
        threading.Thread(target=FileMarks(path).reach, args=(Mark(number, 20 - number, number),))
        for number in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert FileMarks(path).read() == Mark(19, 20, 19)
