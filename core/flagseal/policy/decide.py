"""Decide on a change: every rule over the facts, by the policies in force before it.

The order of work::

    facts ─► Change ─judge─► Judgement per environment ─row─► Case ─rules─► Check …  ┐
                                                          └─approval_checks─► Check … ├─► Decision
    policy documents ─classify_policies─► row ─approval_checks─► Check …             ┘

No rule stops another, so the record says everything that is wrong at once. Nothing but facts and policies goes in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.document import split_subject
from flagseal.model.errors import InvalidPolicies
from flagseal.model.policy_set import load_policies
from flagseal.model.uniqueness import flag_key
from flagseal.policy.approvals import Asked, approval_checks
from flagseal.policy.decision import Check, Decision, EnvironmentDecision, Missing
from flagseal.policy.facts import rfc3339
from flagseal.policy.judgement import Change, Judgement, judge
from flagseal.policy.policy_change import classify_policies
from flagseal.policy.reviews import requesters, review_checks
from flagseal.policy.rules import Case, environment_checks, opening, rows_for
from flagseal.policy.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.policies import ChangeClass, PolicySet
    from flagseal.policy.facts import Facts

__all__ = ["decide"]


def decide(facts: Facts, policies: PolicySet) -> Decision:
    """Decide whether a change is accepted, and from when it is in effect in each environment.

    Pure: the same facts and policies give the same decision, to the byte.

    Args:
        facts: What is changed, by whom, approved by whom, when.
        policies: Those in force before the change.
    """
    change = Change(facts, State.of(facts.accepted), State.of(facts.after), tuple(sorted(policies.environments)))
    subjects, sound = _subjects(change)
    if not sound:
        # The rest would reason about documents that are not there, or not what they are called.
        return Decision(policies.digest, facts.digest, (subjects,), {}, None, "deny", ())
    cases = {name: _case(change, judgement, policies) for name, judgement in judge(change).items()}
    policy_class, policy_why = _policy_class(change)
    whole = (
        subjects,
        _policies_in_force(change, policies),
        _compiles(change),
        _unique(change),
        _environments(change, policies),
        *_after_policies(change),
        *_policy_may_not_wait(change, cases),
        *review_checks(change, policies),
    )
    by_environment: dict[str, tuple[Check, ...]] = {}
    left: list[Missing] = []
    for name, case in cases.items():
        approvals, missing = _approvals(case, facts, policies)
        checks = environment_checks(case)
        by_environment[name] = (checks[0], *approvals, *checks[1:])
        left += missing
    for_policies, missing = _policy_approvals(policy_class, facts, policies)
    left += missing
    everything = (*whole, *for_policies, *(check for checks in by_environment.values() for check in checks))
    return Decision(
        policy=policies.digest,
        facts=facts.digest,
        checks=everything,
        environments={name: _environment(case, (*whole, *by_environment[name])) for name, case in cases.items()},
        policy_class=policy_class,
        verdict="allow" if all(check.passed for check in everything) else "deny",
        missing=tuple(left),
        policy_why=policy_why,
    )


def _case(change: Change, judgement: Judgement, policies: PolicySet) -> Case:
    exact, widen = rows_for(judgement, policies)
    row = exact or widen
    return Case(change, judgement, policies, row, widen, opening(change, judgement, row, policies))


def _approvals(case: Case, facts: Facts, policies: PolicySet) -> tuple[tuple[Check, ...], tuple[Missing, ...]]:
    if case.row is None:
        return (), ()
    change = case.change
    asked = Asked(case.row, case.judgement.owners, (case.environment,), case.environment)
    apart = requesters(change.subjects, change.accepted, change.after)
    return approval_checks(asked, facts, policies.organisation, apart)


def _environment(case: Case, checks: tuple[Check, ...]) -> EnvironmentDecision:
    judgement = case.judgement
    return EnvironmentDecision(
        environment=case.environment,
        change_class=judgement.change_class,
        tier=judgement.tier,
        verdict="allow" if all(check.passed for check in checks) else "deny",
        effective_from=case.effective_from,
        why=judgement.why,
        toward_safe_now=judgement.toward_safe_now,
        flags=judgement.flags,
        owners=tuple(sorted({team for teams in judgement.owners for team in teams})),
    )


# The change as a whole


def _subjects(change: Change) -> tuple[Check, bool]:
    """Hold what the statement names against what differs: nothing withheld, nothing slipped in, nothing forgotten.

    Returns:
        The check, and whether every document that differs is there and is what it is called.
    """
    facts = change.facts
    absent = [subject for subject in change.subjects if subject not in facts.after]
    misnamed = [
        subject
        for subject in change.subjects
        if subject in facts.after and (facts.after[subject].subject != subject or not _well_formed(subject))
    ]
    problems = [f"{subject} is gone without a tombstone" for subject in absent]
    problems += [f"{subject} holds {facts.after[subject].subject}" for subject in misnamed]
    problems += [f"{it} changes and is not named" for it in change.subjects if it not in set(facts.subjects)]
    problems += [f"{it} is named and does not change" for it in sorted(set(facts.subjects) - set(change.subjects))]
    if not change.subjects:
        problems.append("no governed document changes, so there is nothing to approve")
    check = Check(
        "subjects",
        None,
        passed=not problems,
        reason="; ".join(problems) or f"{len(change.subjects)} documents change, and each is named",
        remedy="Make the statement from the repository again." if problems else "",
    )
    return check, not absent and not misnamed


def _well_formed(subject: str) -> bool:
    try:
        split_subject(subject)
    except ValueError:
        return False
    return True


def _policies_in_force(change: Change, policies: PolicySet) -> Check:
    """Refuse to decide by policies that are not the head's: a change is judged by those in force before it."""
    head = {subject: document.digest for subject, document in change.accepted.policies.items()}
    same = head == {subject: document.digest for subject, document in policies.documents.items()}
    return Check(
        "policies-in-force",
        None,
        passed=same,
        reason="decided by the policies in force before the change" if same else "these are not the head's policies",
        remedy="" if same else "Decide by the policies among the accepted documents.",
    )


