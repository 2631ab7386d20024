"""Grants in many windows of time are one look-up, and say what the windows say one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.evaluation import FlagSet
from flagseal.evaluation.codegen.entitlement import Grants, grants_of

NOW = {"var": "$flagd.timestamp"}
ORGS = ("acme", "globex", "initech", "umbrella")

_moments = st.integers(-3, 12)
_windows = st.tuples(_moments, _moments, st.lists(st.sampled_from(ORGS), max_size=4))


def arm(since: int, until: int, names: list[Any], path: str = "org") -> dict[str, Any]:
    """Write what a window of `entitled` compiles to."""
    return {"and": [{">=": [NOW, since]}, {"<": [NOW, until]}, {"in": [{"var": path}, names]}]}


def asked(arms: list[Any], context: object, moments: list[int]) -> list[object]:
    """Ask one flag set at one moment after the other."""
    ticks = iter(moments)
    targeting = {"if": [{"or": arms}, "on", None]}
    flag = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off", "targeting": targeting}
    flags = FlagSet.load({"flags": {"f": flag}}, clock=lambda: next(ticks))
    return [flags.evaluate("f", context).variant for _ in moments]  # type: ignore[arg-type]


@given(windows=st.lists(_windows, min_size=3, max_size=8), moments=st.lists(st.integers(-5, 14), min_size=1))
def test_a_grant_holds_from_its_first_second_to_the_one_before_its_end(
    windows: list[tuple[int, int, list[str]]], moments: list[int]
) -> None:
    """Whichever windows overlap, touch, or end before they begin, and wherever the clock goes."""
    for org in (*ORGS, "stranger"):
        expected = [
            "on" if any(since <= now < until and org in names for since, until, names in windows) else "off"
            for now in moments
        ]
        assert asked([arm(*window) for window in windows], {"org": org}, moments) == expected


@given(st.lists(_windows, min_size=3, max_size=8), st.lists(st.integers(-5, 14), min_size=1))
def test_what_is_kept_is_kept_until_a_window_begins_or_ends(
    windows: list[tuple[int, int, list[str]]], moments: list[int]
) -> None:
    """The set is made once for all moments between two boundaries: the next question gets the very same."""
    grants = Grants(windows)
    boundaries = {boundary for since, until, _ in windows for boundary in (since, until)}
    for now in moments:
        held = grants.at(now)
        assert (grants.at(now + 1) is held) is (now + 1 not in boundaries)


@pytest.mark.parametrize("org", [None, 7, 1.5, True, [], ["acme"], {"acme": 1}, ""])
def test_only_a_text_is_an_organisation(org: object) -> None:
    """What cannot be looked up has no grant, and is no error."""
    assert asked([arm(0, 9, ["acme"])] * 3, {"org": org}, [5]) == ["off"]


def test_a_context_without_the_organisation_has_no_grant() -> None:
    """Neither has none at all."""
    assert asked([arm(0, 9, ["acme"])] * 3, {}, [5]) == ["off"]
    assert asked([arm(0, 9, ["acme"])] * 3, None, [5]) == ["off"]


@pytest.mark.parametrize(
    "odd",
    [
        arm(0, 9, ["acme"], path="team"),
        arm(0, 9, ["acme"], path="$flagd.flagKey"),
        arm(0, 9, ["acme", 1]),
        {"and": [{">": [NOW, 0]}, {"<": [NOW, 9]}, {"in": [{"var": "org"}, ["acme"]]}]},
        {"and": [{">=": [{"var": "then"}, 0]}, {"<": [NOW, 9]}, {"in": [{"var": "org"}, ["acme"]]}]},
        {"in": [{"var": "org"}, ["acme"]]},
        True,
    ],
)
def test_whatever_else_an_or_holds_is_read_as_it_stands(odd: object) -> None:
    """One arm of another form, and none of them is taken for a table."""
    assert grants_of([arm(0, 9, ["acme"])] * 3) is not None
    assert grants_of([*[arm(0, 9, ["acme"])] * 3, odd]) is None
