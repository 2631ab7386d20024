"""Approve one's own change by not looking like its author.

The attacker may commit to the branch, and holds a role in which they could approve somebody else's change.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import ApprovalError
from tests.approval.keyring import SshKey
from tests.attacks.checkout import CHECKOUT, WIDER
from tests.history.branch import Branch, path_of, text_of
from tests.history.company import document, flag, organisation, policies, rule, segment
from tests.repository.gitrepo import GitRepository

if TYPE_CHECKING:
    from pathlib import Path


def refusal(branch: Branch) -> str:
    """Give the code by which what is noted for HEAD is refused."""
    found = branch.judge().refusal
    assert found is not None
    assert branch.poll() == ()
    return found.code


def test_another_owner_approves(branch: Branch) -> None:
    """What the attacks are held against: bob commits, alice approves."""
    commit = branch.commit(WIDER, by="bob")
    branch.approve("alice")
    assert branch.poll() == (commit,)


def test_by_signing_ones_own_commit(branch: Branch) -> None:
    """Bob commits, and approves."""
    branch.commit(WIDER, by="bob")
    branch.approve("bob")
    assert refusal(branch) == "SelfApproval"


def test_by_writing_another_author(branch: Branch) -> None:
    """Bob commits in alice's name, which git lets everybody do, and approves as if it were hers."""
    branch.git.put({path_of(WIDER): text_of(WIDER)})
    branch.git.git("add", "--all")
    author = "--author=Alice <alice@example.com>"
    branch.git.git(*branch.git.signing("bob"), "commit", "-S", "--quiet", author, "-m", "change")
    branch.approve("bob")
    assert branch.candidate().proposal.statement.contributors == ("bob",)
    assert refusal(branch) == "SelfApproval"


def test_by_a_co_author_line(branch: Branch) -> None:
    """Bob names alice as co-author, so that she could not approve and he could: words are nobody's signature."""
    branch.commit(WIDER, by="bob", message="change\n\nCo-authored-by: Alice <alice@example.com>")
    branch.approve("bob")
    assert refusal(branch) == "SelfApproval"
    branch.approve("alice")
    assert len(branch.poll()) == 1


def test_through_a_second_key(tmp_path: Path) -> None:
    """Bob commits with one of his keys and approves with the other: a person counts, not a key."""
    people = organisation()["people"]
    people["bob"]["keys"].append(SshKey.of("laptop").line)
    start = (*policies(people=people), CHECKOUT)
    branch = Branch(GitRepository.at(tmp_path / "flags"), start).begin()
    branch.commit(WIDER, by="bob")
    branch.approve("laptop")
    assert refusal(branch) == "SelfApproval"
    branch.commit(flag(tier="operational", production=rule({"org": "acme"})), by="laptop")
    branch.approve("bob")
    assert refusal(branch) == "SelfApproval"


def test_by_a_merge(branch: Branch) -> None:
    """Bob's commit comes in by a merge that alice signs; he approves as if the merge were all there is."""
    branch.git.git("checkout", "--quiet", "-b", "feature")
    branch.commit(WIDER, by="bob")
    branch.git.git("checkout", "--quiet", "main")
    branch.git.merge("feature", by="alice")
    assert branch.candidate().proposal.statement.contributors == ("alice", "bob")
    branch.approve("bob", "alice")
    assert refusal(branch) == "SelfApproval"


def test_by_slipping_something_into_the_merge(branch: Branch) -> None:
    """Alice's merge changes a flag that nobody's commit on the side branch touched; she approves what carol wrote."""
    branch.git.git("checkout", "--quiet", "-b", "feature")
    branch.commit(segment("unrelated", "acme"), by="carol")
    branch.git.git("checkout", "--quiet", "main")
    branch.git.git("merge", "--quiet", "--no-ff", "--no-commit", "feature")
    branch.commit(WIDER, by="alice")
    branch.approve("alice")
    assert refusal(branch) == "SelfApproval"


def test_by_an_unsigned_commit(branch: Branch) -> None:
    """Who wrote it cannot be known, so nobody can approve it."""
    commit = branch.commit(WIDER, by=None)
    with pytest.raises(ApprovalError) as caught:
        branch.approve("alice")
    assert caught.value.code == "AuthorUnknown"
    assert commit[:12] in caught.value.message


def test_by_a_commit_signed_by_nobody(branch: Branch) -> None:
    """Bob signs with a key that is on no list, and approves with the one that is."""
    branch.commit(WIDER, by="a key of bob's that nobody knows")
    with pytest.raises(ApprovalError) as caught:
        branch.approve("bob")
    assert caught.value.code == "AuthorUnknown"
    assert SshKey.of("a key of bob's that nobody knows").fingerprint in caught.value.message


def test_by_hiding_an_unsigned_commit_behind_signed_ones(branch: Branch) -> None:
    """Every commit since the accepted one counts, not the last; each that is unknown is named."""
    hidden = branch.commit(WIDER, by=None)
    branch.commit(by="carol", message="nothing to see")
    with pytest.raises(ApprovalError) as caught:
        branch.approve("alice")
    assert hidden[:12] in caught.value.message


def test_a_bypassing_push_does_not_stop_the_world(branch: Branch) -> None:
    """An unsigned push is not in effect; once it is reverted, the next change goes on as if it had not been."""
    branch.commit(WIDER, by=None)
    branch.git.git("-c", "core.editor=true", *branch.git.signing("bob"), "revert", "--no-edit", "-S", "HEAD")
    commit = branch.commit(flag(tier="operational", production=rule({"org": "acme"})), by="bob")
    branch.approve("alice")
    assert branch.candidate().proposal.statement.contributors == ("bob",)
    assert branch.poll() == (commit,)


def test_a_revert_does_not_wash_a_known_author_out(branch: Branch) -> None:
    """Bob's change is reverted and made again by carol; he still contributed, and may not approve it."""
    branch.commit(WIDER, by="bob")
    branch.git.git(*branch.git.signing("carol"), "revert", "--no-edit", "-S", "HEAD")
    branch.commit(WIDER, by="carol")
    branch.approve("bob")
    assert refusal(branch) == "SelfApproval"


def test_a_revert_in_part_washes_nothing_out(branch: Branch) -> None:
    """A push by nobody is reverted but for one file: what is left is still by nobody."""
    branch.commit(WIDER, segment("left", "acme"), by=None)
    branch.commit(CHECKOUT, by="bob")
    with pytest.raises(ApprovalError) as caught:
        branch.approve("alice")
    assert caught.value.code == "AuthorUnknown"


def test_by_a_commit_after_the_one_that_was_approved(branch: Branch) -> None:
    """An approval covers its own commit and no later one."""
    approved = branch.commit(WIDER, by="bob")
    branch.approve("alice")
    branch.commit(flag(tier="operational", production={"default": "enabled"}), by="bob")
    assert branch.poll() == (approved,)
    assert branch.head.documents[WIDER.subject] == WIDER
    assert branch.judge().head is None


def test_by_joining_the_organisation_with_the_same_commit(branch: Branch) -> None:
    """Whoever signs is looked up among the accepted people, not among those the change would add."""
    people = organisation()
    people["people"]["newcomer"] = {"name": "New", "keys": [SshKey.of("newcomer").line]}
    branch.commit(document("Organisation", "organisation", people), by="newcomer")
    with pytest.raises(ApprovalError) as caught:
        branch.approve("erin", "frank")
    assert caught.value.code == "AuthorUnknown"
