"""What is deployed as a relay: nobody in particular, with a pinned root, reading a store and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.operator.hardened import container_weaknesses, weaknesses
from tests.operator.test_manifests import built, needs_kubectl, of_kind

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
MANIFESTS = ROOT / "relay" / "manifests"


def deployment(bodies: list[dict[str, Any]]) -> dict[str, Any]:
    """Give the pod's spec."""
    (found,) = of_kind(bodies, "Deployment")
    pod: dict[str, Any] = found["spec"]["template"]["spec"]
    return pod


@needs_kubectl
@pytest.mark.parametrize("folder", ["base", "overlays/bucket"])
def test_a_hostile_reader_finds_nothing(folder: str) -> None:
    """Pod Security's strictest profile, a network policy both ways, a disruption budget, no token."""
    bodies = built(str(MANIFESTS / folder))
    assert weaknesses(bodies) == []
    (namespace,) = of_kind(bodies, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert not [it for it in bodies if "Role" in it["kind"]], "it asks the API server for nothing"
    assert not [it for it in deployment(bodies)["volumes"] if "projected" in it]


@needs_kubectl
def test_only_labelled_namespaces_reach_it_and_it_reaches_names_and_the_store() -> None:
    """Whoever may evaluate is asked for by label: the Service is no way around it."""
    (policy,) = of_kind(built(str(MANIFESTS / "overlays/bucket")), "NetworkPolicy")
    (rule,) = policy["spec"]["ingress"]
    assert all(it["namespaceSelector"]["matchLabels"] for it in rule["from"])
    ports = [port["port"] for it in policy["spec"]["egress"] for port in it["ports"]]
    assert ports == [53, 53, 443]


def _options(args: Iterable[str]) -> list[str]:
    return [word.partition("=")[0] for word in args]


@needs_kubectl
def test_every_option_is_one_of_the_command() -> None:
    """Manifests and command do not drift apart; what anybody may reach is opened in so many words."""
    container = deployment(built(str(MANIFESTS / "overlays/bucket")))["containers"][0]
    told = subprocess.run(
        [str(Path(sys.executable).parent / "flagseal"), "relay", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert {*_options(container["args"])} == {"--store", "--root", "--cache", "--listen", "--log-format"}
    assert all(option in told for option in _options(container["args"]))


@needs_kubectl
def test_a_sidecar_is_put_into_labelled_deployments_and_stays_on_the_loopback_interface(tmp_path: Path) -> None:
    """It opens no port, and is as restricted as a relay of its own."""
    pods = {"app": "web"}
    body: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": {"flagseal.dev/relay": "sidecar"}},
        "spec": {
            "selector": {"matchLabels": pods},
            "template": {"metadata": {"labels": pods}, "spec": {"containers": [{"name": "web", "image": "web"}]}},
        },
    }
    other = {**body, "metadata": {"name": "other"}}
    (tmp_path / "web.yaml").write_text(yaml.safe_dump_all([body, other]))
    component = os.path.relpath(MANIFESTS / "sidecar", tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(
        yaml.safe_dump(
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "resources": ["web.yaml"],
                "components": [component],
            }
        )
    )
    made = {it["metadata"]["name"]: it["spec"]["template"]["spec"] for it in built(str(tmp_path))}
    assert [it["name"] for it in made["other"]["containers"]] == ["web"]
    (relay,) = (it for it in made["web"]["containers"] if it["name"] == "flagseal-relay")
    assert {*_options(relay["args"])} == {"--store", "--root", "--cache", "--log-format"}
    assert "ports" not in relay
    assert [*container_weaknesses(relay)] == []
    assert relay["securityContext"]["runAsNonRoot"] is True


def test_the_image_has_a_relay_that_runs_neither_git_nor_root() -> None:
    """A stage of its own, which does not build on the one that installs git."""
    stages = (ROOT / "operator" / "Dockerfile").read_text().split("\nFROM ")
    (relay,) = (it for it in stages if it.startswith("bare AS relay"))
    (bare,) = (it for it in stages if it.startswith("${PYTHON} AS bare"))
    assert "USER 65532:65532" in relay
    assert 'ENTRYPOINT ["flagseal", "relay"]' in relay
    assert "apt-get" not in bare + relay, "nothing is installed beside Python"
