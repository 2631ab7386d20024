"""An incident as an issue, and the request that closes it: Markdown that no word of the incident can break out of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flagseal.model.schema.review import CHECKLIST
from flagseal_validators.forge.desk import Mark, Writing
from flagseal_validators.plan.markup import code, prose

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from flagseal_validators.forge.desk import Thread
    from flagseal_validators.incidents.drafting import Outcome
    from flagseal_validators.incidents.gathering import Emergency, Incident

KIND: Final = "incident"
LABEL: Final = "flagseal-incident"
PERMANENT: Final = "flagseal-permanent"
"""The label by which people ask that what was served become permanent."""
BRANCHES: Final = "flagseal/incident/"

_INSTANT: Final = "%Y-%m-%d %H:%M:%S UTC"
_TICKED: Final = re.compile(r"- \[[xX]\] (.+)")
_UNTITLED: Final = re.compile(r"[^\w .,/-]|_")
_LONGEST_TITLE: Final = 80
_NUMBERED: Final = re.compile(r"-([2-9]|[1-9]\d{1,3})")
"""What tells the branches of one incident apart; a name itself ends in eight digits or letters, never in so few."""
_WITHDRAWN: Final = "withdrawn"
_QUESTIONS: Final = tuple(text.rstrip(".") for text in CHECKLIST.values())


def mark_of(incident: Incident) -> Mark:
    """Give what finds the issue again."""
    return Mark.of(KIND, incident.name)


def branch_of(incident: Incident) -> str:
    """Name the branch of the next review."""
    return f"{BRANCHES}{incident.review}"


def drafted(incident: Incident) -> tuple[str, ...]:
    """Name the branches that the last draft can be on: a review took its name, or another one."""
    number = int(incident.review.removeprefix(incident.name).removeprefix("-") or 1)
    last = range(number, max(number - 2, 0), -1)
    return tuple(f"{BRANCHES}{incident.name}{'' if it == 1 else f'-{it}'}" for it in last)


def is_draft_of(incident: Incident, thread: Thread) -> bool:
    """Tell whether a request is one of an incident's drafts: branch and mark must agree."""
    mark, name = thread.mark, incident.name
    if mark is None or mark.kind != KIND or thread.branch != f"{BRANCHES}{mark.key}":
        return False
    return mark.key == name or (
        mark.key.startswith(name) and _NUMBERED.fullmatch(mark.key.removeprefix(name)) is not None
    )


def withdrawn(thread: Thread) -> Writing:
    """Write what stays of a request that we close ourselves, so that nobody takes it for a person's no.

    Args:
        thread: With a mark.
    """
    mark = thread.mark
    if mark is None:
        raise ValueError(f"{thread.url} is none of ours")
    facts = dict(mark.facts) | {_WITHDRAWN: "yes"}
    told = f"**Closed, since all of it is reviewed.**\n\n{thread.content}"
    return Writing(Mark.of(mark.kind, mark.key, facts), thread.title, told)


def is_withdrawn(thread: Thread) -> bool:
    """Tell whether we closed a request ourselves, and nobody merged it."""
    return thread.state == "closed" and thread.mark is not None and thread.mark.get(_WITHDRAWN) is not None


def issue(incident: Incident, *, ticked: Iterable[str] = (), request: str = "") -> Writing:
    """Write the issue of an incident.

    Args:
        incident: It.
        ticked: What people ticked off already, as :func:`ticks` finds it: it stays ticked.
        request: Address of the pull request, if there is one.
    """
    body = "\n".join(_issue(incident, frozenset(ticked), request))
    return Writing(mark_of(incident), f"Review {_titled(incident)}", body, (LABEL,))


def pull(incident: Incident, outcome: Outcome, *, number: int, edited: bool, reviewers: tuple[str, ...]) -> Writing:
    """Write the pull request of a review.

    Args:
        incident: It.
        outcome: What is proposed.
        number: Of the issue.
        edited: Whether it edits a flag's file.
        reviewers: Logins to ask.
    """
    body = "\n".join(_pull(incident, outcome, number, edited=edited))
    mark = Mark.of(KIND, incident.review)
    return Writing(mark, f"Review of {_titled(incident)}: {outcome}", body, (LABEL,), reviewers)


