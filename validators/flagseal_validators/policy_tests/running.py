"""Run cases, and find the rows that none exercises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from flagseal.model.errors import FlagsealError
from flagseal.model.instants import parse_instant
from flagseal.model.policy_set import load_policies
from flagseal.policy import Approval, Facts, State, decide
from flagseal.policy.facts import rfc3339
from flagseal.policy.severity import strictest
from flagseal.policy.state import changed_subjects
from flagseal_validators.policy_tests.change import sides_of
from flagseal_validators.policy_tests.values import CaseResult, RowUse, TestReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from flagseal.model.document import Document
    from flagseal.model.policies import ChangeClass, PolicySet
    from flagseal.policy.decision import Decision
    from flagseal_validators.policy_tests.change import Sides

SOMEBODY: Final = "somebody-else"
"""Who wrote a change whose case names no author: nobody who could approve it."""


def run_policy_tests(documents: Iterable[Document], *, now: datetime) -> TestReport:
    """Run every case of the policy tests among some documents against the policies among them.

    Args:
        documents: All documents of a repository.
        now: The time of cases that name none.

    Raises:
        InvalidPolicies: The policies contradict each other.
    """
    found = list(documents)
    tests = [document for document in found if document.kind == "PolicyTest"]
    state = State({document.subject: document for document in found if document.kind != "PolicyTest"})
    policies = load_policies(state.documents.values())
    cases = tuple(
        _run(case, _place(test, number), state, policies, now)
        for test in tests
        for number, case in enumerate(cast("dict[str, Any]", test.spec)["cases"])
    )
    return TestReport(cases, tuple(_rows(policies, cases)))


def _place(test: Document, number: int) -> str:
    if test.source is None:
        return f"{test.subject}, case {number + 1}"
    position = test.source.at(f"$.spec.cases[{number}]")
    return f"{test.source.file}:{position.line}"


def _run(case: dict[str, Any], place: str, state: State, policies: PolicySet, now: datetime) -> CaseResult:
    given, expected = case["given"], case["expect"]
    try:
        sides = sides_of(given["change"], state, policies)
    except FlagsealError as error:
        told = f"{error.message} {error.remedy}".strip()
        return CaseResult(case["name"], place, (f"the case cannot be made: {told}",), None, ())
    # Policies of the side before: what a case changes is judged by what was in force.
    decision = decide(_facts(given, sides, now), load_policies(sides.before.policies.values()))
    failures = (*_unlike(given["change"], decision), *_unexpected(expected, decision))
    return CaseResult(case["name"], place, failures, decision, _rows_of(decision, policies))


def _facts(given: dict[str, Any], sides: Sides, now: datetime) -> Facts:
    common = given.get("evidence", ["keys"])
    written = [given.get("author"), *given.get("contributors", ())]
    authors = [person for person in written if person is not None]
    return Facts(
        accepted=sides.before,
        after=sides.after,
        subjects=changed_subjects(sides.before, sides.after),
        contributors=tuple(authors or [SOMEBODY]),
        approvals=tuple(_approval(entry, common) for entry in given.get("approvals", ())),
        now=parse_instant(given["time"]) if "time" in given else now,
        ticket=given["change"].get("ticket"),
    )


def _approval(entry: str | dict[str, Any], common: list[str]) -> Approval:
    named = {"person": entry} if isinstance(entry, str) else entry
    evidence = cast("Any", frozenset(named.get("evidence", common)))
    at = parse_instant(named["at"]) if "at" in named else None
    return Approval(cast("str", named["person"]), evidence, at)


# What came out


def _unlike(change: Mapping[str, Any], decision: Decision) -> Iterator[str]:
    """Hold the change that was made against the class and tier that the case names."""
    if "class" not in change:
        return
    classes = _classes(decision)
    if classes != {change["class"]}:
        yield f"the change made for it is of class {' and '.join(sorted(classes)) or 'none'}, not {change['class']}"
    tiers = {entry.tier for entry in decision.environments.values()}
    if "tier" in change and tiers != {change["tier"]}:
        yield f"the change made for it is of tier {' and '.join(sorted(tiers))}, not {change['tier']}"


def _classes(decision: Decision) -> set[ChangeClass]:
    found = {entry.change_class for entry in decision.environments.values()}
    return found if decision.policy_class is None else found | {decision.policy_class}


def _unexpected(expected: Mapping[str, Any], decision: Decision) -> Iterator[str]:
    if decision.verdict != expected["verdict"]:
        reasons = [f"{check.id}: {check.reason}" for check in decision.failed]
        yield f"expected {expected['verdict']}, decided {decision.verdict}" + (
            f" ({'; '.join(reasons)})" if reasons else ""
        )
    missing = sorted({entry.role for entry in decision.missing})
    if "missing" in expected and missing != sorted(set(expected["missing"])):
        wanted = ", ".join(sorted(set(expected["missing"]))) or "nobody"
        yield f"expected {wanted} to be missing, and {', '.join(missing) or 'nobody'} is"
    failed = {check.id for check in decision.failed}
    known = {check.id for check in decision.checks}
    for rule in expected.get("rules", ()):
        if rule not in known:
            yield f"expected {rule} to refuse it, and there is no such rule here; there are {', '.join(sorted(known))}"
        elif rule not in failed:
            yield f"expected {rule} to refuse it, and it does not"
    if "class" in expected and (classes := _classes(decision)):
        strict = strictest(classes)
        if strict != expected["class"]:
            yield f"expected the class {expected['class']}, and it is {strict}"
    if "effectiveFrom" in expected:
        yield from _late(parse_instant(expected["effectiveFrom"]), decision)


def _late(expected: datetime, decision: Decision) -> Iterator[str]:
    instants = [entry.effective_from for entry in decision.environments.values()]
    known = [instant for instant in instants if instant is not None]
    if len(known) < len(instants) or not known:
        yield f"expected it to be in effect from {rfc3339(expected)}, and it never is"
    elif max(known) != expected:
        yield f"expected it to be in effect from {rfc3339(expected)}, and it is from {rfc3339(max(known))}"


# Rows


def _rows_of(decision: Decision, policies: PolicySet) -> tuple[str, ...]:
    """Name the rows that a change of these classes and tiers goes by."""
    found = []
    for name, entry in sorted(decision.environments.items()):
        environment = policies.environments.get(name)
        side = "production" if environment is None or environment.production else "nonProduction"
        tiers = policies.approval.tiers
        found.append(tiers.get((entry.tier, side, entry.change_class)) or tiers.get((entry.tier, side, "widen")))
    if decision.policy_class is not None:
        rows = policies.approval.policies
        found.append(rows.get(decision.policy_class) or rows.get("widen"))
    return tuple(row.place for row in found if row is not None)


def _rows(policies: PolicySet, cases: Iterable[CaseResult]) -> Iterator[RowUse]:
    verdicts = [(place, case.decision.verdict) for case in cases if case.decision is not None for place in case.rows]
    named = {row.place: _change_for(key, policies) for key, row in policies.approval.tiers.items()}
    kinds = {"widen": "ApprovalPolicy"}
    named |= {
        row.place: f"{{class: {name}, policies: [{kinds.get(name, 'Organisation')}]}}"
        for name, row in policies.approval.policies.items()
    }
    for place, change in named.items():
        allowed = sum(1 for it, verdict in verdicts if it == place and verdict == "allow")
        denied = sum(1 for it, verdict in verdicts if it == place and verdict == "deny")
        remedy = f"Add a case with `change: {change}`." if change else "No environment is of that side: drop the row."
        yield RowUse(place, allowed, denied, remedy)


def _change_for(key: tuple[str, str, str], policies: PolicySet) -> str:
    tier, side, change_class = key
    production = side == "production"
    name = next((name for name, found in sorted(policies.environments.items()) if found.production is production), None)
    if name is None:
        return ""
    team = next(iter(sorted(policies.organisation.teams)), "TEAM")
    return f"{{class: {change_class}, tier: {tier}, environment: {name}, owner: {team}}}"
