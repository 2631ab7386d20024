"""Be several people, or somebody else, around one statement.

The attacker can write any note and holds one key that counts; what a role asks for are distinct people.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.approval.envelope import Envelope, Signature
from flagseal.approval.keys import parse_public_key
from flagseal.history import accept
from flagseal.model.errors import ApprovalError
from tests.approval.keyring import SshKey, signed
from tests.history.company import MONDAY, Chronicle, code, document, edited, flag, organisation, policies, rule

if TYPE_CHECKING:
    from flagseal.history import Acceptance, Bundle

CHECKOUT = flag()
WIDER = flag(production=rule())


@pytest.fixture
def history() -> Chronicle:
    """Give a history with a sensitive flag: its owner and the release manager must approve."""
    return Chronicle.of(CHECKOUT)


def offer(history: Chronicle, *signatures: Signature) -> Acceptance:
    """Offer bob's change with some signatures."""
    proposal = history.proposal(WIDER)
    envelope = Envelope(proposal.statement.payload(), tuple(sorted(signatures)))
    return accept(history.head, proposal.bundle(envelope), history.trust, now=MONDAY)


def payload(history: Chronicle) -> bytes:
    """Give the bytes to be signed."""
    return history.proposal(WIDER).statement.payload()


def test_two_people_are_enough(history: Chronicle) -> None:
    """What the attacks are held against."""
    offered = offer(history, *(SshKey.of(name).approve(payload(history)) for name in ("alice", "dora")))
    assert offered.head is not None


def test_by_signing_twice(history: Chronicle) -> None:
    """Alice signs twice, once as SSH signature and once bare."""
    alice = SshKey.of("alice")
    bare = Signature(alice.fingerprint, alice.private.sign(Envelope(payload(history)).pae))
    again = Signature(alice.fingerprint, alice.sshsig(Envelope(payload(history)).pae, hash_name="sha256"))
    assert code(offer(history, alice.approve(payload(history)), bare, again)) == "RoleMissing"


def test_by_one_key_under_two_ids(history: Chronicle) -> None:
    """Alice's signature is there a second time under dora's key id, and under one of fantasy."""
    alice, dora = SshKey.of("alice"), SshKey.of("dora")
    own = alice.approve(payload(history))
    claimed = [Signature(keyid, own.sig) for keyid in (dora.fingerprint, "dora", alice.line.split()[1])]
    assert code(offer(history, own, *claimed)) == "RoleMissing"


def test_by_listing_ones_key_for_another_person() -> None:
    """A second person with alice's key makes the whole set of policies void, and the change with it."""
    history = Chronicle.of(CHECKOUT)
    people = organisation()
    people["people"]["double"] = {"name": "Double", "keys": [SshKey.of("alice").line + " again"]}
    changed = document("Organisation", "organisation", people)
    assert history.refused(changed, approved=["erin", "frank"]) == "PoliciesInvalid"


def test_by_two_keys_of_one_person() -> None:
    """Alice is the owner and holds two keys; the release manager's part cannot be hers."""
    people = organisation()["people"]
    people["alice"]["keys"].append(SshKey.of("phone").line)
    history = Chronicle((*policies(people=people), CHECKOUT))
    assert history.refused(WIDER, approved=["alice", "phone"]) == "RoleMissing"


def test_by_holding_two_roles() -> None:
    """Alice is owner and release manager: two roles are filled by two people."""
    roles = organisation()["roles"] | {"release-manager": {"people": ["alice", "dora"]}}
    history = Chronicle((*policies(roles=roles), CHECKOUT))
    assert history.refused(WIDER, approved=["alice"]) == "RoleMissing"
    history.change(WIDER, approved=["alice", "dora"])


def test_by_somebody_without_a_role(history: Chronicle) -> None:
    """Mallory is in the organisation and signs for everybody."""
    assert history.refused(WIDER, approved=["mallory"]) == "RoleMissing"
    assert history.refused(WIDER, approved=["alice", "mallory"]) == "RoleMissing"


def test_by_a_stranger(history: Chronicle) -> None:
    """A key of nobody's, with the best of signatures."""
    assert history.refused(WIDER, approved=["stranger"]) == "NoValidSignature"


