"""A statement continues this history, whole, or is refused with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.approval.envelope import Envelope
from flagseal.history import Bundle, accept, replay
from flagseal.model.document import Document
from tests.approval.keyring import signed
from tests.history.company import MONDAY, Chronicle, code, document, edited, flag, rule, segment

if TYPE_CHECKING:
    from flagseal.history import Acceptance

CHECKOUT = flag()
WIDER = flag(production=rule({"org": {"in": ["acme"]}}))


@pytest.fixture
def history() -> Chronicle:
    """Give a history with one flag."""
    return Chronicle.of(CHECKOUT)


def bent(history: Chronicle, **changed: Any) -> Acceptance:  # noqa: ANN401 (any field of a statement)
    """Offer a statement with something wrong, signed by everybody who is needed."""
    proposal = history.proposal(WIDER)
    payload = replace(proposal.statement, **changed).payload()
    return accept(history.head, Bundle(signed(payload, "alice", "dora"), proposal.documents), history.trust, now=MONDAY)


def test_an_approved_change_is_accepted(history: Chronicle) -> None:
    """The owner and the release manager, neither of whom wrote it."""
    head = history.change(WIDER)
    assert head.sequence == 1
    assert head.documents[WIDER.subject] == WIDER
    assert history.production()[WIDER.subject] == WIDER
    assert head.approvals[WIDER.subject] == head.statement
    assert head.accepted_at == MONDAY


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"repository_id": "git:" + "2" * 40}, "WrongRepository"),
        ({"ref": "refs/heads/other"}, "WrongBranch"),
        ({"sequence": 2}, "SequenceGap"),
        ({"before": "sha256:" + "0" * 64}, "BeforeMismatch"),
        ({"from_commit": "f" * 40}, "FromMismatch"),
        ({"after": "sha256:" + "0" * 64}, "SubjectsMismatch"),
        ({"replaces": {WIDER.subject: None}}, "SubjectsMismatch"),
        ({"replaces": {WIDER.subject: WIDER.digest}}, "SubjectsMismatch"),
        ({"subjects": {WIDER.subject: CHECKOUT.digest}}, "DigestMismatch"),
        ({"contributors": ("nobody",)}, "AuthorUnknown"),
    ],
)
def test_a_statement_that_does_not_fit_is_refused(history: Chronicle, changed: dict[str, Any], expected: str) -> None:
    """Even with every signature that is needed."""
    assert code(bent(history, **changed)) == expected


def test_a_malformed_payload_is_refused(history: Chronicle) -> None:
    """Whatever it is, the answer is a refusal."""
    assert code(accept(history.head, Bundle(Envelope(b"{}"), {}), history.trust, now=MONDAY)) == "StatementMalformed"


def test_the_content_counts_whoever_carries_it(history: Chronicle) -> None:
    """Missing, other and mislabelled content is refused; what nobody asked for is left out."""
    proposal = history.proposal(WIDER)
    bundle = history.bundle(proposal, "alice", "dora")
    other = edited(WIDER, description="Something else.")
    for documents, expected in (
        ({}, "ContentMissing"),
        ({WIDER.subject: other}, "DigestMismatch"),
        ({WIDER.subject: segment()}, "InvalidContent"),
    ):
        offered = replace(bundle, documents=documents)
        assert code(accept(history.head, offered, history.trust, now=MONDAY)) == expected
    more = replace(bundle, documents={**bundle.documents, "Segment/payments/more": segment("more")})
    entry = accept(history.head, more, history.trust, now=MONDAY).entry
    assert entry is not None
    assert list(entry.documents) == [WIDER.subject]


def test_content_that_is_no_valid_document_is_refused(history: Chronicle) -> None:
    """A document is held against its schema wherever it comes from."""
    odd = Document("FlagDefinition", "payments", "odd", {"variants": {}})
    assert history.refused(odd) == "InvalidContent"


def test_names_and_keys_stay_unique(history: Chronicle) -> None:
    """A cheap flag cannot take another's name or key."""
    assert history.refused(flag("checkout", "search", owner="team-search"), approved=["carol", "dora"]) == "NotUnique"
    twin = flag("twin", "search", owner="team-search", tier="informational", key="checkout")
    assert history.refused(twin, approved=["carol"], by=["bob"]) == "NotUnique"


def test_a_flag_without_meaning_is_refused(history: Chronicle) -> None:
    """A dangling reference in any environment refuses the change, and so does removing what is referred to."""
    assert history.refused(flag(production=rule({"segment": "nowhere"}))) in {"NotCompiling", "PolicyDenied"}
    history.change(segment("pilots", "acme"), flag(production=rule({"segment": "pilots"})))
    assert history.refused(remove=[segment()]) == "NotCompiling"


def test_policies_that_contradict_themselves_are_refused(history: Chronicle) -> None:
    """The whole set counts, as it would be afterwards."""
    organisation = history.head.documents["Organisation/organisation"]
    assert isinstance(organisation.spec, dict)
    broken = edited(organisation, roles={**organisation.spec["roles"], "ghosts": {"teams": ["nobody"]}})  # type: ignore[dict-item]
    assert history.refused(broken, approved=["erin", "frank"]) == "PoliciesInvalid"


def test_a_removed_document_leaves_a_tombstone(history: Chronicle) -> None:
    """Removal is a subject like any other, and creating it again replaces the tombstone."""
    history.change(remove=[CHECKOUT])
    assert history.head.documents[CHECKOUT.subject].is_tombstone
    assert history.head.manifest.entries[CHECKOUT.subject] == CHECKOUT.tombstone().digest
    history.change(CHECKOUT)
    assert history.entries[-1].envelope.statement.replaces == {CHECKOUT.subject: CHECKOUT.tombstone().digest}
    assert not history.head.documents[CHECKOUT.subject].is_tombstone


def test_what_never_was_cannot_be_removed(history: Chronicle) -> None:
    """A tombstone needs something under it."""
    ghost = document("Segment", "ghost", None, "payments")
    proposal = history.proposal(WIDER)
    statement = replace(
        proposal.statement,
        subjects={ghost.subject: ghost.digest},
        replaces={ghost.subject: None},
        after=history.head.manifest.changed({ghost.subject: ghost.digest}).digest,
    )
    bundle = Bundle(signed(statement.payload(), "alice", "dora"), {ghost.subject: ghost})
    assert code(accept(history.head, bundle, history.trust, now=MONDAY)) == "SubjectsMismatch"


def test_replaying_the_entries_gives_the_same_head(history: Chronicle) -> None:
    """The head is a function of trust, genesis and entries; a line of the history loses nothing."""
    history.change(WIDER)
    history.change(
        segment("pilots", "acme"), flag("search-v2", "search", owner="team-search"), approved=["alice", "carol", "dora"]
    )
    history.change(remove=[CHECKOUT])
    lines = [type(entry).parse_line(entry.to_line()) for entry in history.entries]
    assert lines == history.entries
    assert replay(history.trust, history.start, lines) == history.head


def test_the_clock_never_goes_back(history: Chronicle) -> None:
    """A statement accepted by a clock that was set back counts as accepted with the last one."""
    history.change(WIDER)
    head = history.change(edited(WIDER, description="Other words."), now=MONDAY.replace(year=2020))
    assert head.accepted_at == MONDAY
