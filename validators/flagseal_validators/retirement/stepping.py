"""What is due of a flag on a day: a function of its document, the policies, git's history and what is served.

Dates count in whole days, UTC. A flag's date is ``expires``, an entitlement's the day its next review is due. Before it
there are warnings, from that day on an end is proposed, and two weeks after it somebody else is asked as well.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal

from flagseal.model.instants import parse_day, parse_days

if TYPE_CHECKING:
    from datetime import date

    from flagseal.model.document import Document
    from flagseal.model.flag import FlagDefinition, Lifecycle
    from flagseal.model.policies import LifecyclePolicy
    from flagseal_validators.retirement.ages import Age
    from flagseal_validators.retirement.references import Reference
    from flagseal_validators.retirement.requiring import Requirer

Step = Literal["none", "warn", "propose", "escalate"]
Act = Literal["none", "move", "retire", "delete", "wait", "review", "stuck"]
"""What a proposal would do: take one step of life; the last one, serving everybody the same; remove the file; nothing
yet, since something is in the way; ask for a review; nothing, since the policies know no way to ``retired``."""

RETIRED: Final[Lifecycle] = "retired"
LAST_WARNING: Final = 7
ESCALATE_AFTER: Final = 14
_URGENCY: Final[dict[Step, int]] = {"escalate": 0, "propose": 1, "warn": 2, "none": 3}


@dataclass(frozen=True, slots=True)
class Serving:
    """What one environment serves of a flag.

    Attributes:
        environment: Its name.
        constant: The variant that everybody is served from now on; None where people differ, or it cannot be told.
        variants: All there are, with what each stands for, as canonical JSON.
        default: Served where nothing else matches.
        rules: How many rules and targets come before it.
        lifecycle: As it is known there.
        published: Whether it was read from a verified snapshot; otherwise from the accepted branch.
    """

    environment: str
    constant: str | None
    variants: tuple[tuple[str, str], ...]
    default: str
    rules: int
    lifecycle: Lifecycle
    published: bool = False

    def value(self, variant: str) -> str:
        """What a variant stands for, as canonical JSON."""
        return dict(self.variants)[variant]


@dataclass(frozen=True, slots=True)
class Subject:
    """One flag, and everything known of it.

    Attributes:
        path: Of its file.
        age: By git; None if it is in no commit.
        serving: One entry an environment, by name.
        references: Where source trees ask for it; None if none were searched.
        held_by: What refers to it in the repository, in words: prerequisites of other flags, grants.
        only_segments: Segments that nothing but this flag uses.
        required_by: The flags that require it, one entry an environment.
    """

    document: Document
    flag: FlagDefinition
    path: str
    age: Age | None
    serving: tuple[Serving, ...]
    references: tuple[Reference, ...] | None = None
    held_by: tuple[str, ...] = ()
    only_segments: tuple[str, ...] = ()
    required_by: tuple[Requirer, ...] = ()

    @property
    def is_constant(self) -> bool:
        """Whether nobody, in no environment, is served anything else than everybody there."""
        return bool(self.serving) and all(entry.constant is not None for entry in self.serving)


@dataclass(frozen=True, slots=True)
class Due:
    """What is due of one flag.

    Attributes:
        day: The flag's date; None where there is none.
        left: Days until then; negative afterwards.
        step: How urgent it is.
        act: What would be done about it.
        to: The next lifecycle, for ``move`` and ``retire``, and for ``stuck`` if a person can write it.
        obstacles: In words, why nothing can be done yet.
        notice: Days before the date at which the last warning was due; 0 if none was.
    """

    subject: Subject
    day: date | None
    left: int | None
    step: Step
    act: Act
    to: Lifecycle | None = None
    obstacles: tuple[str, ...] = field(default=())
    notice: int = 0

    @property
    def reference(self) -> str:
        """``namespace/name``."""
        return self.subject.flag.reference

    @property
    def switched_off(self) -> tuple[str, ...]:
        """The environments that the last step of life switches off in the flag's file: where people differ."""
        if self.to != RETIRED:
            return ()
        here = self.subject.flag.environments
        return tuple(it.environment for it in self.subject.serving if it.constant is None and it.environment in here)

    @property
    def urgency(self) -> tuple[int, int, str]:
        """Sorts the most urgent first."""
        return _URGENCY[self.step], 0 if self.left is None else self.left, self.reference


