"""The whole of what Flagseal writes at a git host: pull requests, issues and comments, each found again, never twice.

What is found again by a program carries a mark: the first line of its text, an HTML comment that nobody sees. Only the
first line counts, so that nothing quoted further down is taken for one. A mark proves nothing about who wrote it:
pull requests are looked for by their branch, which only a collaborator can push; issues by a label, which only a
collaborator can give; comments among our own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

MOST_TITLE: Final = 250
"""Characters; GitHub takes 256."""
MOST_BODY: Final = 65_000
"""Characters; GitHub takes 65,536."""
_LINE: Final = re.compile(r"<!-- flagseal ([a-z-]+) (\S+)((?: [a-z-]+=\S*)*) -->")
_WORD: Final = re.compile(r"[A-Za-z0-9._/@:+=-]*")

ThreadState = Literal["open", "closed", "merged"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Tell a text of ours apart, and remember in it what it was written for.

    Attributes:
        kind: What wrote it (``retire``).
        key: What it is about; one open thread a kind and key (``payments/new-checkout``).
        facts: What it was written for, in name order; what :meth:`find` gives back.
    """

    kind: str
    key: str
    facts: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, kind: str, key: str, facts: Mapping[str, str] | None = None) -> Mark:
        """Make a mark.

        Raises:
            ValueError: A word in it has characters that would not be read back.
        """
        made = cls(kind, key, tuple(sorted((facts or {}).items())))
        if cls.find(f"{made.line()}\n") != made or not all(map(_WORD.fullmatch, (key, *dict(made.facts).values()))):
            raise ValueError(f"no mark can hold {key!r} {dict(made.facts)!r}")
        return made

    @classmethod
    def find(cls, body: str) -> Mark | None:
        """Read the mark of a text, if its first line is one."""
        match = _LINE.fullmatch(body.partition("\n")[0].rstrip())
        if match is None:
            return None
        facts = [entry.partition("=") for entry in match[3].split()]
        return cls(match[1], match[2], tuple(sorted((name, value) for name, _, value in facts)))

    @property
    def name(self) -> tuple[str, str]:
        """What finds it: kind and key."""
        return self.kind, self.key

    def get(self, fact: str) -> str | None:
        """Give a fact, if it is there."""
        return dict(self.facts).get(fact)

    def line(self) -> str:
        """Write it."""
        return f"<!-- flagseal {self.kind} {self.key}{''.join(f' {name}={value}' for name, value in self.facts)} -->"


@dataclass(frozen=True, slots=True)
class Writing:
    """Say what shall stand there.

    Attributes:
        mark: Finds it again.
        title: One line; not used by comments.
        body: Markdown, without the mark. Whatever is not ours in it is neutralised by whoever writes it.
        labels: Added where they are missing; none is ever taken away. An issue is found again by the first one.
        reviewers: Logins to ask for a review when a pull request is opened; who may not review is left out.
    """

    mark: Mark
    title: str
    body: str
    labels: tuple[str, ...] = ()
    reviewers: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """The title in one line, as long as a host takes it."""
        line = " ".join(self.title.split())
        return line if len(line) <= MOST_TITLE else f"{line[: MOST_TITLE - 1]}…"

    @property
    def text(self) -> str:
        """The body with its mark, as long as a host takes it."""
        whole = f"{self.mark.line()}\n\n{self.body.strip()}"
        return whole if len(whole) <= MOST_BODY else f"{whole[:MOST_BODY].rpartition(chr(10))[0]}\n\n*(cut here)*"


@dataclass(frozen=True, slots=True)
class Thread:
    """A pull request or an issue as it is.

    Attributes:
        branch: A pull request's branch, in the same repository; empty for an issue.
        head: The branch's last commit; empty for an issue.
        reviewers: Logins that a review is asked of and who have not given it.
        author: Login; empty where the account is gone.
        url: Where a person reads it.
    """

    number: int
    state: ThreadState
    title: str
    body: str
    labels: frozenset[str]
    url: str
    author: str = ""
    branch: str = ""
    head: str = ""
    reviewers: frozenset[str] = frozenset()

    @property
    def mark(self) -> Mark | None:
        """Its mark, if it has one."""
        return Mark.find(self.body)

    @property
    def content(self) -> str:
        """Its text without the mark."""
        lines = self.body.splitlines()
        return "\n".join(lines if self.mark is None else lines[1:]).strip()

    def says(self, writing: Writing) -> bool:
        """Tell whether title and body are as they shall be, however line ends are written."""
        return self.title == writing.headline and "\n".join(self.body.splitlines()).strip() == writing.text.strip()


