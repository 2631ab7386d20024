"""Every way in which policies could be loosened by one step: what policy tests are there to notice.

A loosening is a change of one document that lets something through which was refused, sooner, or on less proof. Steps
are as small as they can be (one approval, one point, one day), since a test that notices the smallest notices every
larger one. What neither the decision nor a rule about a change looks at (keys, accounts, who may read what) is not
loosened: no policy test could notice. docs/adr/0130-what-a-loosening-is.md
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from flagseal.model.document import API_VERSION, Document
from flagseal.model.instants import parse_days
from flagseal.model.loader import parse_body
from flagseal.model.policies import OWNER_ROLE
from flagseal.model.schema.access import PROTOCOLS
from flagseal.model.schema.change import DAYS_OF_WEEK
from flagseal.model.schema.vocabulary import LIFECYCLES
from flagseal_validators.protocols import COMBINATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.policies import PolicyRow, PolicySet

Spec = dict[str, Any]
Path = tuple[str | int, ...]

_GONE: Final = object()
"""In place of a value: there is none."""

_WEAKER: Final = {"both": ("forge", "keys", "either"), "forge": ("either",), "keys": ("either",), "either": ()}
_ALL_POINTS: Final = 100


@dataclass(frozen=True, slots=True)
class Loosening:
    """One step in which a policy document asks for less.

    Attributes:
        place: Where, as a path in the document (``tiers.sensitive.production.widen``), or what it is about.
        what: What is loosened, as a sentence.
        document: The document, loosened.
        rows: Places of the rows by which it can be noticed; empty for all.
        about: What else tells where to look: a role, a team, a person, a window, a blackout, a purpose.
    """

    place: str
    what: str
    document: Document
    rows: tuple[str, ...] = ()
    about: tuple[str, ...] = ()


def loosenings(policies: PolicySet) -> Iterator[Loosening]:
    """Loosen each thing that policies ask for, in the order in which people read them."""
    yield from _of_rows(policies)
    yield from _of_people(policies)
    yield from _of_environments(policies)
    yield from _of_the_calendar(policies)
    yield from _of_life(policies)
    yield from _of_trust(policies)


def _document(policies: PolicySet, kind: str) -> Document:
    return next(document for document in policies.documents.values() if document.kind == kind)


def _edited(document: Document, path: Path, value: object = _GONE) -> Document:
    """Write a value at a place of a document's spec, or take away what is there."""
    spec = copy.deepcopy(cast("Spec", document.spec))
    found: Any = spec
    for step in path[:-1]:
        found = found[step]
    if value is _GONE:
        del found[path[-1]]
    else:
        found[path[-1]] = value
    body = {"apiVersion": API_VERSION, "kind": document.kind, "metadata": {"name": document.name}, "spec": spec}
    return parse_body(body, place=document.subject)


# Rows


def _of_rows(policies: PolicySet) -> Iterator[Loosening]:
    document = _document(policies, "ApprovalPolicy")
    for row in (*policies.approval.tiers.values(), *policies.approval.policies.values()):
        path = tuple(row.place.split("."))
        for what, where, value in _of_row(row):
            yield Loosening(row.place, what, _edited(document, (*path, *where), value), (row.place,))
        fallback = _fallback(row, policies)
        if fallback is not None and not _as_strict(fallback, row):
            what = f"is gone, so that {fallback.place} decides"
            yield Loosening(row.place, what, _edited(document, path), (row.place,))


def _of_row(row: PolicyRow) -> Iterator[tuple[str, Path, object]]:
    """Give what is loosened, where in the row, and what stands there then."""
    for number, asked in enumerate(row.approvals):
        if asked.count > 1:
            less = asked.count - 1
            yield f"asks for {less} × {asked.role} instead of {asked.count}", ("approvals", number, "count"), less
        if len(row.approvals) > 1:
            yield f"does not ask for {asked.role}", ("approvals", number), _GONE
    for weaker in _WEAKER[row.evidence]:
        yield f"takes the evidence {weaker} instead of {row.evidence}", ("evidence",), weaker
    if row.ticket_required:
        yield "asks for no ticket", ("ticket",), _GONE
    if not row.merger_counts:
        yield "counts whoever merged it", ("merger",), _GONE
    yield from _of_timing(row)


def _of_timing(row: PolicyRow) -> Iterator[tuple[str, Path, object]]:
    if row.window is not None:
        yield f"waits for no window ({row.window})", ("window",), _GONE
    for name in row.after:
        rest = [other for other in row.after if other != name]
        yield f"does not ask for {name} first", ("after",), rest or _GONE
    if row.max_step is not None:
        yield f"knows no largest step ({row.max_step})", ("maxStep",), _GONE
        if row.max_step < _ALL_POINTS:
            yield f"lets steps be {row.max_step + 1} instead of {row.max_step}", ("maxStep",), row.max_step + 1


def _fallback(row: PolicyRow, policies: PolicySet) -> PolicyRow | None:
    """Give the row that decides where another is missing; None for ``widen`` itself."""
    *_, change_class = row.place.split(".")
    place = row.place.removesuffix(change_class) + "widen"
    rows = (*policies.approval.tiers.values(), *policies.approval.policies.values())
    return None if change_class == "widen" else next((it for it in rows if it.place == place), None)


