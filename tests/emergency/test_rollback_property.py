"""Whatever is overridden in whatever order: nobody is served anything but what was approved, or a safe variant."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flagseal.approval.trust import Genesis, Trust
from flagseal.emergency import Emergencies, Offer, require_holding, take
from flagseal.evaluation import FlagSet
from flagseal.history import Manifest, build, genesis
from tests.emergency.scene import REPOSITORY, emergency_policies, ending, override, signed
from tests.snapshot.world import MONDAY, flag

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.history import Build, Head

MINUTE = timedelta(minutes=1)
NAMES = ("a", "b", "c", "d")
ORGS = ("acme", "globex")


@cache
def founded() -> tuple[Head, Trust]:
    """Begin a history whose flags hang together in both ways."""

    def section(*requires: tuple[str, str], default: str = "on") -> dict[str, Any]:
        asked = [{"flag": name, "variant": variant} for name, variant in requires]
        return {"production": {"requires": asked, "default": default}}

    documents = (
        *emergency_policies(),
        flag("a", on_for=["acme"]),
        flag("b", environments=section(("a", "on"))),
        flag("c", environments=section(("a", "off"))),
        flag("d", environments=section(("b", "on"), ("c", "off"))),
    )
    trust = Trust(
        repository_id=REPOSITORY,
        repository_name="acme/flags",
        ref="refs/heads/main",
        environment="production",
        genesis=Genesis("0" * 40, Manifest.of({it.subject: it for it in documents}).digest),
    )
    return genesis(trust, documents), trust


def answers(built: Build) -> Mapping[tuple[str, str], object]:
    """Evaluate every flag for every organisation."""
    flags = FlagSet.load(built.files["payments/flags.json"], bucketing="v2")
    return {
        (name, org): flags.evaluate(name, {"targetingKey": "u", "org": org}).value for name in NAMES for org in ORGS
    }


ACTS = st.lists(
    st.tuples(
        st.integers(0, 90),  # minutes that pass before
        st.sampled_from(NAMES),
        st.sampled_from(["start", "end", "nothing"]),
        st.sampled_from(["alice", "bob"]),
    ),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(ACTS)
def test_only_what_was_approved_or_safe_is_served(acts: list[tuple[int, str, str, str]]) -> None:
    """And building on what was built gives the same bytes, which clients find by themselves from what is listed."""
    head, trust = founded()
    organisation = head.policies.organisation
    approved = answers(build(head, "production", MONDAY))
    emergencies, previous, now = Emergencies(), None, MONDAY
    for number, (minutes, name, act, by) in enumerate(acts):
        now += minutes * MINUTE
        offers: list[Offer] = []
        if act == "start":
            claim = override(name, name=f"{name}-{number}", until=now + 45 * MINUTE)
            offers.append(signed(claim, by, at=now))
        if act == "end":
            current = [it.claim.name for it in emergencies.holding(now) if it.claim.flag == f"payments/{name}"]
            offers += [signed(ending(it, by_name=f"end-{number}", flag=name), by, at=now) for it in current[:1]]
        emergencies, outcomes = take(emergencies, offers, organisation, trust, now=now)
        assert all((it.refusal is not None) is (by == "bob") for it in outcomes)
        previous = build(head, "production", now, previous=previous, emergencies=emergencies)
        whole = build(head, "production", now, emergencies=emergencies)
        assert {**previous.files, "_repository/head.json": b""} == {**whole.files, "_repository/head.json": b""}
        listed = json.loads(whole.files["_repository/head.json"])["overrides"]
        assert require_holding(listed, organisation, trust, as_of=now) == emergencies
        served = answers(whole)
        assert all(served[it] in (approved[it], False) for it in served)
        for flag_name in emergencies.rolled_back(now):
            assert all(served[flag_name.partition("/")[2], org] is False for org in ORGS)
