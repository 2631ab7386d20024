"""What Prometheus reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from flagseal_relay.metrics import OTHER, Metrics, exposition
from tests.relay.harness import FLAGS, evaluation_body

if TYPE_CHECKING:
    from tests.relay.conftest import Asked


def read(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Parse an exposition as Prometheus would."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def evaluations(samples: dict[tuple[str, tuple[tuple[str, str], ...]], float], **labels: str) -> float:
    """Find how often an outcome was answered."""
    return samples.get(("flagseal_evaluations_total", tuple(sorted(labels.items()))), 0.0)


def test_every_answer_is_counted_by_flag_variant_and_reason(own: Asked) -> None:
    """Single and bulk, successes and failures."""
    for _ in range(3):
        own.one("targeted", evaluation_body(org="acme"))
    own.one("targeted", evaluation_body(org="globex"))
    own.one("malformed")
    own.bulk(evaluation_body(org="acme"))
    samples = read(own.client.get("/metrics").text)
    assert evaluations(samples, flag="targeted", variant="on", reason="TARGETING_MATCH") == 4
    assert evaluations(samples, flag="targeted", variant="off", reason="DEFAULT") == 1
    assert evaluations(samples, flag="malformed", variant="", reason="ERROR") == 2
    assert evaluations(samples, flag="disabled", variant="", reason="DISABLED") == 1


def test_a_name_that_is_not_served_never_becomes_a_label(own: Asked) -> None:
    """Anybody could fill the memory of Prometheus otherwise."""
    for number in range(20):
        own.one(f"made-up-{number}")
    text = own.client.get("/metrics").text
    assert "made-up" not in text
    assert evaluations(read(text), flag="", variant="", reason="ERROR") == 20


def test_snapshot_and_requests_are_measured(own: Asked) -> None:
    """Version, sequence, freshness, flags, and how long answers took."""
    own.one("static")
    own.bulk()
    own.one("static", b"not json")
    samples = read(own.client.get("/metrics").text)
    assert samples["flagseal_snapshot_version", ()] == 1
    assert samples["flagseal_snapshot_sequence", ()] == 1
    assert samples["flagseal_snapshot_stale", ()] == 0
    assert samples["flagseal_staleness_seconds", ()] == 0
    assert samples["flagseal_flags", ()] == len(FLAGS)
    assert samples["flagseal_bad_requests_total", ()] == 1
    assert samples["flagseal_request_seconds_count", (("route", "evaluate"),)] == 2
    assert samples["flagseal_request_seconds_count", (("route", "bulk"),)] == 1
    assert samples["flagseal_request_seconds_bucket", (("le", "+Inf"), ("route", "evaluate"))] == 2


def test_metrics_are_offered_in_the_format_that_is_asked_for(asked: Asked) -> None:
    """Prometheus asks for OpenMetrics by preference."""
    plain = asked.client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain")
    answer = asked.client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_the_number_of_series_is_bounded() -> None:
    """What is beyond the bound still counts, under no name."""
    metrics = Metrics(max_series=10)
    for number in range(100):
        metrics.evaluation(f"flag-{number}", "on", "STATIC").count += 1
        metrics.refused(f"reason-{number}")
    samples = read(exposition(metrics.collect([]), "")[0].decode())
    assert sum(name == "flagseal_evaluations_total" for name, _ in samples) <= 10
    assert sum(value for (name, _), value in samples.items() if name == "flagseal_evaluations_total") == 100
    assert evaluations(samples, flag=OTHER, variant=OTHER, reason=OTHER) > 0
    assert sum(name == "flagseal_refused_updates_total" for name, _ in samples) <= 65
