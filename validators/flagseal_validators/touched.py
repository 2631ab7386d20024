"""Which files the change at hand touches, and what was there before it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from flagseal.model.errors import RepositoryError
from flagseal.model.limits import LARGEST_FILE
from flagseal.repository.flag_repository import FlagRepository
from flagseal.repository.git import blob_id
from flagseal.repository.layout import FLAGS
from flagseal_validators.tree import read_file

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date
    from pathlib import Path

    from flagseal_validators.tree import Listed

_SHA1: Final = 40
"""Letters of an object id in a repository of git's first object format."""


@dataclass(frozen=True, slots=True)
class Base:
    """Where the history of the working tree parted from a revision's.

    Attributes:
        root: The repository's top folder.
        repository: The same.
        commit: The commit; None if the repository has none yet, and was compared with its ``HEAD``.
        blobs: What was below ``flags/`` and ``policies/`` then: object ids by path.
    """

    root: Path
    repository: FlagRepository
    commit: str | None
    blobs: Mapping[str, str]

    @classmethod
    def of(cls, root: Path, revision: str) -> Base:
        """Find it.

        Raises:
            RepositoryError: ``UnknownRevision``, ``NotARepository``.
        """
        repository = FlagRepository(root)
        if revision == "HEAD" and not repository.has_commits:
            return cls(root, repository, None, {})
        commit = _parting(repository, revision)
        return cls(root, repository, commit, repository.blobs(commit))

    def touched(self, listed: Mapping[str, Listed], known: Mapping[str, bytes]) -> frozenset[str]:
        """Name the files of the working tree that differ from what they were.

        Contents are compared, not what git remembers of them: filters and attributes of the repository play no part.

        Args:
            listed: Everything that lies there.
            known: SHA-1 object ids of files, by path; what is not among them is read.

        Returns:
            Paths relative to the root; all of them if nothing is committed yet.
        """
        return frozenset(path for path, (kind, _) in listed.items() if kind != "file" or self._differs(path, known))

    def _differs(self, path: str, known: Mapping[str, bytes]) -> bool:
        before = self.blobs.get(path)
        if before is None:
            return True
        if path in known and len(before) == _SHA1:
            return known[path].hex() != before
        data = read_file(self.root / path)
        return data is None or blob_id(data, like=before) != before

    def contents(self, paths: Collection[str]) -> Mapping[str, bytes]:
        """Give what files held; none for those that were not there, or were too large.

        Raises:
            RepositoryError: ``ObjectMissing``, ``ObjectCorrupt``.
        """
        wanted = {path: self.blobs[path] for path in paths if path in self.blobs}
        objects = self.repository.git.objects(sorted(set(wanted.values())), largest=LARGEST_FILE)
        contents = {blob: data for blob, _, data in objects}
        return {path: data for path, blob in wanted.items() if (data := contents[blob]) is not None}

    def born(self, paths: Collection[str]) -> Mapping[str, date]:
        """Give the days (UTC) on which flags came to the branch, as far as its history is here.

        That is the day of the oldest commit on the first-parent line that brought a file of this path. Whoever renames
        a file removes one flag and adds another.

        Raises:
            RepositoryError: ``GitFailed``.
        """
        wanted = {path for path in paths if path in self.blobs and path.startswith(f"{FLAGS}/")}
        if not wanted or self.commit is None:
            return {}
        found: dict[str, date] = {}
        for seconds, added in self.repository.additions(self.commit, FLAGS):
            day = datetime.fromtimestamp(seconds, UTC).date()
            found |= dict.fromkeys(wanted.intersection(added), day)  # The oldest comes last.
        return found


def _parting(repository: FlagRepository, base: str) -> str:
    """Find where to compare with: what the base's branch did since is none of this change's doing."""
    commit = repository.resolve(base)
    try:
        head = repository.resolve("HEAD")
        return commit if head == commit else repository.merge_base(commit, head) or commit
    except RepositoryError:
        return commit
