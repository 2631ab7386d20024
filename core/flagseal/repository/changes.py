"""What differs between two commits, by path; nothing is read of what the paths hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.repository.git import LARGEST_LISTING, too_many_paths
from flagseal.repository.layout import FOLDERS

if TYPE_CHECKING:
    from collections.abc import Collection

    from flagseal.repository.git import Plumbing

GUARDED = (".github", "CODEOWNERS", "docs/CODEOWNERS")
"""What decides about approval beside policies: who owns a path, and what runs on a request."""


_FOLDER = b"40000"
"""The mode of a folder, as git writes it."""
_ROW = 64
"""Bytes that a path is counted with besides its own, as in a listing."""
_LARGEST_LEVEL = 16 * 1024 * 1024
"""Bytes of the folders of one depth that differ."""


def changed_paths(git: Plumbing, before: str, after: str) -> tuple[str, ...]:
    """List the paths that differ, sorted; of what was renamed, both names.

    Compared here, and not by git, which would collect them all before it says the first: there may be too many. Only
    folders that differ are looked into, so that neither what both hold nor how much it is matters.

    Args:
        git: The repository's.
        before: Object id of a commit.
        after: Object id of another.

    Raises:
        RepositoryError: ``TreeTooLarge``.
    """
    paths, held = set[bytes](), 0
    level = {b"": _roots(git, before, after)}
    while level:
        read = _folders(git, {name for sides in level.values() for name in sides if name})
        deeper = dict[bytes, tuple[str, str]]()
        for path, (one, other) in level.items():
            first, second = ({} if not name else read[name] for name in (one, other))
            for name in first.keys() | second.keys():
                sides = first.get(name), second.get(name)
                if sides[0] == sides[1]:
                    continue
                below = path + name
                held += _ROW + len(below)
                if held > LARGEST_LISTING:
                    raise too_many_paths(git)
                folders = [side[1] if side is not None and side[0] == _FOLDER else "" for side in sides]
                if any(folders):
                    deeper[below + b"/"] = (folders[0], folders[1])
                if any(side is not None and side[0] != _FOLDER for side in sides):
                    paths.add(below)
        level = deeper
    return tuple(path.decode("utf-8", "surrogateescape") for path in sorted(paths))


def _roots(git: Plumbing, before: str, after: str) -> tuple[str, str]:
    one, other = git.text("rev-parse", f"{before}^{{tree}}", f"{after}^{{tree}}").split()
    return ("", "") if one == other else (one, other)


def _folders(git: Plumbing, names: Collection[str]) -> dict[str, dict[bytes, tuple[bytes, str]]]:
    """Read trees by their object ids: mode and object id by name."""
    found = {}
    for name, _, data in git.objects(sorted(names), largest=_LARGEST_LEVEL, altogether=_LARGEST_LEVEL):
        if data is None:
            raise too_many_paths(git)
        entries, at, width = dict[bytes, tuple[bytes, str]](), 0, len(name) // 2
        while at < len(data):
            mode, _, called = data[at : (end := data.index(b"\0", at))].partition(b" ")
            entries[called] = (mode, data[end + 1 : end + 1 + width].hex())
            at = end + 1 + width
        found[name] = entries
    return found


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
