"""The gate as a whole: which files, which findings, how severe, and in which form."""

from __future__ import annotations

import json
import os
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flagseal.model.errors import UsageError
from flagseal_validators import gate
from flagseal_validators.formats.machine import as_json
from flagseal_validators.formats.text import as_text
from flagseal_validators.source_lines import SourceLines
from tests.gate.company import TODAY, base, document, write
from tests.model.samples import FLAG, REPOSITORY
from tests.model.yaml_texts import soup

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = "flags/payments/new-checkout.yaml"


def flag(text: str = "", path: str = CHECKOUT) -> dict[str, str]:
    """Give a flag's file."""
    return {path: document(path, text)}


def found(root: Path, *paths: str, today: date = TODAY) -> list[str]:
    """Tell what the gate says: ``file:line rule severity``."""
    report = gate.validate_paths(root, [root / path for path in paths], today=today)
    return [f"{it.file}:{it.line} {it.rule} {it.severity}" for it in report.findings]


@pytest.fixture(name="root")
def company(tmp_path: Path) -> Path:
    """Write the company without anything to mend."""
    return write(tmp_path, base())


def test_the_sample_company_passes_its_own_gate() -> None:
    """What this repository shows is what it asks for."""
    report = gate.validate_paths(REPOSITORY, today=TODAY)
    assert [finding.text() for finding in report.findings] == []
    assert report.files_checked > 20


def test_all_files_are_told_at_once(root: Path) -> None:
    """Findings of form, of rules and of policies come together, sorted by file and place."""
    write(root, flag("owner: nobody\nticket: x"))
    write(root, {"flags/payments/broken.yaml": "a: [", "policies/extra.yaml": "kind: Policy\n"})
    assert found(root) == [
        "flags/payments/broken.yaml:2 FS100 error",
        "flags/payments/new-checkout.yaml:14 FS201 error",
        "flags/payments/new-checkout.yaml:15 FS209 error",
        "policies/extra.yaml:1 FS112 error",
    ]


def test_only_the_files_asked_for_are_reported(root: Path) -> None:
    """All are read, since rules look across them, but who asks for one hears of one."""
    write(root, flag("key: taken") | flag("key: taken", "flags/payments/other.yaml"))
    write(root, {"flags/shop/broken.yaml": "a: ["})
    assert found(root, "flags/payments/other.yaml") == ["flags/payments/other.yaml:15 FS153 error"]
    assert found(root, CHECKOUT) == []
    assert found(root, "flags/shop", "policies") == ["flags/shop/broken.yaml:2 FS100 error"]
    assert len(found(root, ".")) == len(found(root)) == 2
    report = gate.validate_paths(root, [root / "flags"], today=TODAY)
    assert report.files_checked == 3
    assert gate.validate_paths(root, today=TODAY).files_checked == 8


@pytest.mark.parametrize("path", ["flags/nothing.yaml", "README.md", "..", "/etc/passwd", ".git"])
def test_a_path_that_is_no_part_of_the_repository_is_refused(root: Path, path: str) -> None:
    """The answer is a message, not silence."""
    write(root, {"README.md": "x", ".git/config": "x"})
    with pytest.raises(UsageError) as error:
        gate.validate_paths(root, [root / path], today=TODAY)
    assert error.value.remedy


def test_what_only_time_brought_about_is_a_warning_unless_the_file_is_touched(root: Path) -> None:
    """An expiry that passed overnight does not block everybody's next change; it blocks a change of that flag."""
    write(root, flag('expires: "2026-11-21"'))
    assert found(root) == ["flags/payments/new-checkout.yaml:14 FS206 warning"]
    assert found(root, "flags") == ["flags/payments/new-checkout.yaml:14 FS206 warning"]
    assert found(root, CHECKOUT) == ["flags/payments/new-checkout.yaml:14 FS206 error"]
    report = gate.validate_paths(root, today=TODAY, touched={CHECKOUT})
    assert [finding.severity for finding in report.findings] == ["error"]


@pytest.mark.parametrize(
    ("today", "rules"),
    [
        (date(2027, 3, 17), []),
        (date(2027, 3, 18), ["FS207"]),
        (date(2027, 3, 31), ["FS207"]),
        (date(2027, 4, 1), ["FS206"]),
    ],
)
def test_the_last_day_belongs_to_a_flags_life(root: Path, today: date, rules: list[str]) -> None:
    """Warned of for the days that policy names, expired only from the day after."""
    assert [line.split()[1] for line in found(root, today=today)] == rules


def test_a_membership_that_ended_leaves_a_team_without_members(root: Path) -> None:
    """Through its last day a member counts."""
    path = "policies/organisation.yaml"
    ending = 'teams: {team-payments: {members: [{person: alice, until: "2026-11-30"}]}}'
    write(root, {path: document(path, ending)})
    assert found(root, today=date(2026, 11, 30)) == []
    assert found(root, today=date(2026, 12, 1)) == ["flags/payments/new-checkout.yaml:7 FS202 warning"]


def test_a_suppression_holds_through_its_last_day(root: Path) -> None:
    """Then the finding is back, and the suppression is one too."""
    text = 'expires: "2036-01-01"\nignore: [{rule: FS205, reason: agreed with security, until: "2026-11-30"}]'
    write(root, flag(text))
    assert found(root, today=date(2026, 11, 30)) == []
    assert found(root, today=date(2026, 12, 1)) == [
        "flags/payments/new-checkout.yaml:14 FS205 error",
        "flags/payments/new-checkout.yaml:15 FS213 warning",
    ]


