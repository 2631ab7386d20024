"""From a commit to a statement: the landings since the accepted head, their checks, the decision, the signature.

::

    head ─ net change ─► landings ─► checks of each ─┐
                                                     ├─► statement ─► policy.decide ─► sign
                              gate on what landed ───┘

Every check is made whatever the others found; one that fails is a refusal, and nothing is signed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from flagseal.approval.authors import signers
from flagseal.approval.envelope import Envelope, Signature
from flagseal.codeowners import LARGEST, PLACES, parse
from flagseal.history.acceptance import facts_about
from flagseal.intake import net_change
from flagseal.model.errors import ApprovalError
from flagseal.policy.decide import decide
from flagseal.policy.facts import Approval as PolicyApproval
from flagseal.policy.facts import rfc3339
from flagseal.policy.membership import members
from flagseal.repository.changes import changed_paths, file_at
from flagseal.repository.layout import FOLDERS
from flagseal_validators.attestor.checks import Case, Ownership, judge, mergers
from flagseal_validators.attestor.gate import gate
from flagseal_validators.attestor.landing import landings
from flagseal_validators.attestor.people import Approval, accounts_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from securesystemslib.signer import Signer

    from flagseal.approval.statement import Statement
    from flagseal.approval.trust import Trust
    from flagseal.history import Head, Proposal
    from flagseal.model.canonical import Json
    from flagseal.policy.decision import Check, Decision
    from flagseal.policy.facts import EvidenceKind
    from flagseal.repository import FlagRepository
    from flagseal_validators.attestor.landing import Landing
    from flagseal_validators.attestor.sources import RequestSource
    from flagseal_validators.forge.facts import Account

VERIFIER: Final = "https://flagseal.dev/attestor"
_FORGE: Final[frozenset[EvidenceKind]] = frozenset({"forge"})
_BOTH: Final[frozenset[EvidenceKind]] = frozenset({"forge", "keys"})


@dataclass(frozen=True)
class Attestation:
    """What came of judging a commit.

    Attributes:
        commit: Its id.
        landings: The requests it rests on.
        checks: Every outcome by the forge's facts and the gate; those of the decision are the decision's.
        decision: By the policies in force, on the forge's evidence alone: where a row asks for keys as well, it denies.
        sufficient: The decision if everyone who approved signs by their own key as well; what it denies is refused.
        proposal: The statement to be signed, with its content.
    """

    commit: str
    landings: tuple[Landing, ...]
    checks: tuple[Check, ...]
    decision: Decision
    sufficient: Decision
    proposal: Proposal

    @property
    def failed(self) -> tuple[Check, ...]:
        """What refuses it."""
        return tuple(check for check in (*self.checks, *self.sufficient.checks) if not check.passed)

    @property
    def allowed(self) -> bool:
        """Whether the statement may be signed."""
        return not self.failed

    def require(self) -> Proposal:
        """Give the statement to be signed.

        Raises:
            ApprovalError: ``NotAttested``, with every reason.
        """
        if self.failed:
            reasons = dict.fromkeys(f"{check.id}: {check.reason}" for check in self.failed)
            remedies = dict.fromkeys(check.remedy for check in self.failed if check.remedy)
            raise ApprovalError("\n".join(reasons), code="NotAttested", remedy=" ".join(remedies))
        return self.proposal


def attest(
    repository: FlagRepository,
    head: Head,
    trust: Trust,
    source: RequestSource,
    revision: str,
    *,
    now: datetime,
    tip: str | None = None,
) -> Attestation:
    """Judge what takes the accepted head to a commit. Writes and signs nothing.

    Args:
        repository: Holds the branch and the requests' heads.
        head: The accepted state.
        trust: Names the repository and the branch.
        source: Gives facts.
        revision: A commit of the branch.
        now: The clock.
        tip: Where the protected branch is; by default where ``trust.ref`` points.

    Raises:
        ApprovalError: ``NothingChanges``, ``WrongRepository``, ``NotOnBranch``.
        ForgeError: A fact cannot be had; a commit was pushed.
        InvalidDocuments: What landed cannot be taken as it is.
        RepositoryError: The commit does not continue the accepted one; an object is missing.
    """
    clock = max(now.replace(microsecond=0), head.accepted_at)
    net = net_change(repository, head, trust, revision)
    if not net.different:
        net.propose(head, trust, ())  # Says so.
    line = repository.first_parent_line(head.commit, tip or trust.ref)
    if net.commit.id not in line:
        raise ApprovalError(
            f"{net.commit.id[:12]} is not on the first-parent line of {trust.ref}.",
            code="NotOnBranch",
            remedy="Merge it, fetch the branch, and attest the commit by which it landed.",
        )
    found = landings(repository, head.commit, net.line, source, trust.ref)
    cases = [_case(repository, head, trust, landing, line, clock) for landing in found]
    checks = [check for case in cases for check in judge(case)]
    host = cases[-1].facts.repository_name.partition("/")[0] if cases else None
    checks.append(gate(repository, net.commit.id, base=head.commit, today=clock.date(), host=host))
    # Whose key signed a commit contributed, too, wherever that commit came from: as everybody else will find.
    signed_by = signers(net.commits, head.policies.organisation)
    contributors = {person for case in cases for person in case.hands.people} | signed_by
    governing = [case for case in cases if _governs(case)] or cases
    approvals, merged_by = _common(governing), mergers(governing)
    proposal = net.propose(head, trust, contributors)
    decision = _decided(head, proposal, approvals, merged_by, clock, _FORGE)
    sufficient = _decided(head, proposal, approvals, merged_by, clock, _BOTH)
    lower = _lower_block(head, cases, approvals, merged_by, decision)
    statement = replace(proposal.statement, forge=lower)
    return Attestation(
        net.commit.id, found, tuple(checks), decision, sufficient, replace(proposal, statement=statement)
    )


def sign(attestation: Attestation, signer: Signer) -> Envelope:
    """Sign what may be signed.

    Args:
        attestation: It allows.
        signer: The attestor's key.

    Raises:
        ApprovalError: ``NotAttested``.
    """
    return signed(attestation.require().statement, signer)


def signed(statement: Statement, signer: Signer) -> Envelope:
    """Put a statement into an envelope with an attestor's signature."""
    envelope = Envelope(statement.payload())
    signature = signer.sign(envelope.pae)
    return envelope.with_signature(Signature(signature.keyid, bytes.fromhex(signature.signature)))


