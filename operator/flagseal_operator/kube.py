"""The few calls to the API server that the operator makes itself; watching is kopf's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException
from urllib3.exceptions import HTTPError

from flagseal.model.errors import FlagsealError
from flagseal_operator.resources import GROUP, NAMESPACED, PLURALS, VERSION, Ref

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MANAGER: Final = "flagseal"
"""The field manager of everything that the operator writes."""

_PAGE: Final = 500
_SECONDS: Final = 10.0
_GONE: Final = frozenset({404, 410})
_FAILED: Final = 400


class KubeError(FlagsealError):
    """Say that the API server could not be asked, or refused.

    Attributes:
        status: Its HTTP status; 0 if it could not be reached.
    """

    code = "ApiServer"

    def __init__(self, message: str, *, status: int, remedy: str = "") -> None:
        super().__init__(message, code="ApiServerUnreachable" if not status else f"ApiServer{status}", remedy=remedy)
        self.status = status


def configuration(kubeconfig: Path | None = None) -> client.Configuration:
    """Find out how to reach the API server: from inside a cluster, or from a kubeconfig.

    Raises:
        KubeError: Neither is there.
    """
    found = client.Configuration()
    # Whoever asks decides how often: the client's own tries would hold up, and log a line each.
    found.retries = False
    try:
        if kubeconfig is not None:
            config.load_kube_config(str(kubeconfig), client_configuration=found)  # type: ignore[no-untyped-call]
        else:
            config.load_config(client_configuration=found)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError, TypeError) as error:
        raise KubeError(
            f"no cluster can be reached: {error}",
            status=0,
            remedy="Run inside a cluster, or set KUBECONFIG (kubectl get flags must work).",
        ) from error
    return found


@dataclass(frozen=True)
class Kube:
    """Speak with one API server. Safe to use from several threads.

    Attributes:
        api: A configured client.
    """

    api: client.ApiClient

    @classmethod
    def of(cls, found: client.Configuration) -> Kube:
        """Make one from a configuration."""
        return cls(client.ApiClient(found))

    def list(self, kind: str, namespace: str | None = None) -> Iterator[tuple[dict[str, Any], str]]:
        """Give every resource of a kind, page by page, with the version of the list.

        Raises:
            KubeError: The API server cannot be asked.
        """
        words: dict[str, Any] = {"limit": _PAGE}
        while True:
            page = self._call("GET", _path(Ref(kind, namespace, "")), query=words)
            version = str(page["metadata"].get("resourceVersion", ""))
            for item in page["items"]:
                yield item, version
            following = page["metadata"].get("continue")
            if not following:
                return
            words["continue"] = following

    def count(self, kind: str, namespace: str | None = None) -> int:
        """Say how many resources of a kind there are."""
        page = self._call("GET", _path(Ref(kind, namespace, "")), query={"limit": 1})
        return len(page["items"]) + int(page["metadata"].get("remainingItemCount") or 0)

    def get(self, ref: Ref) -> dict[str, Any] | None:
        """Read one resource; None if it is not there."""
        try:
            return self._call("GET", _path(ref))
        except KubeError as error:
            if error.status in _GONE:
                return None
            raise

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create a resource of ours."""
        metadata = body["metadata"]
        ref = Ref(body["kind"], metadata.get("namespace"), "")
        return self._call("POST", _path(ref), body, {"fieldManager": MANAGER})

    def replace(self, ref: Ref, body: Mapping[str, Any]) -> dict[str, Any]:
        """Replace a whole resource; with a resource version in it, only if it is still that one."""
        return self._call("PUT", _path(ref), body, {"fieldManager": MANAGER})

    def delete(self, ref: Ref) -> None:
        """Delete a resource, if it is there."""
        try:
            self._call("DELETE", _path(ref))
        except KubeError as error:
            if error.status not in _GONE:
                raise

    def write_status(self, ref: Ref, status: Mapping[str, Any]) -> dict[str, Any] | None:
        """Write a whole status; a resource that is gone has none.

        Returns:
            The resource as it is now; None if it is gone.

        Raises:
            KubeError: It was not written.
        """
        try:
            return self._call(
                "PATCH",
                f"{_path(ref)}/status",
                {"status": status},
                {"fieldManager": MANAGER},
                content_type="application/merge-patch+json",
            )
        except KubeError as error:
            if error.status not in _GONE:
                raise
            return None

    def event(self, ref: Ref, uid: str, *, reason: str, message: str, warning: bool, now: str) -> None:
        """Write a Kubernetes event about a resource."""
        namespace = ref.namespace or "default"
        involved = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": ref.kind,
            "name": ref.name,
            "uid": uid,
            **({"namespace": ref.namespace} if ref.namespace else {}),
        }
        body = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": "flagseal-", "namespace": namespace},
            "involvedObject": involved,
            "reason": reason,
            "message": message[:1024],
            "type": "Warning" if warning else "Normal",
            "source": {"component": MANAGER},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self._call("POST", f"/api/v1/namespaces/{namespace}/events", body)

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        *,
        content_type: str = "application/json",
    ) -> dict[str, Any]:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        words = self.api.param_serialize(
            method,
            path,
            query_params=[(name, str(value)) for name, value in (query or {}).items()],
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        try:
            answer = self.api.call_api(*words, _request_timeout=(_SECONDS, _SECONDS))
            data = answer.read()  # type: ignore[no-untyped-call]
            found: dict[str, Any] = json.loads(data) if data else {}
        except (ApiException, HTTPError, OSError, ValueError) as error:
            raise KubeError(f"{method} {path}: the API server does not answer: {error}", status=0) from error
        if answer.status >= _FAILED:
            raise _refused(answer.status, found, f"{method} {path}")
        return found


def _path(ref: Ref) -> str:
    middle = f"/namespaces/{ref.namespace}" if ref.namespace and ref.kind in NAMESPACED else ""
    return f"/apis/{GROUP}/{VERSION}{middle}/{PLURALS[ref.kind]}" + (f"/{ref.name}" if ref.name else "")


def _refused(status: int, body: Mapping[str, Any], what: str) -> KubeError:
    return KubeError(f"{what}: {body.get('message') or status}", status=status, remedy=_REMEDIES.get(status, ""))


_REMEDIES: Final = {
    401: "Its token is not valid here.",
    403: "Give the account the role of operator/manifests.",
    404: "Are the custom resource definitions installed (operator/crds)?",
}
