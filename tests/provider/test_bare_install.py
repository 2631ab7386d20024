"""The bare install: what an application pays for, and what it does not get."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from tests.snapshot.world import Clock, World

if TYPE_CHECKING:
    from pathlib import Path

SERVERS = {"starlette", "uvicorn", "httptools", "uvloop", "grpc", "prometheus_client", "flagseal_relay"}
OTHERS = {"kopf", "kubernetes", "git", "gitdb", "yaml", "ruamel", "click", "rich", "flagseal_cli", "flagseal_operator"}
HEAVY = {"tuf", "securesystemslib", "cryptography", "urllib3", "jsonschema_rs", "requests", "ssl", "sqlite3"}


def imported(statement: str) -> set[str]:
    """Run a statement in a Python of its own, and name the modules that were imported then, parents included."""
    words = f"import sys; before = set(sys.modules); {statement}; print(*(set(sys.modules) - before), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def top(modules: set[str]) -> set[str]:
    """Name the packages that modules are in."""
    return {module.partition(".")[0] for module in modules}


def test_importing_the_provider_imports_nothing_heavy() -> None:
    """Verifying is loaded when a provider is initialised; 150 ms are the budget of the import."""
    modules = imported("import flagseal.provider, openfeature.api")
    assert "openfeature.client" in modules
    assert top(modules) & (HEAVY | SERVERS | OTHERS) == set()
    assert not {module for module in modules if module.startswith(("flagseal.snapshot", "flagseal.history"))}


@pytest.mark.parametrize(("statement", "most"), [("import flagseal", {"flagseal"}), ("import flagseal.provider", None)])
def test_importing_the_library_imports_only_itself(statement: str, most: set[str] | None) -> None:
    """And the provider, of what is not Python's own, the SDK."""
    foreign = top(imported(statement)) - sys.stdlib_module_names - {"__future__"}
    assert foreign == (most or {"flagseal", "openfeature"})


def test_importing_the_evaluation_imports_no_openfeature_and_no_files() -> None:
    """Whoever wants a FlagSet alone gets it alone."""
    modules = imported("import flagseal.evaluation")
    assert top(modules) & (HEAVY | SERVERS | OTHERS | {"openfeature"}) == set()
    assert not modules & {"json.tool", "ssl", "subprocess", "asyncio", "tempfile"}


def bare() -> set[str]:
    """Name the distributions that the bare install brings: the dependencies without extras, and theirs."""
    wanted, found = [Requirement("flagseal")], set[str]()
    while wanted:
        requirement = wanted.pop()
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        mark = f"{name}[{','.join(sorted(requirement.extras))}]"
        if mark in found:
            continue
        found |= {mark, name}
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:  # for another system or Python
            continue
        for text in needs:
            need = Requirement(text)
            extras = requirement.extras or {""}
            if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras):
                wanted.append(need)
    return {name for name in found if "[" not in name}


def test_the_bare_install_has_no_server_no_kopf_and_no_git() -> None:
    """By what its dependencies, and theirs, say."""
    names = bare()
    assert {"tuf", "openfeature-sdk", "mmh3"} <= names
    assert names & {"kopf", "kubernetes", "gitpython", "pyyaml", "starlette", "uvicorn", "grpcio", "click"} == set()


APPLICATION = """
import json, sys
from importlib.machinery import PathFinder

hidden = set(json.loads(sys.argv[3]))

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"{name} is not installed", name=name)
        return None

sys.meta_path.insert(0, Hide())

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from flagseal.provider import FlagsealProvider

api.set_provider_and_wait(FlagsealProvider(sys.argv[1], root=sys.argv[2]))
client = api.get_client()
print(client.get_boolean_value("new-checkout", False, EvaluationContext("u1", {"org": "acme"})))
print(client.get_boolean_value("new-checkout", True, EvaluationContext("u1", {"org": "globex"})))
api.shutdown()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_an_application_runs_with_nothing_but_the_bare_install(tmp_path: Path) -> None:
    """Everything else that is installed here is hidden from it; it verifies in full, and evaluates."""
    world = World(tmp_path, clock=Clock(datetime.now(UTC)))
    world.publish()
    (tmp_path / "root.json").write_bytes(world.root)
    kept = bare()
    hidden = sorted(
        module
        for module, owners in packages_distributions().items()
        if not {re.sub(r"[-_.]+", "-", owner).lower() for owner in owners} & kept
    )
    hidden += ["flagseal_cli", "flagseal_operator", "flagseal_relay", "flagseal_validators"]
    assert {"git", "starlette", "yaml"} <= set(hidden)
    done = subprocess.run(
        [sys.executable, "-c", APPLICATION, str(world.directory.path), str(tmp_path / "root.json"), json.dumps(hidden)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    on, off, modules = done.stdout.splitlines()
    assert (on, off) == ("True", "False")
    assert set(json.loads(modules)) & (SERVERS | OTHERS) == set()
