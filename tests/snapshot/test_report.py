"""The report: the whole chain, or the first thing that does not hold, with what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import UsageError
from flagseal.snapshot.report import verify_repository
from tests.attacks.thief import Thief
from tests.snapshot.stores import overwrite
from tests.snapshot.webserver import serve
from tests.snapshot.world import World, flag

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Give a company with one published change."""
    world = World(tmp_path)
    world.publish()
    world.change(flag("pay-later", on_for=["acme"]))
    return world


def test_an_honest_repository_passes_from_disk_and_over_http(world: World) -> None:
    """With what was found at each step, and what a client would serve."""
    with serve(world.directory) as served:
        for source in (world.directory, served.url):
            report = verify_repository(source, world.root, clock=world.clock)
            assert report.passed, report.text()
            assert [check.name for check in report.checks] == [
                *("root", "metadata", "trust.json", "files", "history", "content", "fresh")
            ]
            assert report.verified is not None
            assert report.verified.head == world.head
            assert report.trust == world.trust
            assert report.chain is not None
            assert report.chain.version == 2
            assert "1 statements since" in report.text()


def test_a_damaged_file_that_no_client_fetches_is_found(world: World) -> None:
    """A client that builds for itself does not look at flags.json; the report does."""
    name = next(name for name in world.directory.list("targets/search/") if name.endswith("flags.json"))
    overwrite(world.directory, name, b"rot")
    report = verify_repository(world.directory, world.root, clock=world.clock)
    assert not report.passed
    assert report.checks[-1].name == "files"
    assert name in report.checks[-1].detail
    assert "FAIL files" in report.text()


def test_what_was_not_approved_fails_with_the_reason(world: World) -> None:
    """All signatures hold, and yet."""
    thief = Thief(world.directory, world.online, world.clock)
    thief.publish({"payments/flags.json": thief.read("payments/flags.json").replace(b'["acme"]', b'["evil"]')})
    report = verify_repository(world.directory, world.root, clock=world.clock)
    assert [check.name for check in report.checks if not check.passed] == ["client"]
    assert "unapproved-content" in report.checks[-1].detail
    assert "trust rotate" in report.checks[-1].detail
    assert report.verified is None


def test_a_stale_repository_says_until_when_it_was_fresh(world: World) -> None:
    """Nothing in it is wrong, it is only old; a client that starts from nothing refuses it."""
    world.clock.advance(hours=1)
    report = verify_repository(world.directory, world.root, clock=world.clock)
    assert [check.name for check in report.checks if not check.passed] == ["client"]
    assert "stale-metadata" in report.checks[-1].detail


def test_what_is_no_repository_fails_and_does_not_raise(world: World, tmp_path: Path) -> None:
    """Another root, no root, an empty store, junk, nobody there."""
    other = World(tmp_path / "other")
    for source, root in (
        (world.directory, other.root),
        (world.directory, b"junk"),
        (World(tmp_path / "unpublished").directory, world.root),
        ("http://127.0.0.1:9", world.root),
    ):
        report = verify_repository(source, root, clock=world.clock)
        assert not report.passed
        assert report.checks[-1].detail
    overwrite(world.directory, "metadata/timestamp.json", b"junk")
    assert not verify_repository(world.directory, world.root, clock=world.clock).passed
    with pytest.raises(UsageError):
        verify_repository("no url", world.root)
