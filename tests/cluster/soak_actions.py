"""What may happen to a cluster while it is soaked: by people with an approval, by people without one, and by nobody."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, get_args

from kubernetes.client.exceptions import ApiException

from flagseal.history import changes, propose
from flagseal_operator.carriers import carry, statement_carrier
from flagseal_operator.resources import GROUP, PLURALS, VERSION
from tests.approval.keyring import signed as signed_by
from tests.cluster.cluster import resource_of
from tests.cluster.soak_model import ORGS, WHOLE, Emergency, Held, Model, Served
from tests.cluster.test_emergency import resource
from tests.cluster.world import CarriedWorld
from tests.emergency.scene import ending, freeze, override, signed, thaw
from tests.snapshot.world import commit_id, flag

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from flagseal.emergency import Claim
    from flagseal.history import HistoryEntry
    from flagseal.model.canonical import Json
    from flagseal.model.document import Document
    from tests.cluster.cluster import Cluster

FLAGS = {
    "new-checkout": "payments",
    "pay-later": "payments",
    "first": "payments",
    "second": "payments",
    "ranker": "search",
    "third": "search",
}
TEAMS = {
    "team-payments": {"members": ["alice", "bob"]},
    "team-search": {"members": ["frank"]},
    "on-call": {"members": ["frank"]},
}
APPROVERS = ("alice", "frank")
MOST_WAITING = 3
LENGTHS = (8, 20, 60, 500)
"""Seconds that a freeze is asked for."""

OVERLAP = timedelta(seconds=300)
"""What a freeze must still have before it where another may begin, so that it is certain that they overlap."""


def now() -> datetime:
    """Read the machine's clock."""
    return datetime.now(UTC)


