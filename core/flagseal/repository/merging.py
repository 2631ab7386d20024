"""What git itself makes of a merge: trees computed anew, to be held against what landed.

Everything is computed in a scratch object store, so nothing is written to the repository; no working tree, index,
attributes or merge driver of this machine takes part, so that only commits decide.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flagseal.repository.changes import changed_paths

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal.repository.git import Plumbing

_SETTINGS = (
    "core.attributesFile=/dev/null",
    "merge.renames=true",
    "merge.directoryRenames=conflict",
    "merge.renormalize=false",
)
_NOBODY = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "flagseal"), ("EMAIL", "flagseal@localhost"), ("DATE", "@0 +0000"))
}
_CONFLICT = 1

MERGE_SECONDS: Final = 120.0
"""What git may take for one merge."""


class Merging:
    """Compute merges in one repository; opened by :func:`merging`.

    Args:
        git: The repository's.
        environment: Of the scratch store.
    """

    def __init__(self, git: Plumbing, environment: Mapping[str, str]) -> None:
        self._git = git
        self._environment = dict(environment)

    def merge(self, ours: str, theirs: str) -> str | None:
        """Merge two commits.

        Args:
            ours: Object id of the commit that is merged onto.
            theirs: Object id of the commit that is merged.

        Raises:
            RepositoryError: ``GitFailed``: an object is missing, or git cannot. ``TreeTooLarge``: one of them changes
                more paths than are read, or git takes longer than :data:`MERGE_SECONDS`.

        Returns:
            Object id of the tree; None where they conflict, or have no common ancestor.
        """
        status, out = self._git.run("merge-base", ours, theirs, environment=self._environment, accept=(0, 1))
        if status == 0:
            # Git looks for renames among all that either side changed, and a few hundred bytes can be too much for it.
            for side in (ours, theirs):
                changed_paths(self._git, out.decode("ascii").split()[0], side)
        return self._merge(ours, theirs)

    def _merge(self, ours: str, theirs: str) -> str | None:
        options = [word for setting in _SETTINGS for word in ("-c", setting)]
        status, out = self._git.run(
            *options, "merge-tree", "--write-tree", "--no-messages", "--name-only", ours, theirs,
            environment=self._environment, accept=(0, _CONFLICT), seconds=MERGE_SECONDS,
        )  # fmt: skip
        return out.decode("ascii", "replace").splitlines()[0] if status == 0 else None

    def landed(self, ours: str, theirs: str) -> str | None:
        """Merge two commits, and give the commit that would land.

        Args:
            ours: As for :meth:`merge`.
            theirs: As for :meth:`merge`.

        Returns:
            Object id of a commit by nobody, whose first parent is ``ours``; None where they conflict.
        """
        tree = self.merge(ours, theirs)
        return None if tree is None else self._commit(tree, ours)

    def picked(self, onto: str, commits: tuple[str, ...]) -> tuple[str, ...] | None:
        """Apply commits one after another, as a rebase does.

        Args:
            onto: Object id of the commit to begin at.
            commits: Object ids, oldest first, each with one parent.

        Returns:
            Object ids of the trees, one a commit; None where one does not apply.
        """
        trees = []
        tree = self._tree(onto)
        for commit in commits:
            # Where both begin at the commit's parent, a merge does what applying its change does.
            changed_paths(self._git, f"{commit}^", commit)
            base = self._commit(self._tree(f"{commit}^"))
            applied = self._merge(self._commit(tree, base), self._commit(self._tree(commit), base))
            if applied is None:
                return None
            tree = applied
            trees.append(tree)
        return tuple(trees)

    def _tree(self, commit: str) -> str:
        question = f"{commit}^{{tree}}"
        out = self._git.run("rev-parse", "--verify", "--end-of-options", question, environment=self._environment)[1]
        return out.decode("ascii").replace("--end-of-options", "").strip()

    def _commit(self, tree: str, parent: str | None = None) -> str:
        line = ("-p", parent) if parent else ()
        environment = self._environment | _NOBODY
        return (
            self._git.run("commit-tree", tree, *line, "-m", "scratch", environment=environment)[1]
            .decode("ascii")
            .strip()
        )


@contextmanager
def merging(git: Plumbing, *, kept: bool = False) -> Iterator[Merging]:
    """Open a scratch object store over a repository, and forget it afterwards.

    Args:
        git: The repository's.
        kept: Write the objects to the repository itself, so that whoever reads it finds them; no ref names them.
    """
    objects = Path(git.text("rev-parse", "--git-path", "objects"))
    own = objects if objects.is_absolute() else Path.cwd() / objects
    with tempfile.TemporaryDirectory(prefix="flagseal-merge-") as folder:
        scratch, empty = Path(folder) / "objects", Path(folder) / "empty"
        scratch.mkdir()
        empty.mkdir()
        store = {"GIT_OBJECT_DIRECTORY": str(scratch), "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(own)}
        yield Merging(
            git,
            {
                **({} if kept else store),
                "GIT_INDEX_FILE": str(Path(folder) / "index"),
                "GIT_WORK_TREE": str(empty),
                "GIT_ATTR_NOSYSTEM": "1",
            },
        )
