"""A rollback in force: what is served, how it ends, and what clients check of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.emergency import Emergencies, require_holding, take
from flagseal.emergency.ledger import missing
from flagseal.history import build, next_change
from tests.emergency.scene import ROLE, emergency_policies, ending, override, receipted, signed, world
from tests.incidents.world import TEAMS, review_of
from tests.snapshot.world import MONDAY, World, answer, flag

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from flagseal.model.canonical import Json

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
MORE = [signed(ending(by_name=f"over-{number}")) for number in range(5)]


def loaded(listed: Sequence[Json]) -> Any:  # noqa: ANN401 (JSON)
    """Read what was written, as clients do."""
    return json.loads(json.dumps(listed))


@pytest.fixture
def company(tmp_path: Path) -> World:
    """Give a world in which acme has the new checkout."""
    made = world(tmp_path)
    made.publish()
    return made


def refusals(company: World, *offers: Any) -> list[str | None]:  # noqa: ANN401 (offers)
    """Offer something, and give the reasons against each."""
    outcomes = company.offer(*offers)
    return [None if it.refusal is None else it.refusal.code for it in outcomes]


def test_a_rollback_reaches_clients_and_ends_by_itself(company: World) -> None:
    """Into what git holds by then."""
    client = company.client()
    client.refresh()
    assert answer(client) is True
    assert refusals(company, signed(override())) == [None]
    assert next_change(company.head, "production", MONDAY, company.emergencies) == MONDAY + 2 * HOUR
    company.publish()
    assert client.refresh().reason is None
    assert client.current is not None
    told = client.current.evaluate("new-checkout", {"targetingKey": "u1", "org": "acme"})
    assert (told.value, dict(told.metadata or {})["breakGlass"]) == (False, "INC-7")
    company.clock.advance(hours=2)
    company.offer()
    company.publish()
    assert client.refresh().reason is None
    assert answer(client) is True


def test_what_is_accepted_meanwhile_is_served_afterwards(company: World) -> None:
    """Accepting goes on; whatever the flag says, its safe variant is served."""
    company.offer(receipted(override()))
    company.change(flag("new-checkout", on_for=["globex"]))
    client = company.client()
    client.refresh()
    assert answer(client, org="globex") is False
    company.clock.advance(hours=2)
    company.offer()
    company.publish()
    client.refresh()
    assert (answer(client), answer(client, org="globex")) == (False, True)


def test_the_evidence_stays_when_the_resource_is_deleted(company: World) -> None:
    """And when everything is restarted: it is read back from what was published."""
    company.offer(signed(override()))
    company.publish()
    content = company.new_publisher().load()
    assert content is not None
    assert content.build.emergencies == company.emergencies
    company.offer()
    assert [it.claim.name for it in company.emergencies.holding(company.clock())] == ["stop-it"]


def test_it_ends_early_by_a_claim_with_its_own_proof(company: World) -> None:
    """And what ended stays on the list, for whoever reviews it."""
    company.offer(signed(override()))
    company.publish()
    client = company.client()
    client.refresh()
    company.clock.advance(minutes=5)
    assert refusals(company, signed(override()), signed(ending(), at=company.clock())) == [None, None]
    company.publish()
    assert client.refresh().reason is None
    assert answer(client) is True
    listed = json.loads(company.build().files["_repository/head.json"])["overrides"]
    assert [entry["name"] for entry in listed] == ["stop-it", "over"]


def test_who_may_not_start_one_may_not_end_one(company: World) -> None:
    """Nor can one end what is not there."""
    company.offer(signed(override()))
    assert refusals(company, signed(ending(), "bob")) == ["RoleMissing"]
    assert refusals(company, signed(ending("other"))) == ["NothingToEnd"]
    assert company.emergencies.holding(MONDAY)


def test_one_incident_cannot_hold_a_flag_for_ever(company: World) -> None:
    """The maximum counts together by flag and incident, and what overlaps counts once."""
    assert refusals(company, signed(override(name="one", until=MONDAY + 20 * HOUR))) == [None]
    company.clock.advance(hours=20)
    now = company.clock()
    again = signed(override(name="two", until=now + 5 * HOUR), at=now)
    assert refusals(company, again) == ["TooLongTogether"]
    assert refusals(company, signed(override(name="three", until=now + 4 * HOUR), at=now)) == [None]
    other = signed(override(name="four", until=now + 5 * HOUR, incident="INC-8"), at=now)
    assert refusals(company, other) == [None]


def test_a_proof_counts_once(company: World) -> None:
    """After its end the same claim has no effect, whatever proof comes along."""
    offer = signed(override())
    company.offer(offer)
    company.clock.advance(hours=3)
    company.offer(offer, signed(override(), at=company.clock()))
    assert company.emergencies.holding(company.clock()) == ()


@pytest.fixture
def larger(tmp_path: Path) -> World:
    """Give a world with one more owner, who may review what alice did to bob's flag."""
    made = world(tmp_path / "larger", teams=TEAMS)
    made.publish()
    return made


