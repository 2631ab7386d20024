"""Whatever happens to updates, the last good snapshot is answered from."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import SnapshotError
from flagseal_relay.relay import Relay
from flagseal_relay.serve import serve
from tests.relay.harness import FLAGS, MemoryNamespace, MemorySource, MemoryView, view

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.relay.conftest import Asked


def eventually(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (SnapshotError("older than before", code="rollback"), "rollback"),
        (ValueError("a fault of ours"), "Unexpected"),
        ("unapproved-content", "unapproved-content"),
        ("free text, which is no reason", "(other)"),
    ],
)
def test_a_refused_update_changes_no_answer_and_is_counted(own: Asked, failure: Exception | str, reason: str) -> None:
    """By its reason, however it is reported."""
    own.source.failure = failure
    own.source.coming = view({}, version=2)
    line = f'flagseal_refused_updates_total{{reason="{reason}"}}'
    eventually(lambda: line in own.client.get("/metrics").text)
    assert own.one("static").status_code == 200
    assert own.client.get("/readyz").status_code == 200
    own.source.failure = None
    eventually(lambda: own.one("static").status_code == 404)
    assert "refused" not in own.client.get("/readyz").json()


def test_a_notice_is_acted_on_at_once() -> None:
    """A change does not wait for the next look; and one notice is one look."""
    source = MemorySource(view())
    relay = Relay(source, poll=3600)
    with serve(relay, port=0):
        assert relay.wait_until_ready(60)
        source.coming = view(version=2)
        relay.notify()
        eventually(lambda: relay.book is not None and relay.book.view.version == 2)
        time.sleep(0.1)
        assert relay.metrics.refreshes.count == 2


def test_a_notice_during_a_refresh_is_not_lost() -> None:
    """What was published while the store was being read is read by the next refresh."""
    running, go_on = threading.Event(), threading.Event()

    def block() -> None:
        running.set()
        go_on.wait(60)

    source = MemorySource(view())
    relay = Relay(source, poll=3600)
    with serve(relay, port=0):
        assert relay.wait_until_ready(60)
        source.on_refresh = block
        relay.notify()
        assert running.wait(60)
        source.coming = view(version=2)
        relay.notify()
        go_on.set()
        eventually(lambda: relay.book is not None and relay.book.view.version == 2)


def test_stopping_waits_for_a_refresh_that_is_under_way() -> None:
    """Whoever stops the relay closes its source next."""
    running, ended = threading.Event(), threading.Event()

    def slowly() -> None:
        running.set()
        time.sleep(0.5)
        ended.set()

    source = MemorySource(view())
    source.on_refresh = slowly
    with serve(Relay(source, poll=3600), port=0):
        assert running.wait(60)
    assert ended.is_set()


def test_a_notice_before_the_start_and_after_the_end_does_nothing() -> None:
    """The publisher does not have to know whether anybody listens."""
    relay = Relay(MemorySource(view()))
    relay.notify()
    with serve(relay, port=0):
        assert relay.wait_until_ready(60)
    relay.notify()


def test_what_was_verified_before_is_served_before_anybody_is_asked() -> None:
    """A relay that restarts while the store is away answers from what its client kept."""
    source = MemorySource()
    source.current = view(version=5)
    source.failure = SnapshotError("away", code="unreachable")
    relay = Relay(source, poll=3600)
    served_before_asking: list[bool] = []
    source.on_refresh = lambda: served_before_asking.append(relay.book is not None)
    with serve(relay, port=0):
        eventually(lambda: bool(served_before_asking))
        assert served_before_asking == [True]
        assert relay.book is not None
        assert relay.book.view.version == 5


def test_a_stale_snapshot_goes_on_answering_and_says_so(own: Asked) -> None:
    """In each flag's metadata, in bulk, in readiness and in metrics; and it recovers."""
    fresh = own.bulk().headers["etag"]
    assert own.source.current is not None
    fresh_view = own.source.current
    assert isinstance(fresh_view, MemoryView)
    own.source.coming = fresh_view.out_of_date(90)
    eventually(lambda: own.client.get("/readyz").json()["stale"])
    answer = own.one("static").json()
    assert (answer["value"], answer["metadata"]["stale"]) == (True, True)
    bulk = own.bulk(if_none_match=fresh)
    assert bulk.status_code == 200
    assert bulk.json()["metadata"]["stale"] is True
    text = own.client.get("/metrics").text
    assert "flagseal_snapshot_stale 1.0" in text
    seconds = next(line for line in text.splitlines() if line.startswith("flagseal_staleness_seconds "))
    assert float(seconds.split()[1]) >= 90
    own.source.coming = fresh_view
    eventually(lambda: not own.client.get("/readyz").json()["stale"])
    assert "stale" not in own.one("static").json()["metadata"]


