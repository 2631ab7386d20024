"""A company whose flag repository is on the double: people, accounts, a protected branch, an attestor's key."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from github import Auth
from securesystemslib.signer import CryptoSigner

from flagseal.approval.trust import Attestor, Genesis, Trust
from flagseal.history import Head, Manifest, genesis
from flagseal.intake import advance
from flagseal.repository import FlagRepository
from flagseal_validators.attestor import Attestation, attest, sign
from flagseal_validators.forge.github import Access, GitHubForge, open_github
from tests.forge.description import Description
from tests.forge.github import GitHub, Pull, Repository, User, clean_environment
from tests.forge.server import TOKEN, Server
from tests.history.branch import path_of, text_of
from tests.history.company import PEOPLE, document, flag, organisation, policies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.document import Document
    from flagseal_validators.attestor import RequestSource
    from flagseal_validators.forge.facts import Facts

MANIFEST = Path(__file__).parent / "openapi"
CACHE = Path(__file__).parents[2] / ".cache" / "github-openapi"
GITHUB_OPENAPI = "GITHUB_OPENAPI"
"""Where GitHub's description (``api.github.com.json``) lies; if it is not set, npm installs it into the cache."""

CODEOWNERS = """\
*                 @acme/security
/flags/payments/  @acme/team-payments
/flags/search/    @acme/team-search
/policies/        @acme/security
/.github/         @acme/security
"""
YESTERDAY = datetime.now(UTC) - timedelta(days=1)
"""When a company is founded that commands look at, which go by the machine's own clock."""
ACCOUNTS = {name: number for number, name in enumerate(PEOPLE, start=101)}


@functools.cache
def described() -> Description | str:
    """Give GitHub's description of its API, or say in one line why it cannot be had."""
    named = os.environ.get(GITHUB_OPENAPI)
    if named:
        return Description(Path(named))
    lock = MANIFEST / "package-lock.json"
    place = CACHE / hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    place.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # Tests run in several processes.
        found = place / "node_modules/@octokit/openapi/generated/api.github.com.json"
        if not (place / "installed").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(MANIFEST / name, place)
            words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            try:
                done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=180, check=False)
                said = "" if done.returncode == 0 else (done.stdout + done.stderr).strip()[-200:]
            except (OSError, subprocess.TimeoutExpired) as error:
                said = str(error)
            if said or not found.is_file():
                return f"{GITHUB_OPENAPI}: npm cannot install GitHub's description of its API: {' '.join(said.split())}"
            (place / "installed").touch()
    return Description(found)


def lasting(name: str) -> Document:
    """Give a flag that lives for two months from today."""
    return flag(name, expires=f"{YESTERDAY + timedelta(days=61):%Y-%m-%d}")


def forge_policies(**changed: Any) -> tuple[Document, ...]:  # noqa: ANN401 (parts of the organisation)
    """Give the company's policies, with accounts in the forge."""
    people = {
        name: {**person, "github": {"login": f"{name}-gh", "id": ACCOUNTS[name]}}
        for name, person in organisation()["people"].items()
    }
    return policies(**({"people": people} | changed))


