"""A snapshot in a bucket of an S3-compatible object store (distribution.md, Publishing).

Creating is ``PUT`` with ``If-None-Match: *``, replacing is ``PUT`` with ``If-Match``. A server that ignores such
conditions answers both with success, and then two publishers overwrite each other unnoticed: so before the first
write each store is made to prove that it refuses (docs/adr/0043-conditional-writes-are-proven.md).

A network loses answers, too. A write that may or may not have been done is tried again under the same condition;
if that is refused, what lies there by now tells whose write it was (docs/adr/0044-a-lost-answer-is-looked-up.md).

This module alone imports ``obstore``; :func:`flagseal.snapshot.stores.open_store` imports it when it is needed.
"""

from __future__ import annotations

import random
import re
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from os import environ
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotModifiedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from flagseal.model.errors import SnapshotError, UsageError
from flagseal.snapshot.store import AlreadyExists, Conflict, Stored, TooLarge, check_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from obstore import PutMode
    from obstore.store import ClientConfig

    from flagseal.snapshot.stores import Bucket

_T = TypeVar("_T")

PROBE: Final = "flagseal-probe"
"""The name at which a store proves what it can; it is no part of any snapshot."""

_NEVER: Final = '"00000000000000000000000000000000"'
_STATUS: Final = re.compile(r"status code: ([1-5][0-9]{2})\b")
_CODE: Final = re.compile(r"(?:<Code>|\(code: )([A-Za-z0-9_.]{1,64})(?:</Code>|\))")
_WAITS: Final = (0.2, 1.0)
"""Seconds before a second and a third attempt."""
_ATTEMPT: Final = timedelta(seconds=30)
_FULL: Final = frozenset(
    {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "StorageFull"}
)

_FORBIDDEN: Final = frozenset({"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"})
"""Said without a status where several objects are deleted at once."""

_Kind = Literal["missing", "taken", "changed", "busy", "closed", "full", "unfit", "failing", "broken"]


@dataclass(frozen=True, slots=True)
class _Failure:
    """What became of a request that failed.

    Attributes:
        kind: In a word.
        said: By the server or the network, without addresses and headers.
        unsure: Whether a write may have been done all the same.
    """

    kind: _Kind
    said: str
    unsure: bool = False

    @property
    def passes(self) -> bool:
        """Whether another attempt may fare better."""
        return self.kind in {"busy", "failing"}


class _Refused(Exception):
    """Say that a condition did not hold."""


