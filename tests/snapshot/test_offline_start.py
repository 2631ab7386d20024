"""A start without network: what was verified is served, and nothing else (docs/adr/0040)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import SnapshotError
from tests.snapshot.world import World, answer, flag

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.snapshot.store import Stored


class Away:
    """A store that is not there."""

    def get(self, name: str, *, limit: int | None = None) -> Stored | None:
        """Fail."""
        raise SnapshotError(f"{name}: no route to host ({limit})", code="Unreachable")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a company with one published change, and a client that has seen it."""
    world = World(tmp_path)
    world.publish()
    world.change(flag("pay-later", on_for=["acme"]))
    with world.client() as client:
        client.refresh()
    return world


def test_the_cache_answers_before_anybody_is_asked(world: World) -> None:
    """With everything a verified snapshot has."""
    with world.client(source=Away()) as client:
        assert client.current is not None
        assert (client.current.version, client.current.sequence) == (2, 1)
        assert client.current.head == world.head
        assert answer(client, "pay-later") is True
        assert not client.current.stale
        assert client.refresh().reason == "unreachable"
        assert answer(client, "pay-later") is True


def test_it_answers_after_everything_has_expired(world: World) -> None:
    """A year later: stale, and there."""
    world.clock.advance(days=400)
    with world.client(source=Away()) as client:
        assert client.current is not None
        assert client.current.stale
        assert answer(client, "pay-later") is True


def test_it_answers_with_a_clock_that_was_set_back(world: World) -> None:
    """A machine without a battery wakes up in 1970, and has still seen what it has seen."""
    world.clock.advance(days=-20000)
    with world.client(source=Away()) as client:
        assert answer(client, "pay-later") is True


def test_a_cache_of_the_other_kind_is_fetched_anew_and_not_believed(world: World) -> None:
    """What was verified as TUF only lacks the history, and is not served as verified in full."""
    with world.client("tuf", verify="tuf") as client:
        client.refresh()
    with world.client("tuf", source=Away()) as client:
        assert client.current is None
    with world.client("tuf") as client:
        assert client.refresh().reason is None
        assert answer(client, "pay-later") is True


def test_another_root_does_not_believe_the_cache(world: World, tmp_path: Path) -> None:
    """Whoever pins another root starts from nothing."""
    other = World(tmp_path / "other")
    world.root = other.root
    with world.client(source=Away()) as client:
        assert client.current is None


def test_a_start_goes_on_where_the_cache_ends(world: World) -> None:
    """Only what is new is fetched."""
    world.change(flag("pay-later", on_for=["acme", "globex"]))
    with world.client() as client:
        assert answer(client, "pay-later", org="globex") is False
        assert client.refresh().changed
        assert answer(client, "pay-later", org="globex") is True
