"""Flags at the end of their lives, on the double; each run begins as a fresh process does."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flagseal.model.policy_set import load_policies
from flagseal.repository import FlagRepository
from flagseal.repository.sharing import Remote
from flagseal_validators.forge.github.asking import Asker
from flagseal_validators.retirement.ages import ages
from flagseal_validators.retirement.bot import Bot, Outcome
from flagseal_validators.retirement.branches import Branches
from flagseal_validators.retirement.looking import subjects
from flagseal_validators.retirement.stepping import Due, due
from tests.forge.desk import desk
from tests.forge.github import clean_environment
from tests.forge.world import World, company
from tests.history.company import flag

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pytest

    from flagseal.model.document import Document
    from flagseal_validators.retirement.references import Reference
    from tests.forge.github import Pull

TODAY = "2026-11-23"
"""The double's day."""
EVERYWHERE = {"production": {"default": "enabled"}, "staging": {"default": "enabled"}}


def ending(name: str, expires: str = "2026-11-20", **more: Any) -> Document:  # noqa: ANN401 (parts of a spec)
    """Give a flag that is on for everybody and has an end."""
    return flag(name, expires=expires, **({**EVERYWHERE} | more))


class Killed(BaseException):
    """The process was ended."""


@dataclass
class Mortal:
    """Ends a process after so many writes; -1 for never."""

    left: int = -1
    written: int = 0

    def count(self) -> None:
        """Count a write that has just happened."""
        self.written += 1
        self.left -= 1
        if self.left == 0:
            raise Killed


def mortal(patch: pytest.MonkeyPatch) -> Mortal:
    """Count every write of a process, over HTTP and by git."""
    life = Mortal()
    send, push = Asker.send, Remote.push_leased

    def sent(self: Asker, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        answer = send(self, *arguments, **options)
        life.count()
        return answer

    def pushed(self: Remote, updates: Any) -> Any:  # noqa: ANN401
        refused = push(self, updates)
        life.count()
        return refused

    patch.setattr(Asker, "send", sent)
    patch.setattr(Remote, "push_leased", pushed)
    return life


@dataclass
class Bench:
    """The company, with a clone of the bot's own."""

    world: World
    references: Mapping[str, tuple[Reference, ...]] | None = field(default_factory=dict)

    @property
    def clone(self) -> Path:
        """The bot's clone."""
        return self.world.path / "bot"

    def found(self, git: FlagRepository, commit: str) -> list[Due]:
        """Look at every flag."""
        documents, findings = git.documents(commit)
        assert findings == ()
        now = self.world.github.now
        every = subjects(documents, now=now, ages=ages(git.git, commit, "flags"), references=self.references)
        policy = load_policies(documents).lifecycle
        return [due(subject, now.date(), policy) for subject in every]

    def run(self, limit: int = 50) -> dict[str, Outcome]:
        """Let the bot do what is due."""
        if not self.clone.exists():
            subprocess.run(
                ["git", "clone", "--quiet", self.world.repo.url, str(self.clone)], env=clean_environment(), check=True
            )
        git = FlagRepository(self.clone)
        branches = Branches(git, Remote(git.git, "origin"), "main")
        commit = branches.fetch()
        policies = load_policies(git.documents(commit)[0])
        bot = Bot(desk(self.world), branches, policies, lambda: self.world.github.now)
        return {it.flag: it for it in bot.run(self.found(git, commit), limit)}

    def done(self, limit: int = 50) -> dict[str, str]:
        """Let the bot do what is due; give what became of each flag."""
        return {name: outcome.done for name, outcome in self.run(limit).items()}

    @property
    def pulls(self) -> list[Pull]:
        """Every pull request."""
        return [pull for pull in self.world.repo.pulls.values() if pull.head.startswith("flagseal/")]

    @property
    def issues(self) -> list[Pull]:
        """Every issue."""
        return [issue for issue in self.world.repo.pulls.values() if not issue.head]

    @property
    def branches(self) -> dict[str, str]:
        """The bot's branches there, with their commits."""
        rows = self.world.repo.git("for-each-ref", "--format=%(refname:lstrip=3) %(objectname)", "refs/heads/flagseal")
        return dict(row.split(" ") for row in rows.splitlines())

    def file(self, branch: str, path: str) -> str:
        """Read a file there."""
        return self.world.repo.git("show", f"{branch}:{path}")

    def writes(self) -> int:
        """Count what was written over HTTP."""
        return sum(it.method != "GET" and it.template != "/graphql" for it in self.world.server.exchanges)


@contextmanager
def bench(path: Path, *flags: Document) -> Iterator[Bench]:
    """Found the company with flags at their end."""
    with company(path, *flags) as world:
        yield Bench(world)
