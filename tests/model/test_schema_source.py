"""The schemas as a source for editors, the loader, and later the custom resource definitions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

import jsonschema_rs
import pytest

from flagseal.model.document import GOVERNED_KINDS, NAMESPACED_KINDS
from flagseal.model.explain import FORMS
from flagseal.model.flag import RISK_TIERS
from flagseal.model.policies import CHANGE_CLASSES
from flagseal.model.schema import CLUSTER_SCHEMAS, SCHEMAS, combined, vocabulary
from flagseal.model.schema.conditions import COMPARISONS
from tests.model.samples import EVERY_KIND, load

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_SCHEMA = {**SCHEMAS, **CLUSTER_SCHEMAS}


def fields(node: object, path: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk through every field of a schema."""
    if isinstance(node, dict):
        for name, child in cast("dict[str, Any]", node.get("properties", {})).items():
            yield f"{path}.{name}", child
            yield from fields(child, f"{path}.{name}")
        for keyword in ("items", "additionalProperties"):
            yield from fields(node.get(keyword), f"{path}[{keyword}]")
        for name, child in cast("dict[str, Any]", node.get("$defs", {})).items():
            yield from fields(child, f"{path}#{name}")


def objects(node: object, path: str = "$") -> Iterator[tuple[str, dict[str, Any]]]:
    """Walk through every object that lists its fields."""
    if isinstance(node, dict):
        if "properties" in node:
            yield path, node
        for keyword, child in node.items():
            if keyword in {"properties", "$defs"}:
                for name, inner in child.items():
                    yield from objects(inner, f"{path}.{name}")
            elif keyword in {"items", "additionalProperties"}:
                yield from objects(child, f"{path}[{keyword}]")


def test_every_governed_kind_has_a_schema() -> None:
    """And policy tests, which govern nothing."""
    assert set(SCHEMAS) == {*GOVERNED_KINDS, "PolicyTest"}


@pytest.mark.parametrize("kind", EVERY_SCHEMA)
def test_every_schema_is_valid_json_schema_2020_12(kind: str) -> None:
    """Judged by the metaschema."""
    jsonschema_rs.meta.validate(EVERY_SCHEMA[kind])


@pytest.mark.parametrize("kind", EVERY_SCHEMA)
def test_every_field_has_a_description_that_an_editor_can_show(kind: str) -> None:
    """A sentence, not a word."""
    found = list(fields(EVERY_SCHEMA[kind]))
    assert len(found) > 5
    for path, node in found:
        if set(node) == {"$ref"}:
            continue  # the shared node has its own
        assert len(str(node.get("description", "")).split()) >= 2, f"{kind} {path}"
        assert node["description"].endswith((".", ".)")), f"{kind} {path}"


@pytest.mark.parametrize("kind", EVERY_SCHEMA)
def test_every_object_is_closed(kind: str) -> None:
    """Unknown fields are errors everywhere; only conditions take attributes of any name."""
    for path, node in objects(EVERY_SCHEMA[kind]):
        assert node.get("additionalProperties") is False or path.endswith(".condition"), f"{kind} {path}"


@pytest.mark.parametrize("kind", EVERY_SCHEMA)
def test_only_namespaced_kinds_carry_a_namespace(kind: str) -> None:
    """Metadata has name and namespace only, and policies have no namespace."""
    properties = cast("dict[str, Any]", EVERY_SCHEMA[kind]["properties"])
    names = ["name", "namespace"] if kind in (*NAMESPACED_KINDS, "EmergencyOverride") else ["name"]
    assert list(properties["metadata"]["properties"]) == properties["metadata"]["required"] == names


def test_the_words_of_the_schema_are_those_of_the_values() -> None:
    """Tiers, classes and predicates cannot drift apart."""
    assert vocabulary.TIERS == RISK_TIERS
    assert vocabulary.CHANGE_CLASSES == CHANGE_CLASSES
    assert len(COMPARISONS) == 16


def patterns(node: object) -> Iterator[str]:
    """Walk through every pattern of a schema."""
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        for child in node.values():
            yield from patterns(child)


@pytest.mark.parametrize("kind", EVERY_SCHEMA)
def test_every_pattern_is_explained_to_people(kind: str) -> None:
    """A regular expression is no remedy."""
    assert set(patterns(EVERY_SCHEMA[kind])) <= set(FORMS)


@pytest.mark.parametrize("kind", EVERY_SCHEMA)
def test_every_pattern_means_the_same_to_every_engine(kind: str) -> None:
    """No class that depends on the engine's idea of Unicode, no look-around: editors, Rust and Go agree."""
    for pattern in patterns(EVERY_SCHEMA[kind]):
        assert not re.search(r"\\[dwsbDWSBpP]|\(\?", pattern)
        assert pattern.startswith("^")
        assert pattern.endswith("$")


def test_the_combined_schema_takes_every_kind() -> None:
    """An editor that binds one schema to a folder accepts each sample, and no mixture."""
    validator = jsonschema_rs.Draft202012Validator(combined())
    for text in EVERY_KIND:
        body = load(text).documents[0].body()
        assert validator.is_valid(body)
        assert not validator.is_valid({**body, "kind": "FlagDefinitions"})
