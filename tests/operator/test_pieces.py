"""A statement too large for one object arrives whole from its pieces, or not at all, and the status says which."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flagseal.approval.envelope import Envelope, Signature
from flagseal.approval.statement import LARGEST_PAYLOAD
from flagseal.model.errors import ApprovalError
from flagseal.model.schema.cluster import LARGEST_OBJECT, MOST_PIECES
from flagseal_operator import pieces
from flagseal_operator.carriers import carry, read_carrier, statement_carrier
from flagseal_operator.delivery import carrier_actions
from flagseal_operator.inventory import Inventory
from flagseal_operator.pieces import PIECE, Piece, cut, join, place_of
from tests.operator.test_history_decides import bodies_of, founded
from tests.snapshot.world import FLAGS, flag

if TYPE_CHECKING:
    from pathlib import Path

SIGNATURES = tuple(Signature(f"SHA256:{name}", name.encode() * 40) for name in ("a", "b", "c"))
LARGE = Envelope(b"statement" * 100_000, SIGNATURES)
NAME = statement_carrier(LARGE.payload)


@given(size=st.integers(0, 40), step=st.integers(1, 12), order=st.randoms(use_true_random=False))
def test_any_statement_comes_back_from_its_pieces_in_any_order(size: int, step: int, order: Any) -> None:  # noqa: ANN401 (hypothesis' random)
    """To the byte, with all its signatures."""
    whole = Envelope(bytes(range(size)), SIGNATURES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", step)
        parts = list(enumerate(cut(whole), 1))
    order.shuffle(parts)
    joined = join(statement_carrier(whole.payload), dict(parts))
    assert (joined.envelope, joined.missing) == (whole, ())


@given(data=st.data())
def test_what_is_not_the_whole_never_counts(data: st.DataObject) -> None:
    """Whatever is withheld, changed, exchanged or counted otherwise."""
    whole = Envelope(b"0123456789abcdef", SIGNATURES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", 3)
        parts = dict(enumerate(cut(whole), 1))
    number = data.draw(st.sampled_from(sorted(parts)))
    match data.draw(st.sampled_from(["withheld", "changed", "exchanged", "recounted"])):
        case "withheld":
            del parts[number]
        case "changed":
            payload = data.draw(st.binary(max_size=4).filter(lambda it: it != parts[number].envelope.payload))
            parts[number] = Piece(parts[number].of, Envelope(payload, SIGNATURES))
        case "exchanged":
            other = data.draw(st.sampled_from([it for it in sorted(parts) if it != number]))
            parts[number], parts[other] = parts[other], parts[number]
        case _:
            parts[number] = Piece(data.draw(st.integers(1, 9).filter(lambda it: it != 6)), parts[number].envelope)
    joined = join(statement_carrier(whole.payload), parts)
    assert joined.envelope is None


def test_the_largest_statement_fits_into_as_many_pieces_as_there_may_be() -> None:
    """Two limits that nobody may move apart."""
    assert -(-LARGEST_PAYLOAD // PIECE) <= MOST_PIECES


def test_a_large_statement_travels_in_objects_that_etcd_takes_with_its_documents_beside() -> None:
    """Each object is small enough, and room that pieces leave is used."""
    bodies = json.loads(json.dumps(carry(NAME, FLAGS, [LARGE], committed="2026-11-23T10:00:00Z")))
    assert len(bodies) == -(-len(LARGE.payload) // PIECE)
    assert all(len(json.dumps(body)) <= LARGEST_OBJECT for body in bodies)
    read = [read_carrier(body) for body in bodies]
    found = {place_of(it.name)[1]: it.piece for it in read if it.piece is not None}
    assert join(NAME, found).envelope == LARGE
    assert {document.digest for it in read for document in it.documents.values()} == {it.digest for it in FLAGS}


def test_more_signatures_than_fit_are_refused_before_etcd_would() -> None:
    """In words that say what is too large."""
    many = tuple(Signature(f"SHA256:{number}", bytes([number]) * 4_000) for number in range(100))
    with pytest.raises(ApprovalError) as refused:
        carry(NAME, [], [Envelope(LARGE.payload, many)])
    assert refused.value.code == "CarrierTooLarge"


@pytest.mark.parametrize(
    "change",
    [
        {"of": 0},
        {"of": MOST_PIECES + 1},
        {"of": True},
        {"of": "5"},
        {"payload": "?"},
        {"more": 1},
        {"payloadType": "text/plain"},
    ],
)
def test_a_malformed_piece_is_refused_with_its_place(change: dict[str, Any]) -> None:
    """The resource says what is wrong with it."""
    spoilt: dict[str, Any] = copy.deepcopy(carry(NAME, [], [LARGE])[1])
    spoilt["spec"]["piece"] |= change
    with pytest.raises(ApprovalError, match=r"\$\.spec\.piece") as refused:
        read_carrier(spoilt)
    assert refused.value.code == "CarrierMalformed"


def test_a_piece_beyond_the_last_or_beside_a_whole_statement_is_refused() -> None:
    """Neither is anything that a writer of ours makes."""
    first: dict[str, Any] = copy.deepcopy(carry(NAME, [], [LARGE])[0])
    beyond = {**first, "metadata": {"name": f"{NAME}-{first['spec']['piece']['of'] + 1}"}}
    beside = {**first, "spec": {**first["spec"], "envelopes": [LARGE.body()]}}
    for body in (beyond, beside):
        with pytest.raises(ApprovalError, match=r"\$\.spec\.piece"):
            read_carrier(body)


def test_a_squatted_piece_is_made_anew_and_one_with_more_signatures_is_left() -> None:
    """As for whole statements (docs/adr/0091)."""
    bodies = carry(NAME, FLAGS, [LARGE])
    signed = carry(NAME, FLAGS, [LARGE.with_signature(Signature("SHA256:z", b"z"))])
    inventory = Inventory()
    junk: dict[str, Any] = {**bodies[1], "spec": {"piece": Piece(5, Envelope(b"junk")).body()}}
    for body in (signed[0], junk, *bodies[2:]):
        inventory.see("FlagApproval", None, body)
    assert [str(it) for it in carrier_actions(bodies, inventory)] == [f"renew FlagApproval {NAME}-2"]


@settings(max_examples=5, deadline=None)
@given(order=st.randoms(use_true_random=False))
def test_pieces_may_come_in_any_order_and_the_last_one_has_it_accepted(
    tmp_path_factory: pytest.TempPathFactory,
    order: Any,  # noqa: ANN401 (hypothesis' random)
) -> None:
    """Until then each says what is not here yet; a piece that is another's is told apart from one that is missing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", 600)
        patch.setattr("flagseal_operator.carriers._ROOM", 2200)
        world, server, site = founded(tmp_path_factory.mktemp("world"))
        bodies = list(bodies_of(world.accept(*(flag(f"new-{number}") for number in range(6)))))
    names = [body["metadata"]["name"] for body in bodies]
    order.shuffle(bodies)
    for body in bodies[:-1]:
        server.put(body)
    site.feed(server.log)
    assert site.step().published.sequence == 0
    carrying = [body["metadata"]["name"] for body in bodies[:-1] if "piece" in body["spec"]]
    if "piece" in bodies[-1]["spec"]:
        assert {site.reason("FlagApproval", name) for name in carrying} == {("False", "PieceMissing")}
        assert all(site.reason("FlagApproval", name, of="Reconciling")[0] == "True" for name in carrying)
        forged = copy.deepcopy(bodies[-1])
        forged["spec"]["piece"]["payload"] = "AAAA"
        server.put(forged)
        site.feed(server.log)
        assert site.step().published.sequence == 0
        assert site.reason("FlagApproval", names[0]) == ("False", "DigestMismatch")
    server.put(bodies[-1])
    site.feed(server.log)
    assert site.step().published.sequence == 1
    assert site.reason("FlagApproval", names[0]) == ("True", "Accepted")
    assert site.reason("FlagApproval", names[1]) == ("True", "Carries")


def test_what_did_not_change_is_not_parsed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large statement that stays in the cluster costs each later change nothing."""
    world, server, site = founded(tmp_path)
    for body in bodies_of(world.accept(flag("new-checkout", on_for=["acme", "b"]))):
        server.put(body)
    site.feed(server.log)
    before = site.source.offered()
    monkeypatch.setattr(Envelope, "statement", property(lambda _: pytest.fail("parsed again")))
    server.put(flag("another").body())
    site.feed(server.log)
    assert site.source.offered() is not before
    assert site.source.offered().statements == before.statements
