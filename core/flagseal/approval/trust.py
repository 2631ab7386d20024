"""``trust.json``: what is trusted first, signed by the offline keys of the TUF repository (approval.md, Genesis)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from securesystemslib.signer import Key

from flagseal.model.canonical import canonical_json
from flagseal.model.errors import ApprovalError

if TYPE_CHECKING:
    from flagseal.model.canonical import Json

LARGEST_TRUST = 256 * 1024
_ENVIRONMENT = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_WORD = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
_REF = re.compile(r"refs/heads/\S{1,200}")
_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Genesis:
    """Where the history begins.

    Attributes:
        commit: A commit on the protected branch.
        manifest: Digest of the manifest of its governed documents.
        sequence: The number it has; the first statement has the next.
    """

    commit: str
    manifest: str
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Attestor:
    """A key whose word about the forge's facts counts.

    Attributes:
        key: As securesystemslib has it, its id included.
        until: The last sequence for which it counts, once revoked; None while it counts.
    """

    key: Key
    until: int | None = None


@dataclass(frozen=True, slots=True)
class Trust:
    """Pin what nothing in a cluster or a store can choose for itself.

    Attributes:
        repository_id: ``git:<root commit>`` or ``github:<id>``.
        repository_name: For people.
        ref: The protected branch, in full.
        environment: The one environment that the TUF repository serves.
        attestors: Keys for forge evidence; none means that only reviewers' own keys count.
        admission: The key that signs admission receipts of emergencies; None where there is no cluster.
    """

    repository_id: str
    repository_name: str
    ref: str
    environment: str
    genesis: Genesis
    attestors: tuple[Attestor, ...] = ()
    admission: Key | None = None

    def body(self) -> dict[str, Json]:
        """Give it as JSON."""
        return {
            "version": 1,
            "repository": {"id": self.repository_id, "name": self.repository_name},
            "ref": self.ref,
            "environment": self.environment,
            "genesis": {
                "commit": self.genesis.commit,
                "manifest": self.genesis.manifest,
                "sequence": self.genesis.sequence,
            },
            "attestors": [{"key": _key_body(entry.key), "until": entry.until} for entry in self.attestors],
            "admission": None if self.admission is None else _key_body(self.admission),
        }

    def to_bytes(self) -> bytes:
        """Write the file: RFC 8785 and a line break."""
        return canonical_json(self.body()) + b"\n"

    @staticmethod
    def parse(data: bytes) -> Trust:
        """Read the file.

        Raises:
            ApprovalError: ``TrustMalformed``, naming the place; unknown fields are refused, since what an older
                version passes over could be what a newer one restricts.
        """
        if len(data) > LARGEST_TRUST:
            _refuse("$", f"is larger than {LARGEST_TRUST} bytes")
        try:
            body = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ApprovalError(f"trust.json: not JSON: {error}", code="TrustMalformed") from error
        fields = _object(
            body, "$", {"version", "repository", "ref", "environment", "genesis", "attestors", "admission"}
        )
        if fields["version"] != 1:
            _refuse("$.version", "is not 1: a newer Flagseal wrote it")
        repository = _object(fields["repository"], "$.repository", {"id", "name"})
        genesis = _object(fields["genesis"], "$.genesis", {"commit", "manifest", "sequence"})
        attestors = fields["attestors"]
        if not isinstance(attestors, list):
            _refuse("$.attestors", "is not a list")
        return Trust(
            repository_id=_match(_WORD, repository["id"], "$.repository.id"),
            repository_name=_match(_WORD, repository["name"], "$.repository.name"),
            ref=_match(_REF, fields["ref"], "$.ref"),
            environment=_match(_ENVIRONMENT, fields["environment"], "$.environment"),
            genesis=Genesis(
                _match(_OBJECT_ID, genesis["commit"], "$.genesis.commit"),
                _match(_DIGEST, genesis["manifest"], "$.genesis.manifest"),
                _sequence(genesis["sequence"], "$.genesis.sequence"),
            ),
            attestors=tuple(_attestor(entry, f"$.attestors[{place}]") for place, entry in enumerate(attestors)),
            admission=None if fields["admission"] is None else _key(fields["admission"], "$.admission"),
        )


def _attestor(entry: Json, path: str) -> Attestor:
    fields = _object(entry, path, {"key", "until"})
    until = None if fields["until"] is None else _sequence(fields["until"], f"{path}.until")
    return Attestor(_key(fields["key"], f"{path}.key"), until)


def _key_body(key: Key) -> dict[str, Json]:
    return {"keyid": key.keyid, **key.to_dict()}


def _key(value: Json, path: str) -> Key:
    if not isinstance(value, dict) or not isinstance(value.get("keyid"), str):
        _refuse(path, "is not a key with a keyid")
    fields = dict(value)
    try:
        return Key.from_dict(str(fields.pop("keyid")), fields)
    except (KeyError, TypeError, ValueError) as error:
        raise ApprovalError(f"trust.json: {path} is not a key: {error}", code="TrustMalformed") from error


def _sequence(value: Json, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        _refuse(path, "is not a sequence number")
    return value


def _object(value: Json, path: str, fields: set[str]) -> dict[str, Json]:
    if not isinstance(value, dict) or set(value) != fields:
        _refuse(path, f"must have exactly the fields {', '.join(sorted(fields))}")
    return value


def _match(pattern: re.Pattern[str], value: Json, path: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        _refuse(path, "is missing or malformed")
    return value


def _refuse(path: str, reason: str) -> NoReturn:
    raise ApprovalError(f"trust.json: {path} {reason}.", code="TrustMalformed")
