"""flagd targeting as rules, where both mean the same."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast

from flagseal.evaluation.emit import targeting_of
from flagseal.evaluation.resolved import ResolvedFlag, ResolvedRule, ResolvedSplit
from flagseal.model.canonical import canonical_json
from flagseal.model.condition import ALWAYS
from flagseal.model.instants import utc
from flagseal.policy.facts import rfc3339
from flagseal_validators.exchange.conditions import FROM, UNTIL, Opaque, condition, normalised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.canonical import Json
    from flagseal_validators.exchange.conditions import Found

_MOST_RULES: Final = 200
_LONGEST_NAME: Final = 100
_TARGETING_KEY: Final = "targetingKey"


def rules_of(
    targeting: Json, key: str, variants: Mapping[str, Json], *, strict_equality: bool
) -> list[dict[str, Json]]:
    """Read targeting as rules, as they stand in a file.

    Args:
        targeting: JSONLogic, shared rules put in their places.
        key: The flag's.
        variants: Its variants.
        strict_equality: Read ``==`` as if nothing were converted.

    Raises:
        Opaque: It has no equal among rules.
    """
    reading = _Reading(key, variants, strict_equality)
    reading.walk(normalised(targeting), [], last=True)
    return reading.rules


@dataclass
class _Reading:
    key: str
    variants: Mapping[str, Json]
    strict: bool
    rules: list[dict[str, Json]] = field(default_factory=list)

    def walk(self, node: Json, where: list[dict[str, Json]], *, last: bool) -> None:
        """Read what is served to those for whom some conditions hold.

        Args:
            node: Logic in the place of a variant.
            where: The conditions.
            last: Whether those for whom nothing more is said get the default afterwards.
        """
        split = self._split(node)
        if split is not None:
            self._add(where, split)
        elif node is None:
            if not last:
                raise Opaque("some get the default before later choices are made")
        elif isinstance(node, (str, bool)):
            variant = node if isinstance(node, str) else str(node).lower()
            if variant not in self.variants:
                raise Opaque(f"it names {variant!r}, which is no variant")
            self._add(where, {"serve": variant})
        elif isinstance(node, dict) and list(node) == ["if"] and isinstance(node["if"], list):
            self._choices(node["if"], where, last=last)
        else:
            operator = next(iter(node)) if isinstance(node, dict) and node else type(node).__name__
            raise Opaque(_WHY.get(operator, f"`{operator}` in the place of a variant"))

    def _choices(self, arguments: list[Json], where: list[dict[str, Json]], *, last: bool) -> None:
        pairs = [(arguments[at], arguments[at + 1]) for at in range(0, len(arguments) - 1, 2)]
        otherwise = arguments[-1] if len(arguments) % 2 else None
        for number, (logic, served) in enumerate(pairs):
            found: Found = condition(logic, strict_equality=self.strict)
            if found is True:
                self.walk(served, where, last=last)
                return
            if found is not False:
                none_follows = last and otherwise is None and number == len(pairs) - 1
                self.walk(served, [*where, found], last=none_follows)
        self.walk(otherwise, where, last=last)

    def _add(self, where: list[dict[str, Json]], outcome: dict[str, Json]) -> None:
        if len(self.rules) >= _MOST_RULES:
            raise Opaque(f"more than {_MOST_RULES} rules")
        when, times = _apart(where)
        rule: dict[str, Json] = {"name": self._name(when), **times}
        if when is not None:
            rule["when"] = when
        self.rules.append({**rule, **outcome})

    def _name(self, when: dict[str, Json] | None) -> str:
        text = "everyone else" if when is None else json.dumps(when, ensure_ascii=False)
        for mark in '{}"[]':
            text = text.replace(mark, "")
        text = text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…"
        text = text if text.isprintable() and text.strip() == text and text else "rule"
        names = {rule["name"] for rule in self.rules}
        number, name = 1, text
        while name in names:
            number += 1
            name = f"{text} ({number})"
        return name

    # Splits

    def _split(self, node: Json) -> dict[str, Json] | None:
        """Read a split, if it is one that our compiler writes, or the shorthand by the flag's own key."""
        match node:
            case {"if": [_, {"fractional": [{"cat": [str(salt), {"var": str(by)}]}, *arms]}, None]}:
                found = _arms(arms)
                if found is None:
                    return None
                resolved = ResolvedSplit(found, tuple(by.split(".")), salt)
                return (
                    self._written(resolved) if canonical_json(self._emitted(resolved)) == canonical_json(node) else None
                )
            case {"fractional": [[*_], *_] as listed}:
                found = _arms(listed)
                return None if found is None else self._written(ResolvedSplit(found, (_TARGETING_KEY,), self.key))
            case _:
                return None

    def _emitted(self, split: ResolvedSplit) -> Json:
        variant = split.arms[0][0]
        rules = (ResolvedRule("split", ALWAYS, split),)
        return targeting_of(ResolvedFlag("n", "n", self.key, "e", self.variants, variant, variant, rules))

    def _written(self, split: ResolvedSplit) -> dict[str, Json]:
        for variant, _ in split.arms:
            if variant not in self.variants:
                raise Opaque(f"it names {variant!r}, which is no variant")
        arms: list[Json] = [{"variant": variant, "weight": weight} for variant, weight in split.arms]
        outcome: dict[str, Json] = {"split": arms}
        if split.by != (_TARGETING_KEY,):
            outcome["by"] = ".".join(split.by)
        if split.salt != self.key:
            outcome["salt"] = split.salt
        return outcome


_WHY: Final = {
    "fractional": "a split whose key is hashed without a salt, or where it is missing too",
    "var": "an attribute's value in the place of a variant",
}


def _arms(arms: object) -> tuple[tuple[str, int], ...] | None:
    found: list[tuple[str, int]] = []
    for arm in arms if isinstance(arms, list) else ():
        match arm:
            case [str(variant)]:
                found.append((variant, 1))
            case [str(variant), int(weight)] if not isinstance(weight, bool) and weight >= 0:
                found += [(variant, weight)] if weight else []
            case _:
                return None
    return tuple(found) or None


def _apart(where: list[dict[str, Json]]) -> tuple[dict[str, Json] | None, dict[str, Json]]:
    """Tell the bounds of time from the rest; all parts hold together."""
    flat: list[dict[str, Any]] = []
    for found in where:
        listed = cast("Any", found.get("all"))
        flat += listed if listed is not None and len(found) == 1 else [found]
    since = [part[FROM] for part in flat if FROM in part]
    until = [part[UNTIL] for part in flat if UNTIL in part]
    rest: list[Json] = [part for part in flat if FROM not in part and UNTIL not in part]
    times: dict[str, Json] = {}
    try:
        if since:
            times["from"] = rfc3339(utc(max(since)))
        if until:
            times["until"] = rfc3339(utc(min(until)))
    except (ValueError, OverflowError):
        raise Opaque("a time that no calendar has") from None
    if since and until and max(since) >= min(until):
        raise Opaque("a stretch of time that is empty")
    when = rest[0] if len(rest) == 1 else {"all": rest} if rest else None
    return cast("dict[str, Json] | None", when), times
