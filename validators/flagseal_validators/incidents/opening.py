"""Making it so at a git host: an issue for each incident, a request with the draft of its review, and the end of both.

The host is the memory. Every run looks at what is there and writes what differs, so it may end at any point, and the
next goes on from where it was. What decides that an incident is closed is the published history, never the host.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from flagseal.policy.membership import members
from flagseal_validators.incidents.drafting import draft
from flagseal_validators.incidents.permanence import switched_off
from flagseal_validators.incidents.telling import (
    KIND,
    LABEL,
    PERMANENT,
    branch_of,
    drafted,
    is_draft_of,
    is_withdrawn,
    issue,
    mark_of,
    pull,
    ticks,
    withdrawn,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from flagseal.model.policies import Organisation
    from flagseal_validators.forge.desk import Desk, Thread
    from flagseal_validators.incidents.branching import Drafts
    from flagseal_validators.incidents.drafting import Outcome
    from flagseal_validators.incidents.gathering import Incident

_MOST_REVIEWERS = 5
Done = Literal["opened", "updated", "unchanged", "closed", "left"]


@dataclass(frozen=True, slots=True)
class Opened:
    """What became of one incident at the host.

    Attributes:
        environment: Where it happened.
        incident: As the incident system calls it.
        issue: What became of the issue; ``unchanged`` also where there never was one and nothing is left to review.
        issue_url: Where a person reads it; empty where there is none.
        request: What became of the pull request; ``left`` says that it is people's: they commit to it, or closed it;
            ``closed`` that nothing is left to review.
        request_url: Where a person reads it; empty where there is none.
    """

    environment: str
    incident: str
    issue: Done
    issue_url: str
    request: Done
    request_url: str


class Opener:
    """Open, update and close what incidents need.

    Args:
        desk: Writes at the host.
        drafts: Writes branches; fetched.
        organisation: In force; says whom to ask.
        clock: Gives the time in UTC.
    """

    def __init__(self, desk: Desk, drafts: Drafts, organisation: Organisation, clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._drafts = drafts
        self._organisation = organisation
        self._clock = clock

    def run(self, incidents: Iterable[Incident]) -> tuple[Opened, ...]:
        """Do what is left to do for each incident.

        Raises:
            ForgeError: See :class:`~flagseal_validators.forge.desk.Desk`.
            RepositoryError: A branch was not fetched or pushed.
        """
        every = tuple(incidents)
        asked = () if all(it.open for it in every) else self._desk.pulls(KIND)
        done = tuple(self._opened(it) if it.open else self._closed(it, asked) for it in every)
        self._desk.close_duplicates(KIND, LABEL)
        return done

    def _opened(self, incident: Incident) -> Opened:
        known = self._desk.issue(mark_of(incident), LABEL)
        ticked = () if known is None else ticks(known.body)
        request = self._desk.pull(branch_of(incident))
        address = "" if request is None else request.url
        # An issue that somebody closed is opened again: what closes an incident is a review that was accepted.
        told = self._desk.put_issue(issue(incident, ticked=ticked, request=address), reopen=True)
        done, request = self._requested(incident, told.thread, request)
        if request is not None and request.url != address:
            self._desk.put_issue(issue(incident, ticked=ticked, request=request.url))
        url = "" if request is None else request.url
        return Opened(incident.environment, incident.incident, told.done, told.thread.url, done, url)

    def _requested(self, incident: Incident, told: Thread, known: Thread | None) -> tuple[Done, Thread | None]:
        """Draft the review on its branch, and ask for it; what people closed, merged or took over is left alone."""
        if known is not None and known.state != "open" and not is_withdrawn(known):
            return "left", known
        outcome: Outcome = "permanent" if PERMANENT in told.labels else "returned"
        edits = self._edits(incident) if outcome == "permanent" else {}
        files = {f"reviews/{incident.review}.yaml": draft(incident, outcome).encode(), **edits}
        subject, hand = f"Draft the review of {incident.name}", self._desk.hand()
        pushed = self._drafts.push(branch_of(incident), files, subject, hand, self._clock())
        if pushed == "theirs" and known is not None:
            return "left", known
        reviewers = self._reviewers(incident)
        writing = pull(incident, outcome, number=told.number, edited=bool(edits), reviewers=reviewers)
        put = self._desk.put_pull(branch_of(incident), self._drafts.base, writing, known)
        return ("updated" if put.done == "unchanged" and pushed == "pushed" else put.done), put.thread

    def _closed(self, incident: Incident, asked: Iterable[Thread]) -> Opened:
        """Close its drafts, then its issue: the draft was one way to the review, and another was taken."""
        done, address = self._withdrawn(incident, asked)
        known = self._desk.issue(mark_of(incident), LABEL)
        if known is None or known.state != "open":
            url = "" if known is None else known.url
            return Opened(incident.environment, incident.incident, "unchanged", url, done, address)
        if not address:
            found = [self._desk.pull(branch) for branch in drafted(incident)]
            address = next((it.url for it in found if it is not None), "")
        told = self._desk.put_issue(issue(incident, ticked=ticks(known.body), request=address))
        self._desk.close(told.thread)
        return Opened(incident.environment, incident.incident, "closed", told.thread.url, done, address)

    def _withdrawn(self, incident: Incident, asked: Iterable[Thread]) -> tuple[Done, str]:
        """Close the requests that are open still, and give the address of the last one."""
        drafts = [it for it in asked if is_draft_of(incident, it)]
        for thread in drafts:
            self._desk.close(thread, withdrawn(thread))
        return ("closed", drafts[-1].url) if drafts else ("unchanged", "")

    def _edits(self, incident: Incident) -> Mapping[str, bytes]:
        """Change the files of the flags that were rolled back, those that can be; a freeze has nothing to change."""
        found: dict[str, bytes] = {}
        for flag in sorted({str(it.standing.claim.rolls_back) for it in incident.open if it.standing.claim.rolls_back}):
            for path in (f"flags/{flag}.yaml", f"flags/{flag}.yml"):
                data = self._drafts.content(path)
                made = None if data is None else switched_off(data, incident.environment)
                if made is not None:
                    found[path] = made
        return found

    def _reviewers(self, incident: Incident) -> tuple[str, ...]:
        """Name some accounts of people who own a flag of it, and did not ask for what is reviewed."""
        now, people = self._clock(), self._organisation.people
        teams = {effect.owner for it in incident.open for effect in it.effects}
        asked = {it.standing.person for it in incident.open}
        able = sorted(frozenset().union(*(members(self._organisation, team, now) for team in teams)) - asked)
        logins = (people[person].github_login for person in able)
        return tuple([it for it in logins if it is not None][:_MOST_REVIEWERS])
