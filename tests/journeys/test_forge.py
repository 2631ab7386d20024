"""From an empty folder to an answer that changed, with GitHub in between, and to a flag that is gone."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from flagseal.repository import NOTES_REF
from flagseal_cli.gitsetup import generate_ssh_key
from tests.forge.description import Description
from tests.forge.github import GitHub, Pull, Repository
from tests.forge.server import TOKEN, Server
from tests.forge.world import described
from tests.journeys.harness import FLAGSEAL, Ran, Up, run
from tests.workflows.runner import Ran as Step
from tests.workflows.runner import Runner, after_run, on_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PEOPLE = {"ann": 101, "ben": 102, "cleo": 103}
MAIN = "refs/heads/main"
BOT = 900
FLAG = "flags/example/hello-world.yaml"
OLD = "flags/example/old-banner.yaml"
OFF, ON = "production:\n      default: disabled", "production:\n      default: enabled"


@dataclass
class Company:
    """Three people, their repository on GitHub, and what each of their machines has."""

    path: Path
    home: Path
    github: GitHub
    repo: Repository
    server: Server

    @property
    def clone(self) -> Path:
        """Give where Ann works."""
        return self.path / "clone"

    @property
    def serving(self) -> Path:
        """Give where ``flagseal up`` runs."""
        return self.path / "serving"

    def git(self, *words: str, at: Path | None = None) -> str:
        """Run git as Ann, who signs nothing."""
        who = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgsign=false")
        done = run("git", *who, *words, cwd=at or self.clone, home=self.home)
        assert done.code == 0, done.err
        return done.out.strip()

    def flagseal(self, *words: str, at: Path | None = None) -> Ran:
        """Run a command as a job does, with access to GitHub."""
        access = {"FLAGSEAL_GITHUB_API": self.server.url, "FLAGSEAL_GITHUB_TOKEN": TOKEN}
        return run(FLAGSEAL, *words, cwd=at or self.clone, home=self.home, **access)

    def propose(self, branch: str, changed: str) -> Pull:
        """Push the flag's new text on a branch of its own, and open a request."""
        self.git("fetch", "--quiet", "origin")
        self.git("checkout", "--quiet", "-B", branch, "origin/main")
        self.push(branch, changed)
        self.github.wait(minutes=1)
        return self.repo.open(self.github.users["ann-gh"], branch, title=branch)

    def push(self, branch: str, changed: str) -> None:
        """Commit the flag's new text, and push it."""
        (self.clone / FLAG).write_text(changed)
        self.git("commit", "--quiet", "-am", branch)
        self.github.wait(minutes=1)
        self.repo.push(self.github.users["ann-gh"], self.clone, "HEAD", branch)

    def land(self, pull: Pull, method: str) -> None:
        """Let Ben and Cleo approve, and merge."""
        for person in ("ben", "cleo"):
            self.github.wait(minutes=1)
            self.repo.review(pull, self.github.users[f"{person}-gh"])
        self.github.wait(minutes=1)
        self.repo.merge(pull, self.github.users["cleo-gh"], method)

    def check(self, pull: Pull) -> Step:
        """Run what the request's own workflow checks."""
        ran = on_request(self, pull, self.path).job(self.workflow("check", f"refs/pull/{pull.number}/merge"), "gate")
        assert ran is not None
        return ran[-1]

    def comment(self, pull: Pull) -> str:
        """Run what speaks for the request afterwards, and give the one comment that stands there."""
        ran = after_run(self, pull, self.path).job(self.workflow("comment"), "plan")
        assert ran is not None
        assert ran[-1].status == 0, ran[-1].output
        [said] = [comment.body for comment in self.repo.comments if comment.number == pull.number]
        return said

    def attest(self) -> Step:
        """Run what asks after a merge, and what was asked, in its own repository."""
        secrets = {"FLAGSEAL_ATTESTOR_TOKEN": TOKEN}
        asking = Runner(self, self.repo, "push", {}, MAIN, self.path, secrets, {"FLAGSEAL_ATTESTOR": "acme/attestor"})
        assert asking.job(self.workflow("approve"), "ask") is not None
        attestor = self.github.repositories["acme/attestor"]
        assert attestor.started.pop() == ("attest.yaml", "main")
        secrets = {"FLAGSEAL_ATTESTOR_KEY": (self.path / "attestor.pem").read_text(), "FLAGSEAL_APP_KEY": "the App's"}
        asked = Runner(self, attestor, "workflow_dispatch", {}, MAIN, self.path, secrets)
        ran = asked.job(attestor.git("show", f"{MAIN}:.github/workflows/attest.yaml"), "attest")
        assert ran is not None
        return ran[-1]

    def workflow(self, name: str, ref: str = MAIN) -> str:
        """Read a workflow as the runner does: from the commit that it runs at."""
        return self.repo.git("show", f"{ref}:.github/workflows/{name}.yaml")

    def deliver(self) -> None:
        """Fetch where flags are served: the branch and its notes."""
        self.git(
            "fetch",
            "--quiet",
            "origin",
            f"+{NOTES_REF}:{NOTES_REF}",
            "+refs/heads/main:refs/remotes/origin/main",
            at=self.serving,
        )
        self.git("merge", "--quiet", "--ff-only", "origin/main", at=self.serving)


