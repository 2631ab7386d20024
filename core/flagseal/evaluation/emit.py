"""Resolved flags as JSONLogic that every evaluator reads alike (compat.md, "Compiling conditions").

``==``, ``in``, ``<`` and their like convert what they compare, each evaluator in its own way; so a guard goes before
them, made of what all agree on: ``starts_with`` with an empty text holds for texts, a number is its own sum (which is
an error for texts, lists and objects in JavaScript's flagd, so these go first), and ``cat`` tells booleans from 1 and 0
where Python does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from flagseal.evaluation.codegen.comparisons import BOOLEAN_TEXTS, OBJECT_TEXT
from flagseal.evaluation.codegen.data import INJECTED
from flagseal.evaluation.form import read_constraint
from flagseal.evaluation.resolved import Granted, ResolvedSplit, Served, Window
from flagseal.model.condition import AllOf, AnyOf, Negation, Test
from flagseal.model.errors import CompileError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from flagseal.evaluation.resolved import ResolvedCondition, ResolvedFlag, ResolvedRule
    from flagseal.model.canonical import Json
    from flagseal.model.flag import Serve

NOW: Final[Json] = {"var": f"{INJECTED}.timestamp"}
_TRUE: Final[list[Json]] = ["true", "True"]
_FALSE: Final[list[Json]] = ["false", "False"]
_COMPARISONS: Final = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "before": "<", "after": ">"}


def targeting_of(flag: ResolvedFlag) -> Json:
    """Write a flag's targeting; None where everyone is served the default."""
    return _choice(flag, None)


def _choice(flag: ResolvedFlag, default: Json) -> Json:
    """Write what a flag serves, as a variant's name.

    Args:
        flag: The flag.
        default: What to write for its default: null at the top, its name within another flag.
    """
    arms: list[Json] = []
    rules = list(flag.rules)
    while rules:
        count, condition, outcome = _schedule(rules, default) or (1, None, None)
        if condition is None:
            condition, outcome = emit(rules[0].when), _outcome(rules[0].outcome, default)
        del rules[:count]
        if condition is False:
            continue
        if condition is True:
            return _if(arms, outcome)
        arms += [condition, outcome]
    if flag.raw is not None:
        return _if(arms, flag.raw if default is None else _named(flag, default))
    return _if(arms, default)


def _if(arms: list[Json], otherwise: Json) -> Json:
    return {"if": [*arms, otherwise]} if arms else otherwise


def _outcome(outcome: Serve | ResolvedSplit, default: Json) -> Json:
    if not isinstance(outcome, ResolvedSplit):
        return outcome.variant
    key = _attribute(outcome.by)
    arms: list[Json] = [[variant, weight] for variant, weight in outcome.arms]
    # A literal salt and a guarded key: the shorthand depends on the flag's key, and nothing hashes as "null".
    split: Json = {
        "if": [
            {"and": [_is_text(key), {"!==": [key, ""]}]},
            {"fractional": [{"cat": [outcome.salt, key]}, *arms]},
            None,
        ]
    }
    # Null is the default; within another flag it must be said. It also comes of a text that has no UTF-8.
    return split if default is None else {"or": [split, default]}


def _schedule(rules: Sequence[ResolvedRule], default: Json) -> tuple[int, Json, Json] | None:
    """Write consecutive rules that differ in their time and outcome only, one beginning when the other ends.

    They become one condition with a nested choice by time, so that a ramp of a hundred steps is not a hundred copies.
    The last of them must be open-ended: whoever passes the condition is then served by one of them.

    Returns:
        How many rules, their condition, and what they serve; None if there is no such schedule.
    """
    taken: list[tuple[Window, ResolvedRule]] = []
    rest: tuple[object, ...] = ()
    for rule in rules:
        window, others = _timed(rule.when)
        follows = not taken or (
            taken[-1][0].until is not None and window.since == taken[-1][0].until and others == rest
        )
        if window.since is None or not follows or (taken and rule.name != taken[0][1].name):
            break
        taken.append((window, rule))
        rest = others
    if len(taken) < 2 or taken[-1][0].until is not None:  # noqa: PLR2004 (one is no schedule)
        return None
    condition = emit(AllOf((Window(taken[0][0].since, None), *rest)))  # type: ignore[arg-type]  # resolved conditions
    arms: list[Json] = []
    for window, rule in taken[:-1]:
        arms += [{"<": [NOW, window.until]}, _outcome(rule.outcome, default)]
    return len(taken), condition, {"if": [*arms, _outcome(taken[-1][1].outcome, default)]}


