"""Through the OpenFeature SDK: what the provider adds to the SDK's own in-memory provider; and what importing it costs.

Two budgets of performance.md:

- an evaluation through the SDK: at most 1.2 × of the SDK's in-memory provider, in the same process and the same run;
- importing the library in a bare install: at most 150 ms, the SDK included.

Many short rounds of ours and theirs alternate, in processor time, and the best of each counts: other programs only ever
slow a round down.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from flagseal.evaluation import FlagSet
from flagseal.provider import FlagsealProvider
from flagseal.provider.view import View
from flagseal.snapshot.verified import NamespaceSnapshot, Verified

if TYPE_CHECKING:
    from collections.abc import Callable

    from openfeature.client import OpenFeatureClient

SDK_BUDGET = 1.2
IMPORT_BUDGET = 150.0
METADATA = {"owner": "team-payments", "riskTier": "sensitive", "expires": "2027-03-31", "approval": "ab" * 32}
CONTEXT = EvaluationContext("user-17", {"org": "initech", "plan": "enterprise", "country": "DE", "version": "2.4.1"})
IMPORTS = {
    "the OpenFeature SDK alone": "import openfeature.api",
    "with the provider": "import openfeature.api, flagseal.provider",
    "with all that verifying takes, loaded when it is initialised": (
        "import openfeature.api, flagseal.provider.keeper, flagseal.snapshot.client"
    ),
}


def five_rules() -> dict[str, Any]:
    """Give a flag of five rules, the last a split; the context falls through to it."""
    org = {"var": "org"}
    split = {"fractional": [{"cat": ["salt", org]}, ["enabled", 10], ["disabled", 90]]}
    return {
        "state": "ENABLED",
        "variants": {"enabled": True, "disabled": False},
        "defaultVariant": "disabled",
        "targeting": {
            "if": [
                {"in": [{"var": "targetingKey"}, ["user-1", "user-2"]]}, "enabled",
                {"in": [org, ["acme", "globex"]]}, "enabled",
                {"and": [{"===": [{"var": "plan"}, "trial"]}, {"===": [{"var": "country"}, "US"]}]}, "enabled",
                {"starts_with": [{"var": "version"}, "9."]}, "enabled",
                {"if": [{"and": [{"starts_with": [org, ""]}, {"!==": [org, ""]}]}, split, None]},
            ]
        },
        "metadata": METADATA,
    }  # fmt: skip


def static() -> dict[str, Any]:
    """Give a flag without rules."""
    return {
        "state": "ENABLED",
        "variants": {"enabled": True, "disabled": False},
        "defaultVariant": "enabled",
        "metadata": METADATA,
    }


class Ready(FlagsealProvider):
    """Our provider, ready with flags; nothing happens in the background while it is measured."""

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Serve the flags as if they had been verified."""
        del evaluation_context
        document = {
            "flags": {"static": static(), "five-rules": five_rules()},
            "metadata": {"flagSetId": "payments", "environment": "production", "bucketing": "v2", "version": "c" * 64},
        }
        now = datetime.now(UTC)
        flags = json.dumps(document).encode()
        namespace = NamespaceSnapshot("payments", flags, "", b"", b"", FlagSet.load(document))
        verified = Verified(
            version=1,
            sequence=1,
            environment="production",
            as_of=now,
            expires=now + timedelta(days=1),
            namespaces={"payments": namespace},
            head=None,
            claim={},
            clock=lambda: datetime.now(UTC),
        )
        self._serve(View.of(verified, None, stale=False))


def in_memory() -> InMemoryProvider:
    """Give the SDK's provider with a flag of the same variants and metadata; it has no rules."""
    return InMemoryProvider({"static": InMemoryFlag("enabled", {"enabled": True, "disabled": False}, METADATA)})


def blocking(client: OpenFeatureClient, key: str) -> Callable[[int], float]:
    """Measure evaluations one after the other."""

    def run(count: int) -> float:
        began = time.process_time()
        for _ in range(count):
            client.get_boolean_details(key, False, CONTEXT)  # noqa: FBT003 (the SDK's signature)
        return (time.process_time() - began) / count

    return run


def awaiting(client: OpenFeatureClient, key: str) -> Callable[[int], float]:
    """Measure evaluations awaited one after the other."""

    async def ask(count: int) -> float:
        began = time.process_time()
        for _ in range(count):
            await client.get_boolean_details_async(key, False, CONTEXT)  # noqa: FBT003 (the SDK's signature)
        return (time.process_time() - began) / count

    return lambda count: asyncio.run(ask(count))


def evaluations(rounds: int, count: int) -> None:
    """Measure both providers in turn, and print the ratios."""
    api.set_provider_and_wait(Ready("nowhere", root=b"{}"), "ours")
    api.set_provider_and_wait(in_memory(), "theirs")
    ours, theirs = api.get_client("ours"), api.get_client("theirs")
    print("One evaluation through the OpenFeature SDK, four attributes in the context")
    for manner, measured in (("blocking", blocking), ("async", awaiting)):
        runs = {
            "in-memory, static": measured(theirs, "static"),
            "ours, static": measured(ours, "static"),
            "ours, five rules with a split": measured(ours, "five-rules"),
        }
        best = dict.fromkeys(runs, float("inf"))
        for _ in range(rounds):
            for name, run in runs.items():
                best[name] = min(best[name], run(count))
        floor = best["in-memory, static"]
        for name, seconds in best.items():
            ratio = seconds / floor
            met = "" if name.startswith("in") else f"budget ≤ {SDK_BUDGET} ×: {verdict(ratio, SDK_BUDGET)}"
            print(f"  {manner:9} {name:30} {seconds * 1e6:7.2f} µs   {ratio:.2f} ×   {met}")
    api.shutdown()


def imports(rounds: int) -> None:
    """Measure what imports cost in a fresh interpreter, by Python's own account."""
    print("Imports, by python -X importtime")
    for name, statement in IMPORTS.items():
        took = min(import_time(statement) for _ in range(rounds))
        met = f"budget ≤ {IMPORT_BUDGET:.0f} ms: {verdict(took, IMPORT_BUDGET)}" if "provider" in name else ""
        print(f"  {name:62} {took:6.1f} ms   {met}")


def import_time(statement: str) -> float:
    """Give the milliseconds of a statement's imports: the sum over the outermost, but for the interpreter's own."""
    said = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import sys; sys.stderr.write('begin\\n'); {statement}"],
        check=True,
        capture_output=True,
        text=True,
    ).stderr
    outermost = re.findall(r"^import time: +\d+ \| +(\d+) \| \S", said.partition("begin\n")[2], re.MULTILINE)
    return sum(map(int, outermost)) / 1000


def verdict(figure: float, budget: float) -> str:
    """Say whether a budget is met."""
    return "met" if figure <= budget else "MISSED"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="of evaluations; imports have a tenth")
    parser.add_argument("--count", type=int, default=2_000, help="evaluations in a round")
    arguments = parser.parse_args()
    evaluations(arguments.rounds, arguments.count)
    imports(max(1, arguments.rounds // 10))


if __name__ == "__main__":
    main()
