"""As much of Gherkin as the feature files of flagd's testbed use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_KEYWORD = re.compile(r"(Given|When|Then|And|But|\*)\s+(.*)")
_OUTLINE = ("Scenario Outline:", "Scenario Template:")
_SCENARIO = ("Scenario:", "Example:")


@dataclass(frozen=True)
class Scenario:
    """One scenario, an outline's row filled in.

    Attributes:
        name: Feature, scenario and, for an outline, the row.
        tags: Its own, its feature's and its examples', without ``@``.
        steps: Without keywords, those of the background first.
    """

    name: str
    tags: frozenset[str]
    steps: tuple[str, ...]


@dataclass
class _Block:
    name: str
    tags: frozenset[str]
    is_outline: bool = False
    steps: list[str] = field(default_factory=list)
    examples: list[tuple[frozenset[str], list[list[str]]]] = field(default_factory=list)


def scenarios(text: str) -> Iterator[Scenario]:
    """Read the scenarios of a feature file."""
    feature = ""
    background = _Block("", frozenset())
    blocks: list[_Block] = []
    current = background
    tags: frozenset[str] = frozenset()
    feature_tags: frozenset[str] = frozenset()
    for line in _lines(text):
        if line.startswith("@"):
            tags |= {tag.lstrip("@") for tag in line.split() if tag.startswith("@")}
            continue
        title = line.partition(":")[2].strip()
        if line.startswith("Feature:"):
            feature, feature_tags = title, tags
        elif line.startswith("Background:"):
            current = background
        elif line.startswith((*_OUTLINE, *_SCENARIO)):
            current = _Block(title, feature_tags | tags, is_outline=line.startswith(_OUTLINE))
            blocks.append(current)
        elif line.startswith(("Examples:", "Scenarios:")):
            current.examples.append((tags, []))
        elif line.startswith("|"):
            current.examples[-1][1].append(_cells(line))
        elif step := _KEYWORD.fullmatch(line):
            current.steps.append(step[2])
        tags = frozenset()
    for block in blocks:
        yield from _filled(feature, background.steps, block)


def _lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield stripped


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _filled(feature: str, background: Sequence[str], block: _Block) -> Iterator[Scenario]:
    if not block.is_outline:
        yield Scenario(f"{feature}: {block.name}", block.tags, (*background, *block.steps))
        return
    for tags, rows in block.examples:
        head, *body = rows
        for row in body:
            values = dict(zip(head, row, strict=True))
            steps = tuple(_replaced((*background, *block.steps), values))
            yield Scenario(f"{feature}: {block.name} [{', '.join(row)}]", block.tags | tags, steps)


def _replaced(steps: Iterable[str], values: dict[str, str]) -> Iterator[str]:
    for step in steps:
        yield re.sub(r"<([^<>]+)>", lambda match: values.get(match[1], match[0]), step)
