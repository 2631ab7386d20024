"""A real git repository of a test, written to with the real git."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.repository import FlagRepository
from tests.approval.keyring import SshKey

if TYPE_CHECKING:
    from pathlib import Path

FLAG = """\
apiVersion: flagseal.dev/v1alpha1
kind: FlagDefinition
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  description: Sends carts to the rewritten checkout service.
  purpose: release
  owner: team-payments
  riskTier: operational
  lifecycle: canary
  expires: "2027-03-31"
  retireWhen: On for everyone.
  variants: {{enabled: true, disabled: false}}
  safeVariant: disabled
  environments:
    production:
      default: {default}
"""


def flag(name: str = "new-checkout", namespace: str = "payments", default: str = "disabled") -> str:
    """Write a flag as a person would."""
    return FLAG.format(name=name, namespace=namespace, default=default)


@dataclass
class GitRepository:
    """One repository and the keys of those who commit to it."""

    path: Path

    @staticmethod
    def at(path: Path) -> GitRepository:
        """Make an empty repository; no configuration of the machine's user counts."""
        repository = GitRepository(path)
        path.mkdir(parents=True, exist_ok=True)
        repository.git("init", "--quiet", "--initial-branch=main")
        return repository

    def git(self, *arguments: str, stdin: str = "", check: bool = True, date: str | None = None) -> str:
        """Run git; give what it printed."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
            "HOME": str(self.path),
            "XDG_CONFIG_HOME": str(self.path / "none"),
            "GIT_CONFIG_NOSYSTEM": "1",
            **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Somebody"),
            **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "somebody@example.com"),
        }
        if date is not None:
            environment |= dict.fromkeys(("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), date)
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"git {' '.join(arguments)}: {done.stderr}")
        return done.stdout.strip()

    def put(self, files: dict[str, str | None]) -> GitRepository:
        """Write files, or remove those given as None."""
        for name, text in files.items():
            target = self.path / name
            if text is None:
                target.unlink()
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(text)
        return self

    def commit(
        self, message: str = "change", *, by: str | None = None, date: str | None = None, empty: bool = True
    ) -> str:
        """Commit everything, signed with the key of a name, or unsigned."""
        self.git("add", "--all")
        options = ["--allow-empty"] if empty else []
        self.git(*self.signing(by), "commit", "--quiet", "-m", message, *options, *self.how(by), date=date)
        return self.head()

    def merge(self, branch: str, *, by: str | None = None, strategy: str | None = None) -> str:
        """Merge a branch with a merge commit."""
        options = ["-s", strategy] if strategy else []
        self.git(
            *self.signing(by), "merge", "--quiet", "--no-ff", "-m", f"merge {branch}", *options, *self.how(by), branch
        )
        return self.head()

    def signing(self, by: str | None) -> list[str]:
        """Give git's options for a signature by a key."""
        if by is None:
            return []
        folder = self.path / ".git" / "keys"
        folder.mkdir(exist_ok=True)
        key = folder / by
        if not key.exists():
            SshKey.of(by).write(key)
        return ["-c", "gpg.format=ssh", "-c", f"user.signingkey={key}"]

    @staticmethod
    def how(by: str | None) -> list[str]:
        """Sign, or expressly not."""
        return ["-S"] if by else ["--no-gpg-sign"]

    def head(self) -> str:
        """Give the commit that is checked out."""
        return self.git("rev-parse", "HEAD")

    def open(self) -> FlagRepository:
        """Open it as Flagseal does."""
        return FlagRepository(self.path)
