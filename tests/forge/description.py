"""GitHub's published OpenAPI description: what was asked and answered is held against it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jsonschema_rs

if TYPE_CHECKING:
    from pathlib import Path

    from tests.forge.server import Exchange

Node = dict[str, Any]


class Description:
    """Hold exchanges against GitHub's description of its API.

    Args:
        path: ``api.github.com.json`` (OpenAPI 3.0).
    """

    def __init__(self, path: Path) -> None:
        self._whole: Node = json.loads(path.read_bytes())
        self._validators: dict[tuple[str, ...], Any] = {}

    def problems(self, exchange: Exchange) -> list[str]:
        """Say what GitHub's description does not allow of an exchange."""
        if exchange.template == "/graphql":
            return []  # GraphQL is not part of it.
        operation = self._whole["paths"].get(exchange.template, {}).get(exchange.method.lower())
        place = f"{exchange.method} {exchange.template or exchange.path}"
        if operation is None:
            return [f"{place}: GitHub has no such operation"]
        known = {self._resolved(entry)["name"] for entry in operation.get("parameters", [])}
        found = [f"{place}: no parameter {name!r}" for name in exchange.query if name not in known]
        if exchange.body is not None:
            content = operation.get("requestBody", {}).get("content", {}).get("application/json")
            found += [f"{place}: takes no body"] if content is None else []
            if content is not None:
                key = (exchange.template, exchange.method, "request")
                found += self._errors(key, content["schema"], exchange.body, place)
        answers = operation["responses"]
        if str(exchange.status) not in answers:
            # What holds for every operation is not said at each.
            if exchange.status in {304, 401, 403, 404}:
                return found
            return [*found, f"{place}: never answers {exchange.status}"]
        if exchange.status == 304:
            return found
        content = self._resolved(answers[str(exchange.status)]).get("content", {}).get("application/json")
        if content is not None:
            key = (exchange.template, exchange.method, str(exchange.status))
            found += self._errors(key, content["schema"], exchange.answer, f"{place}: {exchange.status}")
        return found

    def _errors(self, key: tuple[str, ...], schema: Node, value: Any, place: str) -> list[str]:  # noqa: ANN401
        if key not in self._validators:
            self._validators[key] = jsonschema_rs.Draft202012Validator(self._standalone(schema))
        found = self._validators[key].iter_errors(value)
        return [f"{place}: {'.'.join(map(str, error.instance_path))}: {error.message[:300]}" for error in found]

    def _resolved(self, node: Node) -> Node:
        while "$ref" in node:
            found: Any = self._whole
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def _standalone(self, schema: Node) -> Node:
        """Give a JSON Schema that stands by itself, with the schemas that it reaches."""
        reached: dict[str, Any] = {}
        waiting = [schema]
        while waiting:
            for name in _references(waiting.pop()):
                if name not in reached:
                    reached[name] = self._whole["components"]["schemas"][name]
                    waiting.append(reached[name])
        return {**_translated(schema), "$defs": {name: _translated(found) for name, found in reached.items()}}


_PREFIX = "#/components/schemas/"


def _references(node: Any) -> list[str]:  # noqa: ANN401
    if isinstance(node, dict):
        own = [node["$ref"].removeprefix(_PREFIX)] if isinstance(node.get("$ref"), str) else []
        return own + [name for child in node.values() for name in _references(child)]
    return [name for child in node for name in _references(child)] if isinstance(node, list) else []


def _translated(node: Any) -> Any:  # noqa: ANN401
    """Turn OpenAPI 3.0 into JSON Schema: `nullable`, references; examples say nothing."""
    if isinstance(node, list):
        return [_translated(child) for child in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("$ref"), str):
        return {"$ref": node["$ref"].replace(_PREFIX, "#/$defs/")}
    kept = {
        name: child for name, child in node.items() if name not in {"nullable", "example", "examples", "discriminator"}
    }
    # `properties` maps names, which may be called anything.
    done = {
        name: {key: _translated(part) for key, part in child.items()}
        if name == "properties" and isinstance(child, dict)
        else child
        if name in {"enum", "default", "const", "required"}
        else _translated(child)
        for name, child in kept.items()
    }
    return {"anyOf": [{"type": "null"}, done]} if node.get("nullable") is True else done
