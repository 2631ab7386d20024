"""A freeze in force: what is held, what goes through, how it ends, and what clients check of it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.approval.trust import Genesis
from flagseal.history import replay
from flagseal.model.errors import SnapshotError
from flagseal.snapshot.trust_change import set_trust
from tests.emergency.scene import emergency_policies, freeze, override, signed, thaw, world, written
from tests.snapshot.world import MONDAY, World, answer, document, flag

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.emergency import Offer
    from flagseal.snapshot.client import SnapshotClient

HOUR = timedelta(hours=1)
CHECKOUT = "new-checkout"


@pytest.fixture
def company(tmp_path: Path) -> World:
    """Give a world in which acme has the new checkout."""
    made = world(tmp_path)
    made.publish()
    return made


def refusals(company: World, *offers: Offer) -> list[str | None]:
    """Offer something, and give the reasons against each."""
    return [None if it.refusal is None else it.refusal.code for it in company.offer(*offers)]


def following(company: World) -> SnapshotClient:
    """Start a client that has seen what is published."""
    client = company.client()
    assert client.refresh().reason is None
    return client


def seen(company: World, client: SnapshotClient, *names: str, org: str = "acme") -> list[object]:
    """Publish, let a client look, and ask it; a new client must come to the same."""
    company.publish()
    assert client.refresh().reason is None
    fresh = company.client(f"fresh-{company.clock().timestamp()}-{company.head.sequence}-{org}")
    assert fresh.refresh().reason is None
    found = [answer(client, name, org) for name in names]
    assert [answer(fresh, name, org) for name in names] == found
    return found


def frozen(company: World, *namespaces: str, **changes: Any) -> None:  # noqa: ANN401 (of a freeze)
    """Freeze namespaces now."""
    assert refusals(company, signed(freeze(*namespaces, **changes), at=company.clock())) == [None]


def test_what_is_approved_meanwhile_takes_effect_when_the_freeze_ends(company: World) -> None:
    """It is accepted, it is not served, and nobody has to do anything for it to come."""
    client = following(company)
    frozen(company)
    company.clock.advance(minutes=5)
    company.accept(flag(CHECKOUT, on_for=["acme", "globex"]))
    assert seen(company, client, CHECKOUT, org="globex") == [False]
    assert company.head.sequence == 1
    company.clock.advance(hours=2)
    company.offer()
    assert seen(company, client, CHECKOUT, org="globex") == [True]


def test_other_namespaces_go_on(company: World) -> None:
    """A freeze holds what it names."""
    client = following(company)
    frozen(company, "search")
    company.clock.advance(minutes=5)
    company.accept(flag(CHECKOUT, on_for=["globex"]))
    company.accept(flag("ranker", "search", owner="team-search", on_for=["globex"]))
    assert seen(company, client, CHECKOUT, "ranker", org="globex") == [True, False]


def test_one_flag_can_be_held_alone(company: World) -> None:
    """An EmergencyOverride with the action freeze."""
    client = following(company)
    assert refusals(company, signed(override(action="freeze"))) == [None]
    company.clock.advance(minutes=5)
    company.accept(flag(CHECKOUT, on_for=["globex"]), flag("pay-later", on_for=["globex"]))
    assert seen(company, client, CHECKOUT, "pay-later", org="globex") == [False, True]


def test_what_is_toward_safe_goes_through(company: World) -> None:
    """A kill switch never waits, and what was killed does not come back before the freeze is over."""
    client = following(company)
    frozen(company)
    company.clock.advance(minutes=5)
    company.accept(flag(CHECKOUT))
    assert seen(company, client, CHECKOUT) == [False]
    company.clock.advance(minutes=5)
    company.accept(flag(CHECKOUT, on_for=["acme"]))
    assert seen(company, client, CHECKOUT) == [False]
    company.clock.advance(hours=2)
    company.offer()
    assert seen(company, client, CHECKOUT) == [True]


def test_toward_safe_is_judged_against_what_is_served(company: World) -> None:
    """Half of what was approved meanwhile is still more than what is served."""
    client = following(company)
    frozen(company)
    company.clock.advance(minutes=5)
    company.accept(flag(CHECKOUT, on_for=["globex", "initech"]))
    company.clock.advance(minutes=5)
    company.accept(flag(CHECKOUT, on_for=["globex"]))
    assert seen(company, client, CHECKOUT, org="globex") == [False]
    assert seen(company, client, CHECKOUT) == [True]


def test_flags_neither_come_nor_go(company: World) -> None:
    """A new flag is not served, and a removed one still is: each would change what applications get."""
    client = following(company)
    frozen(company)
    company.clock.advance(minutes=5)
    removed = company.head.documents["FlagDefinition/payments/new-checkout"]
    company.accept(flag("brand-new", on_for=["acme"]), removed=[removed])
    assert client.current is not None
    assert seen(company, client, CHECKOUT) == [True]
    assert client.current.evaluate("brand-new", {"org": "acme"}).error_code == "FLAG_NOT_FOUND"
    company.clock.advance(hours=2)
    company.offer()
    assert seen(company, client, "brand-new") == [True]
    assert client.current.evaluate(CHECKOUT, {"org": "acme"}).error_code == "FLAG_NOT_FOUND"


def test_a_ramp_stands_still_and_goes_on_where_the_clock_is(tmp_path: Path) -> None:
    """Schedules are held at the freeze's start."""
    ramp = {"variant": "on", "from": 0, "to": 100, "steps": 2, "by": "org"}
    ramp |= {"start": written(MONDAY), "end": written(MONDAY + HOUR)}
    section: dict[str, Any] = {"rules": [{"name": "ramp", "ramp": ramp}], "default": "off"}
    company = world(tmp_path, flag("slow", environments={"production": section}))
    company.publish()
    client = following(company)
    company.clock.advance(minutes=10)
    frozen(company, until=MONDAY + 2 * HOUR)
    assert seen(company, client, "slow") == [False]
    company.clock.advance(minutes=100)
    assert seen(company, client, "slow") == [False]
    company.clock.advance(minutes=11)
    company.offer()
    assert seen(company, client, "slow") == [True]


