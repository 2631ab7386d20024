"""Reading other systems' files, and writing ours: all of it, or nothing."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.evaluation.catalogue import Catalogue
from flagseal.model.errors import InvalidDocuments, UsageError
from flagseal.model.yaml_reader import read_yaml
from flagseal_validators.exchange import export, read_flagd, read_operator, write_new
from flagseal_validators.exchange.writing import yaml_text
from tests.exchange.taking import DOCUMENTS, NOW, POLICIES, flag

if TYPE_CHECKING:
    from pathlib import Path

RESOURCE = """apiVersion: core.openfeature.dev/v1beta1
kind: FeatureFlag
metadata: {name: flags, namespace: shop, labels: {team: a}}
spec:
  flagSpec:
    flags:
      banner:
        state: ENABLED
        variants: {"on": true, "off": false}
        defaultVariant: "off"
"""


def test_a_flagd_document_may_be_a_map_or_a_list_json_or_yaml() -> None:
    """Four forms of one document."""
    as_map = {"flags": {"f": flag()}, "metadata": {"flagSetId": "s"}}
    as_list = {"flags": [{"key": "f", **flag()}]}
    yaml = 'flags:\n  f: {state: ENABLED, variants: {"on": true, "off": false}, defaultVariant: "off"}\n'
    read = [
        read_flagd(json.dumps(as_map).encode(), file="a"),
        read_flagd(yaml.encode(), file="b"),
        read_flagd(b"---\n" + yaml.encode(), file="c"),
    ]
    assert [dict(source.flags) for source in read] == [{"f": flag()}] * 3
    assert read_flagd(json.dumps(as_list).encode(), file="d").flags["f"] == {"key": "f", **flag()}
    assert read[0].metadata == {"flagSetId": "s"}


def test_resources_are_found_among_others() -> None:
    """A manifest holds what it holds; other kinds are passed over, and that is told."""
    text = f"# a manifest\n---\nkind: Service\napiVersion: v1\n---\n{RESOURCE}---\n{RESOURCE.replace('shop', 'web')}"
    found = read_operator(text.encode(), file="m.yaml")
    assert [source.namespace for source in found] == ["shop", "web"]
    assert found[0].passed_over == ("Service is passed over",)
    assert list(found[0].flags) == ["banner"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"flags": 1}', "neither a map nor a list"),
        (b'{"flags": [{"state": "ENABLED"}]}', "no `key`"),
        (b'{"flags": [{"key": "a"}, {"key": "a"}]}', "two flags"),
        (b'{"flags": {"a": 1, "a": 2}}', "occurs twice"),
        (b'{"flags": {"a": NaN}}', "NaN"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"", "one document is expected"),
        (b"flags: {}\n---\nflags: {}\n", "one document is expected"),
        (b"[]", "not an object"),
    ],
)
def test_what_is_no_flagd_document_is_refused(data: bytes, why: str) -> None:
    """With the file's name and the reason, and no traceback."""
    with pytest.raises(UsageError, match=r"f\.json") as refusal:
        read_flagd(data, file="f.json")
    assert why in refusal.value.message


def test_yaml_that_parsers_read_differently_is_refused_with_its_line() -> None:
    """`on` is a word to some parsers and true to others; whoever wrote it says which, by quotes."""
    text = "# two\nflags:\n  f:\n    variants:\n      on: true\n"
    with pytest.raises(InvalidDocuments) as refusal:
        read_flagd(text.encode(), file="f.yaml")
    assert refusal.value.findings[0].line == 5
    with pytest.raises(InvalidDocuments) as refusal:
        read_operator(f"kind: Service\n---\n{RESOURCE}".replace('"on"', "on").encode(), file="m.yaml")
    assert refusal.value.findings[0].line == 11


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("kind: Service\n", "there is no FeatureFlag"),
        (RESOURCE.replace("v1beta1", "v1alpha1"), "v1alpha1"),
        ("kind: List\nitems: []\n", "a List is not read"),
        (RESOURCE.replace("flagSpec", "flagSpecs"), "not an object"),
    ],
)
def test_other_resources_are_refused(text: str, why: str) -> None:
    """Each with what to do."""
    with pytest.raises(UsageError) as refusal:
        read_operator(text.encode(), file="m.yaml")
    assert why in refusal.value.message
    assert refusal.value.remedy


