"""Change what a cluster serves, with every right on our resources and none of the approvers' keys.

The attacker is a service account with a real token (TokenRequest), to whom an administrator gave all verbs on
everything of ``flagseal.dev``, statuses included: more than any namespace's own people need. API server and operator
are real.
"""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client
from kubernetes.client.exceptions import ApiException
from securesystemslib.signer import CryptoSigner

from flagseal_operator.carriers import carry, statement_carrier
from tests.approval.keyring import signed as signed_by
from tests.cluster.cluster import Cluster, resource_of
from tests.cluster.test_emergency import founded, resource
from tests.cluster.test_operator import active
from tests.cluster.world import bodies_of
from tests.emergency.scene import override, receipted, signed
from tests.snapshot.world import answer, flag

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from flagseal_operator.active import Active
    from tests.cluster.control_plane import ControlPlane
    from tests.cluster.world import CarriedWorld

EVERYBODY = flag("pay-later", on_for=["acme", "mallory"])
NAMES = {"metadata": {"name": "mallory"}}


def now() -> datetime:
    """Read the clock, in whole seconds."""
    return datetime.now(UTC).replace(microsecond=0)


class Attacker(Cluster):
    """The cluster as the attacker reaches it."""

    def namespace(self, name: str) -> None:
        """Make none: they are there, and the right is not."""


@pytest.fixture
def mallory(plane: ControlPlane, cluster: Cluster) -> Attacker:
    """Give the cluster as the attacker reaches it."""
    for namespace in ("payments", "search"):
        cluster.namespace(namespace)
    rbac: Any = client.RbacAuthorizationV1Api(cluster.api)
    every = {"apiGroups": ["flagseal.dev"], "resources": ["*"], "verbs": ["*"]}
    subject = {"kind": "ServiceAccount", "name": "mallory", "namespace": "payments"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "mallory"}
    calls: tuple[Callable[[], object], ...] = (
        lambda: cluster.core.create_namespaced_service_account("payments", NAMES),
        lambda: rbac.create_cluster_role({**NAMES, "rules": [every]}),
        lambda: rbac.create_cluster_role_binding({**NAMES, "subjects": [subject], "roleRef": role}),
    )
    for call in calls:
        try:
            call()
        except ApiException as error:
            assert error.status == 409  # noqa: PT017 (it is there from another test)
    token = plane.token_of("payments", "mallory")
    return Attacker(plane.api("mallory-of-payments", token), plane.kubeconfig("mallory-of-payments", token))


def reason(cluster: Cluster, kind: str, name: str, namespace: str | None = "payments") -> str:
    """Say why something is not ready; nothing if it is, or nobody has looked at it."""
    ready = cluster.conditions(kind, name, namespace).get("Ready", {})
    return str(ready["reason"]) if ready.get("status") == "False" else ""


def serves(world: CarriedWorld, sequence: int, *, pay_later: bool, org: str = "mallory") -> None:
    """See as a client that verifies everything, from nothing."""
    world.clock.now = datetime.now(UTC)
    with world.client(f"client-{datetime.now(UTC).timestamp()}") as reader:
        assert reader.refresh().reason is None
        assert reader.current is not None
        assert reader.current.sequence == sequence
        assert answer(reader, "pay-later", org=org) is pay_later


def restarted(world: CarriedWorld) -> CarriedWorld:
    """Have the next operator begin from what is published."""
    world.publisher = world.new_publisher()
    return world


def goes_on(cluster: Cluster, world: CarriedWorld, operator: Active, sequence: int) -> None:
    """See that what is approved next is published, whatever was done before."""
    for body in world.approve(flag("ranker", "search", on_for=[f"org-{sequence}"], owner="team-search"), by=("alice",)):
        cluster.create(body)
    cluster.until(lambda: operator.vitals.sequence == sequence)


