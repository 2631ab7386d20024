"""A small company with its policies and flags, and a history in which its people change them."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from flagseal.approval.envelope import Envelope
from flagseal.approval.trust import Genesis, Trust
from flagseal.history import (
    Acceptance,
    Bundle,
    Head,
    HistoryEntry,
    Manifest,
    Proposal,
    accept,
    changes,
    genesis,
    propose,
)
from flagseal.model.loader import parse_body
from tests.approval.keyring import SshKey

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.approval.trust import Attestor
    from flagseal.model.document import Document

API = "flagseal.dev/v1alpha1"
MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)
"""A Monday, eleven o'clock in Berlin: the window is open."""
SATURDAY = datetime(2026, 11, 28, 10, tzinfo=UTC)
"""The window is closed, until the Monday after."""
NEXT_MONDAY = datetime(2026, 11, 30, 8, tzinfo=UTC)
"""Nine o'clock in Berlin: the window opens."""

PEOPLE = ("alice", "bob", "carol", "dora", "erin", "frank", "mallory")


def document(kind: str, name: str, spec: dict[str, Any] | None, namespace: str | None = None) -> Document:
    """Make a document by the way everything from elsewhere comes in."""
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    body = {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}
    return parse_body(body, place=name, allow_tombstone=True)


def organisation(**changed: Any) -> dict[str, Any]:  # noqa: ANN401 (any part of a spec)
    """Give the spec of the organisation."""
    return {
        "people": {name: {"name": name.title(), "keys": [SshKey.of(name).line]} for name in PEOPLE},
        "teams": {
            "team-payments": {"members": ["alice", "bob"]},
            "team-search": {"members": ["carol"]},
            "security": {"members": ["erin", "frank"]},
        },
        "roles": {
            "flag-approver": {"teams": ["team-payments", "team-search"]},
            "release-manager": {"people": ["dora"]},
            "security": {"teams": ["security"]},
        },
    } | changed


