from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.evaluation.moment import at_instant, reachable_at
from flagseal.evaluation.resolved import (
    Granted,
    ResolvedFlag,
    ResolvedRule,
    ResolvedSplit,
    Served,
    Window,
)
from flagseal.model.condition import ALWAYS, AllOf, AnyOf, Negation, Test
from flagseal.model.flag import Serve
from flagseal.policy import schedule
from flagseal.policy.content import grown_variants
from flagseal.policy.schedule import new_widenings, reads_the_clock
from flagseal.policy.steps import growth

if TYPE_CHECKING:
    from flagseal.model.canonical import Json

ORGS = ("acme", "globex", "initech", None)
LAST = 6


def resolved(*rules: ResolvedRule, default: str = "off", raw: Json = None) -> ResolvedFlag:
    """Make a flag of three variants."""
    variants: dict[str, Json] = {"on": 1, "more": 2, "off": 0}
    return ResolvedFlag("x", "f", "f", "production", variants, "off", default, rules, raw)


def rule(when: object, serve: str | ResolvedSplit = "on") -> ResolvedRule:
    """Make a rule."""
    return ResolvedRule("r", when, Serve(serve) if isinstance(serve, str) else serve)  # type: ignore[arg-type]


def org(*names: str) -> Test:
    """Ask for organisations."""
    return Test(("org",), "in", names)


def share(on: int, *, of: int = 100, by: str = "targetingKey", salt: str = "f") -> ResolvedSplit:
    """Serve a share the variant on."""
    return ResolvedSplit((("on", on), ("off", of - on)), (by,), salt)


# A reading of flags of its own, for contexts that are an organisation or none, without splits.


def holds(condition: Any, name: str | None, at: int) -> bool:  # noqa: ANN401 (any condition)
    """Tell whether a condition holds for an organisation at an instant."""
    match condition:
        case Test(operand=operand):
            return name is not None and name in operand  # type: ignore[operator]
        case Window(since=since, until=until):
            return (since is None or since <= at) and (until is None or at < until)
        case Granted(tables=tables):
            return any(since <= at < until and name in names for since, until, names in tables)
        case Served(flag=flag, variant=variant):
            return serves(flag, name, at) == variant
        case Negation(part=part):
            return not holds(part, name, at)
        case AllOf(parts=parts):
            return all(holds(part, name, at) for part in parts)
        case AnyOf(parts=parts):
            return any(holds(part, name, at) for part in parts)
    raise AssertionError(condition)


def serves(flag: ResolvedFlag, name: str | None, at: int) -> str:
    """Name the variant that an organisation is served."""
    for each in flag.rules:
        if holds(each.when, name, at):
            assert isinstance(each.outcome, Serve)
            return each.outcome.variant
    return flag.default


instants = st.one_of(st.none(), st.integers(1, LAST))
windows = st.builds(Window, instants, instants)
names = st.lists(st.sampled_from([name for name in ORGS if name]), unique=True, max_size=3)
tests = st.builds(lambda chosen: org(*sorted(chosen)), names)
tables = st.tuples(st.integers(0, LAST - 1), st.integers(1, LAST), names.map(lambda chosen: tuple(sorted(chosen))))


def table_of(given: list[tuple[int, int, tuple[str, ...]]]) -> Granted:
    """Make tables as resolving does: one a window, sorted."""
    return Granted(tuple(sorted({entry[:2]: entry for entry in given if entry[0] < entry[1]}.values())))


granted = st.builds(table_of, st.lists(tables, max_size=3))


