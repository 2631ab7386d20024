"""Making it so at a git host: branches first, then requests and issues, the most urgent flags first.

The host is the memory. Every run looks at what is there and writes what differs, so it may end at any point, and the
next goes on from where it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from flagseal.model.errors import RepositoryError
from flagseal_validators.retirement.branches import MANY, Edit
from flagseal_validators.retirement.describing import (
    BRANCHES,
    KIND,
    LABEL,
    branch_of,
    escalation,
    is_pull,
    mark_of,
    title,
    withdrawn,
    writing_of,
)
from flagseal_validators.retirement.editing import retiring
from flagseal_validators.retirement.people import beyond, concerned
from flagseal_validators.retirement.stepping import by_hand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from flagseal.model.policies import PolicySet
    from flagseal_validators.forge.desk import Desk, Put, Thread, Writing
    from flagseal_validators.retirement.branches import Branches
    from flagseal_validators.retirement.stepping import Due

Done = Literal["opened", "updated", "unchanged", "closed", "left", "later"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a flag.

    Attributes:
        flag: ``namespace/name``.
        done: ``left`` says that it is a person's now, ``later`` that the limit of this run was reached.
        why: In words, for ``left`` and ``later``.
        url: Of the request or the issue, if there is one.
    """

    flag: str
    done: Done
    why: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class _Task:
    """One flag to write about: its text, its request or issue as it is, and the edit that is not there yet."""

    due: Due
    writing: Writing
    known: Thread | None
    edit: Edit | None
    pushes: bool = False


def edit_of(due: Due, data: bytes) -> Edit:
    """Make the edit of what is due.

    Args:
        due: Whose proposal is a change.
        data: The flag's file on the branch that it goes to.

    Raises:
        RepositoryError: ``NotEdited``.
    """
    subject = due.subject
    if due.act == "delete" or due.to is None:
        return Edit(due.reference, subject.path, None, title(due))
    return Edit(due.reference, subject.path, retiring(data, subject.document, due.to, due.switched_off), title(due))


