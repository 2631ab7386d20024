"""What the schemas refuse, in sentences and at its place."""

from __future__ import annotations

import pytest

from tests.model.samples import (
    ACCESS,
    APPROVALS,
    BINDING,
    CALENDAR,
    ENVIRONMENTS,
    FLAG,
    ORGANISATION,
    SEGMENT,
    load,
    places,
    spoilt,
)

ONE_MORE = '{org: a, owner: b, agreement: {id: x, from: "2026-01-01", until: "2026-01-01"}, grants: []}'

CASES = [
    # A sample, one passage of it, what stands there instead, and what is found.
    (FLAG, "kind: FlagDefinition", "kind: FlagDefintion", "2:1 FS112 $.kind"),
    (FLAG, "kind: FlagDefinition\n", "", "1:1 FS112 $"),
    (FLAG, "v1alpha1", "v1", "1:1 FS123 $.apiVersion"),
    (FLAG, "name: new-checkout, ", "name: New_Checkout, ", "3:12 FS124 $.metadata.name"),
    (FLAG, "name: new-checkout, ", f"name: {'x' * 64}, ", "3:12 FS124 $.metadata.name"),
    (FLAG, "name: new-checkout, ", "name: -a, ", "3:12 FS124 $.metadata.name"),
    (FLAG, "namespace: payments}", "namespace: payments, labels: {a: b}}", "3:53 FS120 $.metadata.labels"),
    (FLAG, ", namespace: payments}", "}", "3:1 FS121 $.metadata"),
    (ENVIRONMENTS, "{name: environments}", "{name: environments, namespace: x}", "3:32 FS120 $.metadata.namespace"),
    (FLAG, "  owner: team-payments\n", "", "4:1 FS121 $.spec"),
    (FLAG, "  safeVariant: disabled\n", "", "4:1 FS304 $.spec"),
    (FLAG, "owner: team-payments", "owner: [team-payments]", "8:3 FS122 $.spec.owner"),
    (FLAG, "owner: team-payments", "ownr: x\n  owner: team-payments", "8:3 FS120 $.spec.ownr"),
    (FLAG, "riskTier: sensitive", "riskTier: sensitiv", "9:3 FS123 $.spec.riskTier"),
    (FLAG, '"2027-03-31"', '"2027-02-29"', "11:3 FS124 $.spec.expires"),
    (FLAG, '"2027-03-31"', '"31.3.2027"', "11:3 FS124 $.spec.expires"),
    (FLAG, "disabled: false", "disabled: null", "14:29 FS122 $.spec.variants.disabled"),
    (FLAG, "disabled: false", "disabled: [1]", "14:29 FS122 $.spec.variants.disabled"),
    (FLAG, "disabled: false", "disabled: false, a b: true", "14:46 FS124 $.spec.variants['a b']"),
    (FLAG, "serve: enabled", "serve: enabled\n        nam: x",
     "26:9 FS120 $.spec.environments.production.rules[0].nam"),
    (FLAG, "by: org", "serve: enabled", "26:9 FS125 $.spec.environments.production.rules[1]"),
    (FLAG, "enabled: 10,", "enabled: 0,", "27:17 FS303 $.spec.environments.production.rules[1].split.enabled"),
    (FLAG, "enabled: 10,", "enabled: 0.5,", "27:17 FS303 $.spec.environments.production.rules[1].split.enabled"),
    (
        FLAG,
        "{enabled: 10, disabled: 90}",
        "[{variant: enabled}, {variant: disabled, weight: 1}]",
        "27:17 FS303 $.spec.environments.production.rules[1].split[0]",
    ),
    (FLAG, "steps: 9", "steps: 0", "33:109 FS124 $.spec.environments.production.rules[2].ramp.steps"),
    (FLAG, "requires:", "shadow: {}\n      requires:", "20:7 FS126 $.spec.environments.production.shadow"),
    (FLAG, "requires:", "guard: {}\n      requires:", "20:7 FS126 $.spec.environments.production.guard"),
    (FLAG, "requires:", "off: true\n      requires:", "20:7 FS109 $.spec.environments.production.off"),
    (FLAG, '"2027-01-01T00:00:00Z"', '"2027-01-01T00:00:00+01:00"',
     "30:9 FS124 $.spec.environments.production.rules[2].from"),
    (SEGMENT, "{endsWith:", "{endWith:", "5:23 FS120 $.spec.when['user.email'].endWith"),
    (SEGMENT, '{endsWith: "@example.com"}', "{eq: a, ne: b}", "5:10 FS125 $.spec.when['user.email']"),
    (SEGMENT, '{endsWith: "@example.com"}', "{}", "5:10 FS124 $.spec.when['user.email']"),
    (SEGMENT, '{endsWith: "@example.com"}', "[a]", "5:10 FS122 $.spec.when['user.email']"),
    (SEGMENT, '{endsWith: "@example.com"}', "{in: []}", "5:23 FS124 $.spec.when['user.email'].in"),
    (SEGMENT, '{endsWith: "@example.com"}', "{gt: a}", "5:23 FS122 $.spec.when['user.email'].gt"),
    (SEGMENT, '{endsWith: "@example.com"}', '{semver: "1.2"}', "5:23 FS124 $.spec.when['user.email'].semver"),
    (SEGMENT, '{user.email: {endsWith: "@example.com"}}', "{}", "5:3 FS124 $.spec.when"),
    (SEGMENT, '{user.email: {endsWith: "@example.com"}}', "{entitled: false}", "5:10 FS123 $.spec.when.entitled"),
    (SEGMENT, '{user.email: {endsWith: "@example.com"}}', "{any: []}", "5:10 FS124 $.spec.when.any"),
    (SEGMENT, "user.email", "user/email", "5:10 FS124 $.spec.when['user/email']"),
    (SEGMENT, "user.email", "$flagd.timestamp", "5:10 FS124 $.spec.when['$flagd.timestamp']"),
    (SEGMENT, '  when: {user.email: {endsWith: "@example.com"}}\n', "  when: null\n", "5:3 FS122 $.spec.when"),
    (BINDING, "  org: acme\n", f"  org: acme\n  bindings: [{ONE_MORE}]\n", "4:1 FS125 $.spec"),
    (BINDING, "  owner: team-accounts\n", "", "4:1 FS121 $.spec"),
    (BINDING, "reason: contract", "reason: contact", "9:42 FS123 $.spec.grants[0].reason"),
    (BINDING, "analytics/advanced-analytics", "advanced-analytics", "9:6 FS124 $.spec.grants[0].flag"),
    (ORGANISATION, "flag-approver: {teams: [team-payments]}", "flag-approver: {}",
     "11:5 FS125 $.spec.roles.flag-approver"),
    (ORGANISATION, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQ", "ssh-dss AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQ",
     "6:68 FS124 $.spec.people.alice.keys[0]"),
    (ORGANISATION, '{person: bob, until: "2026-12-31"}', '{until: "2026-12-31"}',
     "9:38 FS121 $.spec.teams.team-payments.members[1]"),
    (APPROVALS, "default: deny", "default: allow", "5:3 FS123 $.spec.default"),
    (APPROVALS, "evidence: keys", "evidence: keys, window: late", "18:70 FS120 $.spec.policies.widen.window"),
    (APPROVALS, "maxStep: 25", "maxStep: 101", "15:11 FS124 $.spec.tiers.sensitive.production.widen.maxStep"),
    (APPROVALS, "    sensitive:", "    sensible:", "7:5 FS120 $.spec.tiers.sensible"),
    (CALENDAR, '"09:00"', '"9:00"', "6:65 FS124 $.spec.windows.business-hours.from"),
    (CALENDAR, '"24:00"', '"24:30"', "7:55 FS124 $.spec.windows.late.to"),
    (CALENDAR, "mon, thu", "mon, thu, holiday", "6:64 FS123 $.spec.windows.business-hours.days[2]"),
    (CALENDAR, "timezone: UTC", "timezone: localtime", "7:12 FS124 $.spec.windows.late.timezone"),
    (ACCESS, "subject: {issuer: cluster, ", "subject: {", "9:5 FS121 $.spec.bindings[0].subject"),
    (ACCESS, 'subject: "system:serviceaccount:legacy:*", ', "", "16:13 FS125 $.spec.revoked[0]"),
]  # fmt: skip


