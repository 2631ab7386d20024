"""What each rule says it looks at is all that it looks at: what is kept of findings relies on it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from flagseal.evaluation.catalogue import qualified
from flagseal.model.errors import InvalidPolicies
from flagseal.model.loader import load_text
from flagseal.model.policy_set import load_policies
from flagseal_validators.declared import Declared
from flagseal_validators.rules import RULES
from flagseal_validators.tree import read_tree
from tests.gate.company import TODAY, before, write_example

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from flagseal.model.document import Document
    from flagseal_validators.rule import Complaint, Example, Rule

HELD = [rule for rule in RULES.values() if rule.check is not None]
EXAMPLES = [(rule, example) for rule in HELD for example in (rule.bad, rule.good)]
IDS = [f"{rule.id}-{kind}" for rule in HELD for kind in ("bad", "good")]


def declared(folder: Path, example: Example) -> Declared:
    """Read the company with an example in it."""
    documents = read_tree(write_example(folder, example)).documents
    try:
        policies = load_policies(documents)
    except InvalidPolicies:
        policies = None
    earlier = load_text(before(example).get(example.file, b""), file=example.file).documents
    return Declared(documents, policies, TODAY, before={document.subject: document for document in earlier})


def said(rule: Rule, declared: Declared) -> list[tuple[str, str, str]]:
    """Give what a rule complains about: subject, place, message."""
    assert rule.check is not None
    return sorted(map(_told, rule.check(declared)))


def _told(complaint: Complaint) -> tuple[str, str, str]:
    return complaint.document.subject, complaint.path, complaint.message


def read_by(rule: Rule, document: Document, declared: Declared) -> Declared:
    """Leave what a rule says it reads for a document, and nothing else."""
    wanted: list[Document] = [document]
    catalogue = declared.catalogue
    own = f"{document.namespace}/{document.name}"
    flags: set[str] = set()
    if "required" in rule.reads and document.kind == "FlagDefinition":
        waiting = [own]
        while waiting:
            name = waiting.pop()
            if name in catalogue.flags and name not in flags:
                flags.add(name)
                sections = catalogue.flags[name].environments.values()
                waiting += [qualified(it.flag, name.split("/")[0]) for section in sections for it in section.requires]
    granted = {own}
    if document.kind == "EntitlementBinding":
        granted = {grant.flag for grant in catalogue.bindings[own].grants}
        flags |= granted if "granted" in rule.reads else set()
    for other in declared.documents:
        reference = f"{other.namespace}/{other.name}"
        is_read = (
            ("segments" in rule.reads and other.kind == "Segment" and other.namespace == document.namespace)
            or (other.kind == "FlagDefinition" and reference in flags)
            or ("grants" in rule.reads and other.kind == "EntitlementBinding" and _grants(declared, reference, granted))
        )
        if is_read and other is not document:
            wanted.append(other)
    policies = declared.policies if "policies" in rule.reads else None
    earlier = declared.before if "before" in rule.reads else {}
    return replace(declared, documents=tuple(wanted), policies=policies, before=earlier).about([document])


def _grants(declared: Declared, binding: str, flags: set[str]) -> bool:
    return any(grant.flag in flags for grant in declared.catalogue.bindings[binding].grants)


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=IDS)
def test_a_rule_looks_at_no_more_than_it_says(rule: Rule, example: Example, tmp_path: Path) -> None:
    """Of each document it says the same where it sees only that document and what it claims to read."""
    everything = declared(tmp_path, example)
    if rule.scope == "repository":
        assert rule.reads == ()
        return
    parts: Iterable[list[tuple[str, str, str]]] = (
        said(rule, read_by(rule, document, everything)) for document in everything.documents
    )
    assert sorted(complaint for part in parts for complaint in part) == said(rule, everything)


@pytest.mark.parametrize(("rule", "example"), EXAMPLES, ids=IDS)
def test_what_a_rule_says_of_each_document_is_what_it_says_of_all(rule: Rule, example: Example, tmp_path: Path) -> None:
    """Narrowed to one document it complains about that one only."""
    everything = declared(tmp_path, example)
    if rule.scope == "repository":
        return
    parts = [said(rule, everything.about([document])) for document in everything.documents]
    assert sorted(complaint for part in parts for complaint in part) == said(rule, everything)


@pytest.mark.parametrize("rule", RULES.values(), ids=list(RULES))
def test_a_rule_reads_what_its_scope_allows(rule: Rule) -> None:
    """The day is no document; references have to be named."""
    documents = set(rule.reads) - {"day"}
    assert bool(documents) == (rule.scope == "references")
