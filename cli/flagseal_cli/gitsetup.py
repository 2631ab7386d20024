"""Set a flag repository's git up: signed commits, notes that travel, nothing of ours in the index."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flagseal.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BRANCH = "main"
NOTES_REF = "refs/notes/flagseal"


def run_git(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run git in a folder and give what it printed.

    Raises:
        UsageError: git is missing or refused.
    """
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, **(environment or {})},
        )
    except FileNotFoundError:
        raise UsageError("git is not installed", code="NoGit", remedy="Install git with ssh-keygen.") from None
    except subprocess.CalledProcessError as error:
        raise UsageError(f"git {arguments[0]} in {folder}: {error.stderr.strip()}", code="GitFailed") from None
    return done.stdout.strip()


def generate_ssh_key(path: Path, comment: str) -> str:
    """Generate an ed25519 key pair with ``ssh-keygen`` and give its public line.

    Raises:
        UsageError: OpenSSH's ssh-keygen is missing or refused.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)],
            check=True,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
    except FileNotFoundError:
        raise UsageError("ssh-keygen is not installed", code="NoSshKeygen", remedy="Install OpenSSH.") from None
    except subprocess.CalledProcessError as error:
        raise UsageError(f"ssh-keygen for {path}: {error.stderr.strip()}", code="SshKeygenFailed") from None
    return path.with_name(path.name + ".pub").read_text("utf-8").strip()


def initialise(folder: Path) -> None:
    """Make a git repository whose notes travel with fetches and merge line by line."""
    folder.mkdir(parents=True, exist_ok=True)
    run_git(folder, "init", "--quiet", f"--initial-branch={BRANCH}")
    run_git(folder, "config", "notes.flagseal.mergeStrategy", "cat_sort_uniq")


def sign_commits_as(folder: Path, *, name: str, email: str, key: Path) -> None:
    """Give the repository an identity of its own whose commits are signed with an SSH key."""
    run_git(folder, "config", "user.name", name)
    run_git(folder, "config", "user.email", email)
    sign_commits_with(folder, str(key))


def sign_commits_with(folder: Path, key: str) -> None:
    """Have git sign the repository's commits with an SSH key, as ``user.signingkey`` names it."""
    for setting, value in {
        "user.signingkey": key,
        "gpg.format": "ssh",
        "commit.gpgsign": "true",
        "tag.gpgsign": "true",
    }.items():
        run_git(folder, "config", setting, value)


def commit_everything(folder: Path, message: str) -> str:
    """Commit all files and give the commit's id."""
    run_git(folder, "add", "--all")
    run_git(folder, "commit", "--quiet", "--message", message)
    return run_git(folder, "rev-parse", "HEAD")


def refuse_unless_empty(folder: Path) -> None:
    """Leave a folder that already holds something alone.

    Raises:
        UsageError: It is a file, or not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: exists and is not empty", code="NotEmpty", remedy="Name a new folder.")


@contextmanager
def built_whole(folder: Path) -> Iterator[Path]:
    """Give a folder beside the wanted one to build in; it takes its place at the end, or nothing is left.

    Raises:
        UsageError: The wanted folder is in use.
    """
    refuse_unless_empty(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield building
        if folder.exists():
            folder.rmdir()
        building.rename(folder)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise
    folder.chmod(0o755)