@pytest.fixture
def company(tmp_path: Path) -> Iterator[Company]:
    """Found it by the commands of docs/github.md; at the end, hold every exchange against GitHub's description."""
    home, keys = tmp_path / "home", tmp_path / "keys"
    home.mkdir()
    github = GitHub(tmp_path / "hub", datetime.now(UTC).replace(microsecond=0) - timedelta(hours=6))
    acme = github.user("acme", 42, kind="Organization")
    for name, number in PEOPLE.items():
        github.user(f"{name}-gh", number, f"{name}@example.com")
        generate_ssh_key(keys / name, name)
    github.me = github.user("acme-flags[bot]", BOT, kind="Bot")
    repo = github.repository("acme", "flags", 4711)
    with Server(github) as server:
        made = Company(tmp_path, home, github, repo, server)
        begin(made, keys)
        repo.push(acme, made.clone, "HEAD", "main")
        repo.protect()
        github.wait(minutes=5)
        found(made)
        yield made
        described_by = described()
        if isinstance(described_by, Description):
            problems = [problem for exchange in server.exchanges for problem in described_by.problems(exchange)]
            assert not problems, problems


def begin(company: Company, keys: Path) -> None:
    """Write the repository, name its people, and commit it."""
    asked = ("--person", "ann", "--key", str(keys / "ann.pub"))
    done = run(FLAGSEAL, "init", company.clone, *asked, cwd=company.path, home=company.home)
    assert done.code == 0, done.err
    path = company.clone / "policies/organisation.yaml"
    organisation = yaml.safe_load(path.read_text())
    spec = organisation["spec"]
    for name, number in PEOPLE.items():
        key = (keys / f"{name}.pub").read_text().strip()
        spec["people"][name] = {"name": name.title(), "keys": [key], "github": {"login": f"{name}-gh", "id": number}}
    spec["people"]["bot"] = {"name": "Ends flags", "github": {"login": "acme-flags[bot]", "id": BOT}}
    spec["teams"]["team-example"]["members"] = list(PEOPLE)
    spec["roles"]["security"] = {"people": ["ben", "cleo"]}
    path.write_text(yaml.safe_dump(organisation))
    owners = company.clone / ".github/CODEOWNERS"
    owners.write_text(owners.read_text().replace("@example/", "@acme/"))
    old = yaml.safe_load((company.clone / FLAG).read_text())
    old["metadata"]["name"] = "old-banner"
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    everywhere = {name: {"default": "enabled"} for name in ("staging", "production")}
    old["spec"] |= {"lifecycle": "stable", "expires": yesterday, "environments": everywhere}
    (company.clone / OLD).write_text(f"# The banner of last year.\n{yaml.safe_dump(old, sort_keys=False)}")
    company.git("remote", "add", "origin", company.repo.url)
    company.git("add", "--all")
    company.git("commit", "--quiet", "-m", "Begin")
    done = company.flagseal("validate")
    assert done.code == 0, done.out


