"""Fill the memory of whoever reads a repository: with folders that hold themselves many times over.

The attacker pushes a few hundred bytes of objects; for notes no review stands in the way. Read to the end, what they
hold would be a hundred million million paths.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import RepositoryError
from flagseal.repository import NOTES_REF
from flagseal.repository import merging as merging_module
from flagseal.repository.changes import changed_paths
from flagseal.repository.merging import merging
from flagseal_validators.attestor.gate import findings_at
from tests.history.branch import Branch
from tests.history.company import flag, rule

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = flag(tier="operational")
WIDER = flag(tier="operational", production=rule())
LEVELS = 12
FOLDERS = 16


@pytest.fixture
def branch(tmp_path: Path) -> Branch:
    """Give a branch with a flag that one of its owners may widen."""
    return Branch.at(tmp_path / "flags", CHECKOUT)


def bottomless(branch: Branch) -> str:
    """Write the tree; give its object id."""
    blob = branch.git.git("hash-object", "-w", "--stdin", stdin="{}")
    tree = branch.git.git("mktree", stdin=f"100644 blob {blob}\t{'a' * 16}.yaml\n")
    for _ in range(LEVELS):
        tree = branch.git.git("mktree", stdin="".join(f"040000 tree {tree}\t{n:02x}\n" for n in range(FOLDERS)))
    return tree


def push(branch: Branch, tree: str) -> str:
    """Put a tree on the branch by plumbing alone: git itself would not survive looking at it."""
    commit = branch.git.git(*branch.git.signing("bob"), "commit-tree", "-S", tree, "-p", "main", "-m", "change")
    branch.git.git("update-ref", "refs/heads/main", commit)
    return commit


def test_by_notes_beside_the_real_ones(branch: Branch) -> None:
    """Under a ref of their own, or one that was fetched: the real notes are read all the same."""
    branch.commit(WIDER)
    branch.approve("alice")
    commit = branch.git.git("commit-tree", bottomless(branch), "-m", "notes")
    branch.git.git("update-ref", "refs/notes/origin/flagseal", commit)
    assert len(branch.poll()) == 1


def test_by_notes_in_place_of_the_real_ones(branch: Branch) -> None:
    """They are as good as deleted: nothing new is accepted, nothing fails, and approving says why it cannot."""
    branch.commit(WIDER)
    branch.approve("alice")
    commit = branch.git.git("commit-tree", bottomless(branch), "-m", "notes")
    branch.git.git("update-ref", NOTES_REF, commit)
    assert branch.poll() == ()
    with pytest.raises(RepositoryError) as caught:
        branch.approve("alice")
    assert caught.value.code == "TreeTooLarge"
    branch.git.git("update-ref", "-d", NOTES_REF)
    branch.approve("alice")
    assert len(branch.poll()) == 1


def beside(branch: Branch, name: str, tree: str) -> str:
    """Add a folder beside what the branch holds; give the object id of the whole."""
    rows = branch.git.git("ls-tree", "main").splitlines()
    return branch.git.git("mktree", stdin="\n".join([*rows, f"040000 tree {tree}\t{name}", ""]))


def test_by_a_folder_that_stays_beside_the_flags(branch: Branch) -> None:
    """Once it was merged, it is no later change's fault: only what differs is looked into."""
    folder = bottomless(branch)
    first = push(branch, beside(branch, "vendored", folder))
    good = branch.git.git("mktree", stdin=branch.git.git("ls-tree", "main").replace("\tvendored", "\tzz") + "\n")
    rows = branch.git.git("ls-tree", "main:flags/payments").splitlines()
    assert len(rows) == 1
    moved = branch.git.git("mktree", stdin=f"{rows[0]}x\n")
    flags = branch.git.git("mktree", stdin=f"040000 tree {moved}\tpayments\n")
    kept = [row for row in branch.git.git("ls-tree", "main").splitlines() if not row.endswith("\tflags")]
    second = push(branch, branch.git.git("mktree", stdin="\n".join([*kept, f"040000 tree {flags}\tflags", ""])))
    name = rows[0].partition("\t")[2]
    found = changed_paths(branch.repository.git, first, second)
    assert found == (f"flags/payments/{name}", f"flags/payments/{name}x")
    with pytest.raises(RepositoryError) as caught:
        changed_paths(branch.repository.git, second, push(branch, good))
    assert caught.value.code == "TreeTooLarge"


def test_by_a_request_that_is_merged_anew(branch: Branch) -> None:
    """Git would look through it for renames, and so it would for each commit that a rebase picks."""
    before = branch.git.head()
    bad = push(branch, beside(branch, "vendored", bottomless(branch)))
    with merging(branch.repository.git) as git:
        with pytest.raises(RepositoryError) as merged:
            git.merge(before, bad)
        with pytest.raises(RepositoryError) as picked:
            git.picked(before, (bad,))
    assert merged.value.code == picked.value.code == "TreeTooLarge"


def test_by_a_merge_that_takes_for_ever(branch: Branch, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended."""
    monkeypatch.setattr(merging_module, "MERGE_SECONDS", 0.0)
    before = branch.git.head()
    with merging(branch.repository.git) as git, pytest.raises(RepositoryError) as caught:
        git.merge(before, branch.commit(WIDER))
    assert caught.value.code == "TreeTooLarge"


def test_by_the_folder_of_flags(branch: Branch) -> None:
    """It cannot be approved, and says why; put right by a later commit, that one can."""
    before = branch.git.head()
    good = branch.git.git("rev-parse", f"{branch.commit(WIDER)}^{{tree}}")
    branch.git.git("update-ref", "refs/heads/main", before)
    rows = [row for row in branch.git.git("ls-tree", "main").splitlines() if not row.endswith("\tflags")]
    bad = push(
        branch, branch.git.git("mktree", stdin="\n".join([*rows, f"040000 tree {bottomless(branch)}\tflags", ""]))
    )
    for read in (
        branch.candidate,
        lambda: changed_paths(branch.repository.git, before, bad),
        lambda: findings_at(branch.repository, bad, today=date(2026, 11, 23), base=before),
    ):
        with pytest.raises(RepositoryError) as caught:
            read()
        assert caught.value.code == "TreeTooLarge"
    assert branch.poll() == ()
    push(branch, good)
    branch.approve("alice")
    assert len(branch.poll()) == 1
