"""The branch that a review is drafted on: made of git's objects, beside everybody's working tree, index and HEAD.

A branch is written to as long as its last commit is one of ours that nobody amended: the commit says what its tree is,
and who wrote it. Once a person has committed to it, or made the last commit theirs, it is theirs, and is left alone.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from flagseal.model.errors import RepositoryError
from flagseal.repository.commit import parse_commit
from flagseal.repository.flag_repository import LARGEST_COMMIT
from flagseal_validators.forge.own_commits import is_untouched, written_by
from flagseal_validators.incidents.telling import BRANCHES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flagseal.repository import FlagRepository
    from flagseal.repository.sharing import Remote
    from flagseal_validators.forge.desk import Hand

Pushed = Literal["pushed", "current", "theirs"]

_COPIES: Final = "refs/flagseal/incident/"
_BASE: Final = f"{_COPIES}base"
_TREE: Final = "Drafted-Tree"


class Drafts:
    """Read and write the branches of reviews.

    Args:
        git: A clone; nothing in it changes but objects and refs below ``refs/flagseal/incident/``.
        remote: Where everybody fetches from.
        base: The branch that requests go to (``main``).
    """

    def __init__(self, git: FlagRepository, remote: Remote, base: str) -> None:
        self._git = git
        self._remote = remote
        self.base = base
        self._commit = ""
        self._tips: dict[str, str] = {}

    def fetch(self) -> str:
        """Fetch the base and every branch of ours, and give the base's commit.

        Raises:
            RepositoryError: ``FetchFailed``.
        """
        copied = self._remote.copy_branches(self.base, BRANCHES, _COPIES)
        self._commit = self._git.resolve(_BASE)
        self._tips = {f"{BRANCHES}{name}": commit for name, commit in copied.items()}
        return self._commit

    def content(self, path: str) -> bytes | None:
        """Read a file as it is on the base; None if there is none."""
        blob = self._git.blobs(self._commit).get(path)
        return None if blob is None else self._git.git.run("cat-file", "blob", blob)[1]

    def push(self, branch: str, files: Mapping[str, bytes], subject: str, hand: Hand, now: datetime) -> Pushed:
        """Write files to a branch, as one commit on the base, or on our own last commit.

        Args:
            branch: Its name.
            files: By path.
            subject: Of the commit's message.
            hand: Whose commit it is.
            now: Aware; when the commit is made.

        Raises:
            RepositoryError: ``PushRefused``.
        """
        git = self._git.git
        tip = self._tips.get(branch)
        if tip is not None and not self._is_ours(tip):
            return "theirs"
        start = tip or self._commit
        # On what the branch began with: what changed on the base since is no part of the review.
        tree = self._tree(start if tip is None else self._git.merge_base(tip, self._commit) or start, files)
        if tip is not None and tree == git.text("rev-parse", f"{tip}^{{tree}}"):
            return "current"
        message = f"{subject}\n\n{_TREE}: {tree}\n{written_by(hand)}\n"
        words = ("commit-tree", tree, "-p", start, "-m", message)
        commit = git.run(*words, environment=hand.environment(now))[1].decode("ascii").strip()
        # Never by force: what somebody pushed meanwhile stays.
        refused = self._remote.push(f"{commit}:refs/heads/{branch}")
        if refused is not None:
            raise RepositoryError(
                f"{branch} was not pushed: {refused}",
                code="PushRefused",
                remedy="Let the token write to the repository's contents, and no rule forbid this branch.",
            )
        self._tips[branch] = commit
        return "pushed"

    def _is_ours(self, tip: str) -> bool:
        """Tell whether nobody else had the last commit in hand."""
        ((_, _, raw),) = self._git.git.objects([tip], largest=LARGEST_COMMIT)
        commit = parse_commit(tip, raw or b"")
        return is_untouched(raw) and commit.trailer(_TREE) == commit.tree

    def _tree(self, start: str, files: Mapping[str, bytes]) -> str:
        git = self._git.git
        with tempfile.TemporaryDirectory(prefix="flagseal-incident-") as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            git.run("read-tree", start, environment=index)
            for path, data in sorted(files.items()):
                blob = git.text("hash-object", "-w", "--stdin", stdin=data)
                git.run("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}", environment=index)
            return git.run("write-tree", environment=index)[1].decode("ascii").strip()
