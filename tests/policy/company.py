"""A small company to decide for: people, rows, a calendar, and flags that tests change."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from flagseal.model.loader import parse_body
from flagseal.model.policy_set import load_policies
from flagseal.policy import Approval, Decision, Facts, State, decide
from flagseal.policy.state import changed_subjects
from tests.policy.builders import KEYS, NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from flagseal.model.document import Document
    from flagseal.policy.facts import EvidenceKind

Spec = dict[str, Any]


def one(role: str, count: int = 1) -> list[Spec]:
    """Ask for one role."""
    return [{"role": role, "count": count}]


ORGANISATION: Spec = {
    "people": {
        name: {"name": name.title()}
        for name in ("alice", "bob", "carol", "dora", "erin", "frank", "grace", "heidi", "ivan", "mallory")
    },
    "teams": {
        "team-payments": {"members": ["alice", "bob"]},
        "team-search": {"members": ["carol", "ivan"]},
        "team-accounts": {"members": ["heidi"]},
        "team-security": {"members": ["frank", "grace"]},
    },
    "roles": {
        "flag-approver": {"teams": ["team-payments", "team-search", "team-accounts"]},
        "release-manager": {"people": ["dora", "alice"]},
        "security": {"teams": ["team-security"], "environments": ["production"]},
    },
}
ENVIRONMENTS: Spec = {"environments": {"staging": {"production": False}, "production": {"production": True}}}
APPROVALS: Spec = {
    "default": "deny",
    "tiers": {
        "informational": {
            side: {"widen": {"approvals": one("flag-approver"), "evidence": "either"}}
            for side in ("production", "nonProduction")
        },
        "operational": {
            "production": {
                "widen": {"approvals": one("owner"), "evidence": "either"},
                "toward-safe": {"approvals": one("flag-approver"), "evidence": "either"},
            },
            "nonProduction": {"widen": {"approvals": one("flag-approver"), "evidence": "either"}},
        },
        "sensitive": {
            "production": {
                "widen": {
                    "approvals": [*one("owner"), *one("release-manager")],
                    "evidence": "either",
                    "after": ["staging"],
                },
                "toward-safe": {"approvals": one("flag-approver"), "evidence": "either"},
                "metadata": {"approvals": one("owner"), "evidence": "either"},
            },
            "nonProduction": {"widen": {"approvals": one("flag-approver"), "evidence": "either"}},
        },
        "high-risk": {
            "production": {
                "widen": {
                    "approvals": [*one("owner"), *one("security")],
                    "evidence": "both",
                    "ticket": "required",
                    "window": "business-hours",
                    "maxStep": 25,
                },
                "toward-safe": {"approvals": one("flag-approver"), "evidence": "either"},
            },
            "nonProduction": {"widen": {"approvals": one("owner"), "evidence": "either"}},
        },
    },
    "policies": {
        "widen": {"approvals": one("security", 2), "evidence": "either"},
        "toward-safe": {"approvals": one("security"), "evidence": "either"},
    },
}
LIFECYCLE: Spec = {
    "maxLifetime": {"release": "180d"},
    "review": {"entitlement": "90d"},
    "warnBefore": "14d",
    "transitions": {"draft": ["review"], "*": ["retired"]},
}
CALENDAR: Spec = {
    "windows": {
        "business-hours": {
            "timezone": "Europe/Berlin",
            "days": ["mon", "tue", "wed", "thu"],
            "from": "09:00",
            "to": "16:00",
        }
    },
    "blackouts": [
        {
            "name": "year end",
            "from": "2026-12-20T00:00:00Z",
            "until": "2027-01-03T00:00:00Z",
            "tiers": ["sensitive", "high-risk"],
        }
    ],
}
POLICIES: dict[str, Spec] = {
    "Organisation/organisation": ORGANISATION,
    "EnvironmentList/environments": ENVIRONMENTS,
    "ApprovalPolicy/approvals": APPROVALS,
    "LifecyclePolicy/lifecycle": LIFECYCLE,
    "ChangeCalendar/calendar": CALENDAR,
}


def flag(**changes: Any) -> Spec:  # noqa: ANN401 (a spec is JSON)
    """Give the spec of a sensitive release flag, on in staging and for acme in production, with changes."""
    spec: Spec = {
        "description": "Sends carts to the new checkout.",
        "purpose": "release",
        "owner": "team-payments",
        "riskTier": "sensitive",
        "lifecycle": "canary",
        "expires": "2027-03-31",
        "retireWhen": "On for everyone.",
        "variants": {"enabled": True, "disabled": False},
        "safeVariant": "disabled",
        "environments": {
            "staging": {"default": "enabled"},
            "production": {
                "rules": [{"name": "pilots", "when": {"org": {"in": ["acme"]}}, "serve": "enabled"}],
                "default": "disabled",
            },
        },
    }
    return {**spec, **changes}


def production(rules: list[Spec] | None = None, *, default: str = "disabled", **more: Any) -> Spec:  # noqa: ANN401
    """Give the environments of a flag that is on in staging, with this in production."""
    section: Spec = {"default": default, **more}
    if rules:
        section["rules"] = rules
    return {"staging": {"default": "enabled"}, "production": section}


def orgs(*names: str, serve: str = "enabled", **more: Any) -> Spec:  # noqa: ANN401
    """Give a rule that serves some organisations."""
    return {"name": "pilots", "when": {"org": {"in": list(names)}}, "serve": serve, **more}


def document(subject: str, spec: Spec | None) -> Document:
    """Make a document as the loader would, checked by the schema; None makes a tombstone."""
    kind, *names = subject.split("/")
    metadata = {"name": names[-1]} | ({"namespace": names[0]} if len(names) > 1 else {})
    body = {"apiVersion": "flagseal.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}
    return parse_body(copy.deepcopy(body), place=subject, allow_tombstone=True)


def documents(specs: Mapping[str, Spec | None]) -> dict[str, Document]:
    """Make documents by subject."""
    return {subject: document(subject, spec) for subject, spec in specs.items()}


CHECKOUT = "FlagDefinition/payments/new-checkout"


@dataclass(frozen=True)
class Company:
    """A head to decide upon.

    Attributes:
        accepted: All documents of the head.
        in_effect: Where something else is in effect.
    """

    accepted: Mapping[str, Document]
    in_effect: Mapping[str, Mapping[str, Document]] = field(default_factory=dict)

    @classmethod
    def of(cls, specs: Mapping[str, Spec], policies: Mapping[str, Spec] | None = None) -> Company:
        """Make a company of some flags, segments and bindings, with the usual policies or others."""
        return cls(State(documents({**(policies or POLICIES), **specs})))

    def pending(self, environment: str, specs: Mapping[str, Spec | None]) -> Company:
        """Make one with something else in effect in an environment."""
        now = {**self.accepted, **documents(specs)}
        return replace(self, in_effect={**self.in_effect, environment: State(now)})

    def decide(
        self,
        changes: Mapping[str, Spec | None],
        approvals: str | tuple[Approval, ...] = "",
        *,
        author: str = "bob",
        now: datetime = NOW,
        evidence: frozenset[EvidenceKind] = KEYS,
        **facts: Any,  # noqa: ANN401 (whatever else Facts takes)
    ) -> Decision:
        """Decide on changed specs; approvals may be names with spaces between."""
        after = {**self.accepted, **documents(changes)}
        given = (
            tuple(Approval(person, evidence) for person in approvals.split())
            if isinstance(approvals, str)
            else approvals
        )
        return decide(
            Facts(
                accepted=self.accepted,
                after=after,
                subjects=changed_subjects(self.accepted, after),
                contributors=tuple(author.split()),
                approvals=given,
                now=now,
                in_effect=self.in_effect,
                **facts,
            ),
            load_policies(self.accepted.values()),
        )

    def then(self, changes: Mapping[str, Spec | None]) -> Company:
        """Give the company in which a change was accepted and is in effect."""
        return Company(State({**self.accepted, **documents(changes)}))


def edited(spec: Spec, edit: Callable[[Spec], object]) -> Spec:
    """Give an edited copy."""
    changed = copy.deepcopy(spec)
    edit(changed)
    return changed


def failed(decision: Decision, environment: str | None = "production") -> set[str]:
    """Name the rules that refused a change in an environment; None for those of the whole."""
    return {check.id for check in decision.failed if check.environment == environment}