@dataclass
class World:
    """The company, its repository on the double, and what an attestor has.

    Attributes:
        clone: A working clone, of whoever works.
        local: What the attestor reads: fetched from the double's bare repository.
    """

    path: Path
    server: Server
    github: GitHub
    repo: Repository
    trust: Trust
    head: Head
    signer: CryptoSigner
    slept: list[float] = field(default_factory=list)

    @property
    def clone(self) -> Path:
        """Where people work."""
        return self.path / "clone"

    @property
    def local(self) -> FlagRepository:
        """What the attestor reads."""
        return FlagRepository(self.repo.path)

    def user(self, name: str) -> User:
        """Give a person's account."""
        return self.github.users[f"{name}-gh"]

    # people at work

    def branch(self, name: str, start: str = "origin/main") -> None:
        """Begin a branch at what main is now."""
        run(self.clone, "fetch", "--quiet", "origin")
        run(self.clone, "checkout", "--quiet", "-B", name, start)

    def commit(
        self, *documents: Document, by: str = "bob", message: str = "change", email: str = "",
        files: dict[str, str | None] | None = None,
    ) -> str:  # fmt: skip
        """Commit documents and other files to the branch that is checked out, as somebody by their address."""
        written = {path_of(document): text_of(document) for document in documents}
        for name, text in {**written, **(files or {})}.items():
            target = self.clone / name
            if text is None:
                target.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
        run(self.clone, "add", "--all")
        who = {"NAME": by, "EMAIL": email or f"{by}@example.com"}
        at = {f"GIT_{role}_DATE": self.github.now.isoformat() for role in ("AUTHOR", "COMMITTER")}
        named = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER") for part, value in who.items()}
        run(self.clone, "commit", "--quiet", "--allow-empty", "-m", message, **named, **at)
        return run(self.clone, "rev-parse", "HEAD")

    def push(self, branch: str, by: str = "bob", *, force: bool = False) -> str:
        """Push what is checked out."""
        return self.repo.push(self.user(by), self.clone, "HEAD", branch, force=force)

    def propose(
        self, *documents: Document, by: str = "bob", branch: str = "change", message: str = "change",
        files: dict[str, str | None] | None = None,
    ) -> Pull:  # fmt: skip
        """Commit to a fresh branch, push it and open a request."""
        self.branch(branch)
        self.commit(*documents, by=by, message=message, files=files)
        self.github.wait(minutes=1)
        self.push(branch, by)
        self.github.wait(minutes=1)
        return self.repo.open(self.user(by), branch)

    def approve(self, pull: Pull, *people: str) -> None:
        """Approve a request as it is, one after another."""
        for name in people:
            self.github.wait(minutes=1)
            self.repo.review(pull, self.user(name))

    def merge(self, pull: Pull, by: str = "carol", method: str = "merge") -> str:
        """Merge by the button."""
        self.github.wait(minutes=1)
        return self.repo.merge(pull, self.user(by), method)

    def landed(
        self,
        *documents: Document,
        approved: tuple[str, ...] = ("alice", "dora"),
        method: str = "merge",
        **how: Any,  # noqa: ANN401 (as propose)
    ) -> Pull:
        """Propose, approve and merge."""
        pull = self.propose(*documents, **how)
        self.approve(pull, *approved)
        self.merge(pull, method=method)
        return pull

    def plant(self, path: str, data: bytes | None, *, mode: str = "100644", message: str = "change") -> None:
        """Commit one path past the working tree, which need not be able to hold it; None removes it."""
        index = {"GIT_INDEX_FILE": str(self.path / "planted")}
        run(self.clone, "read-tree", "HEAD", **index)
        if data is None:
            run(self.clone, "update-index", "--force-remove", path, **index)
        else:
            (self.path / "blob").write_bytes(data)
            blob = run(self.clone, "hash-object", "-w", "--no-filters", str(self.path / "blob"))
            run(self.clone, "update-index", "--add", "--cacheinfo", f"{mode},{blob},{path}", **index)
        tree = run(self.clone, "write-tree", **index)
        at = {f"GIT_{role}_DATE": self.github.now.isoformat() for role in ("AUTHOR", "COMMITTER")}
        named = {f"GIT_{role}_EMAIL": "bob@example.com" for role in ("AUTHOR", "COMMITTER")}
        commit = run(self.clone, "commit-tree", tree, "-p", "HEAD", "-m", message, **named, **at)
        run(self.clone, "reset", "--quiet", "--soft", commit)

    # the attestor

    def forge(self) -> GitHubForge:
        """Open the double as the attestor does; nothing ever sleeps."""
        access = Access(self.server.url, Auth.Token(TOKEN))
        # The double's time goes on: its clock is asked each time.
        now = self.github
        asker = open_github(access, clock=lambda: now.now.timestamp(), sleep=self.slept.append)  # noqa: PLW0108
        return GitHubForge(asker, self.repo.full_name, clock=lambda: self.github.now + timedelta(minutes=1))

    def attest(self, revision: str = "main", *, source: RequestSource | None = None) -> Attestation:
        """Judge what is on the branch."""
        now = self.github.now + timedelta(minutes=2)
        return attest(self.local, self.head, self.trust, source or self.forge(), revision, now=now)

    def failed(self, revision: str = "main", *, source: RequestSource | None = None) -> dict[str, str]:
        """Give the checks that fail, with their reasons; each has a remedy."""
        found = self.attest(revision, source=source)
        assert all(check.remedy for check in found.failed)
        reasons: dict[str, str] = {}
        for check in found.failed:
            reasons[check.id] = "; ".join(filter(None, (reasons.get(check.id), check.reason)))
        return reasons

    def accept(self, revision: str = "main") -> Head:
        """Attest, sign, note, and accept as an operator does."""
        found = self.attest(revision)
        self.local.add_note(found.commit, sign(found, self.signer).to_line())
        return self.poll()

    def poll(self) -> Head:
        """Accept what can be accepted, as an operator does."""
        moved = advance(self.local, self.head, self.trust, now=self.github.now + timedelta(minutes=3))
        self.head = moved.head
        return moved.head

    def facts(self, pull: Pull) -> Facts:
        """Read a request's facts."""
        return self.forge().facts(pull.number)


