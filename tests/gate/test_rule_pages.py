"""Every rule has a page, in the terminal and in docs/rules, made from the rule itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from flagseal.model.errors import UsageError
from flagseal_cli.commands.rule import rule_command
from flagseal_validators import rule_pages
from flagseal_validators.rules import RULES
from tests.model.samples import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal_validators.rule import Rule


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_rule_can_be_looked_up(rule: Rule) -> None:
    """Its page says what, why, what to do, and shows both examples."""
    page = rule_pages.as_text(rule_pages.rule(rule.id))
    assert page.startswith(f"{rule.id} {rule.title} ({rule.severity})\n")
    for part in ("Found:\n\n    ", "Accepted:\n\n    "):
        assert part in page
    assert " ".join(rule.why.split()) in " ".join(page.split())
    assert rule.remedy.endswith(".")
    assert max(map(len, page.splitlines())) < 130


def test_a_rule_that_does_not_exist_cannot_be_looked_up() -> None:
    """The message repeats the id without what a terminal would obey."""
    with pytest.raises(UsageError, match=r"there is no rule FS999"):
        rule_pages.rule("FS999")
    with pytest.raises(UsageError) as error:
        rule_pages.rule("\x1b[2J")
    assert "\x1b" not in error.value.message


def test_the_command_lists_all_rules_and_prints_one_in_any_case() -> None:
    """A line for each rule, under the title of its family."""
    listed = CliRunner().invoke(rule_command, []).output.splitlines()
    assert [line.split()[0] for line in listed if line.startswith("  ")] == list(RULES)
    assert listed[0] == "Form"
    printed = CliRunner().invoke(rule_command, ["fs305"]).output
    assert printed == rule_pages.as_text(RULES["FS305"])


def test_the_committed_pages_are_what_the_rules_say() -> None:
    """Whoever changes a rule runs `make generate`."""
    assert rule_pages.files().stale() == []


def test_what_cannot_be_excused_is_listed_with_its_reason() -> None:
    """In docs/validate.md, exactly those rules, by ranges of the catalogue."""
    section = (REPOSITORY / "docs/validate.md").read_text().partition("## What can be excused")[2].partition("\n## ")[0]
    listed: list[str] = []
    for cell in re.findall(r"^\| (FS[^|]*) \| \S[^|]*\|$", section, re.MULTILINE):
        for part in cell.split(", "):
            first, _, last = part.partition(" to ")
            assert {first, last or first} <= set(RULES)
            listed += [rule for rule in RULES if first <= rule <= (last or first)]
    assert sorted(listed) == [rule.id for rule in RULES.values() if not rule.suppressible]


def test_a_page_that_differs_is_named_and_mended(tmp_path: Path) -> None:
    """Missing, edited and left over."""
    files = rule_pages.files(tmp_path)
    assert files.run([]) == 0
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted([*RULES, "README"])
    (tmp_path / "FS305.md").write_text("edited")
    (tmp_path / "FS100.md").unlink()
    (tmp_path / "FS999.md").write_text("left over")
    assert files.stale() == ["FS100.md", "FS305.md", "FS999.md"]
    assert files.run(["--check"]) == 1
    assert files.run([]) == 0
    assert files.run(["--check"]) == 0


def test_every_rule_belongs_to_a_family() -> None:
    """Otherwise it would be missing from the catalogue."""
    assert {rule_id[:3] for rule_id in RULES} <= set(rule_pages.FAMILIES)
    catalogue = rule_pages.generated()["README.md"]
    assert all(f"[{rule_id}]({rule_id}.md)" in catalogue for rule_id in RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_page_shows_nothing_that_is_not_seen(rule: Rule) -> None:
    """Examples of odd characters are described, not printed."""
    page = rule_pages.generated()[f"{rule.id}.md"]
    assert {character for character in page if not character.isprintable()} == {"\n"}
