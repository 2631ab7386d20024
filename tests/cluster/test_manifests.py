"""A real API server takes what is deployed as it stands: every field is one that it knows."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.operator.test_manifests import OPERATOR, built, needs_kubectl
from tests.relay.test_manifests import MANIFESTS

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster

LATER = {"PodDisruptionBudget"}
"""Its version is served from Kubernetes 1.21 on; the server of the tests may be older."""


@needs_kubectl
@pytest.mark.parametrize(
    "folder",
    [
        *(OPERATOR / "manifests/overlays" / name for name in ("single", "ha", "ha-webhooks")),
        MANIFESTS / "overlays/bucket",
    ],
)
def test_the_api_server_takes_every_object(cluster: Cluster, folder: object) -> None:
    """With validation on; nothing is created but the namespaces that the others lie in."""
    bodies = [it for it in built(str(folder)) if it["kind"] not in LATER]
    for namespace in {it["metadata"]["namespace"] for it in bodies if "namespace" in it["metadata"]}:
        cluster.namespace(namespace)
    done = subprocess.run(
        ["kubectl", f"--kubeconfig={cluster.kubeconfig}", "apply", "--dry-run=server", "--validate=strict", "-f", "-"],
        input=yaml.safe_dump_all(bodies),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(bodies)


@needs_kubectl
def test_a_misspelt_field_is_noticed(cluster: Cluster) -> None:
    """The check above can fail."""
    (body,) = (it for it in built(str(MANIFESTS / "overlays/bucket")) if it["kind"] == "Deployment")
    body["spec"]["template"]["spec"]["automountServiceAccountTokens"] = False
    body["metadata"]["namespace"] = "default"
    done = subprocess.run(
        ["kubectl", f"--kubeconfig={cluster.kubeconfig}", "apply", "--dry-run=server", "--validate=strict", "-f", "-"],
        input=yaml.safe_dump(body),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "automountServiceAccountTokens" in done.stderr
