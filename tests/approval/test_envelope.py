"""Envelopes, and the notes that carry them."""

from __future__ import annotations

import base64
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope as Dsse

from flagseal.approval import envelope as room
from flagseal.approval.envelope import Envelope, Signature, parse_line, parse_notes
from flagseal.approval.evidence import approvers
from flagseal.model.errors import ApprovalError
from tests.approval.keyring import SshKey, signed
from tests.approval.samples import STATEMENT, organisation

PAYLOAD = STATEMENT.payload()


def test_an_envelope_reads_back_as_it_was_written() -> None:
    """A line carries everything."""
    envelope = signed(PAYLOAD, "alice", "dora")
    assert parse_line(envelope.to_line()) == envelope
    assert envelope.statement == STATEMENT


def test_it_is_the_dsse_that_others_read() -> None:
    """The library's own envelope takes ours, and signs the same bytes."""
    envelope = signed(PAYLOAD, "alice")
    theirs = Dsse.from_dict(json.loads(envelope.to_line()))
    assert theirs.payload == PAYLOAD
    assert theirs.pae() == envelope.pae


def test_signatures_from_several_lines_come_together() -> None:
    """Each approver adds a line of their own; together they are one envelope."""
    note = b"\n".join([signed(PAYLOAD, "alice").to_line(), b"", signed(PAYLOAD, "dora").to_line(), b""])
    (envelope,) = parse_notes(note)
    assert approvers(envelope, organisation(alice=("alice",), dora=("dora",))) == ("alice", "dora")


@given(st.lists(st.binary(max_size=80), max_size=6))
def test_junk_lines_are_passed_over(junk: list[bytes]) -> None:
    """Whatever else somebody wrote into the note, the envelope in it is found."""
    line = signed(PAYLOAD, "alice").to_line()
    lines = [entry.replace(b"\n", b"") for entry in junk]
    assert parse_notes(b"\n".join([*lines, line, *lines])) == (signed(PAYLOAD, "alice"),)


@pytest.mark.parametrize("spoilt", [{"keyid": ""}, {"sig": ""}], ids=["no key", "no signature"])
def test_a_signature_that_no_cluster_could_store_is_passed_over(spoilt: dict[str, str]) -> None:
    """It proves nothing, and would have the FlagApproval refused that carries the genuine ones beside it."""
    body = json.loads(signed(PAYLOAD, "dora").to_line())
    body["signatures"][0] |= spoilt
    note = json.dumps(body).encode() + b"\n" + signed(PAYLOAD, "alice").to_line()
    assert parse_notes(note) == (signed(PAYLOAD, "alice"),)
    with pytest.raises(ApprovalError) as refused:
        Envelope.from_body(body)
    assert refused.value.code == "EnvelopeMalformed"


def test_rubbish_under_a_key_id_does_not_displace_the_real_signature() -> None:
    """Whoever can write a note can write any key id; the library's envelope would keep one of the two."""
    alice = SshKey.of("alice")
    forged = Envelope(PAYLOAD, tuple(Signature(alice.fingerprint, os.urandom(64)) for _ in range(3)))
    note = forged.to_line() + b"\n" + signed(PAYLOAD, "alice").to_line() + b"\n" + forged.to_line()
    (envelope,) = parse_notes(note)
    assert approvers(envelope, organisation(alice=("alice",))) == ("alice",)


def test_a_flooded_note_is_read_in_time_and_not_past_its_cap() -> None:
    """Thousands of forged lines cost their reading, not more; a note past the cap is not read at all."""
    line = signed(PAYLOAD, "alice").to_line()
    forged = [Envelope(PAYLOAD, (Signature(f"SHA256:{n}", bytes(90)),)).to_line() for n in range(2_000)]
    (envelope,) = parse_notes(b"\n".join([*forged, line]))
    assert approvers(envelope, organisation(alice=("alice",))) == ("alice",)
    assert parse_notes(line + b"\n" + b" " * room.LARGEST_NOTE) == ()


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"payload": "e30=", "payloadType": "text/plain", "signatures": []},
        {"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": [], "more": 1},
        {"payload": "!", "payloadType": "application/vnd.in-toto+json", "signatures": []},
        {"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": [{"keyid": "x"}]},
        {"payload": "e30=", "payloadType": "application/vnd.in-toto+json", "signatures": [{"keyid": "x", "sig": 1}]},
        {
            "payload": "e30=",
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"keyid": "x" * 300, "sig": ""}],
        },
        {
            "payload": "e30=",
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"keyid": "x", "sig": base64.b64encode(bytes(9000)).decode()}],
        },
        {
            "payload": "e30=",
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"keyid": str(n), "sig": ""} for n in range(300)],
        },
    ],
    ids=str,
)
def test_what_is_no_envelope_is_refused(body: object) -> None:
    """Strict in form and in size."""
    with pytest.raises(ApprovalError) as caught:
        parse_line(json.dumps(body).encode())
    assert caught.value.code == "EnvelopeMalformed"


def test_signatures_of_two_statements_do_not_mix() -> None:
    """Merging asks for the same bytes."""
    with pytest.raises(ApprovalError):
        signed(PAYLOAD, "alice").merge(signed(PAYLOAD + b" ", "dora"))
