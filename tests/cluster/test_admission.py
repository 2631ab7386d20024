"""Webhooks asked by a real API server: who is authenticated there is who a receipt names, and nobody else."""

from __future__ import annotations

import base64
import json
import ssl
import subprocess
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes.client.exceptions import ApiException

from flagseal.emergency import Proof
from flagseal.snapshot.keys import generate
from flagseal_cli.main import run
from flagseal_operator.admission.service import Admission, WebhookOptions
from flagseal_operator.admission.witness import Desk
from tests.approval.keyring import SshKey
from tests.cluster.admission import (
    DEAD,
    GUARD,
    MANIFESTS,
    As,
    asks,
    founded,
    hosted,
    impersonating,
    port_of,
    registered,
    serving,
    user,
    wait,
    without_courtesy,
)
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane, assets
from tests.cluster.process import COMMAND, Operator
from tests.cluster.test_operator import NEW, active, now
from tests.emergency.scene import ADMISSION, override
from tests.operator.reviews import resource, review
from tests.operator.webhook import Client, certify, identify, served_by, swap
from tests.ports import free_ports
from tests.snapshot.world import answer, flag

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.emergency import Claim
    from tests.cluster.world import CarriedWorld

LABEL = {"flagseal.dev/proof": "signed"}


def claimed(name: str = "stop-it", **changes: Any) -> Claim:  # noqa: ANN401 (any part of a spec)
    """Claim a rollback for an hour from now."""
    return override(name=name, until=now() + timedelta(hours=1), **changes)


def evaluates(world: CarriedWorld, name: str) -> object:
    """Ask a client that verifies everything."""
    world.clock.now = now()
    with world.client(name) as client:
        client.refresh()
        return answer(client)


def reason(cluster: Cluster, name: str = "stop-it") -> str | None:
    """Give the reason of an override's Ready condition."""
    found = cluster.conditions("EmergencyOverride", name, "payments").get("Ready")
    return None if found is None else str(found["reason"])


def test_a_receipt_makes_an_override_take_effect(plane: ControlPlane, cluster: Cluster, tmp_path: Path) -> None:
    """Alice holds the role, and does nothing but create the resource."""
    world = founded(cluster, tmp_path)
    with serving(cluster, world) as (_, admission):
        assert evaluates(world, "before") is True
        stored = user(plane, "alice@acme").create(resource(claimed()))
        told = Proof.parse(stored["metadata"]["annotations"]["flagseal.dev/proof"]).told()
        assert told.username == "alice@acme"
        cluster.until(lambda: reason(cluster) == "Active")
        assert cluster.get("EmergencyOverride", "stop-it", "payments")["status"]["person"] == "alice"
        assert evaluates(world, "after") is False
        assert admission.gauges()["admission_receipts"][1] == 1


def test_a_service_account_gets_a_receipt_by_its_own_token(
    plane: ControlPlane, cluster: Cluster, tmp_path: Path
) -> None:
    """A guard that breaks glass by itself; its token is a real one (TokenRequest)."""
    world = founded(cluster, tmp_path)
    cluster.namespace("incidents")
    try:
        cluster.core.create_namespaced_service_account("incidents", {"metadata": {"name": "guard"}})
    except ApiException as error:
        assert error.status == 409  # noqa: PT017 (it is there from another test)
    with serving(cluster, world):
        guard = As(plane.api("guard", plane.token_of("incidents", "guard")))
        stored = guard.create(resource(claimed()))
        payload = json.loads(Proof.parse(stored["metadata"]["annotations"]["flagseal.dev/proof"]).payload)
        assert payload["username"] == GUARD
        assert "system:serviceaccounts:incidents" in payload["groups"]
        cluster.until(lambda: reason(cluster) == "Active")


