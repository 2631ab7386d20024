"""flagd's own testbed, read from where FLAGD_TESTBED points: feature files and one flag document."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.evaluation import Evaluation, FlagSet
from tests.evaluation.gherkin import Scenario, scenarios

if TYPE_CHECKING:
    from collections.abc import Callable

TESTBED = os.environ.get("FLAGD_TESTBED", "")
DOCUMENT = "testkit-flags.json"

NOT_PASSED: dict[str, str] = {}
"""Scenarios that do not pass, by name, each with why. The only place for them."""

_TYPES: dict[str, tuple[type, ...]] = {
    "Boolean": (bool,),
    "String": (str,),
    "Integer": (int,),
    "Float": (int, float),
    "Object": (dict, list),
}


def _found() -> list[Scenario]:
    files = sorted(Path(TESTBED).rglob("*.feature")) if TESTBED else []
    return [scenario for file in files for scenario in scenarios(file.read_text())]


def _read(kind: str, text: str) -> Any:  # noqa: ANN401 (a value of any JSON type)
    if kind == "String":
        return text
    if kind == "Object":
        return json.loads(text.replace('\\"', '"'))
    if kind == "Boolean":
        return text.lower() == "true"
    return int(text) if kind == "Integer" else float(text)


@dataclass
class _World:
    """What the steps of one scenario build up."""

    flags: FlagSet
    kind: str = ""
    key: str = ""
    fallback: object = None
    context: dict[str, object] = field(default_factory=dict)
    answer: Evaluation | None = None

    def flag(self, kind: str, key: str, fallback: str) -> None:
        self.kind, self.key, self.fallback = kind, key, _read(kind, fallback)

    def attribute(self, name: str, kind: str, value: str) -> None:
        self.context[name] = _read(kind, value)

    def nested(self, outer: str, inner: str, value: str) -> None:
        self.context[outer] = {inner: value}

    def evaluate(self) -> None:
        answer = self.flags.evaluate(self.key, self.context)
        if answer.variant is not None:
            # What a typed accessor adds: a boolean is no number, though Python takes it for one.
            misplaced = isinstance(answer.value, bool) and self.kind != "Boolean"
            if misplaced or not isinstance(answer.value, _TYPES[self.kind]):
                answer = Evaluation(None, None, "ERROR", "TYPE_MISMATCH")  # type: ignore[arg-type]  # the accessor's
        self.answer = answer

    def value(self, expected: str) -> None:
        assert self.answer is not None
        served = self.fallback if self.answer.variant is None else self.answer.value
        assert served == _read(self.kind, expected)

    def reason(self, expected: str) -> None:
        assert self.answer is not None
        assert self.answer.reason == expected

    def variant(self, expected: str) -> None:
        assert self.answer is not None
        assert (self.answer.variant or "") == expected

    def error(self, expected: str) -> None:
        assert self.answer is not None
        assert (self.answer.error_code or "") == expected


STEPS: tuple[tuple[str, Callable[..., None]], ...] = (
    (r"an? evaluator", lambda _: None),
    (r'an? (\w+)-flag with key "(.*)" and a (?:fallback|default) value "(.*)"', _World.flag),
    (r'a context containing a key "(.*)", with type "(\w+)" and with value "(.*)"', _World.attribute),
    (
        r'a context containing a targeting key with value "(.*)"',
        lambda world, key: world.attribute("targetingKey", "String", key),
    ),
    (
        r'a context containing a nested property with outer key "(.*)" and inner key "(.*)", with value "(.*)"',
        _World.nested,
    ),
    (r"the flag was evaluated with details", _World.evaluate),
    (r'the resolved details value should be "(.*)"', _World.value),
    (r'the reason should be "(.*)"', _World.reason),
    (r'the variant should be "(.*)"', _World.variant),
    (r'the error-code should be "(.*)"', _World.error),
)


def _bucketing(scenario: Scenario) -> str:
    return next(
        (tag.removeprefix("fractional-") for tag in scenario.tags if re.fullmatch("fractional-v[123]", tag)), "v2"
    )


def _run(step: str, world: _World) -> None:
    for pattern, action in STEPS:
        match = re.fullmatch(pattern, step)
        if match is not None:
            action(world, *match.groups())
            return
    pytest.fail(f"no such step is known: {step}")


@pytest.mark.parametrize("scenario", _found() or [None], ids=lambda scenario: scenario and scenario.name)
def test_flagds_testbed_passes(scenario: Scenario | None) -> None:
    """Every scenario of the testbed, by the words of its steps."""
    if scenario is None:
        pytest.skip("FLAGD_TESTBED is not set, or has no scenarios: point it to flagd's testbed")
    if scenario.name in NOT_PASSED:
        pytest.xfail(NOT_PASSED[scenario.name])
    document = next(Path(TESTBED).rglob(DOCUMENT)).read_bytes()
    world = _World(FlagSet.load(document, bucketing=_bucketing(scenario)))
    for step in scenario.steps:
        _run(step, world)
