"""Bringing a note to where everybody fetches it: appended to what is there, and tried again when somebody was quicker.

Beside :mod:`flagseal_operator.clone` the only place at which git is allowed a transport, and under the same rules: it
follows no redirect, runs no hook, and asks nobody. A password is handed to git in its environment, and stands
in no argument, address or message.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flagseal.model.errors import RepositoryError
from flagseal.repository.notes import NOTES_REF, Notes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

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
_LONGEST_WORDS: Final = 400
_PUSHED: Final = 2
"""Tabs in a line of ``git push --porcelain`` about one ref."""
_USERINFO: Final = re.compile(r"://[^/\s]*@")
_COPY: Final = "refs/notes/shared/flagseal"
"""Our copy of their notes; whoever reads notes here reads it as well."""


class Remote:
    """Fetch from and push to the repository that everybody else uses.

    Args:
        git: The clone at hand.
        name: Of a remote of it, or an address.
        password: A token for it; None where it needs none, or ssh or this machine's git proves who we are.
    """

    def __init__(self, git: Plumbing, name: str, *, password: str | None = None) -> None:
        self._git = git
        self.name = name
        self._password = password

    def fetch(self, *specs: str) -> None:
        """Fetch refs.

        Args:
            specs: As git has them (``+refs/heads/main:refs/remotes/origin/main``).

        Raises:
            RepositoryError: ``FetchFailed``.
        """
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-gc")
        status, said = self._run("fetch", *options, "--", self.name, *specs)
        if status != 0:
            raise RepositoryError(
                f"{self.name} was not fetched from: {said}",
                code="FetchFailed",
                remedy="Look after the remote's address and the token; nothing was written.",
            )

    def copy_branches(self, base: str, below: str, into: str) -> dict[str, str]:
        """Fetch a branch and all those below a prefix into refs of our own; copies of what is gone go, too.

        Args:
            base: Copied to ``<into>base``.
            below: Prefix of the others, ending in a slash.
            into: Where copies lie, ending in a slash; the others are below ``<into>heads/``.

        Raises:
            RepositoryError: ``FetchFailed``.

        Returns:
            Commits by what follows the prefix.
        """
        heads = f"{into}heads/"
        stale = self._git.text("for-each-ref", "--format=delete %(refname)", heads)
        self._git.run("update-ref", "--stdin", stdin=f"{stale}\n".encode() if stale else b"")
        self.fetch(f"+refs/heads/{base}:{into}base", f"+refs/heads/{below}*:{heads}*")
        rows = self._git.text("for-each-ref", "--format=%(objectname) %(refname)", heads).splitlines()
        return {ref.removeprefix(heads): commit for commit, _, ref in (row.partition(" ") for row in rows)}

    def push(self, spec: str) -> str | None:
        """Push one ref, never by force; give what git said if it was not taken."""
        status, said = self._run("push", "--quiet", "--no-verify", "--", self.name, spec)
        return None if status == 0 else said

    def push_leased(self, updates: Mapping[str, tuple[str, str | None]]) -> Mapping[str, str]:
        """Push refs, each only if it is there as it was seen.

        Args:
            updates: By the ref's full name there: the commit that it shall be, and the one it was; None if it was not.

        Raises:
            RepositoryError: ``PushRefused``: nothing was taken, or nobody can say what was.

        Returns:
            Those that were not taken, with what git said.
        """
        leases = [f"--force-with-lease={ref}:{seen or ''}" for ref, (_, seen) in updates.items()]
        specs = [f"{commit}:{ref}" for ref, (commit, _) in updates.items()]
        status, out, said = self._started("push", "--porcelain", "--no-verify", *leases, "--", self.name, *specs)
        rows = [row.split("\t") for row in out.decode("utf-8", "replace").splitlines() if row.count("\t") >= _PUSHED]
        told = {row[1].rpartition(":")[2]: (row[0].strip(), row[2]) for row in rows}
        if not updates.keys() <= told.keys():
            raise RepositoryError(
                f"{self.name} did not take {len(updates)} branches: {said if status else 'it said nothing of some'}",
                code="PushRefused",
                remedy="Let the token write to the repository's contents, and no rule forbid these branches.",
            )
        return {ref: why for ref, (sign, why) in told.items() if sign == "!"}

    def _run(self, *words: str) -> tuple[int, str]:
        status, _, said = self._started(*words)
        return status, said

    def _started(self, *words: str) -> tuple[int, bytes, str]:
        # With a password of our own, no helper of this machine is asked, or told.
        own = () if self._password is None else ("credential.helper=", f"credential.helper={_HELPER}")
        options = [word for setting in (*_SETTINGS, *own) for word in ("-c", setting)]
        secret = {} if self._password is None else {_PASSWORD: self._password}
        status, out, said = self._git.attempt(*options, *words, environment=_ENVIRONMENT | secret)
        # An address in this machine's configuration may hold a password; git repeats it.
        return status, out, _USERINFO.sub("://", " ".join(said.split()))[:_LONGEST_WORDS]


class SharedNotes:
    """Append to the notes of the repository that everybody fetches from.

    Args:
        git: The clone at hand.
        remote: Where they lie.
        sleep: Waits for seconds.
    """

    def __init__(self, git: Plumbing, remote: Remote, *, sleep: Callable[[float], None]) -> None:
        self._git = git
        self._remote = remote
        self._sleep = sleep
        self._notes = Notes(git, ref=_COPY)

    def fetch(self) -> None:
        """Make our copy what theirs is now.

        Raises:
            RepositoryError: ``FetchFailed``.
        """
        # A line of ours that they did not take must not look as if they had; and a ref of theirs that is gone, or that
        # somebody put where ours belongs, must not stand in the way of the real one.
        self._git.drop_refs(_COPY)
        # A pattern: a plain name that is not there yet would fail the fetch.
        self._remote.fetch(f"+{NOTES_REF}*:{_COPY}*")

    def append(self, commit: str, line: bytes, *, needless: Callable[[], bool] = lambda: False) -> bool:
        """Append a line to a commit's note, there.

        Args:
            commit: Object id.
            line: Without a line break inside.
            needless: Tells whether what is there now says it already, in other words; asked before each attempt.

        Raises:
            RepositoryError: ``FetchFailed``; ``PushRefused`` if they refuse, or others kept writing.

        Returns:
            Whether the line is new there.
        """
        said: str | None = ""
        for attempt in range(ATTEMPTS):
            if attempt:
                self._sleep(attempt * PAUSE)
            self.fetch()
            if needless() or not self._notes.append(commit, line):
                return False
            said = self._remote.push(f"{_COPY}:{NOTES_REF}")
            if said is None:
                return True
        self.fetch()
        raise RepositoryError(
            f"{self._remote.name} did not take the note: {said}",
            code="PushRefused",
            remedy="Let the token write to the repository's contents, and no rule forbid refs/notes/flagseal.",
        )
