"""Break glass without being allowed to, or keep somebody else's break-glass from ending or from working."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from flagseal.emergency import Emergencies, take
from flagseal.history import build
from tests.attacks.thief import Thief
from tests.emergency.scene import ROLE, ending, override, receipted, signed, world
from tests.snapshot.world import MONDAY, World, answer

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.emergency import Offer
    from flagseal.snapshot.client import SnapshotClient

HOUR = timedelta(hours=1)


@pytest.fixture
def company(tmp_path: Path) -> World:
    """Give a world in which acme has the new checkout."""
    made = world(tmp_path)
    made.publish()
    return made


def has_no_effect(company: World, *offers: Offer) -> bool:
    """Offer something, and see whether anything holds then."""
    outcomes = company.offer(*offers)
    return all(it.refusal is not None for it in outcomes) and not company.emergencies.holding(company.clock())


def test_by_writing_a_resource_without_a_proof(company: World) -> None:
    """Means: may create EmergencyOverrides while the webhook is bypassed."""
    assert has_no_effect(company, replace(signed(override()), proof=None))


def test_by_groups_alone(company: World) -> None:
    """Means: an administrator of the cluster, in every group there is."""
    assert has_no_effect(company, receipted(override(), "bob@acme", groups=("system:masters", ROLE)))


def test_by_moving_a_proof_to_another_resource(company: World) -> None:
    """Means: a proof somebody made, copied to another flag, namespace, environment or name."""
    proof = signed(override())
    others = (
        override("pay-later"),
        override("ranker", namespace="search"),
        override(environment="staging"),
        override(name="again"),
    )
    assert has_no_effect(company, *(replace(proof, claim=other) for other in others))


def test_by_a_proof_of_another_repository(company: World) -> None:
    """Means: the same people work in another repository."""
    assert has_no_effect(company, signed(override(), repository="git:" + "2" * 40))


def test_by_editing_until(company: World) -> None:
    """Means: may write the resource, whose proof is somebody else's."""
    assert has_no_effect(company, replace(signed(override()), claim=override(until=MONDAY + 20 * HOUR)))


def test_by_replaying_one_that_is_over(company: World) -> None:
    """Means: kept the resource with its proof, and creates it again: after its early end, and when it is forgotten."""
    offer = signed(override(until=MONDAY + 20 * HOUR))
    company.offer(offer)
    company.clock.advance(minutes=5)
    company.offer(signed(ending(), at=company.clock()))
    company.offer(offer)
    assert not company.emergencies.holding(company.clock())
    company.emergencies = Emergencies()
    company.clock.advance(hours=1)
    assert has_no_effect(company, offer)


def test_by_deleting_the_resource_to_end_it(company: World) -> None:
    """Means: may delete EmergencyOverrides, and restart the operator."""
    company.offer(signed(override()))
    company.publish()
    content = company.new_publisher().load()
    assert content is not None
    company.emergencies = content.build.emergencies
    company.offer()
    assert company.emergencies.holding(company.clock())


class Scene:
    """A thief of the online key, and a client that knows the world."""

    def __init__(self, company: World) -> None:
        self.company = company
        self.client: SnapshotClient = company.client()
        assert self.client.refresh().reason is None
        self.thief = Thief(company.directory, company.online, company.clock)

    def publish(self, emergencies: Emergencies) -> str | None:
        """Publish what the own tools build with made-up emergencies; give the client's reason against it."""
        made = build(self.company.head, "production", self.company.clock(), emergencies=emergencies)
        self.thief.publish(made.files)
        return self.client.refresh().reason


def invented(company: World, offer: Offer, **organisation: Any) -> Emergencies:  # noqa: ANN401 (fields)
    """Build the list that a thief wants, by a check that holds for an organisation of their own."""
    own = msgspec.structs.replace(company.head.policies.organisation, **organisation)
    emergencies, outcomes = take(Emergencies(), [offer], own, company.trust, now=company.clock())
    assert outcomes[0].refusal is None
    return emergencies


def test_by_inventing_one_with_the_online_key(company: World) -> None:
    """Means: the online key and the store, and bob's own key, who does not hold the role."""
    scene = Scene(company)
    roles = company.head.policies.organisation.roles
    mine = {**roles, ROLE: msgspec.structs.replace(roles[ROLE], people=("bob",))}
    assert scene.publish(invented(company, signed(override(), "bob"), roles=mine)) == "unapproved-content"
    assert answer(scene.client) is True


def test_by_serving_the_safe_variant_without_saying_why(company: World) -> None:
    """Means: the online key; the flags are those of a rollback, and no rollback is listed."""
    scene = Scene(company)
    listed = invented(company, signed(override()))
    files = dict(build(company.head, "production", company.clock(), emergencies=listed).files)
    head = json.loads(files["_repository/head.json"])
    files["_repository/head.json"] = json.dumps({**head, "overrides": []}).encode()
    scene.thief.publish(files)
    assert scene.client.refresh().reason == "unapproved-content"
    assert answer(scene.client) is True


def test_by_dropping_one_with_the_online_key(company: World) -> None:
    """Means: the online key; the checkout is broken, and is to stay on for a client that saw the rollback."""
    company.offer(signed(override()))
    company.publish()
    scene = Scene(company)
    assert answer(scene.client) is False
    assert scene.publish(Emergencies()) == "rollback"
    assert answer(scene.client) is False


def test_by_dropping_the_early_end_with_the_online_key(company: World) -> None:
    """Means: the online key; the rollback that was ended is to go on."""
    offer = signed(override())
    company.offer(offer)
    company.offer(offer, signed(ending()))
    company.publish()
    scene = Scene(company)
    assert answer(scene.client) is True
    assert scene.publish(Emergencies(company.emergencies.standings[:1])) == "rollback"
    assert answer(scene.client) is True


def test_by_dating_back_an_old_proof_with_the_online_key(company: World) -> None:
    """Means: the online key, and a genuine proof that never got through, an hour old."""
    offer = signed(override())
    late = invented(company, offer)
    company.clock.advance(hours=1)
    company.publish()
    company.publisher.refresh()
    scene = Scene(company)
    assert scene.publish(late) == "unapproved-content"
    assert answer(scene.client) is True