class Bot:
    """Open, update and close what is due.

    Args:
        desk: Where it writes.
        branches: Fetched just now.
        policies: Who is told.
        clock: Gives the time, aware.
    """

    def __init__(self, desk: Desk, branches: Branches, policies: PolicySet, clock: Callable[[], datetime]) -> None:
        self._desk = desk
        self._branches = branches
        self._policies = policies
        self._clock = clock
        self._contents: Mapping[str, bytes] = {}
        self._by_hand: set[str] = set()

    def run(self, found: Iterable[Due], limit: int) -> tuple[Outcome, ...]:
        """Do what is due.

        Args:
            found: Of every flag, whether anything is due or not.
            limit: Flags to write about at most; those that are as they shall be do not count.

        Raises:
            ForgeError: As the desk says; what was written until then stays and is found again.
            RepositoryError: ``PushRefused``.

        Returns:
            One entry a flag that something is due of, or was; the most urgent first.
        """
        every = sorted(found, key=lambda due: due.urgency)
        pulls = {thread.branch: thread for thread in self._desk.pulls(KIND)}
        issues = self._desk.issues(KIND, LABEL)
        closed = self._desk.closed_pulls(KIND, LABEL)
        self._contents = self._branches.contents(due.subject.path for due in every if is_pull(due))
        self._by_hand = set()
        outcomes: list[Outcome] = []
        tasks: list[_Task] = []
        for due in every:
            task = self._task(due, pulls, issues, closed)
            if isinstance(task, Outcome):
                outcomes.append(task)
            elif task is not None and len(tasks) < limit:
                tasks.append(task)
            elif task is not None:
                outcomes.append(Outcome(due.reference, "later", f"only {limit} flags a run"))
        for start in range(0, len(tasks), MANY):
            outcomes += self._carry_out(tasks[start : start + MANY], issues)
        outcomes += self._tidy(every, pulls, issues)
        self._desk.close_duplicates(KIND, LABEL)
        rank = {due.reference: number for number, due in enumerate(every)}
        return tuple(sorted(outcomes, key=lambda outcome: rank.get(outcome.flag, len(rank))))

    def _task(
        self, due: Due, pulls: Mapping[str, Thread], issues: Mapping[str, Thread], closed: Mapping[str, Thread]
    ) -> _Task | Outcome | None:
        if due.step == "none":
            return None
        if not is_pull(due):
            return self._issue_task(due, issues)
        writing = self._writing(due)
        branch = branch_of(due)
        known = pulls.get(branch) or closed.get(due.reference)
        url = "" if known is None else known.url
        if known is not None and known.state != "open" and known.mark == writing.mark:
            said = "was merged" if known.state == "merged" else "was closed without merging"
            return Outcome(due.reference, "left", f"its request {said}", url)
        merged = ""
        if known is not None and known.state == "merged" and self._branches.is_taken_over(due.reference):
            last = self._desk.pull(branch)
            merged = last.head if last is not None and last.state == "merged" else ""
        if self._branches.is_taken_over(due.reference, merged):
            return Outcome(due.reference, "left", f"somebody else committed to {branch}", url)
        try:
            edit = edit_of(due, self._contents[due.subject.path])
        except RepositoryError as error:
            if error.code != "NotEdited":
                raise
            self._by_hand.add(due.reference)
            return self._issue_task(by_hand(due, error.message), issues)
        pushes = not self._branches.is_current(edit)
        if not pushes and known is not None and known.state == "open" and _stands(known, writing):
            return Outcome(due.reference, "unchanged", url=url)
        return _Task(due, writing, known, edit, pushes)

    def _issue_task(self, due: Due, issues: Mapping[str, Thread]) -> _Task | Outcome:
        writing, known = self._writing(due), issues.get(due.reference)
        if known is not None and known.state != "open" and known.mark == writing.mark:
            return Outcome(due.reference, "left", "its issue was closed", known.url)
        if known is not None and known.state == "open" and _stands(known, writing):
            return Outcome(due.reference, "unchanged", url=known.url)
        return _Task(due, writing, known, None)

    def _writing(self, due: Due) -> Writing:
        flag, now = due.subject.flag, self._clock()
        return writing_of(due, concerned(due, self._policies, now), beyond(flag, self._policies, now))

    def _carry_out(self, tasks: Sequence[_Task], issues: Mapping[str, Thread]) -> Iterable[Outcome]:
        edits = [it.edit for it in tasks if it.edit is not None and it.pushes]
        refused = self._branches.push(edits, self._desk.hand(), self._clock()) if edits else {}
        for task in tasks:
            name = task.due.reference
            if name in refused:
                yield Outcome(name, "left", f"its branch was not taken: {refused[name]}")
                continue
            if task.edit is not None and name in issues:
                self._desk.close(issues[name], withdrawn(issues[name]))
            others = beyond(task.due.subject.flag, self._policies, self._clock())
            if task.due.step == "escalate" and others:
                # The label comes last: as long as it is missing, the comment may be as well.
                put = self._put(task, replace(task.writing, labels=task.writing.labels[:1]), task.known)
                self._desk.put_comment(put.thread.number, escalation(task.due, others))
                self._put(task, task.writing, put.thread)
            else:
                put = self._put(task, task.writing, task.known)
            pushed = task.pushes and put.done == "unchanged"
            yield Outcome(name, "updated" if pushed else put.done, url=put.thread.url)

    def _put(self, task: _Task, writing: Writing, known: Thread | None) -> Put:
        if task.edit is None:
            return self._desk.put_issue(writing, reopen=True, known=known)
        still = known if known is not None and known.state == "open" else None
        return self._desk.put_pull(branch_of(task.due), self._branches.base, writing, still, looked=True)

    def _tidy(
        self, every: Sequence[Due], pulls: Mapping[str, Thread], issues: Mapping[str, Thread]
    ) -> Iterable[Outcome]:
        """Close what is about nothing any more: the date was moved, or the flag is gone."""
        wanted = {
            mark_of(due).key: is_pull(due) and due.reference not in self._by_hand for due in every if due.step != "none"
        }
        for thread in pulls.values():
            key = thread.mark.key if thread.mark is not None else ""
            if thread.branch == f"{BRANCHES}{key}" and not wanted.get(key, False):
                self._desk.close(thread, withdrawn(thread))
                why = "an issue asks for it now" if key in wanted else "nothing is due any more"
                yield Outcome(key, "closed", why, thread.url)
        for key, thread in issues.items():
            if thread.state == "open" and key not in wanted:
                self._desk.close(thread, withdrawn(thread))
                yield Outcome(key, "closed", "nothing is due any more", thread.url)


def _stands(thread: Thread, writing: Writing) -> bool:
    return thread.says(writing) and thread.labels >= set(writing.labels)