def test_a_month_after_its_end_it_is_forgotten_once_it_is_reviewed(larger: World) -> None:
    """Until then it stays, with what ended it, and everybody who reads the list can still check it."""
    (offered,) = larger.offer(signed(override()))
    larger.offer(signed(ending(), at=larger.clock()))
    larger.clock.advance(days=60)
    larger.offer()
    assert [it.claim.ends is None for it in larger.emergencies.standings] == [True, False]
    assert larger.emergencies.standings[0].until == MONDAY
    larger.publish()
    assert larger.client().refresh().reason is None
    assert offered.standing is not None
    larger.change(review_of(offered.standing), by=("frank", "dora"))
    larger.offer()
    assert larger.emergencies == Emergencies()


def test_what_is_reviewed_stays_for_a_month_after_its_end(larger: World) -> None:
    """The time that an incident may take counts together."""
    (offered,) = larger.offer(signed(override()))
    assert offered.standing is not None
    larger.change(review_of(offered.standing), by=("frank", "dora"))
    larger.clock.advance(days=29)
    larger.offer()
    assert larger.emergencies.standings
    larger.clock.advance(days=2)
    larger.offer()
    assert larger.emergencies == Emergencies()


@pytest.mark.parametrize("looked_at", [{"o-1"}, set()])
def test_of_too_many_the_reviewed_ones_go_first_and_then_the_oldest(
    company: World, monkeypatch: pytest.MonkeyPatch, looked_at: set[str]
) -> None:
    """The list is bounded, and no emergency is refused for it."""
    monkeypatch.setattr("flagseal.emergency.ledger.MOST_KEPT", 2)
    known = Emergencies()
    for number in range(3):
        at = company.clock()
        offer = signed(override(name=f"o-{number}", until=at + HOUR, incident=f"INC-{number}"), at=at)
        known, (outcome,) = take(known, [offer], company.head.policies.organisation, company.trust, now=at)
        assert outcome.refusal is None
        company.clock.advance(hours=2)
    now, organisation = company.clock(), company.head.policies.organisation
    after, _ = take(known, (), organisation, company.trust, now=now, reviewed=lambda it: it.claim.name in looked_at)
    assert [it.claim.name for it in after.standings] == (["o-0", "o-2"] if looked_at else ["o-1", "o-2"])


def test_what_ended_is_not_ended_again(company: World) -> None:
    """Neither early nor by itself: each would be one more to be listed and checked, and change nothing."""
    company.offer(signed(override()))
    many = [signed(ending(by_name=f"over-{number}")) for number in range(3)]
    assert refusals(company, *many) == [None, "NothingToEnd", "NothingToEnd"]
    company.clock.advance(seconds=1)
    assert refusals(company, signed(ending(by_name="again"), at=company.clock())) == ["NothingToEnd"]
    company.offer(signed(override(name="short", until=company.clock() + MINUTE), at=company.clock()))
    company.clock.advance(minutes=1)
    assert refusals(company, signed(ending("short", by_name="late"), at=company.clock())) == ["NothingToEnd"]
    assert [it.claim.name for it in company.emergencies.standings] == ["stop-it", "over-0", "short"]


