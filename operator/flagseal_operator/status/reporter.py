"""Which statuses are to be written: computed again only where something that they say may have changed.

Costs grow with the change: a step that accepts one statement looks at the resources it names, and not at ten thousand.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flagseal.approval.evidence import gather
from flagseal.emergency import EMPTY
from flagseal.history import Acceptance, accept, is_signed
from flagseal.history.overriding import Serving
from flagseal.model.document import NAMESPACED_KINDS, REVIEW_KINDS, split_subject
from flagseal.model.errors import ApprovalError
from flagseal.policy.state import changed_subjects
from flagseal_operator.carriers import Carried, genesis_carrier
from flagseal_operator.engine import LARGE
from flagseal_operator.pieces import place_of
from flagseal_operator.resources import DECLARING, Ref
from flagseal_operator.status.carried import carrier_status
from flagseal_operator.status.conditions import READY
from flagseal_operator.status.declared import declared_status, subject_of_resource
from flagseal_operator.status.picture import Approval, Picture, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from datetime import datetime

    from flagseal.approval.envelope import Envelope
    from flagseal.approval.trust import Trust
    from flagseal.emergency import Emergencies
    from flagseal.history import Head
    from flagseal.model.errors import FlagsealError
    from flagseal_operator.cluster_source import Offered
    from flagseal_operator.inventory import Inventory, Seen

_ALL: Final = None
_UNSIGNED: Final = Acceptance(
    None,
    None,
    ApprovalError(
        "No signature of anybody in the organisation is on the statement yet.",
        code="NoValidSignature",
        remedy="`flagseal approvals show` says who may approve it. A statement by nobody can be deleted.",
    ),
    None,
)


@dataclass(frozen=True, slots=True)
class Update:
    """A status to be written.

    Attributes:
        ref: Of the resource.
        status: All of it.
        message: What a person is told in a Kubernetes event: why it is ready, or not; None where that stayed the same.
    """

    ref: Ref
    status: dict[str, Any]
    message: tuple[str, str] | None


class Reporter:
    """Compute statuses, one step after the other.

    Args:
        inventory: What the cluster holds.
        trust: By which statements are judged.
        is_said: Tells whether a resource says so already, and will go on to.
    """

    def __init__(self, inventory: Inventory, trust: Trust, is_said: Callable[[Ref, dict[str, Any]], bool]) -> None:
        self._inventory = inventory
        self._trust = trust
        self._is_said = is_said
        self._genesis = genesis_carrier(trust.genesis.manifest)
        self._last: Picture | None = None
        self._approvals: tuple[str, dict[str, Approval]] = ("", {})
        self._signed: tuple[str, dict[str, tuple[Envelope, bool]]] = ("", {})

    def picture(  # noqa: PLR0913 (a picture is made of all that)
        self,
        head: Head,
        offered: Offered,
        *,
        version: int,
        now: datetime,
        serving: Serving | None = None,
        emergencies: Emergencies = EMPTY,
        overridden: Mapping[str, str] | None = None,
        refused: Mapping[str, Acceptance] | None = None,
        failure: FlagsealError | None = None,
    ) -> Picture:
        """Put together what is known after a step.

        Args:
            head: The accepted state.
            offered: The statements that resources carry.
            version: Of the published snapshot.
            now: The clock.
            serving: What each flag is served from; where it is not given, what is in effect.
            emergencies: What was proven, and holds or held.
            overridden: By ``namespace/name``, why a flag is under an override.
            refused: What became of statements that claim to come next, by id; those that it does not name are judged
                here, but for large ones, which are being judged elsewhere.
            failure: Why nothing can be published.
        """
        environment = self._trust.environment
        accepted = self._accepted(head, offered)
        begun = self._trust.genesis.sequence
        earlier = {(it.subject, it.digest): begun for it in offered.documents_of(self._genesis)}
        for name in accepted.values():
            statement = offered.statements[name][0]
            earlier.update(((subject, digest), statement.sequence) for subject, digest in statement.subjects.items())
        found = dict(self._judged(head, offered, now, refused or {}))
        return Picture(
            environment=environment,
            head=head,
            serving=serving or Serving(environment, head.effective(environment, now), {}),
            version=version,
            now=now,
            approvals={statement: self._approval(name, head, offered) for statement, name in accepted.items()},
            refusals=tuple(_refusals(found, offered)),
            judging={name: offered.statements[name][0].subjects for name, it in found.items() if it is None},
            earlier=earlier,
            accepted=frozenset(accepted),
            emergencies=emergencies,
            overridden=overridden or {},
            failure=failure,
        )

    def updates(self, picture: Picture, offered: Offered) -> list[Update]:
        """Compute what is to be written; what says what it said already is left out."""
        dirty = self._inventory.take_dirty()
        before, self._last = self._last, picture
        if before is not None:
            touched = _touched(before, picture)
            if touched is not _ALL:
                refs: Iterable[tuple[Ref, Seen]] = self._chosen({*dirty, *touched})
                return [update for ref, seen in refs if (update := self._update(ref, seen, picture, offered))]
        everything = (item for kind in (*DECLARING, "FlagApproval") for item in self._inventory.of(kind).items())
        return [update for ref, seen in everything if (update := self._update(ref, seen, picture, offered))]

    def missing(self, picture: Picture) -> tuple[str, ...]:
        """Name what is approved and in effect and declared by no resource: drift, though nothing is lost by it."""
        declared = {
            seen.digest for kind in DECLARING for seen in self._inventory.of(kind).values() if seen.digest is not None
        }
        live = (
            subject
            for subject, document in picture.effective.items()
            if not document.is_tombstone and document.kind not in REVIEW_KINDS
        )
        return tuple(subject for subject in live if picture.effective[subject].digest not in declared)

    def _chosen(self, refs: Iterable[Ref]) -> Iterator[tuple[Ref, Seen]]:
        carriers = self._inventory.of("FlagApproval")
        for ref in sorted({*refs, *carriers}, key=str):
            seen = self._inventory.get(ref)
            if seen is not None and ref.kind in (*DECLARING, "FlagApproval"):
                yield ref, seen

    def _update(self, ref: Ref, seen: Seen, picture: Picture, offered: Offered) -> Update | None:
        if ref.kind == "FlagApproval":
            statement = offered.statements.get(ref.name)
            piece = isinstance(seen.content, Carried) and seen.content.piece is not None
            joined = offered.joined.get(place_of(ref.name)[0]) if piece else None
            status = carrier_status(ref.name, seen, statement[0] if statement else None, picture, joined)
        else:
            subject = subject_of_resource(ref, seen)
            if subject is not None and seen.digest is not None and picture.is_judged(subject, seen.digest):
                return None  # what is said of it stays, until that is decided: two statuses for each would be too many
            status = declared_status(ref, seen, picture)
        if self._is_said(ref, status):
            return None
        ready, before = status["conditions"][0], _ready(seen)
        # That something new is as it should be is no news.
        told = (before or "True") != ready["status"]
        return Update(ref, status, (ready["reason"], ready["message"]) if told else None)

    def _approval(self, name: str, head: Head, offered: Offered) -> Approval:
        """Say who approved an accepted statement, in the organisation's words of today."""
        if self._approvals[0] != head.policies.digest:
            self._approvals = head.policies.digest, {}
        known = self._approvals[1]
        if name not in known:
            statement, envelope = offered.statements[name]
            people = gather(envelope, statement, head.policies.organisation, self._trust.attestors).approvals
            label = _label(statement.forge, [it.person for it in people])
            known[name] = Approval(statement.id, statement.sequence, label)
        return known[name]

    def _accepted(self, head: Head, offered: Offered) -> dict[str, str]:
        """Find the carriers of the statements that led to a head, as far back as they are carried: by id, their names.

        A function of the head and of what is carried alone: a restarted operator says the same. The head names only the
        last statement and those in force; of the others anybody could carry one that fits, so one counts only if it,
        and every one between, is signed by somebody who is still in the organisation, or by an attestor.
        """
        for gone in self._signed[1].keys() - offered.statements.keys():
            del self._signed[1][gone]
        names: dict[tuple[int, str, str], list[str]] = {}
        by_id: dict[str, str] = {}
        for name, (statement, _) in offered.statements.items():
            names.setdefault((statement.sequence, statement.commit, statement.after), []).append(name)
            by_id[statement.id] = name
        found: dict[str, str] = {}
        current = by_id.get(head.statement or "")
        while current is not None:
            statement = offered.statements[current][0]
            found[statement.id] = current
            before = names.get((statement.sequence - 1, statement.from_commit, statement.before), [])
            current = next((name for name in before if self._is_signed(name, head, offered)), None)
        # What is in force was accepted, whatever of the way there is still carried.
        found.update({it: by_id[it] for it in head.approvals.values() if it in by_id})
        return found

    def _is_signed(self, name: str, head: Head, offered: Offered) -> bool:
        if self._signed[0] != head.policies.digest:
            self._signed = head.policies.digest, {}
        envelope = offered.statements[name][1]
        known = self._signed[1].get(name)
        if known is None or known[0] is not envelope:
            known = self._signed[1][name] = envelope, is_signed(head, envelope, self._trust)
        return known[1]

    def _judged(
        self, head: Head, offered: Offered, now: datetime, refused: Mapping[str, Acceptance]
    ) -> Iterator[tuple[str, Acceptance | None]]:
        """Give what became of each statement that claims to come next, by its carrier; None if that is to come."""
        for name in offered.after(head):
            statement, envelope = offered.statements[name]
            found = refused.get(statement.id)
            if not is_signed(head, envelope, self._trust):
                # Anybody may carry thousands of them.
                found = _UNSIGNED
            elif found is None and len(statement.subjects) <= LARGE:
                found = accept(head, offered.bundle(name), self._trust, now=now)
            yield name, found


