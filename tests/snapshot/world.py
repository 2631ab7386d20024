"""A small company with a history, a publisher and clients, in one process and with a clock of its own.

Everything is real: documents go through the schema, statements are signed by people's keys and accepted by the
history, snapshots are signed and written to a directory. Only git and time are missing.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from securesystemslib.signer import CryptoSigner

from flagseal.approval.trust import Genesis, Trust
from flagseal.emergency import EMPTY, take
from flagseal.history import Build, Manifest, accept, build, changes, genesis, propose, reviewed
from flagseal.model.loader import parse_body
from flagseal.snapshot import ceremony
from flagseal.snapshot.client import SnapshotClient
from flagseal.snapshot.marks import FileMarks
from flagseal.snapshot.publish import Published, Publisher
from flagseal.snapshot.store import DirectoryStore
from tests.approval.keyring import SshKey, signed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from securesystemslib.signer import Key

    from flagseal.emergency import Offer, Outcome
    from flagseal.history import Head, HistoryEntry
    from flagseal.model.canonical import Json
    from flagseal.model.document import Document
    from flagseal.snapshot.store import Reader, Store

API = "flagseal.dev/v1alpha1"
MONDAY = datetime(2026, 11, 23, 10, tzinfo=UTC)
"""Eleven o'clock in Berlin, within office hours."""

PEOPLE = ("alice", "bob", "dora", "frank")


