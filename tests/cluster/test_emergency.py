"""Break-glass on a real API server: from the resource to the answer, within seconds."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flagseal_cli.main import run
from tests.cluster.test_operator import active, now
from tests.cluster.world import CarriedWorld
from tests.emergency.scene import ADMISSION, emergency_policies, freeze, override, receipted, signed, thaw
from tests.incidents.world import TEAMS, review_of
from tests.snapshot.world import FLAGS, answer, flag

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from flagseal.emergency import Offer
    from tests.cluster.cluster import Cluster


def resource(offer: Offer) -> dict[str, Any]:
    """Write an offer as somebody would create it."""
    claim, proof = offer.claim, offer.proof
    annotations = {} if proof is None else {"flagseal.dev/proof": json.dumps(proof.body())}
    metadata = {"name": claim.name, "annotations": annotations}
    metadata |= {} if claim.namespace is None else {"namespace": claim.namespace}
    return {
        "apiVersion": "flagseal.dev/v1alpha1",
        "kind": claim.kind,
        "metadata": metadata,
        "spec": json.loads(claim.spec),
    }


def founded(cluster: Cluster, folder: Path, **changes: Any) -> CarriedWorld:  # noqa: ANN401 (parts of the organisation)
    """Put a company with an emergency role into a cluster."""
    world = CarriedWorld(folder, documents=(*emergency_policies(**changes), *FLAGS), admission=ADMISSION.public_key)
    for body in (*world.genesis_bodies(), *world.declared()):
        cluster.create(body)
    return world


def test_an_override_reaches_the_answer_and_survives_its_deletion(cluster: Cluster, tmp_path: Path) -> None:
    """And the statuses of the override and of the flag say who, why and until when."""
    world = founded(cluster, tmp_path)
    with active(cluster, world) as operator, world.client() as client:
        world.clock.now = now()
        client.refresh()
        assert answer(client) is True
        begun = now().replace(microsecond=0)
        until = begun + timedelta(hours=1)
        cluster.create(resource(signed(override(until=until), at=begun)))
        cluster.until(lambda: operator.vitals.published == 2)
        world.clock.now = now()
        client.refresh()
        assert answer(client) is False
        cluster.until(
            lambda: cluster.conditions("EmergencyOverride", "stop-it", "payments")["Active"]["status"] == "True"
        )
        cluster.until(lambda: "BreakGlassActive" in cluster.conditions("FlagDefinition", "new-checkout", "payments"))
        steps = operator.vitals.steps
        cluster.kubectl("delete", "emergencyoverrides", "-n", "payments", "stop-it")
        cluster.until(lambda: operator.vitals.steps > steps)
        client.refresh()
        assert answer(client) is False


def test_unproven_ones_do_nothing_and_say_why(cluster: Cluster, tmp_path: Path) -> None:
    """Without a proof, by an administrator's groups alone, and with the proof of another."""
    world = founded(cluster, tmp_path)
    with active(cluster, world) as operator:
        begun = now().replace(microsecond=0)
        until = begun + timedelta(hours=1)
        offers = {
            "Unproven": override(name="bare", until=until),
            "RoleMissing": override(name="groups", until=until),
            "ClaimMismatch": override(name="moved", until=until),
        }
        by_groups = receipted(offers["RoleMissing"], "bob@acme", at=begun, groups=("system:masters",))
        moved = signed(override(name="genuine", until=until), at=begun)
        bodies = {reason: resource(signed(claim, at=begun)) for reason, claim in offers.items()}
        bodies["Unproven"]["metadata"]["annotations"] = {}
        bodies["RoleMissing"] = resource(by_groups)
        bodies["ClaimMismatch"]["metadata"]["annotations"] = resource(moved)["metadata"]["annotations"]
        for body in bodies.values():
            cluster.create(body)
        for reason, claim in offers.items():
            cluster.until(
                lambda name=claim.name: "Ready" in cluster.conditions("EmergencyOverride", name, "payments")  # type: ignore[misc]
            )
            ready = cluster.conditions("EmergencyOverride", claim.name, "payments")["Ready"]
            assert (ready["status"], ready["reason"]) == ("False", reason)
        assert operator.vitals.published == 1


