"""Plans of a small company's changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagseal.model.policy_set import load_policies
from flagseal.policy import Facts, State
from flagseal.policy.state import changed_subjects
from flagseal_validators.plan import Plan, Recording, plan
from tests.policy.builders import NOW
from tests.policy.company import CHECKOUT, Company, Spec, documents, flag

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flagseal_validators.plan.values import FlagEffect


def facts_of(
    company: Company, changes: Mapping[str, Spec | None], *, author: str = "bob", now: datetime = NOW
) -> Facts:
    """Give the facts of a change that nobody has approved."""
    after = State({**company.accepted, **documents(changes)})
    return Facts(
        accepted=company.accepted,
        after=after,
        subjects=changed_subjects(company.accepted, after),
        contributors=tuple(author.split()),
        approvals=(),
        now=now,
    )


def planned(company: Company, changes: Mapping[str, Spec | None], **options: Any) -> Plan:  # noqa: ANN401 (plan's own)
    """Plan changed specs."""
    author, now = options.pop("author", "bob"), options.pop("now", NOW)
    if "contexts" in options:
        recorded = {name: options.pop(name) for name in ("contexts", "group_by", "examples") if name in options}
        options["recording"] = Recording(**recorded)
    facts = facts_of(company, changes, author=author, now=now)
    return plan(facts, load_policies(company.accepted.values()), **options)


def effect(made: Plan, environment: str = "production", number: int = 0) -> FlagEffect:
    """Find what a plan says of a flag in an environment."""
    return next(entry for entry in made.environments if entry.environment == environment).flags[number]


def turned(before: Spec, after: Spec, **options: Any) -> FlagEffect:  # noqa: ANN401
    """Plan the change of one flag's environments, and give the effect in production."""
    company = Company.of({CHECKOUT: flag(environments=before)})
    return effect(planned(company, {CHECKOUT: flag(environments=after)}, **options))
