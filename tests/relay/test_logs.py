"""What a program that collects logs gets to read."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import SnapshotError
from flagseal_cli.logs import JsonLines, start_logging
from tests.relay.test_refreshing import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.relay.conftest import Asked


def test_a_refused_update_is_logged_once_with_its_reason(own: Asked, caplog: pytest.LogCaptureFixture) -> None:
    """Every poll meets it again; the log does not repeat it, and says when it is over."""
    with caplog.at_level(logging.INFO, logger="flagseal.relay"):
        own.source.failure = SnapshotError("the store went back", code="rollback", remedy="Ask who restored it.")
        eventually(lambda: "update refused" in caplog.text)
        met = own.relay.metrics.refreshes.count
        eventually(lambda: own.relay.metrics.refreshes.count > met + 10)
        own.source.failure = None
        eventually(lambda: "updates verify again" in caplog.text)
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    refused = [line for line in lines if line.get("event") == "refresh-refused"]
    assert len(refused) == 1
    assert (refused[0]["reason"], refused[0]["version"], refused[0]["level"]) == ("rollback", 1, "warning")
    assert "Ask who restored it." in refused[0]["message"]


@pytest.fixture
def levels() -> Iterator[logging.Logger]:
    """Give the root logger, and leave its level and ours as they were."""
    root, ours = logging.getLogger(), logging.getLogger("flagseal")
    before = root.level, ours.level
    yield root
    root.setLevel(before[0])
    ours.setLevel(before[1])


@pytest.mark.parametrize(
    ("asked_for", "told"),
    [(logging.ERROR, logging.WARNING), (logging.WARNING, logging.WARNING), (logging.INFO, logging.INFO)],
    ids=["nothing", "warnings", "-v"],
)
def test_what_was_asked_for_is_not_taken_back(levels: logging.Logger, asked_for: int, told: int) -> None:
    """A relay logs more than other commands, and never less than it was told to."""
    levels.setLevel(asked_for)
    start_logging("text")
    assert logging.getLogger("some.library").getEffectiveLevel() == told
    assert logging.getLogger("flagseal.relay").isEnabledFor(logging.INFO)
