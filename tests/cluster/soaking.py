"""Change a cluster in every way for as long as one likes, and hold what is published against a model.

``make soak-cluster SECONDS=1800`` does it for half an hour, against an API server of its own (``KUBEBUILDER_ASSETS``);
the test beside this for a minute or less. Where the model disagrees it prints the seed and everything that was done.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from flagseal.snapshot.client import SnapshotClient
from tests.cluster.cluster import Cluster
from tests.cluster.control_plane import ControlPlane, assets
from tests.cluster.hosting import let_go
from tests.cluster.process import Operator, lease_of
from tests.cluster.soak_actions import FLAGS, TEAMS, Actions
from tests.cluster.soak_model import ORGS, WHOLE, Model, Observation, Served
from tests.cluster.world import CarriedWorld
from tests.emergency.scene import ADMISSION, emergency_policies
from tests.snapshot.world import FLAGS as FIRST_FLAGS

if TYPE_CHECKING:
    from collections.abc import Callable

SETTLE_SECONDS = 240.0
LOOK_SECONDS = 0.1
FEWEST_ACTIONS = 5
"""A busy machine may need all the time for the start."""


class Disagreement(AssertionError):
    """Say what is published and should not be, or the other way round, and how it came to that."""


@dataclass(frozen=True)
class Soaked:
    """What came of it.

    Attributes:
        seed: What it followed from.
        actions: How often what was done.
        looks: How often a client looked, and verified everything.
        head: The last published one.
    """

    seed: int
    actions: Counter[str]
    looks: int
    head: int


@dataclass
class Soak:
    """One soak.

    Attributes:
        cluster: With nothing of ours in it.
        folder: Of its own.
        plane: Whose API server goes away at times; None to let it be.
        seed: Everything follows from it, but for the time that things take.
    """

    cluster: Cluster
    folder: Path
    seed: int
    plane: ControlPlane | None = None
    trace: list[str] = field(default_factory=list)
    looks: int = 0

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        documents = (*emergency_policies(teams=TEAMS), *FIRST_FLAGS)
        self.world = CarriedWorld(self.folder, documents=documents, admission=ADMISSION.public_key)
        first = {it.name: it for it in FIRST_FLAGS if it.name in FLAGS}
        on_for = {"new-checkout": frozenset({"acme"})}
        self.model = Model([{name: Served(it, on_for.get(name, frozenset())) for name, it in first.items()}])
        self.actions = Actions(self.cluster, self.world, self.model, self.random)
        self.operators = [Operator(self.world, self.cluster.kubeconfig, name=name) for name in ("one", "two")]
        self.down: set[str] = {"one", "two"}
        self.client = SnapshotClient(self.folder / "client", self.world.directory, self.world.root)

    def run(self, seconds: float) -> Soaked:
        """Soak.

        Args:
            seconds: How long; what was begun then is looked at to its end, and a few actions are taken in any case.

        Raises:
            Disagreement: Something is published that must not be, or is not that must be.
        """
        done: Counter[str] = Counter()
        self._begun = time.monotonic()
        try:
            for body in (*self.world.genesis_bodies(), *self.world.declared()):
                self.cluster.create(body)
            self.model.declared.update(
                {(it.namespace or "", it.name): it.digest for it in FIRST_FLAGS if it.name in FLAGS}
            )
            self._do(self.start)
            while time.monotonic() < self._begun + seconds or done.total() < FEWEST_ACTIONS:
                kinds = self._kinds()
                (chosen,) = self.random.choices(list(kinds), list(kinds.values()))
                done[self._do(chosen)] += 1
            if not self.model.running:
                self._do(self.start)
            self._look_afresh()
        finally:
            for operator in self.operators:
                operator.kill()
            self.client.close()
        return Soaked(self.seed, done, self.looks, self.model.published)

    def _kinds(self) -> dict[Callable[[], str], int]:
        kinds = self.actions.kinds()
        if not self.model.running:
            return {**kinds, self.start: sum(kinds.values()) // 2}
        outage = {self.lose_the_api_server: 1} if self.plane else {}
        return {**kinds, self.end_one: 2, self.kill_one: 2, self.end_all: 1, self.kill_all: 1, **outage}

    def _do(self, action: Callable[[], str]) -> str:
        at = time.monotonic() - self._begun
        self.trace.append(f"{at:7.1f} s  {action.__name__} …")
        try:
            self.trace[-1] = f"{at:7.1f} s  {action()}"
        except (AssertionError, RuntimeError) as error:
            raise self._disagreement(f"{action.__name__}: {error}") from error
        if self.model.running:
            self._settle()
        else:
            self._look()
        return action.__name__

    # What happens to operators

    def start(self) -> str:
        """Start what does not run."""
        for operator in self.operators:
            if operator.name in self.down:
                operator.start()
        self.down.clear()
        self.model.running = True
        return "start all operators"

    def end_one(self) -> str:
        """End one in order, active or not, and start it again."""
        operator = self.random.choice(self.operators)
        self._ended_well(operator)
        operator.start()
        return f"end {operator.name}, and start it again"

    def kill_one(self) -> str:
        """Kill one without a word, and start it again; its Lease may have to run out."""
        operator = self.random.choice(self.operators)
        operator.kill()
        operator.start()
        return f"kill {operator.name}, and start it again"

    def end_all(self) -> str:
        """End all in order; nothing runs until the next start."""
        for operator in self.operators:
            self._ended_well(operator)
        return self._all_down("end all operators")

    def kill_all(self) -> str:
        """Kill all; nothing runs until the next start, which need not wait for the Lease."""
        for operator in self.operators:
            operator.kill()
        let_go(self.cluster, lease_of(self.world))
        return self._all_down("kill all operators")

    def lose_the_api_server(self) -> str:
        """Stop the API server for a moment, or for longer than a Lease holds."""
        assert self.plane is not None
        seconds = self.random.choice([0, 3, 7])
        self.plane.stop_api()
        time.sleep(seconds)
        self._look()
        self.plane.start_api()
        return f"lose the API server for {seconds} s"

    def _all_down(self, words: str) -> str:
        self.down.update(it.name for it in self.operators)
        self.model.running = False
        return words

    def _ended_well(self, operator: Operator) -> None:
        code = operator.stop(patience=SETTLE_SECONDS) if operator.running else 0
        if code:
            raise self._disagreement(f"{operator.name} ended with {code}")

    def _tend(self) -> None:
        """Start again who ended by itself, as a kubelet does; only a lost Lease may be the reason."""
        for operator in self.operators:
            if operator.name not in self.down and not operator.running:
                if "LeaseLost" not in operator.log or "Traceback" in operator.log:
                    raise self._disagreement(f"{operator.name} ended by itself")
                operator.start()

    # What is seen

    def _settle(self) -> None:
        end = time.monotonic() + SETTLE_SECONDS
        while True:
            self._tend()
            seen = self._look()
            untrue = "what is published is not what must be"
            if self.model.has_settled(seen) and (untrue := self._unseen() or "") == "":
                if self.model.settle(seen):
                    # Whatever comes next comes after the second in which a freeze was first seen, or ended.
                    time.sleep(1 - time.time() % 1)
                if (untrue := self._untrue() or "") == "":
                    return
            if time.monotonic() > end:
                raise self._disagreement(f"{untrue}: head {seen.sequence} of {self.model.reach()}, {seen.answers}")
            time.sleep(LOOK_SECONDS)

    def _look(self, client: SnapshotClient | None = None) -> Observation:
        client = client or self.client
        begun = datetime.now(UTC)
        outcome = client.refresh()
        self.looks += 1
        if outcome.reason is not None:
            if not self.model.seen and client.current is None:
                return Observation(-1, {}, begun, begun)  # nothing was ever published
            raise self._disagreement(f"a client refuses what is published: {outcome.reason}: {outcome.message}")
        current = client.current
        assert current is not None
        answers = {
            (name, org): current.evaluate(name, {"targetingKey": "u1", "org": org}).value
            for name in FLAGS
            for org in ORGS
        }
        seen = Observation(current.sequence, answers, begun, datetime.now(UTC))
        if (wrong := self.model.wrong(seen)) is not None:
            raise self._disagreement(wrong)
        self.model.seen = seen.sequence
        return seen

    def _look_afresh(self) -> None:
        """Look as a client that knows nothing yet, and verifies the whole chain."""
        with SnapshotClient(self.folder / "afresh", self.world.directory, self.world.root) as client:
            self._look(client)

    def _unseen(self) -> str | None:
        """Say which emergency, or early end of one, no operator has judged (yet), or otherwise than it must."""
        there = {
            (kind, body["metadata"].get("namespace"), body["metadata"]["name"]): body
            for kind in ("EmergencyOverride", "FlagFreeze")
            for body in self.cluster.list(kind)
        }
        now = datetime.now(UTC)
        for emergency in self.model.emergencies.values():
            kind, namespace, name = emergency.place
            if emergency.there and now < emergency.until:
                active = _condition(there[emergency.place], "Active")
                if active is None or (active["status"] == "True") == emergency.ended:
                    return f"{emergency} says of itself {active}"
            if emergency.ended and _condition(there[kind, namespace, f"end-of-{name}"], "Ready") is None:
                return f"the end of {emergency} was not looked at"
        for place in self.model.refused:
            ready = _condition(there[place], "Ready")
            if ready is None or ready["status"] != "False":
                return f"{place}, which nothing proves, says {ready}"
        self.model.refused.clear()
        return None

    def _untrue(self) -> str | None:
        """Say which status is not true (yet)."""
        now = datetime.now(UTC)
        for body in self.cluster.list("FlagDefinition"):
            place = body["metadata"]["namespace"], body["metadata"]["name"]
            if place in self.model.declared:
                ready, genuine = _condition(body, "Ready"), FLAGS[place[1]] == place[0]
                wanted = genuine and self.model.is_well(place, now)
                if ready is None or (ready["status"] == "True") != wanted:
                    return f"the status of {place} is not true: {ready}"
                if genuine and (_condition(body, "Frozen") is not None) != self.model.is_frozen(place[1], now):
                    return f"{place} says, or does not say, that it is frozen: {body['status']}"
        carriers = {body["metadata"]["name"]: body for body in self.cluster.list("FlagApproval")}
        for number in range(max(1, self.model.published), len(self.model.states)):
            ready = _condition(carriers.get(self.actions.carrier(number) or "", {}), "Ready")
            accepted = number == self.model.published and self.model.carried[number] == WHOLE
            if ready is not None and (ready["status"] == "True") != accepted:
                return f"the status of statement {number} is not true: {ready}"
        return None

    def _disagreement(self, words: str) -> Disagreement:
        told = "\n".join([*self.trace, f"seed {self.seed}: {words}"])
        logs = "\n".join(f"--- {it.name}\n{it.log[-4000:]}" for it in self.operators if it.was_started)
        return Disagreement(f"{told}\n{logs}\nseed {self.seed}: {words}")


def _condition(body: dict[str, object], kind: str) -> dict[str, str] | None:
    status = body.get("status")
    conditions = status.get("conditions") if isinstance(status, dict) else None
    return next((it for it in conditions or () if it["type"] == kind), None)


def main() -> int:
    """Soak, print what was done, and say whether the model agrees."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    words = parser.parse_args()
    found = assets()
    if found is None:
        parser.error("set KUBEBUILDER_ASSETS to where kube-apiserver and etcd lie")
    folder = Path(tempfile.mkdtemp(prefix="flagseal-soak-"))
    plane = ControlPlane(found, folder / "plane")
    print(f"seed {words.seed}", flush=True)
    try:
        plane.start()
        cluster = Cluster(plane.api(), plane.kubeconfig())
        cluster.install()
        soaked = Soak(cluster, folder / "world", words.seed, plane).run(words.seconds)
    except Disagreement as error:
        print(error)
        return 1
    finally:
        plane.stop()
        shutil.rmtree(folder)
    print(f"{words.seconds:.0f} s: head {soaked.head}, {soaked.looks} looks of a verifying client, the model agrees")
    for name, count in soaked.actions.most_common():
        print(f"  {count:5}  {name.replace('_', ' ')}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
