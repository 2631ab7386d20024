"""What the relay counts, and how Prometheus reads it.

Each counter is counted in one thread, nearly all in the event loop's, on plain integers, since an evaluation takes
about as long as one locked counter of the client library would. The library comes in when somebody asks.

Labels never come from a request: a flag that is not served counts under no name, and the number of series is bounded.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client.core import Metric

_BOUNDS: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0)
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_MAX_REASONS: Final = 64
OTHER: Final = "(other)"


class Cell:
    """One counter."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


class Latency:
    """How long requests of one kind took, in buckets."""

    __slots__ = ("buckets", "total")

    def __init__(self) -> None:
        self.buckets = [0] * (len(_BOUNDS) + 1)
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one request."""
        self.buckets[bisect_left(_BOUNDS, seconds)] += 1
        self.total += seconds

    def cumulative(self) -> list[tuple[str, float]]:
        """Give (upper bound, requests up to it), the last bound being infinite."""
        running = 0
        pairs: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, _BOUNDS), "+Inf"), self.buckets, strict=True):
            running += count
            pairs.append((bound, running))
        return pairs


class Metrics:
    """All counters of one relay.

    Args:
        max_series: How many (flag, variant, reason) are told apart; the rest counts under ``(other)``.
    """

    def __init__(self, *, max_series: int = 20_000) -> None:
        self._max_series = max_series
        self._evaluations: dict[tuple[str, str, str], Cell] = {}
        self._refused: dict[str, Cell] = {}
        self._latencies: dict[str, Latency] = {}
        self.not_found = self._evaluation("", "", "ERROR", force=True)
        self._other = self._evaluation(OTHER, OTHER, OTHER, force=True)
        self.bad_requests = Cell()
        self.failures = Cell()
        self.refreshes = Cell()
        self.dropped_subscribers = Cell()
        self.turned_away_subscribers = Cell()
        # Those of the sync protocol are counted in its threads, under its lock.
        self.sync_subscribers = Cell()
        self.dropped_sync_subscribers = Cell()
        self.turned_away_sync_subscribers = Cell()

    def evaluation(self, flag: str, variant: str | None, reason: str | None) -> Cell:
        """Give the counter of one outcome of one served flag."""
        return self._evaluation(flag, variant or "", reason or "", force=False)

    def _evaluation(self, flag: str, variant: str, reason: str, *, force: bool) -> Cell:
        labels = (flag, variant, reason)
        cell = self._evaluations.get(labels)
        if cell is None:
            if not force and len(self._evaluations) >= self._max_series:
                return self._other
            cell = self._evaluations[labels] = Cell()
        return cell

    def refused(self, reason: str) -> None:
        """Count a refused update under its code; what has none, and reasons beyond a bound, count as ``(other)``."""
        if _CODE.fullmatch(reason) is None or (reason not in self._refused and len(self._refused) >= _MAX_REASONS):
            reason = OTHER
        self._refused.setdefault(reason, Cell()).count += 1

    def latency(self, route: str) -> Latency:
        """Give the latencies of one route."""
        return self._latencies.setdefault(route, Latency())

    def collect(self, gauges: Iterable[tuple[str, str, float]]) -> list[Metric]:
        """Take down everything as it is now.

        Args:
            gauges: (name without prefix, what it means, value), known to the relay.
        """
        evaluations = CounterMetricFamily(
            "flagseal_evaluations",
            "Answers given, by flag, variant and reason; without a flag: asked for, but not served.",
            labels=("flag", "variant", "reason"),
        )
        for labels, cell in self._evaluations.items():
            if cell.count:
                evaluations.add_metric(labels, cell.count)
        refused = CounterMetricFamily(
            "flagseal_refused_updates", "Updates that did not verify, by reason.", labels=("reason",)
        )
        for reason, cell in self._refused.items():
            refused.add_metric((reason,), cell.count)
        latency = HistogramMetricFamily(
            "flagseal_request_seconds", "From the request's head to its answer.", labels=("route",)
        )
        for route, seconds in self._latencies.items():
            latency.add_metric((route,), buckets=seconds.cumulative(), sum_value=seconds.total)
        counters = (
            ("flagseal_bad_requests", "Requests refused for what they are.", self.bad_requests),
            ("flagseal_failures", "Requests that failed through a fault of the relay.", self.failures),
            ("flagseal_refreshes", "Attempts to find a newer snapshot.", self.refreshes),
            (
                "flagseal_event_subscribers_dropped",
                "Event streams ended since nobody read them.",
                self.dropped_subscribers,
            ),
            (
                "flagseal_event_subscribers_refused",
                "Event streams refused for want of room.",
                self.turned_away_subscribers,
            ),
            (
                "flagseal_sync_subscribers_dropped",
                "flagd sync streams ended since nobody read them.",
                self.dropped_sync_subscribers,
            ),
            (
                "flagseal_sync_subscribers_refused",
                "flagd sync streams refused for want of room.",
                self.turned_away_sync_subscribers,
            ),
        )
        return [
            evaluations,
            refused,
            latency,
            *(CounterMetricFamily(name, text, value=cell.count) for name, text, cell in counters),
            *(GaugeMetricFamily(f"flagseal_{name}", text, value=value) for name, text, value in gauges),
        ]


class _Taken(Collector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Sequence[Metric]:
        return self._families


def exposition(families: Sequence[Metric], accept: str) -> tuple[bytes, str]:
    """Write metrics in the format that the client accepts.

    Args:
        families: From :meth:`Metrics.collect`.
        accept: The request's ``Accept`` header, or nothing.

    Returns:
        The text, and its content type.
    """
    encoder, content_type = choose_encoder(accept)
    registry = CollectorRegistry()
    registry.register(_Taken(families))
    ProcessCollector(registry=registry)
    return encoder(registry), content_type