def test_a_contract_ends_though_it_is_frozen(tmp_path: Path) -> None:
    """A freeze prolongs nobody's contract, and begins none."""
    section: dict[str, Any] = {
        "rules": [{"name": "customers", "when": {"entitled": True}, "serve": "on"}],
        "default": "off",
    }
    review: dict[str, Any] = {"every": "90d", "last": "2026-11-01", "by": "alice"}
    sold = flag("reports", purpose="entitlement", review=review, environments={"production": section})
    assert isinstance(sold.spec, dict)
    spec = {key: it for key, it in sold.spec.items() if key not in {"expires", "retireWhen"}}
    terms = {"acme": ("2026-01-01", "2026-11-22"), "globex": ("2026-11-23", "2026-12-31")}
    bindings = [
        document(
            "EntitlementBinding",
            org,
            {
                "org": org,
                "owner": "team-payments",
                "agreement": {"id": org, "plan": "business", "from": since, "until": until},
                "grants": [{"flag": "payments/reports", "reason": "contract"}],
            },
            "payments",
        )
        for org, (since, until) in terms.items()
    ]
    company = world(tmp_path, document("FlagDefinition", "reports", spec, "payments"), *bindings)
    company.clock.now = MONDAY - timedelta(hours=12)
    company.publish()
    client = following(company)
    before = (seen(company, client, "reports"), seen(company, client, "reports", org="globex"))
    frozen(company, until=company.clock() + 23 * HOUR)
    company.clock.advance(hours=20)
    after = (seen(company, client, "reports"), seen(company, client, "reports", org="globex"))
    assert (before, after) == (([True], [False]), ([False], [False]))


def test_what_waited_for_its_window_waits_for_the_freeze_too(company: World) -> None:
    """Accepted before, due during, served after."""
    client = following(company)
    company.clock.advance(hours=6)
    company.accept(flag("instant-refund", tier="high-risk", on_for=["acme", "globex"]))
    company.publish()
    company.clock.advance(hours=15)
    company.publish()
    frozen(company, until=company.clock() + 3 * HOUR)
    company.clock.advance(hours=2)
    assert company.head.waiting("production", company.clock()) == ()
    assert seen(company, client, "instant-refund", org="globex") == [False]
    company.clock.advance(hours=1)
    company.offer()
    assert seen(company, client, "instant-refund", org="globex") == [True]


def test_freezes_that_overlap_are_one(company: World) -> None:
    """What the first holds stays held by the second; by a third party too."""
    client = following(company)
    frozen(company, until=MONDAY + 2 * HOUR)
    company.clock.advance(minutes=30)
    company.accept(flag(CHECKOUT, on_for=["globex"]))
    company.publish()
    company.clock.advance(minutes=60)
    frozen(company, "payments", name="longer", incident="INC-8", until=MONDAY + 3 * HOUR)
    company.clock.advance(minutes=60)
    company.offer()
    assert seen(company, client, CHECKOUT) == [True]
    company.clock.advance(hours=1)
    company.offer()
    assert seen(company, client, CHECKOUT) == [False]


