"""Publisher and clients of different versions: each compiles for itself, and nobody stops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flagseal.history.building
import flagseal.snapshot.content
from flagseal.history import build
from flagseal.model.canonical import sha256_digest
from flagseal.snapshot.layout import HEAD
from tests.history.company import MONDAY, Chronicle, flag, rule, segment
from tests.snapshot.world import World, answer
from tests.snapshot.world import flag as small_flag

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BYTES = {3: "sha256:c6641353a28011b4bb7f58d86a047526582434d836c22bce3e47554503c6eb25"}
"""By the compiler's number, the digest of everything that the head below compiles to."""


NEXT = flagseal.history.building.COMPILER + 1
"""The number of a compiler that is not ours."""


def many_forms() -> Chronicle:
    """Give a head whose flags use every form of condition and outcome."""
    when = {
        "all": [
            {"any": [{"plan": "pro"}, {"seats": {"gte": 5}}, {"seats": {"lt": 9}}, {"not": {"beta": True}}]},
            {"segment": "pilots"},
            {"version": {"semver": ">=1.2.0"}},
            {
                "email": {"endsWith": "@example.com"},
                "name": {
                    "startsWith": "a",
                },
            },
            {"tags": {"contains": "x"}, "note": {"hasSubstring": "y"}, "region": {"notIn": ["CH"]}},
            {"country": {"ne": "US"}, "since": {"after": "2026-01-01T00:00:00Z"}, "id": {"exists": True}},
        ]
    }
    return Chronicle.of(
        segment("pilots", "acme", "globex"),
        flag("forms", production=rule(when)),
        flag("split", production=rule(split={"enabled": 10, "disabled": 90}, by="org")),
        flag(
            "ramp",
            production=rule(
                ramp={
                    "variant": "enabled",
                    "from": 0,
                    "to": 50,
                    "start": "2026-12-07T09:00:00Z",
                    "end": "2026-12-08T09:00:00Z",
                    "steps": 2,
                }
            ),
        ),
        flag("needs", production={**rule(), "requires": [{"flag": "split", "variant": "enabled"}]}),
        flag("picks", production={"targets": {"enabled": ["user-1"]}, "default": "disabled"}),
    )


def test_the_same_head_gives_the_same_bytes_as_when_the_compiler_got_its_number() -> None:
    """Whoever changes what is compiled raises COMPILER and records the new digest here."""
    number = flagseal.history.building.COMPILER
    files = build(many_forms().head, "production", MONDAY).files
    digest = sha256_digest(
        b"".join(path.encode() + b"\n" + data for path, data in sorted(files.items()) if path != HEAD)
    )
    assert BYTES[number] == digest


def test_a_publisher_that_was_upgraded_publishes_anew_instead_of_crying_theft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the last version published is verified by its statements, and replaced by what this version compiles."""
    world = World(tmp_path)
    world.publish()
    with world.client() as client:
        assert client.refresh().changed
        for module in (flagseal.history.building, flagseal.snapshot.content):
            monkeypatch.setattr(module, "COMPILER", NEXT)
        upgraded = world.new_publisher()
        content = upgraded.load()
        assert content is not None
        assert content.foreign
        published = upgraded.publish(build(content.head, "production", world.clock()))
        assert published.changed
        again = world.new_publisher().load()
        assert again is not None
        assert not again.foreign
        monkeypatch.undo()
        outcome = client.refresh()
        assert outcome.reason is None, outcome.message
        assert answer(client) is True


def test_a_client_serves_the_news_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An approved change reaches clients whose compiler is not the publisher's."""
    world = World(tmp_path)
    world.publish()
    with world.client() as client:
        client.refresh()
        assert answer(client, org="globex") is False
        for module in (flagseal.history.building, flagseal.snapshot.content):
            monkeypatch.setattr(module, "COMPILER", NEXT)
        world.publisher = world.new_publisher()
        world.change(small_flag("new-checkout", on_for=["acme", "globex"]))
        monkeypatch.undo()
        assert client.refresh().reason is None
        assert answer(client, org="globex") is True
