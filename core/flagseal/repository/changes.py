"""What differs between two commits, by path; nothing is read of what the paths hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.repository.layout import FOLDERS

if TYPE_CHECKING:
    from flagseal.repository.git import Plumbing

GUARDED = (".github", "CODEOWNERS", "docs/CODEOWNERS")
"""What decides about approval beside policies: who owns a path, and what runs on a request."""


def changed_paths(git: Plumbing, before: str, after: str) -> tuple[str, ...]:
    """List the paths that differ, sorted; of what was renamed, both names.

    Compared here, and not by git, which would collect them all before it says the first: there may be too many.

    Args:
        git: The repository's.
        before: Object id of a commit.
        after: Object id of another.

    Raises:
        RepositoryError: ``TreeTooLarge``.
    """
    first, second = (frozenset(git.listing("ls-tree", "-r", "-z", "--full-tree", it)) for it in (before, after))
    paths = {row.partition(b"\t")[2] for row in first ^ second}
    return tuple(path.decode("utf-8", "surrogateescape") for path in sorted(paths))


def guarded_entries(git: Plumbing, commit: str) -> str:
    """Give what decides at a commit: two commits with the same hold the same flags, policies, owners and workflows."""
    paths = (*FOLDERS, *GUARDED)
    return git.run("ls-tree", "-z", "--full-tree", commit, *paths)[1].decode("utf-8", "surrogateescape")


def is_guarded(path: str) -> bool:
    """Tell whether a path is one of those that need what policies need, though they are no subjects."""
    return any(path == guarded or path.startswith(f"{guarded}/") for guarded in GUARDED)


def file_at(git: Plumbing, commit: str, path: str, *, largest: int) -> bytes | None:
    """Read one file of a commit.

    Returns:
        Its bytes, cut off after ``largest`` and one more; None if there is no file of that path (a link is none).
    """
    row = git.run("ls-tree", "-z", "--full-tree", commit, path)[1].split(b"\0")[0]
    meta, _, name = row.partition(b"\t")
    if not row or name.decode("utf-8", "surrogateescape") != path or not meta.startswith(b"100"):
        return None
    blob = meta.split(b" ")[2].decode("ascii")
    data = next(git.objects([blob], largest=largest))[2]
    return b" " * (largest + 1) if data is None else data
