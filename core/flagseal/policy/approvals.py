"""Whether the approvals of a row were given: by whom, with which proof, and by nobody who wrote the change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.model.policies import OWNER_ROLE
from flagseal.policy.decision import Check, Missing
from flagseal.policy.matching import fill, missing, slots_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from flagseal.model.policies import Organisation, PolicyRow
    from flagseal.policy.facts import Approval, EvidenceKind, Facts
    from flagseal.policy.matching import Filling, Slot

_PROOFS: dict[str, tuple[EvidenceKind | None, ...]] = {
    "keys": ("keys",),
    "forge": ("forge",),
    "either": (None,),
    "both": ("forge", "keys"),
}
"""What a row's evidence asks to be filled, each time by distinct people; None takes any proof."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a row asks for.

    Attributes:
        row: The row.
        owners: Each must be represented where the row asks for ``owner``; any team of an entry will do.
        role_environments: Where a declared role must be held.
        environment: For checks and missing approvals; None for policies.
    """

    row: PolicyRow
    owners: tuple[tuple[str, ...], ...]
    role_environments: tuple[str, ...]
    environment: str | None

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The places to be filled."""
        return slots_for(self.row.approvals, self.owners, self.role_environments)


def approval_checks(
    asked: Asked, facts: Facts, organisation: Organisation, requesters: frozenset[str] = frozenset()
) -> tuple[tuple[Check, ...], tuple[Missing, ...]]:
    """Judge roles, self-approval, evidence and ticket of one row.

    Args:
        asked: What the row asks for.
        facts: Who wrote and who approved.
        organisation: Who is who.
        requesters: Who asked for what the change reviews: they count as little as who wrote it.
    """
    slots, where = asked.slots, asked.environment
    counted, own = _apart(facts, requesters)
    mergers = frozenset() if asked.row.merger_counts else frozenset(facts.mergers or ())
    counted = [approval for approval in counted if approval.person not in mergers]
    fillings = {proof: _fill(slots, counted, proof, organisation, facts) for proof in _PROOFS[asked.row.evidence]}
    left = tuple(
        entry
        for proof, filling in fillings.items()
        for entry in missing(
            slots,
            filling,
            organisation,
            now=facts.clock,
            excluded=requesters.union(mergers, facts.contributors),
            environment=where,
            evidence=proof,
        )
    )
    checks = (
        _roles(where, slots, fillings, left),
        _self_approval(where, slots, (counted, own), organisation, facts, requesters),
        _evidence(asked, slots, counted, fillings, organisation, facts),
        _ticket(asked, facts),
        *_merger(asked, facts),
    )
    return checks, left


def _apart(facts: Facts, requesters: frozenset[str]) -> tuple[list[Approval], list[Approval]]:
    """Tell approvals that count from those by people who wrote a part of the change, or asked for what it reviews."""
    authors = requesters.union(facts.contributors)
    proven = [approval for approval in facts.approvals if approval.evidence]
    return (
        [approval for approval in proven if approval.person not in authors],
        [approval for approval in proven if approval.person in authors],
    )


def _fill(
    slots: Sequence[Slot],
    approvals: Iterable[Approval],
    proof: EvidenceKind | None,
    organisation: Organisation,
    facts: Facts,
) -> Filling:
    usable = [approval for approval in approvals if proof is None or proof in approval.evidence]
    return fill(slots, usable, organisation, now=facts.clock)


def _roles(
    where: str | None,
    slots: Sequence[Slot],
    fillings: dict[EvidenceKind | None, Filling],
    left: Sequence[Missing],
) -> Check:
    if not left:
        people = [
            f"{_name(slots[number])}: {person}"
            for filling in list(fillings.values())[:1]
            for number, person in sorted(filling.filled.items())
        ]
        return Check("approvals", where, passed=True, reason="; ".join(people))
    reason = "missing " + "; ".join(entry.text() for entry in left)
    able = sorted({person for entry in left for person in entry.candidates})
    blocked = sorted({_who(entry) for entry in left if not entry.candidates})
    remedy = f"Ask {' or '.join(able)} to approve." if able else ""
    if blocked:
        remedy += f" Nobody can stand for {' and '.join(blocked)}: change the people or the rows in policies/ first."
    return Check("approvals", where, passed=False, reason=reason, remedy=remedy.strip())


