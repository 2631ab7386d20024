"""The files that editors use are what their source says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema_rs
import pytest

from flagseal.model.schema import SCHEMAS
from flagseal_validators import schemas
from tests.model.samples import EVERY_KIND, load

if TYPE_CHECKING:
    from pathlib import Path


def test_the_committed_files_are_what_their_source_says() -> None:
    """Whoever changes the source runs `make generate`."""
    assert schemas.stale() == []
    assert sorted(path.stem for path in schemas.FOLDER.glob("*.json")) == sorted([*SCHEMAS, "flagseal"])


def test_a_file_that_differs_is_named(tmp_path: Path) -> None:
    """Missing, edited and left over."""
    for name, text in schemas.generated().items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert schemas.stale(tmp_path) == []
    (tmp_path / "Segment.json").unlink()
    (tmp_path / "flagseal.json").write_text("{}")
    (tmp_path / "Old.json").write_text("{}")
    assert schemas.stale(tmp_path) == ["Old.json", "Segment.json", "flagseal.json"]


def test_the_command_checks_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """--check writes nothing and tells by its exit code; without it the files come out right."""
    monkeypatch.setattr(schemas, "FOLDER", tmp_path)
    (tmp_path / "Old.json").write_text("{}")
    assert schemas.main(["--check"]) == 1
    assert "Segment.json" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["Old.json"]
    assert schemas.main([]) == 0
    assert schemas.main(["--check"]) == 0
    assert schemas.main(["--chekc"]) == 2


@pytest.mark.parametrize("text", EVERY_KIND, ids=lambda text: text.splitlines()[1])
def test_an_editor_accepts_the_samples(text: str) -> None:
    """The file of a kind, and the one for all kinds."""
    document = load(text).documents[0]
    for name in (document.kind, "flagseal"):
        schema = json.loads((schemas.FOLDER / f"{name}.json").read_text())
        assert jsonschema_rs.Draft202012Validator(schema).is_valid(document.body())
