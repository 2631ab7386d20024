"""What is signed is OLPC's canonical JSON, however it was written."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from tuf.api.metadata import MetaFile, Snapshot
from tuf.api.serialization import SerializationError
from tuf.api.serialization.json import CanonicalJSONSerializer

from flagseal.snapshot.signed_form import SignedForm

TEXTS = st.one_of(st.text(max_size=6), st.sampled_from(['"', "\\", "\x7f", "\n", "\ue000", "\U0001f600", "é", "ns-a"]))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
)


def written(by: SignedForm | CanonicalJSONSerializer, signed: Snapshot) -> bytes | None:
    """Serialise; None where it refuses, or the text has no UTF-8."""
    try:
        return by.serialize(signed)
    except SerializationError:
        return None


@given(
    names=st.dictionaries(TEXTS, st.integers(1, 2**60), max_size=4),
    more=st.dictionaries(TEXTS.map(lambda name: f"x-{name}"), VALUES, max_size=3),
)
def test_it_is_what_the_library_writes(names: dict[str, int], more: dict[str, object]) -> None:
    """Whatever the fields, those that nobody knows included."""
    meta = {f"{name}.json": MetaFile(version) for name, version in names.items()}
    signed = Snapshot(version=3, expires=datetime(2027, 1, 1, tzinfo=UTC), meta=meta, unrecognized_fields=dict(more))
    assert written(SignedForm(), signed) == written(CanonicalJSONSerializer(), signed)