def test_by_forging(history: Chronicle) -> None:
    """Bytes that are no signatures under the right key ids."""
    forged = [
        Signature(SshKey.of(name).fingerprint, filler) for name in ("alice", "dora") for filler in (bytes(64), b"")
    ]
    assert code(offer(history, *forged)) == "NoValidSignature"


def test_by_signatures_of_another_statement(history: Chronicle) -> None:
    """Alice and dora approved something else, even about the same flag."""
    other = history.proposal(edited(CHECKOUT, description="Other words.")).statement.payload()
    assert code(offer(history, *signed(other, "alice", "dora").signatures)) == "NoValidSignature"


def test_by_what_a_key_signed_for_git(history: Chronicle) -> None:
    """The bytes were signed, but as a commit: another purpose is another namespace."""
    made = [
        Signature(SshKey.of(name).fingerprint, SshKey.of(name).sshsig(Envelope(payload(history)).pae, "git"))
        for name in ("alice", "dora")
    ]
    assert code(offer(history, *made)) == "NoValidSignature"


def test_by_another_spelling_of_a_key() -> None:
    """The same key with bytes behind it, or under another type's name, would have two fingerprints: it is no key."""
    line = SshKey.of("alice").line.split()
    for spelling in (f"ssh-ed25519 {line[1]}AAAA", f"ssh-rsa {line[1]}"):
        with pytest.raises(ApprovalError):
            parse_public_key(spelling)


def without(person: str) -> dict[str, Any]:
    """Give the organisation without a person."""
    spec = organisation()
    del spec["people"][person]
    spec["teams"]["team-payments"]["members"].remove(person)
    return spec


def test_by_a_person_who_was_removed(history: Chronicle) -> None:
    """Alice left; her key still works, and counts for nothing from the statement that removed her on."""
    history.change(document("Organisation", "organisation", without("alice")), approved=["erin"], by=["frank"])
    assert history.refused(WIDER, approved=["alice", "dora"], by=["carol"]) == "RoleMissing"
    assert history.refused(WIDER, approved=["alice"], by=["carol"]) == "NoValidSignature"


def test_by_a_statement_signed_before_the_removal(history: Chronicle) -> None:
    """Alice signed while she was there; the statement is not accepted yet, and now builds on a head that is gone."""
    bundle: Bundle = history.bundle(history.proposal(WIDER), "alice", "dora")
    history.change(document("Organisation", "organisation", without("alice")), approved=["erin"], by=["frank"])
    assert code(accept(history.head, bundle, history.trust, now=MONDAY)) == "StatementReplayed"


def test_by_a_membership_that_has_ended() -> None:
    """A membership ends by itself, at the end of its last day."""
    teams = organisation()["teams"]
    teams["team-payments"]["members"] = [{"person": "alice", "until": "2026-11-23"}, "bob"]
    history = Chronicle((*policies(teams=teams), CHECKOUT))
    tomorrow = MONDAY + timedelta(days=1)
    assert history.attempt(WIDER).head is not None
    assert history.refused(WIDER, now=tomorrow) == "RoleMissing"


def test_by_leaving_the_contributors_out(history: Chronicle) -> None:
    """Bob writes a statement in which nobody contributed, and approves his own change as owner."""
    proposal = history.proposal(WIDER, by=[])
    assert (
        code(accept(history.head, history.bundle(proposal, "bob", "dora"), history.trust, now=MONDAY)) == "SelfApproval"
    )


def test_by_the_forges_block_without_an_attestor(history: Chronicle) -> None:
    """Anybody can write into a statement that the forge saw approvals."""
    proposal = history.proposal(WIDER)
    forge: dict[str, Any] = {
        "request": {"number": 1},
        "approvals": [{"person": name, "at": "2026-11-23T09:00:00Z"} for name in ("alice", "dora")],
        "decision": {},
        "verifier": {"id": "https://flagseal.dev/attestor"},
        "observedAt": "2026-11-23T09:00:00Z",
    }
    statement = replace(proposal.statement, forge=forge)
    offered = replace(proposal, statement=statement).bundle(signed(statement.payload(), "mallory"))
    assert code(accept(history.head, offered, history.trust, now=MONDAY)) == "RoleMissing"