def test_by_applying_it_directly(cluster: Cluster, mallory: Attacker, tmp_path: Path) -> None:
    """`kubectl apply` of a wider flag: it is stored, and serves nobody, after a restart too."""
    world = founded(cluster, tmp_path)
    path = tmp_path / "wider.yaml"
    path.write_text(json.dumps(resource_of(EVERYBODY)))
    with active(cluster, world):
        mallory.kubectl("apply", "-f", str(path))
        cluster.until(lambda: reason(cluster, "FlagDefinition", "pay-later") == "ApprovalMissing")
    with active(cluster, restarted(world)) as operator:
        goes_on(cluster, world, operator, 1)
        assert reason(cluster, "FlagDefinition", "pay-later") == "ApprovalMissing"
    serves(world, 1, pay_later=False)


def test_by_deleting_every_resource(cluster: Cluster, mallory: Attacker, tmp_path: Path) -> None:
    """Flags, policies and approvals: what is published stays, and the history goes on from there."""
    world = founded(cluster, tmp_path)
    with active(cluster, world) as operator:
        for body in world.approve(EVERYBODY, by=("alice",)):
            cluster.create(body)
        cluster.until(lambda: operator.vitals.sequence == 1)
        mallory.empty()
        cluster.until(lambda: operator.vitals.resources == 0)
    with active(cluster, restarted(world)) as operator:
        goes_on(cluster, world, operator, 2)
    serves(world, 2, pay_later=True)


def test_by_annotations_and_by_writing_the_status(cluster: Cluster, mallory: Attacker, tmp_path: Path) -> None:
    """Nothing that is written on a resource keeps it from being judged, or counts as a judgement."""
    world = founded(cluster, tmp_path)
    with active(cluster, world) as operator:
        body = resource_of(EVERYBODY)
        words = {"flagseal.dev/approved": "true", "flagseal.dev/ignore": "true", "kopf.dev/ignore": "true"}
        words["flagseal.dev/proof"] = json.dumps(signed_by(b"anything", "alice").body())
        spec = body["spec"]
        mallory.edit("FlagDefinition", "pay-later", "payments", spec)
        mallory.kubectl(
            *("-n", "payments", "annotate", "flag", "pay-later", *(f"{key}={value}" for key, value in words.items()))
        )
        mallory.kubectl("-n", "payments", "label", "flag", "pay-later", "flagseal.dev/proof=signed")
        cluster.until(lambda: reason(cluster, "FlagDefinition", "pay-later") == "ApprovalMissing")
        there = mallory.get("FlagDefinition", "pay-later", "payments")
        for condition in there["status"]["conditions"]:
            condition |= {"status": "True", "reason": "InForce", "message": "Trust me."}
        mallory.objects.replace_namespaced_custom_object_status(
            "flagseal.dev", "v1alpha1", "payments", "flagdefinitions", "pay-later", there
        )
        goes_on(cluster, world, operator, 1)
        cluster.until(lambda: reason(cluster, "FlagDefinition", "pay-later") == "ApprovalMissing")
    serves(world, 1, pay_later=False)


def test_by_withholding_one_document_of_an_approved_change(cluster: Cluster, mallory: Attacker, tmp_path: Path) -> None:
    """One half opens, the other closes; only both together were approved."""
    world = founded(cluster, tmp_path)
    with active(cluster, world) as operator:
        world.clock.now = now()
        entry = world.accept(EVERYBODY, flag("new-checkout"), by=("alice",))
        name = statement_carrier(entry.envelope.payload)
        opening = [it for it in entry.documents.values() if it.name == "pay-later"]
        mallory.create(carry(name, opening, [entry.envelope])[0])
        cluster.until(lambda: reason(cluster, "FlagApproval", name, None) == "ContentMissing")
        assert operator.vitals.sequence == 0
        serves(world, 0, pay_later=False)
        mallory.delete("FlagApproval", name)
        for body in bodies_of(entry):
            cluster.create(body)
        cluster.until(lambda: operator.vitals.sequence == 1)
    serves(world, 1, pay_later=True)


