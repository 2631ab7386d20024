"""Snapshots that are too old: programs that evaluate by themselves are told as much as those that ask over HTTP."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from flagseal.evaluation import FlagSet
from flagseal.snapshot.verified import SafeAnswer
from tests.relay.harness import FLAGS, MemoryNamespace, MemorySource
from tests.sync.conftest import Asked, asking, company

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def asked() -> Iterator[Asked]:
    """Serve a snapshot in which two flags have a safe variant, each in a tier of its own."""
    with asking(MemorySource(company())) as running:
        yield running


def old(asked: Asked, *tiers: str) -> None:
    """Have the snapshot become too old for some tiers."""
    view = company(2)
    payments = replace(
        MemoryNamespace.of(FLAGS),
        safe_answers={
            "targeted": SafeAnswer("high-risk", "off", False),
            "by-version": SafeAnswer("sensitive", "off", False),
        },
    )
    asked.source.coming = replace(
        view, stale=True, past_limit=frozenset(tiers), namespaces={**view.namespaces, "payments": payments}
    )
    asked.relay.notify()


@pytest.mark.parametrize("selector", ["", "payments"])
def test_a_stale_snapshot_says_so_and_answers_as_before(asked: Asked, selector: str) -> None:
    """In the metadata of every answer, and nothing else of the document differs."""
    stream = asked.stream(selector)
    fresh = stream.document()
    old(asked)
    stale = stream.document()
    assert stale["metadata"] == {**fresh["metadata"], "stale": True}
    assert stale["flags"] == fresh["flags"]
    assert FlagSet.load(json.dumps(stale)).flag_metadata("targeted")["stale"] is True


@pytest.mark.parametrize("selector", ["", "payments"])
def test_past_the_limit_of_a_tier_its_flags_are_safe(asked: Asked, selector: str) -> None:
    """Whatever their rules say; flags of other tiers keep theirs."""
    context = {"org": "acme", "app": "2.0.0"}
    stream = asked.stream(selector)
    fresh = FlagSet.load(stream.text())
    assert [fresh.evaluate(key, context).variant for key in ("targeted", "by-version")] == ["on", "on"]
    old(asked, "high-risk")
    text = stream.text()
    safe = FlagSet.load(text)
    assert [safe.evaluate(key, context).variant for key in ("targeted", "by-version")] == ["off", "on"]
    assert safe.flag_metadata("targeted")["owner"] == "team-payments"
    for key in set(FLAGS) - {"targeted"}:
        assert safe.evaluate(key, context)[:3] == fresh.evaluate(key, context)[:3]


def test_a_snapshot_that_is_fresh_again_goes_out_as_published(asked: Asked) -> None:
    """Byte for byte."""
    stream = asked.stream("payments")
    first = stream.text()
    old(asked, "high-risk")
    assert stream.text() != first
    asked.source.coming = company(3)
    asked.relay.notify()
    assert stream.text() == first == asked.published("payments")
