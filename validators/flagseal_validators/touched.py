"""Which files the change at hand touches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.errors import RepositoryError
from flagseal.model.limits import LARGEST_FILE
from flagseal.repository.flag_repository import FlagRepository
from flagseal.repository.git import blob_id
from flagseal_validators.tree import read_file, walk

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path


def touched_since(root: Path, base: str) -> frozenset[str]:
    """Name the files of the working tree that differ from what they were where its history parted from a revision's.

    Contents are compared, not what git remembers of them: filters and attributes of the repository play no part.

    Args:
        root: The repository's top folder.
        base: The revision.

    Raises:
        RepositoryError: ``UnknownRevision``, ``NotARepository``.

    Returns:
        Paths relative to the root; all of them if the repository has no commit yet and ``base`` is its ``HEAD``.
    """
    repository = FlagRepository(root)
    fresh = base == "HEAD" and not repository.has_commits
    before = {} if fresh else repository.blobs(_parting(repository, base))
    found = set()
    for path, (kind, _) in walk(root).items():
        data = read_file(root / path) if kind == "file" else None
        known = before.get(path)
        if data is None or known is None or blob_id(data, like=known) != known:
            found.add(path)
    return frozenset(found)


def contents_before(root: Path, base: str, paths: Collection[str]) -> Mapping[str, bytes]:
    """Give what files held where the history of the working tree parted from a revision's; none for those not there.

    Args:
        root: The repository's top folder.
        base: The revision.
        paths: Of the files.

    Raises:
        RepositoryError: ``UnknownRevision``, ``NotARepository``, ``ObjectMissing``.
    """
    repository = FlagRepository(root)
    if not repository.has_commits:
        return {}
    blobs = repository.blobs(_parting(repository, base))
    wanted = {path: blobs[path] for path in paths if path in blobs}
    objects = repository.git.objects(sorted(set(wanted.values())), largest=LARGEST_FILE)
    contents = {blob: data for blob, _, data in objects}
    return {path: data for path, blob in wanted.items() if (data := contents[blob]) is not None}


def _parting(repository: FlagRepository, base: str) -> str:
    """Find where to compare with: what the base's branch did since is none of this change's doing."""
    commit = repository.resolve(base)
    try:
        return repository.merge_base(commit, "HEAD") or commit
    except RepositoryError:
        return commit
