from __future__ import annotations

from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from flagseal.model.policies import Organisation, Role, RoleCount
from flagseal.policy.facts import Approval
from flagseal.policy.matching import Filling, fill, maximum_matching, missing, slots_for
from tests.policy.builders import KEYS, NOW, at, by_key, organisation

ACME = organisation(
    {
        "team-payments": ["alice", ("bob", "2026-12-31")],
        "team-billing": ["alice", "carol"],
        "team-security": ["frank", "grace"],
    },
    {
        "release-manager": Role("release-manager", people=("dora", "alice")),
        "security": Role("security", teams=("team-security",), environments=("production",)),
    },
)
OWNER_AND_MANAGER = (RoleCount("owner", 1), RoleCount("release-manager", 1))


def filled(
    approvals: tuple[Approval, ...],
    *,
    rows: tuple[RoleCount, ...] = OWNER_AND_MANAGER,
    owners: tuple[tuple[str, ...], ...] = (("team-payments",),),
    environments: tuple[str, ...] = ("production",),
    who: Organisation = ACME,
) -> Filling:
    """Fill a row's places."""
    return fill(slots_for(rows, owners, environments), approvals, who, now=NOW)


def who_is_missing(
    approvals: tuple[Approval, ...],
    *,
    excluded: tuple[str, ...] = (),
    rows: tuple[RoleCount, ...] = OWNER_AND_MANAGER,
) -> list[tuple[str, int, tuple[str, ...]]]:
    """Name role, count and candidates of what is left."""
    slots = slots_for(rows, (("team-payments",),), ("production",))
    filling = fill(slots, approvals, ACME, now=NOW)
    entries = missing(slots, filling, ACME, now=NOW, excluded=excluded, environment="production", evidence=None)
    return [(entry.role, entry.count, entry.candidates) for entry in entries]


def test_an_owner_and_a_release_manager_fill_a_row_that_asks_for_both() -> None:
    """Two roles by two people."""
    assert filled(by_key("bob", "dora")).complete


def test_one_person_with_two_roles_fills_one_place() -> None:
    """Alice owns the flag and is a release manager, and counts once."""
    assert not filled(by_key("alice")).complete
    assert not filled(by_key("alice", "alice")).complete


def test_a_person_with_two_roles_takes_the_one_nobody_else_can() -> None:
    """Alice comes first in every list, and still bob's place as owner is found."""
    assert filled(by_key("alice", "bob")).complete
    assert filled(by_key("alice", "dora")).complete


def test_each_owner_before_and_after_is_represented_by_somebody_of_its_own() -> None:
    """Alice is in both teams and speaks for one of them."""
    only_owners = (RoleCount("owner", 1),)
    both = (("team-payments",), ("team-billing",))
    assert not filled(by_key("alice"), rows=only_owners, owners=both).complete
    assert filled(by_key("alice", "carol"), rows=only_owners, owners=both).complete


def test_a_row_that_asks_for_an_owner_of_something_without_one_cannot_be_filled() -> None:
    """No owner is a place that stays empty, not a place less."""
    assert not filled(by_key("alice"), rows=(RoleCount("owner", 1),), owners=()).complete


def test_a_membership_that_has_ended_does_not_count_and_one_that_had_not_does() -> None:
    """Bob's last day in the team is 31 December."""
    rows = (RoleCount("owner", 1),)
    assert filled((Approval("bob", KEYS, at("2026-12-31T23:59:59")),), rows=rows).complete
    assert not filled((Approval("bob", KEYS, at("2027-01-01T00:00")),), rows=rows).complete


def test_a_role_limited_to_environments_is_nothing_elsewhere() -> None:
    """Security approves in production, and not in staging."""
    rows = (RoleCount("security", 1),)
    assert filled(by_key("frank"), rows=rows, environments=("production",)).complete
    assert not filled(by_key("frank"), rows=rows, environments=("staging",)).complete
    assert not filled(by_key("frank"), rows=rows, environments=("staging", "production")).complete


def test_a_role_nobody_declared_is_held_by_nobody() -> None:
    """An unknown word never opens a door."""
    assert not filled(by_key("alice", "dora"), rows=(RoleCount("ceo", 1),)).complete


def test_somebody_the_organisation_does_not_know_fills_nothing() -> None:
    """A team may still name a person who has left the list of people."""
    gone = Organisation({}, ACME.teams, ACME.roles)
    assert not filled(by_key("alice"), rows=(RoleCount("owner", 1),), who=gone).complete
    assert not filled(by_key("dora"), rows=(RoleCount("release-manager", 1),), who=gone).complete


def test_what_is_missing_names_who_holds_the_role_wrote_nothing_and_is_not_used() -> None:
    """Bob wrote it, so alice is left as owner; then dora and alice could be manager, and alice is needed once."""
    assert who_is_missing((), excluded=("bob",)) == [
        ("owner", 1, ("alice",)),
        ("release-manager", 1, ("alice", "dora")),
    ]
    assert who_is_missing(by_key("dora"), excluded=("bob",)) == [("owner", 1, ("alice",))]


def test_what_is_missing_names_who_would_set_somebody_free_where_nobody_holds_the_role() -> None:
    """Alice alone is manager of this row, and used as owner: bob's approval as owner sets her free."""
    rows = (RoleCount("owner", 1), RoleCount("release-manager", 2))
    assert who_is_missing(by_key("alice", "dora"), rows=rows) == [("release-manager", 1, ("bob",))]


def test_what_nobody_can_give_has_no_candidates() -> None:
    """Two people of security there are; both are used, and a third is asked for."""
    rows = (RoleCount("security", 3),)
    assert who_is_missing(by_key("frank", "grace"), rows=rows) == [("security", 1, ())]


people = st.sampled_from("abcde")
places = st.lists(st.frozensets(people, max_size=4), max_size=5)


@given(fits=places)
def test_the_matching_is_as_large_as_the_best_of_all_assignments(fits: list[frozenset[str]]) -> None:
    """Held against every way to hand five people to the places."""
    found = maximum_matching(fits)
    assert all(person in fits[slot] for slot, person in found.items())
    assert len(set(found.values())) == len(found)
    best = max(sum(person in fit for person, fit in zip(order, fits, strict=False)) for order in permutations("abcde"))
    assert len(found) == best


@given(fits=places, more=people)
def test_one_more_person_never_makes_the_matching_smaller(fits: list[frozenset[str]], more: str) -> None:
    """Whoever approves cannot do harm by it."""
    without = [fit - {more} for fit in fits]
    assert len(maximum_matching(fits)) >= len(maximum_matching(without))
