"""LaunchDarkly's own evaluator (PyPI: launchdarkly-server-sdk), where it is installed: for comparison only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from flagseal_validators.exchange.checking import ABSENT, UNASKED
from flagseal_validators.exchange.neutral import ANYWHERE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal.model.canonical import Json
    from flagseal_validators.exchange.checking import Absent, Unasked

PACKAGE: Final = "launchdarkly-server-sdk"


def evaluator(origin: Json) -> _Evaluator:
    """Give LaunchDarkly's evaluator of what was read.

    Raises:
        ImportError: It is not installed.
    """
    return _Evaluator(cast("dict[str, Any]", origin))


class _Evaluator:
    def __init__(self, origin: Mapping[str, Any]) -> None:
        self._model: Any = import_module("ldclient.impl.model")
        self._evaluators: Any = import_module("ldclient.impl.evaluator")
        self._events: Any = import_module("ldclient.impl.events.types").EventFactory(False)  # noqa: FBT003 (no reasons)
        self._contexts: Any = import_module("ldclient").Context
        self._values: dict[str, Json] = origin["flagValues"]
        self._flags: list[dict[str, Any]] = origin["flags"]
        self._segments = {one["key"]: self._model.Segment(_whole_segment(one)) for one in origin["segments"]}
        self._kinds = sorted(set(_kinds(origin)) - {"", "user"})
        self._read: dict[str, dict[str, Any]] = {}

    def answer(self, key: str, environment: str, context: Mapping[str, Json], _now: int) -> Json | Absent | Unasked:
        """Evaluate a flag as the SDK does."""
        if key in self._values:
            return self._values[key]
        flags, asked = self._in(environment), self._context(context)
        if asked is None:
            # A context without a key of its own is none there.
            return UNASKED
        judge = self._evaluators.Evaluator(flags.get, self._segments.get, lambda _: (None, None))
        found = judge.evaluate(flags[key], asked, self._events).detail
        if found.reason.get("kind") == "ERROR":
            return ABSENT
        return ABSENT if found.variation_index is None else cast("Json", found.value)

    def _in(self, environment: str) -> dict[str, Any]:
        if environment not in self._read:
            flags: dict[str, Any] = {}
            for flag in self._flags:
                if environment == ANYWHERE:
                    flags[flag["key"]] = self._model.FeatureFlag(_whole_flag(flag))
                elif environment in flag.get("environments", {}):
                    values = [one["value"] for one in flag["variations"]]
                    section = {**flag["environments"][environment], "key": flag["key"], "variations": values}
                    flags[flag["key"]] = self._model.FeatureFlag(_whole_flag(section))
            self._read[environment] = flags
        return self._read[environment]

    def _context(self, context: Mapping[str, Json]) -> Any:  # noqa: ANN401 (of a package without types)
        kinds: dict[str, Any] = {}
        for kind in self._kinds:
            found = context.get(kind)
            if isinstance(found, dict) and "key" in found:
                kinds[kind] = found
        if not all(isinstance(found["key"], str) and found["key"] for found in kinds.values()):
            return None
        own = {name: value for name, value in context.items() if name not in self._kinds and name != "targetingKey"}
        kinds["user"] = {**own, "key": context["targetingKey"]}
        return self._contexts.from_dict({"kind": "multi", **kinds})


def _whole_flag(flag: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "salt": "", "on": False, "rules": [], "targets": [], "prerequisites": [], **flag}


def _whole_segment(segment: dict[str, Any]) -> dict[str, Any]:
    return {"version": 1, "salt": "", "included": [], "excluded": [], "rules": [], **segment}


def _kinds(node: Any) -> Iterator[str]:  # noqa: ANN401 (JSON)
    """Name every kind of context that is asked for: each lies under its own name in ours."""
    if isinstance(node, list):
        for item in node:
            yield from _kinds(item)
    elif isinstance(node, dict):
        for name in ("contextKind", "rolloutContextKind"):
            if isinstance(node.get(name), str):
                yield node[name]
        if node.get("attribute") == "kind" and isinstance(node.get("values"), list):
            yield from (value for value in node["values"] if isinstance(value, str))
        for value in node.values():
            yield from _kinds(value)
