"""The class of a change of policy documents: toward-safe only if it takes authority away, and does nothing else.

Every way in which a document may change is listed; what is not listed is ``widen``. A removal is no removal of
authority by itself: taking the last environment from a role's list makes it count everywhere, taking a role from a row
or a blackout from the calendar makes changes easier, and a renamed revocation revokes something else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flagseal.model.canonical import canonical_json
from flagseal.model.instants import parse_day, parse_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from flagseal.model.document import Document
    from flagseal.model.policies import ChangeClass

Spec = dict[str, Any]


def classify_policies(
    changes: Iterable[tuple[Document | None, Document | None]],
) -> tuple[ChangeClass, tuple[str, ...]]:
    """Class a change of policy documents, and say why.

    Args:
        changes: Each document before and after, the same subject; None or a tombstone where there is none.
    """
    reasons: list[str] = []
    for before, after in changes:
        if before is None or before.is_tombstone:
            reasons.append(f"{after.subject if after else 'a document'} is new")
        elif after is None or after.is_tombstone:
            reasons.append(f"{before.subject} is removed")
        else:
            reasons += [f"{before.subject}: {reason}" for reason in gains(before, after)]
    if reasons:
        return "widen", tuple(reasons)
    return "toward-safe", ("authority is only taken away",)


def gains(before: Document, after: Document) -> Iterator[str]:
    """Name everything in a changed policy document that is not purely a removal of authority; nothing if it is."""
    compare = _KINDS.get(before.kind)
    if compare is None or not isinstance(before.spec, dict) or not isinstance(after.spec, dict):
        yield f"any change of {before.kind} may let somebody do more"
        return
    yield from compare(before.spec, after.spec)


def _organisation(before: Spec, after: Spec) -> Iterator[str]:
    yield from _others(before, after, {"people", "teams", "roles"}, "")
    for name, old, new in _entries(before["people"], after["people"]):
        if new is not None:
            yield from _person(name, old, new) if old is not None else [f"{name} is added to the people"]
    for name, old, new in _entries(before["teams"], after["teams"]):
        if new is not None:
            yield from _team(name, old, new) if old is not None else [f"the team {name} is added"]
    for name, old, new in _entries(before["roles"], after["roles"]):
        if new is not None:
            yield from _role(name, old, new) if old is not None else [f"the role {name} is added"]


def _person(name: str, before: Spec, after: Spec) -> Iterator[str]:
    yield from _others(before, after, {"keys", "github", "kubernetes"}, f"{name}'s ")
    yield from _added(before.get("keys", ()), after.get("keys", ()), f"{name} gets another key")
    for account in ("github", "kubernetes"):
        if account in after and not _same(before.get(account), after[account]):
            yield f"{name} gets another account ({account})"


def _team(name: str, before: Spec, after: Spec) -> Iterator[str]:
    yield from _others(before, after, {"members"}, f"{name}'s ")
    memberships = _memberships(before["members"])
    for person, until in _memberships(after["members"]).items():
        if person not in memberships:
            yield f"{person} joins {name}"
        elif _longer(memberships[person], until):
            yield f"{person} stays longer in {name}"


def _role(name: str, before: Spec, after: Spec) -> Iterator[str]:
    yield from _others(before, after, {"people", "teams", "environments"}, f"the role {name}: ")
    yield from _added(before.get("people", ()), after.get("people", ()), f"the role {name} is given to somebody")
    yield from _added(before.get("teams", ()), after.get("teams", ()), f"the role {name} is given to a team")
    # None named means everywhere: a list that becomes empty is the widest of all.
    if not _narrower(before.get("environments", ()), after.get("environments", ())):
        yield f"the role {name} counts in more environments"


def _access(before: Spec, after: Spec) -> Iterator[str]:
    yield from _others(before, after, {"issuers", "bindings", "lifetimes", "revoked", "relays", "anonymous"}, "")
    yield from _added(before["issuers"], after["issuers"], "an issuer is added or changed")
    yield from _bindings(before["bindings"], after["bindings"])
    for name, old, new in _entries(before["lifetimes"], after["lifetimes"]):
        # What a missing lifetime means is for whoever mints tokens to say, so it counts as longer.
        if old is None or new is None or parse_duration(new) > parse_duration(old):
            yield f"tokens of {name} may live longer"
    yield from _added(after.get("revoked", ()), before.get("revoked", ()), "a revocation is dropped or changed")
    yield from _added(before.get("relays", ()), after.get("relays", ()), "a relay is added or changed")
    yield from _anonymous(before.get("anonymous"), after.get("anonymous"))


def _bindings(before: Sequence[Spec], after: Sequence[Spec]) -> Iterator[str]:
    left = [(_without_limits(binding), binding) for binding in before]
    for binding in after:
        found = next((pair for pair in left if _same(pair[0], _without_limits(binding))), None)
        if found is None:
            yield f"the binding {binding['name']!r} is added or changed"
            continue
        left.remove(found)
        old = found[1]
        if _longer(parse_day(old["until"]), parse_day(binding["until"])):
            yield f"the binding {binding['name']!r} lasts longer"
        if not _narrower(old.get("operations", ()), binding.get("operations", ())):
            yield f"the binding {binding['name']!r} opens more operations"
        for field in ("namespaces", "environments"):
            if not _listed_narrower(old.get(field), binding.get(field)):
                yield f"the binding {binding['name']!r} opens more {field}"
        yield from _others(old, binding, _BINDING_FIELDS, f"the binding {binding['name']!r}: ")


_BINDING_FIELDS: Final = {"name", "subject", "role", "operations", "namespaces", "environments", "until"}


def _without_limits(binding: Spec) -> Spec:
    return {name: binding[name] for name in ("name", "subject", "role")}


def _anonymous(before: Spec | None, after: Spec | None) -> Iterator[str]:
    if after is None:
        return
    if before is None:
        yield "something is answered without a token"
        return
    yield from _others(before, after, {"namespaces", "environments"}, "anonymous: ")
    if not _listed_narrower(before["namespaces"], after["namespaces"]):
        yield "more namespaces are answered without a token"
    if not _narrower(before.get("environments", ()), after.get("environments", ())):
        yield "more environments are answered without a token"


_KINDS: Final[Mapping[str, Callable[[Spec, Spec], Iterator[str]]]] = {
    "Organisation": _organisation,
    "AccessPolicy": _access,
}
"""Documents that hand out authority. In all others nothing is authority that could be taken away from somebody."""


def _others(before: Spec, after: Spec, known: set[str], prefix: str) -> Iterator[str]:
    """Name every field that differs and is not compared by itself."""
    for name in sorted((before.keys() | after.keys()) - known):
        if not _same(before.get(name), after.get(name)) or (name in before) != (name in after):
            yield f"{prefix}{name} changed"


def _entries(before: Spec, after: Spec) -> Iterator[tuple[str, Any, Any]]:
    for name in sorted(before.keys() | after.keys()):
        yield name, before.get(name), after.get(name)


def _added(before: Iterable[object], after: Iterable[object], reason: str) -> Iterator[str]:
    """Give the reason if there is anything after that was not there before, however often."""
    known = {canonical_json(value) for value in before}
    if any(canonical_json(value) not in known for value in after):
        yield reason


def _narrower(before: Sequence[str], after: Sequence[str]) -> bool:
    """Tell whether a list that admits everything where it is empty admits no more than it did."""
    return not before or (bool(after) and set(after) <= set(before))


def _listed_narrower(before: Sequence[str] | None, after: Sequence[str] | None) -> bool:
    """Tell the same of a list whose absence, or emptiness, has no meaning that one should build on."""
    return _same(before, after) or bool(before and after and set(after) <= set(before))


def _memberships(members: Iterable[Any]) -> dict[str, date | None]:
    """Give each member's last day, the latest if listed more than once; None is for ever."""
    found: dict[str, date | None] = {}
    for member in members:
        person = member if isinstance(member, str) else member["person"]
        until = None if isinstance(member, str) or "until" not in member else parse_day(member["until"])
        found[person] = until if person not in found or _longer(found[person], until) else found[person]
    return found


def _longer(before: date | None, after: date | None) -> bool:
    return before is not None and (after is None or after > before)


def _same(one: object, other: object) -> bool:
    """Compare as JSON: Python takes True for 1."""
    return canonical_json(one) == canonical_json(other)
