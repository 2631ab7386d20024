"""What somebody asks for in an emergency, whoever they are: an EmergencyOverride or a FlagFreeze, read strictly."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NoReturn

from flagseal.emergency.scope import Scope
from flagseal.model.canonical import canonical_json, sha256_digest
from flagseal.model.characters import IN_VALUE, name_of
from flagseal.model.errors import ApprovalError
from flagseal.model.instants import parse_instant
from flagseal.model.schema.cluster import OVERRIDE_ACTIONS

if TYPE_CHECKING:
    from datetime import datetime

    from flagseal.model.canonical import Json

OVERRIDE: Final = "EmergencyOverride"
FREEZE: Final = "FlagFreeze"
LARGEST_SPEC: Final = 16 * 1024
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LONGEST: Final = {"incident": 128, "reason": 1024}
_ODD: Final = {"incident": re.compile(rf"{IN_VALUE.pattern}|[\n\t]"), "reason": IN_VALUE}
_FIELDS: Final = {
    OVERRIDE: {"flag", "environment", "action", "incident", "reason", "until", "ends"},
    FREEZE: {"namespaces", "environment", "incident", "reason", "until", "ends"},
}


@dataclass(frozen=True, slots=True)
class Claim:
    """Hold one claim. Nothing is believed for being claimed.

    Attributes:
        kind: ``EmergencyOverride`` or ``FlagFreeze``.
        namespace: The flag's; None for a freeze.
        name: Of the resource.
        spec: Its canonical JSON, which is what proofs bind.
        environment: Where it is meant.
        incident: As the incident system calls it.
        reason: In words.
        flag: ``namespace/name`` of the flag; None for a freeze.
        action: ``rollback`` or ``freeze``; None where it ends another.
        until: When it ends by itself; None where it ends another.
        ends: Name of the one of the same kind (and namespace) that it ends.
        namespaces: Those that a freeze names; None for all.
    """

    kind: str
    namespace: str | None
    name: str
    spec: bytes
    environment: str
    incident: str
    reason: str
    flag: str | None
    action: str | None
    until: datetime | None
    ends: str | None
    namespaces: frozenset[str] | None = None

    @property
    def freezes(self) -> Scope | None:
        """What it holds still; None for a rollback, and for one that only ends another."""
        return Scope(self.namespaces, self.flag) if self.action == "freeze" and self.ends is None else None

    @property
    def rolls_back(self) -> str | None:
        """The flag (``namespace/name``) that it rolls back; None for all others."""
        return self.flag if self.action == "rollback" and self.ends is None else None

    @property
    def deed(self) -> str:
        """What it does, for messages: ``payments/new-checkout rolled back``."""
        if self.ends is not None:
            return f"{self.ends} ended"
        return f"{self.flag} rolled back" if self.freezes is None else f"{self.freezes} frozen"

    @property
    def digest(self) -> str:
        """``sha256:`` and the hexadecimal digest of the spec."""
        return sha256_digest(self.spec)

    @property
    def title(self) -> str:
        """Kind, namespace and name, for messages."""
        return "/".join(part for part in (self.kind, self.namespace, self.name) if part is not None)


def parse_claim(kind: str, namespace: str | None, name: str, spec: Json) -> Claim:
    """Read a claim.

    Args:
        kind: ``EmergencyOverride`` or ``FlagFreeze``.
        namespace: Where the resource lies; None for a freeze.
        name: Of the resource.
        spec: As in the schema of the kind.

    Raises:
        ApprovalError: ``ClaimMalformed``; a field that is not known is refused, since it could restrict.
    """
    title = "/".join(part for part in (kind, namespace, name) if part is not None)
    if kind not in _FIELDS or (namespace is None) is (kind == OVERRIDE):
        _refuse(title, f"is none of {', '.join(sorted(_FIELDS))} in its place")
    for label in (name, *(() if namespace is None else (namespace,))):
        if _LABEL.fullmatch(label) is None:
            _refuse(title, "has no valid name")
    if not isinstance(spec, dict) or not spec.keys() <= _FIELDS[kind]:
        _refuse(title, f"has other fields than {', '.join(sorted(_FIELDS[kind]))}")
    try:
        data = canonical_json(spec)
    except (TypeError, ValueError, RecursionError):
        _refuse(title, "has no canonical form")
    if len(data) > LARGEST_SPEC:
        _refuse(title, f"is larger than {LARGEST_SPEC} bytes")
    texts = {key: _text(title, key, spec.get(key)) for key in ("environment", "incident", "reason")}
    until, ends = spec.get("until"), spec.get("ends")
    if (until is None) is (ends is None):
        _refuse(title, "must say either until when it holds, or which one it ends")
    action = "freeze" if kind == FREEZE and ends is None else spec.get("action")
    if action is not None and action not in OVERRIDE_ACTIONS:
        _refuse(title, f"can do nothing but {' or '.join(OVERRIDE_ACTIONS)}")
    if ends is None and action is None:
        _refuse(title, "names no action")
    namespaces = _namespaces(title, spec)
    return Claim(
        kind,
        namespace,
        name,
        data,
        texts["environment"],
        texts["incident"],
        texts["reason"],
        None if namespace is None else f"{namespace}/{_label(title, 'flag', spec.get('flag'))}",
        None if action is None else str(action),
        None if until is None else _instant(title, until),
        None if ends is None else _label(title, "ends", ends),
        namespaces,
    )


def require_readable(claim: Claim) -> None:
    """Refuse text that shows as something else than it is, or that no review could name, before it is proven.

    Asked where claims are made and receipted. Those that are published already are read with whatever they hold: what
    shows them spells it out.

    Raises:
        ApprovalError: ``ClaimUnreadable``.
    """
    for field, text in (("incident", claim.incident), ("reason", claim.reason)):
        if (odd := _ODD[field].search(text)) is not None:
            name = "a line break" if odd[0] == "\n" else name_of(odd[0])
            raise ApprovalError(
                f"{claim.title}: spec.{field} holds {name} at character {odd.start() + 1}.",
                code="ClaimUnreadable",
                remedy="Write it in plain text" + (", on one line." if field == "incident" else "."),
            )


def _namespaces(title: str, spec: dict[str, Json]) -> frozenset[str] | None:
    if "namespaces" not in spec:
        return None
    named = spec["namespaces"]
    if not isinstance(named, list) or not named:
        _refuse(title, "names no namespaces")
    return frozenset(_label(title, "namespaces", one) for one in named)


def _label(title: str, field: str, value: Json) -> str:
    if not isinstance(value, str) or _LABEL.fullmatch(value) is None:
        _refuse(title, f"has no valid {field}")
    return value


def _text(title: str, field: str, value: Json) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST.get(field, 63):
        _refuse(title, f"has no valid {field}")
    return value if field != "environment" else _label(title, field, value)


def _instant(title: str, value: Json) -> datetime:
    try:
        return parse_instant(value if isinstance(value, str) else "")
    except ValueError:
        _refuse(title, "has an until that is not written YYYY-MM-DDThh:mm:ssZ")


def _refuse(title: str, reason: str) -> NoReturn:
    raise ApprovalError(
        f"{title[:200]} {reason}.",
        code="ClaimMalformed",
        remedy="Write it as `flagseal override` or `flagseal freeze` does, or as kubectl explain says.",
    )