@dataclass(frozen=True, slots=True)
class Hand:
    """The account that writes, as commits name it.

    Attributes:
        name: Its login.
        email: The address by which the host knows that a commit is its.
    """

    name: str
    email: str

    def environment(self, at: datetime) -> dict[str, str]:
        """Give the variables by which git commits as it.

        Args:
            at: Aware; when the commit is made.
        """
        stamp = f"{int(at.timestamp())} +0000"
        named = {"NAME": self.name, "EMAIL": self.email, "DATE": stamp}
        return {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in named.items()}


@dataclass(frozen=True, slots=True)
class Put:
    """What became of something that was to stand there."""

    thread: Thread
    done: Literal["opened", "updated", "unchanged"]


class Desk(Protocol):
    """Where Flagseal writes at a git host. All of it may be repeated, and is then found done.

    Every method raises ForgeError: ``NotWritten`` with the host's words where it refuses; ``FactMissing``,
    ``RateLimited``, ``ForgeDown`` as for reading; ``Unanswered`` where nobody can say whether it happened.
    """

    def hand(self) -> Hand:
        """Say as whom we write; commits of ours carry it, so that the host and the attestor know whose they are."""
        ...

    def pull(self, branch: str) -> Thread | None:
        """Find a branch's pull request: the open one, else the last one."""
        ...

    def pulls(self, kind: str) -> tuple[Thread, ...]:
        """List the open pull requests whose mark is of a kind, by number."""
        ...

    def closed_pulls(self, kind: str, label: str) -> Mapping[str, Thread]:
        """List the last closed or merged pull request of each key of a kind, under a label; without branch and head."""
        ...

    def put_pull(
        self, branch: str, base: str, writing: Writing, known: Thread | None = None, *, looked: bool = False
    ) -> Put:
        """Open a branch's pull request, or update the one that is open; a closed one stays closed.

        Args:
            branch: Where the change is; it has been pushed.
            base: Where it shall go.
            writing: What shall stand there.
            known: The open one, as it was seen a moment ago.
            looked: Whether there was none if ``known`` is None; otherwise it is looked for.
        """
        ...

    def issue(self, mark: Mark, label: str) -> Thread | None:
        """Find the issue of a mark's kind and key under a label: the open one, else the last one."""
        ...

    def issues(self, kind: str, label: str) -> Mapping[str, Thread]:
        """List the issues of a kind under a label, by key: of each the open one, else the last one."""
        ...

    def put_issue(self, writing: Writing, *, reopen: bool = False, known: Thread | None = None) -> Put:
        """Open an issue, or update the one that is open.

        Args:
            writing: What shall stand there; found again by its mark and its first label.
            reopen: Whether an issue that somebody closed is to be opened again; otherwise it is left as it is.
            known: What :meth:`issue` or :meth:`issues` gave a moment ago.
        """
        ...

    def close_duplicates(self, kind: str, label: str) -> None:
        """Close all but the first of our own open issues of each key of a kind, and take their marks away.

        Nothing keeps two processes from opening the same issue at once, each having looked; whoever opens issues ends
        with this.
        """
        ...

    def close(self, thread: Thread, writing: Writing | None = None) -> None:
        """Close a pull request or an issue, if it is open; with the same write, say something else there.

        Args:
            thread: As it was seen a moment ago.
            writing: What shall stand there from then on, labels apart; None leaves it as it is.
        """
        ...

    def put_comment(self, number: int, writing: Writing) -> Literal["opened", "updated", "unchanged"]:
        """Write the one comment of a mark's kind and key on a pull request or an issue, or write it anew."""
        ...