def found(company: Company) -> None:
    """Make the attestor's key, pin it, and check out where the attestor works and where flags are served."""
    key = Ed25519PrivateKey.generate()
    private = company.path / "attestor.pem"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    private.chmod(0o600)
    public = company.path / "attestor.pub"
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    company.git("clone", "--quiet", company.repo.url, str(company.serving), at=company.path)
    pinned = ("--github", "4711:acme/flags", "--attestor", str(public))
    done = company.flagseal("trust", "init", "-e", "production", *pinned, at=company.serving)
    assert done.code == 0, done.err
    attestor = company.path / "attestor"
    done = company.flagseal("init", str(attestor), "--attestor-of", "acme/flags", at=company.path)
    assert done.code == 0, done.err
    [pinned_here] = company.serving.glob(".flagseal/up/production/store/targets/*.trust.json")
    shutil.copy(pinned_here, attestor / "trust.json")
    company.git("add", "--all", at=attestor)
    company.git("commit", "--quiet", "-m", "Begin", at=attestor)
    company.github.repository("acme", "attestor", 4712).push(company.github.users["acme"], attestor, "HEAD", "main")


def test_a_bad_flag_is_told_mended_approved_attested_and_served(company: Company) -> None:
    """Each way to merge in turn; the relay answers by what was approved and by nothing else."""
    text = (company.clone / FLAG).read_text()
    up = Up(company.serving, company.home, company.path / "up.log", ("-e", "production"))
    up.start()
    try:
        assert up.ask("hello-world", targetingKey="u1")["value"] is False
        pull = company.propose("greet", text.replace(OFF, ON.replace("enabled", "enabeld")))
        judged = company.check(pull)
        assert judged.status == 1
        assert f"::error file={FLAG},line=" in judged.output, judged.output
        assert "enabeld" in company.comment(pull)
        company.push("greet", text.replace(OFF, ON))
        assert company.check(pull).status == 0
        said = company.comment(pull)
        assert "enabeld" not in said
        assert "ben or cleo" in said, said
        for method, answer in (("merge", True), ("squash", False), ("rebase", True)):
            if not answer or method == "rebase":
                pull = company.propose(f"by-{method}", text.replace(OFF, ON) if answer else text)
            company.land(pull, method)
            done = company.attest()
            assert done.status == 0, done.output
            company.deliver()
            up.wait_for(answer, "hello-world", targetingKey="u1")
    finally:
        up.kill()


def test_a_flag_at_its_end_is_retired_and_deleted_by_the_bot_and_by_people(company: Company) -> None:
    """A step a request, each approved and attested; it is not deleted while code asks for it."""
    bot, code = company.path / "bot", company.path / "web"
    company.git("clone", "--quiet", company.repo.url, str(bot), at=company.path)
    code.mkdir()
    (code / "page.py").write_text('shown = client.get_boolean_value("old-banner", False)\n')

    def nightly() -> Ran:
        done = company.flagseal(
            "retire", "--open-pull-requests", "--github", "acme/flags", "--sources", str(code), at=bot
        )
        assert done.code == 0, done.err
        company.repo.notice(company.github.me)
        company.github.wait(minutes=1)
        return done

    def merged() -> None:
        (pull,) = [pull for pull in company.repo.pulls.values() if pull.head and not pull.closed]
        company.land(pull, "squash")
        done = company.attest()
        assert done.status == 0, done.output
        company.deliver()

    up = Up(company.serving, company.home, company.path / "up.log", ("-e", "production"))
    up.start()
    try:
        assert up.ask("old-banner", targetingKey="u1")["value"] is True
        nightly()
        merged()
        assert "lifecycle: retired" in (company.serving / OLD).read_text()
        assert "# The banner of last year." in (company.serving / OLD).read_text()
        nightly()
        assert "page.py:1" in "".join(pull.body for pull in company.repo.pulls.values() if not pull.head)
        assert not [pull for pull in company.repo.pulls.values() if pull.head and not pull.closed]
        assert up.ask("old-banner", targetingKey="u1")["value"] is True
        (code / "page.py").write_text("shown = False\n")
        nightly()
        merged()
        up.wait_for(None, "old-banner", targetingKey="u1")
        assert up.ask("old-banner", targetingKey="u1")["errorCode"] == "FLAG_NOT_FOUND"
        assert "No debt" in company.flagseal("debt", "--sources", str(code), at=company.serving).out
    finally:
        up.kill()
