"""Every rule finds its bad example, and nothing else, and lets its good one pass."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from flagseal.model import rule_ids
from flagseal.repository import layout
from flagseal_validators import gate, rules
from flagseal_validators.rules import RULES
from flagseal_validators.tree import STRAY
from tests.gate.company import TODAY, base, before, write, write_example

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from flagseal_validators.rule import Rule


def found(root: Path, earlier: Mapping[str, bytes] | None = None) -> list[tuple[str, str]]:
    """Tell what the gate says of a repository, all files being touched: rule and severity."""
    touched = [str(path.relative_to(root)) for path in root.rglob("*")]
    report = gate.validate_paths(root, today=TODAY, touched=touched, before=earlier)
    return [(finding.rule, finding.severity) for finding in report.findings]


def test_the_company_of_the_examples_has_nothing_to_mend(tmp_path: Path) -> None:
    """Otherwise the examples would prove nothing."""
    assert found(write(tmp_path, base())) == []


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_rule_finds_its_bad_example(rule: Rule, tmp_path: Path) -> None:
    """It is found once, with the rule's severity, and no other rule has an error to report."""
    seen = found(write_example(tmp_path, rule.bad), before(rule.bad))
    assert (rule.id, rule.severity) in seen
    assert {other for other, severity in seen if severity == "error"} <= {rule.id}


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_rule_lets_its_good_example_pass(rule: Rule, tmp_path: Path) -> None:
    """Neither this rule nor any other has an error to report."""
    seen = found(write_example(tmp_path, rule.good), before(rule.good))
    assert rule.id not in {other for other, _ in seen}
    assert "error" not in {severity for _, severity in seen}


def test_every_id_that_is_reported_has_a_rule() -> None:
    """What the model and the repository's layout find can be looked up too."""
    modules: list[ModuleType] = [rule_ids, layout]
    ids = {value for module in modules for value in vars(module).values() if isinstance(value, str)}
    ids = {value for value in ids if re.fullmatch(r"FS[0-9]{3}", value)} | {STRAY}
    assert len(ids) > 40
    assert ids <= set(RULES)


def test_every_rule_is_a_module_of_its_own_and_listed() -> None:
    """A module's name begins with its rule's id."""
    folder = Path(str(rules.__file__)).parent
    stems = sorted(path.stem for path in folder.glob("fs*.py"))
    assert [stem.partition("_")[0].upper() for stem in stems] == list(RULES) == sorted(RULES)


def test_form_and_meaning_cannot_be_suppressed() -> None:
    """What the loader refuses is no document, whatever its author writes into it."""
    assert not [rule.id for rule in RULES.values() if rule.suppressible and rule.check is None]
