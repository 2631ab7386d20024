"""What flags a repository should not have any more, by owner and age; one number for all of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from flagseal_validators.retirement.stepping import RETIRED, day_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from flagseal.model.canonical import Json
    from flagseal.model.policies import LifecyclePolicy
    from flagseal_validators.retirement.stepping import Subject

Why = Literal["expired", "no-expiry", "review-overdue", "constant", "retired", "expires-soon"]
DEBTS: Final[tuple[Why, ...]] = ("expired", "no-expiry", "review-overdue", "constant", "retired")
"""What makes a flag count. ``expires-soon`` is told and does not count."""
LONG: Final = 30
"""Days without a change after which a flag that serves everybody the same is debt."""
_AGES: Final = ((90, "under 90 days"), (180, "90 to 179 days"), (365, "180 to 364 days"))
OLDEST: Final = "a year and more"
UNKNOWN_AGE: Final = "not committed"
AGES: Final = (UNKNOWN_AGE, *(name for _, name in _AGES), OLDEST)


@dataclass(frozen=True, slots=True)
class Debt:
    """One flag of the report.

    Attributes:
        flag: ``namespace/name``.
        age: Days since its file came; None where it is in no commit.
        unchanged: Days since its file last changed.
        day: Its last day, or of an entitlement the day of its next review.
        left: Days until then; negative afterwards.
        references: How many places in code ask for it; None if no tree was searched.
        why: Everything there is to say, as in :data:`Why`.
    """

    flag: str
    owner: str
    purpose: str
    tier: str
    lifecycle: str
    age: int | None
    unchanged: int | None
    day: date | None
    left: int | None
    references: int | None
    why: tuple[Why, ...]

    @property
    def counts(self) -> bool:
        """Whether it is debt."""
        return any(reason in DEBTS for reason in self.why)

    @property
    def bracket(self) -> str:
        """Which of :data:`AGES` it is of."""
        if self.age is None:
            return UNKNOWN_AGE
        return next((name for days, name in _AGES if self.age < days), OLDEST)

    def to_json(self) -> dict[str, Json]:
        """Give the published form."""
        return {
            "flag": self.flag, "owner": self.owner, "purpose": self.purpose, "riskTier": self.tier,
            "lifecycle": self.lifecycle, "ageDays": self.age, "unchangedDays": self.unchanged,
            "date": self.day.isoformat() if self.day else None, "daysLeft": self.left, "references": self.references,
            "why": [*self.why], "debt": self.counts,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Report:
    """The debt of a repository on a day.

    Attributes:
        flags: How many there are in all.
        entries: Those that there is something to say of, the oldest date first.
    """

    today: date
    flags: int
    entries: tuple[Debt, ...]

    @property
    def total(self) -> int:
        """The one number: flags that should not be there any more, or not as they are."""
        return sum(entry.counts for entry in self.entries)

    @property
    def reasons(self) -> dict[Why, int]:
        """How many flags each reason counts for; one flag may have several."""
        counted = Counter(reason for entry in self.entries for reason in entry.why)
        return {reason: counted[reason] for reason in (*DEBTS, "expires-soon") if counted[reason]}

    @property
    def owners(self) -> tuple[tuple[str, dict[str, int]], ...]:
        """For each owner how many flags of each age are debt; whoever owes most first."""
        found: dict[str, Counter[str]] = {}
        for entry in self.entries:
            if entry.counts:
                found.setdefault(entry.owner, Counter())[entry.bracket] += 1
        ranked = sorted(found.items(), key=lambda row: (-row[1].total(), row[0]))
        return tuple((owner, {age: counted[age] for age in AGES if counted[age]}) for owner, counted in ranked)

    def to_json(self) -> dict[str, Json]:
        """Give the published form (``validators/schemas/output/debt.json``)."""
        owners: list[Json] = [
            {"owner": owner, "total": sum(ages.values()), "ages": dict(ages)} for owner, ages in self.owners
        ]
        return {
            "today": self.today.isoformat(), "flags": self.flags, "total": self.total,
            "reasons": dict(self.reasons.items()), "owners": owners,
            "entries": [entry.to_json() for entry in self.entries],
        }  # fmt: skip


def report(subjects: Iterable[Subject], today: date, policy: LifecyclePolicy) -> Report:
    """Say which flags are debt.

    Args:
        subjects: Every flag.
        today: UTC.
        policy: Says what is soon.
    """
    every = [_debt(subject, today, policy) for subject in subjects]
    told = [entry for entry in every if entry.why]
    far = 1 << 20
    told.sort(key=lambda entry: (not entry.counts, far if entry.left is None else entry.left, entry.flag))
    return Report(today, len(every), tuple(told))


def _debt(subject: Subject, today: date, policy: LifecyclePolicy) -> Debt:
    flag, age = subject.flag, subject.age
    day = day_of(subject)
    left = None if day is None else (day - today).days
    unchanged = None if age is None else (today - age.last.date()).days
    why: list[Why] = []
    entitlement = flag.purpose == "entitlement"
    if left is not None and left < 0:
        why.append("review-overdue" if entitlement else "expired")
    if day is None:
        why.append("no-expiry")
    if flag.lifecycle == RETIRED:
        why.append("retired")
    elif subject.is_constant and not entitlement and unchanged is not None and unchanged >= LONG:
        why.append("constant")
    if left is not None and 0 <= left <= policy.warn_before_days:
        why.append("expires-soon")
    return Debt(
        flag=flag.reference, owner=flag.owner, purpose=flag.purpose, tier=flag.risk_tier, lifecycle=flag.lifecycle,
        age=None if age is None else (today - age.first.date()).days, unchanged=unchanged, day=day, left=left,
        references=None if subject.references is None else len(subject.references), why=tuple(why),
    )  # fmt: skip