def _as_strict(one: PolicyRow, other: PolicyRow) -> bool:
    """Tell whether a row asks for all that another does."""
    counts = {asked.role: asked.count for asked in one.approvals}
    return (
        all(counts.get(asked.role, 0) >= asked.count for asked in other.approvals)
        and (one.evidence in {other.evidence, "both"} or other.evidence == "either")
        and set(one.after) >= set(other.after)
        and one.ticket_required >= other.ticket_required
        and one.merger_counts <= other.merger_counts
        and (other.window is None or one.window == other.window)
        and (other.max_step is None or (one.max_step is not None and one.max_step <= other.max_step))
    )


# People


def _of_people(policies: PolicySet) -> Iterator[Loosening]:
    document = _document(policies, "Organisation")
    everybody = sorted(policies.organisation.people)
    rows = (*policies.approval.tiers.values(), *policies.approval.policies.values())
    asked: dict[str, list[str]] = {}
    for row in rows:
        for entry in row.approvals:
            asked.setdefault(entry.role, []).append(row.place)
    for role in policies.organisation.roles.values():
        places = tuple(asked.get(role.name, ()))
        if not places:
            continue
        yield Loosening(
            f"roles.{role.name}",
            "is held by everybody",
            _edited(document, ("roles", role.name, "people"), everybody),
            places,
            (role.name,),
        )
        if role.environments:
            yield Loosening(
                f"roles.{role.name}",
                f"counts everywhere instead of in {', '.join(role.environments)}",
                _edited(document, ("roles", role.name, "environments")),
                places,
                (role.name,),
            )
    owning = tuple(asked.get(OWNER_ROLE, ()))
    for team, members in policies.organisation.teams.items():
        if owning:
            yield Loosening(
                f"teams.{team}",
                "has everybody in it, as owners of its flags",
                _edited(document, ("teams", team, "members"), everybody),
                owning,
                (team,),
            )
        for number, member in enumerate(members):
            if member.until is not None:
                yield Loosening(
                    f"teams.{team}",
                    f"keeps {member.person} after {member.until}",
                    _edited(document, ("teams", team, "members", number, "until")),
                    (),
                    (team, member.person, member.until.isoformat()),
                )


# Places and times


def _of_environments(policies: PolicySet) -> Iterator[Loosening]:
    document = _document(policies, "EnvironmentList")
    for name, environment in policies.environments.items():
        if environment.production:
            yield Loosening(
                f"environments.{name}",
                "goes by the rows of nonProduction",
                _edited(document, ("environments", name, "production"), value=False),
                tuple(row.place for row in policies.approval.tiers.values() if row.place.split(".")[2] == "production"),
                (name,),
            )


def _of_the_calendar(policies: PolicySet) -> Iterator[Loosening]:
    document = _document(policies, "ChangeCalendar")
    for name, window in policies.calendar.windows.items():
        rows = tuple(row.place for row in policies.approval.tiers.values() if row.window == name)
        if not rows:
            continue
        if len(window.days) < len(DAYS_OF_WEEK):
            every = _edited(document, ("windows", name, "days"), list(DAYS_OF_WEEK))
            yield Loosening(f"windows.{name}", "opens every day", every, rows, (name,))
        if window.start != window.end:
            written = cast("Spec", document.spec)["windows"][name]
            day = _edited(document, ("windows", name), {**written, "from": "00:00", "to": "24:00"})
            yield Loosening(f"windows.{name}", "is open all day", day, rows, (name,))
    for number, blackout in enumerate(policies.calendar.blackouts):
        place = f"blackouts[{number}]"
        gone = _edited(document, ("blackouts", number))
        yield Loosening(place, f"{blackout.name} is gone", gone, (), (blackout.name, *blackout.tiers))
        for tier in blackout.tiers if len(blackout.tiers) > 1 else ():
            rest = [other for other in blackout.tiers if other != tier]
            fewer = _edited(document, ("blackouts", number, "tiers"), rest)
            yield Loosening(place, f"{blackout.name} does not hold {tier} flags", fewer, (), (blackout.name, tier))


def _of_life(policies: PolicySet) -> Iterator[Loosening]:
    document = _document(policies, "LifecyclePolicy")
    for field, what in (("maxLifetime", "may live"), ("review", "may go without a review for")):
        limits = cast("Spec", document.spec)[field]
        for purpose, text in limits.items():
            days = parse_days(text)
            longer = _edited(document, (field, purpose), f"{days + 1}d")
            yield Loosening(
                f"{field}.{purpose}",
                f"{purpose} flags {what} {days + 1} days instead of {days}",
                longer,
                (),
                (purpose,),
            )
            gone = _edited(document, (field, purpose))
            yield Loosening(f"{field}.{purpose}", f"{purpose} flags {what} any number of days", gone, (), (purpose,))
    transitions = policies.lifecycle.transitions
    for step in LIFECYCLES:
        allowed = {step, *transitions.get(step, ()), *transitions.get("*", ())}
        refused = [other for other in LIFECYCLES if other not in allowed]
        if refused:
            free = _edited(document, ("transitions", step), [other for other in LIFECYCLES if other != step])
            about = (step, refused[0])
            yield Loosening(f"transitions.{step}", f"{step} flags may take any step", free, (), about)


def _of_trust(policies: PolicySet) -> Iterator[Loosening]:
    for document in policies.documents.values():
        if document.kind != "TrustTiers":
            continue
        for name, tier in cast("Spec", document.spec)["tiers"].items():
            refused = [it for it in PROTOCOLS if it not in COMBINATIONS and it not in tier["protocols"]]
            if refused:
                anything = _edited(document, ("tiers", name, "protocols"), list(PROTOCOLS))
                what = f"lets {name} workloads be proven by anything"
                yield Loosening(f"trustTiers.{name}", what, anything, (), (name, refused[0]))
