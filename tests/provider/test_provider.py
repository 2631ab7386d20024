"""The provider in an application's hands: the real SDK, a real relay over HTTP, real signatures."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from typing import TYPE_CHECKING

import pytest
from openfeature import api
from openfeature.event import ProviderEvent
from openfeature.exception import ErrorCode, ProviderFatalError, ProviderNotReadyError
from openfeature.flag_evaluation import Reason
from openfeature.provider import ProviderStatus

from flagseal.model.errors import UsageError
from flagseal.provider import FlagsealProvider
from flagseal.provider.keeper import Keeper
from flagseal.snapshot.client import Refresh, SnapshotClient
from flagseal.snapshot.store import DirectoryStore
from tests.attacks.thief import Thief
from tests.provider.harness import (
    ACME,
    DOMAIN,
    GLOBEX,
    application,
    eventually,
    our_threads,
    provider,
    relaying,
)
from tests.snapshot.world import World, flag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openfeature.evaluation_context import EvaluationContext

    from flagseal_relay.relay import Relay

STALE = ProviderEvent.PROVIDER_STALE
READY = ProviderEvent.PROVIDER_READY
ERROR = ProviderEvent.PROVIDER_ERROR
CHANGED = ProviderEvent.PROVIDER_CONFIGURATION_CHANGED


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Make the small company and publish its first snapshot."""
    world = World(tmp_path)
    world.publish()
    return world


@pytest.fixture(autouse=True)
def no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Look for threads that outlive their provider, after every test, however long the machine takes to end them."""
    monkeypatch.setattr("flagseal.provider.provider._LAST_SECONDS", 120.0)
    before = our_threads()
    yield
    assert our_threads() <= before


def folder(world: World) -> str:
    """Name the store's directory."""
    return str(world.directory.path)


# Ready, and kept up to date


def test_a_published_change_changes_the_answer_without_a_poll(world: World) -> None:
    """The relay says that there is news, the provider fetches and verifies it, and says which flags changed."""
    with relaying(world) as (relay, url), application(provider(world, url)) as app:
        assert app.client.get_provider_status() is ProviderStatus.READY
        assert (app.on("new-checkout"), app.on("new-checkout", GLOBEX)) == (True, False)
        eventually(lambda: app.provider.following)
        published = world.change(flag("new-checkout", on_for=["acme", "globex"]))
        relay.notify()
        details = app.wait_for(CHANGED)
        assert details.flags_changed == ["new-checkout"]
        assert details.metadata == {
            "version": published.version,
            "sequence": published.sequence,
            "environment": "production",
            "stale": False,
        }
        assert app.on("new-checkout", GLOBEX)
        answer = app.client.get_boolean_details("new-checkout", False, GLOBEX)
        assert answer.flag_metadata["approval"] == world.entries[-1].envelope.statement.id
        assert (answer.flag_metadata["riskTier"], answer.variant) == ("operational", "on")
        assert answer.reason is Reason.TARGETING_MATCH


def test_without_a_stream_the_poll_finds_what_is_new(world: World) -> None:
    """A directory has no stream, and neither has a server of files."""
    with application(provider(world, folder(world), poll=0.05)) as app:
        assert not app.provider.following
        world.change(flag("pay-later", on_for=["acme"]))
        assert app.wait_for(CHANGED).flags_changed == ["pay-later"]
        assert app.on("pay-later")


def test_a_stream_that_breaks_is_taken_up_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluation goes on, and what was published meanwhile arrives by the next stream."""
    heard: list[Keeper] = []
    notify = Keeper.notify

    def pass_on_all_but_the_first(keeper: Keeper) -> None:
        # The look that the first stream's event asks for could be late, and find what is published meanwhile.
        heard.append(keeper)
        if len(heard) > 1:
            notify(keeper)

    monkeypatch.setattr(Keeper, "notify", pass_on_all_but_the_first)
    with relaying(world) as (relay, url), application(provider(world, url)) as app:
        eventually(lambda: len(heard) == 1 and app.provider.following)
        follower = app.provider._keeper._follower  # type: ignore[union-attr]
        assert follower is not None
        follower._longest_wait = 0.2
        asyncio.run_coroutine_threadsafe(close_streams(relay), relay._loop).result(60)  # type: ignore[arg-type]
        eventually(lambda: not app.provider.following)
        world.change(flag("pay-later", on_for=["acme"]))
        relay.notify()
        assert app.on("new-checkout")
        assert not app.on("pay-later")
        relay.hub._closed = False
        eventually(lambda: app.provider.following and app.on("pay-later"))


async def close_streams(relay: Relay) -> None:
    """End all streams, in the loop's thread, and turn away whoever asks for one."""
    relay.close()


