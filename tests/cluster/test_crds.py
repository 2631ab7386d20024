"""The definitions on a real API server: it stores what git holds, to the digest, and shows it to people."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from flagseal.repository import FlagRepository
from flagseal_operator.inventory import Inventory
from flagseal_operator.resources import GROUP, PLURALS, Ref
from tests.cluster.cluster import CRDS, resource_of
from tests.snapshot.world import flag

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.cluster import Cluster

ROOT = Path(__file__).resolve().parents[2]


def stored_digest(cluster: Cluster, body: dict[str, Any]) -> str | None:
    """Write a resource, read it back, and give the digest of what it declares."""
    made = cluster.create(body)
    ref = Ref(body["kind"], body["metadata"].get("namespace"), made["metadata"]["name"])
    inventory = Inventory()
    inventory.see(ref.kind, None, cluster.get(ref.kind, ref.name, ref.namespace))
    seen = inventory.get(ref)
    assert seen is not None
    return seen.digest


def test_every_definition_is_structural_and_established(cluster: Cluster) -> None:
    """The API server finds nothing to say against any of the eight."""
    extensions: Any = client.ApiextensionsV1Api(cluster.api)
    found = {it.metadata.name: it for it in extensions.list_custom_resource_definition().items}
    assert {f"{plural}.flagseal.dev" for plural in PLURALS.values()} <= found.keys()
    for plural in PLURALS.values():
        conditions = {it.type: it.status for it in found[f"{plural}.flagseal.dev"].status.conditions}
        assert conditions == {"NamesAccepted": "True", "Established": "True"}


def test_the_sample_company_comes_back_with_the_digests_of_git(cluster: Cluster) -> None:
    """Flags, segments, bindings and policies: nothing is dropped, filled in or respelt on the way through etcd."""
    documents, findings = FlagRepository(ROOT).working_tree_documents()
    assert not [finding for finding in findings if finding.severity == "error"]
    for document in documents:
        assert stored_digest(cluster, resource_of(document)) == document.digest, document.subject


@pytest.mark.parametrize(
    "spec",
    [
        {"variants": {"on": {"a": None, "b": [], "c": {}}, "off": {}}, "safeVariant": "off"},
        {"variants": {"on": 1.5, "off": 0}, "safeVariant": "off"},
        {"variants": {"on": 9007199254740991, "off": -9007199254740991}, "safeVariant": "off"},
        {"variants": {"on": "\u00e9\U0001f600", "off": ""}, "safeVariant": "off"},
    ],
    ids=["nulls and empty ones", "fractions", "large integers", "odd text"],
)
def test_odd_values_survive_etcd(cluster: Cluster, spec: dict[str, Any]) -> None:
    """A value that were rewritten on the way would be refused as unapproved for ever."""
    document = flag("odd", **spec)
    assert stored_digest(cluster, resource_of(document)) == document.digest


def test_an_unknown_field_is_kept_and_so_seen(cluster: Cluster) -> None:
    """Dropped in silence it would hide that the cluster holds another document than git."""
    body = resource_of(flag("plain"))
    body["spec"]["sneaky"] = True
    assert stored_digest(cluster, body) != flag("plain").digest


@pytest.mark.parametrize(
    "change",
    [
        {"riskTier": "none"},
        {"owner": None},
        {"owner": 5},
        {"environments": []},
        {"expires": "soon"},
        {"purpose": "fun"},
    ],
    ids=str,
)
def test_the_api_server_refuses_what_the_schema_can_say_of_types_and_choices(
    cluster: Cluster, change: dict[str, Any]
) -> None:
    """Early and by itself, with the place; everything is checked again later."""
    body = resource_of(flag("wrong"))
    body["spec"] |= change
    cluster.namespace("payments")
    with pytest.raises(ApiException) as refused:
        cluster.create(body)
    assert refused.value.status == 422
    assert f"spec.{next(iter(change))}" in str(refused.value.body)


def test_no_definition_fills_in_a_default() -> None:
    """A default of the API server's would be a change that nobody approved."""
    for path in CRDS.glob("*.yaml"):
        for version in yaml.safe_load(path.read_text()).get("spec", {}).get("versions", []):
            assert list(_defaults(version["schema"]["openAPIV3Schema"], "$")) == []


def _defaults(node: dict[str, Any], place: str) -> list[str]:
    found = [place] if "default" in node else []
    for name, field in node.get("properties", {}).items():
        found += _defaults(field, f"{place}.{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(node.get(word), dict):
            found += _defaults(node[word], f"{place}[]")
    return found


@pytest.mark.parametrize("kind", sorted(PLURALS))
def test_every_field_explains_itself(cluster: Cluster, kind: str) -> None:
    """In a sentence that says more than its name does, read back from what the API server explains it by."""
    stored = json.loads(cluster.kubectl("get", "crd", f"{PLURALS[kind]}.{GROUP}", "-o", "json"))
    (version,) = stored["spec"]["versions"]
    fields = dict(_fields(version["schema"]["openAPIV3Schema"], kind))
    assert {f"{kind}.spec", f"{kind}.status.conditions[].reason", f"{kind}.metadata.name"} <= fields.keys()
    # What is called metadata is the API server's own, and the API server refuses words of ours about it.
    told = {place: text for place, text in fields.items() if place != f"{kind}.metadata"}
    assert {place: text for place, text in told.items() if not _says_something(place, text)} == {}
    cluster.until(lambda: fields[f"{kind}.spec"] in _explained(cluster, f"{PLURALS[kind]}.spec"))


def _explained(cluster: Cluster, place: str) -> str:
    # The API server tells of a new definition a moment after it serves it.
    words = ["kubectl", f"--kubeconfig={cluster.kubeconfig}", "explain", place]
    return " ".join(subprocess.run(words, capture_output=True, text=True, check=False).stdout.split())


def _fields(node: dict[str, Any], place: str) -> Iterator[tuple[str, str]]:
    yield place, node.get("description", "")
    for name, field in node.get("properties", {}).items():
        yield from _fields(field, f"{place}.{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(node.get(word), dict):
            yield from _fields(node[word], f"{place}[]")


def _says_something(place: str, text: str) -> bool:
    name = place.rpartition(".")[2].removesuffix("[]").lower()
    words = re.findall(r"[a-z0-9]+", text.lower())
    others = [word for word in words if word not in {"a", "an", "the", "its", "one", name, f"{name}s"}]
    return text[:1].isupper() and text.endswith((".", ".)")) and len(words) >= 4 and len(others) >= 2


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("Flag.spec.owner", ""),
        ("Flag.spec.owner", "The owner."),
        ("Flag.spec.owner", "One of the owners."),
        ("Flag.spec.owner", "who answers for it and is asked"),
    ],
)
def test_a_text_that_says_nothing_is_noticed(place: str, text: str) -> None:
    """The check above can fail."""
    assert not _says_something(place, text)


def test_kubectl_prints_one_readable_row(cluster: Cluster) -> None:
    """The columns of the design, in its order."""
    cluster.create(resource_of(flag("new-checkout")))
    header = cluster.kubectl("get", "flags", "-A").splitlines()[0]
    wanted = "NAMESPACE NAME OWNER TIER LIFECYCLE EXPIRES READY APPROVED BY SNAPSHOT AGE"
    assert header.split() == wanted.split()
    assert "new-checkout" in cluster.kubectl("get", "flagseal", "-A")
