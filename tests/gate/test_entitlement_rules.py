"""What the rules about entitlements find and leave alone, beyond their examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal_validators import gate
from flagseal_validators.samples import BINDING, ENTITLEMENT
from tests.gate.company import TODAY, base, write

if TYPE_CHECKING:
    from pathlib import Path

FLAG = ENTITLEMENT["flags/payments/analytics.yaml"]
RULE = "{name: entitled organisations, when: {entitled: true}, serve: granted}"
CONTRACT = "  grants: [{flag: payments/analytics, reason: contract}]\n"


def found(root: Path, flag: str = FLAG, **bindings: str) -> list[str]:
    """Tell what the gate says of the company with an entitlement and bindings: ``file:line rule``."""
    files = base() | {"flags/payments/analytics.yaml": flag}
    for name, text in bindings.items():
        files[f"flags/entitlements/{name}.yaml"] = text.replace("name: acme,", f"name: {name},")
    report = gate.validate_paths(write(root, files), today=TODAY, touched=files.keys())
    return [f"{it.file.rpartition('/')[2]}:{it.line} {it.rule}" for it in report.findings]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("{name: r, when: {org: acme}, serve: granted}", []),
        ("{name: r, when: {org: globex}, serve: granted}", ["analytics.yaml:16 FS401"]),
        ("{name: r, when: {org: {in: [acme, globex, hooli]}}, serve: granted}", ["analytics.yaml:16 FS401"] * 2),
        ("{name: r, when: {any: [{plan: pro}, {org: globex}]}, serve: granted}", ["analytics.yaml:16 FS401"]),
        ("{name: r, when: {org: globex}, split: {granted: 1, withheld: 1}}", ["analytics.yaml:16 FS401"]),
        ("{name: r, when: {org: globex}, serve: withheld}", ["analytics.yaml:16 FS323"]),
        ("{name: r, when: {not: {org: globex}}, serve: granted}", []),
        ("{name: r, when: {org: {ne: globex}}, serve: granted}", []),
        ("{name: r, when: {entitled: true, org: globex}, serve: granted}", []),
        ("{name: r, when: {any: [{entitled: true}, {org: globex}]}, serve: granted}", ["analytics.yaml:16 FS401"]),
    ],
)
def test_whoever_a_rule_lets_in_by_name_has_an_agreement(tmp_path: Path, rule: str, expected: list[str]) -> None:
    """Only where it opens something, and not for those who have to be entitled besides."""
    assert found(tmp_path, FLAG.replace(RULE, rule), acme=BINDING + CONTRACT) == expected


def test_a_grant_may_end_with_its_agreement_and_not_a_day_later(tmp_path: Path) -> None:
    """Nor before it begins."""
    grant = '  grants: [{flag: payments/analytics, reason: contract, until: "%s"}]\n'
    assert found(tmp_path, acme=BINDING + grant % "2026-12-31") == []
    assert found(tmp_path, acme=BINDING + grant % "2027-01-01") == ["acme.yaml:8 FS402"]
    early = BINDING.replace('"2026-01-01"', '"2026-12-01"') + grant % "2026-11-30"
    assert found(tmp_path, acme=early) == ["acme.yaml:8 FS402"]


def test_what_ended_yesterday_has_ended(tmp_path: Path) -> None:
    """Of an agreement that is over, its grants are not told one by one."""
    ended = BINDING.replace('"2026-12-31"', '"2026-11-21"')
    assert found(tmp_path, acme=ended + CONTRACT) == ["acme.yaml:7 FS405"]
    assert found(tmp_path, acme=BINDING.replace('"2026-12-31"', '"2026-11-22"') + CONTRACT) == []
    report = gate.validate_paths(tmp_path, today=TODAY.replace(year=2027), touched=())
    assert [(it.rule, it.severity) for it in report.findings if it.rule == "FS405"] == [("FS405", "warning")]


def test_the_second_of_two_grants_is_found_across_files(tmp_path: Path) -> None:
    """In the order of the files; another organisation, and an agreement that follows, are none."""
    assert found(tmp_path, acme=BINDING + CONTRACT, again=BINDING + CONTRACT) == ["again.yaml:8 FS404"]
    other = BINDING.replace("org: acme", "org: globex") + CONTRACT
    following = BINDING.replace("2026", "2027") + CONTRACT
    assert found(tmp_path, acme=BINDING + CONTRACT, again=other, following=following) == []


def test_the_second_of_two_grants_is_found_in_a_list_of_organisations(tmp_path: Path) -> None:
    """And names where the first stands."""
    part = (
        "  - org: acme\n    owner: team-payments\n"
        '    agreement: {id: CRM-1, from: "2026-01-01", until: "2026-12-31"}\n'
        "    grants: [{flag: payments/analytics, reason: contract}]\n"
    )
    text = BINDING.partition("spec:")[0] + "spec:\n  bindings:\n" + part + part
    assert found(tmp_path, acme=text) == ["acme.yaml:13 FS404"]
    finding = gate.validate_paths(tmp_path, today=TODAY).findings[0]
    assert "flags/entitlements/acme.yaml:9" in finding.message
