"""What can be compiled at all: attributes that JSONLogic reaches, constraints, raw targeting of flagd's form.

An evaluator accepts more than flagd's JSON Schema does; what we publish must pass the schema, and must mean the same
to every evaluator.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flagseal.evaluation.codegen.program import DEEPEST_TARGETING, nesting
from flagseal.evaluation.semver import RELATIONS, Version, parse_version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MANY: Final = 1_000_000
_CONSTRAINT: Final = re.compile(r"(=|!=|<=|>=|<|>|\^|~)\s*(.+)")
_TRIPLE: Final = re.compile(r"\d+\.\d+\.\d+")
_INJECTED: Final = re.compile(r"\$flagd\.(timestamp|flagKey)")

# Operator: the fewest and the most arguments that flagd's schema (targeting.json) allows.
_ARITY: Final = {
    **dict.fromkeys(("substr", "<", "<="), (2, 3)),
    **dict.fromkeys(
        ("==", "===", "!=", "!==", ">", ">=", "%", "/", "map", "filter", "all", "none", "some", "in"), (2, 2)
    ),
    **dict.fromkeys(("if", "or", "and", "+", "-", "max", "min", "merge", "cat"), (1, _MANY)),
    "*": (2, _MANY),
    "reduce": (3, 3),
    "starts_with": (2, 2),
    "ends_with": (2, 2),
    "sem_ver": (3, 3),
    "missing": (0, _MANY),
    "missing_some": (2, 2),
    "fractional": (1, _MANY),
    "var": (1, _MANY),
    "!": (1, 1),
    "!!": (1, 1),
}
_BARE_ARGUMENT: Final = ("var", "!", "!!")


def check_attribute(path: Sequence[str]) -> tuple[str, str] | None:
    """Check that JSONLogic can reach an attribute.

    Returns:
        What is wrong and what to do, or None.
    """
    shown = " → ".join(map(repr, path))
    if not path or "" in path:
        return f"the attribute {shown} has a step without a name", "Name every step."
    if path[0].startswith("$flagd"):
        return "`$flagd` is flagd's own, not the caller's", "Use `from` and `until` for times."
    dotted = next((step for step in path if "." in step), None)
    if dotted is not None:
        steps = ", ".join(dotted.split("."))
        return (
            f"no evaluator can reach an attribute with a dot in its name ({dotted!r}): in JSONLogic it is a step down",
            f"Let the application nest the attribute, and write its path as [{steps}].",
        )
    return None


def read_constraint(constraint: object) -> tuple[str, str] | None:
    """Read a constraint on versions as operator and version in full; None if it is none."""
    match = _CONSTRAINT.fullmatch(constraint) if isinstance(constraint, str) else None
    version = parse_version(match[2]) if match else None
    if match is None or version is None:
        return None
    return match[1], _in_full(version)


def _in_full(version: Version) -> str:
    prerelease = ".".join(str(number) if kind == 0 else text for kind, number, text in version.prerelease)
    return f"{version.major}.{version.minor}.{version.patch}{'-' if prerelease else ''}{prerelease}"


def check_constraint(constraint: object) -> str | None:
    """Check a constraint on versions; None if it is one."""
    return None if read_constraint(constraint) else f"{constraint!r} is no constraint on versions"


def check_targeting(targeting: object) -> str | None:
    """Check raw targeting against flagd's schema, and that nothing in it fails when it is reached.

    Returns:
        What is wrong, or None.
    """
    if not isinstance(targeting, dict):
        return "targeting is not an object"
    if nesting(targeting) > DEEPEST_TARGETING:
        return f"targeting is nested deeper than {DEEPEST_TARGETING} levels"
    return _rule(targeting)


def _rule(node: dict[str, object]) -> str | None:
    if len(node) != 1:
        return f"an object of one operator is needed, not of {len(node)} keys"
    ((operator, arguments),) = node.items()
    if operator == "$ref":
        return f"refers to the shared rule {arguments!r}, and there are none"
    if operator not in _ARITY:
        return f"no operator {operator!r}"
    if not isinstance(arguments, list):
        if operator not in _BARE_ARGUMENT:
            return f"`{operator}` needs a list of arguments"
        arguments = [arguments]
    fewest, most = _ARITY[operator]
    if not fewest <= len(arguments) <= most:
        return f"`{operator}` does not take {len(arguments)} arguments"
    special = _SPECIAL.get(operator)
    return (special(arguments) if special is not None else None) or _values(arguments)


def _values(nodes: Sequence[object]) -> str | None:
    for node in nodes:
        problem = _rule(node) if isinstance(node, dict) else _values(node) if isinstance(node, list) else None
        if problem is not None:
            return problem
    return None


def _is_rule(node: object) -> bool:
    return isinstance(node, dict)


def _var(arguments: Sequence[object]) -> str | None:
    path = arguments[0]
    if isinstance(path, str) and path.startswith("$flagd.") and not _INJECTED.fullmatch(path):
        return f"flagd injects no {path!r}"
    if len(arguments) > 1 and (not isinstance(path, str) or any(isinstance(it, (dict, list)) for it in arguments[1:])):
        return "`var` takes a path and a constant default"
    return None


def _texts(arguments: Sequence[object]) -> str | None:
    return None if all(isinstance(it, str) or _is_rule(it) for it in arguments) else "a text is needed"


def _missing(arguments: Sequence[object]) -> str | None:
    return None if all(isinstance(it, str) for it in arguments) else "`missing` takes keys"


def _missing_some(arguments: Sequence[object]) -> str | None:
    need, keys = arguments
    if isinstance(need, (int, float)) and not isinstance(need, bool) and isinstance(keys, list):
        return _missing(keys)
    return "`missing_some` takes a number and keys"


def _sem_ver(arguments: Sequence[object]) -> str | None:
    def is_version(node: object) -> bool:
        if isinstance(node, dict):
            return list(node) == ["var"]
        return isinstance(node, str) and parse_version(node) is not None and _TRIPLE.match(node) is not None

    if arguments[1] not in RELATIONS or not is_version(arguments[0]) or not is_version(arguments[2]):
        return "`sem_ver` takes a version (1.2.0), an operator and a version"
    return None


def _fractional(arguments: Sequence[object]) -> str | None:
    arms = arguments if isinstance(arguments[0], list) else arguments[1:]
    if arms is not arguments and not _is_rule(arguments[0]):
        return "the key of `fractional` is neither logic nor left out"
    for arm in arms:
        if not isinstance(arm, list) or not 1 <= len(arm) <= 2:  # noqa: PLR2004 (a variant and a weight)
            return "an arm of `fractional` is a list of a variant and, maybe, a weight"
        if len(arm) > 1 and not _is_rule(arm[1]) and not _is_weight(arm[1]):
            return "a weight of `fractional` is a non-negative integer or logic"
    return None


def _is_weight(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return value >= 0 and value == int(value)


_SPECIAL: Final[dict[str, Callable[[Sequence[object]], str | None]]] = {
    "var": _var,
    "starts_with": _texts,
    "ends_with": _texts,
    "missing": _missing,
    "missing_some": _missing_some,
    "sem_ver": _sem_ver,
    "fractional": _fractional,
}
