"""The whole chain, told to a person: ``flagseal snapshot verify`` and ``show``."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.chain import root_history, verify_chain
from flagseal.snapshot.client import SnapshotClient
from flagseal.snapshot.layout import TRUST
from flagseal.snapshot.published import ChainFiles
from flagseal.snapshot.source import HttpSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from flagseal.approval.trust import Trust
    from flagseal.snapshot.chain import Chain
    from flagseal.snapshot.store import Reader
    from flagseal.snapshot.verified import Verified


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What, in words.
        passed: Whether it holds.
        detail: What was found; where it failed, what to do.
    """

    name: str
    passed: bool
    detail: str


@dataclass(frozen=True)
class Report:
    """What verifying a published repository came to.

    Attributes:
        checks: In the order of the chain, from the root down; ends with the first that failed.
        chain: The signed metadata; None if they do not verify.
        trust: ``trust.json``.
        verified: What a verifying client would serve; None if it would refuse.
    """

    checks: tuple[Check, ...]
    chain: Chain | None = None
    trust: Trust | None = None
    verified: Verified | None = None

    @property
    def passed(self) -> bool:
        """Whether everything holds."""
        return all(check.passed for check in self.checks)

    def text(self) -> str:
        """Render it, one check a line."""
        return "\n".join(f"{'ok  ' if check.passed else 'FAIL'} {check.name}: {check.detail}" for check in self.checks)


def verify_repository(source: Reader | str, root: bytes, *, clock: Callable[[], datetime] | None = None) -> Report:
    """Verify a published repository from its root to the bytes of every file, as a client that starts from nothing.

    Args:
        source: A store, or the URL of one.
        root: The pinned root.
        clock: Gives the time in UTC; the machine's if None.

    Raises:
        UsageError: The source is no URL.

    Returns:
        What was found; nothing that a repository holds makes it raise.
    """
    reader = HttpSource(source) if isinstance(source, str) else source
    checks: list[Check] = []

    def read(name: str) -> bytes | None:
        stored = reader.get(name)
        return None if stored is None else stored.data

    try:
        roots = root_history(root, read)
        checks.append(_ok("root", f"version {roots[-1].version}, {len(roots) - 1} rotations from the pinned one"))
        chain = verify_chain(read, roots[-1])
        checks.append(_ok("metadata", f"snapshot {chain.version}, {len(chain.namespaces)} namespaces, all signed"))
    except SnapshotError as error:
        return Report((*checks, _failed("metadata", error)))
    files = ChainFiles(chain, read)
    try:
        trust = files.trust()
        checks.append(_ok(TRUST, f"{trust.repository_name} ({trust.repository_id}), {trust.ref}, {trust.environment}"))
        paths = [path for namespace in chain.namespaces for path in chain.paths(namespace)]
        size = sum(len(files.read(path)) for path in paths)
        checks.append(_ok("files", f"{len(paths)} with {size} bytes, all as signed"))
    except SnapshotError as error:
        return Report((*checks, _failed("files", error)), chain)
    with (
        tempfile.TemporaryDirectory(prefix="flagseal-verify-") as cache,
        SnapshotClient(cache, reader, root, clock=clock) as client,
    ):
        result = client.refresh()
        verified = client.current
    if verified is None or verified.head is None:
        failed = Check("client", passed=False, detail=f"{result.reason}: {result.message} {result.remedy}".rstrip())
        return Report((*checks, failed), chain, trust)
    head = verified.head
    statements = head.sequence - trust.genesis.sequence
    checks.append(_ok("history", f"{statements} statements since {trust.genesis.commit[:12]}, each approved"))
    checks.append(_ok("content", f"sequence {head.sequence}, commit {head.commit[:12]}, compiles to the same bytes"))
    fresh = not verified.stale
    checks.append(Check("fresh", fresh, f"until {verified.expires.isoformat()}"))
    return Report(tuple(checks), chain, trust, verified)


def _ok(name: str, detail: str) -> Check:
    return Check(name, passed=True, detail=detail)


def _failed(name: str, error: SnapshotError) -> Check:
    return Check(name, passed=False, detail=f"{error.message} {error.remedy}".rstrip())
