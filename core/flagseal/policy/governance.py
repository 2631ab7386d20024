"""What a document says beside what it serves, and what changing that means.

Governance fields never change an evaluation by themselves; they change who may change it, and how long it may exist.
Only the fields named here as harmless are ``metadata``; everything that is not known is ``widen``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from flagseal.model.canonical import canonical_json
from flagseal.model.instants import parse_days

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.document import Document
    from flagseal.model.policies import ChangeClass

Spec = dict[str, Any]

_HARMLESS: Final = frozenset({"description", "ticket", "retireWhen"})
_FLAG_CONTENT: Final = frozenset({"environments", "variants", "safeVariant", "key"})
_WORDS: Final = {"riskTier": "tier"}


def flag_governance(before: Document, after: Document) -> Iterator[tuple[ChangeClass, str]]:
    """Class every difference between two definitions of one flag, but for what they serve."""
    old, new = _spec(before), _spec(after)
    for field in sorted((old.keys() | new.keys()) - _FLAG_CONTENT):
        if not same_json(old.get(field), new.get(field)):
            yield _flag_field(field, old.get(field), new.get(field))


def reference_governance(before: Document | None, after: Document | None) -> Iterator[tuple[ChangeClass, str]]:
    """Class the differences of a segment or binding that flags reach, but for what they serve by it.

    One that is created or removed changes nothing but what is served.
    """
    if before is None or after is None or before.is_tombstone or after.is_tombstone:
        return
    if before.kind == "Segment":
        yield from _fields(f"{before.subject}: ", _spec(before), _spec(after), frozenset({"when"}))
    elif before.kind == "EntitlementBinding":
        yield from _binding(before.subject, _spec(before), _spec(after))


def content_key(document: Document | None, environment: str) -> bytes:
    """Give what can reach an evaluation in one environment from a document, in a form to compare."""
    if document is None or document.is_tombstone:
        return b""
    spec = _spec(document)
    match document.kind:
        case "FlagDefinition":
            section = spec["environments"].get(environment)
            content = [spec.get("key", document.name), spec["variants"], spec["safeVariant"], section]
        case "Segment":
            content = [spec["when"]]
        case _:
            content = [_granted(part) for part in binding_parts(spec)]
    return canonical_json(content)


def binding_parts(spec: Spec) -> list[Spec]:
    """Give the organisations of a binding, however it is written."""
    return cast("list[Spec]", spec.get("bindings", [spec]))


def same_json(one: object, other: object) -> bool:
    """Compare as JSON: Python takes True for 1, an application does not."""
    return canonical_json(one) == canonical_json(other)


def _granted(part: Spec) -> list[object]:
    agreement = part["agreement"]
    grants = [[grant["flag"], grant.get("until"), grant.get("variant")] for grant in part["grants"]]
    return [part["org"], agreement["from"], agreement["until"], grants]


def _flag_field(field: str, old: Any, new: Any) -> tuple[ChangeClass, str]:  # noqa: ANN401 (any JSON)
    match field:
        case _ if field in _HARMLESS:
            return "metadata", f"{field} changed"
        case "expires":
            shorter = new is not None and (old is None or new < old)
            return ("metadata" if shorter else "widen"), f"expires changed from {old or 'never'} to {new or 'never'}"
        case "review":
            return ("metadata" if _reviewed_sooner(old, new) else "widen"), "review changed"
        case "owner" | "riskTier" | "purpose" | "lifecycle":
            return "widen", f"{_WORDS.get(field, field)} changed from {old} to {new}"
        case _:
            return "widen", f"{field} changed"


def _reviewed_sooner(old: Spec | None, new: Spec | None) -> bool:
    """Tell whether all that changed is that a review is due sooner."""
    if old is None or new is None:
        return new is not None
    rest = {name for name in old.keys() | new.keys() if name != "every" and old.get(name) != new.get(name)}
    return not rest and parse_days(new["every"]) <= parse_days(old["every"])


def _binding(subject: str, old: Spec, new: Spec) -> Iterator[tuple[ChangeClass, str]]:
    parts = frozenset({"bindings", "org", "owner", "agreement", "grants"})
    yield from _fields(f"{subject}: ", old, new, parts)
    before = {part["org"]: part for part in binding_parts(old)}
    for part in binding_parts(new):
        known = before.get(part["org"])
        if known is None:
            continue  # what it grants is content; whose it is, its owner approves
        place = f"{subject}: {part['org']}: "
        yield from _fields(place, known, part, frozenset({"org", "agreement", "grants"}))
        yield from _fields(f"{place}agreement.", known["agreement"], part["agreement"], frozenset({"from", "until"}))
        grants = {(grant["flag"], grant.get("variant")): grant for grant in known["grants"]}
        for grant in part["grants"]:
            same = grants.get((grant["flag"], grant.get("variant")))
            if same is not None:
                yield from _fields(f"{place}{grant['flag']}: ", same, grant, frozenset({"until"}))


def _fields(place: str, old: Spec, new: Spec, content: frozenset[str]) -> Iterator[tuple[ChangeClass, str]]:
    for field in sorted((old.keys() | new.keys()) - content):
        if not same_json(old.get(field), new.get(field)):
            yield ("metadata" if field in _HARMLESS else "widen"), f"{place}{field} changed"


def _spec(document: Document) -> Spec:
    return cast("Spec", document.spec)