@pytest.mark.parametrize(("sample", "old", "new", "found"), CASES, ids=[case[3] for case in CASES])
def test_a_failure_of_form_is_told_once_and_at_its_place(sample: str, old: str, new: str, found: str) -> None:
    """One cause gives one finding, of the right rule, where the cause stands."""
    assert places(spoilt(sample, old, new)) == [found]


@pytest.mark.parametrize(
    ("sample", "old", "new", "remedy"),
    [
        (FLAG, "FlagDefinition", "FlagDefintion", "Did you mean `FlagDefinition`?"),
        (FLAG, "riskTier:", "risktier:", "Did you mean `riskTier`?"),
        (FLAG, "purpose: release", "purpose: relase", "Did you mean `release`?"),
        (FLAG, "safeVariant: disabled", "safeVariant: disable", "Did you mean `disabled`?"),
        (SEGMENT, "{endsWith:", "{endWith:", "Did you mean `endsWith`?"),
        (SEGMENT, "  when:", "  wen:", "Did you mean `when`?"),
    ],
)
def test_the_nearest_known_word_is_suggested(sample: str, old: str, new: str, remedy: str) -> None:
    """A misspelt field, choice, kind or variant comes with what was meant."""
    assert remedy in [finding.remedy for finding in load(spoilt(sample, old, new)).findings]


def test_what_this_version_does_not_evaluate_is_refused_by_name() -> None:
    """`shadow` and `guard` are part of the design; ignoring them would be worse than refusing."""
    text = spoilt(
        FLAG, "requires:", "shadow: {variant: enabled, sample: 100}\n      guard: {window: 5m}\n      requires:"
    )
    found = load(text).findings
    assert [finding.rule for finding in found] == ["FS126", "FS126"]
    assert all("not evaluated by this version" in finding.message for finding in found)


def test_every_finding_has_a_remedy() -> None:
    """Nobody is left with a bare refusal."""
    for sample, old, new, _ in CASES:
        for finding in load(spoilt(sample, old, new)).findings:
            assert finding.remedy
            assert finding.message
            assert finding.text().count("\n") == 0


def test_a_removed_document_is_a_missing_file_and_not_an_empty_spec() -> None:
    """Tombstones are the history's; a file with a null spec is refused and told so."""
    found = load(
        "apiVersion: flagseal.dev/v1alpha1\nkind: Segment\nmetadata: {name: a, namespace: b}\nspec: null\n"
    ).findings
    assert [finding.rule for finding in found] == ["FS122"]
    assert "delete" in found[0].remedy


@pytest.mark.parametrize("text", ["- 1\n", "hello\n", "null\n", "3\n"])
def test_a_document_that_is_no_mapping_is_refused(text: str) -> None:
    """Lists and scalars are YAML, and no documents."""
    assert [finding.rule for finding in load(text).findings] == ["FS105"]
