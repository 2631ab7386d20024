"""Write, rewrite or remove what git carries, and see a publisher follow.

The attacker may push notes and, for some, the branch itself; they hold no key that counts.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from flagseal.approval.envelope import Envelope, Signature
from flagseal.intake import advance, recover
from flagseal.model.errors import ApprovalError, InvalidDocuments, RepositoryError
from flagseal.repository import NOTES_REF, FlagRepository
from flagseal.repository.sharing import Remote, SharedNotes
from flagseal_operator.clone import Clone
from tests.approval.keyring import SshKey, signed
from tests.attacks.checkout import CHECKOUT, WIDER
from tests.history.branch import Branch, path_of, text_of
from tests.history.company import MONDAY, edited, flag

if TYPE_CHECKING:
    from pathlib import Path


def test_a_deleted_note(branch: Branch) -> None:
    """What was accepted stays accepted; what was not yet is to be signed again, and nothing else happens."""
    first = branch.commit(WIDER)
    branch.approve("alice")
    branch.poll()
    branch.commit(CHECKOUT)
    branch.approve("alice")
    branch.git.git("update-ref", "-d", NOTES_REF)
    assert branch.poll() == ()
    assert branch.head.commit == first
    branch.approve("alice")
    assert len(branch.poll()) == 1


def test_a_rewritten_note(branch: Branch) -> None:
    """The statement in the note speaks of other content, under the old signatures."""
    branch.commit(WIDER)
    candidate = branch.candidate()
    other = edited(WIDER, description="Other.")
    statement = replace(candidate.proposal.statement, subjects={other.subject: other.digest})
    branch.note(statement.payload(), SshKey.of("alice").approve(candidate.proposal.statement.payload()))
    assert branch.poll() == ()


def test_a_note_with_a_statement_that_git_does_not_bear_out(branch: Branch) -> None:
    """Even genuine signatures under words that are not this history's: another contributor, ticket or tree."""
    branch.commit(WIDER, by="alice")
    true = branch.candidate().proposal.statement
    for false in (
        replace(true, contributors=("bob",)),
        replace(true, contributors=()),
        replace(true, ticket="PAY-1"),
        replace(true, tree="0" * 40),
    ):
        branch.note(false.payload(), SshKey.of("alice").approve(false.payload()))
    assert branch.poll() == ()


def test_a_flooded_note(branch: Branch) -> None:
    """Thousands of lines, other statements and forged signatures: the real line among them is found."""
    branch.commit(WIDER)
    payload = branch.candidate().proposal.statement.payload()
    alice = SshKey.of("alice").fingerprint
    forged = [Envelope(payload, (Signature(alice, os.urandom(90)),)).to_line() for _ in range(500)]
    others = [Envelope(b'{"n":%d}' % number, ()).to_line() for number in range(500)]
    lines = [b"junk", b"{}", *forged, *others, b"\xff\xfe", signed(payload, "alice").to_line()]
    branch.repository.add_note("HEAD", lines[0])
    text = b"\n".join(lines)
    branch.git.git("notes", "--ref=flagseal", "add", "-f", "-C", _blob(branch, text), "HEAD")
    assert len(branch.poll()) == 1
    assert len(branch.entries[0].envelope.signatures) == 1


def _blob(branch: Branch, data: bytes) -> str:
    folder = branch.git.path / ".git" / "flood"
    folder.write_bytes(data)
    return branch.git.git("hash-object", "-w", str(folder))


def test_a_note_flooded_past_its_cap(branch: Branch) -> None:
    """It is not read; nothing is accepted, and nothing fails, until somebody removes the flood."""
    branch.commit(WIDER)
    branch.approve("alice")
    branch.git.git("notes", "--ref=flagseal", "add", "-f", "-C", _blob(branch, b"x" * (17 * 1024 * 1024)), "HEAD")
    assert branch.poll() == ()
    branch.git.git("notes", "--ref=flagseal", "remove", "HEAD")
    branch.approve("alice")
    assert len(branch.poll()) == 1


def test_notes_in_the_way_of_the_real_ones(branch: Branch, tmp_path: Path) -> None:
    """A ref below, and one beside, that were fetched once: taken away at the remote, they hold up nobody."""
    remote = f"file://{branch.git.path}"
    clone = Clone(tmp_path / "clones", remote, branch.trust.ref)
    clone.fetch()
    shared = SharedNotes(clone.repository.git, Remote(clone.repository.git, remote), sleep=lambda _: None)
    blob = _blob(branch, b"{}")
    for bad, worse in ((f"{NOTES_REF}/x", NOTES_REF), (f"{NOTES_REF}x", f"{NOTES_REF}x/y")):
        branch.git.git("update-ref", bad, blob)
        clone.fetch()
        shared.fetch()
        branch.git.git("update-ref", "-d", bad)
        branch.git.git("update-ref", worse, blob)
    branch.git.git("update-ref", "-d", NOTES_REF)
    branch.commit(WIDER)
    branch.approve("alice")
    clone.fetch()
    shared.fetch()
    assert len(advance(clone.repository, branch.head, branch.trust, now=MONDAY).entries) == 1


