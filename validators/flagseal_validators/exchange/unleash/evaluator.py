"""Unleash's own evaluator (PyPI: yggdrasil-engine, as its clients use), where it is installed: for comparison only."""

from __future__ import annotations

import ipaddress
import json
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from flagseal_validators.exchange.checking import UNASKED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.canonical import Json
    from flagseal_validators.exchange.checking import Unasked


def evaluator(origin: Json) -> _Evaluator:
    """Give Unleash's evaluator of what was read.

    Raises:
        ImportError: It is not installed.
    """
    return _Evaluator(cast("dict[str, Any]", origin))


class _Evaluator:
    def __init__(self, origin: Mapping[str, Any]) -> None:
        make: Any = import_module("yggdrasil_engine.engine").UnleashEngine
        self._values: dict[str, dict[str, Json]] = origin["values"]
        self._engines: dict[str, Any] = {}
        for name, state in origin["states"].items():
            self._engines[name] = make()
            self._engines[name].take_state(json.dumps(state))

    def answer(self, key: str, environment: str, context: Mapping[str, Json], now: int) -> Json | Unasked:
        """Evaluate a toggle as a client does."""
        engine = self._engines[environment]
        asked: dict[str, Any] = {
            "userId": context["targetingKey"],
            "currentTime": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
            "properties": {},
        }
        if not _is_address(context.get("remoteAddress", "::")):
            return UNASKED
        for name, value in context.items():
            if name in {"sessionId", "remoteAddress", "environment", "appName"}:
                asked[name] = str(value)
            elif name != "targetingKey":
                asked["properties"][name] = _text(value)
        values = self._values[key]
        if not values:
            return bool(engine.is_enabled(key, asked).is_enabled)
        found = engine.get_variant(key, asked).variant
        return values[found.name if found.enabled else ""]


def _is_address(value: Json) -> bool:
    try:
        ipaddress.ip_address(str(value))
    except ValueError:
        return False
    return True


def _text(value: Json) -> str:
    """Write a value as clients send it: everything is text."""
    return value if isinstance(value, str) else json.dumps(value)
