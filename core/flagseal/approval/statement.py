"""The approval statement: an in-toto Statement that takes the history from one head to the next.

Its upper block is a function of the history alone, so that every approver signs the same bytes; the lower block,
present where an attestor speaks, says what the forge knew. Parsing is strict: one statement has one spelling.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, NoReturn

from flagseal.model.canonical import canonical_json
from flagseal.model.document import split_subject
from flagseal.model.errors import ApprovalError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.canonical import Json

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://flagseal.dev/approval/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"

LARGEST_PAYLOAD = 4 * 1024 * 1024
"""Bytes; about 15,000 subjects."""
LARGEST_SEQUENCE = 2**53 - 1

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(r"refs/heads/[^\x00-\x20\x7f~^:?*\[\\]{1,200}")
_WORD = re.compile(r"[^\x00-\x1f\x7f]{1,256}")

_UPPER = {"repository", "ref", "from", "commit", "tree", "sequence", "before", "after", "replaces", "contributors"}
_LOWER = {"request", "approvals", "decision", "verifier", "observedAt"}


@dataclass(frozen=True, slots=True)
class ForgeApproval:
    """One approval as the forge knew it, by the attestor's word.

    Attributes:
        person: Id in ``organisation.yaml``.
        at: When it was given.
    """

    person: str
    at: datetime


@dataclass(frozen=True)
class Statement:
    """Hold what was approved.

    Attributes:
        repository_id: ``git:<root commit>`` or ``github:<id>``.
        repository_name: For people; nothing rests on it.
        ref: The protected branch.
        from_commit: The head's commit, on whose first-parent line ``commit`` lies.
        commit: What was approved.
        tree: Its whole tree.
        sequence: The head's plus one.
        before: Digest of the head's manifest.
        after: Digest of the manifest that follows.
        subjects: Subject to the digest of the document afterwards, a tombstone's where it was removed.
        replaces: Subject to the digest in the head's manifest; None where it has none. The same subjects.
        contributors: People who signed the commits between, sorted.
        ticket: Of the change, if one is named.
        forge: The lower block as JSON; None where nobody attests.
    """

    repository_id: str
    repository_name: str
    ref: str
    from_commit: str
    commit: str
    tree: str
    sequence: int
    before: str
    after: str
    subjects: Mapping[str, str]
    replaces: Mapping[str, str | None]
    contributors: tuple[str, ...]
    ticket: str | None = None
    forge: Mapping[str, Json] | None = None

    def body(self) -> dict[str, Json]:
        """Give the in-toto statement as JSON."""
        predicate: dict[str, Json] = {
            "repository": {"id": self.repository_id, "name": self.repository_name},
            "ref": self.ref,
            "from": self.from_commit,
            "commit": self.commit,
            "tree": self.tree,
            "sequence": self.sequence,
            "before": self.before,
            "after": self.after,
            "replaces": dict(self.replaces),
            "contributors": list(self.contributors),
            **(self.forge or {}),
        }
        if self.ticket is not None:
            predicate["ticket"] = self.ticket
        return {
            "_type": STATEMENT_TYPE,
            "subject": [
                {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}
                for name, digest in sorted(self.subjects.items())
            ],
            "predicateType": PREDICATE_TYPE,
            "predicate": predicate,
        }

    @cached_property
    def _payload(self) -> bytes:
        return canonical_json(self.body())

    def payload(self) -> bytes:
        """Give the bytes that are signed (inside DSSE): RFC 8785."""
        return self._payload

    @property
    def id(self) -> str:
        """SHA-256 of the payload, hexadecimal: the name of its FlagApproval, and of the approval in every answer."""
        return hashlib.sha256(self._payload).hexdigest()

    @property
    def change(self) -> tuple[object, ...]:
        """What it changes and where, without what the forge adds: equal for everybody who speaks of the same change."""
        return (
            self.repository_id, self.ref, self.from_commit, self.commit, self.tree, self.sequence, self.before,
            self.after, tuple(sorted(self.subjects.items())), tuple(sorted(self.replaces.items(), key=str)),
            self.contributors, self.ticket,
        )  # fmt: skip

    def forge_approvals(self) -> tuple[ForgeApproval, ...]:
        """Give the approvals of the lower block; empty without one."""
        approvals = (self.forge or {}).get("approvals")
        if not isinstance(approvals, list):
            return ()
        return tuple(_forge_approval(entry, place) for place, entry in enumerate(approvals))

    def forge_mergers(self) -> tuple[str, ...] | None:
        """Name the people who merged it by the lower block; None where it does not say, nobody without one."""
        if self.forge is None:
            return ()
        match self.forge.get("request"):
            case {"mergers": list(people)} if all(isinstance(person, str) for person in people):
                return tuple(str(person) for person in people)
        return None

    @staticmethod
    def parse(payload: bytes) -> Statement:
        """Read a payload.

        Args:
            payload: The bytes inside the envelope.

        Raises:
            ApprovalError: ``StatementMalformed`` unless the bytes are exactly those that :meth:`payload` gives for what
                they say, with no unknown field. ``StatementTooLarge``.
        """
        if len(payload) > LARGEST_PAYLOAD:
            raise ApprovalError(f"The statement is larger than {LARGEST_PAYLOAD} bytes.", code="StatementTooLarge")
        try:
            body = json.loads(payload)
            statement = _parse_body(body)
            same = statement.payload() == payload
        except (ValueError, RecursionError) as error:
            raise ApprovalError(f"The statement is not canonical JSON: {error}", code="StatementMalformed") from error
        if not same:
            _refuse("$", "is not in its canonical form (RFC 8785)")
        return statement


def can_hold(text: str) -> bool:
    """Tell whether a statement can hold a text as a word: what it cannot would make it one that nobody can read."""
    return _WORD.fullmatch(text) is not None


def _parse_body(body: Json) -> Statement:
    top = _object(body, "$", {"_type", "subject", "predicateType", "predicate"})
    if top["_type"] != STATEMENT_TYPE or top["predicateType"] != PREDICATE_TYPE:
        _refuse("$.predicateType", f"is not {PREDICATE_TYPE}")
    predicate = top["predicate"]
    if not isinstance(predicate, dict):
        _refuse("$.predicate", "is not an object")
    forge = {name: predicate[name] for name in predicate if name in _LOWER}
    upper = _object(
        {name: value for name, value in predicate.items() if name not in _LOWER}, "$.predicate", _UPPER, {"ticket"}
    )
    if forge and set(forge) != _LOWER:
        _refuse("$.predicate", f"has a part of the forge's block: {', '.join(sorted(_LOWER - set(forge)))} missing")
    repository = _object(upper["repository"], "$.predicate.repository", {"id", "name"})
    subjects = _subjects(top["subject"])
    replaces = _replaces(upper["replaces"])
    if set(replaces) != set(subjects):
        _refuse("$.predicate.replaces", "does not speak of the same subjects")
    sequence = upper["sequence"]
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 0 < sequence <= LARGEST_SEQUENCE:
        _refuse("$.predicate.sequence", "is not a positive integer")
    statement = Statement(
        repository_id=_match(_WORD, repository["id"], "$.predicate.repository.id"),
        repository_name=_match(_WORD, repository["name"], "$.predicate.repository.name"),
        ref=_match(_REF, upper["ref"], "$.predicate.ref"),
        from_commit=_match(_OBJECT_ID, upper["from"], "$.predicate.from"),
        commit=_match(_OBJECT_ID, upper["commit"], "$.predicate.commit"),
        tree=_match(_OBJECT_ID, upper["tree"], "$.predicate.tree"),
        sequence=sequence,
        before=_match(_DIGEST, upper["before"], "$.predicate.before"),
        after=_match(_DIGEST, upper["after"], "$.predicate.after"),
        subjects=subjects,
        replaces=replaces,
        contributors=_people(upper["contributors"]),
        ticket=_match(_WORD, upper["ticket"], "$.predicate.ticket") if "ticket" in upper else None,
        forge=forge or None,
    )
    if forge:
        if not isinstance(forge["approvals"], list):
            _refuse("$.predicate.approvals", "is not a list")
        statement.forge_approvals()
        _instant(forge["observedAt"], "$.predicate.observedAt")
    return statement


def _subjects(value: Json) -> dict[str, str]:
    """Read the subjects: at least one, sorted, none twice."""
    if not isinstance(value, list) or not value:
        _refuse("$.subject", "names nothing")
    subjects: dict[str, str] = {}
    last = ""
    for place, entry in enumerate(value):
        path = f"$.subject[{place}]"
        fields = _object(entry, path, {"name", "digest"})
        name = _subject(fields["name"], f"{path}.name")
        if name <= last:
            _refuse(path, "is not in order, or there twice")
        last = name
        digest = _object(fields["digest"], f"{path}.digest", {"sha256"})
        subjects[name] = "sha256:" + _match(_HEX_DIGEST, digest["sha256"], f"{path}.digest.sha256")
    return subjects


def _replaces(value: Json) -> dict[str, str | None]:
    path = "$.predicate.replaces"
    if not isinstance(value, dict):
        _refuse(path, "is not an object")
    return {
        _subject(name, path): None if digest is None else _match(_DIGEST, digest, f"{path}['{name}']")
        for name, digest in value.items()
    }


def _subject(value: Json, path: str) -> str:
    name = _match(_WORD, value, path)
    try:
        split_subject(name)
    except ValueError as error:
        _refuse(path, str(error))
    if not name.isascii():
        _refuse(path, "is not ASCII")
    return name


def _people(value: Json) -> tuple[str, ...]:
    path = "$.predicate.contributors"
    if not isinstance(value, list):
        _refuse(path, "is not a list")
    people = tuple(_match(_WORD, entry, f"{path}[{place}]") for place, entry in enumerate(value))
    if list(people) != sorted(set(people)):
        _refuse(path, "is not sorted, or names somebody twice")
    return people


def _forge_approval(entry: Json, place: int) -> ForgeApproval:
    path = f"$.predicate.approvals[{place}]"
    if not isinstance(entry, dict):
        _refuse(path, "is not an object")
    return ForgeApproval(_match(_WORD, entry.get("person"), f"{path}.person"), _instant(entry.get("at"), f"{path}.at"))


def _instant(value: Json, path: str) -> datetime:
    if not isinstance(value, str) or not value.endswith("Z"):
        _refuse(path, "is not an instant in UTC (2026-01-31T09:00:00Z)")
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except ValueError:
        _refuse(path, "is not an instant in UTC (2026-01-31T09:00:00Z)")


def _object(value: Json, path: str, required: set[str], optional: set[str] | None = None) -> dict[str, Json]:
    if not isinstance(value, dict):
        _refuse(path, "is not an object")
    missing, unknown = required - set(value), set(value) - required - (optional or set())
    if missing or unknown:
        _refuse(path, f"lacks {sorted(missing)}" if missing else f"has unknown fields {sorted(unknown)}")
    return value


def _match(pattern: re.Pattern[str], value: Json, path: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        _refuse(path, "is missing or malformed")
    return value


def _refuse(path: str, reason: str) -> NoReturn:
    raise ApprovalError(f"statement: {path} {reason}", code="StatementMalformed")