def _refusals(judged: Mapping[str, Acceptance | None], offered: Offered) -> Iterator[Refusal]:
    for name, acceptance in judged.items():
        if acceptance is not None and acceptance.refusal is not None:
            statement = offered.statements[name][0]
            yield Refusal(
                name,
                statement.sequence,
                statement.subjects,
                acceptance.refusal,
                by_policy=acceptance.decision is not None and not acceptance.decision.allowed,
            )


def _ready(seen: Seen) -> str | None:
    """Read what a resource's own status says of its being ready; None if it says nothing."""
    status = json.loads(seen.status) if seen.status else {}
    conditions = status.get("conditions") if isinstance(status, dict) else None
    return next((it.get("status") for it in conditions or () if isinstance(it, dict) and it.get("type") == READY), None)


def _touched(before: Picture, after: Picture) -> set[Ref] | None:
    """Name the resources whose status may differ for what changed; None for all of them."""
    if _about_all(before) != _about_all(after):
        return _ALL
    subjects = {*changed_subjects(before.effective, after.effective)}
    subjects |= {*changed_subjects(before.head.documents, after.head.documents)}
    for picture in (before, after):
        for entry in picture.head.waiting(picture.environment, picture.now):
            subjects |= entry.before.keys()
        for refusal in picture.refusals:
            subjects |= refusal.subjects.keys()
        for judged in picture.judging.values():
            subjects |= judged.keys()
    flags = (
        before.overridden.keys() | after.overridden.keys() | before.serving.holds.keys() | after.serving.holds.keys()
    )
    return {*map(_ref_of, subjects), *(Ref("FlagDefinition", *flag.split("/", 1)) for flag in flags)}


def _about_all(picture: Picture) -> tuple[object, ...]:
    """Give what the status of every resource may speak of."""
    failure = picture.failure and picture.failure.message
    freezes = [(it.identity, it.until) for it in picture.emergencies.freezing(picture.now)]
    return freezes, failure, picture.now.date(), picture.head.policies.digest


def _ref_of(subject: str) -> Ref:
    kind, namespace, name = split_subject(subject)
    return Ref(kind, namespace, name) if kind in NAMESPACED_KINDS else Ref("FlagPolicy", None, f"{kind.lower()}.{name}")


def _label(forge: Mapping[str, Any] | None, people: list[str]) -> str:
    """Write who approved, as short as a column: ``#12 alice +1``."""
    number = forge["request"].get("number") if forge and isinstance(forge.get("request"), dict) else None
    words = [f"#{number}"] if isinstance(number, int) else []
    words += people[:1]
    if len(people) > 1:
        words.append(f"+{len(people) - 1}")
    return " ".join(words)