def ticks(body: str) -> tuple[str, ...]:
    """Find what people ticked off in an issue."""
    return tuple(match[1].strip() for line in body.splitlines() if (match := _TICKED.match(line)))


def _issue(incident: Incident, ticked: frozenset[str], request: str) -> Iterator[str]:
    yield f"Somebody broke glass in {code(incident.environment)} for {code(incident.incident)}."
    if incident.open:
        yield f"{len(incident.open)} of {len(incident.emergencies)} emergencies below are **not reviewed**."
    else:
        yield "**All of it is reviewed.**"
    yield ""
    yield "### Checklist"
    yield ""
    people = ", ".join(code(it) for it in sorted({it.standing.person for it in incident.emergencies}))
    for task in (*_QUESTIONS, f"Somebody other than {people} approved the review"):
        yield f"- [{'x' if task in ticked else ' '}] {task}"
    yield ""
    if request and incident.open:
        yield f"The review is drafted in {request}: complete it there. Whoever is named above is not counted."
    elif request:
        yield f"A review was drafted in {request}."
    yield f"To make permanent what was served, give this issue the label {code(PERMANENT)}."
    yield "`flagseal incidents open` writes this text anew; ticks stay. It closes when the review is accepted."
    for emergency in incident.emergencies:
        yield ""
        yield from _emergency(emergency)


def _emergency(emergency: Emergency) -> Iterator[str]:
    standing, claim = emergency.standing, emergency.standing.claim
    yield f"### {code(claim.title)}"
    yield ""
    yield f"- **What**: {prose(claim.deed)}"
    yield f"- **Who**: {code(standing.person)}, proven by {prose(emergency.proof)}"
    for key, value in emergency.extra:
        yield f"- **Authentication**: {code(key)} is {code(value)}"
    yield f"- **When**: {_time(standing.since)} to {_time(standing.until)} ({standing.until - standing.since})"
    yield f"- **State**: {_state(emergency)}"
    yield f"- **Why**: {prose(claim.reason)}"
    yield f"- **Proof**: {code(standing.proof.digest)}"
    yield f"- **Review**: {'not reviewed' if emergency.review is None else prose(emergency.review.text)}"
    if emergency.effects:
        yield ""
        yield "| flag | tier | owner | before | meanwhile |"
        yield "| --- | --- | --- | --- | --- |"
        for it in emergency.effects:
            yield f"| {code(it.flag)} | {it.tier} | {code(it.owner)} | {prose(it.before)} | {prose(it.during)} |"
    if emergency.flags > len(emergency.effects):
        yield f"\nand {emergency.flags - len(emergency.effects)} flags more"


def _pull(incident: Incident, outcome: Outcome, number: int, *, edited: bool) -> Iterator[str]:
    yield f"The review of {code(incident.incident)} in {code(incident.environment)}, for #{number}."
    yield ""
    if outcome == "returned":
        yield "It confirms the return: what git holds is served again, or will be when the emergency ends."
    elif edited:
        yield 'It makes permanent what was served: `"off": true` in the flag\'s file serves everybody the safe variant.'
    else:
        yield "It says that what was served stays. No flag's file needs a change, or a program could change none:"
        yield "see whether git holds what you mean."
    yield ""
    yield f"1. Answer every TODO in {code(f'reviews/{incident.review}.yaml')}; the check is red until then."
    people = ", ".join(code(it) for it in sorted({it.standing.person for it in incident.open}))
    yield f"2. Have it approved by somebody other than {people}: their approval is not counted."
    yield "3. Merge it. Once its statement is accepted, every report says so, and the issue is closed."
    yield ""
    yield "It is about:"
    yield ""
    for emergency in incident.open:
        claim, digest = emergency.standing.claim, emergency.standing.proof.digest
        yield f"- {code(claim.title)}, proof {code(digest)}, asked for by {code(emergency.standing.person)}"


def _state(emergency: Emergency) -> str:
    if emergency.active:
        return "**active**"
    return f"ended early by {code(emergency.ended_by)}" if emergency.ended_by else "ended by itself"


def _time(instant: datetime) -> str:
    return f"{instant:{_INSTANT}}"


def _titled(incident: Incident) -> str:
    """Write the incident for a title, which has no escapes: letters and digits only."""
    words = " ".join(_UNTITLED.sub(" ", incident.incident).split())[:_LONGEST_TITLE] or incident.name
    return f"{words} in {incident.environment}"
