"""What is deployed: it builds, it asks for no right more than it needs, and it runs as nobody in particular."""

from __future__ import annotations

import copy
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from flagseal_operator.admission.issuing import service_hosts
from flagseal_operator.admission.server import MUTATE, PORT, VALIDATE
from flagseal_operator.admission.service import PATIENCE_SECONDS
from flagseal_operator.emergency_source import PROOF_LABEL, SIGNED
from flagseal_operator.resources import DECLARING, PLURALS
from tests.operator.hardened import weaknesses

if TYPE_CHECKING:
    from collections.abc import Callable

OPERATOR = Path(__file__).resolve().parents[2] / "operator"
OVERLAYS = ("base", "overlays/single", "overlays/ha", "overlays/ha-webhooks", "overlays/flux")
needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="kubectl is not installed: nothing to build with"
)


def built(folder: str) -> list[dict[str, Any]]:
    """Build a folder with kustomize, as kubectl does."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(OPERATOR / "manifests" / folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def of_kind(bodies: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """Choose by kind."""
    return [body for body in bodies if body["kind"] == kind and "kustomize" not in body["apiVersion"]]


@needs_kubectl
@pytest.mark.parametrize("folder", OVERLAYS)
def test_every_pod_is_restricted(folder: str) -> None:
    """Pod Security's strictest profile, which the namespace enforces, and a root file system that cannot be written."""
    bodies = built(folder)
    (namespace,) = of_kind(bodies, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for deployment in of_kind(bodies, "Deployment"):
        pod = deployment["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert {"startupProbe", "livenessProbe", "readinessProbe", "resources"} <= container.keys()


@needs_kubectl
@pytest.mark.parametrize("folder", OVERLAYS)
def test_a_hostile_reader_finds_nothing(folder: str) -> None:
    """Tokens, secrets, mounts, ports, policies, budgets and rights: see `hardened.py` for what is asked."""
    assert weaknesses(built(folder)) == []


@needs_kubectl
def test_the_network_policy_lets_out_what_the_operator_needs() -> None:
    """Names, the API server by both of its usual ports, the store by HTTPS, git by SSH where git is followed."""
    policies = of_kind(built("overlays/ha"), "NetworkPolicy")
    out = {port["port"] for it in policies for rule in it["spec"]["egress"] for port in rule["ports"]}
    assert out == {22, 53, 443, 6443}


SPOILS: dict[str, tuple[str, Callable[[dict[str, Any]], Any]]] = {
    "as root": ("Deployment", lambda it: _pod(it)["securityContext"].pop("runAsUser")),
    "with every system call": ("Deployment", lambda it: _pod(it)["securityContext"].pop("seccompProfile")),
    "with the account's token": ("Deployment", lambda it: _pod(it).pop("automountServiceAccountToken")),
    "in the node's network": ("Deployment", lambda it: _pod(it).update(hostNetwork=True)),
    "with a capability": ("Deployment", lambda it: _container(it)["securityContext"].pop("capabilities")),
    "with a root file system": (
        "Deployment",
        lambda it: _container(it)["securityContext"].update(readOnlyRootFilesystem=False),
    ),
    "without a limit": ("Deployment", lambda it: _container(it)["resources"].pop("limits")),
    "without a probe": ("Deployment", lambda it: _container(it).pop("livenessProbe")),
    "on another port": ("Deployment", lambda it: _container(it)["ports"].append({"name": "x", "containerPort": 9})),
    "with a root that can be written": ("Deployment", lambda it: _container(it)["volumeMounts"][0].pop("readOnly")),
    "with a folder of the node": (
        "Deployment",
        lambda it: _pod(it)["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    ),
    "with a token for a day": (
        "Deployment",
        lambda it: next(v for v in _pod(it)["volumes"] if v["name"] == "api")["projected"]["sources"][0][
            "serviceAccountToken"
        ].update(expirationSeconds=86400),
    ),
    "with a key that others may read": (
        "Deployment",
        lambda it: next(v for v in _pod(it)["volumes"] if v["name"] == "online")["secret"].update(defaultMode=0o444),
    ),
    "to the whole network": ("NetworkPolicy", lambda it: it["spec"]["egress"].append({})),
    "for nobody's pods": ("NetworkPolicy", lambda it: it["spec"]["podSelector"]["matchLabels"].update(x="y")),
    "drained away": ("PodDisruptionBudget", lambda it: it["spec"]["selector"]["matchLabels"].update(x="y")),
    "on every node": ("Service", lambda it: it["spec"].update(type="NodePort")),
    "to no port": ("Service", lambda it: it["spec"]["ports"][0].update(targetPort="x")),
    "reading secrets": ("ClusterRole", lambda it: it["rules"][0]["resources"].append("secrets")),
    "doing everything": ("Role", lambda it: it["rules"][0].update(verbs=["*"])),
    "impersonating": ("Role", lambda it: it["rules"][0].update(verbs=["impersonate"])),
}


def _pod(body: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = body["spec"]["template"]["spec"]
    return pod


def _container(body: dict[str, Any]) -> dict[str, Any]:
    container: dict[str, Any] = _pod(body)["containers"][0]
    return container


@needs_kubectl
@pytest.mark.parametrize(("kind", "spoil"), SPOILS.values(), ids=SPOILS)
def test_a_hostile_reader_finds_each_weakness(kind: str, spoil: Callable[[dict[str, Any]], Any]) -> None:
    """One at a time: whoever finds nothing in what is deployed has looked."""
    bodies = copy.deepcopy(_ha())
    spoil(next(it for it in bodies if it["kind"] == kind))
    assert weaknesses(bodies)


@cache
def _ha() -> list[dict[str, Any]]:
    return built("overlays/ha")


@needs_kubectl
def test_the_role_is_what_the_design_says_to_the_letter() -> None:
    """Reading our kinds, writing their statuses, events, one Lease; no Secrets, no definitions, no webhooks."""
    bodies = built("overlays/ha")
    roles = {it["metadata"]["name"]: it for it in of_kind(bodies, "ClusterRole")}
    role = roles.pop("flagseal-operator")
    plurals = sorted(PLURALS.values())
    assert role["rules"] == [
        {"apiGroups": ["flagseal.dev"], "resources": plurals, "verbs": ["get", "list", "watch"]},
        {"apiGroups": ["flagseal.dev"], "resources": [f"{it}/status" for it in plurals], "verbs": ["patch"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["create"]},
    ]
    # Following git is a role of its own; beside Flux it may write approvals, which only carry, and nothing else.
    assert roles["flagseal-git-source"]["rules"][0]["resources"] == ["flagapprovals"]
    assert roles["flagseal-git-source"]["rules"][1]["verbs"] == ["create", "update", "delete"]
    (beside_flux,) = (it for it in of_kind(built("overlays/flux"), "ClusterRole") if "git" in it["metadata"]["name"])
    assert beside_flux["rules"] == [
        {"apiGroups": ["flagseal.dev"], "resources": ["flagapprovals"], "verbs": ["create", "delete"]}
    ]
    (lease,) = of_kind(bodies, "Role")
    assert lease["rules"][1] == {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": ["flagseal-operator"],
        "verbs": ["get", "update"],
    }
    assert lease["rules"][0]["verbs"] == ["create"]


@needs_kubectl
def test_a_standby_is_there_where_it_is_promised() -> None:
    """Two replicas apart, of which one may always be taken away; and a single one where the volume is."""
    (ha,) = of_kind(built("overlays/ha"), "Deployment")
    assert ha["spec"]["replicas"] == 2
    assert "podAntiAffinity" in ha["spec"]["template"]["spec"]["affinity"]
    assert len(of_kind(built("overlays/ha"), "PodDisruptionBudget")) == 1
    (single,) = of_kind(built("overlays/single"), "Deployment")
    assert single["spec"]["replicas"] == 1
    assert single["spec"]["strategy"]["type"] == "Recreate"


@needs_kubectl
def test_only_receipts_are_waited_for() -> None:
    """Whatever else is asked of admission is a courtesy; what a person signed is exempt (docs/adr/0100)."""
    bodies = built("overlays/ha-webhooks")
    (mutating,) = of_kind(bodies, "MutatingWebhookConfiguration")
    (proof,) = mutating["webhooks"]
    assert proof["failurePolicy"] == "Fail"
    assert proof["rules"] == [
        {
            "apiGroups": ["flagseal.dev"],
            "apiVersions": ["v1alpha1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["emergencyoverrides", "flagfreezes"],
            "scope": "*",
        }
    ]
    exempt = {"key": PROOF_LABEL, "operator": "NotIn", "values": [SIGNED]}
    assert proof["objectSelector"] == {"matchExpressions": [exempt]}
    assert "namespaceSelector" not in proof
    (validating,) = of_kind(bodies, "ValidatingWebhookConfiguration")
    (courtesy,) = validating["webhooks"]
    assert courtesy["failurePolicy"] == "Ignore"
    assert sorted(courtesy["rules"][0]["resources"]) == sorted(PLURALS.values())
    assert courtesy["rules"][1]["resources"] == sorted(PLURALS[kind] for kind in DECLARING)
    for webhook, path in ((proof, MUTATE), (courtesy, VALIDATE)):
        assert webhook["clientConfig"]["service"]["path"] == path
        assert webhook["sideEffects"] == "None"
        assert webhook["admissionReviewVersions"] == ["v1"]
        assert PATIENCE_SECONDS < webhook["timeoutSeconds"] <= 5
    # The operator may change neither.
    roles = [*of_kind(bodies, "ClusterRole"), *of_kind(bodies, "Role")]
    assert not [role for role in roles for rule in role["rules"] if "admission" in str(rule["apiGroups"])]


@needs_kubectl
def test_the_webhooks_are_called_where_they_are_served() -> None:
    """Service, port, policy and certificate, by both ways to get one."""
    bodies = built("overlays/ha-webhooks")
    (service,) = (it for it in of_kind(bodies, "Service") if "webhooks" in it["metadata"]["name"])
    for kind in ("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"):
        called = of_kind(bodies, kind)[0]["webhooks"][0]["clientConfig"]["service"]
        assert called["name"] == service["metadata"]["name"]
        assert called["namespace"] == service["metadata"]["namespace"] == "flagseal-system"
        assert called["port"] == service["spec"]["ports"][0]["port"]
    # A standby serves them, and an active one that cannot publish does too.
    assert service["spec"]["publishNotReadyAddresses"] is True
    container = _container(of_kind(bodies, "Deployment")[0])
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports[service["spec"]["ports"][0]["targetPort"]] == PORT
    certificates = yaml.safe_load_all((OPERATOR / "manifests/webhooks/cert-manager/certificates.yaml").read_text())
    (certificate,) = (it for it in certificates if it["spec"].get("dnsNames"))
    assert tuple(certificate["spec"]["dnsNames"]) == service_hosts(called["name"], called["namespace"])
    volumes = {it["name"]: it for it in _pod(of_kind(bodies, "Deployment")[0])["volumes"]}
    assert volumes["webhook-certs"]["secret"]["secretName"] == certificate["spec"]["secretName"]


@needs_kubectl
@pytest.mark.parametrize("overlay", ["single", "ha", "flux"])
def test_webhooks_can_be_added_to_every_overlay(tmp_path: Path, overlay: str) -> None:
    """As a component; the hostile reader finds nothing then either."""
    manifests = tmp_path / "manifests"
    shutil.copytree(OPERATOR / "manifests", manifests)
    own = manifests / "overlays/own"
    own.mkdir()
    body = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"../{overlay}"],
        "components": ["../../webhooks", "../../webhooks/cert-manager"],
    }
    (own / "kustomization.yaml").write_text(yaml.safe_dump(body))
    bodies = built(str(own))
    assert weaknesses(bodies) == []
    assert {it["metadata"]["namespace"] for it in of_kind(bodies, "Service")} == {"flagseal-system"}
    assert len(of_kind(bodies, "Certificate")) == 2


@needs_kubectl
def test_with_cert_manager_both_registrations_ask_for_its_authority(tmp_path: Path) -> None:
    """As the overlay says, by taking the comment's sign away."""
    overlay = OPERATOR / "manifests/overlays/ha-webhooks/kustomization.yaml"
    manifests = tmp_path / "manifests"
    shutil.copytree(OPERATOR / "manifests", manifests)
    (manifests / "overlays/ha-webhooks/kustomization.yaml").write_text(overlay.read_text().replace("# - ", "- "))
    bodies = built(str(manifests / "overlays/ha-webhooks"))
    registrations = [it for it in bodies if it["kind"].endswith("WebhookConfiguration")]
    assert len(registrations) == 2
    certificates = {it["metadata"]["name"]: it["spec"]["secretName"] for it in of_kind(bodies, "Certificate")}
    for body in registrations:
        namespace, name = body["metadata"]["annotations"]["cert-manager.io/inject-ca-from"].split("/")
        assert (namespace, certificates[name]) == ("flagseal-system", "flagseal-webhook-certs")


@needs_kubectl
def test_every_option_in_the_deployment_is_one_of_the_command() -> None:
    """Manifests and command do not drift apart."""
    (deployment,) = of_kind(built("overlays/ha-webhooks"), "Deployment")
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    told = subprocess.run(
        [str(Path(sys.executable).parent / "flagseal"), "operator", "run", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert container["args"][:2] == ["operator", "run"]
    for word in container["args"]:
        if word.startswith("--"):
            assert word in told
    source = (OPERATOR.parent / "cli/flagseal_cli/commands/operator.py").read_text()
    for variable in container["env"]:
        assert f'"{variable["name"]}"' in source


def test_the_image_is_built_as_linters_want_it() -> None:
    """Hadolint finds nothing; the process is nobody's root; pins have hashes."""
    linter = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([str(linter), str(OPERATOR / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    text = (OPERATOR / "Dockerfile").read_text()
    assert "USER 65532:65532" in text
    assert "--require-hashes" in text
