"""A real API server that asks webhooks on loopback, registered as they are deployed, by URL in place of a Service."""

from __future__ import annotations

import base64
import re
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from flagseal_operator.admission.service import Admission, WebhookOptions
from flagseal_operator.admission.witness import Desk
from flagseal_operator.emergency_source import PROOF_LABEL, SIGNED
from flagseal_operator.resources import GROUP, NAMESPACED, PLURALS, VERSION
from tests.cluster.process import Operator
from tests.cluster.test_operator import active
from tests.cluster.world import CarriedWorld
from tests.emergency.scene import ADMISSION, ROLE, emergency_policies, override
from tests.operator.reviews import resource
from tests.operator.webhook import certify
from tests.snapshot.world import FLAGS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal_operator.active import Active
    from tests.cluster.cluster import Cluster
    from tests.cluster.control_plane import ControlPlane

MANIFESTS = Path(__file__).resolve().parents[2] / "operator" / "manifests" / "webhooks"
GUARD = "system:serviceaccount:incidents:guard"
DEAD = 9
"""A port on which nobody answers."""


def founded(cluster: Cluster, folder: Path) -> CarriedWorld:
    """Put a company into a cluster in which alice, and a service account as frank, hold the emergency role."""
    people = emergency_policies()[0].body()["spec"]["people"]  # type: ignore[index,call-overload]
    people["frank"]["kubernetes"] = {"username": GUARD}  # type: ignore[index,call-overload]
    documents = emergency_policies(
        people=people,
        roles={
            "release-manager": {"people": ["dora"]},
            "security": {"people": ["frank", "dora"]},
            ROLE: {"people": ["alice", "frank"]},
        },
    )
    world = CarriedWorld(folder, documents=(*documents, *FLAGS), admission=ADMISSION.public_key)
    for body in (*world.genesis_bodies(), *world.declared()):
        cluster.create(body)
    admit_people(cluster)
    return world


def admit_people(cluster: Cluster) -> None:
    """Let everybody in the group `people` write our kinds, as generously as a careless platform team would."""
    rbac: Any = client.RbacAuthorizationV1Api(cluster.api)
    role = {
        "metadata": {"name": "careless"},
        "rules": [{"apiGroups": [GROUP], "resources": ["*"], "verbs": ["*"]}],
    }
    subjects = [
        {"kind": "Group", "name": name, "apiGroup": "rbac.authorization.k8s.io"}
        for name in ("people", "flag-emergency-override", "system:serviceaccounts")
    ]
    binding = {
        "metadata": {"name": "careless"},
        "roleRef": {"kind": "ClusterRole", "name": "careless", "apiGroup": "rbac.authorization.k8s.io"},
        "subjects": subjects,
    }
    for create, body in ((rbac.create_cluster_role, role), (rbac.create_cluster_role_binding, binding)):
        try:
            create(body)
        except ApiException as error:
            if error.status != 409:
                raise


class As:
    """Somebody at the API server.

    Args:
        api: Their client.
    """

    def __init__(self, api: client.ApiClient) -> None:
        self.objects: Any = client.CustomObjectsApi(api)

    def create(self, body: Mapping[str, Any], **words: str) -> dict[str, Any]:
        """Create a resource; give what was stored."""
        made: dict[str, Any]
        if body["kind"] in NAMESPACED:
            where = (GROUP, VERSION, body["metadata"]["namespace"], PLURALS[body["kind"]])
            made = self.objects.create_namespaced_custom_object(*where, dict(body), **words)
        else:
            made = self.objects.create_cluster_custom_object(GROUP, VERSION, PLURALS[body["kind"]], dict(body), **words)
        return made

    def patch(self, kind: str, namespace: str, name: str, body: Mapping[str, Any]) -> None:
        """Change a resource by merge patch."""
        self.objects.patch_namespaced_custom_object(GROUP, VERSION, namespace, PLURALS[kind], name, dict(body))

    def refusal(self, body: Mapping[str, Any], **words: str) -> str:
        """Create a resource that must be refused; give why."""
        try:
            self.create(body, **words)
        except ApiException as error:
            return str(error.body)
        raise AssertionError("it was created")