def test_a_suppression_excuses_from_its_rule_only(root: Path) -> None:
    """And only the document it stands in."""
    text = 'expires: "2036-01-01"\nignore: [{rule: FS305, reason: x, until: "2026-11-30"}]'
    other = "flags/payments/other.yaml"
    excused = 'expires: "2036-01-01"\nignore: [{rule: FS205, reason: x, until: "2026-11-30"}]'
    write(root, flag(text) | flag(excused, other))
    assert found(root) == ["flags/payments/new-checkout.yaml:14 FS205 error"]


def test_what_cannot_be_suppressed_is_not(root: Path) -> None:
    """An attempt is a finding besides."""
    write(root, flag('owner: nobody\nignore: [{rule: FS201, reason: x, until: "2026-11-30"}]'))
    assert [line.split()[1] for line in found(root)] == ["FS201", "FS212"]


def test_broken_policies_silence_what_depends_on_them_and_nothing_else(root: Path) -> None:
    """One mistake in a policy file is one finding, not one for each flag."""
    write(root, flag("owner: nobody\nticket: x") | {"policies/organisation.yaml": "a: ["})
    assert [line.split()[1] for line in found(root)] == ["FS209", "FS100"]


def test_a_repository_without_policies_is_told_which_are_missing(tmp_path: Path) -> None:
    """Flags alone cannot be approved by anybody."""
    root = write(tmp_path, flag())
    assert found(root) == ["policies:0 FS601 error"] * 5


def test_an_empty_folder_is_no_error_of_the_gate(tmp_path: Path) -> None:
    """Neither flags/ nor policies/ need exist."""
    assert gate.validate_paths(tmp_path, today=TODAY).files_checked == 0


@pytest.mark.parametrize(
    "path",
    [
        "flags/evil.yaml",
        "flags/payments/evil.yaml",
        "flags/payments/evil",
        "flags/evil",
        "policies/evil.yaml",
        "policies/tests/x.yaml",
    ],
)
@pytest.mark.parametrize("target", ["/etc/passwd", "../../outside.yaml", ".", "nowhere", "/dev/zero"])
def test_a_symbolic_link_is_never_followed(root: Path, path: str, target: str) -> None:
    """Wherever it leads, it is a finding, and what it leads to is not read."""
    (root.parent / "outside.yaml").write_text(FLAG)
    link = root / path
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)
    assert found(root) == [f"{path}:0 FS151 error"]


def test_a_linked_folder_is_never_entered(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Not even flags/ itself."""
    elsewhere = write(tmp_path_factory.mktemp("elsewhere"), flag())
    (root / "flags").rename(root / "old")
    (root / "flags").symlink_to(elsewhere / "flags")
    assert found(root) == ["flags:0 FS151 error"]


def test_a_pipe_does_not_stop_the_gate(root: Path) -> None:
    """Only regular files are opened."""
    os.mkfifo(root / "flags/payments/pipe.yaml")
    assert found(root) == ["flags/payments/pipe.yaml:0 FS151 error"]


def test_a_submodule_is_not_entered(root: Path) -> None:
    """A folder with a repository of its own is none of ours."""
    write(root, {"flags/sub/.git": "gitdir: x", **flag("", "flags/sub/flag.yaml")})
    assert found(root) == ["flags/sub:0 FS151 error"]


@pytest.mark.parametrize(
    "name",
    [
        "a\nb.yaml",
        "\x1b[2J.yaml",
        "a b.yaml",
        "Ä.yaml",
        "-.yaml",
        ".hidden.yaml",
        "..yaml",
        b"\xff.yaml",
        "\u202e.yaml",
    ],
)
def test_a_hostile_file_name_ends_as_a_finding_that_prints_safely(root: Path, name: str | bytes) -> None:
    """No name breaks a line, a terminal or the JSON."""
    path = os.path.join(os.fsencode(root), b"flags/payments", os.fsencode(name))  # noqa: PTH118 (bytes)
    with open(path, "wb") as file:  # noqa: PTH123 (bytes)
        file.write(FLAG.encode())
    report = gate.validate_paths(root, today=TODAY)
    assert report.findings
    text = as_text(report, line_of=SourceLines(root).line)
    assert text.splitlines()[-1] == report.summary()
    assert not set(text) & {"\x1b", "\u202e"}
    text.encode()
    json.loads(as_json(report))


def test_a_policy_test_belongs_to_its_folder(root: Path) -> None:
    """And nothing else does."""
    text = (
        "apiVersion: flagseal.dev/v1alpha1\nkind: PolicyTest\nmetadata: {name: t}\n"
        "spec: {cases: [{name: x, given: {change: {class: widen}}, expect: {verdict: deny}}]}\n"
    )
    write(root, {"policies/tests/t.yaml": text, "policies/tests/flag.yaml": FLAG, "policies/t.yaml": text})
    assert [line.split(":")[0] for line in found(root)] == ["policies/t.yaml", "policies/tests/flag.yaml"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=40)
@given(st.sampled_from(sorted(base())), st.integers(0), st.integers(0, 30), soup)
def test_no_content_makes_the_gate_raise(root: Path, name: str, at: int, length: int, instead: str) -> None:
    """Any file of the company with a passage of it replaced."""
    text = base()[name].encode()
    start = at % len(text)
    write(root, {name: text[:start] + instead.encode("utf-8", "surrogatepass") + text[start + length :]})
    report = gate.validate_paths(root, today=TODAY)
    assert all((root / finding.file).exists() for finding in report.findings)
    write(root, base())