def due(subject: Subject, today: date, policy: LifecyclePolicy) -> Due:
    """Find out what is due of a flag.

    Args:
        subject: The flag.
        today: UTC.
        policy: Says from when on to warn, and which step of life may follow which.
    """
    flag = subject.flag
    day = day_of(subject)
    left = None if day is None else (day - today).days
    notice = _notice(left, policy)
    if flag.lifecycle == RETIRED:
        return _removal(subject, day, left)
    if left is None or (left > 0 and not notice):
        return Due(subject, day, left, "none", "none")
    step: Step = "warn" if left > 0 else "propose" if left >= -ESCALATE_AFTER else "escalate"
    if flag.purpose == "entitlement":
        return Due(subject, day, left, step, "review", notice=notice)
    path = way(flag.lifecycle, policy)
    if path is None:
        why = f"policies/lifecycle.yaml has no way from {flag.lifecycle} to {RETIRED}"
        return Due(subject, day, left, step, "stuck", obstacles=(why,), notice=notice)
    return Due(subject, day, left, step, "retire" if path[0] == RETIRED else "move", to=path[0], notice=notice)


def by_hand(due: Due, why: str) -> Due:
    """Leave a change to a person, since no program can make it: an issue asks for it in place of a request.

    Args:
        due: What the change would have been.
        why: In words, without a full stop.
    """
    return replace(due, act="stuck", obstacles=(*due.obstacles, why))


def day_of(subject: Subject) -> date | None:
    """Give a flag's date: its last day, or for an entitlement the day of its next review."""
    flag = subject.flag
    if flag.expires is not None and flag.purpose != "entitlement":
        return parse_day(flag.expires)
    if flag.review is None:
        return None
    begin = parse_day(flag.review.last) if flag.review.last else subject.age.first.date() if subject.age else None
    return None if begin is None else begin + timedelta(days=parse_days(flag.review.every))


def way(start: Lifecycle, policy: LifecyclePolicy) -> tuple[Lifecycle, ...] | None:
    """Find the shortest way to ``retired`` by the steps that the policies allow; None if there is none."""
    waiting: deque[tuple[Lifecycle, ...]] = deque([()])
    seen: set[Lifecycle] = {start}
    while waiting:
        path = waiting.popleft()
        here = path[-1] if path else start
        for following in (*policy.transitions.get("*", ()), *policy.transitions.get(here, ())):
            if following == RETIRED:
                return (*path, following)
            if following not in seen:
                seen.add(following)
                waiting.append((*path, following))
    return None


def _removal(subject: Subject, day: date | None, left: int | None) -> Due:
    """Propose to remove what is retired already, unless code or other flags still need it, or it still decides."""
    step: Step = "escalate" if left is not None and left < -ESCALATE_AFTER else "propose"
    if any(entry.constant is None and _can_switch_off(subject, entry.environment) for entry in subject.serving):
        return Due(subject, day, left, step, "retire", to=RETIRED)
    obstacles = [*subject.held_by]
    if subject.references is None:
        obstacles.append("no source tree was searched for it (--sources)")
    elif subject.references:
        count = len(subject.references)
        obstacles.append(f"code still asks for it, at {count} place{'s' * (count != 1)}")
    obstacles += [
        f"{entry.environment} has not taken its retirement over yet"
        for entry in subject.serving
        if entry.lifecycle != RETIRED or entry.constant is None
    ]
    return Due(subject, day, left, step, "wait" if obstacles else "delete", obstacles=tuple(obstacles))


def _can_switch_off(subject: Subject, environment: str) -> bool:
    """Tell whether an edit of the flag's file would still change what an environment serves."""
    section = subject.flag.environments.get(environment)
    return section is not None and not section.off


def _notice(left: int | None, policy: LifecyclePolicy) -> int:
    if left is None or left <= 0:
        return 0
    first = policy.warn_before_days
    return min((days for days in {first, min(first, LAST_WARNING)} if left <= days), default=0)
