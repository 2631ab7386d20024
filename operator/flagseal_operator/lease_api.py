"""One Lease on the API server: read it, create it, replace it if it has not changed."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any, Final, Protocol

from kubernetes.client import ApiClient, CoordinationV1Api
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from flagseal.model.errors import FlagsealError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubernetes.client import Configuration

REQUEST_SECONDS: Final = 2.0
"""Longest wait for an answer: well below the time in which a holder must have renewed."""

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 401, 403, 404, 409


class LeaseError(FlagsealError):
    """Say that a Lease cannot be read or written now."""

    code = "LeaseUnavailable"


class LeaseChanged(LeaseError):
    """Say that somebody else wrote the Lease since it was read; it was left alone."""

    code = "LeaseChanged"


class Leases(Protocol):
    """One Lease, with optimistic concurrency."""

    def get(self) -> dict[str, Any] | None:
        """Give the object; None if there is none.

        Raises:
            LeaseError: It cannot be read.
        """
        ...

    def put(self, lease: Mapping[str, Any]) -> dict[str, Any]:
        """Write the object: replace the one it was read from, or create it if it was read from none.

        Raises:
            LeaseChanged: It is not the one that was read any more.
            LeaseError: It cannot be written, or nobody knows whether it was.

        Returns:
            The object as it is now.
        """
        ...


class LeaseApi:
    """One Lease of a real API server.

    Args:
        configuration: How to reach the server, and as whom.
        namespace: Where the Lease is.
        name: Its name.
        timeout: Seconds to wait for a connection, and for each part of an answer.
        dated: Told the ``Date`` of each answer.
    """

    def __init__(
        self,
        configuration: Configuration,
        namespace: str,
        name: str,
        *,
        timeout: float = REQUEST_SECONDS,
        dated: Callable[[str | None], None] = lambda _: None,
    ) -> None:
        own = copy.copy(configuration)
        # Who asks again is decided here: the client's own tries would take longer than a holder has.
        own.retries = False
        self._api = CoordinationV1Api(ApiClient(own))
        self._namespace = namespace
        self._name = name
        self._dated = dated
        self._options: dict[str, Any] = {"_preload_content": False, "_request_timeout": (timeout, timeout)}

    def __repr__(self) -> str:
        return f"Lease {self._namespace}/{self._name}"

    def get(self) -> dict[str, Any] | None:
        """Read it; see :meth:`Leases.get`."""
        return self._asked(
            lambda: self._api.read_namespaced_lease(self._name, self._namespace, **self._options), absent=_NOT_FOUND
        )

    def put(self, lease: Mapping[str, Any]) -> dict[str, Any]:
        """Write it; see :meth:`Leases.put`."""
        metadata = {**(lease.get("metadata") or {}), "name": self._name, "namespace": self._namespace}
        body: Any = {**lease, "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}

        def write() -> Any:  # noqa: ANN401 (the client's own word for an answer it has not parsed)
            if metadata.get("resourceVersion"):
                return self._api.replace_namespaced_lease(self._name, self._namespace, body, **self._options)
            return self._api.create_namespaced_lease(self._namespace, body, **self._options)

        written = self._asked(write)
        if written is None:
            raise LeaseError(f"{self!r}: the server's answer to a write is empty")
        return written

    def _asked(self, request: Callable[[], Any], *, absent: int | None = None) -> dict[str, Any] | None:
        try:
            answer = request()
            body = json.loads(answer.data)
            self._dated(answer.headers.get("Date"))
        except ApiException as error:
            if error.status == absent:
                return None
            raise self._refused(error) from error
        except (HTTPError, OSError, ValueError) as error:
            raise LeaseError(
                f"{self!r}: no answer from the API server ({error})",
                remedy="Look after the API server and the way to it; this goes on by itself.",
            ) from error
        return body if isinstance(body, dict) else None

    def _refused(self, error: ApiException) -> LeaseError:
        said = f"{self!r}: {error.status} {error.reason}"
        # Replacing what was deleted meanwhile is a change like any other.
        if error.status in (_CONFLICT, _NOT_FOUND):
            return LeaseChanged(said, remedy="Read it again.")
        if error.status in (_UNAUTHORIZED, _FORBIDDEN):
            return LeaseError(
                said,
                code="LeaseForbidden",
                remedy="Let this service account get, create and update this Lease (operator/manifests).",
            )
        return LeaseError(said, remedy="Look after the API server; this goes on by itself.")