def _timed(condition: ResolvedCondition) -> tuple[Window, tuple[object, ...]]:
    if isinstance(condition, Window):
        return condition, ()
    if isinstance(condition, AllOf):
        windows = [part for part in condition.parts if isinstance(part, Window)]
        if len(windows) == 1:
            return windows[0], tuple(part for part in condition.parts if part is not windows[0])
    return Window(None, None), ()


# Conditions


def emit(condition: ResolvedCondition) -> Json:
    """Write a condition; true or false where it is the same for everyone."""
    match condition:
        case Test():
            return _TESTS[condition.predicate](_attribute(condition.path), cast("Json", condition.operand))
        case AllOf(parts=parts):
            return _joined("and", [emit(cast("ResolvedCondition", part)) for part in parts], neutral=True)
        case AnyOf(parts=parts):
            return _joined("or", [emit(cast("ResolvedCondition", part)) for part in parts], neutral=False)
        case Negation(part=part):
            return _not(emit(cast("ResolvedCondition", part)))
        case Window(since=since, until=until):
            bounds: list[Json] = [] if since is None else [{">=": [NOW, since]}]
            return _joined("and", bounds if until is None else [*bounds, {"<": [NOW, until]}], neutral=True)
        case Granted(tables=tables):
            org = _attribute(("org",))
            return _joined(
                "or",
                [
                    {"and": [{">=": [NOW, since]}, {"<": [NOW, until]}, {"in": [org, list(names)]}]}
                    for since, until, names in tables
                ],
                neutral=False,
            )
        case Served(flag=flag, variant=variant):
            choice = _choice(flag, flag.default)
            return choice == variant if isinstance(choice, str) else {"===": [choice, variant]}


def _joined(operator: str, parts: list[Json], *, neutral: bool) -> Json:
    flat: list[Json] = []
    for part in parts:
        if part is (not neutral):
            return part
        if part is neutral:
            continue
        nested = part.get(operator) if isinstance(part, dict) else None
        flat += nested if isinstance(nested, list) else [part]
    return neutral if not flat else flat[0] if len(flat) == 1 else {operator: flat}


def _not(part: Json) -> Json:
    return not part if isinstance(part, bool) else {"!": [part]}


def _attribute(path: Sequence[str]) -> Json:
    return {"var": ".".join(path)}


def _is_text(value: Json) -> Json:
    return {"starts_with": [value, ""]}


def _is_number(value: Json) -> list[Json]:
    own_sum: Json = {"===": [{"+": [value]}, value]}
    booleans: list[Json] = [*BOOLEAN_TEXTS]
    told: Json = {"in": [{"cat": [value]}, booleans]}
    # To some, a sum over anything but numbers is an error: no text, no list (none is its own member), no object.
    summable: list[Json] = [
        {"!": [_is_text(value)]},
        {"in": [value, {"merge": [value]}]},
        {"!": [{"starts_with": [{"cat": [value]}, OBJECT_TEXT]}]},
    ]
    return [*summable, own_sum, {"!": [told]}]


def _is_boolean(value: Json, which: bool) -> Json:  # noqa: FBT001 (it is a boolean that is meant)
    return {"and": [{"===": [value, which]}, {"in": [{"cat": [value]}, _TRUE if which else _FALSE]}]}


def _equal(value: Json, operand: Json) -> Json:
    if isinstance(operand, bool):
        return _is_boolean(value, operand)
    if operand in (0, 1):
        # Where Python evaluates, true is 1: the texts tell them apart.
        return {"and": [{"===": [value, operand]}, _is_number(value)[-1]]}
    return {"===": [value, operand]}


def _in(value: Json, operand: Json) -> Json:
    members = _scalars(operand)
    plain = [member for member in members if not isinstance(member, bool) and member not in (0, 1)]
    special: list[Json] = [_equal(value, member) for member in members if isinstance(member, bool) or member in (0, 1)]
    listed: list[Json] = [{"in": [value, [*plain]]}] if plain else []
    return _joined("or", [*listed, *special], neutral=False)


