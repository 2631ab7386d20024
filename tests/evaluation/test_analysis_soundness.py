"""A proof by the analysis is never contradicted by an evaluation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from flagseal.evaluation import FlagSet
from flagseal.evaluation.analysis import equivalent, reachable_variants, refines, unreachable_rules
from flagseal.evaluation.compile import compile_flag
from flagseal.evaluation.resolve import resolve_flag
from flagseal.model.document import Document
from tests.evaluation.world import (
    ENVIRONMENT,
    NAMESPACE,
    bindings,
    catalogue,
    conditions,
    contexts,
    flag_document,
    moments,
    sections,
    segment_conditions,
    worlds,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flagseal.evaluation.resolved import ResolvedFlag

MAIN = f"{NAMESPACE}/main"


def _resolved(documents: tuple[Document, ...]) -> ResolvedFlag:
    index = catalogue(documents)
    return resolve_flag(index.flags[MAIN], ENVIRONMENT, index)


def _evaluator(flag: ResolvedFlag, documents: tuple[Document, ...], clock: Callable[[], float]) -> FlagSet:
    definition = catalogue(documents).flags[MAIN]
    return FlagSet.load({"flags": {"main": compile_flag(flag, definition, None)}}, clock=clock)


Rule = dict[str, Any]


def _narrowed(draw: st.DrawFn, rule: Rule) -> Rule:
    return {**rule, "when": {"all": [draw(conditions), *([rule["when"]] if "when" in rule else [])]}}


def _made_safe(_: st.DrawFn, rule: Rule) -> Rule:
    return {**{key: it for key, it in rule.items() if key in {"name", "when", "from", "until"}}, "serve": "off"}


def _weighed(draw: st.DrawFn, rule: Rule) -> Rule:
    if not isinstance(rule.get("split"), dict):
        return rule
    return {**rule, "split": {name: draw(st.sampled_from([1, 5, 10, 90])) for name in rule["split"]}}


def _ended(_: st.DrawFn, rule: Rule) -> Rule:
    return {**{key: it for key, it in rule.items() if key != "from"}, "until": "2026-09-22T00:00:00Z"}


def _otherwise(draw: st.DrawFn, rule: Rule) -> Rule:
    return {**rule, "when": draw(conditions)}


RULE_CHANGES: Sequence[Callable[[st.DrawFn, Rule], Rule]] = (_narrowed, _made_safe, _weighed, _ended, _otherwise)
SECTION_CHANGES: Sequence[Callable[[st.DrawFn, dict[str, Any]], dict[str, Any]]] = (
    lambda _, section: section,
    lambda _, section: {**section, "rules": section["rules"][1:]},
    lambda _, section: {**section, "rules": section["rules"][::-1]},
    lambda _, section: {**section, "off": True},
    lambda draw, section: {**section, "default": draw(st.sampled_from(["on", "off", "half"]))},
    lambda draw, _: draw(sections(requires=["other"])),
)


@st.composite
def _changed(draw: st.DrawFn, documents: tuple[Document, ...]) -> tuple[Document, ...]:
    """Change a world a little, so that some changes are toward safe and some are not."""
    main, other, base, segment, binding = documents
    spec: Any = main.spec
    section = spec["environments"][ENVIRONMENT]
    rules = list(section["rules"])
    kind = draw(st.sampled_from(["rule", "rule", "rule", "section", "other", "segment", "binding"]))
    if kind == "rule" and rules:
        position = draw(st.integers(0, len(rules) - 1))
        rules[position] = draw(st.sampled_from(RULE_CHANGES))(draw, rules[position])
        section = {**section, "rules": rules}
    elif kind == "section":
        section = draw(st.sampled_from(SECTION_CHANGES))(draw, section)
    elif kind == "other":
        other = flag_document("other", draw(sections(requires=["base"])))
    elif kind == "segment":
        segment = Document("Segment", NAMESPACE, "insiders", {"when": draw(segment_conditions)})
    else:
        binding = draw(bindings())
    return (flag_document("main", section), other, base, segment, binding)


@given(st.data())
def test_what_is_proven_toward_safe_shows_nobody_anything_new(data: st.DataObject) -> None:
    """Where ``refines`` says so, every context at every instant gets what it got before, or the safe variant."""
    before_documents = data.draw(worlds())
    after_documents = data.draw(_changed(before_documents))
    before, after = _resolved(before_documents), _resolved(after_documents)
    toward_safe, same = refines(after, before), equivalent(after, before)
    if not toward_safe and not same:
        return
    now = 0
    old = _evaluator(before, before_documents, lambda: now)
    new = _evaluator(after, after_documents, lambda: now)
    for context, now in data.draw(st.lists(st.tuples(contexts(), moments), min_size=8, max_size=16)):  # noqa: B007
        served, was = new.evaluate("main", context).value, old.evaluate("main", context).value
        if same:
            assert served == was
        assert served in {was, "OFF"}


@given(worlds(), st.lists(st.tuples(contexts(), moments), min_size=4, max_size=12))
def test_what_is_served_was_called_reachable(
    documents: tuple[Document, ...], asked: list[tuple[dict[str, object], int]]
) -> None:
    """No context is served a variant that ``reachable_variants`` leaves out, and unreachable rules never matter."""
    flag = _resolved(documents)
    reachable, unreachable = reachable_variants(flag), unreachable_rules(flag)
    without = replace(flag, rules=tuple(rule for rule in flag.rules if rule.name not in unreachable))
    now = 0
    whole, reduced = (_evaluator(each, documents, lambda: now) for each in (flag, without))
    for context, now in asked:  # noqa: B007
        answer = whole.evaluate("main", context)
        assert answer.variant in reachable
        assert reduced.evaluate("main", context).variant == answer.variant