def row(*roles: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 (any part of a row)
    """Give a row that asks for one holder of each role."""
    return {"approvals": [{"role": role, "count": 1} for role in roles], "evidence": "either"} | more


def approval_policy() -> dict[str, Any]:
    """Give the spec of the approval policy; the high-risk rows have a window."""
    anywhere = {"widen": row("flag-approver"), "toward-safe": row("flag-approver"), "metadata": row("flag-approver")}
    return {
        "default": "deny",
        "tiers": {
            "informational": {"production": anywhere, "nonProduction": anywhere},
            "operational": {"production": {**anywhere, "widen": row("owner")}, "nonProduction": anywhere},
            "sensitive": {
                "production": {**anywhere, "widen": row("owner", "release-manager"), "metadata": row("owner")},
                "nonProduction": anywhere,
            },
            "high-risk": {
                "production": {
                    **anywhere,
                    "widen": row("owner", "release-manager", window="business-hours"),
                    "metadata": row("owner"),
                },
                "nonProduction": anywhere,
            },
        },
        "policies": {"widen": row("security", "security"), "toward-safe": row("security")}
        | {"widen": {"approvals": [{"role": "security", "count": 2}], "evidence": "either"}},
    }


def policies(**people: Any) -> tuple[Document, ...]:  # noqa: ANN401 (parts of the organisation)
    """Give one document of every kind of policy."""
    days = {"release": "180d", "experiment": "90d", "operational": "365d", "auth-protocol": "365d"}
    window = {"timezone": "Europe/Berlin", "days": ["mon", "tue", "wed", "thu"], "from": "09:00", "to": "16:00"}
    return (
        document("Organisation", "organisation", organisation(**people)),
        document(
            "EnvironmentList",
            "environments",
            {"environments": {"staging": {"production": False}, "production": {"production": True}}},
        ),
        document("ApprovalPolicy", "approvals", approval_policy()),
        document(
            "LifecyclePolicy",
            "lifecycle",
            {
                "maxLifetime": days,
                "review": {"entitlement": "90d"},
                "warnBefore": "14d",
                "transitions": {"canary": ["enforced"], "*": ["retired"]},
            },
        ),
        document("ChangeCalendar", "calendar", {"windows": {"business-hours": window}, "blackouts": []}),
        document(
            "AccessPolicy",
            "access",
            {
                "issuers": [
                    {
                        "name": "cluster",
                        "issuer": "https://kubernetes.default.svc",
                        "jwks": "cluster",
                        "audience": "flagseal",
                        "kind": "workload",
                    }
                ],
                "bindings": [
                    {
                        "name": "payments reads its own",
                        "subject": {"issuer": "cluster", "claims": {"sub": "system:serviceaccount:payments:api"}},
                        "role": "flag-reader",
                        "namespaces": ["payments"],
                        "environments": ["production"],
                        "until": "2027-06-30",
                    }
                ],
                "lifetimes": {"workload": "10m"},
                "revoked": [],
                "anonymous": {"namespaces": ["search"]},
            },
        ),
    )


def flag(
    name: str = "checkout",
    namespace: str = "payments",
    *,
    tier: str = "sensitive",
    owner: str = "team-payments",
    production: dict[str, Any] | None = None,
    staging: dict[str, Any] | None = None,
    **more: Any,  # noqa: ANN401 (any part of a spec)
) -> Document:
    """Give a flag that is on in staging and off in production, or as told."""
    spec = {
        "description": "Sends carts to the rewritten checkout service.",
        "purpose": "release",
        "owner": owner,
        "riskTier": tier,
        "lifecycle": "canary",
        "expires": "2027-03-31",
        "retireWhen": "On for everyone.",
        "variants": {"enabled": True, "disabled": False},
        "safeVariant": "disabled",
        "environments": {
            "staging": staging or {"default": "enabled"},
            "production": production or {"default": "disabled"},
        },
    }
    return document("FlagDefinition", name, spec | more, namespace)


def rule(when: dict[str, Any] | None = None, **outcome: Any) -> dict[str, Any]:  # noqa: ANN401 (serve, split or ramp)
    """Give a section with one rule; everyone else gets ``disabled``."""
    condition = {} if when is None else {"when": when}
    return {"rules": [{"name": "the rule", **condition, **(outcome or {"serve": "enabled"})}], "default": "disabled"}


def segment(name: str = "pilots", *orgs: str, namespace: str = "payments") -> Document:
    """Give a segment of organisations."""
    return document("Segment", name, {"when": {"org": {"in": list(orgs or ("acme",))}}}, namespace)


def edited(original: Document, **changed: Any) -> Document:  # noqa: ANN401 (any part of a spec)
    """Give a document with parts of its spec replaced."""
    assert isinstance(original.spec, dict)
    return document(original.kind, original.name, copy.deepcopy(original.spec) | changed, original.namespace)


@dataclass
class Chronicle:
    """A history in the making: the head, and everything that was accepted."""

    start: tuple[Document, ...]
    environment: str = "production"
    attestors: tuple[Attestor, ...] = ()
    trust: Trust = field(init=False)
    head: Head = field(init=False)
    entries: list[HistoryEntry] = field(default_factory=list)

    def __post_init__(self) -> None:
        manifest = Manifest.of({entry.subject: entry for entry in self.start})
        self.trust = Trust(
            repository_id="git:" + "1" * 40,
            repository_name="acme/flags",
            ref="refs/heads/main",
            environment=self.environment,
            genesis=Genesis(f"{0:040x}", manifest.digest),
            attestors=self.attestors,
        )
        self.head = genesis(self.trust, self.start)

    @staticmethod
    def of(*documents: Document, **options: Any) -> Chronicle:  # noqa: ANN401 (fields)
        """Begin with the company's policies and some documents."""
        return Chronicle((*policies(), *documents), **options)

    def proposal(
        self,
        *documents: Document,
        remove: Iterable[Document] = (),
        by: Iterable[str] = ("bob",),
        ticket: str | None = None,
        head: Head | None = None,
    ) -> Proposal:
        """Write the statement for a commit that changes some documents and removes others."""
        base = head or self.head
        after = {subject: entry for subject, entry in base.documents.items() if not entry.is_tombstone}
        after |= {entry.subject: entry for entry in documents}
        for entry in remove:
            del after[entry.subject]
        number = base.sequence + 1
        return propose(
            base,
            self.trust,
            commit=f"{number:040x}",
            tree=f"{number:040x}",
            different=changes(base, after.values()),
            contributors=by,
            ticket=ticket,
        )

    def bundle(self, proposal: Proposal, *people: str) -> Bundle:
        """Sign a proposal by the people named."""
        payload = proposal.statement.payload()
        return proposal.bundle(Envelope(payload, tuple(sorted(SshKey.of(name).approve(payload) for name in people))))

    def attempt(
        self,
        *documents: Document,
        remove: Iterable[Document] = (),
        by: Iterable[str] = ("bob",),
        approved: Iterable[str] = ("alice", "dora"),
        ticket: str | None = None,
        now: datetime = MONDAY,
    ) -> Acceptance:
        """Try a change without taking it."""
        proposal = self.proposal(*documents, remove=remove, by=by, ticket=ticket)
        return accept(self.head, self.bundle(proposal, *approved), self.trust, now=now)

    def take(self, acceptance: Acceptance) -> Head:
        """Take an accepted change."""
        self.head = acceptance.require()
        assert acceptance.entry is not None
        self.entries.append(acceptance.entry)
        return self.head

    def change(self, *documents: Document, **how: Any) -> Head:  # noqa: ANN401 (as attempt)
        """Make a change that is expected to be accepted."""
        return self.take(self.attempt(*documents, **how))

    def refused(self, *documents: Document, **how: Any) -> str:  # noqa: ANN401 (as attempt)
        """Make a change that is expected to be refused, and give the reason's code."""
        return code(self.attempt(*documents, **how))

    def production(self, now: datetime = MONDAY) -> Mapping[str, Document]:
        """Give what is in effect in production."""
        return self.head.effective("production", now)


def code(acceptance: Acceptance) -> str:
    """Give the code of a refusal."""
    assert acceptance.refusal is not None, "accepted"
    assert acceptance.head is None
    assert acceptance.entry is None
    return acceptance.refusal.code


HOUR = timedelta(hours=1)
