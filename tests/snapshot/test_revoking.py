"""Keys of trust.json that are taken out: what they vouched for before holds, and nothing after it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from securesystemslib.signer import CryptoSigner

from flagseal.approval.envelope import Envelope, Signature
from flagseal.approval.trust import Attestor
from flagseal.history import accept, build
from flagseal.model.errors import SnapshotError, UsageError
from flagseal.snapshot import ceremony
from flagseal.snapshot.client import SnapshotClient
from flagseal.snapshot.marks import FileMarks
from flagseal.snapshot.publish import Publisher
from flagseal.snapshot.store import DirectoryStore
from flagseal.snapshot.trust_change import set_trust, without_attestor
from tests.emergency.scene import override, receipted
from tests.emergency.scene import world as emergency_world
from tests.history.company import MONDAY, Chronicle, flag, rule
from tests.snapshot.world import Clock, answer

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.history import Acceptance
    from flagseal.model.document import Document

STOLEN = CryptoSigner.generate_ed25519()
KEYID = STOLEN.public_key.keyid


@dataclass
class Attested:
    """A company that believes an attestor, and its store."""

    folder: Path
    chronicle: Chronicle
    clock: Clock = field(default_factory=lambda: Clock(MONDAY))
    offline: tuple[CryptoSigner, ...] = field(
        default_factory=lambda: (CryptoSigner.generate_ed25519(), CryptoSigner.generate_ed25519())
    )

    def __post_init__(self) -> None:
        self.store = DirectoryStore(self.folder / "store")
        self.online = CryptoSigner.generate_ed25519()
        self.root = ceremony.init(
            self.store,
            trust=self.chronicle.trust,
            root_signers=self.offline,
            threshold=2,
            online_key=self.online.public_key,
            now=self.clock(),
        )
        self.publish()

    def attest(self, *documents: Document, person: str = "alice") -> Acceptance:
        """Have the attestor claim that the forge showed somebody's approval."""
        proposal = self.chronicle.proposal(*documents)
        spoken = replace(
            proposal.statement,
            forge={
                "request": {"number": 1},
                "approvals": [{"person": person, "at": "2026-11-23T09:00:00Z"}],
                "decision": {},
                "verifier": {"id": "https://flagseal.dev/attestor"},
                "observedAt": "2026-11-23T09:30:00Z",
            },
        )
        made = STOLEN.sign(Envelope(spoken.payload()).pae)
        envelope = Envelope(spoken.payload(), (Signature(made.keyid, bytes.fromhex(made.signature)),))
        bundle = replace(proposal, statement=spoken).bundle(envelope)
        return accept(self.chronicle.head, bundle, self.chronicle.trust, now=self.clock())

    def publish(self) -> None:
        """Publish what is accepted, as a publisher that has just started."""
        publisher = Publisher(
            self.store, self.root, self.online, marks=FileMarks(self.folder / "marks"), clock=self.clock
        )
        publisher.load()
        built = build(self.chronicle.head, "production", self.clock())
        publisher.publish(built, self.chronicle.entries, self.chronicle.start)

    def set_attestors(self, until: int, replacement: CryptoSigner | None = None) -> None:
        """Take the stolen key out."""
        public = None if replacement is None else replacement.public_key
        trust = without_attestor(self.chronicle.trust, KEYID, until, public)
        set_trust(self.store, self.root, trust, signers=self.offline, now=self.clock())
        self.chronicle.trust = trust

    def served(self) -> int:
        """Give the sequence that a new client verifies."""
        self.clock.advance(seconds=1)
        cache = self.folder / f"cache-{self.clock.now.timestamp():.0f}"
        with SnapshotClient(cache, self.store, self.root, clock=self.clock) as client:
            outcome = client.refresh()
            assert outcome.reason is None, outcome.message
            assert client.current is not None
            return client.current.sequence


@pytest.fixture
def company(tmp_path: Path) -> Attested:
    """Found one, with one attested change published."""
    company = Attested(tmp_path, Chronicle.of(flag(tier="operational"), attestors=(Attestor(STOLEN.public_key),)))
    company.chronicle.take(company.attest(flag(tier="operational", production=rule({"org": {"in": ["acme"]}}))))
    company.publish()
    return company


NEXT = flag(tier="operational", production=rule({"org": {"in": ["globex"]}}))


def test_what_a_stolen_attestors_key_said_before_holds_and_nothing_after(company: Attested) -> None:
    """Clients follow; a thief's next statement is worth nothing, and people's own keys go on."""
    company.set_attestors(until=1)
    company.publish()
    assert company.served() == 1
    refused = company.attest(NEXT).refusal
    assert refused is not None
    assert refused.code in {"EvidenceMissing", "RoleMissing", "NoValidSignature"}
    company.chronicle.change(NEXT, approved=("alice",), now=company.clock())
    company.publish()
    assert company.served() == 2


def test_a_key_that_the_published_history_rests_on_is_not_taken_out_from_under_it(company: Attested) -> None:
    """Every client would refuse all of it; what must not stay is undone first."""
    before = company.store.list("")
    with pytest.raises(SnapshotError) as refused:
        company.set_attestors(until=0)
    assert refused.value.code == "HistoryNeedsKey"
    assert company.store.list("") == before
    assert company.served() == 1


def test_another_key_takes_the_place_of_a_stolen_one(company: Attested) -> None:
    """In the same ceremony; not one that is there already, and not for a key that is none."""
    fresh = CryptoSigner.generate_ed25519()
    company.set_attestors(until=1, replacement=fresh)
    assert [(it.key.keyid, it.until) for it in company.chronicle.trust.attestors] == [
        (KEYID, 1),
        (fresh.public_key.keyid, None),
    ]
    for keyid, replacement, code in ((KEYID, STOLEN, "KeyTwice"), ("f" * 64, fresh, "UnknownKey")):
        with pytest.raises(UsageError) as refused:
            without_attestor(company.chronicle.trust, keyid, 1, replacement.public_key)
        assert refused.value.code == code


def test_what_a_revoked_key_of_admission_vouched_for_ends(tmp_path: Path) -> None:
    """The next publication takes it back, and clients that saw it before do not call that a rollback."""
    world = emergency_world(tmp_path)
    world.publish()
    with world.client() as client:
        client.refresh()
        world.offer(receipted(override()))
        world.publish()
        client.refresh()
        assert answer(client) is False
        world.trust = replace(world.trust, admission=None)
        set_trust(world.directory, world.root, world.trust, signers=world.offline[:2], now=world.clock())
        world.publisher = world.new_publisher()
        world.publisher.load()
        world.offer()
        world.publish()
        outcome = client.refresh()
        assert outcome.reason is None, outcome.message
        assert answer(client) is True