@contextmanager
def registered(cluster: Cluster, port: int, authority: bytes, *, courtesy: int | None = None) -> Iterator[None]:
    """Have the API server ask webhooks until the block ends.

    Args:
        cluster: Whose API server.
        port: Where they answer.
        authority: Vouches for them.
        courtesy: Where the validating one answers, if elsewhere.
    """
    api: Any = client.AdmissionregistrationV1Api(cluster.api)
    for kind, name in (("mutating", "mutating.yaml"), ("validating", "validating.yaml")):
        body = yaml.safe_load((MANIFESTS / name).read_text())
        (webhook,) = body["webhooks"]
        path = webhook["clientConfig"]["service"]["path"]
        there = port if kind == "mutating" or courtesy is None else courtesy
        bundle = base64.b64encode(authority).decode()
        webhook["clientConfig"] = {"url": f"https://127.0.0.1:{there}{path}", "caBundle": bundle}
        getattr(api, f"create_{kind}_webhook_configuration")(body)
    try:
        cluster.until(lambda: asks(cluster))
        yield
    finally:
        for kind in ("mutating", "validating"):
            getattr(api, f"delete_{kind}_webhook_configuration")("flagseal")
        cluster.until(lambda: not asks(cluster))


@contextmanager
def without_courtesy(cluster: Cluster) -> Iterator[None]:
    """Take the validating webhook's registration away until the block ends, as one that is down."""
    api: Any = client.AdmissionregistrationV1Api(cluster.api)
    body = api.read_validating_webhook_configuration("flagseal")
    api.delete_validating_webhook_configuration("flagseal")
    probe = resource(override(name="probe"), labels={PROOF_LABEL: SIGNED})
    cluster.until(lambda: not _is_refused(cluster, probe))
    try:
        yield
    finally:
        body.metadata = {"name": "flagseal"}
        api.create_validating_webhook_configuration(body)


def asks(cluster: Cluster) -> bool:
    """Tell whether the API server asks, or tries to: it hears of registrations a moment later."""
    cluster.namespace("payments")
    probe = resource(override())
    # Refused by the webhook, whatever it knows.
    probe["metadata"] = {"generateName": "probe-", "namespace": "payments"}
    return _is_refused(cluster, probe)


def _is_refused(cluster: Cluster, body: dict[str, Any]) -> bool:
    try:
        As(cluster.api).create(body, dry_run="All")
    except ApiException as error:
        return "webhook" in str(error.body)
    return False


@contextmanager
def serving(cluster: Cluster, world: CarriedWorld, **desk: Any) -> Iterator[tuple[Active, Admission]]:  # noqa: ANN401 (fields)
    """Run an operator with its webhooks, in this process, until the block ends; registered."""
    authority = certify(world.path / "certs").authority
    with active(cluster, world) as operator:
        options = WebhookOptions(Desk(world.trust, ADMISSION, **desk), world.path / "certs", port=0)
        admission = Admission(options, world.directory, world.root, lambda: operator.known)
        admission.start()
        try:
            with registered(cluster, admission.port, authority):
                yield operator, admission
        finally:
            admission.stop()


def admission_key(folder: Path) -> Path:
    """Write the private key of admission, for a process."""
    path = folder / "admission.pem"
    path.touch(mode=0o600)
    path.write_bytes(ADMISSION._private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def hosted(world: CarriedWorld, kubeconfig: Path, name: str, certs: Path) -> Operator:
    """Prepare an operator's process that serves webhooks."""
    key = admission_key(world.path)
    words = ("--webhook-certs", str(certs), "--webhook-port", "0", "--admission-key", f"file:{key}")
    return Operator(world, kubeconfig, words, name=name)


def port_of(operator: Operator) -> int:
    """Find out where a process serves webhooks."""
    found = re.search(r"Webhooks on https://127\.0\.0\.1:(\d+)", operator.log)
    assert found is not None, operator.log
    return int(found[1])


def user(plane: ControlPlane, name: str) -> As:
    """Give somebody who has a token of their own."""
    return As(plane.api(name))


def impersonating(plane: ControlPlane, name: str, group: str, **extras: str) -> As:
    """Give somebody whom an administrator pretends to be, in a group, with extras."""
    api: Any = plane.api()
    api.set_default_header("Impersonate-User", name)
    api.set_default_header("Impersonate-Group", group)
    for key, value in extras.items():
        api.set_default_header(f"Impersonate-Extra-{key}", value)
    return As(api)


def wait(seconds: float) -> None:
    """Wait: for what would show only if it went wrong."""
    time.sleep(seconds)
