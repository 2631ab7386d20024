"""Alive and ready are two things."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import SnapshotError
from tests.relay.conftest import asking
from tests.relay.harness import MemorySource, view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.relay.conftest import Asked


@pytest.fixture
def waiting() -> Iterator[Asked]:
    """Run a relay whose source has nothing yet, and says why."""
    source = MemorySource()
    source.failure = SnapshotError("the store does not answer", code="unreachable", remedy="See that it is up.")
    yield from asking(source)


def test_a_relay_is_alive_before_it_is_ready(waiting: Asked) -> None:
    """A restart would not help it."""
    assert waiting.client.get("/healthz").status_code == 200


def test_readiness_waits_for_a_verified_snapshot_and_says_why(waiting: Asked) -> None:
    """503 with the reason; 200 with the version as soon as there is one."""
    deadline = time.monotonic() + 60
    while "store" not in (answer := waiting.client.get("/readyz")).json()["reason"] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reason": "the store does not answer. See that it is up."}
    waiting.source.coming, waiting.source.failure = view(version=7), None
    waiting.relay.notify()
    assert waiting.relay.wait_until_ready(60)
    answer = waiting.client.get("/readyz")
    assert answer.status_code == 200
    facts = answer.json()
    assert (facts["ready"], facts["version"], facts["environment"], facts["stale"]) == (True, 7, "production", False)


@pytest.mark.parametrize("path", ["/ofrep/v1/evaluate/flags/static", "/ofrep/v1/evaluate/flags"])
def test_no_flag_is_answered_before_a_snapshot_is_verified(waiting: Asked, path: str) -> None:
    """The application's own default is served, not ours."""
    answer = waiting.client.post(path, content=b"{}")
    assert answer.status_code == 500
    assert list(answer.json()) == ["errorDetails"]
    assert "No verified snapshot" in answer.json()["errorDetails"]


def test_an_unknown_path_says_so_in_json(asked: Asked) -> None:
    """As every other failure."""
    answer = asked.client.get("/nowhere")
    assert answer.status_code == 404
    assert answer.json()["errorDetails"]
