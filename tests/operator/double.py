"""A double of the API server, for what the real one cannot be made to do (kmock, over real HTTP)."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import kmock
from kubernetes.client import Configuration

from flagseal_operator.kube import Kube
from flagseal_operator.resources import GROUP, NAMESPACED, PLURALS, VERSION

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import TracebackType
    from typing import Self

_OURS = {"list", "watch", "get", "patch", "create", "delete", "update"}
_SECONDS = 120.0


class Double:
    """A server with our kinds and nothing in it, until the block ends.

    Attributes:
        mock: Where faults are declared: ``double.mock[kmock.action.WATCH, double.resource("Segment")][:2] << 410``.
    """

    def __init__(self) -> None:
        self.mock = kmock.KubernetesEmulator()
        self._server = kmock.Server(self.mock)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        for kind, plural in PLURALS.items():
            self.mock.resources[f"{GROUP}/{VERSION}/{plural}"] = kmock.ResourceInfo(
                kind=kind, namespaced=kind in NAMESPACED, singular=kind.lower(), verbs=_OURS, subresources={"status"}
            )
        # What kopf looks for in any cluster.
        for group, kind in (("v1/namespaces", "Namespace"), ("v1/events", "Event")):
            self.mock.resources[group] = kmock.ResourceInfo(kind=kind, namespaced=kind == "Event", verbs=_OURS)
        self.mock.resources["apiextensions.k8s.io/v1/customresourcedefinitions"] = kmock.ResourceInfo(
            kind="CustomResourceDefinition", namespaced=False, verbs=_OURS
        )

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self.mock.__aenter__())
        self._run(self._server.__aenter__())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._run(self._server.__aexit__(None, None, None))
        self._run(self.mock.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()

    def configuration(self) -> Configuration:
        """Say how to reach it."""
        found = Configuration(host=str(self._server.url).rstrip("/"))
        found.retries = False
        return found

    def kube(self) -> Kube:
        """Give a client of ours."""
        return Kube.of(self.configuration())

    @staticmethod
    def resource(kind: str) -> kmock.resource:
        """Name a kind, to declare faults of it."""
        return kmock.resource(GROUP, VERSION, PLURALS[kind])

    def _run(self, what: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(_SECONDS)


def segment(name: str, version: int) -> dict[str, Any]:
    """Make a resource as a server would show it."""
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "Segment",
        "metadata": {
            "name": name,
            "namespace": "payments",
            "uid": f"uid-{name}",
            "resourceVersion": str(version),
            "generation": 1,
            "creationTimestamp": "2026-11-23T10:00:00Z",
        },
        "spec": {"description": "Those who pay.", "owner": "team-payments", "values": [name]},
    }
