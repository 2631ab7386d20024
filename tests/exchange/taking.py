"""Importing without files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flagseal.model.policy_set import load_policies
from flagseal_validators.exchange import Defaults, Imported, import_flags, read_flagd
from flagseal_validators.tree import read_tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.model.document import Document

TOP = Path(__file__).parents[2]
DOCUMENTS = read_tree(TOP).documents
POLICIES = load_policies(DOCUMENTS)
NOW = 1_790_000_000
DEFAULTS: dict[str, Any] = {
    "owner": "team-platform",
    "environments": ("production", "staging"),
    "purpose": "release",
    "risk_tier": "operational",
    "lifecycle": "enforced",
    "expires": "2027-03-31",
    "retire_when": "Decided later.",
}


def flag(targeting: object = None, **fields: object) -> dict[str, Any]:
    """Write a flag of a flagd document."""
    made: dict[str, Any] = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}
    return {**made, **({} if targeting is None else {"targeting": targeting}), **fields}


def taken(
    flags: object, *, existing: Iterable[Document] = (), evaluators: object = None, **defaults: object
) -> tuple[Imported, ...]:
    """Import a flagd document into the namespace ``shop``."""
    document = {"flags": flags, **({"$evaluators": evaluators} if evaluators else {})}
    source = read_flagd(json.dumps(document).encode(), file="flags.json")
    wanted = Defaults(**{**DEFAULTS, **defaults})
    return import_flags(source, "shop", wanted, existing=existing, policies=POLICIES, now=NOW)


def one(targeting: object = None, *, key: str = "f", evaluators: object = None, **fields: object) -> Imported:
    """Import one flag."""
    (found,) = taken({key: flag(targeting, **fields)}, evaluators=evaluators)
    return found


def section(found: Imported) -> dict[str, Any]:
    """Give what production serves by a definition."""
    assert found.document is not None
    spec: Any = found.document.spec
    assert isinstance(spec["environments"]["production"], dict)
    return dict(spec["environments"]["production"])
