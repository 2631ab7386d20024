"""What a command that runs for long says of a failure that lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.errors import FlagsealError
from flagseal_cli.console import Failures

if TYPE_CHECKING:
    import pytest


def test_a_failure_that_lasts_is_said_once_and_its_end_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Each attempt fails anew, in the same words; the terminal shows them once."""
    failures = Failures()
    for _ in range(3):
        failures.tell(FlagsealError("no room to write", code="StoreFull"))
    assert capsys.readouterr().err.count("no room to write") == 1
    failures.tell(FlagsealError("rewritten", code="HistoryRewritten"))
    assert "HistoryRewritten" in capsys.readouterr().err
    failures.tell(None)
    assert "over" in capsys.readouterr().err
    failures.tell(None)
    assert capsys.readouterr().err == ""
