"""Versions as flagd's ``sem_ver`` compares them."""

from __future__ import annotations

import pytest
from semver import Version as Reference

from flagseal.evaluation.semver import parse_version, sem_ver

ORDERED = ["0.0.1", "0.1.0", "1.0.0-0", "1.0.0-1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2",
           "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1-x-y", "1.2.0", "1.10.0", "2.0.0", "10.0.0"]  # fmt: skip


@pytest.mark.parametrize("left", ORDERED)
@pytest.mark.parametrize("right", ORDERED)
def test_versions_are_ordered_by_precedence(left: str, right: str) -> None:
    """As the list is, and as another implementation says."""
    place = ORDERED.index(left) - ORDERED.index(right)
    assert Reference.parse(left).compare(right) == (place > 0) - (place < 0)
    assert sem_ver(left, "<", right) is (place < 0)
    assert sem_ver(left, "<=", right) is (place <= 0)
    assert sem_ver(left, ">", right) is (place > 0)
    assert sem_ver(left, ">=", right) is (place >= 0)
    assert sem_ver(left, "=", right) is (place == 0)
    assert sem_ver(left, "!=", right) is (place != 0)


def test_a_caret_holds_the_major_and_a_tilde_the_minor_version() -> None:
    """In flagd they are no ranges: older ones of the same major match too."""
    assert sem_ver("1.9.0", "^", "1.2.0") is True
    assert sem_ver("1.0.0-rc.1", "^", "1.2.0") is True
    assert sem_ver("2.0.0", "^", "1.2.0") is False
    assert sem_ver("1.2.9", "~", "1.2.0") is True
    assert sem_ver("1.3.0", "~", "1.2.0") is False


@pytest.mark.parametrize("version", ["1.0.0", "v1.0.0", "V1.0.0", "1", "1.0", 1, 1.0, "1.0.0+build", "1+b.1"])
def test_one_version_is_written_in_many_ways(version: object) -> None:
    """A leading v, missing parts, numbers, and what is built of it."""
    assert sem_ver(version, "=", "1.0.0") is True


@pytest.mark.parametrize(
    "version",
    ["", "v", "1.", ".1", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-01", "1.0.0-a..b", "1.0.0+", "1.0.0 ", "1.0.0\n", "vv1",
     "one", "-1.0.0", "\u0661.0.0", None, True, [1], {}, 1e21, 1.5e-7],
)  # fmt: skip
def test_what_is_no_version_compares_to_nothing(version: object) -> None:
    """On either side, the result is null."""
    assert parse_version(version) is None
    assert sem_ver(version, "!=", "1.0.0") is None
    assert sem_ver("1.0.0", "!=", version) is None


@pytest.mark.parametrize("arguments", [(), ("1.0.0",), ("1.0.0", "="), ("1.0.0", "=", "1.0.0", "x")])
def test_three_arguments_are_needed(arguments: tuple[object, ...]) -> None:
    """Any other number gives null."""
    assert sem_ver(*arguments) is None


@pytest.mark.parametrize("operator", ["==", "===", "", "<>", None, 1, ["="]])
def test_an_unknown_operator_gives_null(operator: object) -> None:
    """As an unknown version does."""
    assert sem_ver("1.0.0", operator, "1.0.0") is None