def _ownership(repository: FlagRepository, commit: str) -> Ownership:
    for place in PLACES:
        data = file_at(repository.git, commit, place, largest=LARGEST)
        if data is not None:
            file, findings = parse(data, file=place)
            return Ownership(None if findings else file, findings)
    return Ownership(None)


def _case(
    repository: FlagRepository, head: Head, trust: Trust, landing: Landing, line: Sequence[str], now: datetime
) -> Case:
    own = repository.git.text("rev-list", landing.facts.request.head, f"^{landing.base}")
    return Case(
        landing=landing,
        trust=trust,
        head=head,
        # What changed it since the accepted commit is a landing before this one, and judged like it.
        ownership=_ownership(repository, landing.base),
        line=(head.commit, *line),
        own=frozenset(own.split()),
        changed=changed_paths(repository.git, landing.base, landing.commit),
        now=now,
    )


def _governs(case: Case) -> bool:
    """Tell whether a landing touches documents, and not only who owns them or what runs."""
    return any(path.startswith(tuple(f"{folder}/" for folder in FOLDERS)) for path in case.changed)


def _common(cases: Sequence[Case]) -> tuple[Approval, ...]:
    """Give the approvals of those who approved every request, by the time of their last."""

    def later(known: dict[str, Approval], more: dict[str, Approval]) -> dict[str, Approval]:
        return {name: max(known[name], more[name], key=lambda it: it.at) for name in known.keys() & more.keys()}

    by_case = [{it.person: it for it in case.given.approvals} for case in cases]
    found = reduce(later, by_case) if by_case else {}
    hands = {person for case in cases for person in case.hands.people}
    return tuple(found[name] for name in sorted(found) if name not in hands)


def _decided(
    head: Head,
    proposal: Proposal,
    approvals: Sequence[Approval],
    merged_by: tuple[str, ...] | None,
    clock: datetime,
    evidence: frozenset[EvidenceKind],
) -> Decision:
    counted = tuple(PolicyApproval(it.person, evidence, it.at) for it in approvals)
    facts, _ = facts_about(head, proposal.statement, proposal.documents, counted, clock)
    return decide(replace(facts, mergers=merged_by), head.policies)


def _lower_block(
    head: Head,
    cases: Sequence[Case],
    approvals: Sequence[Approval],
    merged_by: tuple[str, ...] | None,
    decision: Decision,
) -> Mapping[str, Json]:
    """Write what the forge knew (approval.md, The statement)."""
    if not cases:
        raise ApprovalError(
            "No request brought the change.", code="NotAttested", remedy="Make the change by a request."
        )
    last = cases[-1]
    request, people = last.facts.request, accounts_of(head.policies.organisation)
    return {
        "request": {
            "number": request.number,
            "author": _account(request.author, people),
            "mergedAt": rfc3339(request.merged_at),
            "mergedBy": _account(request.merged_by, people),
            "mergers": None if merged_by is None else list(merged_by),
            "method": last.landing.method,
            "facts": [case.facts.digest for case in cases],
        },
        "approvals": [
            {
                "person": it.person,
                "login": it.account.login,
                "id": it.account.id,
                "roles": _roles(head, it, decision),
                "reviewed": it.reviewed,
                "at": rfc3339(it.at),
            }
            for it in approvals
        ],
        "decision": {
            "policy": decision.policy,
            "environments": {
                name: {
                    "class": found.change_class,
                    "tier": found.tier,
                    "verdict": found.verdict,
                    "effectiveFrom": rfc3339(found.effective_from) if found.effective_from else None,
                }
                for name, found in sorted(decision.environments.items())
            },
        },
        "verifier": {"id": VERIFIER, "version": version("flagseal")},
        "observedAt": rfc3339(max(case.facts.observed_at for case in cases)),
    }


def _account(account: Account | None, people: Mapping[int, str]) -> Json:
    if account is None:
        return None
    return {"person": people.get(account.id), "login": account.login, "id": account.id}


def _roles(head: Head, approval: Approval, decision: Decision) -> list[Json]:
    """Name the roles that a person held when they approved, ``owner`` among them where a flag is their team's."""
    organisation = head.policies.organisation
    owning = {team for found in decision.environments.values() for team in found.owners}
    held = [
        name
        for name, role in sorted(organisation.roles.items())
        if approval.person in role.people
        or any(approval.person in members(organisation, team, approval.at) for team in role.teams)
    ]
    owner = any(approval.person in members(organisation, team, approval.at) for team in owning)
    return [*(["owner"] if owner else []), *held]
