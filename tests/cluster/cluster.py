"""What tests do to a cluster."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from flagseal_operator.resources import GROUP, NAMESPACED, PLURALS, VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from flagseal.model.document import Document

CRDS = Path(__file__).resolve().parents[2] / "operator" / "crds"
PATIENCE = 120.0


@dataclass
class Cluster:
    """One API server with our kinds.

    Attributes:
        api: A client that may do anything.
        kubeconfig: The same for other programs.
    """

    api: client.ApiClient
    kubeconfig: Path

    def __post_init__(self) -> None:
        # The client's types say more than its answers keep.
        self.objects: Any = client.CustomObjectsApi(self.api)
        self.core: Any = client.CoreV1Api(self.api)

    def install(self) -> None:
        """Install the custom resource definitions, and wait until they are served."""
        extensions: Any = client.ApiextensionsV1Api(self.api)
        there = {entry.metadata.name for entry in extensions.list_custom_resource_definition().items}
        wanted = [
            yaml.safe_load(path.read_text()) for path in sorted(CRDS.glob("*.yaml")) if "kustomization" not in path.name
        ]
        missing = [body for body in wanted if body["metadata"]["name"] not in there]
        for body in missing:
            extensions.create_custom_resource_definition(body)
        for body in missing:
            self.until(lambda name=body["metadata"]["name"]: self._is_served(extensions, name))  # type: ignore[misc]

    def _is_served(self, extensions: Any, name: str) -> bool:  # noqa: ANN401 (the client has no types)
        status = extensions.read_custom_resource_definition(name).status
        return any(entry.type == "Established" and entry.status == "True" for entry in status.conditions or ())

    def empty(self) -> None:
        """Remove every resource of ours."""
        for kind in PLURALS:
            for body in self.list(kind):
                self.delete(kind, body["metadata"]["name"], body["metadata"].get("namespace"))

    def namespace(self, name: str) -> None:
        """Have a namespace."""
        try:
            self.core.create_namespace({"metadata": {"name": name}})
        except ApiException as error:
            if error.status != 409:
                raise

    def list(self, kind: str) -> list[dict[str, Any]]:
        """List all resources of a kind."""
        found: dict[str, Any] = self.objects.list_cluster_custom_object(GROUP, VERSION, PLURALS[kind])
        return list(found["items"])

    def get(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
        """Read one resource."""
        where = (GROUP, VERSION) if namespace is None else (GROUP, VERSION, namespace)
        read = (
            self.objects.get_cluster_custom_object if namespace is None else self.objects.get_namespaced_custom_object
        )
        found: dict[str, Any] = read(*where, PLURALS[kind], name)
        return found

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create a resource, with its namespace."""
        plural, namespace = PLURALS[body["kind"]], body["metadata"].get("namespace")
        made: dict[str, Any]
        if body["kind"] in NAMESPACED:
            self.namespace(str(namespace))
            made = self.objects.create_namespaced_custom_object(GROUP, VERSION, namespace, plural, dict(body))
        else:
            made = self.objects.create_cluster_custom_object(GROUP, VERSION, plural, dict(body))
        return made

    def declare(self, documents: Iterable[Document]) -> None:
        """Create the resources that declare documents, as a git source would."""
        for document in documents:
            self.create(resource_of(document))

    def edit(self, kind: str, name: str, namespace: str | None, spec: Mapping[str, Any]) -> None:
        """Change a spec by merge patch, as `kubectl edit` does."""
        body = {"spec": spec}
        if namespace is None:
            self.objects.patch_cluster_custom_object(GROUP, VERSION, PLURALS[kind], name, body)
        else:
            self.objects.patch_namespaced_custom_object(GROUP, VERSION, namespace, PLURALS[kind], name, body)

    def delete(self, kind: str, name: str, namespace: str | None = None) -> None:
        """Delete a resource, if it is there."""
        try:
            if namespace is None:
                self.objects.delete_cluster_custom_object(GROUP, VERSION, PLURALS[kind], name)
            else:
                self.objects.delete_namespaced_custom_object(GROUP, VERSION, namespace, PLURALS[kind], name)
        except ApiException as error:
            if error.status != 404:
                raise

    def kubectl(self, *words: str) -> str:
        """Run kubectl as a person does."""
        done = subprocess.run(
            ["kubectl", f"--kubeconfig={self.kubeconfig}", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def conditions(self, kind: str, name: str, namespace: str | None = None) -> dict[str, dict[str, Any]]:
        """Give a resource's conditions by type."""
        status = self.get(kind, name, namespace).get("status") or {}
        return {entry["type"]: entry for entry in status.get("conditions", ())}

    def until(self, holds: Callable[[], object], patience: float = PATIENCE) -> None:
        """Wait until something holds, and say what did not.

        Args:
            holds: Gives something true once it does.
            patience: Seconds.
        """
        end = time.monotonic() + patience
        while not holds():
            assert time.monotonic() < end, "it did not come to that"
            time.sleep(0.05)


def resource_of(document: Document) -> dict[str, Any]:
    """Give the resource that declares a document."""
    body: dict[str, Any] = document.body()
    if document.namespace is not None:
        return body
    name = f"{document.kind.lower()}.{document.name}"
    return {
        "apiVersion": body["apiVersion"],
        "kind": "FlagPolicy",
        "metadata": {"name": name},
        "spec": {"document": body},
    }
