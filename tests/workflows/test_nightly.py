"""What runs each night: its scripts run by bash, against the double and a store that was really published."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from flagseal_cli.gitsetup import commit_everything
from flagseal_cli.main import run as flagseal
from tests.forge.description import Description
from tests.forge.github import GitHub, Repository
from tests.forge.server import Server
from tests.forge.world import described
from tests.workflows.runner import Ran, Runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAIN = "refs/heads/main"


@dataclass(frozen=True)
class Nightly:
    """The sample company on the double, served by `flagseal up` from a folder."""

    path: Path
    github: GitHub
    server: Server
    repo: Repository

    @property
    def clone(self) -> Path:
        """Where it is served from."""
        return self.path / "demo"

    @property
    def up(self) -> list[str]:
        """Give the words that publish what is to be served."""
        return ["up", "--once", "-e", "production", "--repo", str(self.clone)]

    def run(self, workflow: str, job: str, **variables: str) -> Ran | None:
        """Run a job on schedule, as the branch has it."""
        text = self.repo.git("show", f"{MAIN}:.github/workflows/{workflow}.yaml")
        ran = Runner(
            self, self.repo, "schedule", {}, MAIN, self.path, {"FLAGSEAL_BOT_APP_KEY": "a key"}, variables
        ).job(text, job)
        return None if ran is None else ran[-1]


@pytest.fixture
def nightly(tmp_path: Path) -> Iterator[Nightly]:
    """Write the sample, its workflows and its pinned root; push it, and publish."""
    github = GitHub(tmp_path / "hub")
    acme = github.user("acme", 42, kind="Organization")
    repo = github.repository("acme", "flags", 4711)
    demo = tmp_path / "demo"
    assert flagseal(["init", "--demo", str(demo)]) == 0
    assert flagseal(["forge", "workflows", "--repo", str(demo)]) == 0
    with Server(github) as server:
        made = Nightly(tmp_path, github, server, repo)
        assert flagseal(["trust", "init", "-e", "production", "--repo", str(demo)]) == 0
        shutil.copy(demo / ".flagseal/up/production/trust/root.json", demo / ".github/flagseal/root.json")
        commit_everything(demo, "Add the workflows and the root")
        repo.push(acme, demo, "HEAD", "main")
        assert flagseal(made.up) == 0
        yield made
        description = described()
        if isinstance(description, Description):
            problems = [problem for exchange in server.exchanges for problem in description.problems(exchange)]
            assert not problems, problems


def test_break_glass_is_brought_to_a_review_each_night(nightly: Nightly) -> None:
    """Nothing; then an override: one issue and one draft, red until it is reviewed, and no more of either later."""
    store = {"FLAGSEAL_STORE": str(nightly.clone / ".flagseal/up/production/store")}
    assert nightly.run("incident-review", "open") is None
    quiet = nightly.run("incident-review", "open", **store)
    assert quiet is not None
    assert (quiet.status, nightly.repo.pulls) == (0, {}), quiet.output
    asked = ["--incident", "INC-7", "--reason", "Payments fail.", "--for", "2h", "--as", "erin", "--output", "up"]
    words = ["override", "payments/new-checkout", "-e", "production", *asked, "--repo", str(nightly.clone)]
    assert flagseal(words) == 0
    assert flagseal(nightly.up) == 0
    for _ in range(2):
        night = nightly.run("incident-review", "open", **store)
        assert night is not None
        assert night.status == 1, night.output
        assert "INC-7" in night.output
        assert sorted(bool(pull.head) for pull in nightly.repo.pulls.values()) == [False, True]


def test_flags_at_their_end_are_looked_for_each_night(nightly: Nightly) -> None:
    """By the job's token, or by an App of its own where there is one; nothing is at its end, and nothing is written."""
    for variables in ({}, {"FLAGSEAL_BOT_APP_ID": "7"}):
        night = nightly.run("retire", "retire", **variables)
        assert night is not None
        assert night.status == 0, night.output
    assert not [pull for pull in nightly.repo.pulls.values() if pull.head]