def test_a_freeze_holds_what_is_approved_and_lets_a_kill_switch_through(cluster: Cluster, tmp_path: Path) -> None:
    """The statuses say what waits, for whom and until when; ending it lets everything take effect."""
    world = founded(cluster, tmp_path)
    with active(cluster, world) as operator, world.client() as client:
        begun = now().replace(microsecond=0)
        cluster.create(resource(signed(freeze("payments", until=begun + timedelta(hours=1)), at=begun)))
        cluster.until(lambda: cluster.conditions("FlagFreeze", "hold-it").get("Active", {}).get("status") == "True")
        cluster.until(lambda: "Frozen" in cluster.conditions("FlagDefinition", "pay-later", "payments"))
        assert "Frozen" not in cluster.conditions("FlagDefinition", "ranker", "search")
        # A freeze counts from the end of the second in which it was seen.
        seen = now()
        cluster.until(lambda: now() >= seen + timedelta(seconds=1))
        wider, killed = flag("pay-later", on_for=["acme"]), flag("new-checkout")
        for body in (*world.approve(wider), *world.approve(killed)):
            cluster.create(body)
        cluster.until(lambda: "Drifted" in cluster.conditions("FlagDefinition", "pay-later", "payments"))
        drift = cluster.conditions("FlagDefinition", "pay-later", "payments")["Drifted"]
        assert drift["message"].endswith("which takes effect later.")
        for document in (wider, killed):
            assert isinstance(document.spec, dict)
            cluster.edit("FlagDefinition", document.name, "payments", document.spec)
        cluster.until(lambda: operator.vitals.sequence == 2)
        cluster.until(lambda: ready(cluster, "pay-later")["reason"] == "Frozen")
        cluster.until(lambda: ready(cluster, "new-checkout")["reason"] == "InForce")
        message = ready(cluster, "pay-later")["message"]
        assert "takes effect when the freeze ends: alice froze payments for INC-7" in message
        world.clock.now = now()
        client.refresh()
        assert (answer(client), answer(client, "pay-later")) == (False, False)
        ended = now().replace(microsecond=0)
        cluster.create(resource(signed(thaw(), at=ended)))
        cluster.until(lambda: ready(cluster, "pay-later")["status"] == "True")
        cluster.until(lambda: "Frozen" not in cluster.conditions("FlagDefinition", "pay-later", "payments"))
        assert operator.vitals.published is not None
        world.clock.now = now()
        client.refresh()
        assert answer(client, "pay-later") is True


def test_a_review_is_told_by_the_status_of_the_override(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It reaches the cluster in a FlagApproval alone: no resource declares it, and nothing is missing for that."""
    world = founded(cluster, tmp_path, teams=TEAMS)
    with active(cluster, world) as operator:
        begun = now().replace(microsecond=0)
        world.clock.now = begun
        offer = signed(override(until=begun + timedelta(hours=1)), at=begun)
        cluster.create(resource(offer))
        cluster.until(lambda: "Reviewed" in cluster.conditions("EmergencyOverride", "stop-it", "payments"))
        told = cluster.conditions("EmergencyOverride", "stop-it", "payments")["Reviewed"]
        assert (told["status"], told["reason"]) == ("False", "NotReviewed")
        (outcome,) = world.offer(offer)
        assert outcome.standing is not None
        world.clock.now = now()
        for body in world.approve(review_of(outcome.standing), by=("frank",)):
            cluster.create(body)
        cluster.until(
            lambda: cluster.conditions("EmergencyOverride", "stop-it", "payments")["Reviewed"]["status"] == "True"
        )
        body = json.loads(cluster.kubectl("get", "emergencyoverrides", "-n", "payments", "stop-it", "-o", "json"))
        assert body["status"]["proof"] == outcome.standing.proof.digest
        assert body["status"]["reviewed"]["by"] == ["frank"]
        active_now = cluster.conditions("FlagDefinition", "new-checkout", "payments")["BreakGlassActive"]
        assert "It was reviewed by frank" in active_now["message"]
        assert operator.vitals.missing == 0
        run(["cluster", "status", f"--kubeconfig={cluster.kubeconfig}"])
        assert "EmergencyOverride payments/stop-it  Ready=True  Active  by alice  reviewed" in capsys.readouterr().out
        shown = cluster.kubectl("get", "emergencyoverrides", "-n", "payments")
        assert "REVIEWED" in shown
        assert "returned" in shown


def ready(cluster: Cluster, name: str) -> dict[str, Any]:
    """Give the Ready condition of a flag of payments."""
    return cluster.conditions("FlagDefinition", name, "payments")["Ready"]
