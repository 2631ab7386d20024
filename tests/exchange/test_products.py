"""``flagseal import launchdarkly|unleash|flipt|gofeatureflag`` as they are run, from their files to answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from flagseal_cli.main import run
from tests.exchange.test_commands import files, repository

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["repository"]

LAUNCHDARKLY: Final = {
    "flags": {
        "new-navigation": {
            "key": "new-navigation",
            "on": True,
            "salt": "s",
            "variations": [True, False],
            "offVariation": 1,
            "targets": [{"values": ["7"], "variation": 0}],
            "rules": [{"clauses": [{"attribute": "plan", "op": "in", "values": ["1"]}], "variation": 0}],
            "fallthrough": {"variation": 1},
        }
    },
    "segments": {},
}
UNLEASH: Final = {
    "version": 2,
    "features": [
        {
            "name": "new-navigation",
            "enabled": True,
            "strategies": [
                {"name": "userWithId", "parameters": {"userIds": "7"}},
                {"name": "default", "constraints": [{"contextName": "plan", "operator": "IN", "values": ["1"]}]},
            ],
        }
    ],
}
FLIPT: Final = """\
version: "1.4"
namespace: {key: web, name: Web}
flags:
- key: new-navigation
  name: New navigation
  type: BOOLEAN_FLAG_TYPE
  enabled: false
  rollouts:
  - segment: {keys: [pro, one], operator: OR_SEGMENT_OPERATOR, value: true}
segments:
- key: pro
  match_type: ALL_MATCH_TYPE
  constraints: [{type: STRING_COMPARISON_TYPE, property: plan, operator: eq, value: "1"}]
- key: one
  match_type: ALL_MATCH_TYPE
  constraints: [{type: ENTITY_ID_COMPARISON_TYPE, property: entity, operator: eq, value: "7"}]
"""
GO_FEATURE_FLAG: Final = """\
new-navigation:
  variations: {enabled: true, disabled: false}
  targeting:
  - {name: pro, query: plan eq "1", variation: enabled}
  - {name: one, query: targetingKey eq "7", variation: enabled}
  defaultRule: {variation: disabled}
"""
PRODUCTS: Final = {
    "launchdarkly": json.dumps(LAUNCHDARKLY),
    "unleash": json.dumps(UNLEASH),
    "flipt": FLIPT,
    "gofeatureflag": GO_FEATURE_FLAG,
}
ANSWERS: Final = (
    ({"targetingKey": "7", "plan": "2"}, True),
    ({"targetingKey": "8", "plan": "1"}, True),
    ({"targetingKey": "8", "plan": "2"}, False),
    ({"targetingKey": "8"}, False),
)


def taken(product: str, data: str | bytes, repository: Path, *more: str) -> int:
    """Import a file as a person would."""
    file = repository.parent / "origin"
    file.write_bytes(data.encode() if isinstance(data, str) else data)
    words = ["--into", "flags/shop", "--owner", "team-storefront", "--repo", str(repository)]
    return run(["import", product, str(file), *words, *more])


@pytest.mark.parametrize("product", PRODUCTS)
def test_what_is_imported_passes_the_gate_and_answers_as_before(
    product: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both sides by the product's own evaluator, and by hand through `flagseal eval`."""
    before = files(repository)
    assert taken(product, PRODUCTS[product], repository, "--check", "--format", "json") == 0
    (report,) = json.loads(capsys.readouterr().out)
    (flag,) = report["flags"]
    assert (flag["outcome"], flag["differ"]) == ("exactly", 0)
    assert flag["evaluated"] > 50
    assert "flags/shop/new-navigation.yaml" in files(repository) - before
    assert run(["validate", "--repo", str(repository)]) == 0
    assert run(["fmt", "--check", "--repo", str(repository)]) == 0
    for context, value in ANSWERS:
        assert answer(repository, context, capsys) is value


def answer(repository: Path, context: Mapping[str, Any], capsys: pytest.CaptureFixture[str]) -> bool:
    """Ask for the flag in production."""
    capsys.readouterr()
    words = ["eval", "new-navigation", "-e", "production", "-c", json.dumps(context), "--repo", str(repository)]
    assert run(words) == 0
    value: bool = json.loads(capsys.readouterr().out)["value"]
    return value


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_dry_run_tells_what_is_in_a_file(product: str, repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each flag with what would become of it, and nothing is written."""
    before = files(repository)
    assert taken(product, PRODUCTS[product], repository, "--dry-run") == 0
    said = capsys.readouterr().out
    assert said.startswith("Would import from origin")
    assert "exactly           new-navigation" in said
    assert files(repository) == before


WRONG: Final = {
    "launchdarkly": {"flags": {"f": 7}, "segments": 5},
    "unleash": {"features": [None, {"name": 7, "strategies": {}}]},
    "flipt": {"version": {}, "flags": [7]},
    "gofeatureflag": [{"f": 7}],
}
HOSTILE: Final = {
    "no text": b"\x00\xff{{{",
    "prose": b"hello world",
    "empty": b"",
    "a list": b"[1, 2, 3]",
    "no number": b'{"flags": NaN}',
    "cut off": b'{"flags": {"f": {"key": "f", "on": tr',
    "deep JSON": b'{"flags":' * 100_000,
    "deep YAML": b"a: " + b"[" * 50_000,
    "large": b'{"flags": {}, "features": [], "x": "' + b"y" * 20_000_000 + b'"}',
    "anchors": b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "a tag": b"flags: !!python/object/apply:os.system [x]\n",
}


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("name", [*HOSTILE, "wrong types"])
def test_what_is_no_export_is_refused_with_a_remedy(
    product: str, name: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, a code, the file, what to do; and the repository is as it was."""
    before = {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()}
    data = HOSTILE[name] if name in HOSTILE else json.dumps(WRONG[product]).encode()
    assert taken(product, data, repository) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.rpartition("error[")[2].startswith(("NotImportable]: origin", "InvalidDocuments]: "))
    assert "origin:" in said.err
    assert "\n  → " in said.err
    assert len(said.err) < 2_000
    assert {path: path.read_bytes() for path in repository.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("product", PRODUCTS)
def test_where_one_file_cannot_be_written_none_is(
    product: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever stops it, nothing is left behind."""
    (repository / "flags/shop").mkdir()
    (repository / "flags/shop/new-navigation.yaml").symlink_to("nowhere")
    before = files(repository)
    assert taken(product, PRODUCTS[product], repository) == 2
    assert "new-navigation.yaml" in capsys.readouterr().err
    assert files(repository) == before
    assert sorted(path.name for path in (repository / "flags/shop").iterdir()) == ["new-navigation.yaml"]
