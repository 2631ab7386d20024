"""Whatever comes in whatever order: what is in effect is what was approved for that time, or safer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from flagseal.evaluation import FlagSet
from flagseal.history import build, next_change, replay
from flagseal.model.errors import ApprovalError
from tests.history import company
from tests.history.company import SATURDAY, Chronicle, flag, segment

if TYPE_CHECKING:
    from datetime import datetime

    from flagseal.model.document import Document

NAMES = ("one", "two", "three")
ORGS = ("acme", "globex", "initech")
FAR = timedelta(days=30)


def versions(name: str, tier: str) -> list[Document]:
    """Give a flag in many states, off among them."""
    sections: list[dict[str, Any]] = [
        {"default": "disabled"},
        {"default": "enabled"},
        company.rule({"org": "acme"}),
        company.rule({"segment": "pilots"}),
        company.rule({"segment": "pilots"}) | {"off": True},
        company.rule() | {"off": True},
        {"default": "enabled", "requires": [{"flag": "one", "variant": "enabled"}]},
    ]
    kept = sections if name != "one" else sections[:-1]
    return [flag(name, tier=tier, production=section) for section in kept]


SEGMENTS = [segment("pilots", *orgs) for orgs in (("acme",), ("acme", "globex"), ORGS)]
FLAGS = [
    *versions("one", "high-risk"),
    *versions("two", "high-risk"),
    *versions("three", "informational"),
]


def is_off(document: Document) -> bool:
    """Tell whether a document is a flag that production switches off."""
    return document.kind == "FlagDefinition" and b'"off":true' in document.canonical


@dataclass(frozen=True)
class Version:
    """What the flags answered by an accepted state, and from when that may be in effect."""

    answers: dict[tuple[str, str], object]
    since: datetime


def answers(data: bytes | None) -> dict[tuple[str, str], object]:
    """Ask every flag for every organisation."""
    flags = FlagSet.load(data) if data is not None else FlagSet.load({"flags": {}})
    return {
        (name, org): flags.evaluate(name, {"targetingKey": "u", "org": org}).value for name in NAMES for org in ORGS
    }


class Waiting(RuleBasedStateMachine):
    """Change flags at any hour of some days, and look at what is in effect."""

    def __init__(self) -> None:
        super().__init__()
        self.history = Chronicle.of(SEGMENTS[0], FLAGS[0])
        self.now = SATURDAY
        self.off: set[str] = set()
        self.accepted = [Version(self.everything_accepted(), self.now)]

    def everything_accepted(self) -> dict[tuple[str, str], object]:
        """Give the answers if nothing waited."""
        return self.published(self.now + FAR)

    def published(self, now: datetime) -> dict[tuple[str, str], object]:
        """Give the answers as they would be published for an instant."""
        return answers(build(self.history.head, "production", now).files.get("payments/flags.json"))

    @rule(hours=st.integers(0, 30))
    def wait(self, hours: int) -> None:
        """Let time pass."""
        self.now += timedelta(hours=hours)

    @rule(
        documents=st.lists(st.sampled_from(FLAGS + SEGMENTS), min_size=1, max_size=3),
        remove=st.sampled_from((None, None, None, *NAMES)),
        late=st.integers(0, 3),
    )
    def change(self, documents: list[Document], remove: str | None, late: int) -> None:
        """Change some flags and segments, or remove one, now and then by a clock that is set back."""
        changed = {entry.subject: entry for entry in documents}
        subject = f"FlagDefinition/payments/{remove}"
        gone = self.history.head.documents.live(subject)
        removed = [gone] if gone is not None and subject not in changed else []
        told = self.now - timedelta(hours=late * 10)
        try:
            acceptance = self.history.attempt(*changed.values(), remove=removed, approved=["alice", "dora"], now=told)
        except ApprovalError as error:
            assert error.code == "NothingChanges"  # noqa: PT017 (proposing is no part of what is tested)
            return
        if acceptance.head is None:
            # The only reason left: a flag that requires one that is not there.
            assert acceptance.refusal is not None
            assert acceptance.refusal.code == "NotCompiling"
            return
        self.history.take(acceptance)
        touched = {entry.name for entry in (*changed.values(), *removed)}
        self.off -= touched
        if not removed and all(is_off(entry) for entry in changed.values()):
            self.off |= touched
        assert acceptance.decision is not None
        decided = acceptance.decision.environments.get("production")
        at = self.history.head.accepted_at
        since = at if decided is None or decided.toward_safe_now else decided.effective_from
        assert since is not None
        self.accepted.append(Version(self.everything_accepted(), since))

    @invariant()
    def nothing_is_served_before_its_time(self) -> None:
        """Every answer is that of an accepted state whose time has come, or the safe one."""
        for now in (self.now, self.now + timedelta(hours=20), self.now + timedelta(hours=44)):
            clock = max(now, self.history.head.accepted_at)
            found = self.published(now)
            for asked, value in found.items():
                allowed = [version.answers[asked] for version in self.accepted if version.since <= clock]
                assert value is False or value in allowed, (asked, value, now)

    @invariant()
    def a_kill_switch_does_not_wait(self) -> None:
        """Flags that a statement did nothing but switch off serve the safe variant from its acceptance on."""
        for now in (self.now, self.now + timedelta(hours=44)):
            found = self.published(now)
            assert all(found[name, org] in {False, None} for name in self.off for org in ORGS)

    @invariant()
    def time_only_leads_on(self) -> None:
        """In the end what was accepted is in effect, and each step on the way is announced."""
        head, now = self.history.head, self.now
        seen = self.published(now)
        while (then := next_change(head, "production", now)) is not None:
            assert then > now
            assert self.published(then - timedelta(seconds=1)) == seen
            seen, now = self.published(then), then
        assert seen == self.everything_accepted()
        assert head.effective("production", now) == head.documents

    def teardown(self) -> None:
        """Rebuild the head from its entries: the same, with what waits."""
        assert replay(self.history.trust, self.history.start, self.history.entries) == self.history.head


def test_what_is_in_effect_was_approved_for_that_time_or_is_safer() -> None:
    """Over sequences of changes, removals, kill switches and clocks."""
    run_state_machine_as_test(Waiting, settings=settings(max_examples=25, stateful_step_count=10, deadline=None))
