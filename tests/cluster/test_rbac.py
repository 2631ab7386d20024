"""The operator under exactly the role that is deployed, and under each part of it taken away."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from tests.cluster.process import Operator
from tests.cluster.test_operator import NEW, founded

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.cluster import Cluster
    from tests.cluster.control_plane import ControlPlane

RBAC = Path(__file__).resolve().parents[2] / "operator" / "manifests" / "base" / "rbac.yaml"
NAMESPACE = "flagseal-system"
LEASE = ("--lease-namespace", NAMESPACE, "--lease-name", "flagseal-operator")


def grant(cluster: Cluster, *, without: tuple[str, str] | None = None) -> None:
    """Bind the deployed role to the operator's account.

    Args:
        cluster: Where.
        without: A resource and a verb to leave out.
    """
    cluster.namespace(NAMESPACE)
    core, rbac = cluster.core, client.RbacAuthorizationV1Api(cluster.api)
    coordination = client.CoordinationV1Api(cluster.api)
    calls: dict[str, tuple[Any, Any]] = {
        "ClusterRole": (rbac.create_cluster_role, rbac.delete_cluster_role),
        "ClusterRoleBinding": (rbac.create_cluster_role_binding, rbac.delete_cluster_role_binding),
        "Role": (rbac.create_namespaced_role, rbac.delete_namespaced_role),
        "RoleBinding": (rbac.create_namespaced_role_binding, rbac.delete_namespaced_role_binding),
    }
    for call in (
        lambda: core.create_namespaced_service_account(NAMESPACE, {"metadata": {"name": "flagseal-operator"}}),
        lambda: coordination.delete_namespaced_lease("flagseal-operator", NAMESPACE),
    ):
        _unless(call, 404, 409)
    for body in yaml.safe_load_all(RBAC.read_text()):
        create, delete = calls[body["kind"]]
        place = (NAMESPACE,) if not body["kind"].startswith("Cluster") else ()
        _unless(lambda delete=delete, body=body, place=place: delete(body["metadata"]["name"], *place), 404)  # type: ignore[misc]
        create(*place, _reduced(body, without))


def _unless(call: Callable[[], object], *statuses: int) -> None:
    """Make a call that may find its work done."""
    try:
        call()
    except ApiException as error:
        if error.status not in statuses:
            raise


def _reduced(body: dict[str, Any], without: tuple[str, str] | None) -> dict[str, Any]:
    reduced = copy.deepcopy(body)
    if without is None or "rules" not in reduced:
        return reduced
    resource, verb = without
    rules = []
    for rule in reduced["rules"]:
        if resource in rule["resources"] and verb in rule["verbs"]:
            others = [it for it in rule["resources"] if it != resource]
            if others:
                rules.append({**rule, "resources": others})
            rule = {**rule, "resources": [resource], "verbs": [it for it in rule["verbs"] if it != verb]}  # noqa: PLW2901
        if rule["verbs"]:
            rules.append(rule)
    reduced["rules"] = rules
    return reduced


def test_the_deployed_role_is_enough(plane: ControlPlane, cluster: Cluster, tmp_path: Path) -> None:
    """With a real token of the service account: publish, report, and keep the Lease."""
    grant(cluster)
    world = founded(cluster, tmp_path)
    kubeconfig = plane.kubeconfig("operator", plane.token_of(NAMESPACE, "flagseal-operator"))
    with Operator(world, kubeconfig, LEASE) as operator:
        cluster.until(lambda: operator.gauge("snapshot_version") == 1)
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.gauge("head_sequence") == 1)
        cluster.until(lambda: "Ready" in cluster.conditions("FlagDefinition", "ranker", "search"))
        cluster.until(
            lambda: (
                "ApprovalMissing" in cluster.kubectl("get", "events", "-A")
                or "Superseded" in cluster.kubectl("get", "events", "-A")
            )
        )
        assert "forbidden" not in operator.log.lower()


@pytest.mark.parametrize(
    "without",
    [
        ("flagapprovals", "list"),
        ("flagdefinitions", "watch"),
        ("flagdefinitions/status", "patch"),
        ("leases", "get"),
        ("leases", "update"),
        ("leases", "create"),
    ],
    ids="-".join,
)
def test_a_missing_permission_is_noticed_and_named(
    plane: ControlPlane, cluster: Cluster, tmp_path: Path, without: tuple[str, str]
) -> None:
    """What cannot be done is said with the resource, and never passed over."""
    grant(cluster, without=without)
    world = founded(cluster, tmp_path)
    kubeconfig = plane.kubeconfig("operator", plane.token_of(NAMESPACE, "flagseal-operator"))
    operator = Operator(world, kubeconfig, LEASE)
    try:
        operator.start()
        resource = without[0].partition("/")[0]
        try:
            cluster.until(
                lambda: "forbidden" in operator.log.lower() and resource.rstrip("s") in operator.log.lower(), 12
            )
        except AssertionError:
            raise AssertionError(operator.log) from None
    finally:
        operator.kill()
    assert "Traceback" not in operator.log, operator.log
