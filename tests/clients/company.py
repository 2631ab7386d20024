"""Flags that use what the format can say, and contexts to ask them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flagseal.model.loader import parse_body
from tests.snapshot.world import API, World, document, flag, policies

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.model.canonical import Json
    from flagseal.model.document import Document


def rules(*rules: dict[str, Any], default: str = "off", **more: Json) -> dict[str, Any]:
    """Serve by rules in production, and the default in staging."""
    named = [{"name": f"rule {number}", **rule} for number, rule in enumerate(rules, 1)]
    return {"staging": {"default": default}, "production": {"rules": named, "default": default, **more}}


def switch(name: str, *when: dict[str, Any], namespace: str = "payments", owner: str = "team-payments") -> Document:
    """Make a flag that is on where a condition holds."""
    return flag(name, namespace, owner=owner, environments=rules(*({"when": one, "serve": "on"} for one in when)))


def of_values(name: str, on: Json, off: Json) -> Document:
    """Make a flag with other values than true and false, the first for acme."""
    serving = rules({"when": {"org": "acme"}, "serve": "on"})
    return flag(name, variants={"on": on, "off": off}, environments=serving)


SPLITS = (
    flag("split", environments=rules({"split": {"on": 50, "off": 50}})),
    flag("split-by-org", environments=rules({"split": {"on": 3, "off": 7}, "by": "org", "salt": "2026"})),
    flag(
        "ramp",
        environments=rules(
            {"ramp": {"variant": "on", "from": 10, "to": 90, "start": "2020-01-01T00:00:00Z",
                      "end": "2021-01-01T00:00:00Z", "steps": 4}}
        ),
    ),
)  # fmt: skip
"""Flags whose answer hangs on how the environment, and the evaluator, hash."""

FLAGS = (
    flag("static"),
    switch("equal", {"org": "acme"}),
    switch("unequal", {"org": {"ne": "acme"}}),
    switch("listed", {"org": {"in": ["acme", "globex"]}}),
    switch("not-listed", {"org": {"notIn": ["acme", "globex"]}}),
    switch("numbers", {"all": [{"seats": {"gte": 10}}, {"seats": {"lt": 100}}]}),
    switch("versions", {"app.version": {"semver": ">=4.2.0"}}),
    switch("texts", {"user.email": {"endsWith": "@example.com"}}, {"user.email": {"hasSubstring": "+test"}}),
    switch("member", {"groups": {"contains": "beta"}}),
    switch("not", {"not": {"org": "acme"}}),
    switch("some", {"any": [{"org": "acme"}, {"all": [{"plan": "pro"}, {"seats": {"gt": 5}}]}]}),
    switch("present", {"plan": {"exists": True}}),
    switch("staff-only", {"segment": "staff"}),
    flag(
        "for-a-while",
        environments=rules(
            {"from": "2020-01-01T00:00:00Z", "until": "2021-01-01T00:00:00Z", "serve": "on"},
            {"when": {"org": "acme"}, "from": "2020-01-01T00:00:00Z", "until": "2099-01-01T00:00:00Z", "serve": "on"},
        ),
    ),
    flag("targets", environments=rules(targets={"on": ["user-1", "user-3"]})),
    flag("switched-off", environments=rules({"serve": "on"}, off=True)),
    flag("needs", environments=rules({"serve": "on"}, requires=[{"flag": "equal", "variant": "on"}])),
    flag("keyed", key="payments.keyed", on_for=["acme"]),
    of_values("text", "grüße 🚩", ""),
    of_values("whole", 42, 0),
    of_values("fraction", 2.5, -0.25),
    of_values("object", {"seats": 5, "plan": {"name": "pro", "tags": ["a", "b"]}}, {}),
    flag(
        "raw",
        environments={
            "staging": {"default": "off"},
            "production": {
                "targeting": {"if": [{"starts_with": [{"var": "org"}, "glo"]}, "on", None]},
                "default": "off",
            },
        },
    ),
    switch("ranker", {"org": "acme"}, namespace="search", owner="team-search"),
    document("Segment", "staff", {"when": {"user.email": {"endsWith": "@example.com"}}}, "payments"),
)

CONTEXTS: tuple[dict[str, Any], ...] = (
    {"targetingKey": "user-1", "org": "acme", "seats": 50, "app": {"version": "4.3.1"}},
    {"targetingKey": "user-2", "org": "globex", "seats": 100, "app": {"version": "4.1.9"}, "plan": "pro"},
    {"targetingKey": "user-3", "org": "initech", "groups": ["beta", "staff"], "user": {"email": "ann@example.com"}},
    {"targetingKey": "user-4", "seats": 9.5, "plan": "free", "user": {"email": "bob+test@example.org"}},
    {"targetingKey": "grüße 🚩", "org": "glo-company", "app": {"version": "v5"}, "groups": []},
    {"targetingKey": "user-6", "org": "", "seats": "50", "groups": "beta", "user": "ann@example.com"},
    *(
        {"targetingKey": "user-7", "groups": groups}
        for groups in (7, True, {"beta": "beta"}, "no beta", [None, "beta"], [["beta"]])
    ),
    *(
        {"targetingKey": "user-8", "seats": seats}
        for seats in ("", "many", True, 0, 1e21, [], [50], ["many"], [[50]], {}, {"50": 50}, None)
    ),
    *({"targetingKey": f"user-{number}", "org": f"org-{number}"} for number in range(10, 18)),
)


HASHED = frozenset({"split", "split-by-org", "ramp"})
"""Their keys."""


@dataclass(frozen=True)
class Question:
    """One flag asked in one context.

    Attributes:
        key: The flag.
        fallback: What the application serves if there is no answer; of the flag's type.
        context: The context.
    """

    key: str
    fallback: Any
    context: dict[str, Any]

    @property
    def type(self) -> str:
        """The type that the application expects."""
        kinds = {bool: "boolean", str: "string", int: "integer", float: "float"}
        return kinds.get(type(self.fallback), "object")


FALLBACKS: dict[str, Any] = {"text": "?", "whole": -1, "fraction": -1.5, "object": {"none": True}}
NO_FLAG = "no-such-flag"


def key_of(definition: Document) -> str:
    """The key that applications ask for."""
    spec: Any = definition.spec
    return str(spec.get("key", definition.name))


KEYS = tuple(key_of(entry) for entry in (*FLAGS, *SPLITS) if entry.kind == "FlagDefinition")
QUESTIONS = tuple(Question(key, FALLBACKS.get(key, False), context) for context in CONTEXTS for key in (*KEYS, NO_FLAG))


def company(path: Path, bucketing: str) -> World:
    """Publish all the flags, in an environment that hashes as said."""
    listed = tuple(_hashing(entry, bucketing) for entry in policies())
    world = World(path, documents=(*listed, *FLAGS, *SPLITS))
    world.publish()
    return world


def _hashing(entry: Document, bucketing: str) -> Document:
    if entry.kind != "EnvironmentList":
        return entry
    spec: Any = entry.spec
    production = {**spec["environments"]["production"], "bucketing": bucketing}
    changed = {**spec, "environments": {**spec["environments"], "production": production}}
    return parse_body(
        {"apiVersion": API, "kind": entry.kind, "metadata": {"name": entry.name}, "spec": changed}, place="test"
    )
