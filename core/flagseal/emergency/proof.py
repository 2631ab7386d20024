"""Who asked: a DSSE envelope whose payload binds one claim to a repository, an environment, a time and a person.

There are two types of payload, and each counts under one kind of key only: an admission receipt, in which the API
server's authenticated user stands, under the key that ``trust.json`` names; and a person's own under their own key.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Final

from securesystemslib.dsse import Envelope as Dsse

from flagseal.approval.envelope import Signature
from flagseal.model.canonical import canonical_json, sha256_digest
from flagseal.model.errors import ApprovalError
from flagseal.model.instants import parse_instant

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flagseal.emergency.claim import Claim
    from flagseal.model.canonical import Json

EMERGENCY_NAMESPACE: Final = "emergency@flagseal.dev"
"""Of SSH signatures: one made for an approval must not count here, nor the other way round."""

PERSON_TYPE: Final = "application/vnd.flagseal.emergency+json"
RECEIPT_TYPE: Final = "application/vnd.flagseal.admission-receipt+json"
LARGEST_PAYLOAD: Final = 16 * 1024
MOST_SIGNATURES: Final = 8
_LARGEST_SIGNATURE: Final = 8192
_NONCE: Final = re.compile(r"[0-9a-f]{32,64}")
_MORE: Final = {PERSON_TYPE: frozenset(), RECEIPT_TYPE: frozenset({"username", "groups", "extra"})}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the API server said of who asked.

    Attributes:
        username: As authenticated.
        groups: For the record; no group ever suffices.
        extra: For the record: how they authenticated, where the cluster says so.
    """

    username: str
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What a payload says, which nobody has checked.

    Attributes:
        at: When it was issued; whole seconds.
        username: Of a receipt; None in a person's own.
    """

    repository: str
    environment: str
    kind: str
    namespace: str | None
    name: str
    spec: str
    at: datetime
    username: str | None


@dataclass(frozen=True, slots=True)
class Proof:
    """Hold one envelope. Nothing is believed for being signed.

    Attributes:
        payload: What was signed, under :attr:`pae`.
        kind: The type of the payload.
        signatures: Sorted, none twice.
    """

    payload: bytes
    kind: str
    signatures: tuple[Signature, ...] = ()

    @property
    def pae(self) -> bytes:
        """The bytes that are signed; the type is among them."""
        encoded: bytes = Dsse(self.payload, self.kind, {}).pae()
        return encoded

    @property
    def digest(self) -> str:
        """``sha256:`` and the hexadecimal digest of what was signed: whoever signs it too does not change it."""
        return sha256_digest(self.pae)

    def with_signature(self, signature: Signature) -> Proof:
        """Add one signature."""
        return Proof(self.payload, self.kind, tuple(sorted({*self.signatures, signature})))

    def told(self) -> Told:
        """Read the payload.

        Raises:
            ApprovalError: ``ProofMalformed``.
        """
        try:
            body = json.loads(self.payload)
            if self.payload != canonical_json(body):
                raise _malformed("its payload is not canonical")
            match body:
                case {
                    "repository": str(repository),
                    "environment": str(environment),
                    "kind": str(kind),
                    "namespace": None | str() as namespace,
                    "name": str(name),
                    "spec": str(spec),
                    "at": str(at),
                    "nonce": str(nonce),
                    **rest,
                } if rest.keys() == _MORE[self.kind] and _NONCE.fullmatch(nonce):
                    username = rest.get("username")
                case _:
                    raise _malformed("its payload lacks its parts")
            if username is not None and not isinstance(username, str):
                raise _malformed("its user has no name")
            return Told(repository, environment, kind, namespace, name, spec, parse_instant(at), username)
        except (ValueError, TypeError, RecursionError) as error:
            raise _malformed(f"its payload cannot be understood ({error})") from error

    def body(self) -> dict[str, Json]:
        """Give DSSE's JSON form."""
        return {
            "payload": base64.b64encode(self.payload).decode("ascii"),
            "payloadType": self.kind,
            "signatures": [
                {"keyid": entry.keyid, "sig": base64.b64encode(entry.sig).decode("ascii")} for entry in self.signatures
            ],
        }

    @staticmethod
    def from_body(body: object) -> Proof:
        """Read DSSE's JSON form.

        Raises:
            ApprovalError: ``ProofMalformed``.
        """
        match body:
            case {"payload": str(payload), "payloadType": str(kind), "signatures": list(entries), **rest} if not rest:
                pass
            case _:
                raise _malformed("it is no DSSE envelope")
        if kind not in _MORE or not 0 < len(entries) <= MOST_SIGNATURES:
            raise _malformed(f"it holds {kind[:80]!r}, with {len(entries)} signatures")
        signatures = set()
        for entry in entries:
            match entry:
                case {"keyid": str(keyid), "sig": str(sig), **more} if not more and len(keyid) <= 256:  # noqa: PLR2004 (an id)
                    signatures.add(Signature(keyid, _decode(sig, _LARGEST_SIGNATURE)))
                case _:
                    raise _malformed("one of its signatures is none")
        return Proof(_decode(payload, 2 * LARGEST_PAYLOAD), kind, tuple(sorted(signatures)))

    @staticmethod
    def parse(text: str) -> Proof:
        """Read the text of an annotation.

        Raises:
            ApprovalError: ``ProofMalformed``.
        """
        if len(text) > 8 * LARGEST_PAYLOAD:
            raise _malformed("it is too large")
        try:
            return Proof.from_body(json.loads(text))
        except (ValueError, RecursionError) as error:
            raise _malformed("it is not JSON") from error


def payload_of(claim: Claim, repository: str, *, at: datetime, nonce: str, receipt: Receipt | None = None) -> Proof:
    """Write what is to be signed for a claim.

    Args:
        claim: The claim.
        repository: Its id, as in ``trust.json``.
        at: Now; the claim holds from then.
        nonce: 32 to 64 hexadecimal digits of chance.
        receipt: Who asked, where an API server says so; None for a person's own signature.

    Returns:
        The proof without a signature.
    """
    body: dict[str, Json] = {
        "repository": repository,
        "environment": claim.environment,
        "kind": claim.kind,
        "namespace": claim.namespace,
        "name": claim.name,
        "spec": claim.digest,
        "at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "nonce": nonce,
    }
    if receipt is None:
        return Proof(canonical_json(body), PERSON_TYPE)
    body["username"] = receipt.username
    body["groups"] = list(receipt.groups)
    body["extra"] = {key: list(values) for key, values in (receipt.extra or {}).items()}
    return Proof(canonical_json(body), RECEIPT_TYPE)


def _decode(text: str, longest: int) -> bytes:
    if len(text) > longest:
        raise _malformed("a part of it is too large")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("a part of it is not base64") from error


def _malformed(reason: str) -> ApprovalError:
    return ApprovalError(
        f"The proof cannot be read: {reason}.",
        code="ProofMalformed",
        remedy="Make it anew with `flagseal override`, or create the resource through the API server.",
    )
