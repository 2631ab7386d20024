"""Recorded contexts: who changes, from what to what, by which rule, with a few names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagseal.model.policy_set import load_policies
from flagseal_validators.plan import Recording, as_markdown, as_text, plan
from tests.plan.making import facts_of, planned
from tests.policy.company import CHECKOUT, Company, flag, orgs, production

if TYPE_CHECKING:
    from flagseal_validators.plan.replay import Replay

COMPANY = Company.of({CHECKOUT: flag()})
WIDER = {CHECKOUT: flag(environments=production([orgs("acme", "globex")]))}


def contexts(number: int, org: str = "globex") -> list[dict[str, Any]]:
    """Record as many users of an organisation."""
    return [{"targetingKey": f"{org}-{index}", "org": org} for index in range(number)]


def replayed(recorded: list[dict[str, Any]], **options: Any) -> Replay:  # noqa: ANN401 (the plan's)
    """Replay contexts over the same change."""
    found = planned(COMPANY, WIDER, contexts=recorded, **options).environments[0].replay
    assert found is not None
    return found


def test_what_begins_later_is_said_not_to_be_counted() -> None:
    """Somebody who reads that nobody changes must not believe it of next week."""
    later = orgs("acme", "globex") | {"from": "2026-12-01T00:00:00Z", "until": "2026-12-24T00:00:00Z"}
    found = planned(COMPANY, {CHECKOUT: flag(environments=production([later]))}, contexts=contexts(3))
    replay = found.environments[0].replay
    assert replay is not None
    assert replay.later == (1_796_083_200, 1_798_070_400)
    said = "Not counted is what begins or ends later: 2026-12-01 00:00 UTC and 1 more instant"
    assert said in as_text(found)
    assert said in as_markdown(found)
    assert replayed(contexts(3)).later == ()


def test_a_few_of_those_who_change_are_named_and_never_more() -> None:
    """The first recorded, each once, for the flag and for the group."""
    replay = replayed([*contexts(1), *contexts(1), *contexts(50)], group_by=["org"])
    (moved,) = replay.flags[0].by_rule
    assert moved.examples == ("globex-0", "globex-1", "globex-2")
    (group,) = replay.groups["org"]
    assert group.examples == ("globex-0", "globex-1", "globex-2")
    assert replayed(contexts(50), examples=1).flags[0].by_rule[0].examples == ("globex-0",)
    assert replayed(contexts(50), examples=0).flags[0].by_rule[0].examples == ()


def test_who_has_no_name_is_counted_and_not_named() -> None:
    """A context without a targeting key, or with a strange one, is no example."""
    replay = replayed([{"org": "globex"}, {"org": "globex", "targetingKey": 7}, {"org": "globex", "targetingKey": ""}])
    (moved,) = replay.flags[0].by_rule
    assert (moved.count, moved.examples) == (3, ())


def test_a_group_says_from_what_to_what() -> None:
    """The most frequent way first, by flag and variant."""
    replay = replayed([*contexts(5), *contexts(3, "acme")], group_by=["org"])
    (group,) = replay.groups["org"]
    assert (group.value, group.changed, group.total) == ("globex", 5, 5)
    assert [(it.flag, it.variants, it.count) for it in group.turned] == [
        ("payments/new-checkout", ("disabled", "enabled"), 5)
    ]
    assert [(it.variants, it.count) for it in replay.flags[0].by_variant] == [(("disabled", "enabled"), 5)]


def test_variants_are_counted_over_all_rules_that_lead_to_them() -> None:
    """Two rules that serve the same are two ways, and one variant."""
    wider = flag(environments=production([orgs("acme", "globex"), {**orgs("initech"), "name": "late"}]))
    made = planned(COMPANY, {CHECKOUT: wider}, contexts=[*contexts(2), *contexts(3, "initech")])
    replay = made.environments[0].replay
    assert replay is not None
    assert [moved.count for moved in replay.flags[0].by_rule] == [3, 2]
    assert [(it.variants, it.count) for it in replay.flags[0].by_variant] == [(("disabled", "enabled"), 5)]


def test_what_was_recorded_cannot_deceive_a_terminal() -> None:
    """Escape sequences and controls in contexts are spelled out."""
    text = as_text(planned(COMPANY, WIDER, contexts=[{"org": "globex", "targetingKey": "\x1b[2Jx\u202e"}]))
    assert "\x1b" not in text
    assert "\\u{1b}[2Jx\\u{202e}" in text


def test_progress_is_told_now_and_then() -> None:
    """Often enough for a bar, and not for each context."""
    told: list[tuple[int, int]] = []
    facts = facts_of(COMPANY, WIDER)
    recording = Recording(contexts(1000), progress=lambda done, total: told.append((done, total)))
    plan(facts, load_policies(COMPANY.accepted.values()), recording=recording)
    assert told == [(256, 1000), (512, 1000), (768, 1000)]
