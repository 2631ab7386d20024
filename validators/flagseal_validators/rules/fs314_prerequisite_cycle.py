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
    cycles = {environment: components(graph) for environment, graph in required.items()}
    for document, flag in declared.flags:
        for environment, path, requirement in requirements(document):
            other = qualified(requirement["flag"], flag.namespace)
            numbers = cycles[environment]
            if numbers[flag.reference] == numbers[other]:
                what = "the flag requires itself" if other == flag.reference else f"{other} requires this flag in turn"
                yield Complaint(document, f"{path}.flag", f"in {environment} {what}")


def components(graph: Mapping[str, list[str]]) -> dict[str, int]:  # noqa: C901 (one loop: the algorithm as published)
    """Number the strongly connected components (Tarjan 1972), without recursion: a chain may be long.

    Args:
        graph: From each node to those it leads to, which need not be nodes themselves.

    Returns:
        The number of each node's component; two nodes share one exactly if each leads to the other.
    """
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    component: dict[str, int] = {}
    open_nodes: list[str] = []
    for start in graph:
        if start in order:
            continue
        calls = [(start, iter(graph[start]))]
        order[start] = lowest[start] = len(order)
        open_nodes.append(start)
        while calls:
            node, following = calls[-1]
            for other in following:
                if other not in order:
                    order[other] = lowest[other] = len(order)
                    open_nodes.append(other)
                    calls.append((other, iter(graph.get(other, ()))))
                    break
                if other not in component:
                    lowest[node] = min(lowest[node], order[other])
            else:
                calls.pop()
                if calls:
                    lowest[calls[-1][0]] = min(lowest[calls[-1][0]], lowest[node])
                if lowest[node] == order[node]:
                    while True:
                        member = open_nodes.pop()
                        component[member] = order[node]
                        if member == node:
                            break
    return component


RULE = Rule(
    id="FS314",
    title="Prerequisites form a cycle",
    severity="error",
    scope="references",
    reads=("required",),
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
