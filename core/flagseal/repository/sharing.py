"""Bringing a note to where everybody fetches it: appended to what is there, and tried again when somebody was quicker.

Beside :mod:`flagseal_operator.clone` the only place at which git is allowed a transport, and under the same rules: it
follows no redirect, runs no hook, and asks nobody. A password is handed to git in its environment, and stands
in no argument, address or message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.model.errors import RepositoryError
from flagseal.repository.notes import NOTES_REF, Notes

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal.repository.git import Plumbing

ATTEMPTS: Final = 8
PAUSE: Final = 0.5
"""Seconds by which each further attempt waits longer."""
_PASSWORD: Final = "FLAGSEAL_PUSH_PASSWORD"  # noqa: S105 (a variable's name)
_HELPER: Final = f'!f() {{ test "$1" = get && printf "username=x-access-token\\npassword=%s\\n" "${_PASSWORD}"; }}; f'
_SETTINGS: Final = (
    "http.followRedirects=false",
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=30",
    "push.gpgSign=false",
    "gc.auto=0",
)
_ENVIRONMENT: Final = {
    "GIT_ALLOW_PROTOCOL": "https:ssh:file",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_ASKPASS": "/bin/false",
    "SSH_ASKPASS": "/bin/false",
}
_NAME: Final = "shared"
_COPY: Final = f"refs/notes/{_NAME}/flagseal"
"""Our copy of their notes; whoever reads notes here reads it as well."""


class SharedNotes:
    """Append to the notes of the repository that everybody fetches from.

    Args:
        git: The clone at hand.
        remote: Name of a remote of it, or an address.
        sleep: Waits for seconds.
        password: A token for the remote; None where it needs none, or ssh proves who we are.
    """

    def __init__(
        self, git: Plumbing, remote: str, *, sleep: Callable[[float], None], password: str | None = None
    ) -> None:
        self._git = git
        self._remote = remote
        self._sleep = sleep
        self._password = password
        self._notes = Notes(git, ref=_COPY)

    def fetch(self) -> None:
        """Make our copy what theirs is now.

        Raises:
            RepositoryError: ``FetchFailed``.
        """
        # A pattern: a plain name that is not there yet would fail the fetch.
        spec = f"+{NOTES_REF}*:{_COPY}*"
        status, _, said = self._run("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", self._remote, spec)
        if status != 0:
            raise RepositoryError(
                f"The notes of {self._remote} were not fetched: {said}",
                code="FetchFailed",
                remedy="Look after the remote's address and the token; nothing was written.",
            )

    def append(self, commit: str, line: bytes) -> bool:
        """Append a line to a commit's note, there.

        Args:
            commit: Object id.
            line: Without a line break inside.

        Raises:
            RepositoryError: ``FetchFailed``; ``PushRefused`` if they refuse, or others kept writing.

        Returns:
            Whether the line is new there.
        """
        said = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(attempt * PAUSE)
            self.fetch()
            if not self._notes.append(commit, line):
                return False
            status, _, said = self._run("push", "--quiet", "--no-verify", "--", self._remote, f"{_COPY}:{NOTES_REF}")
            if status == 0:
                return True
        # What was not taken must not look as if it had been.
        self.fetch()
        raise RepositoryError(
            f"{self._remote} did not take the note: {said}",
            code="PushRefused",
            remedy="Let the token write to the repository's contents, and no rule forbid refs/notes/flagseal.",
        )

    def _run(self, *words: str) -> tuple[int, bytes, str]:
        # With a password of our own, no helper of this machine is asked, or told.
        own = () if self._password is None else ("credential.helper=", f"credential.helper={_HELPER}")
        settings = (*_SETTINGS, *own)
        options = [word for setting in settings for word in ("-c", setting)]
        secret = {} if self._password is None else {_PASSWORD: self._password}
        return self._git.attempt(*options, *words, environment=_ENVIRONMENT | secret)