def test_news_during_a_look_are_not_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is published after a refresh has read the store is found by the next one, without a poll."""
    read, go_on = threading.Event(), threading.Event()
    refresh = SnapshotClient.refresh

    def slowly(client: SnapshotClient) -> Refresh:
        found = refresh(client)
        read.set()
        go_on.wait(60)
        return found

    with application(provider(world, folder(world))) as app:
        keeper = app.provider._keeper
        assert keeper is not None
        monkeypatch.setattr(SnapshotClient, "refresh", slowly)
        keeper.notify()
        assert read.wait(60)
        world.change(flag("pay-later", on_for=["acme"]))
        keeper.notify()
        go_on.set()
        eventually(lambda: app.on("pay-later"))


def test_namespaces_that_are_not_wanted_do_not_exist(world: World) -> None:
    """Neither as flags nor as news; the others do."""
    with application(provider(world, folder(world), poll=0.05, namespaces=["payments"])) as app:
        answer = app.client.get_boolean_details("ranker", False, ACME)
        assert answer.error_code is ErrorCode.FLAG_NOT_FOUND
        assert "production" in (answer.error_message or "")
        world.change(flag("ranker", "search", owner="team-search", on_for=["acme"]))
        world.change(flag("pay-later", on_for=["acme"]))
        assert app.wait_for(CHANGED).flags_changed == ["pay-later"]
        assert len(app.seen(CHANGED)) == 1


def test_all_namespaces_answer_by_default_and_a_missing_one_is_named(world: World) -> None:
    """Keys are unique in a repository, so a key is enough."""
    world.change(flag("ranker", "search", owner="team-search", on_for=["acme"]))
    with application(provider(world, folder(world))) as app:
        assert (app.on("ranker"), app.on("new-checkout")) == (True, True)
    with application(provider(world, folder(world), namespaces=["paymints"])) as app:
        answer = app.client.get_boolean_details("new-checkout", True, ACME)
        assert (answer.value, answer.error_code) == (True, ErrorCode.FLAG_NOT_FOUND)
        assert "paymints" in (answer.error_message or "")


def test_a_new_and_a_deleted_flag_are_news(world: World) -> None:
    """And only they."""
    with application(provider(world, folder(world), poll=0.05)) as app:
        world.accept(flag("brand-new"), removed=[world.head.documents["FlagDefinition/payments/pay-later"]])
        world.publish()
        assert app.wait_for(CHANGED).flags_changed == ["brand-new", "pay-later"]
        assert app.client.get_boolean_details("pay-later", True).error_code is ErrorCode.FLAG_NOT_FOUND


# When updates are refused, or do not come


def test_a_thief_of_the_online_key_changes_no_answer_and_is_told_of(world: World) -> None:
    """The forged flags.json is refused with its reason, ours stays, and READY comes back with the next honest one."""
    with relaying(world) as (relay, url), application(provider(world, url, poll=0.1)) as app:
        thief = Thief(world.directory, world.online, world.clock)
        forged = thief.read("payments/flags.json").replace(b'"acme"', b'"evil"')
        thief.publish({"payments/flags.json": forged})
        details = app.wait_for(ERROR)
        assert details.error_code is ErrorCode.GENERAL
        assert details.metadata["reason"] == "unapproved-content"
        assert (details.message or "").startswith("unapproved-content: ")
        assert "rotate online" in (details.message or "")
        assert app.client.get_provider_status() is ProviderStatus.ERROR
        assert (app.provider.trouble or "").startswith("unapproved-content")
        assert app.on("new-checkout")
        assert not app.on("new-checkout", GLOBEX)
        world.rotate_online()
        world.publisher.refresh()
        ready = len(app.seen(READY))
        app.wait_for(READY, ready + 1)
        assert app.client.get_provider_status() is ProviderStatus.READY
        assert app.provider.trouble is None
        assert app.seen(CHANGED) == []
        assert relay.book is not None


@pytest.mark.usefixtures("looked_first")
def test_a_client_that_believes_the_online_key_is_told_apart(world: World) -> None:
    """``verify="tuf"`` takes what the thief signs: that is what full verification is for."""
    thief = Thief(world.directory, world.online, world.clock)
    forged = thief.read("payments/flags.json").replace(b'"acme"', b'"evil"')
    thief.publish({"payments/flags.json": forged})
    with application(provider(world, folder(world), verify="tuf")) as app:
        assert not app.on("new-checkout")
    with pytest.raises(ProviderNotReadyError, match="unapproved-content"):
        api.set_provider_and_wait(provider(world, folder(world), wait=0.1), DOMAIN)
    api.shutdown()


def test_what_does_not_come_makes_it_stale_and_what_comes_makes_it_ready(world: World) -> None:
    """Answers stay but for the tier whose policy wants the safe variant; metadata, events and status say so."""
    with application(provider(world, folder(world), poll=0.1)) as app:
        assert "stale" not in app.client.get_boolean_details("new-checkout", False, ACME).flag_metadata
        world.clock.advance(minutes=12)
        assert app.wait_for(STALE).metadata["stale"] is True
        assert app.client.get_provider_status() is ProviderStatus.STALE
        answer = app.client.get_boolean_details("new-checkout", False, ACME)
        assert (answer.value, answer.flag_metadata["stale"]) == (True, True)
        assert app.on("instant-refund")

        world.clock.advance(hours=1)
        assert app.wait_for(CHANGED).flags_changed == ["instant-refund"]
        answer = app.client.get_boolean_details("instant-refund", True, ACME)
        assert (answer.value, answer.reason, answer.flag_metadata["stale"]) == (False, Reason.STALE, True)

        before = len(app.seen(READY))
        world.publisher.refresh()
        app.wait_for(READY, before + 1)
        assert app.client.get_provider_status() is ProviderStatus.READY
        assert app.on("instant-refund")
        assert app.seen(ERROR) == []


def test_a_relay_that_is_away_is_no_error_until_the_snapshot_is_stale(world: World) -> None:
    """Then STALE names the reason why nothing newer came."""
    with relaying(world) as (_, url):
        running = provider(world, url, poll=0.05)
        with application(running) as app:
            url_is_gone(running)
            eventually(lambda: (app.provider.trouble or "").startswith("unreachable"))
            assert app.client.get_provider_status() is ProviderStatus.READY
            world.clock.advance(minutes=12)
            assert app.wait_for(STALE).metadata["reason"] == "unreachable"
            assert app.on("new-checkout")


def url_is_gone(running: FlagsealProvider) -> None:
    """Let the source ask a port on which nobody listens, as if the relay had gone."""
    keeper = running._keeper
    assert keeper is not None
    assert keeper._client is not None
    source = keeper._client._source
    source.base = "http://127.0.0.1:9/tuf/"


def test_a_timestamp_signed_again_is_found_before_the_old_one_expires(world: World) -> None:
    """However seldom the poll: streams tell of new versions only."""
    world.clock.advance(seconds=599)
    with application(provider(world, folder(world), poll=3600)) as app:
        assert app.provider.snapshot is not None
        first = app.provider.snapshot.expires
        world.publisher.refresh()
        eventually(lambda: app.provider.snapshot is not None and app.provider.snapshot.expires > first)
        assert app.seen(CHANGED) == app.seen(STALE) == []


# Starting


def test_a_start_without_network_serves_what_was_verified_before(world: World, tmp_path: Path) -> None:
    """At once, and with the rollback memory of before."""
    cache = tmp_path / "cache"
    with relaying(world) as (_, url), application(provider(world, url, cache=cache)) as app:
        assert app.on("new-checkout")
    with application(provider(world, "http://127.0.0.1:9/tuf/", cache=cache)) as app:
        assert app.client.get_provider_status() is ProviderStatus.READY
        assert app.on("new-checkout")
        eventually(lambda: (app.provider.trouble or "").startswith("unreachable"))


def test_a_stale_start_says_stale_after_ready(world: World, tmp_path: Path) -> None:
    """The SDK says READY itself; the last word is ours."""
    cache = tmp_path / "cache"
    with application(provider(world, folder(world), cache=cache)) as app:
        assert app.on("new-checkout")
    world.clock.advance(minutes=20)
    with application(provider(world, str(tmp_path / "away"), cache=cache)) as app:
        app.wait_for(STALE)
        assert app.client.get_provider_status() is ProviderStatus.STALE
        assert app.on("new-checkout")


def test_no_event_overtakes_what_the_sdk_says_of_the_start(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says READY a moment after initialising, and would make STALE, said within that moment, forgotten."""

    class Slow(FlagsealProvider):
        def initialize(self, evaluation_context: EvaluationContext) -> None:
            super().initialize(evaluation_context)
            time.sleep(0.1)

    monkeypatch.setattr("flagseal.provider.keeper._TICK", 0.005)
    cache = tmp_path / "cache"
    with application(provider(world, folder(world), cache=cache)):
        world.clock.advance(minutes=20)
    slow = Slow(str(tmp_path / "away"), root=world.root, clock=world.clock, cache=cache)
    with application(slow) as app:
        app.wait_for(STALE)
        assert app.client.get_provider_status() is ProviderStatus.STALE