def combined(parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw conditions of conditions."""
    several = st.lists(parts, max_size=3).map(tuple)
    return st.one_of(st.builds(AllOf, several), st.builds(AnyOf, several), st.builds(Negation, parts))


simple: st.SearchStrategy[Any] = st.recursive(st.one_of(windows, tests, granted), combined, max_leaves=4)
variants = st.sampled_from(["on", "more", "off"])


def flags_of(conditions: st.SearchStrategy[Any]) -> st.SearchStrategy[ResolvedFlag]:
    """Draw flags with rules of such conditions."""
    rules = st.lists(st.builds(rule, conditions, variants), max_size=3)
    return st.builds(lambda chosen, default: resolved(*chosen, default=default), rules, variants)


conditions = st.one_of(simple, st.builds(Served, flags_of(simple), variants))
flags = flags_of(conditions)


@given(flag=flags, at=st.integers(0, LAST), name=st.sampled_from(ORGS))
def test_a_flag_at_an_instant_serves_at_any_time_what_the_flag_serves_then(
    flag: ResolvedFlag, at: int, name: str | None
) -> None:
    """Every window is decided, and nothing else."""
    frozen = at_instant(flag, at)
    assert {serves(frozen, name, moment) for moment in (-5, 0, at, 99)} == {serves(flag, name, at)}
    assert serves(flag, name, at) in reachable_at(flag, at)


def gains(flag: ResolvedFlag, at: int) -> set[tuple[str | None, str]]:
    """Name who begins to be served what at an instant, the safe variant left out."""
    return {
        (name, served) for name in ORGS if (served := serves(flag, name, at)) not in {"off", serves(flag, name, at - 1)}
    }


@given(after=flags, known=st.lists(flags, max_size=2))
def test_an_instant_widens_anew_if_somebody_gains_what_nothing_known_gives_them_then(
    after: ResolvedFlag, known: list[ResolvedFlag]
) -> None:
    """Never one too few; and no more, where all can be looked at."""
    expected = [
        at
        for at in range(1, LAST + 1)
        if gains(after, at) and not any(gains(after, at) <= gains(it, at) for it in known)
    ]
    assert list(new_widenings(after, known, 0)) == expected


@given(before=flags, after=flags)
def test_a_value_that_somebody_new_is_served_has_grown(before: ResolvedFlag, after: ResolvedFlag) -> None:
    """Over all instants, as what can be served at all."""
    expected = {
        served
        for name in ORGS
        for at in range(LAST + 1)
        if (served := serves(after, name, at)) not in {"off", serves(before, name, at)}
    }
    assert set(grown_variants(before, after)) == expected


@given(before=flags, after=flags, at=st.integers(0, LAST))
def test_a_step_is_a_hundred_if_anybody_leaves_the_safe_variant_and_nothing_if_not(
    before: ResolvedFlag, after: ResolvedFlag, at: int
) -> None:
    """Without splits a group moves as a whole."""
    leaves = any(serves(before, name, at) == "off" != serves(after, name, at) for name in ORGS)
    assert growth(at_instant(before, at), at_instant(after, at)) == (100 if leaves else 0)


def test_only_later_instants_count() -> None:
    """What is past has happened."""
    flag = resolved(rule(Window(3, None)), default="off")
    assert new_widenings(flag, [], 2) == (3,)
    assert new_widenings(flag, [], 3) == ()


def test_an_instant_that_cannot_be_proven_harmless_counts_as_widening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many instants to look at each, or too many cases."""
    ends = resolved(rule(Window(None, 3)), rule(Window(None, 5)))
    assert new_widenings(ends, [], 0) == ()
    monkeypatch.setattr(schedule, "MOST_INSTANTS", 1)
    assert new_widenings(ends, [], 0) == (3, 5)


def test_another_organisations_grant_is_no_instant_of_this_change() -> None:
    """A table of ten thousand organisations in which one is new asks about one."""
    many = tuple((since, since + 50, (f"org-{since}",)) for since in range(1, 5_000))
    before = resolved(rule(Granted(many)))
    after = resolved(rule(Granted(tuple(sorted((*many, (77, 99, ("acme",))))))))
    assert new_widenings(after, [before], 0) == (77,)


def test_a_grant_laid_bare_by_another_rule_is_an_instant_of_this_change() -> None:
    """The table is the same; the rule in front of it, which gave all of it earlier, is gone."""
    granted_later = rule(Granted(((5, 9, ("acme",)),)))
    before = resolved(rule(org("acme")), granted_later)
    assert new_widenings(resolved(granted_later), [before], 0) == (5,)


def test_a_grant_laid_bare_by_the_change_of_another_table_is_an_instant_of_this_change() -> None:
    """Two tables: acme loses the one and begins to live by the other."""
    later = rule(Granted(((5, 9, ("acme",)),)))
    before = resolved(rule(Granted(((1, 9, ("acme", "globex")),))), later)
    after = resolved(rule(Granted(((1, 9, ("globex",)),))), later)
    assert new_widenings(after, [before], 2) == (5,)


@pytest.mark.parametrize(
    ("logic", "reads"),
    [
        ({"var": "$flagd.timestamp"}, True),
        ({"var": ["$flagd.timestamp", 0]}, True),
        ({"var": ["org", {"var": "$flagd.timestamp"}]}, True),
        ({"var": "$flagd"}, True),
        ({"var": ""}, True),
        ({"var": []}, True),
        ({"var": None}, True),
        ({"var": [{"cat": ["$flagd.time", "stamp"]}]}, True),
        ({"var": {"cat": ["$flagd.time", "stamp"]}}, True),
        ({"map": [{"merge": [{"var": ""}]}, {"var": "timestamp"}]}, True),
        ({"$ref": "elsewhere"}, True),
        ({"if": [{"or": [{"<": [{"var": "$flagd.timestamp"}, 5]}]}, "on", "off"]}, True),
        ({"var": "org"}, False),
        ({"var": "$flagd.flagKey"}, False),
        ({"some": [{"var": "roles"}, {"===": [{"var": ""}, "beta"]}]}, False),
        ({"if": [{"==": [{"var": "org"}, "timestamp"]}, "on", "off"]}, False),
    ],
)
def test_raw_targeting_that_may_read_the_clock_is_recognised(logic: Json, reads: bool) -> None:
    """By name, by a name that is made up, and with the whole context; also in a prerequisite."""
    raw = resolved(raw=logic)
    assert reads_the_clock(raw) is reads
    assert reads_the_clock(resolved(rule(Negation(Served(raw, "on")), "off"))) is reads  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("before", "after", "points"),
    [
        (resolved(rule(ALWAYS, share(10))), resolved(rule(ALWAYS, share(35))), 25),
        (resolved(rule(ALWAYS, share(35))), resolved(rule(ALWAYS, share(10))), 0),
        (resolved(), resolved(rule(ALWAYS, share(1, of=3))), Fraction(100, 3)),
        (None, resolved(rule(ALWAYS, share(10))), 10),
        (None, resolved(), 0),
        # Those without an organisation are served the default, before and after.
        (resolved(rule(ALWAYS, share(10, by="org"))), resolved(rule(ALWAYS, share(20, by="org"))), 10),
        (
            resolved(rule(ALWAYS, share(10, by="org")), default="on"),
            resolved(rule(ALWAYS, share(20, by="org")), default="on"),
            10,
        ),
        (resolved(rule(ALWAYS, share(10, by="org"))), resolved(rule(ALWAYS, share(10, by="org")), default="on"), 100),
        # By another attribute: who was without one before may be among the twenty now.
        (resolved(rule(ALWAYS, share(20, by="org"))), resolved(rule(ALWAYS, share(20))), 20),
        # One organisation is all of itself; a tenth of it is a tenth.
        (resolved(rule(ALWAYS, share(10))), resolved(rule(org("acme")), rule(ALWAYS, share(10))), 100),
        (resolved(), resolved(rule(org("acme"), share(10))), 10),
        # Nobody leaves the safe variant by moving between two others.
        (resolved(default="on"), resolved(default="more"), 0),
        (resolved(raw={"var": "org"}), resolved(raw={"var": "org"}), 0),
        (resolved(raw={"var": "org"}), resolved(raw={"var": "plan"}), 100),
        (resolved(), resolved(raw={"var": "org"}), 100),
        (resolved(raw={"var": "org"}), resolved(rule(ALWAYS, share(10))), 10),
        (resolved(raw={"var": "org"}), resolved(), 0),
    ],
)  # fmt: skip
def test_a_step_is_measured_for_the_group_it_is_largest_for(
    before: ResolvedFlag | None, after: ResolvedFlag, points: Fraction
) -> None:
    """In points of 100, from whatever that group had."""
    assert growth(before, after) == points


def test_a_step_is_measured_against_the_safe_value_before_and_after() -> None:
    """Naming another variant safe moves everybody away from what was safe."""
    before = resolved()
    after = ResolvedFlag("x", "f", "f", "production", before.variants, "on", "on")
    assert growth(before, after) == 100


def test_under_another_key_everything_is_new() -> None:
    """Whoever asks for it was served by another flag, or by none."""
    before, after = resolved(rule(org("acme"))), replace(resolved(rule(org("acme"))), key="other")
    assert grown_variants(before, after) == ("on",)
    assert growth(before, after) == 100


def test_a_step_that_cannot_be_measured_is_the_largest(monkeypatch: pytest.MonkeyPatch) -> None:
    """More cases than anybody looks at."""
    after = resolved(rule(org("acme"), share(10)))
    assert growth(resolved(), after) == 10
    monkeypatch.setattr("flagseal.evaluation.exploration.MOST_CASES", 2)
    assert growth(resolved(), after) == 100
