"""Reading quickly gives what reading afresh gives, whatever the cache holds; and nothing that decides reads quickly."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.repository import reading
from flagseal.repository.reading import QuickReader, read_afresh
from flagseal.repository.sealed import SealedFile
from tests.model.samples import FLAG, spoilt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagseal.model.loader import Loaded

KEY = b"a key of our own"
ROOT = Path(__file__).resolve().parents[2]
FILES = [
    ("flags/payments/new-checkout.yaml", FLAG.encode()),
    ("flags/payments/other.yaml", spoilt(FLAG, "new-checkout", "other").encode()),
    ("flags/payments/broken.yaml", spoilt(FLAG, "purpose: release", "purpose: fun").encode()),
    ("flags/payments/no-yaml.yaml", b"a: [1"),
    ("flags/payments/empty.yaml", b""),
    ("flags/payments/latin.yaml", b"\xff\xfe\x00"),
]


def told(loaded: Sequence[Loaded]) -> list[object]:
    """Give everything that a reader tells, places included."""
    return [
        (
            [(it, it.spec, it.source and (it.source.file, dict(it.source.positions))) for it in entry.documents],
            entry.findings,
        )
        for entry in loaded
    ]


def test_known_and_unknown_files_read_as_if_afresh(tmp_path: Path) -> None:
    """The first time, from the cache, and with one file changed."""
    reader = QuickReader(tmp_path)
    assert told(reader(FILES)) == told(read_afresh(FILES))
    assert len(list(tmp_path.iterdir())) == 1
    assert told(reader(FILES)) == told(read_afresh(FILES))
    changed = [(FILES[0][0], spoilt(FLAG, "PAY-1234", "PAY-9").encode()), *FILES[1:]]
    assert told(QuickReader(tmp_path)(changed)) == told(read_afresh(changed))


def test_several_processes_read_as_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file's outcome stays with its file, sound or not."""
    monkeypatch.setattr(reading, "WORTH_A_PROCESS", 5)
    files = [(f"{number}-{name}", data) for number in range(7) for name, data in FILES]
    assert told(QuickReader(tmp_path, processes=2)(files)) == told(read_afresh(files))


def test_only_sound_documents_are_kept(tmp_path: Path) -> None:
    """A file with a finding is read again, so that its finding is told again with its place."""
    QuickReader(tmp_path, key=KEY)(FILES)
    (kept,) = tmp_path.iterdir()
    assert len(msgspec.msgpack.decode(SealedFile(kept, key=KEY).read() or b"")) == 2


@given(garbage=st.binary(max_size=200))
def test_a_spoilt_cache_is_no_cache(tmp_path_factory: pytest.TempPathFactory, garbage: bytes) -> None:
    """Whatever lies there, the files are read."""
    folder = tmp_path_factory.mktemp("cache")
    QuickReader(folder)(FILES)
    (kept,) = folder.iterdir()
    kept.write_bytes(garbage)
    assert told(QuickReader(folder)(FILES)) == told(read_afresh(FILES))


@pytest.mark.parametrize("entry", [b"", b"[]", b"{}", b'{"kind":"Other","metadata":{"name":"x"},"spec":{}}', b"\xff"])
def test_an_entry_that_is_no_document_is_passed_over(tmp_path: Path, entry: bytes) -> None:
    """The file is read in its place."""
    QuickReader(tmp_path, key=KEY)(FILES)
    (path,) = tmp_path.iterdir()
    kept = SealedFile(path, key=KEY)
    names = msgspec.msgpack.decode(kept.read() or b"", type=dict[bytes, bytes])
    kept.write(msgspec.msgpack.encode(dict.fromkeys(names, entry)))
    assert told(QuickReader(tmp_path, key=KEY)(FILES)) == told(read_afresh(FILES))


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    """The cache is an offer."""
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert told(QuickReader(blocked)(FILES)) == told(read_afresh(FILES))


def test_whoever_decides_reads_afresh() -> None:
    """A cache is for who waits: only the commands that tell may name the quick reader and the gate's memory."""
    users = {
        path.relative_to(ROOT).as_posix()
        for room in ("core", "operator", "relay", "cli", "validators")
        for path in (ROOT / room).rglob("*.py")
        if any(
            isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"QuickReader", "quick_reader", "Memory"}
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert users == {
        "cli/flagseal_cli/commands/debt.py",
        "cli/flagseal_cli/commands/forge.py",  # The comment, which only tells.
        "cli/flagseal_cli/commands/plan.py",
        "cli/flagseal_cli/commands/retire.py",  # What it proposes is approved like all else.
        "cli/flagseal_cli/commands/validate.py",
        "cli/flagseal_cli/workspace.py",
    }
