"""Whatever is approved while whatever is frozen: nobody is served anything but what they had, or a safe variant."""

from __future__ import annotations

import contextlib
import json
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flagseal.emergency import Emergencies, require_holding
from flagseal.evaluation import FlagSet
from flagseal.history import build, replay
from flagseal.model.errors import ApprovalError
from tests.emergency.scene import freeze, override, signed, thaw, world, written
from tests.snapshot.world import MONDAY, World, document, flag

if TYPE_CHECKING:
    from flagseal.history import Build
    from flagseal.model.document import Document

NAMES = ("payments/a", "payments/b", "payments/c", "search/d")
ORGS = ("acme", "globex", "initech")
MINUTE = timedelta(minutes=1)


def ramp(minutes: int) -> dict[str, Any]:
    """Begin in some minutes, and reach everybody in an hour."""
    start = MONDAY + minutes * MINUTE
    span = {"start": written(start), "end": written(start + 60 * MINUTE), "steps": 3}
    return {"name": "ramp", "ramp": {"variant": "on", "from": 10, "to": 100, "by": "org", **span}}


RULES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.sets(st.sampled_from(ORGS), max_size=3).map(
        lambda orgs: {"name": "chosen", "when": {"org": {"in": sorted(orgs)}}, "serve": "on"} if orgs else {}
    ),
    st.integers(1, 99).map(
        lambda weight: {"name": "share", "split": {"on": weight, "off": 100 - weight}, "by": "org"},
    ),
    st.integers(-30, 200).map(ramp),
    st.integers(0, 300).map(
        lambda minute: {"name": "late", "from": written(MONDAY + minute * MINUTE), "serve": "on"},
    ),
    st.just({"name": "pilots", "when": {"segment": "pilots"}, "serve": "on"}),
)


def made(name: str, rule: dict[str, Any], *, requires: bool) -> Document:
    """Make a flag; ``b`` and ``d`` may ask for ``a``."""
    namespace, _, short = name.partition("/")
    rules = [rule] if rule and not (namespace == "search" and "segment" in rule.get("when", {})) else []
    section: dict[str, Any] = {"rules": rules, "default": "off"}
    if requires and short in {"b", "d"}:
        section["requires"] = [{"flag": "payments/a", "variant": "on"}]
    return flag(short, namespace, environments={"production": section})


def segment(*orgs: str) -> Document:
    """Make the segment that flags of payments may name."""
    return document("Segment", "pilots", {"description": "Pilots.", "when": {"org": {"in": list(orgs)}}}, "payments")


@dataclass(frozen=True)
class Act:
    """What happens next."""

    minutes: int
    what: str
    name: str
    rule: dict[str, Any]
    requires: bool
    orgs: tuple[str, ...]


KINDS = ("flag", "flag", "flag", "segment", "remove", "freeze", "freeze one", "thaw", "roll back")

ACTS = st.lists(
    st.builds(
        Act,
        minutes=st.integers(0, 40),
        what=st.sampled_from(
            ["flag", "flag", "flag", "segment", "remove", "freeze", "freeze one", "thaw", "roll back"]
        ),
        name=st.sampled_from(NAMES),
        rule=RULES,
        requires=st.booleans(),
        orgs=st.lists(st.sampled_from(ORGS), min_size=1, max_size=2, unique=True).map(tuple),
    ),
    min_size=1,
    max_size=10,
)


def answers(built: Build, world: World) -> dict[tuple[str, str], object]:
    """Evaluate every flag for every organisation at the world's instant; what is not served answers its error."""
    found: dict[tuple[str, str], object] = {}
    for name in NAMES:
        namespace, _, short = name.partition("/")
        data = built.files.get(f"{namespace}/flags.json", b'{"flags": {}}')
        flags = FlagSet.load(data, bucketing="v2", clock=world.clock().timestamp)
        for org in ORGS:
            answer = flags.evaluate(short, {"targetingKey": "u", "org": org})
            found[name, org] = answer.error_code if answer.error_code is not None else answer.value
    return found


