"""What single rules find and leave alone, beyond their examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal_validators import gate
from flagseal_validators.rules.fs314_prerequisite_cycle import components
from tests.gate.company import TODAY, base, document, write

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = "flags/payments/new-checkout.yaml"
RAMP = 'ramp: {variant: enabled, from: 1, to: 9, start: "2027-01-01T00:00:00Z", end: "2027-02-01T00:00:00Z", steps: 2}'
BACK = "{requires: [{flag: new-checkout, variant: enabled}], default: disabled}"
WINDOW = 'from: "2027-01-01T00:00:00Z", until: "2027-02-01T00:00:00Z"'


def ids(root: Path, text: str, **others: str) -> list[str]:
    """Tell which rules find something in the company with this flag and these other files."""
    files = {CHECKOUT: document(CHECKOUT, text)}
    for name, content in others.items():
        path = f"flags/payments/{name.replace('_', '-')}.yaml"
        files[path] = document(path, content)
    report = gate.validate_paths(write(root, base() | files), today=TODAY)
    return [finding.rule for finding in report.findings]


def production(*rules: str) -> str:
    """Give a flag with these rules in production, served in staging too."""
    listed = "".join(f"    - {{name: rule {index}, {rule}}}\n" for index, rule in enumerate(rules))
    return f"environments:\n  staging: {{default: enabled}}\n  production:\n    rules:\n{listed}    default: disabled\n"


@pytest.mark.parametrize(
    "when",
    [
        "{all: [{a: 1}, {a: 2}]}",
        "{all: [{a: 1}, {a: true}]}",
        '{all: [{a: 1}, {a: "1"}]}',
        "{all: [{a: {in: [x, z]}}, {a: {in: [b, c]}}]}",
        "{all: [{a: x}, {a: {ne: x}}]}",
        "{all: [{a: {in: [x, z]}}, {a: {notIn: [z, x]}}]}",
        "{all: [{a: {gt: 5}}, {a: {lt: 5}}]}",
        "{all: [{a: {gte: 5}}, {a: {lt: 5}}]}",
        "{all: [{a: {gte: 6}}, {a: {lte: 5}}]}",
        '{all: [{a: {after: "2027-01-01T00:00:00Z"}}, {a: {before: "2026-01-01T00:00:00Z"}}]}',
        "{all: [{a: {exists: false}}, {a: x}]}",
        "{all: [{a: {exists: false}}, {a: {exists: true}}]}",
        "{all: [{b: 1}, {all: [{a: 1}, {all: [{a: 2}]}]}]}",
        "{any: [{b: 1}, {all: [{a: 1}, {a: 2}]}]}",
        "{not: {all: [{a: 1}, {a: 2}]}}",
    ],
)
def test_a_condition_that_contradicts_itself_is_found(tmp_path: Path, when: str) -> None:
    """Wherever in the condition the contradiction stands."""
    assert ids(tmp_path, production(f"when: {when}, serve: enabled")) == ["FS311"]


@pytest.mark.parametrize(
    "when",
    [
        "{all: [{a: 1}, {b: 2}]}",
        "{any: [{a: 1}, {a: 2}]}",
        "{all: [{a: 1}, {a: 1.0}]}",
        "{all: [{a: 1}, {not: {a: 2}}]}",
        "{all: [{a: {in: [x, z]}}, {a: {in: [z]}}]}",
        "{all: [{a: {in: [x, z]}}, {a: {ne: x}}]}",
        "{all: [{a: {gte: 5}}, {a: {lte: 5}}]}",
        "{all: [{a: {gt: 4}}, {a: {gt: 2}}, {a: {lt: 6}}, {a: {lt: 5}}]}",
        "{all: [{a: {exists: false}}, {a: {exists: false}}]}",
        "{all: [{a: {exists: true}}, {a: x}]}",
        "{all: [{a: {startsWith: x}}, {a: {endsWith: z}}]}",
        "{all: [{a: {contains: x}}, {a: {contains: z}}]}",
    ],
)
def test_a_condition_that_can_hold_is_left_alone(tmp_path: Path, when: str) -> None:
    """Some value satisfies each of these, though not every member of a list may."""
    assert set(ids(tmp_path, production(f"when: {when}, serve: enabled"))) <= {"FS321"}


@pytest.mark.parametrize(
    "rules",
    [
        ("serve: disabled", "when: {a: 1}, serve: enabled"),
        ("when: {a: 1}, serve: disabled", "when: {a: 1}, serve: enabled"),
        ("when: {a: 1}, serve: disabled", "when: {a: 1, b: 2}, serve: enabled"),
        ("when: {b: 2, a: 1}, serve: disabled", "when: {all: [{a: 1}, {b: 2}]}, serve: enabled"),
        ("split: {enabled: 1, disabled: 1}", "serve: enabled"),
    ],
)
def test_a_rule_behind_one_that_matches_whenever_it_would_is_found(tmp_path: Path, rules: tuple[str, ...]) -> None:
    """Behind everyone, behind the same condition, behind a wider one."""
    assert ids(tmp_path, production(*rules)) == ["FS310"]


@pytest.mark.parametrize(
    "rules",
    [
        ("when: {a: 1}, serve: enabled", "when: {a: 2}, serve: enabled"),
        ("when: {a: 1, b: 2}, serve: disabled", "when: {a: 1}, serve: enabled"),
        (f"{WINDOW}, serve: disabled", "when: {a: 1}, serve: enabled"),
        (
            RAMP,
            "when: {a: 1}, serve: enabled",
        ),
    ],
)
def test_a_rule_that_can_be_reached_is_left_alone(tmp_path: Path, rules: tuple[str, ...]) -> None:
    """A rule that counts only for a time lets others through before and after it."""
    assert ids(tmp_path, production(*rules)) == []


@pytest.mark.parametrize(
    ("environments", "expected"),
    [
        ("{production: {default: enabled}}", ["FS305"]),
        ("{production: {default: disabled}}", []),
        ("{staging: {default: enabled}}", []),
        ("{staging: {default: disabled}, production: {targets: {enabled: [a]}, default: disabled}}", ["FS305"]),
        ("{staging: {default: enabled}, production: {targets: {enabled: [a]}, default: disabled}}", []),
        ('{staging: {"off": true, default: enabled}, production: {default: enabled}}', ["FS305"]),
        ('{staging: {default: disabled}, production: {"off": true, default: enabled}}', []),
        ("{staging: {targeting: {if: [true, enabled]}, default: disabled}, production: {default: enabled}}", []),
    ],
)
def test_what_production_serves_must_be_served_elsewhere(
    tmp_path: Path, environments: str, expected: list[str]
) -> None:
    """The safe variant needs no rehearsal; what is switched off serves nothing else; raw targeting cannot be told."""
    assert ids(tmp_path, f"environments: {environments}") == expected


@pytest.mark.parametrize(
    ("requires", "other", "expected"),
    [
        ("{flag: other, variant: enabled}", "", []),
        ("{flag: payments/other, variant: enabled}", "", []),
        ("{flag: shop/other, variant: enabled}", "", ["FS313"]),
        ("{flag: othr, variant: enabled}", "", ["FS313"]),
        ("{flag: other, variant: open}", "", ["FS313"]),
        ("{flag: other, variant: enabled}", "environments: {staging: {default: enabled}}", ["FS313"]),
        (
            "{flag: other, variant: enabled}",
            f"environments: {{staging: {{default: enabled}}, production: {BACK}}}",
            ["FS314", "FS314"],
        ),
        (
            "{flag: other, variant: enabled}",
            f"environments: {{staging: {BACK}, production: {{default: disabled}}}}",
            [],
        ),
    ],
)
def test_prerequisites_are_looked_up_in_their_environment(
    tmp_path: Path, requires: str, other: str, expected: list[str]
) -> None:
    """A cycle is one only within an environment."""
    text = f"environments: {{staging: {{default: enabled}}, production: {{requires: [{requires}], default: disabled}}}}"
    assert ids(tmp_path, text, other=other or 'ticket: "#12"') == expected


@given(st.dictionaries(st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefgh"), max_size=3)))
def test_flags_share_a_component_exactly_if_each_requires_the_other(graph: dict[str, list[str]]) -> None:
    """Against reachability, computed the slow way."""

    def reached(start: str) -> set[str]:
        seen, waiting = {start}, [start]
        while waiting:
            for other in graph.get(waiting.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    waiting.append(other)
        return seen

    numbers = components(graph)
    assert graph.keys() <= numbers.keys()
    for one in numbers:
        for other in numbers:
            assert (numbers[one] == numbers[other]) == (other in reached(one) and one in reached(other))


def test_a_long_chain_of_prerequisites_exhausts_nothing() -> None:
    """Ten thousand in a row are no cycle; closed, they are one."""
    chain = {str(number): [str(number + 1)] for number in range(10_000)}
    assert len(set(components(chain).values())) == 10_001
    assert len(set(components(chain | {"10000": ["0"]}).values())) == 1


@pytest.mark.parametrize(
    "ticket", ["PAY-1", "A_B-12", '"#12"', "acme/shop#12", "https://jira.example.com/browse/PAY-1"]
)
def test_a_ticket_may_be_written_in_the_usual_forms(tmp_path: Path, ticket: str) -> None:
    """Trackers, forges and addresses."""
    assert ids(tmp_path, f"ticket: {ticket}") == []


@pytest.mark.parametrize("ticket", ["PAY-0", "pay-1", "1234", "PAY 1", "http://x", "see PAY-1"])
def test_other_tickets_are_found(tmp_path: Path, ticket: str) -> None:
    """What no tracker would find."""
    assert ids(tmp_path, f'ticket: "{ticket}"') == ["FS209"]


@pytest.mark.parametrize(
    ("review", "expected"),
    [
        ("{every: 90d}", []),
        ('{every: 90d, last: "2026-11-22", by: alice}', []),
        ('{every: 90d, last: "2026-08-24"}', []),
        ('{every: 90d, last: "2026-08-23"}', ["FS210"]),
        ('{every: 90d, last: "2026-11-23"}', ["FS210"]),
        ("{every: 91d}", ["FS210"]),
        ("{every: 90d, by: mallory}", ["FS210"]),
    ],
)
def test_a_review_is_often_enough_done_and_by_somebody(tmp_path: Path, review: str, expected: list[str]) -> None:
    """The day it falls due is still in time."""
    path = CHECKOUT
    text = document(path, f"purpose: entitlement\nreview: {review}", ("expires", "retireWhen"))
    report = gate.validate_paths(write(tmp_path, base() | {path: text}), today=TODAY)
    assert [finding.rule for finding in report.findings] == expected


def test_an_entitlement_has_no_expiry(tmp_path: Path) -> None:
    """It has a review in its place."""
    assert ids(tmp_path, "purpose: entitlement\nreview: {every: 90d}") == ["FS204"]


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [
        ("{widen: {approvals: [{role: security, count: 1}, {role: flag-approver, count: 1}], evidence: keys}}", []),
        ("{widen: {approvals: [{role: security, count: 2}], evidence: keys}}", ["FS610"]),
        ("{widen: {approvals: [{role: owner, count: 9}], evidence: keys}}", ["FS215"]),
        ("{widen: {approvals: [{role: twin, count: 1}, {role: security, count: 1}], evidence: keys}}", ["FS610"]),
    ],
)
def test_a_row_asks_for_no_more_distinct_people_than_there_are(tmp_path: Path, tiers: str, expected: list[str]) -> None:
    """Each role alone, and all of them together; owners differ by flag."""
    files = base()
    organisation = "policies/organisation.yaml"
    roles = "roles: {flag-approver: {people: [alice]}, security: {people: [bob]}, twin: {people: [bob]}}"
    files[organisation] = document(organisation, roles)
    approvals = "policies/approvals.yaml"
    files[approvals] = document(approvals, f"tiers: {{sensitive: {{nonProduction: {tiers}}}}}")
    report = gate.validate_paths(write(tmp_path, files), today=TODAY)
    assert [finding.rule for finding in report.findings] == expected