def test_notes_replaced_by_a_ref_below_them(branch: Branch, tmp_path: Path) -> None:
    """What was fetched stays, and has no room for it; the branch is followed all the same."""
    clone = Clone(tmp_path / "clones", f"file://{branch.git.path}", branch.trust.ref)
    first = branch.commit(WIDER)
    branch.approve("alice")
    clone.fetch()
    branch.git.git("update-ref", "-d", NOTES_REF)
    branch.git.git("update-ref", f"{NOTES_REF}/x", _blob(branch, b"{}"))
    second = branch.commit(edited(WIDER, description="Other."))
    clone.fetch()
    assert clone.repository.resolve(branch.trust.ref) == second
    assert clone.repository.noted_commits() == {first}


def test_a_note_on_another_commit(branch: Branch) -> None:
    """A genuine statement noted on a later commit of the attacker's does not approve that."""
    approved = branch.commit(WIDER)
    branch.approve("alice")
    line = branch.repository.notes(approved)
    assert line is not None
    branch.git.git("update-ref", "-d", NOTES_REF)
    branch.commit(flag(tier="operational", production={"default": "enabled"}), by="bob")
    branch.repository.add_note("HEAD", line.strip())
    assert branch.poll() == ()


def test_a_force_pushed_branch(branch: Branch) -> None:
    """The accepted commit is gone from the branch: the publisher holds what it has, and says so."""
    branch.commit(WIDER)
    branch.approve("alice")
    branch.poll()
    head = branch.head
    branch.git.git("reset", "--quiet", "--hard", "HEAD~1")
    branch.commit(edited(CHECKOUT, description="Another past."))
    with pytest.raises(RepositoryError) as caught:
        branch.poll()
    assert caught.value.code == "HistoryRewritten"
    assert branch.head is head


def test_a_branch_that_hides_the_accepted_commit_in_a_merge(branch: Branch) -> None:
    """The accepted commit is an ancestor still, but the branch's own line went another way."""
    genesis = branch.git.head()
    branch.commit(WIDER)
    branch.approve("alice")
    branch.poll()
    branch.git.git("branch", "accepted")
    branch.git.git("reset", "--quiet", "--hard", genesis)
    branch.commit(edited(CHECKOUT, description="Another line."))
    branch.git.merge("accepted", by="bob", strategy="ours")
    with pytest.raises(RepositoryError) as caught:
        branch.poll()
    assert caught.value.code == "HistoryRewritten"


def test_another_repository_in_its_place(branch: Branch, tmp_path: Path) -> None:
    """A repository with the same files begins with another commit."""
    other = Branch.at(tmp_path / "other", CHECKOUT, date="2026-01-01T00:00:00+0000")
    branch.repository = other.repository
    with pytest.raises(ApprovalError) as caught:
        branch.poll()
    assert caught.value.code == "WrongRepository"


def test_a_parser_that_reads_otherwise(branch: Branch) -> None:
    """The same document in another spelling is the same; what parsers read differently is no document at all."""
    branch.git.put({path_of(CHECKOUT): json.dumps(CHECKOUT.body())}).commit("another spelling", by="bob")
    with pytest.raises(ApprovalError) as caught:
        branch.candidate()
    assert caught.value.code == "NothingChanges"
    text = text_of(CHECKOUT)
    for ambiguous in (
        text.replace('"disabled": false', '"disabled": no'),
        text.replace('"enabled": true,', '"enabled": true, "enabled": false,'),
        text.replace('"name": "checkout"', '"name": &x "checkout"'),
    ):
        assert ambiguous != text
        branch.git.put({path_of(CHECKOUT): ambiguous}).commit("ambiguous", by="bob")
        with pytest.raises(InvalidDocuments):
            branch.candidate()


def test_a_push_without_approval(branch: Branch) -> None:
    """The branch holds it, and nothing else does."""
    branch.commit(WIDER)
    branch.git.put({path_of(CHECKOUT): None}).commit("removed", by="bob")
    assert branch.poll() == ()
    assert branch.head.documents[CHECKOUT.subject] == CHECKOUT


def test_an_unapproved_removal_comes_back(branch: Branch) -> None:
    """A flag removed by a push stays in effect, and is proposed as a tombstone to be approved."""
    branch.remove(CHECKOUT)
    proposal = branch.candidate().proposal
    assert proposal.documents[CHECKOUT.subject].is_tombstone
    assert branch.head.effective("production", MONDAY)[CHECKOUT.subject] == CHECKOUT


def test_a_lost_store_does_not_reopen_what_was_closed(branch: Branch) -> None:
    """Recovered from git alone, the history leads to the same head: nothing on the way can be left out."""
    branch.commit(WIDER, date="2026-11-23T09:00:00+0000")
    branch.approve("alice")
    branch.poll()
    branch.commit(CHECKOUT, date="2026-11-23T09:10:00+0000")
    branch.approve("alice")
    branch.poll()
    recovered = recover(FlagRepository(branch.git.path), branch.trust, now=MONDAY)
    assert recovered.head.manifest == branch.head.manifest
    assert recovered.head.sequence == 2
