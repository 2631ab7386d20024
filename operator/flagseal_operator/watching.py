"""Watch resources with kopf, and feed the inventory; nothing is decided here.

Of kopf's ways only `on.event` is cheap with ten thousand resources (measured: 5 to 7 s, and no write). It runs in a
thread with an event loop of its own, since in the main thread it would take the process's signals.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any, Final

import kopf

from flagseal.model.errors import FlagsealError
from flagseal_operator.kube import KubeError
from flagseal_operator.resources import GROUP, PLURALS, VERSION, Ref

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from kubernetes.client import Configuration

    from flagseal_operator.inventory import Inventory
    from flagseal_operator.kube import Kube

_LOG: Final = logging.getLogger("flagseal.watch")

# A line for each event would be ten thousand at each start.
logging.getLogger("kopf.objects").setLevel(logging.WARNING)

_TELL_SECONDS: Final = 0.05
_LOGIN_SECONDS: Final = 1.0
_END_SECONDS: Final = 2.0
TOKEN_LIFE: Final = timedelta(minutes=10)
"""How long a token is used until it is read again; kubelets renew projected ones well before they expire."""

_QUIET_SECONDS: Final = 2.0
"""How long nothing must have come from a list until it counts as read, where the counts do not tell."""
_AGAIN_SECONDS: Final = 0.5
RELIST_SECONDS: Final = 300.0


class Watcher:
    """Keep an inventory up to date.

    Args:
        configure: Gives how to reach the API server, afresh each time it is asked, since tokens are renewed.
        kube: The same, for lists.
        inventory: What is fed.
        namespaces: Where to look; none for the whole cluster.
        told: Called from the watcher's thread when something changed.
    """

    def __init__(
        self,
        configure: Callable[[], Configuration],
        kube: Kube,
        inventory: Inventory,
        *,
        namespaces: Sequence[str] = (),
        told: Callable[[], None],
    ) -> None:
        self._configure = configure
        self._kube = kube
        self._inventory = inventory
        self._namespaces = tuple(namespaces)
        self._told = told
        self._stop = threading.Event()
        self._synced = threading.Event()
        self._expected: int | None = None
        self._last_listed = time.monotonic()
        self._logged_in = -_LOGIN_SECONDS
        self._watch = threading.Thread(target=self._run, name="flagseal-watch", daemon=True)
        self._relist = threading.Thread(target=self._keep_complete, name="flagseal-relist", daemon=True)
        self.events = 0

    @property
    def running(self) -> bool:
        """Whether it still watches."""
        return self._watch.is_alive()

    @property
    def synced(self) -> bool:
        """Whether everything that was there at the start was seen."""
        return self._synced.is_set()

    def start(self) -> None:
        """Start watching.

        Raises:
            KubeError: The resources cannot be listed: no permission, no definitions, or no API server.
        """
        self._expected = sum(self._count(kind) for kind in PLURALS)
        self._watch.start()
        self._relist.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop watching."""
        self._stop.set()
        if self._watch.ident is not None:
            self._watch.join(timeout)

    def wait_until_synced(self, timeout: float) -> bool:
        """Wait until everything that was there at the start was seen.

        Args:
            timeout: Seconds.
        """
        return self._synced.wait(timeout)

    def relist(self) -> int:
        """Hold the inventory against lists: what was missed is seen, and what is gone is dropped.

        Raises:
            KubeError: The API server cannot be asked.

        Returns:
            How many resources had gone unnoticed.
        """
        dropped = 0
        for kind in PLURALS:
            refs, version = [], ""
            for place in self._namespaces or (None,):
                for body, listed_at in self._kube.list(kind, place):
                    version = listed_at
                    self._inventory.see(kind, None, body)
                    metadata = body["metadata"]
                    refs.append(Ref(kind, metadata.get("namespace"), metadata["name"]))
            dropped += self._inventory.keep_only(kind, refs, version) if refs or not self._namespaces else 0
        return dropped

    def _count(self, kind: str) -> int:
        return sum(self._kube.count(kind, place) for place in self._namespaces or (None,))

    def _run(self) -> None:
        """Watch until told to stop; where kopf gives up, begin anew with lists.

        It gives up where a list or a watch is refused with 403, 404 or 410, which an API server that has just started
        answers for kinds that it has not loaded yet.
        """
        while not self._stop.is_set():
            loop = asyncio.new_event_loop()
            try:
                loop.run_until_complete(self._watching())
            except Exception as error:  # noqa: BLE001 (the edge of a thread)
                _LOG.warning("watching ended, and begins anew: %s", str(error) or repr(error))
            finally:
                _leave(loop)
            self._stop.wait(_AGAIN_SECONDS)

    async def _watching(self) -> None:
        # Not the thread's event: kopf would wait for it in a thread, which keeps a kopf that failed from ending.
        told = asyncio.Event()
        teller = asyncio.create_task(self._tell(told))
        tasks = await kopf.spawn_tasks(
            registry=self._registry(),
            settings=_settings(),
            standalone=True,
            clusterwide=not self._namespaces,
            namespaces=self._namespaces,
            stop_flag=told,
        )
        ending = asyncio.create_task(kopf.run_tasks(tasks, ignored={teller, *_here()}))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        # From here on kopf sees nothing more, and may wait for ever for some of its own tasks to end.
        ended, _ = await asyncio.wait({ending}, timeout=_END_SECONDS)
        for task in (*done, *ended):
            task.result()

    async def _tell(self, told: asyncio.Event) -> None:
        while not self._stop.is_set():  # noqa: ASYNC110 (the event belongs to threads)
            await asyncio.sleep(_TELL_SECONDS)
        told.set()

    def _registry(self) -> kopf.OperatorRegistry:
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry)(self._login)
        for kind, plural in PLURALS.items():
            kopf.on.event(GROUP, VERSION, plural, id=kind, registry=registry, param=kind)(self._seen)  # type: ignore[arg-type]
        return registry

    def _login(self, **_: Any) -> kopf.ConnectionInfo:  # noqa: ANN401 (kopf's arguments)
        # Kopf asks again at once where a token was refused, and gives up if it gets the same: the expiry makes it
        # another. An API server that has just started refuses tokens that it will take a moment later.
        self._stop.wait(max(0.0, self._logged_in + _LOGIN_SECONDS - time.monotonic()))
        self._logged_in = time.monotonic()
        found = self._configure()
        header = found.get_api_key_with_prefix("BearerToken", alias="authorization") or ""
        scheme, _space, token = header.rpartition(" ")
        return kopf.ConnectionInfo(
            server=found.host,
            ca_path=found.ssl_ca_cert,
            insecure=not found.verify_ssl,
            scheme=scheme or None,
            token=token or None,
            certificate_path=found.cert_file,
            private_key_path=found.key_file,
            expiration=datetime.now(UTC) + TOKEN_LIFE,
        )

    async def _seen(self, *, event: Any, param: Any, **_: Any) -> None:  # noqa: ANN401 (kopf's arguments)
        self.events += 1
        if event["type"] is None:
            self._last_listed = time.monotonic()
        changed = self._inventory.see(param, event["type"], event["object"])
        self._note_progress()
        if changed and self.synced:
            self._told()

    def _note_progress(self) -> None:
        if not self._synced.is_set() and self._expected is not None and len(self._inventory) >= self._expected:
            self._synced.set()
            self._told()

    def _keep_complete(self) -> None:
        """Notice when the first lists are read, and hold the inventory against new lists from time to time."""
        while not self._synced.is_set() and not self._stop.wait(0.2):
            # Fewer than were counted: some have been deleted meanwhile.
            if time.monotonic() - self._last_listed >= _QUIET_SECONDS:
                self._synced.set()
                self._told()
            self._note_progress()
        while not self._stop.wait(RELIST_SECONDS):
            try:
                if self.relist():
                    self._told()
            except KubeError as error:
                _LOG.warning("what went unnoticed will be noticed later: %s", error.message)
            except FlagsealError:
                _LOG.exception("listing failed")


def _here() -> set[asyncio.Task[Any]]:
    task = asyncio.current_task()
    return set() if task is None else {task}


def _leave(loop: asyncio.AbstractEventLoop) -> None:
    """Close a loop with whatever in it does not want to end."""
    for task in (tasks := asyncio.all_tasks(loop)):
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.wait(tasks, timeout=_END_SECONDS))
    loop.close()


class _Patience:
    """Seconds between tries while the API server does not answer: soon once a second, for as long as it takes."""

    def __iter__(self) -> Iterator[float]:
        return chain((0.1, 0.3, 0.5), repeat(1.0))


def _settings() -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.scanning.disabled = True  # No look at definitions and namespaces: neither permission nor need.
    settings.posting.enabled = False  # Events are written on change of a status, and not for each line of a log.
    settings.watching.chunk_size = 500
    settings.watching.server_timeout = 300
    settings.watching.reconnect_backoff = 0.5
    # Kopf's own waits grow to 21 s, for which nothing would be seen; and it never gives up here.
    settings.networking.error_backoffs = _Patience()
    # Kopf would kill the whole process where its own end takes long.
    settings.process.ultimate_exiting_timeout = None
    settings.queueing.idle_timeout = 0.5  # Ten thousand idle workers are memory.
    return settings
