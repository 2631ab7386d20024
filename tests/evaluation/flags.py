"""Short ways to ask one flag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagseal.evaluation import FlagSet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.evaluation import Evaluation

NOW = 1_790_000_000


def flag(targeting: object = None, **fields: object) -> dict[str, Any]:
    """Write a flag of a flagd document: variants ``on`` and ``off``, default ``off``."""
    made: dict[str, Any] = {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"}
    return {**made, **({} if targeting is None else {"targeting": targeting}), **fields}


def flag_set(*, bucketing: str = "v2", **flags: object) -> FlagSet:
    """Load flags by key."""
    return FlagSet.load({"flags": flags}, bucketing=bucketing, clock=lambda: NOW)


def ask(
    targeting: object, context: Mapping[str, object] | None = None, *, bucketing: str = "v2", **fields: object
) -> Evaluation:
    """Evaluate one flag with the key ``f``."""
    return flag_set(bucketing=bucketing, f=flag(targeting, **fields)).evaluate("f", context)
