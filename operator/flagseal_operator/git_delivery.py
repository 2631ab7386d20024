"""The git source: a thread that fetches each FlagRepository and writes what the cluster lacks of it.

::

    FlagRepository ─► Clone ─► delivery() ─► Kube ─► API server ─► Inventory ─► Engine
          ▲                       ▲                                               │
          └──── status            └──────────────── accepted head ◄───────────────┘

It is a carrier like any other: what it writes is judged by the engine, and decides nothing by being there.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from flagseal.model.canonical import canonical_json
from flagseal.model.errors import FlagsealError
from flagseal.model.instants import parse_duration
from flagseal_operator.clone import Clone, credentials_folder
from flagseal_operator.delivering import Delivery, delivery, held
from flagseal_operator.kube import KubeError
from flagseal_operator.status.conditions import READY, RECONCILING, dated, holds, kstatus, lacks
from flagseal_operator.status.reporter import Update

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from pathlib import Path

    from flagseal.approval.trust import Trust
    from flagseal.history import Head
    from flagseal_operator.delivery import Action
    from flagseal_operator.inventory import Inventory, Seen
    from flagseal_operator.kube import Kube
    from flagseal_operator.resources import Ref

_LOG: Final = logging.getLogger("flagseal.git")
_INTERVAL: Final = "30s"
_PAUSE: Final = 1.0
_TRIES: Final = 3
_CONFLICT: Final = 409
_MISSING: Final = 404


@dataclass(frozen=True)
class GitOptions:
    """Where the git source works.

    Attributes:
        work: Folder for clones; what is lost of it is fetched again.
        credentials: Folder of mounted Secrets; None for none.
    """

    work: Path
    credentials: Path | None = None


class Writes(Protocol):
    """Take statuses to be written."""

    def put(self, updates: Iterable[Update]) -> None:
        """Have them written."""
        ...


@dataclass
class _Followed:
    """One FlagRepository, as far as it was followed."""

    clone: Clone
    spec: object
    due: float = 0.0
    failed: FlagsealError | None = None
    done: object = None
    last: Delivery | None = None


class GitDelivery:
    """Follow the FlagRepositories of a cluster.

    Args:
        kube: Where resources are written.
        inventory: What the cluster holds.
        trust: Names the branch and the genesis; a FlagRepository has no say in it.
        statuses: Takes what is to be said.
        options: Where it works.
        clock: Gives the time in UTC.
    """

    def __init__(
        self,
        kube: Kube,
        inventory: Inventory,
        trust: Trust,
        statuses: Writes,
        options: GitOptions,
        clock: Callable[[], datetime],
    ) -> None:
        self._kube, self._inventory, self._trust = kube, inventory, trust
        self._statuses, self._options, self._clock = statuses, options, clock
        self._followed: dict[str, _Followed] = {}
        self._head: tuple[Head | None] | None = None
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flagseal-git", daemon=True)

    def start(self) -> None:
        """Start the thread; it does nothing before the first head."""
        self._thread.start()

    def stop(self, timeout: float = 2.0) -> None:
        """Let the write under way end."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def wake(self, head: Head | None) -> None:
        """Tell where the history stands.

        Args:
            head: The accepted state; None where nothing is published, and nothing can be for want of a genesis.
        """
        self._head = (head,)
        self._wake.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(_PAUSE)
            self._wake.clear()
            if self._head is None or self._stop.is_set():
                continue
            try:
                self.look(self._head[0])
            except Exception:  # noqa: BLE001 (the edge of a thread)
                _LOG.exception("the git source failed, and goes on")

    def look(self, head: Head | None) -> None:
        """Look at every FlagRepository once: fetch those that are due, and write what is lacking."""
        seen = self._inventory.of("FlagRepository")
        for gone in self._followed.keys() - {it.uid for it in seen.values()}:
            del self._followed[gone]
        for ref, it in sorted(seen.items()):
            if self._stop.is_set():
                return
            found = self._follow(it, head)
            self._say(ref, it, found)

    def _follow(self, seen: Seen, head: Head | None) -> Delivery:
        content = seen.content if isinstance(seen.content, dict) else {}
        spec: dict[str, Any] = content.get("spec") or {}
        try:
            followed = self._known(seen.uid, spec)
            self._fetch(followed, spec)
        except FlagsealError as error:
            return held(error)
        revision = self._inventory.revision
        # Due changes with every fetch: what waits for an hour, or failed, is looked at again then.
        state = (revision, head and (head.sequence, head.commit, head.manifest.digest), followed.due)
        if followed.last is None or followed.done != state:
            followed.last, followed.done = self._deliver(followed, spec, head), state
        return followed.last

    def _deliver(self, followed: _Followed, spec: dict[str, Any], head: Head | None) -> Delivery:
        if not followed.clone.exists:
            return held(followed.failed or FlagsealError("Nothing is fetched yet."), passing=True)
        mode = str(spec.get("apply"))
        now = self._clock()
        found = delivery(followed.clone.repository, head, self._trust, self._inventory, mode=mode, now=now)
        problems = apply(self._kube, found.actions, self._stop)
        if followed.failed is not None and not any(it.status == "True" for it in found.conditions[2:]):
            error = followed.failed
            words = f"{error.message} {error.remedy} What was fetched before goes on being delivered."
            found = replace(
                found,
                conditions=tuple(
                    kstatus(ready=lacks(READY, error.code, words), busy=holds(RECONCILING, error.code, words))
                ),
            )
        elif problems:
            words = (
                f"{len(problems)} resources were not written. {problems[0].message} {problems[0].remedy or ''}".strip()
            )
            code = problems[0].code
            found = replace(
                found, conditions=tuple(kstatus(ready=lacks(READY, code, words), busy=holds(RECONCILING, code, words)))
            )
        return found

    def _known(self, uid: str, spec: dict[str, Any]) -> _Followed:
        followed = self._followed.get(uid)
        if followed is None or followed.spec != spec:
            credentials = credentials_folder(self._options.credentials, spec.get("credentials"))
            clone = Clone(self._options.work, str(spec.get("url")), self._trust.ref, credentials)
            followed = self._followed[uid] = _Followed(clone, spec)
        return followed

    def _fetch(self, followed: _Followed, spec: dict[str, Any]) -> None:
        if time.monotonic() < followed.due:
            return
        followed.due = time.monotonic() + parse_duration(str(spec.get("interval") or _INTERVAL))
        before = followed.failed
        try:
            followed.clone.fetch()
        except FlagsealError as error:
            followed.failed = error
            if before is None or before.message != error.message:
                _LOG.warning("%s: %s", error.code, error.message)
        else:
            followed.failed = None

    def _say(self, ref: Ref, seen: Seen, found: Delivery) -> None:
        before = _status(seen)
        conditions = dated(
            found.conditions, before.get("conditions") or (), generation=seen.generation, now=self._clock()
        )
        status = {"observedGeneration": seen.generation, "conditions": conditions, **found.status()}
        for name in ("commit", "waiting"):
            # A merge patch keeps what it does not name.
            if name in before and name not in status:
                status[name] = before[name] if name == "commit" else None
        if canonical_json({key: it for key, it in status.items() if it is not None}) == seen.status:
            return
        old = next((it.get("status") for it in before.get("conditions") or () if it.get("type") == READY), "True")
        ready = found.conditions[0]
        told = (ready.reason, ready.message) if old != ready.status else None
        self._statuses.put([Update(ref, status, told)])


