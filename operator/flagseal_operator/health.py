"""What a probe and Prometheus ask of an operator, active or not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from flagseal_operator.listening import Listener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from prometheus_client.core import Metric

PORT: Final = 8080


@dataclass(frozen=True, slots=True)
class Health:
    """What is said of a process at one moment.

    Attributes:
        alive: Whether it is worth keeping; if not, it is to be restarted.
        ready: Whether it does its part: has published, or stands by.
        words: Why.
        gauges: By name without prefix, (what it means, value).
    """

    alive: bool
    ready: bool
    words: str
    gauges: Mapping[str, tuple[str, float]]


class HealthServer(Listener):
    """Answer ``/healthz``, ``/readyz`` and ``/metrics``.

    Args:
        host: Where to listen.
        port: 0 takes a free one.
        health: Says how the process is; called for each request, from its thread.

    Raises:
        UsageError: ``CannotListen``.
    """

    def __init__(self, host: str, port: int, health: Callable[[], Health]) -> None:
        registry = CollectorRegistry()
        registry.register(_Collector(health))
        ProcessCollector(registry=registry)

        class Handler(BaseHTTPRequestHandler):
            server_version = "flagseal"
            sys_version = ""
            timeout = 10

            def do_GET(self) -> None:
                status, kind, body = _answer(self.path, health, registry)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Probes come every few seconds: they are not worth a line each."""

        super().__init__(
            lambda: _Server((host, port), Handler),
            name="flagseal-health",
            trouble=f"Health cannot be told on {host}:{port}",
            remedy="Choose another port.",
        )


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class _Collector(Collector):
    def __init__(self, health: Callable[[], Health]) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        for name, (meaning, value) in self._health().gauges.items():
            yield GaugeMetricFamily(f"flagseal_operator_{name}", meaning, value=value)


def _answer(path: str, health: Callable[[], Health], registry: CollectorRegistry) -> tuple[int, str, bytes]:
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest(registry)
    if path not in {"/healthz", "/readyz"}:
        return 404, "text/plain", b"not found\n"
    found = health()
    well = found.alive if path == "/healthz" else found.ready
    return 200 if well else 503, "application/json", json.dumps({"ok": well, "why": found.words}).encode() + b"\n"
