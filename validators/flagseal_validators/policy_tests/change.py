"""The change of a case, as documents before and after.

A case that names a class gets a flag made for it: in one environment of the repository's own policies, of the tier and
with the owner named, changed so that the change is of that class. Whoever writes the case says what kind of change is
meant, and need not find a flag for it. A case that names documents gets those of the repository, patched.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flagseal.model.document import API_VERSION, Document, split_subject
from flagseal.model.errors import FlagsealError
from flagseal.model.loader import parse_body
from flagseal.policy import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flagseal.model.policies import PolicySet

    Spec = dict[str, Any]

SYNTHETIC: Final = "FlagDefinition/policy-test/made-for-the-case"

_STEP: Final = "canary"
_ON, _OFF = "enabled", "disabled"
_ALL: Final = 100
_LITTLE: Final = 1
"""Points of a hundred: less than any row lets anybody take at once."""


class UnusableCase(FlagsealError):
    """Say that no change can be made of what a case says."""

    code = "UnusableCase"


@dataclass(frozen=True, slots=True)
class Sides:
    """All governed documents, before and after."""

    before: State
    after: State


def sides_of(change: Mapping[str, Any], documents: State, policies: PolicySet) -> Sides:
    """Make the change of a case.

    Args:
        change: ``given.change``, valid by the schema.
        documents: All governed documents of the repository.
        policies: Those among them.

    Raises:
        UnusableCase: It names what is not there, or contradicts itself.
        InvalidDocuments: What it makes of a document is no valid one.
    """
    if "documents" in change:
        return _patched(change["documents"], documents)
    kinds = change.get("policies", ())
    if "tier" not in change and not kinds:
        raise UnusableCase("the change names neither a tier nor policies", remedy="Add `tier` and `environment`.")
    before: dict[str, Document] = dict(documents.policies)
    after = dict(before)
    if "tier" in change:
        old, new = _flags(change, policies)
        before[SYNTHETIC], after[SYNTHETIC] = _document(SYNTHETIC, old), _document(SYNTHETIC, new)
    for kind in kinds:
        found = next((document for document in documents.policies.values() if document.kind == kind), None)
        if found is None:
            raise UnusableCase(f"there is no {kind} in policies/", remedy="Name the kind of a document there.")
        edit = (_TOWARD_SAFE if change["class"] == "toward-safe" else _WIDEN).get(kind)
        if edit is None or change["class"] == "metadata":
            raise UnusableCase(
                f"no change of {kind} is of class {change['class']}",
                remedy="Changes of policies are `widen`; only those that take authority away are `toward-safe`.",
            )
        after[found.subject] = _document(found.subject, edit(copy.deepcopy(found.spec)))  # type: ignore[arg-type]  # an object, by the schema
    return Sides(State(before), State(after))


# Documents of the repository


def _patched(changes: list[Spec], documents: State) -> Sides:
    after = dict(documents.documents)
    for change in changes:
        subject = change["subject"]
        known = documents.live(subject)
        try:
            split_subject(subject)
        except ValueError:
            raise UnusableCase(
                f"{subject} is no subject", remedy="Write Kind/namespace/name, or Kind/name for a policy."
            ) from None
        if change.get("remove"):
            if known is None:
                raise UnusableCase(f"{subject} is not there, so it cannot be removed", remedy="Name one that is.")
            after[subject] = known.tombstone()
        else:
            after[subject] = _document(subject, merge_patch(known.spec if known is not None else {}, change["set"]))
    return Sides(documents, State(after))


def merge_patch(target: object, patch: object) -> Any:  # noqa: ANN401 (JSON)
    """Apply a JSON merge patch (RFC 7396, section 2)."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def _document(subject: str, spec: Spec) -> Document:
    kind, namespace, name = split_subject(subject)
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    body = {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": spec}
    return parse_body(body, place=subject)


# Flags made for a case


def _flags(change: Mapping[str, Any], policies: PolicySet) -> tuple[Spec, Spec]:
    environments = policies.environments
    first = next((name for name, found in sorted(environments.items()) if found.production), "production")
    name: str = change.get("environment", first)
    if name not in environments:
        raise UnusableCase(f"there is no environment {name}", remedy=f"Name one of {', '.join(sorted(environments))}.")
    nothing: Spec = {"default": _OFF}
    little: Spec = {"default": _OFF, "rules": [{"name": "a few", **_share(change.get("step", _LITTLE))}]}
    match change["class"]:
        case "widen":
            # Whatever must come first serves it already, unless the case says otherwise.
            behind = change.get("behind", ())
            others: Spec = {
                other: {"default": _OFF if other in behind else _ON} for other in environments if other != name
            }
            step = change.get("lifecycle", {"from": _STEP, "to": _STEP})
            return (
                _flag(change, {**others, name: nothing}, lifecycle=step["from"]),
                _flag(change, {**others, name: little}, lifecycle=step["to"]),
            )
        case "toward-safe":
            return _flag(change, {name: little}), _flag(change, {name: nothing})
        case _:
            return _flag(change, {name: nothing}), _flag(change, {name: nothing}, description="Says more.")


def _share(step: int) -> Spec:
    return {"serve": _ON} if step == _ALL else {"split": {_ON: step, _OFF: _ALL - step}}


def _flag(
    change: Mapping[str, Any], environments: Spec, *, description: str = "Made for a case.", lifecycle: str = _STEP
) -> Spec:
    purpose = change.get("purpose", "release")
    spec: Spec = {
        "description": description,
        "purpose": purpose,
        "owner": change.get("owner", "nobody"),
        "riskTier": change["tier"],
        "lifecycle": lifecycle,
        "variants": {_ON: True, _OFF: False},
        "safeVariant": _OFF,
        "environments": environments,
    }
    if purpose == "entitlement" or "review" in change:
        spec["review"] = {"every": change.get("review", "1d")}
    if purpose != "entitlement":
        spec |= {"expires": change.get("expires", "2999-12-31"), "retireWhen": "The case is decided."}
    return spec


# Policies changed for a case


def _newcomer(spec: Spec) -> Spec:
    return {**spec, "people": {**spec["people"], "made-for-the-case": {"name": "Made for the case"}}}


def _fewer_accounts(spec: Spec) -> Spec:
    for person in spec["people"].values():
        for field in ("keys", "github", "kubernetes"):
            if person.pop(field, None):
                return spec
    raise UnusableCase("nobody in the Organisation has an account or a key to be taken away")


def _one_ticket_more(spec: Spec) -> Spec:
    rows = (row for sides in spec["tiers"].values() for rows in sides.values() for row in rows.values())
    for row in rows:
        if row.pop("ticket", None) is None:
            row["ticket"] = "required"
        return spec
    raise UnusableCase("the ApprovalPolicy has no row for flags that could be changed")


def _one_region_more(spec: Spec) -> Spec:
    entry = next(iter(spec["environments"].values()))
    entry["regions"] = [*entry.get("regions", ()), "made-for-the-case"]
    return spec


def _warned_later(spec: Spec) -> Spec:
    return {**spec, "warnBefore": "1d" if spec["warnBefore"] != "1d" else "2d"}


def _one_blackout_more(spec: Spec) -> Spec:
    blackout = {
        "name": "made for the case",
        "from": "2999-12-30T00:00:00Z",
        "until": "2999-12-31T00:00:00Z",
        "tiers": ["high-risk"],
    }
    return {**spec, "blackouts": [*spec["blackouts"], blackout]}


def _longer_tokens(spec: Spec) -> Spec:
    workload = "1m" if spec["lifetimes"].get("workload") != "1m" else "2m"
    return {**spec, "lifetimes": {**spec["lifetimes"], "workload": workload}, "anonymous": {"namespaces": ["case"]}}


def _one_revocation_more(spec: Spec) -> Spec:
    revocation = {"subject": "made-for-the-case", "reason": "Made for the case.", "since": "2026-01-01T00:00:00Z"}
    return {**spec, "revoked": [*spec.get("revoked", ()), revocation]}


_WIDEN: Final[Mapping[str, Callable[[Spec], Spec]]] = {
    "Organisation": _newcomer,
    "EnvironmentList": _one_region_more,
    "ApprovalPolicy": _one_ticket_more,
    "LifecyclePolicy": _warned_later,
    "ChangeCalendar": _one_blackout_more,
    "AccessPolicy": _longer_tokens,
}
_TOWARD_SAFE: Final[Mapping[str, Callable[[Spec], Spec]]] = {
    "Organisation": _fewer_accounts,
    "AccessPolicy": _one_revocation_more,
}
