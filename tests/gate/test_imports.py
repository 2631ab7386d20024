"""What a person waits for after each change imports what it needs, and no more: half of that time is importing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.gate.company import TODAY, base, document, write

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = "flags/payments/new-checkout.yaml"

NEVER = frozenset(
    {
        "asyncio", "concurrent.futures", "cryptography", "git", "github", "grpc", "http", "kopf", "kubernetes",
        "logging", "multiprocessing", "obstore", "openfeature", "prometheus_client", "rich", "ruamel",
        "securesystemslib", "ssl", "starlette", "subprocess", "tempfile", "tuf", "urllib3", "uvicorn",
        "flagseal.approval", "flagseal.history", "flagseal.policy", "flagseal.provider", "flagseal.snapshot",
        "flagseal_validators.exchange", "flagseal_validators.forge", "flagseal_validators.formatting",
        "flagseal_validators.plan", "flagseal_validators.policy_tests", "flagseal_validators.retirement",
    }
)  # fmt: skip
"""Heavy, and of no use to who looks at a working tree."""
TO_JUDGE = frozenset({"flagseal.evaluation", "flagseal_validators.rules", "jsonschema_rs", "yaml"})
"""Of use only where something is to be read and judged."""

ASK = """
import datetime, json, sys
from flagseal_cli.commands import validate
from flagseal_cli.main import run

class Standing(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(*map(int, sys.argv[2].split("-")), tzinfo=tz)

validate.datetime = Standing
code = run(["validate", "--repo", sys.argv[1]])
print(json.dumps({"code": code, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


def imported(root: Path) -> frozenset[str]:
    """Validate in a process of its own; give every module that it imported, and the packages they lie in."""
    variables = {**os.environ, "XDG_CACHE_HOME": str(root / ".flagseal")}
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(root), TODAY.isoformat()],
        env=variables,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(done.stderr.splitlines()[-1])
    assert told["code"] == 0, done.stdout
    return frozenset(told["modules"])


@pytest.fixture(name="root")
def a_repository_that_was_looked_at(tmp_path: Path) -> Path:
    """The whole of it was read and judged a moment ago."""
    root = write(tmp_path, base())
    (root / ".git").mkdir()
    assert imported(root) >= TO_JUDGE
    return root


def test_after_one_change_nothing_heavy_is_imported(root: Path) -> None:
    """What reads and judges is, and that is all."""
    write(root, {CHECKOUT: document(CHECKOUT, "ticket: PAY-7")})
    found = imported(root)
    assert found >= TO_JUDGE
    assert found & NEVER == frozenset()


def test_after_no_change_not_even_the_rules_are_imported(root: Path) -> None:
    """Nor what reads a file."""
    assert imported(root) & (NEVER | TO_JUDGE) == frozenset()
