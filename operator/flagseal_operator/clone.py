"""A bare clone of somebody else's repository: fetched over a network, and read by :class:`FlagRepository` alone.

The only place at which git is allowed a transport. What it may not do meanwhile: follow a redirect (the password would
go with it), run a hook, a helper or a submodule, read the configuration of this machine, ask anybody anything, or take
longer than it is given. A password is read by git from its file; it is in no argument, URL or message.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import signal
import subprocess
from typing import TYPE_CHECKING, Final

import git

from flagseal.model.errors import RepositoryError
from flagseal.model.schema.cluster import GIT_URL
from flagseal.model.schema.vocabulary import DNS_LABEL
from flagseal.repository import FlagRepository
from flagseal.repository.notes import NOTES_REF

if TYPE_CHECKING:
    from pathlib import Path

FETCH_SECONDS: Final = 120.0
_SETTINGS: Final = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "credential.helper=",
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    "protocol.file.allow=always",
)
_BASIC: Final = (
    'credential.helper=!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n"'
    ' "$(cat "$FLAGSEAL_CREDENTIALS/username")" "$(cat "$FLAGSEAL_CREDENTIALS/password")"; }; f'
)
_NOTES: Final = "refs/notes/origin"
_LONGEST_WORDS: Final = 400


class Clone:
    """Keep one clone up to date.

    Args:
        folder: Where clones lie; each has a folder of its own in it, which is made anew if it is lost.
        url: As a FlagRepository names it.
        ref: The protected branch, by trust.json.
        credentials: The folder of a mounted Secret (``username`` and ``password``, ``ca.crt`` with them or alone, or
            ``ssh-privatekey`` and ``known_hosts``); None for none.

    Raises:
        RepositoryError: ``UrlRefused``.
    """

    def __init__(self, folder: Path, url: str, ref: str, credentials: Path | None = None) -> None:
        if not re.fullmatch(GIT_URL, url) or "\n" in url:
            raise RepositoryError(
                "The URL is none that is fetched from.",
                code="UrlRefused",
                remedy="Write https://…, ssh://user@host/… or file:///…, without a password.",
            )
        self._url, self._ref, self._credentials = url, ref, credentials
        self.path = folder / hashlib.sha256(f"{url}\n{ref}".encode()).hexdigest()[:24]
        self._repository: FlagRepository | None = None

    @property
    def repository(self) -> FlagRepository:
        """Read what was fetched; the same object as long as the clone lives, since it remembers what it parsed."""
        if self._repository is None:
            self._repository = FlagRepository(self.path)
        return self._repository

    @property
    def exists(self) -> bool:
        """Whether anything was ever fetched."""
        return (self.path / "fetched").exists()

    def state(self) -> str:
        """Give a text that changes when the branch or any note moves; costs one call of git."""
        return self.repository.git.text("for-each-ref", "--format=%(objectname) %(refname)")

    def fetch(self, seconds: float = FETCH_SECONDS) -> None:
        """Fetch the branch and the notes; the branch goes where the remote has it, which says nothing about trust.

        Raises:
            RepositoryError: ``FetchFailed``, ``FetchTooSlow``, ``CredentialsMissing``; what was there stays.
        """
        if not (self.path / "HEAD").exists():
            self.path.mkdir(parents=True, exist_ok=True)
            self._run(seconds, "init", "--quiet", "--bare", "--template=", str(self.path))
            self._run(seconds, f"--git-dir={self.path}", "symbolic-ref", "HEAD", self._ref)
        # What somebody put there once (`flagseal/x`) would stand in the way of the real notes for ever. Those stay,
        # even where they are gone from the remote: what was approved there needs no second approval.
        self.repository.git.drop_refs(f"{_NOTES}/", but=f"{_NOTES}/flagseal")
        # A pattern: a plain name that the remote does not have yet would fail the fetch. Nothing below the notes:
        # it has no place beside those that stay.
        specs = (f"+{self._ref}:{self._ref}", f"+{NOTES_REF}*:{_NOTES}/flagseal*", f"^{NOTES_REF}/*")
        options = ("--quiet", "--no-tags", "--no-auto-gc", "--no-write-fetch-head", "--no-recurse-submodules")
        self._run(seconds, f"--git-dir={self.path}", "fetch", *options, "--", self._url, *specs)
        (self.path / "fetched").touch()

    def _run(self, seconds: float, *words: str) -> None:
        settings, environment = self._access()
        command = ["git", "--no-pager", *(word for it in settings for word in ("-c", it)), *words]
        try:
            process = git.cmd.Git().execute(
                command, as_process=True, istream=subprocess.DEVNULL, env=environment, shell=False,
                start_new_session=True,
            )  # fmt: skip
        except git.GitCommandNotFound as error:
            raise RepositoryError("git is not on the PATH.", code="GitMissing", remedy="Install git.") from error
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            # Its helpers as well: they hold the connection.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise RepositoryError(
                f"{self._url} was not fetched within {seconds:.0f} seconds.",
                code="FetchTooSlow",
                remedy="It is tried again; look after the network if it stays so.",
            ) from None
        if process.returncode != 0:
            words_said = " ".join(said.decode("utf-8", "replace").split())[:_LONGEST_WORDS]
            raise RepositoryError(
                f"{self._url} was not fetched: {words_said or process.returncode}",
                code="FetchFailed",
                remedy="It is tried again; look after the URL, its credentials and its host key if it stays so.",
            )

    def _access(self) -> tuple[tuple[str, ...], dict[str, str]]:
        environment = {
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "/bin/false",
            "SSH_ASKPASS": "/bin/false",
            "GIT_ALLOW_PROTOCOL": "https:ssh:file",
            "GIT_PROTOCOL_FROM_USER": "0",
            "GIT_SSH_COMMAND": _ssh(None),
        }
        folder = self._credentials
        if folder is None:
            return _SETTINGS, environment
        if (folder / "ssh-privatekey").is_file():
            return _SETTINGS, environment | {"GIT_SSH_COMMAND": _ssh(folder)}
        # In the place of the machine's authorities; a setting would give way to the environment of this process.
        own = {"GIT_SSL_CAINFO": str(folder / "ca.crt")} if (folder / "ca.crt").is_file() else {}
        whole = [(folder / name).is_file() for name in ("username", "password")]
        if all(whole):
            return (*_SETTINGS, _BASIC), environment | own | {"FLAGSEAL_CREDENTIALS": str(folder)}
        if own and not any(whole):
            return _SETTINGS, environment | own
        raise RepositoryError(
            f"The credentials {folder.name!r} are not there, or are not whole.",
            code="CredentialsMissing",
            remedy="Mount a Secret with username and password (and ca.crt), or ssh-privatekey and known_hosts, below"
            " --credentials.",
        )


def credentials_folder(root: Path | None, name: str | None) -> Path | None:
    """Find the folder of credentials that a FlagRepository names; None where it names none.

    Raises:
        RepositoryError: ``CredentialsMissing``: there is no such folder, or no ``--credentials`` at all.
    """
    if name is None:
        return None
    if root is None or not re.fullmatch(DNS_LABEL, name) or "\n" in name:
        raise RepositoryError(
            f"The credentials {name!r} cannot be found.",
            code="CredentialsMissing",
            remedy="Run the operator with --credentials, and name a folder in it.",
        )
    return root / name


def _ssh(folder: Path | None) -> str:
    options = ["-F", "/dev/null", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "IdentitiesOnly=yes"]
    if folder is not None:
        options += ["-i", str(folder / "ssh-privatekey"), "-o", f"UserKnownHostsFile={folder / 'known_hosts'}"]
    return shlex.join(["ssh", *options])
