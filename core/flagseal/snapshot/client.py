"""The one client, for relay and provider: signed snapshots in, answers out (distribution.md, Clients).

::

    fetch      tuf.ngclient fetches and verifies: signatures, versions, expiry
    content    decides again whether it was approved, and builds it again
    Verified   is swapped in whole; an evaluation never waits

A refused update changes nothing but the reason it leaves behind.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Self

from tuf.api.metadata import Metadata, Timestamp

from flagseal.model.errors import FlagsealError
from flagseal.snapshot.cache import Cache
from flagseal.snapshot.chain import root_history, verify_chain
from flagseal.snapshot.content import Claim, Known, verify_content
from flagseal.snapshot.fetch import TufFetcher
from flagseal.snapshot.layout import (
    ACCESS,
    FLAGS,
    HEAD,
    PROVENANCE,
    REPOSITORY,
    TRUST,
    metadata_name,
    target_name,
)
from flagseal.snapshot.published import ChainFiles
from flagseal.snapshot.refusal import Refused
from flagseal.snapshot.source import open_source
from flagseal.snapshot.staleness import expiry, safe_after
from flagseal.snapshot.verified import Verified, load_namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from flagseal.snapshot.chain import Chain
    from flagseal.snapshot.content import Content
    from flagseal.snapshot.refusal import Reason
    from flagseal.snapshot.store import Reader
    from flagseal.snapshot.verified import NamespaceSnapshot

_LOG = logging.getLogger(__name__)
_REMEMBER_EVERY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Refresh:
    """What one look at the store came to.

    Attributes:
        changed: Whether :attr:`SnapshotClient.current` is another snapshot now.
        reason: Why what was found is not served; None if it is.
        message: The reason in a sentence, naming the file.
        remedy: What to do about it.
    """

    changed: bool
    reason: Reason | None = None
    message: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class _State:
    """What one snapshot was found to be; replaced whole."""

    timestamp: bytes
    chain: Chain
    content: Content | None
    verified: Verified
    safe_after: Mapping[str, timedelta]


class SnapshotClient:
    """Keep the newest verified snapshot at hand.

    What was verified before a restart is there at once, without network (docs/adr/0040-offline-start.md).
    :attr:`current` may be read from any thread at any time; :meth:`refresh` blocks its own caller only.

    Args:
        cache_dir: A directory of this client's own.
        source: A store, or the URL of one.
        root: The pinned root, as the ceremony gave it.
        clock: Gives the time in UTC; the machine's if None.
        verify: ``full`` decides again what was approved; ``tuf`` believes the online key.

    Raises:
        SnapshotError: Another client uses the directory, it cannot be written, or the root is none.
    """

    def __init__(
        self,
        cache_dir: Path | str,
        source: Reader | str,
        root: bytes,
        *,
        clock: Callable[[], datetime] | None = None,
        verify: Literal["full", "tuf"] = "full",
    ) -> None:
        self._source = open_source(source)
        self._root = root
        self._clock = clock or _utc_now
        self._seconds = time.time if clock is None else lambda: self._clock().timestamp()
        self._full = verify == "full"
        self._lock = Lock()
        self._cache = Cache(cache_dir)
        self._state: _State | None = None
        self._served: tuple[_State, frozenset[str], Verified] | None = None
        self._known = self._cache.known()
        self._remembered: datetime | None = None
        try:
            self._fetcher = TufFetcher(self._cache, self._source, root)
            self._start()
        except BaseException:
            self._cache.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let another client have the cache directory. What is current stays usable."""
        with self._lock:
            self._cache.close()

    @property
    def received(self) -> int:
        """Bytes fetched since the start."""
        return self._source.received

    @property
    def current(self) -> Verified | None:
        """The newest verified snapshot, as it is to be served now; None before the first."""
        state = self._state
        if state is None:
            return None
        tiers = self._too_old_for(state)
        served = self._served
        if served is None or served[0] is not state or served[1] != tiers:
            served = (state, tiers, state.verified.past(tiers) if tiers else state.verified)
            self._served = served
        return served[2]

    def refresh(self) -> Refresh:
        """Look for a newer snapshot, verify it, and swap it in. Raises nothing that a store or network can cause."""
        with self._lock:
            try:
                try:
                    return Refresh(self._refresh())
                except OSError as error:
                    _LOG.warning("%s: TUF's own files cannot be used, starting afresh: %s", self._cache.path, error)
                    self._cache.forget_tuf()
                    return Refresh(self._refresh())
            except Refused as error:
                refused = error
            except OSError as error:
                refused = Refused("cache-unusable", f"{self._cache.path}: {error}")
        return Refresh(changed=False, reason=refused.reason, message=refused.message, remedy=refused.remedy)

    def _refresh(self) -> bool:
        now, state = self._clock(), self._state
        updater = self._fetcher.update(now)
        data = self._fetcher.timestamp()
        root = self._fetcher.root(state.chain.root if state is not None else None)
        if state is not None and state.timestamp == data and state.chain.root is root:
            self._remember(state, now)
            return False
        timestamp = Metadata[Timestamp].from_bytes(data).signed
        if state is not None and timestamp.snapshot_meta == state.chain.timestamp.snapshot_meta:
            chain = replace(state.chain, root=root, timestamp=timestamp)
            verified = replace(state.verified, expires=expiry(chain, state.content))
            self._adopt(replace(state, timestamp=data, chain=chain, verified=verified), now)
            return False
        files = self._fetcher.fetch(updater, root, state.chain if state is not None else None)
        for role, expires in files.chain.expiries():
            if expires <= now:
                raise Refused("stale-metadata", f"{role}: expired at {expires.isoformat()}")
        self._adopt(self._examine(files.chain, files, data, now), now)
        return True

    def _start(self) -> None:
        """Serve what was verified before this process started, if it still verifies."""
        names = self._cache.good()
        if not names:
            return

        def read(name: str) -> bytes | None:
            return self._cache.blob(names[name]) if name in names else None

        now = self._clock()
        if self._known is not None:
            # A machine that wakes up with its clock set back has still seen what it has seen.
            now = max(now, self._known.fresh_at)
        try:
            chain = verify_chain(read, root_history(self._root, read)[-1])
            timestamp = read(metadata_name(Timestamp.type)) or b""
            self._state = self._examine(chain, ChainFiles(chain, read), timestamp, now)
        except FlagsealError as error:
            _LOG.warning("%s: the cached snapshot does not verify and is dropped: %s", self._cache.path, error)
            self._cache.keep({})

    def _examine(self, chain: Chain, files: ChainFiles, timestamp: bytes, now: datetime) -> _State:
        """Find out what a verified chain holds, and whether it was approved."""
        claim = Claim.parse(files.read(HEAD))
        trust = files.trust()
        content, before = None, self._state
        if self._full:
            base = before.content if before is not None else None
            content = verify_content(files, trust, now=now, base=base, known=self._known)
        signed = {path: files.sha256(path) for name in chain.namespaces for path in files.paths(name)}
        # What was built here is what was signed, digest for digest, or what is to be served in its place.
        digests = signed if content is None else content.hashes
        read = files.read if content is None else content.build.files.__getitem__
        names = (path.removesuffix(f"/{FLAGS}") for path in digests if path.endswith(f"/{FLAGS}"))
        namespaces = {name: self._namespace(name, digests, read) for name in names if name != REPOSITORY}
        verified = Verified(
            version=chain.version,
            sequence=claim.sequence,
            environment=trust.environment,
            as_of=claim.as_of,
            expires=expiry(chain, content),
            namespaces=MappingProxyType(namespaces),
            head=None if content is None else content.head,
            claim=MappingProxyType(claim.body),
            clock=self._clock,
        )
        return _State(timestamp, chain, content, verified, safe_after(content, claim, trust.environment))

    def _namespace(
        self, name: str, digests: Mapping[str, str | None], read: Callable[[str], bytes]
    ) -> NamespaceSnapshot:
        """Make a namespace ready to answer; the one at hand, if it is the same."""
        paths = [f"{name}/{file}" for file in (FLAGS, PROVENANCE, ACCESS)]
        flags, provenance, access = (read(path) if digests.get(path) else b"" for path in paths)
        known = self._state.verified.namespaces.get(name) if self._state is not None else None
        if known is not None and (known.flags, known.provenance, known.access) == (flags, provenance, access):
            return known
        return load_namespace(name, flags, digests.get(paths[0]) or "", (provenance, access), self._seconds)

    def _adopt(self, state: _State, now: datetime) -> None:
        """Keep a new state for the next start, and serve it."""
        self._cache.keep(self._files_of(state))
        self._remember(state, now)
        self._state = state

    def _remember(self, state: _State, now: datetime) -> None:
        """Remember that this was certainly the newest state just now."""
        before = self._known
        statement = state.content.head.statement if state.content is not None else state.verified.claim.get("statement")
        self._known = Known(state.verified.sequence, statement if isinstance(statement, str) else None, now)
        moved = before is None or before.sequence != self._known.sequence
        if moved or self._remembered is None or now - self._remembered >= _REMEMBER_EVERY:
            self._cache.remember(self._known)
            self._remembered = now

    def _files_of(self, state: _State) -> dict[str, str]:
        """Name every file that a start without network will need, with the hash of its bytes in the cache."""
        known, chain = self._cache.good(), state.chain
        files = {metadata_name(Timestamp.type): self._cache.put_blob(state.timestamp)}
        for name, lies_at in self._fetcher.metadata_files(chain):
            files[name] = known[name] if name in known else self._cache.put_blob(lies_at.read_bytes())
        paths = [TRUST, *chain.paths(REPOSITORY)]
        if not self._full:
            paths = [TRUST, HEAD]
            paths += [path for name in chain.namespaces if name != REPOSITORY for path in chain.paths(name)]
        for path in paths:
            file = chain.target(path)
            if file is not None:
                sha256 = file.hashes["sha256"]
                files[target_name(path, sha256)] = sha256
        return files

    def _too_old_for(self, state: _State) -> frozenset[str]:
        if not state.safe_after:
            return frozenset()
        fresh_at = self._known.fresh_at if self._known is not None else state.chain.timestamp.expires
        age = self._clock() - fresh_at
        return frozenset(tier for tier, limit in state.safe_after.items() if age > limit)


def _utc_now() -> datetime:
    return datetime.now(UTC)