class Clock:
    """A clock that tests move."""

    def __init__(self, now: datetime = MONDAY) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Read it."""
        return self.now

    def advance(self, **by: float) -> None:
        """Let time pass: ``minutes=5``."""
        self.now += timedelta(**by)


def document(kind: str, name: str, spec: dict[str, Any], namespace: str | None = None) -> Document:
    """Make a document as the loader would."""
    metadata = {"name": name} if namespace is None else {"name": name, "namespace": namespace}
    return parse_body({"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}, place="test")


def flag(
    name: str, namespace: str = "payments", *, on_for: Sequence[str] = (), tier: str = "operational", **spec: Json
) -> Document:
    """Make a flag that is on in production for some organisations, and for everybody in staging."""
    rules = [{"name": "chosen", "when": {"org": {"in": list(on_for)}}, "serve": "on"}] if on_for else []
    body: dict[str, Any] = {
        "description": f"What {name} switches.",
        "purpose": "release",
        "owner": "team-payments",
        "riskTier": tier,
        "lifecycle": "canary",
        "expires": "2027-03-31",
        "retireWhen": "On for everyone for 30 days.",
        "ticket": "PAY-1",
        "variants": {"on": True, "off": False},
        "safeVariant": "off",
        "environments": {"staging": {"default": "on"}, "production": {"rules": rules, "default": "off"}},
    }
    return document("FlagDefinition", name, {**body, **spec}, namespace)


def _row(*roles: str, **more: Json) -> dict[str, Any]:
    return {"approvals": [{"role": role, "count": 1} for role in roles], "evidence": "keys", **more}


def policies(**changes: Json) -> tuple[Document, ...]:
    """Make the policies: operational changes need an owner, high-risk ones a release manager too, in office hours."""
    easy = {"widen": _row("owner"), "toward-safe": _row("owner"), "metadata": _row("owner")}
    hard = {**easy, "widen": _row("owner", "release-manager", window="office")}
    people = {name: {"name": name.title(), "keys": [SshKey.of(name).line]} for name in PEOPLE}
    staleness = {"high-risk": {"limit": "15m", "onStale": "safe"}}
    return (
        document(
            "Organisation",
            "organisation",
            {
                "people": people,
                "teams": {"team-payments": {"members": ["alice", "bob"]}, "team-search": {"members": ["alice"]}},
                "roles": {"release-manager": {"people": ["dora"]}, "security": {"people": ["frank", "dora"]}},
                **changes,
            },
        ),
        document(
            "EnvironmentList",
            "environments",
            {
                "environments": {
                    "staging": {"production": False},
                    "production": {"production": True, "staleness": staleness},
                }
            },
        ),
        document(
            "ApprovalPolicy",
            "approvals",
            {
                "default": "deny",
                "tiers": {
                    "operational": {"production": easy, "nonProduction": easy},
                    "high-risk": {"production": hard, "nonProduction": easy},
                },
                "policies": {"widen": _row("security"), "toward-safe": _row("security")},
            },
        ),
        document(
            "LifecyclePolicy",
            "lifecycle",
            {
                "maxLifetime": {"release": "180d", "experiment": "90d", "operational": "365d", "auth-protocol": "365d"},
                "review": {"entitlement": "90d"},
                "warnBefore": "14d",
                "transitions": {"draft": ["review"], "review": ["canary"], "canary": ["enforced"], "*": ["retired"]},
            },
        ),
        document(
            "ChangeCalendar",
            "calendar",
            {
                "windows": {
                    "office": {
                        "timezone": "Europe/Berlin",
                        "days": ["mon", "tue", "wed", "thu", "fri"],
                        "from": "09:00",
                        "to": "16:00",
                    }
                },
                "blackouts": [],
            },
        ),
    )


FLAGS = (
    flag("new-checkout", on_for=["acme"]),
    flag("pay-later"),
    flag("instant-refund", tier="high-risk", on_for=["acme"]),
    flag("ranker", "search", owner="team-search"),
)


def commit_id(number: int) -> str:
    """Make up the id of a commit."""
    return hashlib.sha1(b"%d" % number).hexdigest()  # noqa: S324 (git's)


class World:
    """A repository's history, and the store its snapshots are published to.

    Args:
        path: A directory of its own.
        documents: At genesis; the small company's if None.
        environment: Which one is published.
        store: Where to; a directory below ``path`` if None.
        admission: The key of admission receipts, if there is one.
    """

    def __init__(
        self,
        path: Path,
        *,
        documents: Sequence[Document] | None = None,
        environment: str = "production",
        store: Store | None = None,
        clock: Clock | None = None,
        admission: Key | None = None,
    ) -> None:
        self.path = path
        self.clock = clock or Clock()
        self.environment = environment
        self.genesis_documents = tuple(documents) if documents is not None else (*policies(), *FLAGS)
        manifest = Manifest.of({entry.subject: entry for entry in self.genesis_documents})
        self.trust = Trust(
            repository_id="git:" + "1" * 40,
            repository_name="acme/flags",
            ref="refs/heads/main",
            environment=environment,
            genesis=Genesis(commit_id(0), manifest.digest),
            admission=admission,
        )
        self.head: Head = genesis(self.trust, self.genesis_documents)
        self.entries: list[HistoryEntry] = []
        self.offline = [CryptoSigner.generate_ed25519() for _ in range(3)]
        self.online = CryptoSigner.generate_ed25519()
        self.directory = DirectoryStore(path / "store")
        self.store: Store = store if store is not None else self.directory
        self.root = ceremony.init(
            self.directory,
            trust=self.trust,
            root_signers=self.offline,
            threshold=2,
            online_key=self.online.public_key,
            now=self.clock(),
        )
        self.marks = FileMarks(path / "marks.json")
        self.publisher = self.new_publisher()
        self.emergencies = EMPTY
        self._last: Build | None = None

    def new_publisher(self, store: Store | None = None) -> Publisher:
        """Start another publisher, as after a crash."""
        return Publisher(store or self.store, self.root, self.online, marks=self.marks, clock=self.clock)

    def accept(
        self, *changed: Document, by: Sequence[str] = ("alice", "dora"), removed: Sequence[Document] = ()
    ) -> HistoryEntry:
        """Commit documents as bob, have them approved, and take the head there."""
        documents = {subject: entry for subject, entry in self.head.documents.items() if not entry.is_tombstone}
        documents |= {entry.subject: entry for entry in changed}
        for entry in removed:
            del documents[entry.subject]
        number = self.head.sequence + 1
        proposal = propose(
            self.head,
            self.trust,
            commit=commit_id(number),
            tree=commit_id(number + 10**6),
            different=changes(self.head, documents.values()),
            contributors=["bob"],
            ticket="PAY-1",
        )
        bundle = proposal.bundle(signed(proposal.statement.payload(), *by))
        acceptance = accept(self.head, bundle, self.trust, now=self.clock())
        self.head = acceptance.require()
        assert acceptance.entry is not None
        self.entries.append(acceptance.entry)
        return acceptance.entry

    def build(self) -> Build:
        """Build what is in effect now."""
        now, last = self.clock(), self._last
        self._last = build(self.head, self.environment, now, previous=last, emergencies=self.emergencies)
        return self._last

    def offer(self, *offers: Offer) -> tuple[Outcome, ...]:
        """Take what is offered of emergencies, with the head as it is; publish afterwards."""
        organisation = self.head.policies.organisation
        self.emergencies, outcomes = take(
            self.emergencies, offers, organisation, self.trust, now=self.clock(),
            reviewed=lambda it: reviewed(self.head, it) is not None,
        )  # fmt: skip
        return outcomes

    def publish(self) -> Published:
        """Publish what is in effect now."""
        return self.publisher.publish(self.build(), self.entries, self.genesis_documents)

    def change(self, *changed: Document, by: Sequence[str] = ("alice", "dora")) -> Published:
        """Accept a change, and publish it."""
        self.accept(*changed, by=by)
        return self.publish()

    def client(
        self, name: str = "client", source: Reader | str | None = None, *, verify: Literal["full", "tuf"] = "full"
    ) -> SnapshotClient:
        """Start a client with a cache of its own."""
        return SnapshotClient(
            self.path / name,
            source if source is not None else self.directory,
            self.root,
            clock=self.clock,
            verify=verify,
        )

    def rotate_online(self) -> None:
        """Replace the online key, and start a publisher that has the new one."""
        self.online = CryptoSigner.generate_ed25519()
        ceremony.rotate(
            self.directory,
            self.root,
            "online",
            new_keys=[self.online.public_key],
            signers=self.offline[:2],
            now=self.clock(),
        )
        self.publisher = self.new_publisher()


def answer(client: SnapshotClient, key: str = "new-checkout", org: str = "acme") -> object:
    """Ask a client for a flag's value."""
    assert client.current is not None
    return client.current.evaluate(key, {"targetingKey": "u1", "org": org}).value


def metadata(store: DirectoryStore, name: str) -> dict[str, Any]:
    """Read the signed part of a metadata file."""
    stored = store.get(f"metadata/{name}.json")
    assert stored is not None
    signed_part: dict[str, Any] = json.loads(stored.data)["signed"]
    return signed_part
