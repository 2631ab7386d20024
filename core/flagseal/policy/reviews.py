"""Who may not approve a review: whoever asked for what it reviews (docs/adr/0160).

The review says who that was, and whoever reports it as reviewed holds that against the proof. So nothing but the
change itself is needed here, and a review that names somebody else reviews nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.document import REVIEW_KINDS
from flagseal.model.review import parse_review
from flagseal.policy.decision import Check

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagseal.model.policies import PolicySet
    from flagseal.model.review import IncidentReview
    from flagseal.policy.judgement import Change
    from flagseal.policy.state import State


def is_review(subject: str) -> bool:
    """Tell whether a subject is a review."""
    return subject.partition("/")[0] in REVIEW_KINDS


def reviews_of(subject: str, *states: State) -> tuple[IncidentReview, ...]:
    """Give a review as each of some states has it; none where it is not there, or removed."""
    found = (state.live(subject) for state in states)
    return tuple(parse_review(document) for document in found if document is not None)


def requesters(subjects: Iterable[str], *states: State) -> frozenset[str]:
    """Name everybody who asked for something that is reviewed, before or after a change."""
    reviews = (review for subject in subjects if is_review(subject) for review in reviews_of(subject, *states))
    return frozenset(emergency.requested_by for review in reviews for emergency in review.emergencies)


def concerned(subject: str, *states: State) -> frozenset[str]:
    """Name the environments that a review speaks of."""
    return frozenset(review.environment for review in reviews_of(subject, *states))


def reviewed_flags(subject: str, *states: State) -> frozenset[str]:
    """Name the flags (``namespace/name``) that a review is about: of a freeze all that it could hold."""
    return frozenset(
        reference
        for review in reviews_of(subject, *states)
        for emergency in review.emergencies
        for state in states
        for reference in ([emergency.flag] if emergency.flag is not None else state.catalogue.flags)
        if emergency.flag is not None
        or emergency.namespaces is None
        or reference.partition("/")[0] in emergency.namespaces
    )


def owners_of_reviewed(subject: str, accepted: State, after: State) -> set[tuple[str, ...]]:
    """Say who answers for what a review is about: one entry each, of whose teams any will do.

    The owner of a flag; of one that is gone, and of what a freeze held, anybody who owns a flag of that namespace.
    """
    found: set[tuple[str, ...]] = set()
    for review in reviews_of(subject, accepted, after):
        for emergency in review.emergencies:
            flag = emergency.flag
            owners: set[tuple[str, ...]] = {
                (it.owner,) for state in (accepted, after) if flag and (it := state.definition(flag)) is not None
            }
            if not owners:
                named = {flag.partition("/")[0]} if flag else emergency.namespaces or ()
                owners = {_any_owner(accepted, namespace) for namespace in named} - {()}
            found |= owners or {_any_owner(accepted, None)}
    # Who stands for one of fewer teams stands for one of more as well.
    return {it for it in found if not any(set(other) < set(it) for other in found)}


def _any_owner(state: State, namespace: str | None) -> tuple[str, ...]:
    flags, prefix = state.catalogue.flags, "" if namespace is None else f"{namespace}/"
    return tuple(sorted({flags[reference].owner for reference in flags if reference.startswith(prefix)}))


def review_checks(change: Change, policies: PolicySet) -> Iterator[Check]:
    """Judge what holds for reviews only; nothing is said where none changes."""
    subjects = [subject for subject in change.subjects if is_review(subject)]
    if not subjects:
        return
    yield Check(
        "review-apart",
        None,
        passed=not change.policies,
        reason="the same statement changes policies, by which it is known who asked for what is reviewed"
        if change.policies
        else "no policies change with the review",
        remedy="Approve the review and the policies in two statements." if change.policies else "",
    )
    people = policies.organisation.people
    unknown = sorted(person for person in requesters(subjects, change.after) if person not in people)
    yield Check(
        "requester",
        None,
        passed=not unknown,
        reason=f"nobody in the organisation is called {', '.join(unknown)}, so nobody is known not to have asked for it"
        if unknown
        else "everybody is known who asked for what is reviewed, and is not counted",
        remedy="Write the person that `flagseal incidents list` names." if unknown else "",
    )
