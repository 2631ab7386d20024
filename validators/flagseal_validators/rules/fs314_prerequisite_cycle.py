"""FS314: prerequisites form no cycle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.evaluation.catalogue import qualified
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import requirements

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    required: dict[str, dict[str, list[str]]] = {}
    for _, flag in declared.flags:
        for environment, section in flag.environments.items():
            if section.requires:
                names = [qualified(requirement.flag, flag.namespace) for requirement in section.requires]
                required.setdefault(environment, {})[flag.reference] = names
    if not required:
        return
    for document, flag in declared.flags:
        for environment, path, requirement in requirements(document):
            first = qualified(requirement["flag"], flag.namespace)
            if way := _way(first, flag.reference, required[environment]):
                message = f"in {environment} the flag requires itself: {' → '.join((flag.reference, *way))}"
                yield Complaint(document, f"{path}.flag", message)


def _way(start: str, goal: str, required: Mapping[str, list[str]]) -> tuple[str, ...]:
    """Find a way along prerequisites; empty if there is none."""
    ways: dict[str, tuple[str, ...]] = {start: (start,)}
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name == goal:
            return ways[name]
        for following in required.get(name, ()):
            if following not in ways:
                ways[following] = (*ways[name], following)
                waiting.append(following)
    return ()


RULE = Rule(
    id="FS314",
    title="Prerequisites form a cycle",
    severity="error",
    why="Each flag would wait for the other, so neither is published.",
    remedy="Drop one of the prerequisites.",
    bad=Example(
        """\
environments:
  production:
    requires: [{flag: new-checkout, variant: enabled}]
    default: disabled
"""
    ),
    good=Example("environments:\n  production:\n    default: disabled\n"),
    check=_check,
)