def run(folder: Path, *words: str, **environment: str) -> str:
    """Run git in a clone."""
    done = subprocess.run(
        ["git", *words], cwd=folder, env=clean_environment() | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"git {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


@contextmanager
def company(
    path: Path,
    *documents: Document,
    page: int = 100,
    codeowners: str = CODEOWNERS,
    organisation_with: dict[str, Any] | None = None,
    approvals: dict[str, Any] | None = None,
    now: datetime | None = None,
) -> Iterator[World]:
    """Found the company: genesis on main, protection, an attestor's key; at the end, check every exchange.

    What runs by the machine's own clock, as commands do, needs a company of today.
    """
    github = GitHub(path / "hub") if now is None else GitHub(path / "hub", now.replace(microsecond=0))
    acme = github.user("acme", 42, kind="Organization")
    for name, number in ACCOUNTS.items():
        github.user(f"{name}-gh", number, f"{name}@example.com")
    repo = github.repository("acme", "flags", 4711)
    clone = path / "clone"
    run(path, "init", "--quiet", "--initial-branch=main", str(clone))
    run(clone, "remote", "add", "origin", repo.url)
    governed = {
        entry.subject: entry for entry in (*forge_policies(**(organisation_with or {})), *(documents or (flag(),)))
    }
    if approvals is not None:
        rows = document("ApprovalPolicy", "approvals", approvals)
        governed[rows.subject] = rows
    start = tuple(governed.values())
    for entry in start:
        target = clone / path_of(entry)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text_of(entry))
    (clone / ".github").mkdir()
    (clone / ".github/CODEOWNERS").write_text(codeowners)
    run(clone, "add", "--all")
    at = github.now.isoformat()
    run(clone, "commit", "--quiet", "-m", "genesis", GIT_AUTHOR_DATE=at, GIT_COMMITTER_DATE=at)
    commit = repo.push(acme, clone, "HEAD", "main")
    repo.protect()
    github.wait(minutes=5)
    signer = CryptoSigner(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"attestor").digest()))
    trust = Trust(
        repository_id="github:4711",
        repository_name="acme/flags",
        ref="refs/heads/main",
        environment="production",
        genesis=Genesis(commit, Manifest.of({entry.subject: entry for entry in start}).digest),
        attestors=(Attestor(signer.public_key),),
    )
    with Server(github, page=page) as server:
        yield World(path, server, github, repo, trust, genesis(trust, start), signer)
        found = described()
        if isinstance(found, Description):
            problems = [problem for exchange in server.exchanges for problem in found.problems(exchange)]
            assert not problems, problems