def test_together_they_hold_no_longer_than_a_day(company: World) -> None:
    """Whatever the incidents; with a gap between, what waited has taken effect."""
    frozen(company, until=MONDAY + 20 * HOUR)
    company.clock.advance(hours=19)
    now = company.clock()
    longer = freeze(name="longer", incident="INC-8", until=MONDAY + 25 * HOUR)
    assert refusals(company, signed(longer, at=now)) == ["TooLongTogether"]
    assert refusals(company, signed(freeze(name="same", until=MONDAY + 25 * HOUR), at=now)) == ["TooLongTogether"]
    company.clock.advance(hours=2)
    now = company.clock()
    assert refusals(company, signed(freeze(name="again", until=now + 5 * HOUR), at=now)) == ["TooLongTogether"]
    other = freeze(name="other", incident="INC-9", until=now + 5 * HOUR)
    assert refusals(company, signed(other, at=now)) == [None]


def test_it_ends_early_by_a_claim_with_its_own_proof(company: World) -> None:
    """And the person who ends it must hold the role."""
    client = following(company)
    frozen(company)
    company.clock.advance(minutes=5)
    company.accept(flag(CHECKOUT, on_for=["globex"]))
    assert seen(company, client, CHECKOUT) == [True]
    company.clock.advance(minutes=5)
    assert refusals(company, signed(thaw(), "bob", at=company.clock())) == ["RoleMissing"]
    assert seen(company, client, CHECKOUT) == [True]
    company.clock.advance(minutes=5)
    assert refusals(company, signed(thaw(by_name="end"), at=company.clock())) == [None]
    assert seen(company, client, CHECKOUT) == [False]


def test_a_rollback_is_never_blocked(company: World) -> None:
    """A flag that is frozen on goes to its safe variant, and what asks for it follows."""
    asks: dict[str, Any] = {"requires": [{"flag": CHECKOUT, "variant": "on"}], "default": "on"}
    company.accept(flag("asks", environments={"production": asks}))
    client = following(company)
    assert seen(company, client, CHECKOUT, "asks") == [True, True]
    frozen(company)
    company.clock.advance(minutes=5)
    company.accept(flag(CHECKOUT, on_for=["globex"]), flag("asks"))
    company.clock.advance(minutes=5)
    assert refusals(company, signed(override(), at=company.clock())) == [None]
    assert seen(company, client, CHECKOUT, "asks") == [False, False]


def test_a_segment_of_another_flag_does_not_move_a_frozen_one(tmp_path: Path) -> None:
    """One flag is held with all it refers to, and its neighbour moves on; provenance names both contents."""

    def segment(*orgs: str) -> Any:  # noqa: ANN401 (a document)
        return document(
            "Segment", "pilots", {"description": "Pilots.", "when": {"org": {"in": list(orgs)}}}, "payments"
        )

    rules = [{"name": "pilots", "when": {"segment": "pilots"}, "serve": "on"}]
    section: dict[str, Any] = {"production": {"rules": rules, "default": "off"}}
    company = world(tmp_path, segment("acme"), flag(CHECKOUT, environments=section), flag("twin", environments=section))
    company.publish()
    client = following(company)
    assert refusals(company, signed(override(action="freeze"))) == [None]
    company.clock.advance(minutes=5)
    company.accept(segment("globex"))
    assert seen(company, client, CHECKOUT, "twin") == [True, False]
    assert seen(company, client, CHECKOUT, "twin", org="globex") == [False, True]
    provenance = json.loads(company.build().files["payments/provenance.json"])
    found = [it["spec"]["when"] for it in provenance["documents"] if it["kind"] == "Segment"]
    assert len(found) == 2


def test_a_key_goes_to_one_flag_only(company: World) -> None:
    """A flag outside the freeze that takes over a frozen flag's key waits as long as that does."""
    client = following(company)
    assert refusals(company, signed(override(action="freeze"))) == [None]
    company.clock.advance(minutes=5)
    company.accept(flag(CHECKOUT, key="old-checkout", on_for=["acme"]), flag("pay-later", key=CHECKOUT))
    assert seen(company, client, CHECKOUT, "pay-later") == [True, False]
    company.clock.advance(hours=2)
    company.offer()
    assert seen(company, client, CHECKOUT, "old-checkout") == [False, True]


