"""What refuses a document that has the right form and yet means nothing (FS3xx of the loader)."""

from __future__ import annotations

import pytest

from tests.model.samples import BINDING, FLAG, SEGMENT, load, places, spoilt

RULES = "$.spec.environments.production.rules"
PILOT = "serve: enabled"
RAMP_START = '"2027-01-04T09:00:00Z"'

CASES = [
    (FLAG, "disabled: false", 'disabled: "no"', "14:3 FS302 $.spec.variants"),
    (FLAG, "disabled: false", "disabled: 0", "14:3 FS302 $.spec.variants"),
    (FLAG, "safeVariant: disabled", "safeVariant: safe", "15:3 FS301 $.spec.safeVariant"),
    (FLAG, "default: enabled", "default: Enabled", "18:7 FS301 $.spec.environments.staging.default"),
    (FLAG, PILOT, "serve: on2", f"25:9 FS301 {RULES}[0].serve"),
    (FLAG, "{enabled: 10,", "{enable: 10,", f"27:17 FS301 {RULES}[1].split.enable"),
    (FLAG, "{enabled: 10, disabled: 90}", "[{variant: blue, weight: 1}]", f"27:18 FS301 {RULES}[1].split[0].variant"),
    (FLAG, "{enabled: 10, disabled: 90}", "{enabled: 2147483647, disabled: 1}", f"27:9 FS303 {RULES}[1].split"),
    (FLAG, "targets: {enabled:", "targets: {e:", "21:17 FS301 $.spec.environments.production.targets.e"),
    (FLAG, "[user-17, user-23]}", "[user-17, user-23], disabled: [user-23]}",
     "21:57 FS309 $.spec.environments.production.targets.disabled[0]"),
    (FLAG, "name: a tenth of everyone else", "name: pilot customers", f"26:9 FS308 {RULES}[1].name"),
    (FLAG, '"2027-02-01T00:00:00Z"', '"2027-01-01T00:00:00Z"', f"31:9 FS306 {RULES}[2].until"),
    (FLAG, '"2027-01-13T09:00:00Z"', RAMP_START, f"33:80 FS306 {RULES}[2].ramp.end"),
    (FLAG, "to: 100", "to: 10", f"33:40 FS307 {RULES}[2].ramp.to"),
    (FLAG, "{variant: enabled, from: 10", "{variant: disabled, from: 10", f"33:12 FS307 {RULES}[2].ramp.variant"),
    (FLAG, PILOT, f"{PILOT}\n        by: org", f"26:9 FS316 {RULES}[0].by"),
    (FLAG, PILOT, f"{PILOT}\n        salt: x", f"26:9 FS316 {RULES}[0].salt"),
    (FLAG, "      rules:", "      targeting: {if: [true, enabled]}\n      rules:",
     "22:7 FS316 $.spec.environments.production.targeting"),
    (FLAG, "{org: {in: [acme, globex]}}", "{attr: {path: [a]}}", f"24:16 FS125 {RULES}[0].when.attr"),
    (FLAG, "{org: {in: [acme, globex]}}", "{not: {all: [{attr: {eq: 1, ne: 2}}]}}",
     f"24:29 FS125 {RULES}[0].when.not.all[0].attr"),
    (SEGMENT, '{user.email: {endsWith: "@example.com"}}', "{any: [{a: 1}, {segment: other}]}",
     "5:25 FS317 $.spec.when.any[1].segment"),
    (BINDING, 'until: "2026-12-31"', 'until: "2025-12-31"', "7:49 FS306 $.spec.agreement.until"),
]  # fmt: skip


@pytest.mark.parametrize(("sample", "old", "new", "found"), CASES, ids=[case[3] for case in CASES])
def test_a_contradiction_in_one_document_is_refused_at_its_place(sample: str, old: str, new: str, found: str) -> None:
    """One contradiction gives one finding, where it stands."""
    assert places(spoilt(sample, old, new)) == [found]


def test_contradictions_are_told_all_at_once() -> None:
    """Two mistakes in one flag are two findings, in the order of the file."""
    text = spoilt(spoilt(FLAG, "safeVariant: disabled", "safeVariant: safe"), PILOT, "serve: open")
    assert [place.split()[1] for place in places(text)] == ["FS301", "FS301"]


def test_an_agreement_may_last_one_day() -> None:
    """The last day is the first: a day long, not empty."""
    assert places(spoilt(BINDING, 'until: "2026-12-31"', 'until: "2026-01-01"')) == []


def test_a_target_may_be_named_twice_for_one_variant() -> None:
    """Only a key with two variants contradicts itself."""
    assert places(spoilt(FLAG, "[user-17, user-23]", "[user-17, user-17]")) == []


def test_a_document_with_contradictions_is_not_given_out() -> None:
    """Whoever gets a document can rely on it."""
    assert load(spoilt(FLAG, PILOT, "serve: open")).documents == ()