class ObjectStore:
    """Keep a snapshot in a bucket; safe to use from several threads, not across a fork.

    Args:
        client: Requests of the bucket, with retries of its own turned off: whether a write may be tried again is
            decided here.
        url: Names the store for people.
        prefix: Before every name.
    """

    def __init__(self, client: S3Store, url: str, prefix: str = "") -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._proof = threading.Lock()
        self._proven = False

    @classmethod
    def of(cls, bucket: Bucket, *, attempt: timedelta = _ATTEMPT) -> ObjectStore:
        """Open a bucket; nothing is asked of it yet. Credentials come from the environment.

        Args:
            bucket: Which, its endpoint and region settled.
            attempt: Longest time one request may take.

        Raises:
            UsageError: The environment's settings contradict each other, or name a file that cannot be read.
        """
        connecting = min(attempt, timedelta(seconds=5))
        options: ClientConfig = {"timeout": attempt, "connect_timeout": connecting}
        if bucket.endpoint is not None and bucket.endpoint.startswith("http://"):
            options["allow_http"] = True
        authorities = environ.get("AWS_CA_BUNDLE")
        if authorities:
            try:
                options["root_certificate"] = Path(authorities).read_bytes()
            except OSError as error:
                raise UsageError(f"AWS_CA_BUNDLE: {authorities}: {error.strerror}", code="BadStoreUrl") from None
        where: dict[str, Any] = {} if bucket.endpoint is None else {"endpoint": bucket.endpoint}
        try:
            client = S3Store(
                bucket.name,
                region=bucket.region or "us-east-1",
                virtual_hosted_style_request=bucket.virtual_hosts,
                conditional_put="etag",
                client_options=options,
                retry_config={"max_retries": 0, "retry_timeout": attempt},
                **where,
            )
        except BaseError:
            # Its text may repeat a setting, and settings hold secrets.
            raise UsageError(
                f"{bucket.url}: the settings for object stores contradict each other",
                code="BadStoreUrl",
                remedy="Look through the variables that begin with AWS_.",
            ) from None
        return cls(client, bucket.url, bucket.prefix)

    def __repr__(self) -> str:
        return f"ObjectStore({self._url!r})"

    def get(self, name: str, *, limit: int | None = None) -> Stored | None:
        """Read an object; see :meth:`flagseal.snapshot.store.Reader.get`."""
        key = self._key(name)

        def read() -> Stored:
            found = obstore.get(self._client, key)
            pieces: list[bytes] = []
            size = 0
            for piece in found.stream(min_chunk_size=64 * 1024):
                size += len(piece)
                if limit is not None and size > limit:
                    raise TooLarge(
                        f"{self._url}/{name}: more than the {limit} bytes expected",
                        remedy="Find out who wrote this object.",
                    )
                pieces.append(bytes(piece))
            return Stored(b"".join(pieces), found.meta["e_tag"] or "")

        return self._reading(name, read)

    def put_new(self, name: str, data: bytes) -> None:
        """Create an object; see :meth:`flagseal.snapshot.store.Store.put_new`."""
        check_name(name)
        self.prove()
        try:
            self._write(name, data, "create")
        except _Refused:
            raise AlreadyExists(f"{self._url}/{name}: exists already") from None

    def replace(self, name: str, data: bytes, *, if_match: str | None) -> str:
        """Replace an object that is still the one read; see :meth:`flagseal.snapshot.store.Store.replace`."""
        check_name(name)
        self.prove()
        try:
            return self._write(name, data, "create" if if_match is None else {"e_tag": if_match})
        except _Refused:
            raise Conflict(f"{self._url}/{name}: was changed by somebody else", remedy="Read it again.") from None

    def list(self, prefix: str) -> tuple[str, ...]:
        """Name what begins so; see :meth:`flagseal.snapshot.store.Store.list`."""
        # The client lists folders, not beginnings of names.
        folder = f"{self._prefix}{prefix.rpartition('/')[0]}".rstrip("/")

        def read() -> tuple[str, ...]:
            paths = [entry["path"] for page in obstore.list(self._client, prefix=folder or None) for entry in page]
            names = [path.removeprefix(self._prefix) for path in paths if path.startswith(self._prefix)]
            return tuple(sorted(name for name in names if name.startswith(prefix)))

        return self._reading(prefix, read) or ()

    def remove(self, name: str) -> None:
        """Delete an object; see :meth:`flagseal.snapshot.store.PrunedStore.remove`."""
        key = self._key(name)
        self._reading(name, lambda: obstore.delete(self._client, key), verb="remove")

    def prove(self) -> None:
        """Make the store show, once, that it refuses what it must; every first write does so by itself.

        Raises:
            SnapshotError: It wrote where it must not (``StoreUnfit``), or cannot be written.
        """
        with self._proof:
            if self._proven:
                return
            with suppress(_Refused):
                self._write(PROBE, secrets.token_bytes(16), "create")
            if not (self._refuses("create") and self._refuses({"e_tag": _NEVER})):
                raise self._error(PROBE, _Failure("unfit", "it wrote although the condition did not hold"), "write")
            there = self.get(PROBE)
            with suppress(_Refused):  # Another process may be at its own proof.
                self._write(PROBE, secrets.token_bytes(16), {"e_tag": there.etag if there is not None else _NEVER})
            self._proven = True

    def _refuses(self, mode: PutMode) -> bool:
        try:
            self._write(PROBE, secrets.token_bytes(16), mode)
        except _Refused:
            return True
        return False

    def _write(self, name: str, data: bytes, mode: PutMode) -> str:
        """Write under a condition, and come back knowing whether it was done.

        Raises:
            _Refused: The condition does not hold, and what lies there is not this write.
            SnapshotError: It could not be done, or could not be found out.

        Returns:
            The new tag.
        """
        unsure = False
        for wait in (*_WAITS, None):
            try:
                tag = obstore.put(self._client, self._key(name), data, mode=mode, use_multipart=False)["e_tag"]
            except (BaseError, OSError) as error:
                failure = _failure_of(error)
            else:
                if tag is None:
                    raise self._error(name, _Failure("unfit", "it gives written objects no ETag"), "write")
                return tag
            if failure.kind in {"taken", "changed"} or (failure.kind == "missing" and mode != "create"):
                mine = self._mine(name, data) if unsure else None
                if mine is None:
                    raise _Refused
                return mine
            unsure = unsure or failure.unsure
            if not failure.passes or wait is None:
                break
            _pause(wait)
        mine = self._mine(name, data) if unsure else None
        if mine is None:
            raise self._error(name, failure, "write")
        return mine

    def _mine(self, name: str, data: bytes) -> str | None:
        """Give the tag of a write whose answer was lost, if it is what lies there now."""
        try:
            there = self.get(name, limit=len(data))
        except SnapshotError:
            return None
        return there.etag if there is not None and there.data == data else None

    def _reading(self, name: str, read: Callable[[], _T], *, verb: str = "read") -> _T | None:
        for wait in (*_WAITS, None):
            try:
                return read()
            except (BaseError, OSError) as error:
                failure = _failure_of(error)
            if failure.kind == "missing":
                return None
            if not failure.passes or wait is None:
                break
            _pause(wait)
        raise self._error(name, failure, verb)

    def _key(self, name: str) -> str:
        return self._prefix + check_name(name)

    def _error(self, name: str, failure: _Failure, verb: str) -> SnapshotError:
        place = f"{self._url}/{name}"
        if failure.kind == "full":
            return SnapshotError(
                f"{place}: no room to {verb} ({failure.said})",
                code="StoreFull",
                remedy="Free space or raise the quota; what was published before stands, and publishing goes on by"
                " itself.",
            )
        if failure.kind == "closed":
            return SnapshotError(
                f"{place}: may not {verb} ({failure.said})",
                code="StoreClosed",
                remedy="Allow these credentials s3:ListBucket on the bucket and s3:GetObject below the prefix, whoever"
                " publishes s3:PutObject too, and whoever prunes s3:DeleteObject; are they the right ones, and is the"
                " clock right?",
            )
        if failure.kind == "unfit":
            return SnapshotError(
                f"{place}: this store does not honour conditional writes ({failure.said})",
                code="StoreUnfit",
                remedy="Publish to one that does (If-None-Match and If-Match on PUT): without them two publishers"
                " overwrite each other.",
            )
        return SnapshotError(
            f"{place}: cannot {verb} ({failure.said})",
            code="StoreUnusable",
            remedy="Is the endpoint right, does the bucket exist, and is the service up? What was published stands.",
        )


