"""Flipt's own evaluator (PyPI: flipt-client), where it is installed: for comparison only.

It fetches its state over HTTP, so this serves it on the loopback interface.
"""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from flagseal_validators.exchange.checking import ABSENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.canonical import Json
    from flagseal_validators.exchange.checking import Absent

_WHENEVER: Final = {"createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"}


def evaluator(origin: Json) -> _Evaluator:
    """Give Flipt's evaluator of what was read.

    Raises:
        ImportError: It is not installed.
    """
    return _Evaluator(cast("dict[str, Any]", origin))


class _Evaluator:
    def __init__(self, origin: dict[str, Any]) -> None:
        make: Any = import_module("flipt_client").FliptClient
        options: Any = import_module("flipt_client.models").ClientOptions
        self._flags = {one["key"]: one for one in origin["flags"]}
        # It fetches again from time to time, and ends the process where nobody answers: so this goes on serving.
        server = _serving(json.dumps(_snapshot(origin)).encode())
        self._client = make(options(url=f"http://127.0.0.1:{server.server_port}", namespace="default"))

    def answer(self, key: str, _environment: str, context: Mapping[str, Json], _now: int) -> Json | Absent:
        """Evaluate a flag as a client does."""
        flag = self._flags[key]
        person = str(context["targetingKey"])
        asked = {name: _text(value) for name, value in context.items() if name != "targetingKey"}
        if flag.get("type", "").startswith("BOOLEAN"):
            return bool(self._client.evaluate_boolean(key, person, asked).enabled)
        found = self._client.evaluate_variant(key, person, asked)
        if not found.variant_key:
            return ABSENT
        attached = {one["key"]: one.get("attachment") for one in flag["variants"]}
        objects = all(isinstance(value, dict) for value in attached.values())
        return attached[found.variant_key] if objects else cast("Json", found.variant_key)


def _serving(body: bytes) -> HTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


def _snapshot(origin: dict[str, Any]) -> dict[str, Any]:
    """Write a file's state as Flipt's server hands it to clients."""
    segments = {one["key"]: _segment(one) for one in origin.get("segments", [])}
    return {"namespace": {"key": "default"}, "flags": [_flag(one, segments) for one in origin["flags"]]}


def _segment(segment: dict[str, Any]) -> dict[str, Any]:
    match = "ANY" if segment.get("match_type", "").startswith("ANY") else "ALL"
    constraints = [
        {
            "id": str(number),
            "property": "",
            "value": "",
            **one,
            "type": f"{one['type'].removesuffix('_COMPARISON_TYPE')}_CONSTRAINT_COMPARISON_TYPE",
        }
        for number, one in enumerate(segment.get("constraints", []))
    ]
    return {
        "key": segment["key"], "name": "", "description": "", "matchType": f"{match}_SEGMENT_MATCH_TYPE",
        "constraints": constraints, **_WHENEVER,
    }  # fmt: skip


def _flag(flag: dict[str, Any], segments: dict[str, Any]) -> dict[str, Any]:
    default = next((one for one in flag.get("variants", []) if one.get("default")), None)
    return {
        "key": flag["key"], "name": "", "description": "", **_WHENEVER,
        "type": flag.get("type", "VARIANT_FLAG_TYPE"),
        "enabled": flag.get("enabled", False),
        "rules": [_rule(flag, number, one, segments) for number, one in enumerate(flag.get("rules", []), start=1)],
        "rollouts": [_rollout(number, one, segments) for number, one in enumerate(flag.get("rollouts", []), start=1)],
        **({"defaultVariant": {"id": "d", "key": default["key"], "attachment": ""}} if default else {}),
    }  # fmt: skip


def _rule(flag: dict[str, Any], number: int, rule: dict[str, Any], segments: dict[str, Any]) -> dict[str, Any]:
    name = f"{flag['key']}-{number}"
    distributions = [
        {
            "id": f"{name}-{one['variant']}", "ruleId": name, "variantId": one["variant"], "variantKey": one["variant"],
            "variantAttachment": "", "rollout": one.get("rollout", 0),
        }
        for one in rule.get("distributions", [])
    ]  # fmt: skip
    return {"id": name, "rank": number, "distributions": distributions, **_asked(rule["segment"], segments)}


def _rollout(number: int, rollout: dict[str, Any], segments: dict[str, Any]) -> dict[str, Any]:
    if "threshold" in rollout:
        threshold = {"percentage": 0, "value": False, **rollout["threshold"]}
        return {"type": "THRESHOLD_ROLLOUT_TYPE", "rank": number, "threshold": threshold}
    asked = rollout["segment"]
    segment = {"value": asked.get("value", False), **_asked(asked, segments)}
    return {"type": "SEGMENT_ROLLOUT_TYPE", "rank": number, "segment": segment}


def _asked(asked: Any, segments: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401 (a key or an object)
    if isinstance(asked, str):
        asked = {"key": asked}
    keys = asked.get("keys") or [asked["key"]]
    operator = asked.get("operator", "OR_SEGMENT_OPERATOR")
    return {"segmentOperator": operator, "segments": [segments[key] for key in keys]}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value)