def _compiles(change: Change) -> Check:
    problems = [f"{error.message}" for error in change.broken.values()]
    problems += _dangling_grants(change)
    return Check(
        "compiles",
        None,
        passed=not problems,
        reason="; ".join(problems) or "every flag that the change reaches has a meaning",
        remedy=next((error.remedy for error in change.broken.values() if error.remedy), "Correct each place named.")
        if problems
        else "",
    )


def _dangling_grants(change: Change) -> list[str]:
    """Find grants of flags that do not exist: of a binding that changed, or of a flag that was removed."""
    catalogue = change.after.catalogue
    bindings = [subject.partition("/")[2] for subject in change.contents if subject.startswith("EntitlementBinding/")]
    problems = [
        f"binding {reference} grants {grant.flag}, which does not exist"
        for reference in bindings
        if reference in catalogue.bindings
        for grant in catalogue.bindings[reference].grants
        if grant.flag not in catalogue.flags
    ]
    removed = [
        subject.partition("/")[2]
        for subject in change.contents
        if subject.startswith("FlagDefinition/") and change.after.live(subject) is None
    ]
    problems += [
        f"binding {binding} grants {flag}, which is removed"
        for flag in removed
        for binding, _ in catalogue.grants(flag)
        if binding not in bindings
    ]
    return list(dict.fromkeys(problems))