def test_a_change_of_metadata_goes_through_and_moves_no_schedule(tmp_path: Path) -> None:
    """Nobody is served anything else by it."""
    ramp = {"variant": "on", "from": 0, "to": 100, "steps": 2, "by": "org"}
    ramp |= {"start": written(MONDAY), "end": written(MONDAY + HOUR)}
    section: dict[str, Any] = {"production": {"rules": [{"name": "ramp", "ramp": ramp}], "default": "off"}}
    company = world(tmp_path, flag("slow", environments=section))
    company.publish()
    client = following(company)
    frozen(company)
    company.clock.advance(minutes=61)
    company.accept(flag("slow", environments=section, ticket="PAY-2"))
    assert seen(company, client, "slow") == [False]
    documents = json.loads(company.build().files["payments/provenance.json"])["documents"]
    assert [it["spec"]["ticket"] for it in documents] == ["PAY-2"]


def test_flags_say_that_something_is_held_back(company: World) -> None:
    """In their metadata, by incident, and only where something is."""
    client = following(company)
    frozen(company)
    company.clock.advance(minutes=5)
    company.accept(flag(CHECKOUT, on_for=["globex"]))
    seen(company, client, CHECKOUT)
    assert client.current is not None
    told = {name: client.current.evaluate(name, {"org": "acme"}).metadata or {} for name in (CHECKOUT, "pay-later")}
    assert [metadata.get("frozen") for metadata in told.values()] == ["INC-7", None]


def test_what_was_on_its_way_is_not_undone(company: World) -> None:
    """A freeze holds what was there when it was seen, not when it was signed."""
    client = following(company)
    claim = signed(freeze(), at=company.clock())
    company.clock.advance(minutes=3)
    company.accept(flag(CHECKOUT, on_for=["globex"]))
    assert seen(company, client, CHECKOUT, org="globex") == [True]
    company.clock.advance(minutes=3)
    assert refusals(company, claim) == [None]
    assert seen(company, client, CHECKOUT, org="globex") == [True]


def test_a_restart_during_a_freeze_holds_the_same(company: World) -> None:
    """Everything is read back from what was published."""
    client = following(company)
    frozen(company)
    company.clock.advance(minutes=5)
    company.accept(flag(CHECKOUT, on_for=["globex"]))
    seen(company, client, CHECKOUT)
    content = company.new_publisher().load()
    assert content is not None
    assert content.build.files == company.build().files
    replayed = replay(company.trust, company.genesis_documents, company.entries)
    assert replayed == company.head


def test_what_no_freeze_can_ask_for_is_forgotten(company: World) -> None:
    """By clients and publishers: a little memory for eleven minutes, and for as long as a freeze holds."""
    client = following(company)

    def remembered() -> list[int]:
        assert client.current is not None
        assert client.current.head is not None
        return [entry.sequence for entry in client.current.head.recent]

    for number in range(3):
        company.accept(flag("pay-later", on_for=[f"org-{number}"]))
        seen(company, client, CHECKOUT)
        company.clock.advance(minutes=6)
    assert remembered() == [2, 3]
    frozen(company, until=company.clock() + 3 * HOUR)
    for number in range(3):
        company.clock.advance(minutes=20)
        company.accept(flag(CHECKOUT, on_for=[f"org-{number}"]))
        seen(company, client, CHECKOUT)
    assert remembered() == [4, 5, 6]
    company.clock.advance(hours=3)
    company.offer()
    seen(company, client, CHECKOUT)
    assert remembered() == []


def test_genesis_does_not_move_past_what_is_frozen(company: World) -> None:
    """A genesis is in effect at once, and forgets what was there before it."""
    frozen(company)
    company.clock.advance(minutes=5)
    company.change(flag(CHECKOUT, on_for=["globex"]))
    genesis = Genesis(company.head.commit, company.head.manifest.digest, company.head.sequence)
    moved = replace(company.trust, genesis=genesis)
    with pytest.raises(SnapshotError) as refused:
        set_trust(company.directory, company.root, moved, signers=company.offline[:2], now=company.clock())
    assert refused.value.code == "GenesisWaits"


def test_what_somebody_froze_thaws_with_their_role(company: World) -> None:
    """Taking authority away is never held up by a freeze of theirs."""
    client = following(company)
    frozen(company)
    company.clock.advance(minutes=5)
    company.accept(flag(CHECKOUT, on_for=["globex"]))
    assert seen(company, client, CHECKOUT) == [True]
    company.clock.advance(minutes=5)
    roles = {"release-manager": {"people": ["dora"]}, "security": {"people": ["frank", "dora"]}}
    company.accept(emergency_policies(roles=roles)[0], by=("frank", "dora"))
    company.offer()
    assert seen(company, client, CHECKOUT) == [False]
