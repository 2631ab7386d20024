"""A plan at a terminal: colour and width only where there is one."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from flagseal_validators.plan import as_markdown, as_text
from tests.plan.making import planned
from tests.plan.occasions import OCCASIONS
from tests.policy.builders import at
from tests.policy.company import CHECKOUT, Company, flag

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("name", OCCASIONS)
def test_a_file_gets_no_colours_and_no_broken_lines(name: str) -> None:
    """What is piped is text alone, one statement a line."""
    made = OCCASIONS[name]()
    text = as_text(made)
    assert not ESCAPE.search(text)
    unbroken = re.sub(r"\s+", " ", text)
    assert re.sub(r"\s+", " ", as_text(made, width=60)) == unbroken
    assert re.sub(r"\s+", " ", ESCAPE.sub("", as_text(made, width=60, colour=True))) == unbroken


@pytest.mark.parametrize("width", [60, 80, 120])
def test_lines_fit_the_terminal(width: int) -> None:
    """But for digests, which are not broken: they are there to be copied."""
    lines = as_text(OCCASIONS["policies"](), width=width).splitlines()
    assert [line for line in lines if len(line) > width and "sha256:" not in line] == []


def test_colours_are_closed_on_every_line() -> None:
    """A line that is cut off by a pager leaves no colour behind."""
    for line in as_text(OCCASIONS["policies"](), width=80, colour=True).splitlines():
        assert line.count("\x1b[0m") == len(ESCAPE.findall(line)) - line.count("\x1b[0m")


def test_danger_is_coloured_and_the_way_back_is_not() -> None:
    """Widening in production is red; a rollback is only a heading."""
    assert "\x1b[1;31mproduction: widen" in as_text(OCCASIONS["rollout"](), colour=True)
    assert "\x1b[1;31m" not in as_text(OCCASIONS["rollback"](), colour=True)


def test_production_comes_before_staging() -> None:
    """What matters most is read first, whatever the alphabet says."""
    text = as_text(OCCASIONS["migration"]())
    assert text.index("production: widen") < text.index("staging: widen")


def test_what_may_take_effect_now_reads_the_same_a_minute_later() -> None:
    """A comment that is made anew differs only where the change does; outside the window it says when that opens."""
    on = flag(environments={"production": {"default": "enabled"}}, riskTier="high-risk")
    company = Company.of({CHECKOUT: flag(riskTier="high-risk")})
    open_now, shut = at("2026-11-23T10:00:00"), at("2026-11-23T03:00:00")
    for render in (as_text, as_markdown):
        early, late, before = (
            render(planned(company, {CHECKOUT: on}, now=now))
            for now in (open_now, open_now + timedelta(minutes=1), shut)
        )
        assert early == late
        assert "at once, if it is approved now" in early
        assert "UTC, if it is approved by then" in before
