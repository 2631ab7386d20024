"""The bytes of TUF metadata that are signed: OLPC's canonical JSON (TUF 4.2.1), quickly where quick is the same.

The library writes it in pure Python; of a snapshot of two hundred namespaces that takes longer than signing it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tuf.api.serialization import SignedSerializer
from tuf.api.serialization.json import CanonicalJSONSerializer

from flagseal.model.canonical import canonical_json, is_plain

if TYPE_CHECKING:
    from tuf.api.metadata import Signed


class SignedForm(SignedSerializer):
    """Write what is signed, as the library's own serialiser does."""

    def serialize(self, signed_obj: Signed) -> bytes:
        """Give the bytes.

        Raises:
            SerializationError: There are none: it holds a float.
        """
        body = signed_obj.to_dict()
        if is_plain(body):
            data = canonical_json(body)
            # The two forms differ in what they escape, in order beyond ASCII, and in nothing else of plain values.
            if b"\\" not in data and data.isascii() and b"\x7f" not in data:
                return data
        return CanonicalJSONSerializer().serialize(signed_obj)
