"""What the OpenFeature SDK talks to."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeVar
from weakref import WeakSet

from openfeature.exception import ErrorCode, ProviderFatalError, ProviderNotReadyError
from openfeature.provider import AbstractProvider, Metadata

from flagseal.model.errors import FlagsealError, UsageError
from flagseal.provider.context import flattened
from flagseal.provider.resolution import failed, resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime

    from openfeature.evaluation_context import EvaluationContext
    from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType

    from flagseal.provider.keeper import Keeper
    from flagseal.provider.view import Answer, View
    from flagseal.snapshot.client import SnapshotClient
    from flagseal.snapshot.follow import Follower
    from flagseal.snapshot.store import Reader
    from flagseal.snapshot.verified import Verified

    Objects = Sequence[FlagValueType] | Mapping[str, FlagValueType]

T = TypeVar("T")

_NAME: Final = "Flagseal"
_HTTP: Final = ("http://", "https://")
_STALE: Final[Mapping[str, bool]] = {"stale": True}
_PATIENCE_WITH_CACHE: Final = 2.0
"""Seconds for which a start waits for news when something verified is at hand already."""
_LAST_SECONDS: Final = 5.0
"""Seconds for which shutting down waits."""


class FlagsealProvider(AbstractProvider):
    """Evaluate flags in this process, from snapshots that this process verifies.

    ::

        api.set_provider_and_wait(FlagsealProvider("http://127.0.0.1:8016/tuf/", root="root.json"))
        api.get_client().get_boolean_value("new-checkout", False, EvaluationContext("u1", {"org": "acme"}))

    An evaluation takes microseconds, raises nothing and waits for nothing: fetching and verifying happen in threads,
    which swap in one verified snapshot for another. An update that does not verify changes nothing but the provider's
    status (event ERROR, which names the reason); one that does not come makes the snapshot stale in time (event STALE,
    and ``stale`` in each flag's metadata). A start without network serves what was verified before.

    It may be used from any number of threads and event loops. A process that is forked off goes on with the flags it
    inherited, and starts threads of its own when it first evaluates one; handlers of events that were registered before
    the fork are the SDK's business, and it may not run them.

    Args:
        source: A relay's files (``http://host:8016/tuf/``), the URL or the directory of a store, or a store.
        root: The pinned root metadata, as the trust ceremony gave it, or the path of its file. All else is verified
            from it, so it must reach the application by another way than ``source``.
        namespaces: Which to serve; all by default. Flags of others do not exist for this application.
        cache: A directory that outlives the process, so that it can start without network; several processes may share
            it. By default nothing outlives the process.
        verify: ``full`` decides again what was approved; ``tuf`` believes whoever holds the online key.
        wait: Seconds for which initialising waits for the first verified snapshot.
        poll: Most seconds between two looks for something newer; news of a relay does not wait for it.
        events: URL of a relay's version stream; None listens to none. ``beside`` is the one that a relay has beside its
            files, if ``source`` is a URL.
        headers: Sent with every request, an access token for instance.
        clock: Gives the time in UTC; the machine's if None.

    Raises:
        UsageError: The root cannot be read, the source is none, or another argument makes no sense.
    """

    def __init__(  # noqa: PLR0913 (each is a setting of the application, given by name)
        self,
        source: str | Path | Reader,
        *,
        root: bytes | str | Path,
        namespaces: Collection[str] | None = None,
        cache: str | Path | None = None,
        verify: Literal["full", "tuf"] = "full",
        wait: float = 10.0,
        poll: float = 10.0,
        events: str | None = "beside",
        headers: Mapping[str, str] | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__()
        if isinstance(namespaces, str) or (namespaces is not None and not namespaces):
            raise UsageError("namespaces: not a list of names", remedy="Give a list of names, or None for all.")
        if not (poll > 0 and wait >= 0):
            raise UsageError("poll and wait are seconds", remedy="Give a poll above 0, and a wait of 0 or more.")
        if verify not in {"full", "tuf"}:
            raise UsageError(f"verify: no {verify!r}", remedy='Use "full", or "tuf" to believe the online key.')
        if events is not None and events != "beside" and not events.startswith(_HTTP):
            raise UsageError(f"events: {events!r} is no URL", remedy="Give http://… or https://…, or None.")
        self._source = _named_source(source)
        self._root = root if isinstance(root, bytes) else _read_root(Path(root))
        self._namespaces = None if namespaces is None else frozenset(namespaces)
        self._cache = None if cache is None else Path(cache)
        self._verify = verify
        self._wait = wait
        self._poll = poll
        self._events = events
        self._headers = dict(headers or {})
        self._clock = clock
        self._metadata = Metadata(_NAME)
        self._lifecycle = threading.Lock()
        self._keeper: Keeper | None = None
        self._view: View | None = None
        _PROVIDERS.add(self)

    # Life

    def initialize(self, evaluation_context: EvaluationContext) -> None:  # noqa: ARG002 (the SDK's)
        """Wait for the first verified snapshot, but not for longer than ``wait``.

        With one from before in the cache it waits two seconds for news at the most. Whatever comes of it, the provider
        goes on looking, and says READY once there is something to serve.

        Raises:
            ProviderFatalError: Waiting would not help: the root or the cache cannot be used.
            ProviderNotReadyError: Nothing was verified in time; the message says why.
        """
        with self._lifecycle:
            if self._keeper is not None:
                return
            try:
                keeper = self._new_keeper()
                keeper.open()
            except FlagsealError as error:
                self._view = None
                raise ProviderFatalError(
                    f"{error.code}: {error.message.rstrip('.')}. {error.remedy}".rstrip()
                ) from error
            self._keeper = keeper
            keeper.start()
        keeper.settled.wait(self._wait if keeper.view is None else min(self._wait, _PATIENCE_WITH_CACHE))
        ready = keeper.view is not None
        keeper.announce(ready=ready)
        if not ready:
            trouble = keeper.trouble
            why = f"{trouble.reason}: {trouble.message}" if trouble is not None else "nothing came yet"
            raise ProviderNotReadyError(f"no verified snapshot after {self._wait:g} s: {why}")

    def shutdown(self) -> None:
        """Stop all threads, and let go of the cache. A later :meth:`initialize` begins anew."""
        with self._lifecycle:
            keeper, self._keeper = self._keeper, None
            if keeper is not None:
                keeper.stop(_LAST_SECONDS)
            self._view = None

    def get_metadata(self) -> Metadata:
        """Give the provider's name."""
        return self._metadata

    @property
    def snapshot(self) -> Verified | None:
        """The verified snapshot that is served; None before the first."""
        view = self._view
        return view.verified if view is not None else None

    @property
    def trouble(self) -> str | None:
        """Why the last look for something newer failed; None if it did not."""
        keeper = self._keeper
        trouble = keeper.trouble if keeper is not None else None
        return f"{trouble.reason}: {trouble.message}" if trouble is not None else None

    @property
    def following(self) -> bool:
        """Whether a relay's version stream is open just now; without one, the poll finds what is new."""
        keeper = self._keeper
        return keeper is not None and keeper.following

    # Answers

    def resolve_boolean_details(
        self,
        flag_key: str,
        default_value: bool,  # noqa: FBT001 (the SDK's signature)
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[bool]:
        """Answer with a boolean."""
        return self._resolve(flag_key, default_value, evaluation_context, bool)

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Answer with a text."""
        return self._resolve(flag_key, default_value, evaluation_context, str)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Answer with an integer."""
        return self._resolve(flag_key, default_value, evaluation_context, int)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Answer with a float."""
        return self._resolve(flag_key, default_value, evaluation_context, float)

    def resolve_object_details(
        self, flag_key: str, default_value: Objects, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Objects]:
        """Answer with an object or a list."""
        return self._resolve(flag_key, default_value, evaluation_context, dict)

    def _resolve(self, key: str, default: T, context: EvaluationContext | None, kind: type) -> FlagResolutionDetails[T]:
        view = self._view
        try:
            if view is None:
                return failed(ErrorCode.PROVIDER_NOT_READY, "no verified snapshot yet", default)
            answer = view.answers.get(key)
            if answer is None:
                return _unanswered(view, key, default)
            try:
                flat = flattened(context)
            except Exception as error:  # noqa: BLE001 (total by contract: what a caller passes must not break the caller)
                return failed(ErrorCode.INVALID_CONTEXT, f"unreadable context: {type(error).__name__}", default)
            return resolved(answer(key, flat), kind, default, stale=view.stale, marked=_STALE)
        except Exception as error:  # noqa: BLE001 (total by contract)
            return failed(ErrorCode.GENERAL, f"evaluation failed: {type(error).__name__}", default)

    # Behind the scenes

    def _serve(self, view: View) -> None:
        self._view = view

    def _new_keeper(self, *, inherited: View | None = None, seed: Path | None = None) -> Keeper:
        from flagseal.provider.keeper import Keeper, Plan  # noqa: PLC0415 (an import must not pay for what runs later)

        plan = Plan(self._opened, self._followed, self._namespaces, self._cache, self._poll)
        return Keeper(plan, self._serve, self.emit, inherited=inherited, seed=seed)

    def _opened(self, directory: Path) -> SnapshotClient:
        from flagseal.snapshot.client import SnapshotClient  # noqa: PLC0415 (heavy)
        from flagseal.snapshot.source import HttpSource  # noqa: PLC0415 (heavy)
        from flagseal.snapshot.store import DirectoryStore  # noqa: PLC0415 (not needed for a URL)

        source: str | Path | Reader = self._source
        if isinstance(source, str):
            source = HttpSource(source, headers=self._headers)
        elif isinstance(source, Path):
            source = DirectoryStore(source)
        return SnapshotClient(directory, source, self._root, clock=self._clock, verify=self._verify)

    def _followed(self, notify: Callable[[], object]) -> Follower | None:
        from flagseal.snapshot.follow import Follower, events_beside  # noqa: PLC0415 (heavy)

        url = self._events
        if url == "beside":
            url = events_beside(self._source) if isinstance(self._source, str) else None
        return None if url is None else Follower(url, notify, headers=self._headers)

    def _forked(self) -> None:
        """In a process that was just forked off: nothing of the parent's threads and locks may be touched again."""
        keeper, view = self._keeper, self._view
        self._lifecycle = threading.Lock()
        self._keeper = None
        if keeper is None or view is None:
            self._view = None
            return
        woken = _Waking(view.answers, lambda: self._wake_up(view, keeper.place))
        self._view = view.answered_by(woken)

    def _wake_up(self, view: View, seed: Path | None) -> None:
        with self._lifecycle:
            if self._keeper is not None or self._view is None:
                return
            self._view = view
            self._keeper = self._new_keeper(inherited=view, seed=seed)
            self._keeper.start()
            self._keeper.announce(ready=True)


class _Waking(dict[str, "Answer"]):
    """Answers that start the threads of a forked process when they are first asked."""

    def __init__(self, answers: Mapping[str, Answer], wake: Callable[[], object]) -> None:
        super().__init__(answers)
        self._wake = wake

    def get(self, key: str, default: object = None) -> Answer | None:  # type: ignore[override]  # as it is asked here
        del default
        self._wake()
        return super().get(key)


def _unanswered(view: View, key: object, default: T) -> FlagResolutionDetails[T]:
    if key in view.ambiguous:
        return failed(ErrorCode.GENERAL, f"more than one namespace serves flag {key!r}; neither is answered", default)
    where = view.verified.environment
    if view.missing:
        where += f"; the snapshot has no namespace {', '.join(sorted(view.missing))}"
    return failed(ErrorCode.FLAG_NOT_FOUND, f"no flag {key!r} is served in {where}", default)


def _named_source(source: str | Path | Reader) -> str | Path | Reader:
    """Tell a URL from a directory."""
    if not isinstance(source, str):
        return source
    if "://" not in source:
        return Path(source)
    if not source.startswith(_HTTP):
        raise UsageError(f"{source!r} is not a URL of a store", remedy="Give http://… or https://…, or a directory.")
    return source


def _read_root(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(
            f"{path}: the pinned root cannot be read ({error.strerror})",
            remedy="Give the path of root.json, or its bytes.",
        ) from error


_PROVIDERS: Final[WeakSet[FlagsealProvider]] = WeakSet()


def _after_fork() -> None:
    for provider in list(_PROVIDERS):
        provider._forked()  # noqa: SLF001 (this module's own)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
