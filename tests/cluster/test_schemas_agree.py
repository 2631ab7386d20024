"""The JSON Schema of a kind and its definition in a cluster say the same, as far as the API server can say it."""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import yaml
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from kubernetes.client.exceptions import ApiException

from flagseal.model.schema import validator
from flagseal_operator.crds.structural import PRESERVE
from flagseal_operator.resources import GROUP, NAMESPACED, PLURALS, VERSION
from tests.cluster.cluster import CRDS
from tests.model.resources import EVERY_RESOURCE
from tests.model.samples import EVERY_KIND, load

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cluster.cluster import Cluster

SAMPLES: Final = {
    body["kind"]: body
    for body in (*(load(text).documents[0].body() for text in EVERY_KIND), *EVERY_RESOURCE)
    if body["kind"] in PLURALS
}
SAYABLE: Final = {
    *("type", "enum", "const", "required", "pattern", "minLength", "maxLength", "minimum", "maximum", "minItems"),
    *("maxItems", "minProperties", "maxProperties"),
}
"""What both vocabularies have; the rest, unknown fields first of all, is left to the loader, by design."""

ODD: Final[list[Any]] = [
    *(None, True, 0, -1, 7, 1.5, 10**9, "", "x", "A b", "on", "2027-13-45", "2026-12-01T12:00:00Z", "30s", "a" * 5000),
    *([], {}, ["x"], [["x"]], [{}], {"x": 1}, {"x": {"x": []}}),
]


@cache
def definition(kind: str) -> Any:  # noqa: ANN401 (JSON)
    """Read the schema of a kind's definition."""
    text = Path(CRDS / f"{PLURALS[kind]}.yaml").read_text()
    return yaml.safe_load(text)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def places(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Name every place in a value."""
    found = [at]
    if isinstance(value, dict):
        found += [place for key, it in value.items() for place in places(it, (*at, key))]
    if isinstance(value, list):
        found += [place for number, it in enumerate(value) for place in places(it, (*at, number))]
    return found


def put(body: Any, place: Sequence[str | int], value: object) -> None:  # noqa: ANN401 (JSON)
    """Put a value at a place, in the place of what is there."""
    for step in place[:-1]:
        body = body[step]
    body[place[-1]] = value


@st.composite
def spoilt(draw: st.DrawFn, kind: str) -> dict[str, Any]:
    """Draw a valid document of a kind, or one that was spoilt in one or two places."""
    body: dict[str, Any] = copy.deepcopy(SAMPLES[kind])
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from([it for it in places(body["spec"], ("spec",)) if len(it) > 1]))
        how = draw(st.sampled_from(["replace", "remove", "borrow", "add"]))
        *before, last = place
        parent: Any = body
        for step in before:
            parent = parent[step]
        if how == "remove":
            del parent[last]
        elif how == "borrow":
            other = draw(st.sampled_from(places(body["spec"], ("spec",))))
            found: Any = body
            for step in other:
                found = found[step]
            put(body, place, copy.deepcopy(found))
        elif how == "add" and isinstance(parent, dict):
            parent["odd"] = copy.deepcopy(draw(st.sampled_from(ODD)))
        else:
            put(body, place, copy.deepcopy(draw(st.sampled_from(ODD))))
        if not body["spec"]:
            break
    return body


def stored(cluster: Cluster, body: dict[str, Any]) -> str | None:
    """Ask the API server whether it would store a resource; None if it would, else why not."""
    kind, namespace = body["kind"], body["metadata"].get("namespace")
    try:
        if kind in NAMESPACED:
            cluster.objects.create_namespaced_custom_object(
                GROUP, VERSION, namespace, PLURALS[kind], body, dry_run="All"
            )
        else:
            cluster.objects.create_cluster_custom_object(GROUP, VERSION, PLURALS[kind], body, dry_run="All")
    except ApiException as error:
        if error.status != 422:
            raise
        return str(json.loads(error.body or "{}")["message"])
    return None


def speaks(kind: str, body: Any, error: Any) -> bool:  # noqa: ANN401 (JSON; no types)
    """Tell whether the definition, too, has a say in what a JSON Schema found wrong."""
    word = next(it for it in reversed(error.schema_path) if isinstance(it, str))
    if word not in SAYABLE or {"oneOf", "anyOf", "if", "then", "else", "not"} & set(error.schema_path):
        return False
    node = definition(kind)
    for step in error.instance_path:
        if node.get(PRESERVE) and "properties" not in node:
            return False  # anything goes from here on
        if isinstance(step, int):
            node = node.get("items")
        else:
            node = node.get("properties", {}).get(step) or node.get("additionalProperties")
        if not isinstance(node, dict):
            return False
        body = body[step]
        if body is None:
            return False  # the API server takes null for absent, and drops it
    if word == "type" and "format" in node and isinstance(body, list):
        return False  # it looks at no list where a text with a format is asked for
    return (word if word != "const" else "enum") in node


@pytest.mark.parametrize("kind", sorted(PLURALS))
def test_what_a_file_may_say_is_stored_and_what_both_can_refuse_is_refused(cluster: Cluster, kind: str) -> None:
    """Whatever is drawn: the definition is never stricter than the schema, and no laxer than its vocabulary."""
    for namespace in ("payments", "entitlements"):
        cluster.namespace(namespace)
    seen = {True: 0, False: 0}

    @settings(suppress_health_check=list(HealthCheck))
    @given(spoilt(kind))
    def agree(body: dict[str, Any]) -> None:
        errors = list(validator(kind).iter_errors(body))
        why = stored(cluster, body)
        seen[why is None] += 1
        note(f"schema: {[(list(it.instance_path), it.message) for it in errors]}")
        note(f"cluster: {why}")
        note(json.dumps(body))
        if not errors:
            assert why is None, "the cluster is stricter"
        elif any(speaks(kind, body, it) for it in errors):
            assert why is not None, "the cluster is laxer"

    agree()
    assert min(seen.values()) > 3, "both verdicts were drawn"