def test_who_may_not_is_refused_at_once(plane: ControlPlane, cluster: Cluster, tmp_path: Path) -> None:
    """By name, whatever groups they have, are lent, or bring a receipt of somebody else's along."""
    world = founded(cluster, tmp_path)
    with serving(cluster, world) as (operator, _):
        alice = user(plane, "alice@acme").create(resource(claimed("hers")), dry_run="All")
        assert "flagseal.dev/proof" not in alice["metadata"].get("annotations", {})
        hers = user(plane, "alice@acme").create(resource(claimed("hers")))["metadata"]["annotations"]
        cluster.until(lambda: reason(cluster, "hers") == "Active")
        steps = operator.vitals.published
        assert "RoleMissing" in user(plane, "bob@acme").refusal(resource(claimed()))
        assert "PersonUnknown" in user(plane, "mallory").refusal(resource(claimed()))
        assert "PersonUnknown" in user(plane, "admin").refusal(resource(claimed()))
        spoofed = resource(claimed(), hers["flagseal.dev/proof"])
        assert "RoleMissing" in user(plane, "bob@acme").refusal(spoofed)
        for group in ("flag-emergency-override", "system:masters"):
            lent = impersonating(plane, "bob@acme", group)
            assert "RoleMissing" in lent.refusal(resource(claimed()))
        nameless = resource(claimed())
        nameless["metadata"] = {"generateName": "stop-", "namespace": "payments"}
        assert "generateName" in user(plane, "alice@acme").refusal(nameless)
        assert operator.vitals.published == steps


def test_a_second_factor_can_be_demanded(plane: ControlPlane, cluster: Cluster, tmp_path: Path) -> None:
    """As the API server says it of a user; here by impersonation, which carries extras as an authenticator does."""
    world = founded(cluster, tmp_path)
    with serving(cluster, world, demanded={"example.com/mfa": "totp"}):
        assert "StepUpMissing" in user(plane, "alice@acme").refusal(resource(claimed()))
        twice = impersonating(plane, "alice@acme", "people", **{"example.com%2Fmfa": "totp"})
        stored = twice.create(resource(claimed()))
        payload = json.loads(Proof.parse(stored["metadata"]["annotations"]["flagseal.dev/proof"]).payload)
        assert payload["extra"] == {"example.com/mfa": ["totp"]}
        cluster.until(lambda: reason(cluster) == "Active")


def test_a_proof_stays_on_what_it_was_made_for(plane: ControlPlane, cluster: Cluster, tmp_path: Path) -> None:
    """Neither spec, proof nor label become others; labels of tools do, and deleting goes on to end nothing."""
    world = founded(cluster, tmp_path)
    with serving(cluster, world):
        alice = user(plane, "alice@acme")
        alice.create(resource(claimed()))
        for change in (
            {"spec": {"reason": "other"}},
            {"metadata": {"annotations": {"flagseal.dev/proof": None}}},
            {"metadata": {"annotations": {"flagseal.dev/proof": "{}"}}},
            {"metadata": {"labels": LABEL}},
        ):
            with pytest.raises(ApiException) as refused:
                alice.patch("EmergencyOverride", "payments", "stop-it", change)
            assert "Immutable" in str(refused.value.body)
        alice.patch("EmergencyOverride", "payments", "stop-it", {"metadata": {"labels": {"team": "payments"}}})
        cluster.until(lambda: reason(cluster) == "Active")
        cluster.delete("EmergencyOverride", "stop-it", "payments")
        wait(0.5)
        assert evaluates(world, "after") is False