def test_by_replaying_what_was_approved_before_after_a_restart(
    cluster: Cluster, mallory: Attacker, tmp_path: Path
) -> None:
    """Opened, closed for a reason, and every trace of the closing deleted from the cluster."""
    world = founded(cluster, tmp_path)
    with active(cluster, world) as operator:
        opening = world.approve(EVERYBODY, by=("alice",))
        closing = world.approve(flag("pay-later"), by=("alice",))
        for body in (*opening, *closing):
            cluster.create(body)
        cluster.until(lambda: operator.vitals.sequence == 2)
    mallory.empty()
    for body in (*world.genesis_bodies(), *opening, resource_of(EVERYBODY)):
        mallory.create(copy.deepcopy(body))
    with active(cluster, restarted(world)) as operator:
        cluster.until(lambda: reason(cluster, "FlagDefinition", "pay-later") != "")
        assert operator.vitals.sequence == 2
        goes_on(cluster, world, operator, 3)
    serves(world, 3, pay_later=False)


def test_by_transplanting_it_into_another_namespace(cluster: Cluster, mallory: Attacker, tmp_path: Path) -> None:
    """What payments approved for itself, declared in search and carried under the same statement."""
    world = founded(cluster, tmp_path)
    moved = flag("pay-later", "search", on_for=["mallory"])
    with active(cluster, world) as operator:
        world.clock.now = now()
        entry = world.accept(EVERYBODY, by=("alice",))
        name = statement_carrier(entry.envelope.payload)
        mallory.create(carry(name, [moved], [entry.envelope])[0])
        mallory.create(resource_of(moved))
        cluster.until(lambda: reason(cluster, "FlagApproval", name, None) == "ContentMissing")
        cluster.until(lambda: reason(cluster, "FlagDefinition", "pay-later", "search") == "ApprovalMissing")
        assert operator.vitals.sequence == 0
    serves(world, 0, pay_later=False)


def test_by_forging_a_statement(cluster: Cluster, mallory: Attacker, tmp_path: Path) -> None:
    """The right content after the right state, with a signature of alice's for something else, and one of nobody's."""
    world = founded(cluster, tmp_path)
    with active(cluster, world) as operator:
        world.clock.now = now()
        payload = world.accept(EVERYBODY, by=("alice",)).envelope.payload
        for signatures in (signed_by(payload + b" ", "alice"), signed_by(payload, "mallory")):
            envelope = type(signatures)(payload, signatures.signatures)
            name = statement_carrier(payload)
            mallory.create(carry(name, [EVERYBODY], [envelope])[0])
            cluster.until(lambda name=name: reason(cluster, "FlagApproval", name, None) != "")  # type: ignore[misc]
            assert operator.vitals.sequence == 0
            mallory.delete("FlagApproval", name)
    serves(world, 0, pay_later=False)


def test_by_breaking_glass_with_a_forged_receipt_or_for_another_environment(
    cluster: Cluster, mallory: Attacker, tmp_path: Path
) -> None:
    """A receipt signed by a key of one's own, one that names alice, and her own signature for staging."""
    world = founded(cluster, tmp_path)
    until = now() + timedelta(hours=1)
    stranger = CryptoSigner.generate_ed25519()
    staging = signed(override(name="staging", environment="staging", until=until), at=now())
    borrowed = resource(signed(override(name="borrowed", until=until), at=now()))
    borrowed["metadata"]["annotations"] = resource(staging)["metadata"]["annotations"]
    bodies = {
        "forged": resource(receipted(override(name="forged", until=until), at=now(), signer=stranger)),
        "borrowed": borrowed,
    }
    with active(cluster, world) as operator:
        for body in (*bodies.values(), resource(staging)):
            mallory.create(body)
        for name in bodies:
            cluster.until(lambda name=name: reason(cluster, "EmergencyOverride", name) != "")  # type: ignore[misc]
        goes_on(cluster, world, operator, 1)
        assert cluster.conditions("EmergencyOverride", "staging", "payments").get("Active", {}).get("status") != "True"
    world.clock.now = datetime.now(UTC)
    with world.client("after") as reader:
        reader.refresh()
        assert answer(reader, "new-checkout") is True