def test_time_alone_makes_a_snapshot_stale() -> None:
    """No refresh has to come back for it: a store that hangs is a reason to become stale."""
    release = threading.Event()
    source = MemorySource()
    source.current = source.coming = view()
    source.on_refresh = lambda: release.wait(60)
    relay = Relay(source)
    with serve(relay, port=0):
        assert relay.wait_until_ready(60)
        source.current = view().out_of_date(1)
        eventually(lambda: relay.book is not None and relay.book.stale)
        release.set()


def test_a_key_that_two_namespaces_serve_is_answered_by_neither(own: Asked) -> None:
    """A cheap flag with another's name must not answer for it."""
    flag = FLAGS["static"]
    both = {"payments": MemoryNamespace.of({"dear": flag, "other": flag})}
    both["toys"] = MemoryNamespace.of({"dear": flag}, "toys")
    own.source.coming = MemoryView(both, version=2, sequence=2)
    eventually(lambda: own.one("other").status_code == 200)
    answer = own.one("dear")
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "GENERAL")
    assert "namespace" in answer.json()["errorDetails"]
    assert [flag["key"] for flag in own.bulk().json()["flags"]] == ["other"]


def test_a_fault_of_ours_ends_one_request_and_not_the_relay(own: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """500 with OFREP's body, logged and counted; the next request is answered."""

    def fault(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("flagseal_relay.app.answer_one", fault)
        answer = own.one("static")
    assert answer.status_code == 500
    assert list(answer.json()) == ["errorDetails"]
    assert "flagseal_failures_total 1.0" in own.client.get("/metrics").text
    assert own.one("static").status_code == 200


def test_no_bulk_answer_mixes_two_snapshots(own: Asked) -> None:
    """Sixty flags, all of them blue in one snapshot and green in the other, swapped as fast as they come."""

    def painted(colour: str, version: int) -> MemoryView:
        flag = {"state": "ENABLED", "variants": {"blue": "blue", "green": "green"}, "defaultVariant": colour}
        return view({f"flag-{number}": flag for number in range(60)}, version=version)

    snapshots = (painted("blue", 2), painted("green", 3))
    stop = threading.Event()

    def swap() -> None:
        turn = 0
        while not stop.is_set():
            own.source.coming = snapshots[turn % 2]
            own.relay.notify()
            turn += 1
            time.sleep(0.001)

    swapping = threading.Thread(target=swap)
    swapping.start()
    seen: set[tuple[int, str]] = set()

    def ask() -> None:
        answer = own.bulk().json()
        values = {flag["value"] for flag in answer["flags"]}
        assert len(values) == 1
        seen.add((answer["metadata"]["version"], values.pop()))

    def both_are_seen() -> bool:
        ask()
        return len(seen) > 1

    try:
        eventually(lambda: len(own.bulk().json()["flags"]) == 60)
        for _ in range(300):
            ask()
        eventually(both_are_seen)
    finally:
        stop.set()
        swapping.join()
    assert seen == {(2, "blue"), (3, "green")}
