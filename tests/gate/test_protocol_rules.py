"""What the rules about authentication find and leave alone, beyond their examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal_validators import gate
from tests.gate.company import TODAY, base, document, write

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = "flags/payments/new-checkout.yaml"
TIERS = """\
apiVersion: flagseal.dev/v1alpha1
kind: TrustTiers
metadata: {name: trust-tiers}
spec:
  tiers:
    internal: {protocols: [jwt, mtls], onFailure: previous}
    partner: {protocols: [hmac], onFailure: previous}
    ai-agent: {protocols: [all-of], onFailure: deny}
"""
VARIANTS = {
    "jwt": "{protocol: jwt}",
    "mtls": "{protocol: mtls}",
    "hmac": "{protocol: hmac}",
    "both": "{protocol: all-of, of: [jwt, mtls]}",
}


def found(root: Path, *rules: str, tiers: str = TIERS, default: str = "jwt", **variants: str) -> list[str]:
    """Tell what the gate says of a flag with these rules in staging: rule and JSONPath below the spec."""
    listed = "".join(f"    - {{name: rule {index}, {rule}}}\n" for index, rule in enumerate(rules))
    values = {**VARIANTS, **variants}
    text = (
        "purpose: auth-protocol\nriskTier: high-risk\nsafeVariant: jwt\n"
        f"variants: {{{', '.join(f'{name}: {value}' for name, value in values.items())}}}\n"
        f"environments:\n  staging:\n    default: {default}\n" + (f"    rules:\n{listed}" if listed else "")
    )
    files = base() | {CHECKOUT: document(CHECKOUT, text)}
    if tiers:
        files["policies/trust-tiers.yaml"] = tiers
    report = gate.validate_paths(write(root, files), today=TODAY, touched=files.keys())
    return [f"{it.rule} {it.path.removeprefix('$.spec.').removeprefix('environments.')}" for it in report.findings]


AGENT = "workload.class: ai-agent"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([f"when: {{{AGENT}}}, serve: both"], []),
        ([f"when: {{{AGENT}}}, serve: mtls"], ["FS501 staging.rules[0].serve"]),
        (
            ["when: {workload.serviceAccount: a}, serve: mtls", f"when: {{{AGENT}}}, serve: both"],
            ["FS501 staging.rules[0].serve"],
        ),
        (["when: {workload.class: internal}, serve: mtls", f"when: {{{AGENT}}}, serve: both"], []),
        ([f"when: {{{AGENT}, workload.serviceAccount: a}}, serve: both"], ["FS501 staging.default"]),
        ([f"when: {{{AGENT}}}, split: {{both: 1, mtls: 1}}"], ["FS501 staging.rules[0].split"]),
    ],
)
def test_a_class_that_is_named_gets_to_nothing_that_its_tier_forbids(
    tmp_path: Path, rules: list[str], expected: list[str]
) -> None:
    """By no rule before its own, nor by the default; classes that are told apart do not meet."""
    assert found(tmp_path, *rules) == expected


def test_a_protocol_that_no_tier_allows_is_found_where_it_is_defined(tmp_path: Path) -> None:
    """Whoever it is for."""
    assert found(tmp_path, old="{protocol: token}") == ["FS501 variants.old"]


def test_a_combination_is_allowed_by_its_name_or_by_its_parts(tmp_path: Path) -> None:
    """Internal workloads may be proven by each, so by both."""
    assert found(tmp_path, "when: {workload.class: internal}, serve: both") == []
    assert found(
        tmp_path, "when: {workload.class: internal}, serve: mixed", mixed="{protocol: any-of, of: [jwt, hmac]}"
    ) == [
        "FS501 variants.mixed",
        "FS501 staging.rules[0].serve",
    ]


def test_a_flag_has_a_fallback_for_every_class_it_names(tmp_path: Path) -> None:
    """No tiers, a tier that is missing, and one that falls back to what it forbids."""
    assert found(tmp_path, tiers="") == ["FS502 purpose"]
    assert found(tmp_path, "when: {workload.class: external}, serve: mtls") == [
        "FS502 staging.rules[0].when['workload.class']"
    ]
    partner = found(tmp_path, "when: {workload.class: partner}, serve: hmac")
    assert partner == ["FS502 safeVariant"]


def test_production_needs_a_guard_only_for_what_is_not_safe(tmp_path: Path) -> None:
    """The safe variant is what a guard would go back to."""
    text = "purpose: auth-protocol\nriskTier: high-risk\n"
    text += "variants: {enabled: {protocol: mtls}, disabled: {protocol: jwt}}\n"
    for section, expected in {
        "default: disabled": [],
        "default: enabled": ["FS503"],
        '"off": true, default: enabled': [],
        "targets: {enabled: [a]}, default: disabled": ["FS503"],
    }.items():
        flag = document(CHECKOUT, f"{text}environments: {{staging: {{default: enabled}}, production: {{{section}}}}}\n")
        files = base() | {CHECKOUT: flag, "policies/trust-tiers.yaml": TIERS}
        report = gate.validate_paths(write(tmp_path, files), today=TODAY)
        assert [it.rule for it in report.findings] == expected


@pytest.mark.parametrize(
    ("exception", "expected"),
    [
        ('{until: "2026-11-22"}', []),
        ('{until: "2026-11-21"}', ["FS506 variants.old.exception.until"]),
        ("{until: soon}", ["FS504 variants.old.exception.until"]),
        ("{until: 2027}", ["FS504 variants.old.exception.until"]),
        ("{partner: globex}", ["FS504 variants.old.exception"]),
        ("globex", ["FS504 variants.old.exception"]),
    ],
)
def test_an_exception_ends_on_a_day_to_come(tmp_path: Path, exception: str, expected: list[str]) -> None:
    """The last day counts."""
    assert found(tmp_path, old=f"{{protocol: mtls, exception: {exception}}}") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{issuers: [cluster]}", ["FS505 variants.old"]),
        ("{protocol: saml}", ["FS505 variants.old.protocol"]),
        ("{protocol: 1}", ["FS505 variants.old.protocol"]),
        ("{protocol: all-of}", ["FS505 variants.old"]),
        ("{protocol: all-of, of: []}", ["FS505 variants.old"]),
        ("{protocol: all-of, of: [jwt, nothing]}", ["FS505 variants.old.of[1]"]),
        ("{protocol: all-of, of: [old]}", ["FS505 variants.old.of[0]"]),
    ],
)
def test_a_variant_says_which_protocol_it_is(tmp_path: Path, value: str, expected: list[str]) -> None:
    """By a word that the gateway knows, and what it combines by variants that exist."""
    assert found(tmp_path, old=value) == expected


def test_owners_are_enough_for_the_rows_of_their_tier(tmp_path: Path) -> None:
    """Memberships that have ended do not count; rows of environments that the flag does not list do not matter."""
    approvals, organisation = "policies/approvals.yaml", "policies/organisation.yaml"
    rows = (
        "tiers: {sensitive: {production: {widen: {approvals: [{role: owner, count: 2}], evidence: either},"
        " toward-safe: {approvals: [{role: owner, count: 1}], evidence: either}}}}"
    )
    files = base() | {approvals: document(approvals, rows)}

    def rules(**changed: str) -> list[str]:
        report = gate.validate_paths(write(tmp_path, files | changed), today=TODAY)
        return [it.rule for it in report.findings]

    assert rules() == []
    ended = 'teams: {team-payments: {members: [alice, {person: bob, until: "2026-11-21"}]}}'
    assert rules(**{organisation: document(organisation, ended)}) == ["FS215"]
    staging = document(CHECKOUT, "environments: {staging: {default: enabled}}")
    assert rules(**{organisation: document(organisation, ended), CHECKOUT: staging}) == []
