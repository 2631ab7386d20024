"""What the network and the server do to writes, and that each write ends as done, or as not done, and known to be."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.store import AlreadyExists, Conflict
from flagseal.snapshot.stores import open_store
from tests.store.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flagseal.snapshot.objects import ObjectStore
    from flagseal.snapshot.store import Store
    from tests.store.faults import Proxy

    Through = Callable[..., ObjectStore]

NEW = "metadata/7.snapshot.json"
TIMESTAMP = "metadata/timestamp.json"
PASSING = [
    Fault("answer", status=503, code="SlowDown"),
    Fault("answer", status=500, code="InternalError"),
    Fault("answer", status=429, code="TooManyRequests"),
    Fault("answer", status=409, code="ConditionalRequestConflict"),
    Fault("cut"),
    Fault("half"),
    Fault("lost"),
    Fault("torn"),
]


def content(store: Store, name: str) -> bytes | None:
    """Read a name."""
    stored = store.get(name)
    return None if stored is None else stored.data


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait less between attempts."""
    monkeypatch.setattr("flagseal.snapshot.objects._WAITS", (0.01, 0.02))


def _id(fault: Fault) -> str:
    return fault.how if fault.how != "answer" else str(fault.status)


@pytest.mark.parametrize("fault", PASSING, ids=_id)
def test_a_write_gets_through_what_passes(objects: Store, through: Through, proxy: Proxy, fault: Fault) -> None:
    """Creating and replacing succeed once each; a lost answer to a write that was done is no stranger's write."""
    store = through()
    store.prove()
    proxy.will(fault)
    store.put_new(NEW, b"mine")
    proxy.will(fault)
    tag = store.replace(TIMESTAMP, b"first", if_match=None)
    proxy.will(fault, fault)
    after = store.replace(TIMESTAMP, b"second", if_match=tag)
    assert (content(objects, NEW), content(objects, TIMESTAMP)) == (b"mine", b"second")
    stored = objects.get(TIMESTAMP)
    assert stored is not None
    assert stored.etag == after


@pytest.mark.parametrize("fault", PASSING, ids=_id)
def test_a_write_that_lost_stays_lost_whatever_the_network_does(
    objects: Store, through: Through, proxy: Proxy, fault: Fault
) -> None:
    """Nobody takes another's write for their own because an answer went missing."""
    store = through()
    store.prove()
    objects.put_new(NEW, b"theirs")
    tag = objects.replace(TIMESTAMP, b"1", if_match=None)
    objects.replace(TIMESTAMP, b"2, theirs", if_match=tag)
    proxy.will(fault)
    with pytest.raises(AlreadyExists):
        store.put_new(NEW, b"mine")
    proxy.will(fault)
    with pytest.raises(Conflict):
        store.replace(TIMESTAMP, b"2, mine", if_match=tag)
    assert (content(objects, NEW), content(objects, TIMESTAMP)) == (b"theirs", b"2, theirs")


@pytest.mark.parametrize("how", ["torn", "cut", "answer"])
def test_reading_gets_through_what_passes(objects: Store, through: Through, proxy: Proxy, how: str) -> None:
    """Half an answer is no answer."""
    objects.put_new(NEW, b"x" * 100_000)
    proxy.will(Fault(how, method="GET"), Fault(how, method="GET"))  # type: ignore[arg-type]
    assert content(through(), NEW) == b"x" * 100_000
    proxy.will(Fault(how, method="GET"))  # type: ignore[arg-type]
    assert through().list("metadata/") == (NEW,)


@pytest.mark.parametrize("fault", [Fault("answer"), Fault("cut"), Fault("half")], ids=_id)
def test_a_failure_that_stays_is_said_and_nothing_was_written(
    objects: Store, through: Through, proxy: Proxy, fault: Fault
) -> None:
    """The old content stands, in full."""
    store = through()
    tag = store.replace(TIMESTAMP, b"old", if_match=None)
    proxy.always(fault)
    for write in (lambda: store.put_new(NEW, b"new" * 1000), lambda: store.replace(TIMESTAMP, b"new", if_match=tag)):
        with pytest.raises(SnapshotError) as failed:
            write()
        assert failed.value.code == "StoreUnusable"
        assert failed.value.remedy
    assert (content(objects, NEW), content(objects, TIMESTAMP)) == (None, b"old")


def test_a_write_whose_every_answer_is_lost_is_found_to_be_done(through: Through, proxy: Proxy, objects: Store) -> None:
    """Writes get no answer at all, reads do: looking tells."""
    store = through()
    store.prove()
    proxy.always(Fault("lost"))
    store.put_new(NEW, b"mine")
    assert content(objects, NEW) == b"mine"


def test_a_write_that_arrives_after_its_writer_gave_up_is_still_fenced(
    objects: Store, through: Through, proxy: Proxy
) -> None:
    """The server hears of it when somebody else has replaced what it was meant for, and refuses."""
    through().prove()
    store = through(0.5)
    store._proven = True  # a proof would have to end in half a second, too
    tag = objects.replace(TIMESTAMP, b"1", if_match=None)
    proxy.will(*[Fault("late")] * 3)
    with pytest.raises(SnapshotError) as failed:
        store.replace(TIMESTAMP, b"2, late", if_match=tag)
    assert "no answer in time" in failed.value.message
    objects.replace(TIMESTAMP, b"2, in time", if_match=tag)
    proxy.let_go.set()
    for _ in range(3):
        assert proxy.late.acquire(timeout=120), "all three have reached the server by now"
    assert content(objects, TIMESTAMP) == b"2, in time"


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (403, "AccessDenied", "StoreClosed"),
        (405, "MethodNotAllowed", "StoreClosed"),
        (507, "InsufficientStorage", "StoreFull"),
        (403, "QuotaExceeded", "StoreFull"),
        (501, "NotImplemented", "StoreUnfit"),
        (400, "InvalidRequest", "StoreUnusable"),
    ],
)
def test_a_refusal_is_told_for_what_it_is(through: Through, proxy: Proxy, status: int, code: str, told: str) -> None:
    """Read-only, full, unfit, broken; none of them is tried again."""
    store = through()
    store.prove()
    proxy.seen.clear()
    proxy.always(Fault("answer", status=status, code=code))
    with pytest.raises(SnapshotError) as refused:
        store.put_new(NEW, b"")
    assert refused.value.code == told
    assert code in refused.value.message
    assert proxy.seen == ["PUT"]


class _Careless(BaseHTTPRequestHandler):
    """An S3 server of before 2024: it takes every PUT, and looks at no condition."""

    honours: frozenset[str] = frozenset()

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        refused = any(self.headers.get(name) for name in self.honours)
        self.send_response(412 if refused else 200)
        self.send_header("etag", '"1"')
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def careless(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a server that honours only some conditions."""
    handler = type("Handler", (_Careless,), {"honours": frozenset(request.param)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("careless", [(), ("if-none-match",), ("if-match",)], indirect=True)
def test_a_store_that_ignores_a_condition_is_refused_before_anything_is_published(
    careless: str, as_writer: None
) -> None:
    """Both are needed; the only thing ever written there is the probe."""
    del as_writer
    store = open_store(f"s3://flags/x?endpoint={careless}")
    for write in (lambda: store.put_new(NEW, b""), lambda: store.replace(TIMESTAMP, b"", if_match=None)):
        with pytest.raises(SnapshotError) as refused:
            write()
        assert refused.value.code == "StoreUnfit"
