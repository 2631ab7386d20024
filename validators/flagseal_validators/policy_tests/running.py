"""Run cases, and find the rows that none exercises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flagseal.model.errors import FlagsealError
from flagseal.model.instants import parse_instant
from flagseal.model.policy_set import load_policies
from flagseal.policy import State, decide
from flagseal.policy.facts import rfc3339
from flagseal.policy.severity import strictest
from flagseal_validators.declared import Declared
from flagseal_validators.policy_tests.change import sides_of
from flagseal_validators.policy_tests.given import facts_of
from flagseal_validators.policy_tests.suggesting import case_text, change_for, exercising, flow
from flagseal_validators.policy_tests.values import CaseResult, RowUse, TestReport
from flagseal_validators.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from flagseal.model.document import Document
    from flagseal.model.policies import ChangeClass, PolicySet
    from flagseal.policy import Facts
    from flagseal.policy.decision import Decision
    from flagseal_validators.policy_tests.change import Sides


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
    cases = tuple(run_case(case, place, state, policies, now) for case, place in cases_of(tests))
    return TestReport(cases, tuple(_rows(policies, state, cases, now)))


def cases_of(tests: Iterable[Document]) -> Iterator[tuple[dict[str, Any], str]]:
    """Give every case of some policy tests, with its place."""
    for test in tests:
        for number, case in enumerate(cast("dict[str, Any]", test.spec)["cases"]):
            yield case, _place(test, number)


def _place(test: Document, number: int) -> str:
    if test.source is None:
        return f"{test.subject}, case {number + 1}"
    position = test.source.at(f"$.spec.cases[{number}]")
    return f"{test.source.file}:{position.line}"


def run_case(case: dict[str, Any], place: str, state: State, policies: PolicySet, now: datetime) -> CaseResult:
    """Run one case.

    Args:
        case: Valid by the schema.
        place: Where it stands.
        state: All governed documents.
        policies: Those among them.
        now: The time, if the case names none.
    """
    given, expected = case["given"], case["expect"]
    try:
        sides = sides_of(given["change"], state, policies)
    except FlagsealError as error:
        told = f"{error.message} {error.remedy}".strip()
        return CaseResult(case["name"], place, (f"the case cannot be made: {told}",), None, ())
    facts = facts_of(given, sides, now)
    decision = decide(facts, policies)
    failures = (
        *_unlike(given["change"], decision),
        *_unexpected(expected, decision),
        *_unfound(expected.get("findings", ()), sides, facts, policies),
    )
    return CaseResult(case["name"], place, failures, decision, _rows_of(decision, policies))


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


def _unfound(expected: Iterable[str], sides: Sides, facts: Facts, policies: PolicySet) -> Iterator[str]:
    """Hold the rules of the gate that a case names against what it changes."""
    changed = [sides.after[subject] for subject in facts.subjects]
    declared = Declared(
        tuple(sides.after.values()), policies, facts.clock.date(), before=dict(sides.before.documents)
    ).about(document for document in changed if not document.is_tombstone)
    for name in expected:
        check = RULES[name].check if name in RULES else None
        if check is None:
            yield f"expected {name} to be found, and there is no such rule"
        elif not any(check(declared)):
            yield f"expected {name} to be found, and it is not"


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


def _rows(policies: PolicySet, state: State, cases: Iterable[CaseResult], now: datetime) -> Iterator[RowUse]:
    verdicts = [(place, case.decision.verdict) for case in cases if case.decision is not None for place in case.rows]
    for row in (*policies.approval.tiers.values(), *policies.approval.policies.values()):
        allowed = sum(1 for it, verdict in verdicts if it == row.place and verdict == "allow")
        denied = sum(1 for it, verdict in verdicts if it == row.place and verdict == "deny")
        if allowed + denied:
            yield RowUse(row.place, allowed, denied, "", "")
            continue
        change = change_for(row.place, policies, state)
        if change is None:
            yield RowUse(row.place, 0, 0, "No environment is of that side: drop the row.", "")
            continue
        try:
            case = exercising(row, change, state, policies, now)
        except FlagsealError as error:
            yield RowUse(row.place, 0, 0, f"Add a case with `change: {flow(change)}`; as it is: {error.message}.", "")
        else:
            yield RowUse(row.place, 0, 0, "Add a case that it decides, for instance:", case_text(case))
