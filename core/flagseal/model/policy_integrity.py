"""What must hold between policy documents; any violation invalidates the whole set (formats.md, Policies)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from flagseal.model.finding import Finding
from flagseal.model.instants import parse_instant
from flagseal.model.jsonpath import child
from flagseal.model.policies import OWNER_ROLE
from flagseal.model.public_key import key_material

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping

    from flagseal.model.document import Document

REQUIRED_KINDS = ("Organisation", "EnvironmentList", "ApprovalPolicy", "LifecyclePolicy", "ChangeCalendar")

KINDS = "FS601"
SHARED_KEY = "FS602"
SHARED_ACCOUNT = "FS603"
OWNER_DECLARED = "FS604"
UNRESOLVED = "FS605"
TIME_ZONE = "FS606"
UNREADABLE_KEY = "FS607"
CALENDAR = "FS608"


def violations(documents: Iterable[Document]) -> list[Finding]:
    """Find everything that contradicts itself among policy documents, tombstones left out."""
    found: list[Finding] = []
    by_kind: dict[str, Document] = {}
    for document in documents:
        first = by_kind.setdefault(document.kind, document)
        if first is not document:
            found.append(
                _finding(
                    document,
                    KINDS,
                    "$.kind",
                    f"there are two documents of kind {document.kind}: {_place(first)} and this one",
                    "Keep one of them.",
                )
            )
    missing = [kind for kind in REQUIRED_KINDS if kind not in by_kind]
    found += [
        Finding("policies", 0, 0, KINDS, "$", f"there is no document of kind {kind}", "Add one to policies/.")
        for kind in missing
    ]
    if not missing:
        for check in _CHECKS:
            found += check(by_kind)
    return sorted(found)


def _people(documents: Mapping[str, Document]) -> Iterator[Finding]:
    """A key or an account belongs to exactly one person: otherwise one person could approve as two."""
    document = documents["Organisation"]
    holders: dict[tuple[str, object], str] = {}
    for name, person in _spec(document)["people"].items():
        place = child("$.spec.people", name)
        for index, key in enumerate(person.get("keys", ())):
            path = f"{place}.keys[{index}]"
            try:
                material = key_material(key)
            except ValueError as error:
                yield _finding(document, UNREADABLE_KEY, path, f"this is no key to sign with: {error}", _KEY_REMEDY)
                continue
            holder = holders.setdefault(("key", material), name)
            if holder != name:
                message = f"this key belongs to {holder} already"
                yield _finding(document, SHARED_KEY, path, message, "Give every person a key of their own.")
        for path, account in _accounts(place, person):
            holder = holders.setdefault(account, name)
            if holder != name:
                message = f"this account belongs to {holder} already"
                yield _finding(document, SHARED_ACCOUNT, path, message, "List an account with its one holder only.")


_KEY_REMEDY = "List the line of the .pub file that `ssh-keygen -t ed25519` wrote."


def _accounts(place: str, person: Mapping[str, Any]) -> Iterator[tuple[str, tuple[str, object]]]:
    if "github" in person:
        # The forge compares logins without case.
        yield f"{place}.github.login", ("login", person["github"]["login"].casefold())
        yield f"{place}.github.id", ("id", person["github"]["id"])
    if "kubernetes" in person:
        yield f"{place}.kubernetes.username", ("username", person["kubernetes"]["username"])


def _roles(documents: Mapping[str, Document]) -> Iterator[Finding]:
    """Teams name people, roles name people, teams and environments that exist."""
    document = documents["Organisation"]
    spec = _spec(document)
    for team, entry in spec["teams"].items():
        for index, member in enumerate(entry["members"]):
            path = f"{child('$.spec.teams', team)}.members[{index}]"
            if isinstance(member, str):
                yield from _unresolved(document, path, "person", member, spec["people"])
            else:
                yield from _unresolved(document, f"{path}.person", "person", member["person"], spec["people"])
    known = {"people": spec["people"], "teams": spec["teams"], "environments": _environments(documents)}
    singular = {"people": "person", "teams": "team", "environments": "environment"}
    for role, entry in spec["roles"].items():
        place = child("$.spec.roles", role)
        if role == OWNER_ROLE:
            message = "`owner` is not a role to declare: it is the team that owns the flag"
            yield _finding(document, OWNER_DECLARED, place, message, "Give the role another name.")
        for field, names in known.items():
            for index, name in enumerate(entry.get(field, ())):
                yield from _unresolved(document, f"{place}.{field}[{index}]", singular[field], name, names)


def _rows(documents: Mapping[str, Document]) -> Iterator[Finding]:
    """Rows name roles, environments and windows that exist."""
    document = documents["ApprovalPolicy"]
    roles = {OWNER_ROLE, *_spec(documents["Organisation"])["roles"]}
    windows = _spec(documents["ChangeCalendar"])["windows"]
    environments = _environments(documents)
    for place, row in _each_row(_spec(document)):
        for index, item in enumerate(row["approvals"]):
            yield from _unresolved(document, f"{place}.approvals[{index}].role", "role", item["role"], roles)
        for index, name in enumerate(row.get("after", ())):
            yield from _unresolved(document, f"{place}.after[{index}]", "environment", name, environments)
        if "window" in row:
            yield from _unresolved(document, f"{place}.window", "window", row["window"], windows)
        if place.startswith("$.spec.policies.") and any(item["role"] == OWNER_ROLE for item in row["approvals"]):
            message = "a policy has no owner: this row asks for an approval that nobody can give"
            yield _finding(document, UNRESOLVED, f"{place}.approvals", message, "Ask for a declared role.")


def _each_row(spec: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for tier, sides in spec["tiers"].items():
        for side, rows in sides.items():
            for name, row in rows.items():
                yield f"{child('$.spec.tiers', tier)}.{side}.{name}", row
    for name, row in spec["policies"].items():
        yield f"$.spec.policies.{name}", row


def _calendar(documents: Mapping[str, Document]) -> Iterator[Finding]:
    """Windows lie in time zones that exist; windows and blackouts end after they begin."""
    document = documents["ChangeCalendar"]
    spec = _spec(document)
    for name, window in spec["windows"].items():
        place = child("$.spec.windows", name)
        if not _zone_exists(window["timezone"]):
            message = f"there is no time zone `{window['timezone']}`"
            yield _finding(document, TIME_ZONE, f"{place}.timezone", message, "Write one like Europe/Berlin, or UTC.")
        if window["from"] == window["to"]:
            message = "the window closes when it opens"
            yield _finding(document, CALENDAR, f"{place}.to", message, "For a whole day write from 00:00 to 24:00.")
    for index, blackout in enumerate(spec["blackouts"]):
        if parse_instant(blackout["until"]) <= parse_instant(blackout["from"]):
            path = f"$.spec.blackouts[{index}].until"
            yield _finding(document, CALENDAR, path, "the blackout is over before it begins", "Exchange the two.")


def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _access(documents: Mapping[str, Document]) -> Iterator[Finding]:
    """Bindings name issuers and environments that exist."""
    document = documents.get("AccessPolicy")
    if document is None:
        return
    spec = _spec(document)
    issuers: set[str] = set()
    for index, issuer in enumerate(spec["issuers"]):
        if issuer["name"] in issuers:
            message = f"two issuers are called `{issuer['name']}`"
            yield _finding(document, UNRESOLVED, f"$.spec.issuers[{index}].name", message, "Rename one of them.")
        issuers.add(issuer["name"])
    environments = _environments(documents)
    for index, binding in enumerate(spec["bindings"]):
        place = f"$.spec.bindings[{index}]"
        yield from _unresolved(document, f"{place}.subject.issuer", "issuer", binding["subject"]["issuer"], issuers)
        for position, name in enumerate(binding.get("environments", ())):
            yield from _unresolved(document, f"{place}.environments[{position}]", "environment", name, environments)
    for position, name in enumerate(spec.get("anonymous", {}).get("environments", ())):
        yield from _unresolved(
            document, f"$.spec.anonymous.environments[{position}]", "environment", name, environments
        )


_CHECKS: tuple[Callable[[Mapping[str, Document]], Iterable[Finding]], ...] = (
    _people,
    _roles,
    _rows,
    _calendar,
    _access,
)


def _environments(documents: Mapping[str, Document]) -> Container[str]:
    return cast("dict[str, object]", _spec(documents["EnvironmentList"])["environments"])


def _unresolved(document: Document, path: str, what: str, name: str, known: Container[str]) -> Iterator[Finding]:
    if name not in known:
        yield _finding(
            document, UNRESOLVED, path, f"there is no {what} `{name}`", f"Declare the {what}, or correct it."
        )


def _finding(document: Document, rule: str, path: str, message: str, remedy: str) -> Finding:
    if document.source is None:
        return Finding(document.subject, 0, 0, rule, path, message, remedy)
    position = document.source.at(path)
    return Finding(document.source.file, position.line, position.column, rule, path, message, remedy)


def _place(document: Document) -> str:
    return document.source.file if document.source is not None else document.subject


def _spec(document: Document) -> dict[str, Any]:
    return cast("dict[str, Any]", document.spec)