@dataclass
class Actions:
    """Everything that people and accidents do to resources.

    Attributes:
        cluster: Where.
        world: Whose history is carried there.
        model: Told of everything that matters.
        random: Chooses; everything follows from its seed, but for when an override ends.
    """

    cluster: Cluster
    world: CarriedWorld
    model: Model
    random: random.Random
    _entries: dict[int, HistoryEntry] = field(default_factory=dict)
    _count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _stray: CarriedWorld | None = None

    def kinds(self) -> dict[Callable[[], str], int]:
        """Give everything that may happen now, with how often it should."""
        model = self.model
        emergencies = list(model.emergencies.values())
        rollbacks = len([it for it in emergencies if not it.freezes])
        # While nobody looks, nobody could say what came first: the freeze, or what it would have held.
        freezing = model.running and len(emergencies) - rollbacks < 3
        return {
            self.approve: 8,
            self.approve_removal: 2 * (len(model.newest) > 3),
            self.hold_back: 4 * (len(model.waiting) < MOST_WAITING),
            self.bring: 5 * bool(model.waiting),
            self.declare: 6,
            self.edit: 4 * bool(model.declared),
            self.delete: 2 * bool(model.declared),
            self.stray: 2,
            self.transplant: 2,
            self.forge: 2,
            self.prune: 2 * (model.published > 2),
            self.roll_back: 4 * (rollbacks < 3),
            self.freeze_namespaces: 3 * (freezing and self._may_freeze(FLAGS)),
            self.freeze_flag: 3 * (freezing and self._may_freeze(FLAGS)),
            self.deceive: 4,
            self.end_early: 3 * bool(self._taken()),
            self.delete_emergency: 2 * bool([it for it in self._taken() if model.emergencies[it].there]),
        }

    # With an approval

    def approve(self) -> str:
        """Change one to three flags, with an approval that lies in the cluster whole."""
        number, names = self._accept()
        self._carry(number, WHOLE)
        return f"approve {number}: {names}"

    def approve_removal(self) -> str:
        """Remove a flag."""
        self.world.clock.now = now().replace(microsecond=0)
        name = self.random.choice(sorted(self.model.newest))
        entry = self.world.accept(by=APPROVERS, removed=[self.model.newest[name].document])
        number = self._note(entry, {key: it for key, it in self.model.newest.items() if key != name})
        self._carry(number, WHOLE)
        return f"approve {number}: remove {name}"

    def hold_back(self) -> str:
        """Approve something, and withhold the approval, a document of it, or the signature that counts."""
        number, names = self._accept()
        held: Held = self.random.choice(get_args(Held))
        self._carry(number, held)
        return f"approve {number}: {names}, {held}"

    def bring(self) -> str:
        """Bring what was withheld: the whole approval, or a document as a resource that declares it."""
        number = self.random.choice(self.model.waiting)
        entry = self._entries[number]
        # A resource can be edited before anybody has looked at it, so that way is gone only where somebody does now.
        looked_at = self.model.running and number == self.model.published + 1
        if looked_at and self.model.carried[number] == "partial" and self.random.random() < 0.7:
            lacking = self._withheld(entry)
            self._declare(lacking)
            self.model.carried[number] = WHOLE
            return f"bring {number}: as the resource {lacking.name}"
        self.cluster.delete("FlagApproval", statement_carrier(entry.envelope.payload))
        self._carry(number, WHOLE)
        return f"bring {number}: its approval"

    def declare(self) -> str:
        """Declare flags as they were approved last, as a GitOps tool does when it catches up, or runs ahead."""
        partial = [number for number, how in self.model.carried.items() if how == "partial"]
        withheld = {self._withheld(self._entries[number]).digest for number in partial}
        names = self.random.sample(sorted(self.model.newest), self.random.randint(1, len(self.model.newest)))
        for name in names:
            if (document := self.model.newest[name].document).digest not in withheld:
                self._declare(document)
        return f"declare {sorted(names)}"

    def prune(self) -> str:
        """Delete approvals below the published head."""
        there = [number for number in range(1, self.model.published) if number in self._entries]
        chosen = self.random.sample(there, min(3, len(there)))
        for number in chosen:
            self.cluster.delete("FlagApproval", statement_carrier(self._entries.pop(number).envelope.payload))
        return f"prune {sorted(chosen)}"

    # Without one

    def edit(self) -> str:
        """Turn a flag on for everybody by hand."""
        place = self.random.choice(sorted(self.model.declared))
        self._declare(self._document(place[1], frozenset(ORGS)))
        return f"edit {place[1]} by hand"

    def delete(self) -> str:
        """Delete a flag's resource by hand."""
        place = self.random.choice(sorted(self.model.declared))
        self.cluster.delete("FlagDefinition", place[1], place[0])
        del self.model.declared[place]
        return f"delete {place[1]} by hand"

    def stray(self) -> str:
        """Declare a flag that nobody approved, under the name of another namespace's flag."""
        name = self.random.choice(sorted(FLAGS))
        namespace = "search" if FLAGS[name] == "payments" else "payments"
        self._declare(flag(name, namespace, on_for=ORGS))
        return f"stray {namespace}/{name}"

    def transplant(self) -> str:
        """Carry the statement of another history, with the same number and the same commit before it."""
        if self._stray is None:
            extra = (*self.world.genesis_documents, flag("mallory", on_for=ORGS))
            self._stray = CarriedWorld(self.world.path / "another", documents=extra)
        self._stray.clock.now = now().replace(microsecond=0)
        entry = self._stray.accept(flag("new-checkout", on_for=ORGS, description=f"Stray {next(self._count)}."))
        self._put(carry(statement_carrier(entry.envelope.payload), entry.documents.values(), [entry.envelope])[0])
        return f"transplant statement {entry.envelope.statement.sequence} of another history"

    def forge(self) -> str:
        """Carry what says that it follows the head: signed by its author, or with what its owner signed for another."""
        name, number = self.random.choice(sorted(FLAGS)), next(self._count)
        document, head = self._document(name, frozenset(ORGS)), self.world.head
        there = {it.subject: it for it in head.documents.values() if not it.is_tombstone}
        proposal = propose(
            head,
            self.world.trust,
            commit=commit_id(10**7 + number),
            tree=commit_id(10**8 + number),
            different=changes(head, (there | {document.subject: document}).values()),
            contributors=["bob"],
            ticket="PAY-1",
        )
        envelope = signed_by(proposal.statement.payload(), "bob")
        if self.random.random() < 0.5:
            genuine = signed_by(proposal.statement.payload() + b" ", "alice")
            envelope = type(envelope)(envelope.payload, genuine.signatures)
        self._put(carry(statement_carrier(envelope.payload), [document], [envelope])[0])
        return f"forge a statement about {name}"

    # In an emergency

    def roll_back(self) -> str:
        """Roll a flag back for a few seconds or ten minutes."""
        name = self.random.choice(sorted(self.model.newest))
        seconds = self.random.choice([8, 15, 600]) if self.model.running else 600
        claim = self._claim(name, seconds)
        self._declare_emergency(claim, {name})
        return f"roll back {name} for {seconds} s as {claim.name}"

    def freeze_namespaces(self) -> str:
        """Let nothing take effect in one namespace, or in all, for some time."""
        namespaces = self.random.choice([("payments",), ("search",), ()])
        seconds = self.random.choice(LENGTHS)
        claim = self._freeze(namespaces, seconds)
        self._declare_emergency(claim, {it for it in FLAGS if not namespaces or FLAGS[it] in namespaces})
        return f"freeze {list(namespaces) or 'everything'} for {seconds} s as {claim.name}"

    def freeze_flag(self) -> str:
        """Let nothing take effect for one flag, which need not be there."""
        name, seconds = self.random.choice(sorted(FLAGS)), self.random.choice(LENGTHS)
        claim = self._claim(name, seconds, action="freeze")
        self._declare_emergency(claim, {name})
        return f"freeze {name} for {seconds} s as {claim.name}"

    def deceive(self) -> str:
        """Ask for a rollback or a freeze without a proof, with that of another, or by somebody who may not."""
        name, begun = self.random.choice(sorted(FLAGS)), now().replace(microsecond=0)
        what = self.random.choice(["roll back", "freeze", "freeze everything"])
        how = self.random.choice(["bare", "with another's proof", "by bob"])

        def claim(seconds: int) -> Claim:
            if what == "freeze everything":
                return self._freeze((), seconds)
            return self._claim(name, seconds, action="rollback" if what == "roll back" else "freeze")

        offered = claim(600)
        body = resource(signed(offered, "bob" if how == "by bob" else "alice", at=begun))
        if how == "bare":
            body["metadata"]["annotations"] = {}
        if how == "with another's proof":
            body["metadata"]["annotations"] = resource(signed(claim(300), at=begun))["metadata"]["annotations"]
        self.cluster.create(body)
        self.model.refused.append((offered.kind, offered.namespace, offered.name))
        return f"{what} {name}, {how}" if what != "freeze everything" else f"{what}, {how}"

    def end_early(self) -> str:
        """End a rollback or a freeze with a proof of its own."""
        name = self.random.choice(self._taken())
        emergency = self.model.emergencies[name]
        emergency.ended = True
        if emergency.place[0] == "FlagFreeze":
            claim = thaw(name, by_name=f"end-of-{name}")
        else:
            (flag_name,) = emergency.flags
            claim = ending(name, by_name=f"end-of-{name}", flag=flag_name, namespace=FLAGS[flag_name])
        self.cluster.create(resource(signed(claim, at=now().replace(microsecond=0))))
        return f"end {name}"

    def delete_emergency(self) -> str:
        """Delete the resource of a rollback or a freeze, which ends nothing."""
        name = self.random.choice([it for it in self._taken() if self.model.emergencies[it].there])
        emergency = self.model.emergencies[name]
        emergency.there = False
        kind, namespace, _ = emergency.place
        self.cluster.delete(kind, name, namespace)
        return f"delete {name}"

    # How it is done

    def carrier(self, number: int) -> str | None:
        """Name the FlagApproval of a statement, if it is in the cluster."""
        if number not in self._entries or self.model.carried[number] == "absent":
            return None
        return statement_carrier(self._entries[number].envelope.payload)

    def _accept(self) -> tuple[int, list[str]]:
        """Have one to three flags changed and approved; nothing is carried yet."""
        state = dict(self.model.newest)
        self.world.clock.now = now().replace(microsecond=0)
        names = sorted(self.random.sample(sorted(FLAGS), self.random.randint(1, 3)))
        for name in names:
            on_for = frozenset(self.random.sample(ORGS, self.random.randint(0, len(ORGS))))
            state[name] = Served(self._document(name, on_for), on_for)
        entry = self.world.accept(*(state[name].document for name in names), by=APPROVERS)
        return self._note(entry, state), names

    def _note(self, entry: HistoryEntry, state: dict[str, Served]) -> int:
        del self.world.entries[:]
        self.model.states.append(state)
        number = len(self.model.states) - 1
        self._entries[number] = entry
        return number

    def _document(self, name: str, on_for: frozenset[str]) -> Document:
        # A content of its own each time, so that no two of them have one digest.
        words = f"As of change {next(self._count)}."
        namespace = FLAGS[name]
        return flag(name, namespace, on_for=sorted(on_for), owner=f"team-{namespace}", description=words)

    def _carry(self, number: int, how: str) -> None:
        self.model.carried[number] = how
        entry = self._entries[number]
        envelope, documents = entry.envelope, list(entry.documents.values())
        if how == "absent":
            return
        if how == "short":
            envelope = signed_by(envelope.payload, "bob")
        if how == "partial":
            lacking = self._withheld(entry).digest
            documents = [it for it in documents if it.digest != lacking]
        self._put(carry(statement_carrier(envelope.payload), documents, [envelope])[0])

    @staticmethod
    def _withheld(entry: HistoryEntry) -> Document:
        return min(entry.documents.values(), key=lambda it: it.subject)

    def _taken(self) -> list[str]:
        return sorted(name for name, it in self.model.emergencies.items() if it.taken and not it.ended)

    def _may_freeze(self, flags: Iterable[str]) -> bool:
        """Say whether it is certain of each freeze of these flags that a new one overlaps it."""
        freezes = [it for it in self.model.emergencies.values() if it.freezes and it.flags & set(flags)]
        return all(not it.ended and it.until > now() + OVERLAP for it in freezes)

    def _claim(self, name: str, seconds: int, **changes: Json) -> Claim:
        number = next(self._count)
        return override(
            name,
            name=f"emergency-{number}",
            namespace=FLAGS[name],
            incident=f"INC-{number}",
            until=now().replace(microsecond=0) + timedelta(seconds=seconds),
            **changes,
        )

    def _freeze(self, namespaces: Iterable[str], seconds: int) -> Claim:
        number, until = next(self._count), now().replace(microsecond=0) + timedelta(seconds=seconds)
        return freeze(*namespaces, name=f"emergency-{number}", incident=f"INC-{number}", until=until)

    def _declare_emergency(self, claim: Claim, flags: Iterable[str]) -> None:
        self.cluster.create(resource(signed(claim, at=now().replace(microsecond=0))))
        until = datetime.fromisoformat(json.loads(claim.spec)["until"])
        place = claim.kind, claim.namespace, claim.name
        freezes = claim.freezes is not None
        self.model.emergencies[claim.name] = Emergency(place, frozenset(flags), until, freezes=freezes)

    def _declare(self, document: Document) -> None:
        body = resource_of(document)
        assert document.namespace is not None
        self._put(body)
        self.model.declared[document.namespace, document.name] = document.digest

    def _put(self, body: dict[str, Any]) -> None:
        """Create a resource, or replace the one that is there."""
        try:
            self.cluster.create(body)
        except ApiException as error:
            if error.status != 409:
                raise
            metadata, kind = body["metadata"], body["kind"]
            there = self.cluster.get(kind, metadata["name"], metadata.get("namespace"))
            words = {**body, "metadata": {**metadata, "resourceVersion": there["metadata"]["resourceVersion"]}}
            if "namespace" in metadata:
                self.cluster.objects.replace_namespaced_custom_object(
                    GROUP, VERSION, metadata["namespace"], PLURALS[kind], metadata["name"], words
                )
            else:
                self.cluster.objects.replace_cluster_custom_object(
                    GROUP, VERSION, PLURALS[kind], metadata["name"], words
                )
