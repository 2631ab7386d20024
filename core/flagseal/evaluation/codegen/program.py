"""The function that answers for one flag, put together from what the writer wrote."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

from flagseal.evaluation.bucketing import split as split_computed
from flagseal.evaluation.codegen import comparisons, data, flagd, logic  # noqa: F401 (they register what they write)
from flagseal.evaluation.codegen.comparisons import member_of
from flagseal.evaluation.codegen.data import injected, whole
from flagseal.evaluation.codegen.flagd import keyed_split, satisfies, split
from flagseal.evaluation.codegen.logic import arms_of
from flagseal.evaluation.codegen.writer import Site, Writer, operation
from flagseal.evaluation.javascript import is_number, loose_equal, truthy
from flagseal.evaluation.jsonlogic import (
    MalformedTargeting,
    descend,
    each,
    every,
    fold,
    keep,
    look_up,
    missing,
    missing_some,
    some,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flagseal.evaluation.bucketing import Bucketing
    from flagseal.evaluation.outcome import Evaluation

DEEPEST_TARGETING: Final = 256
"""Lists and objects within each other; deeper targeting is malformed (our definitions end at 32)."""

_DEEPEST_STATEMENT: Final = 16
_SHAPES_KEPT: Final = 4096


class Answers(Protocol):
    """What a flag can answer."""

    def default(self) -> Evaluation:
        """Answer where targeting gives null."""

    def serve(self, result: object) -> Evaluation:
        """Answer by what targeting gave."""

    def is_shared(self, evaluation: Evaluation) -> bool:
        """Tell whether an answer may be given to everyone as it is."""


def _malformed(operator: str) -> NoReturn:
    raise MalformedTargeting(f"no operator {operator!r}")


def as_dict(context: object) -> dict[str, object]:
    """Read an evaluation context: any mapping, or None for an empty one.

    Raises:
        TypeError, ValueError: It is none.
    """
    return {} if context is None else dict(context)  # type: ignore[call-overload]


# All that a generated function can reach besides its own constants: no builtins, no modules.
_NAMES: Final[dict[str, object]] = {
    "__builtins__": {},
    "arrays": (list, tuple),
    "as_dict": as_dict,
    "descend": descend,
    "dict": dict,
    "each": each,
    "every": every,
    "fold": fold,
    "injected": injected,
    "int": int,
    "is_number": is_number,
    "isinstance": isinstance,
    "keep": keep,
    "keyed_split": keyed_split,
    "look_up": look_up,
    "loose_equal": loose_equal,
    "malformed": _malformed,
    "member_of": member_of,
    "missing": missing,
    "missing_some": missing_some,
    "satisfies": satisfies,
    "some": some,
    "split": split_computed,
    "str": str,
    "truthy": truthy,
    "whole": whole,
}


@lru_cache(maxsize=_SHAPES_KEPT)
def _factory(source: str) -> Callable[..., Callable[[object], Evaluation]]:
    """Compile source, once for all flags of the same shape."""
    names = dict(_NAMES)
    exec(compile(source, "<targeting>", "exec"), names)  # noqa: S102 (source has no text from a document: writer.py)
    return names["make"]  # type: ignore[return-value]


def nesting(node: object) -> int:
    """Measure how deep lists and objects lie within each other, without recursion."""
    depth = 0
    layer = [node]
    while layer:
        layer = [
            child
            for parent in layer
            if isinstance(parent, (dict, list))
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, (dict, list))
        ]
        depth += 1
        if depth > DEEPEST_TARGETING:
            break
    return depth


class _Program:
    """Write the statements of one flag's function: conditions that lead to answers."""

    def __init__(self, writer: Writer, answers: Answers) -> None:
        self._writer = writer
        self._answers = answers
        self._serve = ""

    def statements(self, node: object, site: Site, indent: int) -> list[str]:
        """Write statements that return the answer to what a node evaluates to."""
        taken_apart = operation(node)
        if taken_apart is None:
            return [self._answer(self._answers.serve(node), indent)]
        operator, arguments = taken_apart
        if indent < _DEEPEST_STATEMENT:
            if operator in {"if", "?:"}:
                return self._if(arguments, site, indent)
            if operator == "fractional":
                return self._split(node, arguments, site, indent)
        return self._computed(node, site, indent)

    def _answer(self, evaluation: Evaluation, indent: int) -> str:
        name = self._writer.bind(evaluation)
        return f"{' ' * indent}return {name if self._answers.is_shared(evaluation) else f'fresh({name})'}"

    def _computed(self, node: object, site: Site, indent: int) -> list[str]:
        code, _ = self._writer.value(node, site)
        self._serve = self._serve or self._writer.bind(self._answers.serve)
        return [f"{' ' * indent}return {self._serve}({code.text})"]

    def _if(self, arguments: Sequence[object], site: Site, indent: int) -> list[str]:
        pairs, otherwise = arms_of(arguments)
        lines: list[str] = []
        for condition, consequence in pairs:
            test = self._writer.test(condition, site)
            lines.append(f"{' ' * indent}if {test.text}:")
            lines += self.statements(consequence, test.yes, indent + 1)
            site = test.no
        return lines + self.statements(otherwise, site, indent)

    def _split(self, node: object, arguments: Sequence[object], site: Site, indent: int) -> list[str]:
        read, after = split(self._writer, arguments, site)
        if read is None or read.listed is not None:
            return self._computed(node, site, indent)
        margin = " " * indent
        if not read.arms.values:
            return [self._answer(self._answers.default(), indent)]
        lines = [
            f"{margin}h = {read.rank}",
            f"{margin}if h is None:",
            self._answer(self._answers.default(), indent + 1),
        ]
        last = len(read.arms.values) - 1
        for position, (value, end) in enumerate(zip(read.arms.values, read.arms.ends, strict=True)):
            if position == last and read.arms.whole:
                return lines + self.statements(value, after, indent)
            lines.append(f"{margin}if h < {self._writer.bind(end)}:")
            lines += self.statements(value, after, indent + 1)
        return [*lines, self._answer(self._answers.default(), indent)]


def compiled(
    flag_key: str,
    targeting: dict[str, object],
    answers: Answers,
    *,
    bucketing: Bucketing,
    clock: Callable[[], float],
    fresh: Callable[[Evaluation], Evaluation],
) -> Callable[[object], Evaluation]:
    """Compile targeting to a function from an evaluation context to its answer.

    Args:
        flag_key: The key under which the flag is asked.
        targeting: flagd's JSONLogic, with references resolved, at most :data:`DEEPEST_TARGETING` deep.
        answers: What the flag can answer.
        bucketing: How splits hash.
        clock: Gives unix seconds.
        fresh: Makes an answer whose value is the caller's own, of one that is not shared.
    """
    writer = Writer(flag_key, bucketing)
    body = _Program(writer, answers).statements(targeting, Site(), 2)
    time = ["n = int(clock())"] if writer.reads_time else ["n = None"] if writer.functions else []
    constants = [f"k{number}" for number in range(len(writer.constants))]
    lines = [f"def make({', '.join([*constants, 'fresh', 'clock'])}):"]
    lines += [f" {line}" for function in writer.functions for line in function.splitlines()]
    lines += [" def flag(c):", "  if c.__class__ is not dict: c = as_dict(c)", "  g = c.get"]
    lines += [*(f"  {line}" for line in time), *body, " return flag"]
    return _factory("\n".join(lines))(*writer.constants, fresh, clock)
