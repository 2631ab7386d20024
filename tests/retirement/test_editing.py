"""The edits that end a flag change nothing around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.evaluation.catalogue import flag_of
from flagseal.model.errors import RepositoryError
from flagseal.model.loader import load_text
from flagseal_validators.retirement.editing import retiring

BLOCK = """\
# Kept: above.
apiVersion: flagseal.dev/v1alpha1
kind: FlagDefinition
metadata: {name: checkout, namespace: payments}   # kept: beside
spec:
  description: "On the way: lifecycle: canary"
  purpose: release
  owner: team-payments
  riskTier: sensitive

  lifecycle: canary        # kept: why it is one
  expires: '2026-11-20'
  retireWhen: >
    On for everyone,
    lifecycle: canary.
  variants: {enabled: true, disabled: false}
  safeVariant: disabled
  environments:
    # kept: inside
    staging: {default: enabled}   # kept: at the end
    production:
      # kept: before the rules
      rules:
      - {name: acme, when: {org: acme}, serve: enabled}
      default: disabled
"""


def edited(text: str, *off: str) -> str:
    """Retire the flag of a text."""
    (document,) = load_text(text.encode(), file="f.yaml").documents
    return retiring(text.encode(), document, "retired", off).decode()


def test_only_the_word_changes() -> None:
    """Comments, quotes, blank lines and order stay; so does the same word elsewhere."""
    assert edited(BLOCK) == BLOCK.replace("  lifecycle: canary  ", "  lifecycle: retired  ")


def test_switching_off_adds_one_word_to_an_environment() -> None:
    """On a line of its own in a block, within the braces in one line."""
    got = edited(BLOCK, "staging", "production")
    assert '    staging: {"off": true, default: enabled}   # kept: at the end\n' in got
    assert '      # kept: before the rules\n      "off": true\n      rules:\n' in got
    assert got.replace('"off": true, ', "").replace('      "off": true\n', "") == edited(BLOCK)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  lifecycle: canary ", '  lifecycle: "canary" '),
        ("  lifecycle: canary ", "  lifecycle: 'canary' "),
        ("\n", "\r\n"),
        ("{default: enabled}", '{"off": false, default: enabled}'),
        ("{default: enabled}", "{\n      default: enabled\n      }"),
        ("      default: disabled\n", "      default: disabled"),
    ],
)
def test_however_it_is_written(old: str, new: str) -> None:
    """Quotes, line ends, an `off` that is there already, braces over lines: the comments all stay."""
    text = BLOCK.replace(old, new)
    got = edited(text, "staging", "production")
    flag = flag_of(load_text(got.encode(), file="f.yaml").documents[0])
    assert (flag.lifecycle, [it.off for it in flag.environments.values()]) == ("retired", [True, True])
    assert got.count("# ") == BLOCK.count("# ")
    assert got.count("\r\n") in {0, got.count("\n")}


def test_what_cannot_be_edited_by_a_word_is_left_alone() -> None:
    """A block scalar for a lifecycle: nothing is given rather than something else."""
    text = BLOCK.replace("  lifecycle: canary        # kept: why it is one", "  lifecycle: |-\n    canary")
    with pytest.raises(RepositoryError) as refused:
        edited(text)
    assert (refused.value.code, bool(refused.value.remedy)) == ("NotEdited", True)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Co", "Cn")), max_size=40))
def test_whatever_a_comment_says_it_stays(words: str) -> None:
    """Nothing but the lifecycle differs, whatever stands beside it."""
    text = BLOCK.replace("kept: why it is one", words)
    if load_text(text.encode(), file="f.yaml").documents:
        assert edited(text) == text.replace("  lifecycle: canary  ", "  lifecycle: retired  ")