def _not_in(value: Json, operand: Json) -> Json:
    """Write that a value is of a type that is listed, and not listed itself."""
    members = _scalars(operand)
    texts = [member for member in members if isinstance(member, str)]
    numbers = [member for member in members if isinstance(member, (int, float)) and not isinstance(member, bool)]
    booleans = [member for member in members if isinstance(member, bool)]
    ways: list[Json] = []
    if texts:
        ways.append({"and": [_is_text(value), {"!": [{"in": [value, [*texts]]}]}]})
    if numbers:
        ways.append({"and": [*_is_number(value), {"!": [{"in": [value, [*numbers]]}]}]})
    if booleans:
        ways += [_is_boolean(value, which) for which in (True, False) if which not in booleans]
    return _joined("or", ways, neutral=False)


def _differs(value: Json, operand: Json) -> Json:
    if isinstance(operand, str):
        return {"and": [_is_text(value), {"!==": [value, operand]}]}
    return _not_in(value, operand)


def _scalars(operand: object) -> list[Json]:
    """List the members of an operand in order, each once; null, which equals nothing here, left out."""
    members: tuple[Json, ...] = operand if isinstance(operand, tuple) else (cast("Json", operand),)
    kept: dict[tuple[bool, Json], Json] = {}
    for member in members:
        if member is not None:
            kept.setdefault((isinstance(member, bool), member), member)
    return list(kept.values())


def _contains(value: Json, operand: Json) -> Json:
    # `some` over a text or a number is an error to some, so `merge` makes a list of everything; what is no list
    # must then not be the member itself.
    itself = _equal(value, operand)
    other: Json = {"!==": [value, operand]} if itself == {"===": [value, operand]} else {"!": [itself]}
    return {"and": [other, {"some": [{"merge": [value]}, _equal({"var": ""}, operand)]}]}


def _substring(value: Json, operand: Json) -> Json:
    # No text is in an empty one for JavaScript, while every other language finds the empty text there.
    return _is_text(value) if operand == "" else {"and": [_is_text(value), {"in": [operand, value]}]}


def _version(value: Json, operand: Json) -> Json:
    constraint = read_constraint(operand)
    if constraint is None:
        raise CompileError(
            f"{operand!r} is no constraint on versions", code="MalformedCondition", remedy='Write one like ">=1.2.0".'
        )
    return {"and": [_is_text(value), {"sem_ver": [value, constraint[0], constraint[1]]}]}


def _compared(operator: str) -> Callable[[Json, Json], Json]:
    return lambda value, operand: {"and": [*_is_number(value), {operator: [value, operand]}]}


_TESTS: Final[dict[str, Callable[[Json, Json], Json]]] = {
    "eq": lambda value, operand: False if operand is None else _equal(value, operand),
    "ne": _differs,
    "in": _in,
    "notIn": _not_in,
    "startsWith": lambda value, operand: {"starts_with": [value, operand]},
    "endsWith": lambda value, operand: {"ends_with": [value, operand]},
    "hasSubstring": _substring,
    "contains": _contains,
    "semver": _version,
    "exists": lambda value, operand: {"!==" if operand else "===": [value, None]},
    **{predicate: _compared(operator) for predicate, operator in _COMPARISONS.items()},
}


# Raw targeting within another flag


def _named(flag: ResolvedFlag, default: Json) -> Json:
    """Write raw targeting so that it always gives a variant's name, as it would under its own flag's key."""
    raw = _rekeyed(flag.raw, flag)
    ways: list[Json] = [{"===": [raw, None]}, default]
    for which in ("true", "false"):
        if which in flag.variants:
            ways += [_is_boolean(raw, which == "true"), which]
    return {"if": [*ways, raw]}


def _rekeyed(node: Json, flag: ResolvedFlag) -> Json:
    """Replace what depends on the key under which a flag is asked.

    Raises:
        CompileError: It depends on it in a way that has no other form.
    """
    if isinstance(node, list):
        return [_rekeyed(item, flag) for item in node]
    if not isinstance(node, dict):
        return node
    ((operator, arguments),) = node.items()
    path = arguments[0] if isinstance(arguments, list) and arguments else arguments
    if operator == "var":
        if path == f"{INJECTED}.flagKey":
            return flag.key
        if not isinstance(path, str) or path == INJECTED:
            _refuse(flag, "reads its key in a way that")
    if operator == "fractional" and isinstance(path, list):
        _refuse(flag, "splits by its own key, which")
    return {operator: _rekeyed(arguments, flag)}


def _refuse(flag: ResolvedFlag, what: str) -> None:
    raise CompileError(
        f"{flag.namespace}/{flag.name}, {flag.environment}, targeting: {what} has no meaning inside another flag",
        code="MalformedTargeting",
        remedy="Write the flag that is required with rules, or give its split an explicit key.",
    )