def _pause(seconds: float) -> None:
    time.sleep(seconds * random.uniform(0.5, 1.5))  # noqa: S311 (spreads load, hides nothing)


def _failure_of(error: Exception) -> _Failure:
    """Say what a failure means; the client's own text names addresses, so little of it is repeated."""
    text = str(error)
    status_found, code_found = _STATUS.search(text), _CODE.search(text)
    status = int(status_found.group(1)) if status_found else 0
    code = code_found.group(1) if code_found else ""
    said = " ".join(word for word in (f"HTTP status {status}" if status else "", code) if word)
    kind = _kind_of(error, status, code)
    if not said:
        said = _transport(text) if kind == "failing" else type(error).__name__
    # Throttling says that nothing was done; whatever else fails on the way may have been.
    return _Failure(kind, said, unsure=kind == "failing" and status != _THROTTLED)


_THROTTLED: Final = 429
_NOT_IMPLEMENTED: Final = 501
_NO_ROOM: Final = 507
_BY_STATUS: Final[dict[int, _Kind]] = {
    304: "changed",
    401: "closed",
    403: "closed",
    405: "closed",
    408: "failing",
    409: "busy",
    412: "changed",
    _THROTTLED: "failing",
    _NOT_IMPLEMENTED: "unfit",
    _NO_ROOM: "full",
}
_SERVERS_FAULT: Final = range(500, 600)


def _kind_of(error: Exception, status: int, code: str) -> _Kind:
    if code in _FULL:
        return "full"
    if code in _FORBIDDEN:
        return "closed"
    if isinstance(error, FileNotFoundError):
        return "broken" if code == "NoSuchBucket" else "missing"
    if status in _BY_STATUS and not (status == 412 and isinstance(error, AlreadyExistsError)):  # noqa: PLR2004
        return _BY_STATUS[status]
    if isinstance(error, AlreadyExistsError):
        return "taken"
    if isinstance(error, PreconditionError | NotModifiedError):
        return "changed"
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return "closed"
    if status in _SERVERS_FAULT or (not status and isinstance(error, BaseError | OSError)):
        return "failing"
    return "broken"


def _transport(text: str) -> str:
    """Name what happened on the way."""
    if "169.254.169.254" in text or "credential" in text.partition("\n")[0].lower():
        return "no credentials were found in the environment"
    if "kind: Timeout" in text or "timed out" in text:
        return "no answer in time"
    return "the connection failed"