# Writing


_json: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53) + 1, 2**53 - 1),
        st.floats(-1e6, 1e6).map(lambda number: round(number, 3)),
        st.sampled_from([1e-7, -2.5e-9, 0.1]),
        st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=12),
        st.sampled_from(
            ["on", "no", "012", "1e3", "1:20", "2027-03-31", "~", "", " x", "- a", "a: b", "#", "null", "0x1"]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["on", "key", "a.b", "1", "starts_with", "", "x: y"]), inner, max_size=4),
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["spec", "a", "no"]), _json, min_size=1))
def test_what_is_written_is_read_as_it_was_meant(value: dict[str, Any]) -> None:
    """Our writer and our reader agree on everything, however it could be misread."""
    reading = read_yaml(yaml_text(value).encode(), file="x")
    assert reading.findings == ()
    assert json.dumps(reading.value) == json.dumps(_whole(value))


def _whole(value: Any) -> Any:  # noqa: ANN401 (JSON)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    return value


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path: Path) -> None:
    """One file that is there already, and none is written."""
    there = tmp_path / "b.yaml"
    there.write_text("mine")
    with pytest.raises(UsageError, match=r"b\.yaml"):
        write_new({tmp_path / "a.yaml": "a", there: "b"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.yaml"]
    assert there.read_text() == "mine"
    dangling = tmp_path / "c.yaml"
    dangling.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        write_new({dangling: "c"})
    assert not (tmp_path / "elsewhere").exists()


def test_what_cannot_be_written_takes_the_rest_with_it(tmp_path: Path) -> None:
    """The second file's folder is a file: the first goes again, and its new folder too."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_new({tmp_path / "new" / "deep" / "a.yaml": "a", tmp_path / "file" / "b.yaml": "b"})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_somebody_elses_file_that_appears_in_the_meantime_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between looking and writing somebody may write; what they wrote wins."""
    monkeypatch.setattr(os.path, "lexists", lambda _: False)
    (tmp_path / "b.yaml").write_text("theirs")
    with pytest.raises(FileExistsError):
        write_new({tmp_path / "a.yaml": "a", tmp_path / "b.yaml": "b"})
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("b.yaml", "theirs")]


# Exporting


@pytest.mark.parametrize("form", ["flagd", "openfeature-operator"])
@pytest.mark.parametrize("environment", ["production", "staging"])
def test_the_sample_is_exported_as_it_answers(form: Any, environment: str) -> None:  # noqa: ANN401 (a literal)
    """Every flag that the environment serves, read back, with both sides evaluated."""
    files = export(Catalogue.of(DOCUMENTS), POLICIES.environments[environment], form, now=NOW)
    assert [file.namespace for file in files] == ["analytics", "payments", "platform", "storefront"]
    for file in files:
        assert file.evaluated >= 400 * file.flags
        sources = (
            [read_flagd(file.text.encode(), file="f")]
            if form == "flagd"
            else list(read_operator(file.text.encode(), file="f"))
        )
        assert [len(source.flags) for source in sources] == [file.flags]
        if form == "openfeature-operator":
            assert sources[0].namespace == file.namespace
            # The operator's own schema requires it.
            assert all("defaultVariant" in found for found in sources[0].flags.values() if isinstance(found, dict))


def test_what_an_export_cannot_keep_is_told() -> None:
    """Grants are those of today, governance has no place."""
    (file,) = export(
        Catalogue.of(DOCUMENTS), POLICIES.environments["production"], "flagd", namespace="analytics", now=NOW
    )
    assert any("analytics/advanced-analytics" in note for note in file.notes)


def test_a_namespace_that_serves_nothing_is_named() -> None:
    """With those that do."""
    with pytest.raises(UsageError, match="moon") as refusal:
        export(Catalogue.of(DOCUMENTS), POLICIES.environments["production"], "flagd", namespace="moon", now=NOW)
    assert "payments" in refusal.value.remedy