def _unique(change: Change) -> Check:
    """Refuse a second flag of one name or key: an application could not tell a cheap one from the one it means."""
    claims = [
        document
        for subject in change.contents
        if subject.startswith("FlagDefinition/") and (document := change.after.live(subject)) is not None
    ]
    fresh = [document for document in claims if _claims_anew(change, document.subject)]
    names = {document.name: document for document in fresh}
    keys = {flag_key(document): document for document in fresh}
    problems: list[str] = []
    if fresh:
        for other in change.after.documents.values():
            if other.kind != "FlagDefinition" or other.is_tombstone:
                continue
            same_name, same_key = names.get(other.name), keys.get(flag_key(other))
            if same_name is not None and same_name.subject != other.subject:
                problems.append(f"{same_name.subject} and {other.subject} have one name")
            if same_key is not None and same_key.subject != other.subject:
                problems.append(f"{same_key.subject} and {other.subject} have one key")
    return Check(
        "unique",
        None,
        passed=not problems,
        reason="; ".join(sorted(problems)) or "names and keys are unique",
        remedy="Choose another name or key: both are unique in the whole repository." if problems else "",
    )


def _claims_anew(change: Change, subject: str) -> bool:
    before, after = change.accepted.live(subject), change.after.live(subject)
    return before is None or after is None or flag_key(before) != flag_key(after)


def _environments(change: Change, policies: PolicySet) -> Check:
    """Refuse a section for an environment that the policies do not list: no row could be meant for it."""
    unknown = sorted(
        {
            f"{reference}: {name}"
            for subject in change.contents
            if subject.startswith("FlagDefinition/")
            for reference in [subject.partition("/")[2]]
            for definition in [change.after.definition(reference)]
            if definition is not None
            for name in definition.environments
            if name not in policies.environments
        }
    )
    return Check(
        "environments",
        None,
        passed=not unknown,
        reason=f"no such environment: {', '.join(unknown)}" if unknown else "every environment is listed in policy",
        remedy="Add it to policies/environments.yaml first, in a change of its own." if unknown else "",
    )


# Policies


def _policy_class(change: Change) -> tuple[ChangeClass | None, tuple[str, ...]]:
    if not change.policies:
        return None, ()
    return classify_policies([(change.accepted.get(subject), change.after.get(subject)) for subject in change.policies])


def _after_policies(change: Change) -> Iterator[Check]:
    """Refuse policies that contradict each other: nobody could decide anything after them."""
    if not change.policies:
        return
    try:
        load_policies(change.after.policies.values())
    except InvalidPolicies as error:
        yield Check("policies-valid", None, passed=False, reason=error.message, remedy=error.remedy)
    else:
        yield Check("policies-valid", None, passed=True, reason="the policies agree with each other")


def _policy_may_not_wait(change: Change, cases: dict[str, Case]) -> Iterator[Check]:
    """Refuse policies together with something that waits: policies are in force when they are accepted."""
    if not change.policies:
        return
    clock = change.facts.clock
    waiting = [
        f"{name} until {rfc3339(case.effective_from)}" if case.effective_from else f"{name} for ever"
        for name, case in cases.items()
        if case.effective_from is None or case.effective_from > clock
    ]
    yield Check(
        "policy-may-not-wait",
        None,
        passed=not waiting,
        reason=f"policies are in force at once, and the rest waits: {', '.join(waiting)}"
        if waiting
        else "nothing waits",
        remedy="Change policies and flags in two statements." if waiting else "",
    )


def _policy_approvals(
    found: ChangeClass | None, facts: Facts, policies: PolicySet
) -> tuple[tuple[Check, ...], tuple[Missing, ...]]:
    if found is None:
        return (), ()
    rows = policies.approval.policies
    row = rows.get(found) or rows.get("widen")
    if row is None:
        denied = Check(
            "default-deny",
            None,
            passed=False,
            reason=f"no row covers a change of policies of class {found}",
            remedy="None can be added under these policies: move the genesis forward (trust.json).",
        )
        return (denied,), ()
    covered = Check("default-deny", None, passed=True, reason=f"policies, {found}: {row.place}")
    # Policies count as every environment, so a role that is limited must at least reach all production.
    production = tuple(sorted(name for name, found in policies.environments.items() if found.production))
    checks, missing = approval_checks(Asked(row, (), production, None), facts, policies.organisation)
    return (covered, *checks), missing