@pytest.fixture
def looked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a start without anything verified end only once it was looked, however slow the machine is."""
    announce = Keeper.announce

    def late(keeper: Keeper, *, ready: bool) -> None:
        eventually(lambda: keeper.view is not None or keeper.trouble is not None)
        announce(keeper, ready=ready)

    monkeypatch.setattr(Keeper, "announce", late)


@pytest.mark.usefixtures("looked_first")
def test_without_anything_verified_it_says_why_and_becomes_ready_later(world: World, tmp_path: Path) -> None:
    """Initialising is bounded; looking goes on."""
    away = tmp_path / "later"
    with application(provider(world, str(away), wait=0.2), wait=False) as app:
        assert (app.wait_for(ERROR).message or "").find("unreachable") > 0
        answer = app.client.get_boolean_details("new-checkout", True, ACME)
        assert (answer.value, answer.error_code) == (True, ErrorCode.PROVIDER_NOT_READY)
        shutil.copytree(world.directory.path, away, dirs_exist_ok=True)
        app.wait_for(READY)
        eventually(lambda: app.client.get_provider_status() is ProviderStatus.READY)
        assert app.on("new-checkout")


@pytest.mark.usefixtures("looked_first")
def test_another_root_is_never_ready(world: World, tmp_path: Path) -> None:
    """Whoever controls source and network has no say in what is trusted."""
    other = World(tmp_path / "other")
    with pytest.raises(ProviderNotReadyError, match="wrong-signature"):
        api.set_provider_and_wait(provider(other, folder(world), wait=0.1), DOMAIN)
    assert api.get_client(DOMAIN).get_boolean_value("new-checkout", False, ACME) is False
    api.shutdown()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"root": b"{}"}, "root"),
        ({"cache": "/dev/null/cache"}, "/dev/null"),
    ],
)
def test_what_waiting_cannot_help_is_fatal(world: World, options: dict[str, object], says: str) -> None:
    """The SDK then answers with defaults, and the caller that waits gets the reason."""
    with pytest.raises(ProviderFatalError, match=says):
        api.set_provider_and_wait(provider(world, folder(world), **options), DOMAIN)
    assert api.get_client(DOMAIN).get_provider_status() is ProviderStatus.FATAL
    api.shutdown()


@pytest.mark.parametrize(
    "options",
    [
        {"root": "no/such/file.json"},
        {"source": "ftp://example.org/tuf/"},
        {"poll": 0},
        {"namespaces": "payments"},
        {"namespaces": []},
        {"verify": "none"},
        {"events": "relay"},
    ],
)
def test_arguments_that_make_no_sense_are_refused_at_once(options: dict[str, object]) -> None:
    """Where they are written, with a remedy."""
    with pytest.raises(UsageError) as refused:
        FlagsealProvider(**{"source": "store", "root": b"{}", **options})  # type: ignore[arg-type]
    assert refused.value.remedy


def test_two_processes_share_a_cache_directory_without_sharing_a_cache(world: World, tmp_path: Path) -> None:
    """Each takes a place that is free; here a client of this process stands for the other."""
    with (
        SnapshotClient(tmp_path / "cache" / "0", DirectoryStore(world.directory.path), world.root),
        application(provider(world, folder(world), cache=tmp_path / "cache")) as app,
    ):
        assert app.on("new-checkout")
        assert (tmp_path / "cache" / "1" / "good.json").exists()


# Ending


def test_shutting_down_ends_threads_and_lets_the_cache_go(world: World, tmp_path: Path) -> None:
    """Another client takes the directory at once; the provider answers with defaults; and it can start again."""
    running = provider(world, folder(world), cache=tmp_path / "cache")
    with application(running) as app:
        assert len(our_threads()) == 2
        assert app.on("new-checkout")
    assert our_threads() == set()
    SnapshotClient(tmp_path / "cache" / "0", DirectoryStore(world.directory.path), world.root).close()
    answer = running.resolve_boolean_details("new-checkout", True, ACME)
    assert (answer.value, answer.error_code) == (True, ErrorCode.PROVIDER_NOT_READY)
    with application(running) as app:
        assert app.on("new-checkout")


def test_shutting_down_does_not_wait_for_a_stream(world: World) -> None:
    """A read that waits for the next event is woken up."""
    with relaying(world) as (_, url), application(provider(world, url)) as app:
        eventually(lambda: app.provider.following)
        app.provider.shutdown()
        assert our_threads() == set()


def test_a_temporary_cache_ends_with_its_provider(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is left on the disk of who named no directory."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    with application(provider(world, folder(world))):
        assert len(list((tmp_path / "temporary").iterdir())) == 1
    assert list((tmp_path / "temporary").iterdir()) == []


def test_many_starts_and_ends_leave_no_thread(world: World) -> None:
    """Nor a lock: the same directory serves all of them."""
    before = threading.active_count()
    running = provider(world, folder(world), cache=world.path / "cache")
    for _ in range(20):
        running.initialize(ACME)
        running.shutdown()
    assert threading.active_count() <= before


# Threads and loops


def test_evaluation_goes_on_while_a_refresh_hangs(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither threads nor event loops wait for it; and time alone still makes the snapshot stale."""
    hanging, release = threading.Event(), threading.Event()

    def hang(*_: object) -> None:
        hanging.set()
        release.wait(600)
        raise OSError

    with application(provider(world, folder(world), poll=0.05)) as app:
        monkeypatch.setattr("flagseal.snapshot.fetch.TufFetcher.update", hang)
        assert hanging.wait(60)

        async def asked() -> list[bool]:
            return list(
                await asyncio.gather(
                    *(app.client.get_boolean_value_async("new-checkout", False, ACME) for _ in range(100))
                )
            )

        try:
            assert asyncio.run(asyncio.wait_for(asked(), 120)) == [True] * 100
            world.clock.advance(minutes=12)
            app.wait_for(STALE)
            assert app.client.get_boolean_details("new-checkout", False, ACME).flag_metadata["stale"] is True
        finally:
            release.set()


def test_no_answer_mixes_two_snapshots(world: World) -> None:
    """Threads that evaluate while snapshots are swapped see an answer and its approval together."""
    allowed: set[tuple[object, object]] = set()
    with application(provider(world, folder(world), poll=0.02)) as app:
        seen: list[tuple[object, object]] = []
        stop = threading.Event()

        def ask() -> None:
            while not stop.wait(0.001):
                answer = app.client.get_boolean_details("pay-later", False, ACME)
                seen.append((answer.value, answer.flag_metadata["approval"]))

        threads = [threading.Thread(target=ask) for _ in range(3)]
        first = app.client.get_boolean_details("pay-later", False, ACME)
        allowed.add((first.value, first.flag_metadata["approval"]))
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: allowed <= set(seen))
            for turn in range(4):
                world.change(flag("pay-later", on_for=["acme"] if turn % 2 == 0 else []))
                statement = world.entries[-1].envelope.statement.id
                allowed.add((turn % 2 == 0, statement))
                eventually(lambda: statement in {approval for _, approval in list(seen)})  # noqa: B023 (asked within this turn)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert set(seen) <= allowed
        assert len(set(seen)) == 5
