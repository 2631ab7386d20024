"""Whose approvals count: reviews in force at the merge, by people who had no hand in the change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flagseal_validators.forge.facts import ANYBODYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from flagseal.model.policies import Organisation
    from flagseal_validators.forge.facts import Account, Facts, Review, Signed

FORGES_OWN: Final = {"github": 19864447}
"""Number of the account under which a forge itself commits (``web-flow`` at GitHub)."""
_DECISIVE: Final = ("approved", "changes-requested", "dismissed")


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's approval in force when the request was merged."""

    person: str
    account: Account
    at: datetime
    reviewed: str


@dataclass(frozen=True, slots=True)
class Hands:
    """Who had a hand in a request.

    Attributes:
        people: Their ids, sorted.
        unknown: Everyone who is nobody in the organisation, each in words.
    """

    people: tuple[str, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """What the reviews come to.

    Attributes:
        approvals: Those that count, by person, each once.
        passed_over: Why each other approval does not, in words.
    """

    approvals: tuple[Approval, ...]
    passed_over: tuple[str, ...]


def accounts_of(organisation: Organisation) -> dict[int, str]:
    """Map the numbers of accounts to people; names of accounts change hands, numbers do not."""
    return {person.github_id: name for name, person in organisation.people.items() if person.github_id is not None}


def hands(facts: Facts, people: Mapping[int, str]) -> Hands:
    """Name everybody who wrote, committed, pushed or opened a request.

    Args:
        facts: The request's.
        people: Account numbers to people.
    """
    found: set[str] = set()
    unknown: list[str] = []

    def add(account: Account | None, what: str) -> None:
        if account is None:
            unknown.append(f"{what} is nobody known")
        elif account.id == ANYBODYS.get(facts.forge):
            unknown.append(f"{what} is {account.login} ({account.id}), as whom everybody's workflows write")
        elif account.id in people:
            found.add(people[account.id])
        else:
            unknown.append(f"{what} is {account.login} ({account.id})")

    add(facts.request.author, "who opened the request")
    for commit in facts.commits:
        for author in commit.authors:
            add(author.account, f"an author of {commit.id[:12]} ({author.email})")
        if not (commit.by_forge and _is_forge(commit.committer, facts.forge)):
            add(commit.committer.account, f"the committer of {commit.id[:12]} ({commit.committer.email})")
    for push in facts.pushes:
        # Moving the branch after the merge, or deleting it, is no part of what was merged.
        if push.kind != "deletion" and push.at <= facts.request.merged_at:
            add(push.account, f"who moved {facts.request.head_branch} to {push.after[:12]}")
    return Hands(tuple(sorted(found)), tuple(dict.fromkeys(unknown)))


def given(facts: Facts, people: Mapping[int, str], excluded: Iterable[str]) -> Given:
    """Find the approvals that were in force at the merge, and count.

    Args:
        facts: The request's.
        people: Account numbers to people.
        excluded: Who had a hand in it.
    """
    approvals: dict[str, Approval] = {}
    passed_over: list[str] = []
    others = frozenset(excluded)
    for review in _in_force(facts):
        why = _why_not(review, facts, people, others)
        account, at = review.account, review.submitted_at
        if why or account is None or at is None or review.commit is None:
            passed_over.append(f"{'somebody' if account is None else account.login}: {why}")
            continue
        approval = Approval(people[account.id], account, at, review.commit)
        known = approvals.get(approval.person)
        # Two accounts of one person are one approval: the first.
        approvals[approval.person] = approval if known is None else min(known, approval, key=lambda it: it.at)
    return Given(tuple(approvals[name] for name in sorted(approvals)), tuple(passed_over))


def _in_force(facts: Facts) -> list[Review]:
    """Give, for each account, the latest review before the merge that decides anything, if it is an approval.

    What is dismissed counts as dismissed, whenever that was, and what it replaced does not come back.
    """
    latest: dict[object, Review] = {}
    for review in facts.reviews:
        if review.state not in _DECISIVE or review.submitted_at is None:
            continue
        key: object = review.account.id if review.account is not None else ("gone", review.id)
        known = latest.get(key)
        late = review.submitted_at >= facts.request.merged_at
        if not late and (known is None or _order(known) <= _order(review)):
            latest[key] = review
    return [review for review in latest.values() if review.state == "approved"]


def _order(review: Review) -> tuple[float, int]:
    return (review.submitted_at.timestamp() if review.submitted_at else 0.0, review.id)


def _why_not(review: Review, facts: Facts, people: Mapping[int, str], excluded: frozenset[str]) -> str:
    account = review.account
    if account is None:
        return "the account is gone"
    if not account.human:
        return "no person's account"
    person = people.get(account.id)
    if person is None:
        return f"account {account.id} is nobody's in policies/organisation.yaml"
    if person in excluded:
        return f"{person} had a hand in the change"
    if review.commit != facts.request.head:
        seen = "a commit that is lost" if review.commit is None else review.commit[:12]
        return f"{person} reviewed {seen}, and {facts.request.head[:12]} was merged"
    return ""


def _is_forge(signed: Signed, forge: str) -> bool:
    return signed.account is not None and signed.account.id == FORGES_OWN.get(forge)
