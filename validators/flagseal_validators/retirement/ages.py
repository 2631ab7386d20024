"""How old files are: the first and the last commit that touched each, by git's plumbing in two commands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.repository.git import Plumbing


@dataclass(frozen=True, slots=True)
class Age:
    """When a file came and when it last changed, by the committers' clocks.

    Attributes:
        first: UTC.
        first_commit: Object id.
        last: UTC.
        last_commit: Object id.
    """

    first: datetime
    first_commit: str
    last: datetime
    last_commit: str


def ages(git: Plumbing, commit: str, folder: str) -> Mapping[str, Age]:
    """Find the age of every file that was ever below a folder.

    A file that was renamed is as old as its new name; merges count by what they merged.

    Args:
        git: The repository's.
        commit: Object id of the last commit to look at.
        folder: Its path from the top.

    Raises:
        RepositoryError: ``GitFailed``.
    """
    rows = git.text("rev-list", "--no-merges", "--timestamp", commit, "--", folder).splitlines()
    at = {row.partition(" ")[2]: _instant(row.partition(" ")[0]) for row in rows}
    asked = "".join(f"{name}\n" for name in at).encode()
    options = ("--stdin", "-r", "-z", "--name-only", "--root", "--no-renames")
    listing = git.run("diff-tree", *options, "--", folder, stdin=asked)[1]
    found: dict[str, Age] = {}
    current = ""
    for word in listing.split(b"\0")[:-1]:
        # Between the ids of commits stand paths: one may look like an id only if it lies at the top, and none does.
        name = word.decode("utf-8", "surrogateescape")
        if name in at:
            current = name
            continue
        known = found.get(name)
        moment = at[current]
        found[name] = (
            Age(moment, current, moment, current)
            if known is None
            else Age(moment, current, known.last, known.last_commit)
        )
    return found


def _instant(seconds: str) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
