"""What runs each night: its scripts run by bash, against the double and a store that was really published."""

from __future__ import annotations

import shutil
import subprocess
from base64 import b64encode
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
SECRET = "a-token-that-only-reads"


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

    def ran(self, workflow: str, job: str, **variables: str) -> list[Ran] | None:
        """Run a job on schedule, as the branch has it; give what became of each step."""
        text = self.repo.git("show", f"{MAIN}:.github/workflows/{workflow}.yaml")
        secrets = {"FLAGSEAL_BOT_APP_KEY": "a key", "FLAGSEAL_SOURCES_TOKEN": SECRET}
        return Runner(self, self.repo, "schedule", {}, MAIN, self.path, secrets, variables).job(text, job)

    def run(self, workflow: str, job: str, **variables: str) -> Ran | None:
        """Give what became of the last step that ran."""
        ran = self.ran(workflow, job, **variables)
        return None if ran is None else ran[-1]

    def source(self, name: str, number: int, file: str, text: str) -> None:
        """Make a repository of code."""
        made = self.github.repository("acme", name, number)
        blob = made.git("hash-object", "-w", "--stdin", stdin=text)
        tree = made.git("mktree", stdin=f"100644 blob {blob}\t{file}\n")
        made.git("update-ref", "refs/heads/main", made.git("commit-tree", tree, "-m", "code"))


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


def test_a_deletion_is_proposed_once_the_listed_repositories_do_not_ask_for_it(nightly: Nightly) -> None:
    """Searched by a token that is left nowhere; while code asks there is an issue, and no list is no deletion."""
    nightly.source("web", 4712, "a.ts", 'client.getBooleanValue("invoice-pdf-v1", false)\n')
    nightly.source("api", 4713, "a.py", "print(1)\n")
    for sources, obstacle in ((None, "no source tree was searched"), ("acme/api\nacme/web", "at 1 place")):
        variables = {} if sources is None else {"FLAGSEAL_SOURCES": sources}
        night = nightly.run("retire", "retire", **variables)
        assert night is not None
        assert night.status == 0, night.output
        assert [(bool(pull.head), obstacle in pull.body) for pull in nightly.repo.pulls.values()] == [(False, True)]
    night = nightly.run("retire", "retire", FLAGSEAL_SOURCES="acme/api acme/api")
    assert night is not None
    assert night.status == 0, night.output
    assert [pull.title for pull in nightly.repo.pulls.values() if pull.head] == [
        "Delete payments/invoice-pdf-v1, which is retired"
    ]
    kept = subprocess.run(["grep", "-rlF", "-e", SECRET, "-e", b64encode(f"x-access-token:{SECRET}".encode()).decode(),
                           str(nightly.path)], capture_output=True, text=True, check=False)  # fmt: skip
    assert (kept.returncode, kept.stdout) == (1, "")


@pytest.mark.parametrize("sources", ["acme/none", "acme/web/../../x", "--upload-pack=x", "web", "acme/.."])
def test_a_source_that_cannot_be_fetched_is_never_not_found(nightly: Nightly, sources: str) -> None:
    """The night ends red before anything is proposed; a name is a name and nothing else."""
    nightly.source("web", 4712, "a.py", "print(1)\n")
    ran = nightly.ran("retire", "retire", FLAGSEAL_SOURCES=f"acme/web {sources}")
    assert ran is not None
    assert [(it.name, it.status != 0) for it in ran] == [("Fetch what asks for flags", True)]
    assert nightly.repo.pulls == {}
