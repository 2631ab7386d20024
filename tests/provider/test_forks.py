"""Servers fork: a worker goes on with what its parent knew, and keeps itself up to date."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from openfeature.flag_evaluation import Reason

from tests.provider.harness import ACME, application, eventually, our_threads, provider
from tests.snapshot.world import World, flag

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork"),
    # From 3.12 on Python warns where a process with threads forks: that it may is what is tested here.
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]

_SECONDS = 180.0


class Child:
    """A forked process that does something and sends home what came of it."""

    def __init__(self, work: Callable[[Callable[[], bool]], Any]) -> None:
        self._answer, answer = os.pipe()
        asked, self._ask = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(answer)
            os.close(asked)
            return
        try:  # the child, which must not come back into pytest
            result = work(lambda: bool(os.read(asked, 1)))
            os.write(answer, pickle.dumps(result))
        except BaseException as error:  # noqa: BLE001 (the edge of a process)
            os.write(answer, pickle.dumps(f"{type(error).__name__}: {error}"))
        finally:
            sys.stderr.flush()
            os._exit(0)

    def go_on(self) -> None:
        """Let it do its next step."""
        os.write(self._ask, b"x")

    def result(self) -> Any:  # noqa: ANN401
        """Wait for what it sends."""
        signal.signal(signal.SIGALRM, lambda *_: os.kill(self.pid, signal.SIGKILL))
        signal.setitimer(signal.ITIMER_REAL, _SECONDS)
        with os.fdopen(self._answer, "rb") as pipe:
            sent = pipe.read()
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.waitpid(self.pid, 0)
        os.close(self._ask)
        assert sent, "the child died, or hung"
        return pickle.loads(sent)  # noqa: S301 (our own child's)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let no child that is ended hard leave anything outside of the test's own folder."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Make the small company and publish its first snapshot."""
    world = World(tmp_path)
    world.publish()
    return world


def test_a_forked_process_answers_at_once_and_learns_of_changes(world: World) -> None:
    """From threads and a cache of its own, beside its parent's; and leaves neither behind."""
    source = str(world.directory.path)
    with application(provider(world, source, poll=0.05, cache=world.path / "cache")) as app:

        def work(wait: Callable[[], bool]) -> dict[str, Any]:
            seen: dict[str, Any] = {"threads before": len(our_threads()), "at once": app.on("new-checkout")}
            seen["threads after"] = len(our_threads())
            wait()
            eventually(lambda: app.on("pay-later"))
            keeper = app.provider._keeper
            assert keeper is not None
            place = keeper.place
            assert place is not None
            seen["place"] = place
            app.provider.shutdown()
            seen["left"] = (len(our_threads()), place.exists())
            return seen

        child = Child(work)
        world.change(flag("pay-later", on_for=["acme"]))
        child.go_on()
        seen = child.result()
        assert isinstance(seen, dict), seen
        assert (seen["threads before"], seen["at once"], seen["threads after"]) == (0, True, 2)
        assert seen["left"] == (0, False)
        assert seen["place"] != world.path / "cache" / "0"
        eventually(lambda: app.on("pay-later"))
        assert (world.path / "cache" / "0" / "good.json").exists()


def test_a_forked_process_refuses_what_is_older_than_what_its_parent_saw(world: World) -> None:
    """The memory against rollback is inherited: the store goes back before the child first looks."""
    source = str(world.directory.path)
    old = world.directory.get("metadata/timestamp.json")
    assert old is not None
    world.change(flag("pay-later", on_for=["acme"]))
    with application(provider(world, source, poll=3600)) as app:
        assert app.on("pay-later")

        def work(wait: Callable[[], bool]) -> tuple[str, bool]:
            wait()
            app.on("pay-later")
            eventually(lambda: app.provider.trouble is not None)
            return app.provider.trouble or "", app.on("pay-later")

        child = Child(work)
        (world.directory.path / "metadata" / "timestamp.json").write_bytes(old.data)
        child.go_on()
        trouble, still_on = child.result()
        assert trouble.startswith("rollback")
        assert still_on


def test_a_forked_process_notices_by_itself_that_it_is_stale(world: World) -> None:
    """Even where its own client can never be opened."""
    with application(provider(world, str(world.directory.path))) as app:

        def work(wait: Callable[[], bool]) -> tuple[bool, Any, str]:
            app.provider._root = b"no root at all"
            wait()
            world.clock.advance(minutes=12)
            eventually(lambda: app.client.get_boolean_details("new-checkout", False, ACME).flag_metadata.get("stale"))
            answer = app.client.get_boolean_details("new-checkout", False, ACME)
            return answer.value, answer.reason, app.provider.trouble or ""

        child = Child(work)
        child.go_on()
        value, reason, trouble = child.result()
        assert (value, reason) == (True, Reason.TARGETING_MATCH)
        assert trouble


def test_a_pool_of_processes_leaves_no_cache_behind(world: World, temporary: Path) -> None:
    """Children of multiprocessing end in a way of their own."""
    with application(provider(world, str(world.directory.path), cache=world.path / "cache")) as app:

        def work() -> None:
            keeper = app.on("new-checkout") and app.provider._keeper
            assert keeper
            eventually(lambda: keeper.place is not None)

        process = multiprocessing.get_context("fork").Process(target=work)
        process.start()
        eventually(lambda: any(temporary.iterdir()))
        process.join(_SECONDS)
        assert process.exitcode == 0
        assert list(temporary.iterdir()) == []


def test_a_lock_that_was_held_at_the_fork_holds_nobody_up(world: World) -> None:
    """Another thread may have been starting or stopping the provider just then; in the child it does not exist."""
    with application(provider(world, str(world.directory.path))) as app:

        def work(_: Callable[[], bool]) -> tuple[bool, int]:
            return app.on("new-checkout"), len(our_threads())

        with app.provider._lifecycle:
            child = Child(work)
        assert child.result() == (True, 2)


def test_a_fork_that_evaluates_nothing_starts_nothing(world: World) -> None:
    """Many children only run another program."""
    with application(provider(world, str(world.directory.path))) as app:

        def work(_: Callable[[], bool]) -> int:
            time.sleep(0.1)
            app.provider.shutdown()
            return len(our_threads())

        assert Child(work).result() == 0
        assert app.on("new-checkout")
