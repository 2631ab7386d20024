"""Cases that somebody should write, as YAML to be copied: made from the policies, and held against them first."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from flagseal.policy import decide
from flagseal.policy.calendar import effective_from
from flagseal.policy.facts import rfc3339
from flagseal_validators.policy_tests.change import SYNTHETIC, sides_of
from flagseal_validators.policy_tests.given import facts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from flagseal.model.policies import PolicyRow, PolicySet
    from flagseal.policy import State
    from flagseal.policy.decision import Decision, Missing

    Spec = dict[str, Any]

_PLAIN: Final = re.compile(r"[a-z][a-z0-9/-]*|[1-9][0-9]*")
_SENTENCE: Final = re.compile(r"[a-z]+ [a-z0-9 ,.×-]*[a-z0-9]")
"""What no parser takes for anything but text."""

_TYPED: Final = frozenset({"yes", "no", "on", "off", "y", "n", "true", "false", "null"})
_BOTH: Final = ["forge", "keys"]
_MOST_APPROVALS: Final = 40
TICKET: Final = "TEAM-1"


def change_for(place: str, policies: PolicySet, state: State) -> Spec | None:
    """Give a change that a row decides; None if there is no environment where it does.

    Args:
        place: Where the row stands: ``tiers.sensitive.production.widen`` or ``policies.widen``.
        policies: Whose row it is.
        state: All governed documents.
    """
    where = place.split(".")
    if where[0] == "policies":
        return {"class": where[1], "policies": ["ApprovalPolicy" if where[1] == "widen" else "Organisation"]}
    _, tier, side, change_class = where
    production = side == "production"
    names = [name for name, found in sorted(policies.environments.items()) if found.production is production]
    if not names:
        return None
    return {"class": change_class, "tier": tier, "environment": names[0], "owner": _team(policies, state)}


def trusting(workloads: str, protocol: str, policies: PolicySet, state: State) -> Spec:
    """Give a new flag, as a document, that has a class of workloads proven by a protocol.

    Args:
        workloads: The class.
        protocol: What proves them; whoever is of another class is proven by nothing that this is about.
        policies: Whose environments there are.
        state: All governed documents.
    """
    names = sorted(policies.environments, key=lambda name: (policies.environments[name].production, name))
    chosen: Spec = {"rules": [{"name": workloads, "when": {"workload.class": workloads}, "serve": protocol}]}
    spec: Spec = {
        "description": "Made for a case.",
        "purpose": "auth-protocol",
        "owner": _team(policies, state),
        "riskTier": "high-risk",
        "lifecycle": "canary",
        "expires": "2999-12-31",
        "retireWhen": "The case is decided.",
        "variants": {protocol: {"protocol": protocol}, "unknown": {"protocol": "unknown"}},
        "safeVariant": "unknown",
        "environments": {names[0]: {**chosen, "default": "unknown"}} if names else {},
    }
    return {"documents": [{"subject": SYNTHETIC, "set": spec}]}


def _team(policies: PolicySet, state: State) -> str:
    """Name a team that owns flags or, where none does, the one with most members."""
    teams = policies.organisation.teams
    owning = {
        str(document.spec["owner"])
        for document in state.documents.values()
        if document.kind == "FlagDefinition" and isinstance(document.spec, dict)
    }
    return max(sorted(teams), key=lambda team: (team in owning, len(teams[team])), default="team")


def exercising(row: PolicyRow, change: Spec, state: State, policies: PolicySet, now: datetime) -> Spec:
    """Make a case that a row decides, approved by whom it asks for.

    Args:
        row: The row.
        change: As :func:`change_for` gives it.
        state: All governed documents.
        policies: Those among them.
        now: The time; the case's is the next hour at which the change would count at once.

    Raises:
        FlagsealError: No such change can be made of what there is.
    """
    given: Spec = {"change": change, "time": rfc3339(opening(row, change, policies, now))}
    if row.ticket_required:
        change = given["change"] = {**change, "ticket": TICKET}
    if row.evidence == "both":
        given["evidence"] = _BOTH
    elif row.evidence == "forge":
        given["evidence"] = ["forge"]
    given["approvals"] = approvers(given, state, policies, now)
    return {
        "name": f"{row.place} decides this",
        "given": given,
        "expect": expected(decided(given, state, policies, now)),
    }


def opening(row: PolicyRow, change: Spec, policies: PolicySet, now: datetime) -> datetime:
    """Find the next full hour at which a change would count at once; that hour, if there is none within a year."""
    hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    window = policies.calendar.windows.get(row.window) if row.window is not None else None
    tiers = [change["tier"]] if "tier" in change else []
    return effective_from(hour, window, policies.calendar.blackouts, tiers) or hour


def decided(given: Spec, state: State, policies: PolicySet, now: datetime) -> Decision:
    """Decide on what a case gives.

    Raises:
        FlagsealError: No change can be made of it.
    """
    return decide(facts_of(given, sides_of(given["change"], state, policies), now), policies)


def approvers(
    given: Spec,
    state: State,
    policies: PolicySet,
    now: datetime,
    prefer: Callable[[str, Missing], bool] = lambda *_: False,
) -> list[str]:
    """Find people whose approvals suffice, or as many as there are.

    Args:
        given: The rest of the case.
        state: All governed documents.
        policies: Those that are asked.
        now: The time, if the case names none.
        prefer: Whether a person should rather be asked for a place than others.
    """
    chosen: list[str] = []
    sides = sides_of(given["change"], state, policies)
    while len(chosen) < _MOST_APPROVALS:
        missing = decide(facts_of({**given, "approvals": chosen}, sides, now), policies).missing
        found = [(person, entry) for entry in missing for person in entry.candidates if person not in chosen]
        if not found:
            break
        chosen.append(min(found, key=lambda pair: (not prefer(*pair), pair[0]))[0])
    return sorted(chosen)


def expected(decision: Decision) -> Spec:
    """Write what a decision says as what a case expects."""
    found: Spec = {"verdict": decision.verdict}
    missing = sorted({entry.role for entry in decision.missing})
    if missing:
        found["missing"] = missing
    failed = {check.id: None for check in decision.failed}
    rules = [name for name in failed if name != "approvals"]
    if not missing and rules:
        found["rules"] = rules
    return found


def case_text(case: Spec) -> str:
    """Write a case as an entry of ``spec.cases``."""
    given = case["given"]
    name = case["name"]
    lines = [f"- name: {name if _SENTENCE.fullmatch(name) else json.dumps(name, ensure_ascii=False)}", "  given:"]
    order = ("change", "author", "approvals", "mergers", "evidence", "time")
    lines += [f"    {name}: {flow(given[name])}" for name in order if name in given]
    lines.append(f"  expect: {flow(case['expect'])}")
    return "\n".join(lines) + "\n"


def flow(value: object) -> str:
    """Write a value as YAML on one line; texts that any parser could take for something else are quoted."""
    match value:
        case dict():
            return "{" + ", ".join(f"{name}: {flow(each)}" for name, each in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(flow, _items(value))) + "]"
        case str() if _PLAIN.fullmatch(value) and value not in _TYPED and not value.isdigit():
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)


def _items(value: Iterable[object]) -> list[object]:
    return list(value)
