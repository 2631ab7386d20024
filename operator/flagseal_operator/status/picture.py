"""Everything that statuses are computed from, at one moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from flagseal.emergency import EMPTY
from flagseal.model.document import split_subject

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flagseal.emergency import Emergencies
    from flagseal.history import Head
    from flagseal.history.overriding import Serving
    from flagseal.model.document import Document
    from flagseal.model.errors import FlagsealError
    from flagseal.policy.state import State


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a statement is not accepted.

    Attributes:
        carrier: Name of the FlagApproval that carries it.
        sequence: Its number.
        subjects: Subject to the digest that it would approve.
        error: The reason, with its code and remedy.
        by_policy: Whether policy decided against it; otherwise it did not come to that.
    """

    carrier: str
    sequence: int
    subjects: Mapping[str, str]
    error: FlagsealError
    by_policy: bool


@dataclass(frozen=True, slots=True)
class Approval:
    """The statement by which a document is in force, in the words of a printed column.

    Attributes:
        statement: Its id (``sha256:…``), or ``genesis:<commit>``.
        sequence: Its number; None if it is not known any more.
        by: Who approved it (``#12 alice +1``).
    """

    statement: str
    sequence: int | None
    by: str


@dataclass(frozen=True)
class Picture:
    """What is known at one moment.

    Attributes:
        environment: The one that is served.
        head: The accepted state.
        serving: What each flag is served from: what is in effect, but for what a freeze holds back.
        version: Of the published snapshot.
        now: The clock.
        approvals: By statement id, as far as resources speak of them.
        refusals: Of the statements that claim to come next.
        judging: Those of them that are being judged: by the carrier's name, subject to digest.
        earlier: (subject, digest) approved once, to the sequence that approved it.
        accepted: Ids of statements known to be accepted.
        emergencies: What was proven, and holds or held.
        overridden: By ``namespace/name``, why a flag serves its safe variant.
        failure: Why nothing can be published at the moment; None if it can.
    """

    environment: str
    head: Head
    serving: Serving
    version: int
    now: datetime
    approvals: Mapping[str, Approval] = field(default_factory=dict)
    refusals: tuple[Refusal, ...] = ()
    judging: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    earlier: Mapping[tuple[str, str], int] = field(default_factory=dict)
    accepted: frozenset[str] = frozenset()
    emergencies: Emergencies = EMPTY
    overridden: Mapping[str, str] = field(default_factory=dict)
    failure: FlagsealError | None = None

    @property
    def effective(self) -> State:
        """What is in effect of the head."""
        return self.serving.state

    def in_force(self, subject: str) -> Document | None:
        """Give the document that is served of a subject; of a flag that is frozen the one it was."""
        kind, namespace, name = split_subject(subject)
        flag = f"{namespace}/{name}" if kind == "FlagDefinition" else None
        return (self.effective if flag is None else self.serving.state_of(flag)).get(subject)

    def statement_of(self, subject: str) -> str | None:
        """Name the statement by which the document in force is."""
        kind, _, flag = subject.partition("/")
        hold = self.serving.holds.get(flag) if kind == "FlagDefinition" else None
        if hold is not None:
            return hold.approval
        return self.head.effective_approvals(self.environment, self.now).get(subject)

    def frozen(self, subject: str) -> str | None:
        """Say why changes of a flag are held, by whom and until when; None where they are not."""
        kind, _, flag = subject.partition("/")
        found = self.emergencies.frozen(flag, self.now) if kind == "FlagDefinition" else None
        if found is None:
            return None
        claim = found.by.claim
        return (
            f"{found.by.person} froze {claim.freezes} for {claim.incident} ({claim.reason}); it ends at"
            f" {found.until:%Y-%m-%d %H:%M:%S UTC}."
        )

    def refusal_of(self, subject: str, digest: str) -> Refusal | None:
        """Find the statement that would approve a content, if there is one and it is refused."""
        return self._refused_contents.get((subject, digest))

    @cached_property
    def refused(self) -> Mapping[str, Refusal]:
        """The refusals by carrier."""
        return {it.carrier: it for it in self.refusals}

    @cached_property
    def _refused_contents(self) -> Mapping[tuple[str, str], Refusal]:
        # The first has the last word.
        return {entry: it for it in reversed(self.refusals) for entry in it.subjects.items()}

    def is_judged(self, subject: str, digest: str) -> bool:
        """Tell whether a statement that would approve a content is being judged."""
        return any(subjects.get(subject) == digest for subjects in self.judging.values())

    def waits_until(self, subject: str) -> datetime | None:
        """Say when an accepted change of a document takes effect; None if nothing of it waits."""
        waiting = self.head.waiting(self.environment, self.now)
        return max((entry.effective_from for entry in waiting if subject in entry.before), default=None)