def test_of_many_that_ended_one_the_earliest_stays(company: World) -> None:
    """A list that is published already names more: clients go on taking it, and the publisher lets go of them."""
    (started, first) = company.offer(signed(override()), signed(ending(by_name="over-5"), at=MONDAY - MINUTE))
    assert started.standing is not None
    assert first.standing is not None
    more = [replace(first.standing, claim=it.claim, proof=it.proof) for it in MORE if it.proof is not None]
    published = Emergencies((started.standing, *more, first.standing))
    organisation, trust = company.head.policies.organisation, company.trust
    listed = [it.body() for it in published.standings]
    assert len(require_holding(loaded(listed), organisation, trust, as_of=MONDAY).standings) == len(MORE) + 2

    held, _ = take(published, (), organisation, trust, now=MONDAY + HOUR)
    assert missing(published, held, organisation, trust, as_of=MONDAY + HOUR) is None
    assert len(held.standings) == len(MORE) + 2, "to clients that hold it, what would still matter is not left out"
    later = MONDAY + timedelta(days=400)
    kept, _ = take(held, (), organisation, trust, now=later, reviewed=lambda _: False)
    assert [it.claim.name for it in kept.standings] == ["stop-it", "over-5"]
    assert kept.standings[0].until == held.standings[0].until
    assert missing(held, kept, organisation, trust, as_of=later) is None
    assert require_holding(loaded([it.body() for it in kept.standings]), organisation, trust, as_of=later) == kept


def test_another_may_end_what_goes_on_as_the_first_lost_the_role(tmp_path: Path) -> None:
    """Their claim ends nothing any more, so it stands in nobody's way."""
    both = {"release-manager": {"people": ["dora"]}, "security": {"people": ["frank", "dora"]}}
    company = world(tmp_path, roles={**both, ROLE: {"people": ["alice", "bob"]}})
    company.publish()
    company.offer(signed(override(), "bob"), signed(ending()))
    assert not company.emergencies.holding(MONDAY)
    company.accept(emergency_policies(roles={**both, ROLE: {"people": ["bob"]}})[0], by=("frank", "dora"))
    company.offer()
    assert company.emergencies.holding(MONDAY)
    assert refusals(company, signed(ending(by_name="again"), "bob", at=company.clock())) == [None]
    assert not company.emergencies.holding(MONDAY)


def test_what_somebody_made_ends_with_their_role(company: World) -> None:
    """Taking authority away is never held up by an emergency of theirs; clients follow."""
    company.offer(signed(override()))
    company.publish()
    client = company.client()
    client.refresh()
    organisation = emergency_policies(
        roles={"release-manager": {"people": ["dora"]}, "security": {"people": ["frank", "dora"]}}
    )
    company.accept(organisation[0], by=("frank", "dora"))
    company.offer()
    assert company.emergencies == Emergencies()
    company.publish()
    assert client.refresh().reason is None
    assert answer(client) is True


def test_what_asks_for_a_flag_goes_with_it_and_nothing_is_widened(tmp_path: Path) -> None:
    """A flag that asks for the safe variant would serve more than before: it stays as it is."""
    asks: dict[str, Any] = {"requires": [{"flag": "new-checkout", "variant": "on"}], "default": "on"}
    fears: dict[str, Any] = {"requires": [{"flag": "new-checkout", "variant": "off"}], "default": "on"}
    flags = (
        flag("new-checkout", on_for=["acme"]),
        flag("asks", environments={"production": asks}),
        flag("fears", environments={"production": fears}),
        flag(
            "far",
            "search",
            environments={"production": {**asks, "requires": [{"flag": "payments/asks", "variant": "on"}]}},
        ),
    )
    company = world(tmp_path, *flags)
    company.publish()
    client = company.client()
    client.refresh()
    names = ("new-checkout", "asks", "fears", "far")
    assert [answer(client, name) for name in names] == [True, True, False, True]
    company.offer(signed(override()))
    company.publish()
    client.refresh()
    assert [answer(client, name) for name in names] == [False, False, False, False]


def test_building_on_what_was_built_gives_the_same_bytes(company: World) -> None:
    """At the beginning, during and at the end of an override."""
    organisation, trust = company.head.policies.organisation, company.trust
    emergencies, previous = Emergencies(), None
    for minutes in (0, 1, 60, 119, 120, 200):
        now = MONDAY + minutes * MINUTE
        offers = [signed(override(), at=now)] if minutes == 1 else []
        emergencies, _ = take(emergencies, offers, organisation, trust, now=now)
        whole = build(company.head, "production", now, emergencies=emergencies)
        previous = build(company.head, "production", now, previous=previous, emergencies=emergencies)
        same = {path: data for path, data in whole.files.items() if not path.startswith("_")}
        assert {path: previous.files[path] for path in same} == same
        assert (b"breakGlass" in whole.files["payments/flags.json"]) is (1 <= minutes < 120)
