"""How a request landed: from which commit of the branch to which, and by which way of merging.

Nothing is believed for having a merge's form. The merge is made anew by git, of the head that was reviewed onto the
branch as it was, and the tree that comes out must be the one that landed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from flagseal.model.errors import ForgeError
from flagseal.repository.changes import guarded_entries
from flagseal.repository.merging import merging

if TYPE_CHECKING:
    from flagseal.repository import FlagRepository
    from flagseal_validators.attestor.sources import RequestSource
    from flagseal_validators.forge.facts import Facts

Method = Literal["merge", "squash", "rebase"]
MOST_LANDINGS: Final = 20
"""Requests in one statement; further back, somebody should look first."""


@dataclass(frozen=True, slots=True)
class Landing:
    """One request on the branch.

    Attributes:
        facts: The request's.
        base: The commit of the branch that it landed on.
        commit: The last commit by which it landed.
        method: The way of merging that gives the landed tree; None if none does.
    """

    facts: Facts
    base: str
    commit: str
    method: Method | None


def landings(
    repository: FlagRepository, start: str, line: tuple[str, ...], source: RequestSource, branch: str
) -> tuple[Landing, ...]:
    """Find the requests by which a branch went on, as far as they touch what decides anything.

    What was undone before the change at hand began is passed over: behind the last commit of the line that holds the
    same flags, policies, owners and workflows as ``start``, nothing of it is left.

    Args:
        repository: Holds everything.
        start: The last accepted commit.
        line: The first-parent line from there, oldest first.
        source: Gives facts.
        branch: Its full name, ``refs/heads/…``. Requests that were merged into another one do not compete.

    Raises:
        ForgeError: ``Pushed`` where a commit came without a request; ``TooManyRequests``; what the source raises.

    Returns:
        Oldest first.
    """
    held = {commit: guarded_entries(repository.git, commit) for commit in (start, *line)}
    clean = max((at for at, commit in enumerate(line) if held[commit] == held[start]), default=-1)
    ahead = line[clean + 1 :]
    before = {commit: (start, *line)[line.index(commit)] for commit in ahead}
    found: list[Landing] = []
    left = len(ahead)
    while left:
        cursor = ahead[left - 1]
        if held[cursor] == held[before[cursor]]:
            left -= 1
            continue
        facts = _request_of(cursor, ahead, source, branch, {entry.facts.request.number for entry in found})
        end = ahead.index(facts.request.merge_commit) + 1
        landing = _landing(repository, facts, before, ahead[:end])
        if len(found) == MOST_LANDINGS:
            raise ForgeError(
                f"More than {MOST_LANDINGS} requests landed since {start[:12]}.",
                code="TooManyRequests",
                remedy="Attest earlier commits of the branch first, one after another.",
            )
        found.append(landing)
        left = ahead.index(landing.base) + 1 if landing.base in ahead else 0
    return tuple(reversed(found))


def _request_of(commit: str, ahead: tuple[str, ...], source: RequestSource, branch: str, known: set[int]) -> Facts:
    """Find the one request that ends at this commit or at a later one, and has it among what it brought.

    One that was found already began behind this commit: it did not bring it.
    """
    at = ahead.index(commit)
    merged = [entry for entry in source.requests_of(commit) if entry.number not in known]
    # Whoever pushes the commit to another branch can have a request merged there. One that is alone is told by check 1.
    named = [entry for entry in merged if f"refs/heads/{entry.base}" == branch] or merged
    numbers = [entry.number for entry in named if entry.commit in ahead[at:]]
    exact = [entry.number for entry in named if entry.commit == commit]
    if len(exact or numbers) != 1:
        why = "no merged request ends there" if not numbers else "several requests do"
        raise ForgeError(
            f"{commit[:12]} changes what is governed, and {why}: it was pushed, or its request is not known.",
            code="Pushed",
            remedy="Revert it on the branch, and make the change by a request. Where reviewers have keys, they can"
            " approve it as it is: `flagseal approve`.",
        )
    return source.facts((exact or numbers)[0])


def _landing(repository: FlagRepository, facts: Facts, before: dict[str, str], line: tuple[str, ...]) -> Landing:
    """Find where a request began on the branch, and how it was merged."""
    end, head = line[-1], facts.request.head
    parent = before[end]
    # Not the commits themselves: whoever lands one chooses how large its message is.
    (landed,), parents = repository.trees((end,)), repository.parents(end)
    with merging(repository.git) as git:
        if len(parents) > 1:
            same = parents[1:] == (head,) and git.merge(parent, head) == landed
            return Landing(facts, parent, end, "merge" if same else None)
        own = own_commits(repository, parent, head)
        count = len(own)
        # Before a squash: on top of its own first commits, a rebase's last one would look like one.
        if 1 < count <= len(line):
            base = before[line[-count]]
            if git.picked(base, own) == repository.trees(line[-count:]):
                return Landing(facts, base, end, "rebase")
        if git.merge(parent, head) == landed:
            return Landing(facts, parent, end, "squash")
        if own and git.picked(parent, own[-1:]) == (landed,) and count == 1:
            return Landing(facts, parent, end, "rebase")
    return Landing(facts, parent, end, None)


def own_commits(repository: FlagRepository, base: str, head: str) -> tuple[str, ...]:
    """List what a rebase replays: the commits of a head that are not the base's, oldest first, merges left out."""
    listing = repository.git.text("rev-list", "--reverse", "--topo-order", "--no-merges", head, f"^{base}")
    return tuple(listing.split())