def _status(seen: Seen) -> dict[str, Any]:
    found = json.loads(seen.status) if seen.status else {}
    return found if isinstance(found, dict) else {}


def apply(kube: Kube, actions: Iterable[Action], stop: threading.Event | None = None) -> list[FlagsealError]:
    """Write; what fails is named, and the rest is written all the same, carriers apart: they build on each other.

    Args:
        kube: The API server.
        actions: In this order.
        stop: Ends it between two writes.
    """
    problems: list[FlagsealError] = []
    for action in actions:
        if stop is not None and stop.is_set():
            return problems
        try:
            _write(kube, action)
            _LOG.info("%s", action)
        except KubeError as error:
            _LOG.warning("%s: %s", action, error.message)
            problems.append(_explained(error, action))
            if action.ref.kind == "FlagApproval" or not error.status:
                return problems
    return problems


def _write(kube: Kube, action: Action) -> None:
    for attempt in range(_TRIES):
        try:
            _write_once(kube, action)
        except KubeError as error:
            if error.status != _CONFLICT or attempt == _TRIES - 1:
                raise
        else:
            return


def _write_once(kube: Kube, action: Action) -> None:
    if action.verb in {"delete", "renew"}:
        kube.delete(action.ref)
    if action.body is None:
        return
    there = kube.get(action.ref) if action.verb == "replace" else None
    if there is None:
        try:
            kube.create(action.body)
        except KubeError as error:
            there = kube.get(action.ref) if error.status == _CONFLICT and action.verb == "create" else None
            if there is None:
                raise
            if action.ref.kind == "FlagApproval":
                return  # Somebody was faster; whether it is the same is seen at the next look.
        else:
            return
    version = there["metadata"]["resourceVersion"]
    kube.replace(action.ref, {**action.body, "metadata": {**action.body["metadata"], "resourceVersion": version}})


def _explained(error: KubeError, action: Action) -> FlagsealError:
    if error.status == _MISSING and action.ref.namespace is not None:
        remedy = f"Create the namespace {action.ref.namespace}: the operator makes none."
        return FlagsealError(error.message, code="NamespaceMissing", remedy=remedy)
    return error