def test_while_admission_is_down_a_signature_works_and_nothing_else(
    plane: ControlPlane, cluster: Cluster, tmp_path: Path
) -> None:
    """What `flagseal override` prints goes through kubectl to the answer; without a signature it is refused."""
    world = founded(cluster, tmp_path)
    authority = certify(tmp_path / "certs").authority
    with active(cluster, world), registered(cluster, DEAD, authority):
        alice = user(plane, "alice@acme")
        assert "failed calling webhook" in alice.refusal(resource(claimed()))
        printed = printed_by_override(world, tmp_path)
        applied = subprocess.run(
            ["kubectl", f"--kubeconfig={plane.kubeconfig('alice@acme')}", "apply", "-f", "-"],
            input=printed, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert applied.returncode == 0, applied.stderr
        (body,) = cluster.list("EmergencyOverride")
        name = body["metadata"]["name"]
        cluster.until(lambda: reason(cluster, name) == "Active")
        assert evaluates(world, "after") is False
        # The label alone lets something be created, and proves nothing.
        alice.create(resource(claimed("bare"), labels=LABEL))
        cluster.until(lambda: reason(cluster, "bare") == "Unproven")
        # What is there can be deleted, and its proof stays what it is.
        with pytest.raises(ApiException, match="failed calling webhook"):
            alice.patch("EmergencyOverride", "payments", name, {"metadata": {"labels": {"flagseal.dev/proof": None}}})
        cluster.delete("EmergencyOverride", name, "payments")


def printed_by_override(world: CarriedWorld, folder: Path) -> str:
    """Run `flagseal override` as alice, beside a copy of what is published."""
    repository, data = folder / "checkout", folder / "data"
    for path in (repository / ".git", repository / "policies", data / "trust"):
        path.mkdir(parents=True)
    (data / "trust/root.json").write_bytes(world.root)
    (data / "store").symlink_to(world.directory.path)
    key = SshKey.of("alice").write(folder / "alice")
    done = subprocess.run(
        [str(COMMAND), "override", "payments/new-checkout", "--incident", "INC-7", "--reason", "Payments fail.",
         "--as", "alice", "--key", str(key), "--repo", str(repository), "--data", str(data)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_courtesy_refuses_early_and_warns_of_what_is_not_approved(
    plane: ControlPlane, cluster: Cluster, tmp_path: Path
) -> None:
    """What could never be taken, though its form is right; what waits for approval passes."""
    world = founded(cluster, tmp_path)
    with serving(cluster, world):
        alice = user(plane, "alice@acme")
        body: dict[str, Any] = NEW.body()
        senseless = json.loads(json.dumps(body))
        senseless["metadata"]["name"] = "senseless"
        senseless["spec"]["safeVariant"] = "nowhere"
        assert "safeVariant" in alice.refusal(senseless)
        junk = {
            "apiVersion": "flagseal.dev/v1alpha1",
            "kind": "FlagApproval",
            "metadata": {"name": "0" * 64},
            "spec": {"envelopes": [{"payload": "e30=", "payloadType": "x", "signatures": []}]},
        }
        assert "CarrierMalformed" in alice.refusal(junk)
        unapproved = json.dumps(flag("unheard-of").body())
        applied = subprocess.run(
            ["kubectl", f"--kubeconfig={plane.kubeconfig('alice@acme')}", "apply", "-f", "-"],
            input=unapproved, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert applied.returncode == 0, applied.stderr
        assert "Warning: FlagDefinition/payments/unheard-of is not approved" in applied.stderr


def test_the_courtesy_being_down_changes_nothing(plane: ControlPlane, cluster: Cluster, tmp_path: Path) -> None:
    """What it would have refused is stored, has no effect, and says why; what is approved takes effect."""
    world = founded(cluster, tmp_path)
    authority = certify(tmp_path / "certs").authority
    with active(cluster, world) as operator, registered(cluster, DEAD, authority):
        alice = user(plane, "alice@acme")
        senseless = json.loads(json.dumps(NEW.body()))
        senseless["metadata"]["name"] = "senseless"
        senseless["spec"]["safeVariant"] = "nowhere"
        alice.create(senseless)
        cluster.until(lambda: cluster.conditions("FlagDefinition", "senseless", "payments").get("Ready"))
        ready = cluster.conditions("FlagDefinition", "senseless", "payments")["Ready"]
        assert ready["status"] == "False"
        for body in world.approve(NEW):
            alice.create(body)
        cluster.until(lambda: operator.vitals.sequence == 1)
        assert operator.vitals.failure is None


def test_a_made_up_review_leads_nowhere(plane: ControlPlane, cluster: Cluster, tmp_path: Path) -> None:
    """Mallory reaches the port, and gets a receipt in alice's name: there is no resource on which it counts."""
    world = founded(cluster, tmp_path)
    with serving(cluster, world) as (operator, admission):
        mallory = user(plane, "mallory")
        authority = (tmp_path / "certs/..v0/ca.crt").read_bytes()
        asked = review(resource(claimed()), user={"username": "alice@acme"})
        status, made = Client(admission.port, authority).post("/mutate", asked)
        assert status == 200
        (patch,) = json.loads(base64.b64decode(made["response"]["patch"]))
        receipt = patch["value"]["flagseal.dev/proof"]
        assert Proof.parse(receipt).told().username == "alice@acme"
        spec = asked["request"]["object"]["spec"]

        def carrying(**metadata: Any) -> dict[str, Any]:  # noqa: ANN401 (any part)
            return resource(claimed(), receipt, **metadata) | {"spec": spec}

        # Sent through the webhook it is replaced; passing that by, it is seen by the courtesy.
        assert "PersonUnknown" in mallory.refusal(carrying())
        assert "Unproven" in mallory.refusal(carrying(labels=LABEL))
        with without_courtesy(cluster):
            mallory.create(carrying(labels=LABEL))
        cluster.until(lambda: reason(cluster) == "Unproven")
        # Nor can the label be taken off, once it is there.
        with pytest.raises(ApiException, match="Immutable"):
            mallory.patch("EmergencyOverride", "payments", "stop-it", {"metadata": {"labels": None}})
        assert operator.vitals.published == 1


def test_a_standby_answers_for_who_is_active(plane: ControlPlane, cluster: Cluster, tmp_path: Path) -> None:
    """Its receipts take effect through the other, its refusals are those of the published state; then it takes over."""
    world = founded(cluster, tmp_path)
    authority = certify(tmp_path / "certs").authority
    with hosted(world, cluster.kubeconfig, "first", tmp_path / "certs") as first:
        cluster.until(lambda: first.gauge("snapshot_version") == 1)
        with hosted(world, cluster.kubeconfig, "second", tmp_path / "certs") as second:
            cluster.until(lambda: "first" in second.why())
            with registered(cluster, port_of(second), authority):
                assert "RoleMissing" in user(plane, "bob@acme").refusal(resource(claimed()))
                user(plane, "alice@acme").create(resource(claimed()))
                cluster.until(lambda: reason(cluster) == "Active")
                assert (first.gauge("active"), second.gauge("active")) == (1, 0)
                assert second.gauge("admission_receipts") == 1
                first.kill()
                cluster.until(lambda: second.gauge("active") == 1)
                user(plane, "alice@acme").create(resource(claimed("again", incident="INC-8")))
                cluster.until(lambda: reason(cluster, "again") == "Active")
            assert "Traceback" not in second.log


def test_certificates_are_rotated_while_the_api_server_asks(
    plane: ControlPlane, cluster: Cluster, tmp_path: Path
) -> None:
    """With both authorities trusted meanwhile, no creation fails; the one that failed is the proof that it is used."""
    world = founded(cluster, tmp_path)
    certs = tmp_path / "certs"
    old = certify(certs).authority
    coming = certify(tmp_path / "coming").authority
    with (
        hosted(world, cluster.kubeconfig, "operator", certs) as operator,
        registered(cluster, port_of(operator), old + coming),
    ):
        cluster.until(lambda: operator.gauge("snapshot_version") == 1)
        stop, failures, made = threading.Event(), [], [0]

        def create() -> None:
            alice = user(plane, "alice@acme")
            while not stop.is_set():
                try:
                    alice.create(resource(claimed()), dry_run="All")
                    made[0] += 1
                except ApiException as error:
                    failures.append(str(error.body))

        threads = [threading.Thread(target=create) for _ in range(2)]
        for thread in threads:
            thread.start()
        cluster.until(lambda: made[0] > 5)
        (tmp_path / "coming/..v0").rename(certs / "..v1")
        swap(certs, "..v1")
        cluster.until(lambda: served_by(port_of(operator), coming))
        reached = made[0]
        cluster.until(lambda: made[0] > reached + 5)
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert not served_by(port_of(operator), old)


def test_a_key_that_counts_no_more_ends_receipts_and_nothing_else(
    plane: ControlPlane, cluster: Cluster, tmp_path: Path
) -> None:
    """After a ceremony the mounted key is the old one: flags go on being published, and the refusal says what to do."""
    world = founded(cluster, tmp_path)
    authority = certify(tmp_path / "certs").authority
    other = generate(tmp_path / "other.pem")
    assert other.public_key != ADMISSION.public_key
    words = ("--webhook-certs", str(tmp_path / "certs"), "--webhook-port", "0", "--admission-key")
    with Operator(world, cluster.kubeconfig, (*words, str(tmp_path / "other.pem"))) as operator:
        cluster.until(lambda: operator.gauge("snapshot_version") == 1)
        assert "No receipts" in operator.log
        assert operator.gauge("admission_signs") == 0
        with registered(cluster, port_of(operator), authority):
            assert "flagseal override" in user(plane, "alice@acme").refusal(resource(claimed()))


def test_a_freeze_gets_a_receipt_too(plane: ControlPlane, cluster: Cluster, tmp_path: Path) -> None:
    """Cluster-scoped, for whoever holds the role; and for nobody else."""
    world = founded(cluster, tmp_path)
    until = now() + timedelta(hours=1)
    spec = {"environment": "production", "incident": "INC-7", "reason": "Payments fail.", "until": f"{until:%FT%TZ}"}
    body = {
        "apiVersion": "flagseal.dev/v1alpha1",
        "kind": "FlagFreeze",
        "metadata": {"name": "hold"},
        "spec": spec,
    }
    with serving(cluster, world):
        assert "RoleMissing" in user(plane, "bob@acme").refusal(body)
        user(plane, "alice@acme").create(body)
        cluster.until(lambda: cluster.conditions("FlagFreeze", "hold").get("Proven", {}).get("status") == "True")
        assert cluster.get("FlagFreeze", "hold")["status"]["person"] == "alice"


def test_the_printed_commands_give_the_registrations_their_authority(cluster: Cluster, tmp_path: Path) -> None:
    """Applied, patched, and applied again: the authority stays."""
    assert run(["operator", "certificates", str(tmp_path / "certs")]) == 0
    (patch,) = json.loads((tmp_path / "certs/ca-bundle.json").read_text())
    files = [word for name in ("mutating.yaml", "validating.yaml") for word in ("-f", str(MANIFESTS / name))]
    try:
        for _ in range(2):
            cluster.kubectl("apply", *files)
            for kind in ("mutating", "validating"):
                where = (f"{kind}webhookconfiguration", "flagseal")
                if "caBundle" not in cluster.kubectl("get", *where, "-o", "yaml"):
                    words = ("--type=json", "--patch-file", str(tmp_path / "certs/ca-bundle.json"))
                    cluster.kubectl("patch", *where, *words)
        for kind in ("mutating", "validating"):
            path = "{.webhooks[0].clientConfig.caBundle}"
            found = cluster.kubectl("get", f"{kind}webhookconfiguration", "flagseal", "-o", f"jsonpath={path}")
            assert found == patch["value"]
    finally:
        cluster.kubectl("delete", *files)
        cluster.until(lambda: not asks(cluster))


def test_an_api_server_that_shows_a_certificate_is_told_from_others(tmp_path: Path) -> None:
    """Where it is configured to: then nobody else gets a receipt, whatever they write."""
    binaries = assets()
    if binaries is None:
        pytest.skip("KUBEBUILDER_ASSETS is not set: no kube-apiserver and etcd to test against")
    (port,) = free_ports(1)
    plane = ControlPlane(binaries, tmp_path / "plane", flags=(f"--admission-control-config-file={tmp_path}/admission",))
    identify(tmp_path / "api")
    plane.show_webhooks(tmp_path / "admission", f"127.0.0.1:{port}", tmp_path / "api")
    plane.add_users({"alice@acme": ("people",)})
    plane.start()
    try:
        cluster = Cluster(plane.api(), plane.kubeconfig())
        cluster.install()
        world = founded(cluster, tmp_path / "world")
        authority = certify(tmp_path / "certs").authority
        desk = Desk(world.trust, ADMISSION)
        options = WebhookOptions(desk, tmp_path / "certs", tmp_path / "api/tls.crt", port=port)
        admission = Admission(options, world.directory, world.root, lambda: None)
        admission.start()
        try:
            with registered(cluster, port, authority):
                user(plane, "alice@acme").create(resource(claimed()))
            assert admission.gauges()["admission_receipts"][1] == 1
            with pytest.raises((ssl.SSLError, ConnectionError)):
                Client(port, authority).post("/mutate", review(resource(claimed())))
        finally:
            admission.stop()
    finally:
        plane.stop()
