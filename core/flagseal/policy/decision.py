"""The record of a decision: every rule's outcome with its reason, and who must do what next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from flagseal.policy.facts import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flagseal.model.canonical import Json
    from flagseal.model.flag import RiskTier
    from flagseal.model.policies import ChangeClass
    from flagseal.policy.facts import EvidenceKind

Verdict = Literal["allow", "deny"]


@dataclass(frozen=True, slots=True)
class Check:
    """What one rule found.

    Attributes:
        id: Stable, kebab-case (``approvals``, ``self-approval``, ``window``).
        environment: Where it was applied; None for the change as a whole, and for policies.
        passed: False refuses the change.
        reason: Why, as a sentence without a full stop.
        remedy: What to do next, as a sentence; empty where nothing is to be done.
    """

    id: str
    environment: str | None
    passed: bool
    reason: str
    remedy: str = ""

    def to_json(self) -> dict[str, Json]:
        """Give the check as it stands in the record."""
        return {
            "id": self.id,
            "environment": self.environment,
            "passed": self.passed,
            "reason": self.reason,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Missing:
    """Approvals that are still needed, and who could give them.

    Attributes:
        environment: None for changes of policies.
        role: ``owner`` or a declared role.
        count: How many more people.
        candidates: Who could give one now, sorted: who holds the role, contributed nothing and is not used already;
            where there is nobody, those whose approval would set such a person free. Empty means nobody.
        owner_team: The team, or ``a or b``, for the role ``owner``.
        evidence: Which proof, where the row takes only that one or both.
    """

    environment: str | None
    role: str
    count: int
    candidates: tuple[str, ...]
    owner_team: str | None = None
    evidence: EvidenceKind | None = None

    def text(self) -> str:
        """Say it in one line: ``1 × owner (team-payments): alice or bob``."""
        role = f"{self.role} ({self.owner_team})" if self.owner_team else self.role
        proof = {"keys": ", by their own key", "forge": ", in the forge"}.get(self.evidence or "", "")
        return f"{self.count} × {role}{proof}: {' or '.join(self.candidates) or 'nobody can'}"

    def to_json(self) -> dict[str, Json]:
        """Give it as it stands in the record."""
        return {
            "environment": self.environment,
            "role": self.role,
            "count": self.count,
            "candidates": list(self.candidates),
            "ownerTeam": self.owner_team,
            "evidence": self.evidence,
        }


@dataclass(frozen=True, slots=True)
class EnvironmentDecision:
    """What was decided for one environment.

    Attributes:
        change_class: The stricter of against accepted and against in effect.
        tier: The highest of before and after, over all flags affected.
        verdict: ``allow`` if every check of this environment, and of the change as a whole, passed.
        effective_from: The earliest instant at which it may take effect, whatever the verdict; None if there is none.
        why: What makes it so, as short sentences with the flag's name.
        toward_safe_now: It serves nobody anything new against what is in effect, and so does not wait.
        flags: ``namespace/name`` of every flag affected, sorted.
        owners: Teams that own one of them, before or after, sorted.
    """

    environment: str
    change_class: ChangeClass
    tier: RiskTier
    verdict: Verdict
    effective_from: datetime | None
    why: tuple[str, ...]
    toward_safe_now: bool
    flags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Give it as it stands in the record and in statements."""
        return {
            "class": self.change_class,
            "tier": self.tier,
            "verdict": self.verdict,
            "effectiveFrom": rfc3339(self.effective_from) if self.effective_from else None,
            "why": list(self.why),
            "towardSafeNow": self.toward_safe_now,
            "flags": list(self.flags),
            "owners": list(self.owners),
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict, and everything that led to it.

    Attributes:
        policy: Digest of the policies that decided.
        facts: Digest of the facts they decided on.
        checks: Every rule's outcome, passed or not, in a fixed order.
        environments: Those in which something changes.
        policy_class: Class of the change of policy documents; None if there is none.
        verdict: ``allow`` only if every check passed.
        missing: Approvals still needed.
        policy_why: What makes the policies' class so.
    """

    policy: str
    facts: str
    checks: tuple[Check, ...]
    environments: Mapping[str, EnvironmentDecision]
    policy_class: ChangeClass | None
    verdict: Verdict
    missing: tuple[Missing, ...]
    policy_why: tuple[str, ...] = field(default=())

    @property
    def allowed(self) -> bool:
        """Whether the change is accepted."""
        return self.verdict == "allow"

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that refuse it."""
        return tuple(check for check in self.checks if not check.passed)

    def to_json(self) -> dict[str, Json]:
        """Give the whole record as JSON that has a canonical form."""
        return {
            "policy": self.policy,
            "facts": self.facts,
            "verdict": self.verdict,
            "policyClass": self.policy_class,
            "policyWhy": list(self.policy_why),
            "checks": [check.to_json() for check in self.checks],
            "environments": {name: self.environments[name].to_json() for name in sorted(self.environments)},
            "missing": [missing.to_json() for missing in self.missing],
        }
