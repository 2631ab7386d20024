"""The operator under exactly the role that is deployed, and under each part of it taken away."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from flagseal_operator.delivery import genesis_bodies
from tests.cluster.process import Operator
from tests.cluster.test_git_source import EASY, EASY_ON, declared, following, now, ready
from tests.cluster.test_operator import NEW, founded
from tests.history.branch import Branch

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cluster.cluster import Cluster
    from tests.cluster.control_plane import ControlPlane

MANIFESTS = Path(__file__).resolve().parents[2] / "operator" / "manifests"
RBAC = MANIFESTS / "base" / "rbac.yaml"
GIT_RBAC = MANIFESTS / "git-source" / "rbac.yaml"
NAMESPACE = "flagseal-system"
LEASE = ("--lease-namespace", NAMESPACE, "--lease-name", "flagseal-operator")


def grant(cluster: Cluster, *, without: tuple[str, str] | None = None, git: bool = False) -> None:
    """Bind the deployed role to the operator's account.

    Args:
        cluster: Where.
        without: A resource and a verb to leave out.
        git: Whether the git source's role comes with it.
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
    for body in (*yaml.safe_load_all(RBAC.read_text()), *yaml.safe_load_all(GIT_RBAC.read_text())):
        create, delete = calls[body["kind"]]
        place = (NAMESPACE,) if not body["kind"].startswith("Cluster") else ()
        _unless(lambda delete=delete, body=body, place=place: delete(body["metadata"]["name"], *place), 404)  # type: ignore[misc]
        if git or body["metadata"]["name"] != "flagseal-git-source":
            create(*place, _reduced(body, without))
    if without is not None:
        # The API server goes by what it last heard of roles, which may be those of the test before.
        cluster.until(lambda: not _is_allowed(cluster, *without))


def _is_allowed(cluster: Cluster, resource: str, verb: str) -> bool:
    name, _, part = resource.partition("/")
    asked = {"resource": name, "subresource": part, "verb": verb, "namespace": NAMESPACE}
    asked["group"] = "coordination.k8s.io" if name == "leases" else "flagseal.dev"
    user = f"system:serviceaccount:{NAMESPACE}:flagseal-operator"
    reviews: Any = client.AuthorizationV1Api(cluster.api)
    answer = reviews.create_subject_access_review({"spec": {"user": user, "resourceAttributes": asked}})
    return bool(answer.status.allowed)


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


def test_the_git_sources_role_is_enough(plane: ControlPlane, cluster: Cluster, tmp_path: Path) -> None:
    """Carry, declare, put back, renew, remove: with the two deployed roles and nothing more."""
    grant(cluster, git=True)
    branch = Branch.at(tmp_path / "repo", EASY)
    kubeconfig = plane.kubeconfig("operator", plane.token_of(NAMESPACE, "flagseal-operator"))
    with following(cluster, tmp_path, branch, apply="everything", kubeconfig=kubeconfig) as operator:
        cluster.until(lambda: declared(cluster) == EASY.spec)
        branch.commit(EASY_ON)
        branch.approve("alice", "dora")
        cluster.until(lambda: operator.vitals.sequence == 1)
        cluster.until(lambda: declared(cluster) == EASY_ON.spec)
        cluster.edit("FlagDefinition", EASY.name, "payments", {"description": "mine"})
        cluster.until(lambda: declared(cluster) == EASY_ON.spec)
        branch.poll(now())
        branch.remove(EASY_ON)
        branch.approve("alice", "dora")
        cluster.until(lambda: declared(cluster) is None)
        cluster.until(lambda: ready(cluster) == ("True", "Delivered"))


@pytest.mark.parametrize(
    "without",
    [
        ("flagapprovals", "create"),
        ("flagapprovals", "delete"),
        ("flagdefinitions", "create"),
        ("flagdefinitions", "update"),
        ("flagdefinitions", "delete"),
        ("flagpolicies", "create"),
    ],
    ids="-".join,
)
def test_a_permission_that_the_git_source_lacks_is_named_in_its_status(
    plane: ControlPlane, cluster: Cluster, tmp_path: Path, without: tuple[str, str]
) -> None:
    """With the verb and the resource, as the API server says it; once it is given, delivering goes on."""
    resource, verb = without
    grant(cluster, git=True, without=without)
    branch = Branch.at(tmp_path / "repo", EASY)
    (squatted,) = genesis_bodies(branch.trust.genesis.manifest, branch.start)
    kubeconfig = plane.kubeconfig("operator", plane.token_of(NAMESPACE, "flagseal-operator"))
    if without == ("flagapprovals", "delete"):
        # Somebody took the name of what is to be carried.
        cluster.create({**squatted, "spec": {"documents": [EASY_ON.canonical.decode()]}})
    with following(cluster, tmp_path, branch, apply="everything", kubeconfig=kubeconfig):
        if verb in {"update", "delete"} and resource == "flagdefinitions":
            cluster.until(lambda: declared(cluster) == EASY.spec and ready(cluster) == ("True", "Delivered"))
            if verb == "update":
                cluster.edit("FlagDefinition", EASY.name, "payments", {"description": "mine"})
            else:
                branch.remove(EASY)
                branch.approve("alice", "dora")

        def said() -> str:
            found = cluster.conditions("FlagRepository", "flags").get("Ready", {})
            return str(found.get("message", "")) if found.get("reason") == "ApiServer403" else ""

        cluster.until(lambda: f'cannot {verb} resource "{resource}"' in said())
        assert "operator/manifests" in said()
        grant(cluster, git=True)
        cluster.until(lambda: ready(cluster) == ("True", "Delivered"))