def _self_approval(
    where: str | None,
    slots: Sequence[Slot],
    approvals: tuple[Sequence[Approval], Sequence[Approval]],
    organisation: Organisation,
    facts: Facts,
    requesters: frozenset[str],
) -> Check:
    counted, own = approvals
    if not facts.contributors:
        return Check(
            "self-approval",
            where,
            passed=False,
            reason="nobody is known to have written the change, so anybody who approves may approve their own",
            remedy="Sign the commits with a key of policies/organisation.yaml.",
        )
    authors = ", ".join(sorted(set(facts.contributors)))
    if not own:
        return Check("self-approval", where, passed=True, reason=f"none of the authors ({authors}) approved")
    without = fill(slots, counted, organisation, now=facts.clock)
    with_own = fill(slots, [*counted, *own], organisation, now=facts.clock)
    names = " and ".join(sorted({approval.person for approval in own}))
    asked = bool(requesters.intersection(approval.person for approval in own))
    did = "wrote a part of it, or asked for what it reviews" if asked else "wrote a part of it"
    if len(with_own.filled) == len(without.filled):
        return Check("self-approval", where, passed=True, reason=f"{names} {did}, and is not counted")
    return Check(
        "self-approval",
        where,
        passed=False,
        reason=f"{names} {did}, and cannot approve it",
        remedy="Ask somebody who did neither." if asked else "Ask somebody who wrote none of it.",
    )


def _evidence(
    asked: Asked,
    slots: Sequence[Slot],
    counted: Sequence[Approval],
    fillings: dict[EvidenceKind | None, Filling],
    organisation: Organisation,
    facts: Facts,
) -> Check:
    kind = asked.row.evidence
    complete = all(filling.complete for filling in fillings.values())
    if complete or not fill(slots, counted, organisation, now=facts.clock).complete:
        return Check("evidence", asked.environment, passed=True, reason=f"{asked.row.place} takes {_PROOF_NAMES[kind]}")
    return Check(
        "evidence",
        asked.environment,
        passed=False,
        reason=f"the people suffice, their proof does not: {asked.row.place} takes {_PROOF_NAMES[kind]}",
        remedy=_PROOF_REMEDIES[kind],
    )


_PROOF_NAMES = {
    "keys": "signatures by the reviewers' own keys",
    "forge": "the attestor's signature over the forge's facts",
    "either": "either proof",
    "both": "the attestor's signature and the reviewers' own",
}
_PROOF_REMEDIES = {
    "keys": "Approve with `flagseal approve`.",
    "forge": "Approve the pull request in the forge.",
    "either": "",
    "both": "Approve the pull request in the forge, and with `flagseal approve`.",
}


def _ticket(asked: Asked, facts: Facts) -> Check:
    ticket = (facts.ticket or "").strip()
    if ticket:
        return Check("ticket", asked.environment, passed=True, reason=f"ticket {ticket}")
    if not asked.row.ticket_required:
        return Check("ticket", asked.environment, passed=True, reason="no ticket is required")
    return Check(
        "ticket",
        asked.environment,
        passed=False,
        reason=f"{asked.row.place} requires a ticket, and the change names none",
        remedy="Add the trailer `Ticket: …` to the commit's message.",
    )


def _merger(asked: Asked, facts: Facts) -> Iterator[Check]:
    """Say who is not counted for merging it, where the row says so."""
    if asked.row.merger_counts:
        return
    if facts.mergers is None:
        yield Check(
            "merger",
            asked.environment,
            passed=False,
            reason=f"{asked.row.place} does not count whoever merged it, and who that was is not known",
            remedy="Have a person merge it whose account policies/organisation.yaml lists.",
        )
        return
    who = " and ".join(sorted(set(facts.mergers)))
    reason = f"{who} merged it, and is not counted" if who else "nobody merged it in a forge"
    yield Check("merger", asked.environment, passed=True, reason=reason)


def _name(slot: Slot) -> str:
    return f"{slot.role} ({' or '.join(slot.teams) or 'nobody'})" if slot.role == OWNER_ROLE else slot.role


def _who(entry: Missing) -> str:
    return f"{entry.role} ({entry.owner_team})" if entry.owner_team else entry.role
