"""Attackers who want a change to take effect in spite of a freeze, or a freeze to do harm."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.emergency import Emergencies, take
from flagseal.history import accept, build
from tests.attacks.thief import Thief
from tests.emergency.scene import emergency_policies, freeze, signed, world
from tests.snapshot.world import MONDAY, World, answer, flag

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.snapshot.client import SnapshotClient

HOUR = timedelta(hours=1)
WIDER = flag("new-checkout", on_for=["acme", "globex"])


@pytest.fixture
def company(tmp_path: Path) -> World:
    """Give a world in which acme has the new checkout, and everything is frozen since five minutes."""
    made = world(tmp_path)
    made.publish()
    freeze_now(made)
    made.publish()
    made.clock.advance(minutes=5)
    return made


def freeze_now(company: World, name: str = "hold-it", *, by: str = "alice", hours: int = 2, **changes: str) -> None:
    """Freeze everything."""
    claim = freeze(name=name, until=company.clock() + hours * HOUR, **changes)
    (outcome,) = company.offer(signed(claim, by, at=company.clock()))
    assert outcome.refusal is None


def following(company: World) -> SnapshotClient:
    """Start a client that has seen what is published."""
    client = company.client()
    assert client.refresh().reason is None
    return client


def served(company: World, client: SnapshotClient, name: str = "new-checkout", org: str = "globex") -> object:
    """Publish, let the client look, and ask it."""
    company.publish()
    assert client.refresh().reason is None
    return answer(client, name, org)


def test_by_approving_it_during_the_freeze(company: World) -> None:
    """Means: everybody who has to approve."""
    client = following(company)
    company.accept(WIDER)
    assert served(company, client) is False


def test_by_bringing_back_what_was_killed_meanwhile(company: World) -> None:
    """Means: everybody who has to approve; the flag is what it was when the freeze began, and was off since."""
    client = following(company)
    before = company.head.documents["FlagDefinition/payments/new-checkout"]
    company.accept(flag("new-checkout"))
    assert served(company, client, org="acme") is False
    company.accept(before)
    assert served(company, client, org="acme") is False


def test_by_a_prerequisite_outside_the_freeze(tmp_path: Path) -> None:
    """Means: a flag of another namespace, which is not frozen."""
    asks: dict[str, Any] = {"production": {"requires": [{"flag": "search/ranker", "variant": "on"}], "default": "on"}}
    ranker = flag("ranker", "search")
    company = world(tmp_path, ranker, flag("asks", environments=asks))
    company.publish()
    client = following(company)
    claim = freeze("payments", until=MONDAY + HOUR)
    company.offer(signed(claim))
    company.clock.advance(minutes=5)
    company.accept(flag("ranker", "search", on_for=["acme"]))
    assert served(company, client, "ranker", "acme") is True
    assert served(company, client, "asks", "acme") is False


def test_by_a_second_freeze_that_begins_later(company: World) -> None:
    """Means: the role; a freeze that overlaps is to hold what was approved during the first."""
    client = following(company)
    company.accept(WIDER)
    company.publish()
    freeze_now(company, "newer", hours=4, incident="INC-8")
    company.clock.advance(hours=3)
    company.offer()
    assert served(company, client) is False


def test_by_dropping_it_with_the_online_key(company: World) -> None:
    """Means: the online key, and an approved change that waits for the freeze to end."""
    client = following(company)
    company.accept(WIDER)
    company.publish()
    thief = Thief(company.directory, company.online, company.clock)
    thief.publish(build(company.head, "production", company.clock()).files)
    assert client.refresh().reason == "rollback"
    assert answer(client, org="globex") is False


def test_by_listing_it_and_serving_the_change_with_the_online_key(company: World) -> None:
    """Means: the online key; the freeze is listed, and the flags are those without it."""
    client = following(company)
    company.accept(WIDER)
    company.publish()
    files = dict(build(company.head, "production", company.clock()).files)
    files["_repository/head.json"] = company.build().files["_repository/head.json"]
    Thief(company.directory, company.online, company.clock).publish(files)
    assert client.refresh().reason == "unapproved-content"
    assert answer(client, org="globex") is False


def test_by_claiming_with_the_online_key_that_it_was_seen_later(company: World) -> None:
    """Means: the online key; had the freeze been seen after the change, the change would be in effect."""
    client = following(company)
    company.accept(WIDER)
    company.publish()
    organisation = company.head.policies.organisation
    (known,) = company.emergencies.standings
    later = replace(known, taken_at=company.clock(), since=company.clock())
    moved, _ = take(Emergencies((later,)), (), organisation, company.trust, now=company.clock())
    assert moved.standings
    assert moved.standings[0].taken_at == company.clock()
    Thief(company.directory, company.online, company.clock).publish(
        build(company.head, "production", company.clock(), emergencies=moved).files
    )
    assert client.refresh().reason == "unapproved-content"
    assert answer(client, org="globex") is False


def test_by_dating_back_the_change_with_the_online_key(company: World) -> None:
    """Means: the online key; had the change been accepted before the freeze began, it would be in effect."""
    company.clock.advance(minutes=20)
    company.publisher.refresh()
    client = following(company)
    head = company.head
    entry = company.accept(WIDER)
    company.publish()
    back = accept(head, entry.bundle, company.trust, now=MONDAY - HOUR)
    assert back.head is not None
    assert back.entry is not None
    assert served(company, client) is False
    made = build(back.head, "production", company.clock(), emergencies=company.emergencies)
    files = {**made.files, "_repository/history-00000.jsonl": back.entry.to_line() + b"\n"}
    Thief(company.directory, company.online, company.clock).publish(files)
    # Who has looked before knows that it was not there.
    assert client.refresh().reason in {"unapproved-content", "rollback"}
    assert answer(client, org="globex") is False


def test_by_freezing_again_and_again(company: World) -> None:
    """Means: the role; with a new incident each time, overlapping."""
    company.clock.advance(hours=1)
    for number in range(30):
        now = company.clock()
        claim = freeze(name=f"more-{number}", incident=f"INC-{number}", until=now + 3 * HOUR)
        (outcome,) = company.offer(signed(claim, at=now))
        if outcome.refusal is not None:
            assert outcome.refusal.code == "TooLongTogether"
            break
        company.clock.advance(hours=2)
    frozen = company.emergencies.frozen("payments/new-checkout", company.clock())
    assert frozen is None or frozen.until - frozen.since <= 24 * HOUR
    assert company.clock() < MONDAY + 26 * HOUR


def test_by_freezing_against_a_kill_switch(company: World) -> None:
    """Means: the role, and a flag that does harm."""
    client = following(company)
    off: dict[str, Any] = {"staging": {"default": "on"}, "production": {"off": True, "default": "on"}}
    company.accept(flag("new-checkout", environments=off))
    assert served(company, client, org="acme") is False


def test_by_freezing_with_a_role_that_is_taken_away(company: World) -> None:
    """Means: the role, until security takes it away."""
    client = following(company)
    company.accept(WIDER)
    assert served(company, client) is False
    roles = {"release-manager": {"people": ["dora"]}, "security": {"people": ["frank", "dora"]}}
    company.accept(emergency_policies(roles=roles)[0], by=("frank", "dora"))
    company.offer()
    assert served(company, client) is True