def act(company: World, number: int, it: Act) -> None:
    """Let something happen; what is refused changes nothing."""
    now = company.clock()
    live = company.head.documents.live
    namespace, _, short = it.name.partition("/")
    with contextlib.suppress(ApprovalError):
        match it.what:
            case "flag":
                requires = it.requires and live("FlagDefinition/payments/a") is not None
                company.accept(made(it.name, it.rule, requires=requires))
            case "segment":
                company.accept(segment(*it.orgs))
            case "remove" if (removed := live(f"FlagDefinition/{it.name}")) is not None:
                company.accept(removed=[removed])
            case "freeze":
                claim = freeze(namespace, name=f"f{number}", until=now + 50 * MINUTE)
                company.offer(signed(claim, at=now))
            case "freeze one" | "roll back":
                action = "freeze" if it.what == "freeze one" else "rollback"
                until = now + 50 * MINUTE
                claim = override(short, name=f"o{number}", namespace=namespace, action=action, until=until)
                company.offer(signed(claim, at=now))
            case "thaw":
                holding = [each.claim for each in company.emergencies.freezing(now) if each.claim.kind == "FlagFreeze"]
                company.offer(*(signed(thaw(each.name, by_name=f"t{number}"), at=now) for each in holding[:1]))
            case _:
                pass


@settings(max_examples=40, deadline=None)
@given(ACTS)
def test_a_frozen_flag_serves_what_it_did_or_the_safe_variant(acts: list[Act]) -> None:
    """At every step and instant; what is not frozen is served as if nothing were, and everybody builds the same."""
    with tempfile.TemporaryDirectory() as folder:
        flags = [made(name, ramp(20), requires=True) for name in NAMES]
        company = world(Path(folder), segment("acme"), *flags)
        held: dict[str, dict[tuple[str, str], object]] = {}
        previous: Build | None = None
        for number, it in enumerate(acts):
            company.clock.advance(minutes=it.minutes)
            now = company.clock()
            company.offer()
            # What a rollback does ends by itself, frozen or not: it is no part of what is held.
            frozen_only = tuple(each for each in company.emergencies.standings if each.claim.rolls_back is None)
            before = answers(build(company.head, "production", now, emergencies=Emergencies(frozen_only)), company)
            still = {name for name in held if company.emergencies.frozen(name, now) is not None}
            act(company, number, it)
            frozen = {name for name in NAMES if company.emergencies.frozen(name, now) is not None}
            held = {name: held[name] if name in still else before for name in frozen}
            whole = build(company.head, "production", now, emergencies=company.emergencies)
            previous = build(company.head, "production", now, previous=previous, emergencies=company.emergencies)
            assert {**previous.files, "_repository/head.json": b""} == {**whole.files, "_repository/head.json": b""}
            body = json.loads(whole.files["_repository/head.json"])
            listed = [*body["overrides"], *body["freezes"]]
            organisation = company.head.policies.organisation
            again = require_holding(listed, organisation, company.trust, as_of=now)
            assert set(again.standings) == set(company.emergencies.standings)
            served = answers(whole, company)
            for name, known in held.items():
                for org in ORGS:
                    assert served[name, org] in {known[name, org], False}, (name, org)
                    if known[name, org] == "FLAG_NOT_FOUND":
                        assert served[name, org] == "FLAG_NOT_FOUND"
            free = answers(build(company.head, "production", now), company)
            rolled_back = whole.basis.rolled_back
            clashing = set(whole.basis.serving.holds) - set(held)
            assert not clashing
            for name in NAMES:
                if name not in held and name not in rolled_back:
                    assert [served[name, org] for org in ORGS] == [free[name, org] for org in ORGS]
        assert replay(company.trust, company.genesis_documents, company.entries) == company.head
