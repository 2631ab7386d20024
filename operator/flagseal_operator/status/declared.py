"""The status of what declares: FlagDefinition, Segment, EntitlementBinding, FlagPolicy.

History decides; a resource whose content is the head's is Ready, one that differs is unapproved or behind, says which,
and changes nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from flagseal.model.document import subject_of
from flagseal_operator.status.conditions import (
    APPROVED,
    BREAK_GLASS,
    COMPLIANT,
    DRIFTED,
    EXPIRED,
    FROZEN,
    PUBLISHED,
    READY,
    RECONCILING,
    STALLED,
    Condition,
    dated,
    holds,
    kstatus,
    lacks,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_operator.inventory import Seen
    from flagseal_operator.resources import Ref
    from flagseal_operator.status.picture import Picture

_SHORT = 19
"""Characters of a digest that people compare: its kind and twelve digits."""


def subject_of_resource(ref: Ref, seen: Seen) -> str | None:
    """Give the subject that a resource speaks for; None if it does not say."""
    if ref.namespace is not None:
        return subject_of(ref.kind, ref.namespace, ref.name)
    document = json.loads(seen.content) if isinstance(seen.content, bytes) else None
    match document:
        case {"kind": str(kind), "metadata": {"name": str(name)}}:
            return subject_of(kind, None, name)
        case _:
            return None


def declared_status(ref: Ref, seen: Seen, picture: Picture) -> dict[str, Any]:
    """Say how a declaring resource stands.

    Args:
        ref: Its name.
        seen: What it says, and the status it has.
        picture: Everything else.

    Returns:
        The complete status.
    """
    before = _status(seen)
    verdict = _Verdict(ref, seen, picture)
    conditions = [*verdict.main(), *verdict.only_when_true()]
    status: dict[str, Any] = {
        "observedGeneration": seen.generation,
        "conditions": dated(conditions, before.get("conditions") or (), generation=seen.generation, now=picture.now),
    }
    if seen.digest is not None:
        status["digest"] = seen.digest
    status |= verdict.in_force(before)
    return status


def _status(seen: Seen) -> dict[str, Any]:
    found = json.loads(seen.status) if seen.status else {}
    return found if isinstance(found, dict) else {}


class _Verdict:
    """How one resource stands against the head."""

    def __init__(self, ref: Ref, seen: Seen, picture: Picture) -> None:
        self.ref, self.seen, self.picture = ref, seen, picture
        self.subject = subject_of_resource(ref, seen) or str(ref)
        self.accepted = picture.head.documents.get(self.subject)
        self.effective = picture.in_force(self.subject)

    def main(self) -> list[Condition]:
        """Give the conditions that are always there."""
        seen, picture = self.seen, self.picture
        if seen.problem is not None or seen.digest is None:
            return self._refused("InvalidDocument", seen.problem or "it declares no document")
        if self.accepted is None or self.accepted.digest != seen.digest:
            return self._unapproved(seen.digest)
        by = self._by()
        approved = holds(APPROVED, "Approved", f"{_cut(seen.digest)} was approved{by}.")
        compliant = holds(
            COMPLIANT, "DecidedAtAcceptance", "Policy allowed it when it was accepted; that is not decided again."
        )
        if self.effective is None or self.effective.digest != seen.digest:
            return [*self._waiting(), approved, compliant]
        if picture.failure is not None:
            message = f"{picture.failure.message} {picture.failure.remedy}".strip()
            return [
                *kstatus(
                    ready=lacks(READY, picture.failure.code, message),
                    stuck=holds(STALLED, picture.failure.code, message),
                ),
                approved,
                compliant,
                lacks(PUBLISHED, picture.failure.code, message),
            ]
        if (why := self._rolled_back()) is not None:
            message = f"It is approved, and not what is served: {why}"
            said = holds(PUBLISHED, "RolledBack", message)
            return [*kstatus(ready=holds(READY, "RolledBack", message)), approved, compliant, said]
        where = self._published()
        return [*kstatus(ready=holds(READY, "InForce", where)), approved, compliant, self._is_published(where)]

    def only_when_true(self) -> Iterator[Condition]:
        """Give the conditions that are there only while they hold."""
        picture = self.picture
        if (expires := self._expired()) is not None:
            yield holds(EXPIRED, "PastExpiry", f"It was to be gone after {expires}; retire it, or prolong its life.")
        if (why := picture.frozen(self.subject)) is not None:
            yield holds(FROZEN, "ChangeFreeze", why)
        if (why := self._rolled_back()) is not None:
            yield holds(BREAK_GLASS, "EmergencyOverride", why)
        if self.accepted is not None and not self.accepted.is_tombstone and self.accepted.digest != self.seen.digest:
            message = f"The resource is not what is approved ({_cut(self.accepted.digest)}), which {self._stands()}."
            yield holds(DRIFTED, "NotAsApproved", message)

    def in_force(self, before: dict[str, Any]) -> dict[str, Any]:
        """Say what is in force for the subject, by which approval, and since which snapshot."""
        picture = self.picture
        if self.effective is None or self.effective.is_tombstone:
            return {}
        found: dict[str, Any] = {"effectiveDigest": self.effective.digest}
        statement = picture.statement_of(self.subject)
        if statement is not None:
            approval = picture.approvals.get(statement)
            found["approval"] = {"statement": statement}
            if approval is not None and approval.sequence is not None:
                found["approval"]["sequence"] = approval.sequence
            known = before.get("approval")
            if approval is not None:
                found["approvedBy"] = approval.by
            elif statement.startswith("genesis:"):
                found["approvedBy"] = "genesis"
            elif isinstance(known, dict) and known.get("statement") == statement:
                # Its FlagApproval was pruned: what was said of it stays true.
                found |= {key: before[key] for key in ("approval", "approvedBy") if key in before}
        version = before.get("snapshotVersion")
        same = before.get("effectiveDigest") == self.effective.digest
        # The snapshot with which this content came out: it stays while the content does, whatever else is published.
        stays = same and isinstance(version, int) and version <= picture.version
        found["snapshotVersion"] = version if stays else picture.version
        return found

    def _unapproved(self, digest: str) -> list[Condition]:
        refusal = self.picture.refusal_of(self.subject, digest)
        if refusal is not None:
            message = f"Statement {refusal.sequence} is not accepted: {refusal.error.message} {refusal.error.remedy}"
            return self._refused(refusal.error.code, message.strip(), by_policy=refusal.by_policy)
        earlier = self.picture.earlier.get((self.subject, digest))
        if self.accepted is not None and self.accepted.is_tombstone:
            return self._refused("Removed", "Its removal was approved. Delete the resource, or approve it anew.")
        if earlier is not None and self.accepted is not None:
            message = (
                f"This content was approved as statement {earlier}, and {_cut(self.accepted.digest)} is by now: deliver"
                " the newer one, or get this one approved again."
            )
            return self._refused("Superseded", message)
        now = "" if self.accepted is None else f" What is approved, {_cut(self.accepted.digest)}, {self._stands()}."
        message = (
            f"{_cut(digest)} is not approved.{now} Get it approved by a pull request, or put the approved one back."
        )
        return self._refused("ApprovalMissing", message)

    def _stands(self) -> str:
        """Say of what is approved whether it is in force; a freeze or a window may hold it back."""
        same = self.effective is not None and self.effective == self.accepted
        return "stays in force" if same else "takes effect later"

    def _refused(self, reason: str, message: str, *, by_policy: bool = False) -> list[Condition]:
        published = self.effective is not None and not self.effective.is_tombstone
        what = "What was approved before is published." if published else "Nothing of it is published."
        return [
            *kstatus(ready=lacks(READY, reason, message), stuck=holds(STALLED, reason, message)),
            lacks(APPROVED, reason, message),
            Condition(
                COMPLIANT,
                "False" if by_policy else "Unknown",
                reason if by_policy else "NotDecided",
                message if by_policy else "It did not come to a decision.",
            ),
            lacks(PUBLISHED, reason, what),
        ]

    def _waiting(self) -> list[Condition]:
        picture = self.picture
        until = picture.waits_until(self.subject)
        frozen = picture.frozen(self.subject)
        if frozen is not None and until is None:
            reason, message = "Frozen", f"It is approved, and takes effect when the freeze ends: {frozen}"
        elif until is not None:
            reason, message = "OutsideWindow", f"It is approved, and takes effect at {until:%Y-%m-%d %H:%M UTC}."
        else:
            reason, message = "Waiting", "It is approved, and takes effect with what it hangs together with."
        return [
            *kstatus(ready=lacks(READY, reason, message), busy=holds(RECONCILING, reason, message)),
            lacks(PUBLISHED, reason, message),
        ]

    def _published(self) -> str:
        environment = self.picture.environment
        if self.ref.kind == "FlagDefinition" and self.effective is not None:
            spec = self.effective.spec
            listed = isinstance(spec, dict) and isinstance(spec["environments"], dict) and spec["environments"]
            if not listed or environment not in listed:
                return f"It is approved, and not served in {environment}."
        return f"In force in {environment}."

    def _is_published(self, where: str) -> Condition:
        return holds(PUBLISHED, "Published", where)

    def _by(self) -> str:
        statement = self.picture.head.approvals.get(self.subject)
        approval = self.picture.approvals.get(statement or "")
        return "" if approval is None else f" by {approval.by}"

    def _rolled_back(self) -> str | None:
        """Say by whom, why and until when everybody is served the safe variant; None where nobody did that."""
        ref = self.ref
        return self.picture.overridden.get(f"{ref.namespace}/{ref.name}") if ref.kind == "FlagDefinition" else None

    def _expired(self) -> str | None:
        document = self.effective
        spec = document.spec if document is not None and self.ref.kind == "FlagDefinition" else None
        expires = spec.get("expires") if isinstance(spec, dict) else None
        return expires if isinstance(expires, str) and expires < self.picture.now.date().isoformat() else None


def _cut(digest: str) -> str:
    return f"{digest[:_SHORT]}…"
