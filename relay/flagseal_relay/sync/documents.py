"""What one verified snapshot gives to programs that evaluate by themselves.

A namespace's document goes out as it was published, byte for byte. Two things alone make it another one: a snapshot
that could not be refreshed in time says so, as it does in every answer over HTTP; and past the limit that policy sets
for a tier, its flags serve their safe variant, which nobody but us could tell those programs.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import msgspec

from flagseal_relay.sync.messages import fetch_response, sync_response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal_relay.book import Book
    from flagseal_relay.source import Namespace

    Metadata = dict[str, Any]

_LOG: Final = logging.getLogger("flagseal.relay")

CLIENTS_TAKE: Final = 4 * 1024 * 1024
"""Bytes of a message that gRPC clients take unless told otherwise."""

_encode: Final = msgspec.json.Encoder().encode


class _Parts(msgspec.Struct):
    """A compiled flagd document, its flags taken apart no further than needed."""

    flags: dict[str, dict[str, msgspec.Raw]]
    metadata: dict[str, Any] = {}


_read: Final = msgspec.json.Decoder(_Parts).decode
_read_metadata: Final = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(frozen=True)
class FlagDocument:
    """A flagd document, ready to be sent any number of times.

    Attributes:
        content: What it was made of: two documents with one content are the same.
        data: The document.
    """

    content: object
    data: bytes

    @cached_property
    def as_sync(self) -> bytes:
        """A SyncFlagsResponse with it."""
        message = sync_response(self.data.decode())
        if len(message) > CLIENTS_TAKE:
            _LOG.warning(
                "a flag document of %d bytes is more than gRPC clients take by default; have them select a namespace, "
                "or raise their limit",
                len(message),
                extra={"event": "large-sync-document", "bytes": len(message)},
            )
        return message

    def as_fetch(self) -> bytes:
        """Give a FetchAllFlagsResponse with it."""
        return fetch_response(self.data.decode())


class Documents:
    """Every document of one book, made when first asked for; from any thread.

    Args:
        book: The snapshot's answers.
        previous: The book before's; what did not change is the same object.
    """

    def __init__(self, book: Book, previous: Documents | None = None) -> None:
        self._namespaces = book.view.namespaces
        self._past_limit = book.view.past_limit
        self._environment = book.view.environment
        self._stale = book.stale
        self._ambiguous = book.ambiguous
        self._lock = Lock()
        known = previous.made() if previous is not None else {}
        self._made = {name: one for name, one in known.items() if one.content == self._content_of(name)}

    def made(self) -> dict[str | None, FlagDocument]:
        """Give what was asked for so far."""
        with self._lock:
            return dict(self._made)

    def of(self, namespace: str | None) -> FlagDocument | None:
        """Give a namespace's document, or that of all; None if there is no such namespace."""
        return None if self._is_gone(namespace) else self.now_of(namespace)

    def now_of(self, namespace: str | None) -> FlagDocument:
        """Give the same to whoever serves it already: a document without flags if there is no such namespace now."""
        content = self._content_of(namespace)
        with self._lock:
            known = self._made.get(namespace)
            if known is None:
                known = self._made[namespace] = FlagDocument(content, self._write(namespace))
            return known

    def _is_gone(self, namespace: str | None) -> bool:
        return namespace is not None and namespace not in self._namespaces

    def _content_of(self, namespace: str | None) -> object:
        if namespace is None:
            return (self._environment, *(self._content_of(name) for name in sorted(self._namespaces)))
        if self._is_gone(namespace):
            return (self._environment, namespace)
        published = self._namespaces[namespace]
        return (namespace, published.etag, self._stale, tuple(sorted(self._safe(published).items())))

    def _write(self, namespace: str | None) -> bytes:
        if namespace is None:
            return self._merged()
        if self._is_gone(namespace):
            return _encode({"flags": {}, "metadata": {"environment": self._environment, "flagSetId": namespace}})
        published = self._namespaces[namespace]
        return _encode(self._parts(published)) if self._stale or self._past_limit else published.flags

    def _safe(self, namespace: Namespace) -> dict[str, str]:
        """Give the safe variant by key, for the flags that the snapshot is too old for."""
        if not self._past_limit:
            return {}
        return {key: one.variant for key, one in namespace.safe_answers.items() if one.tier in self._past_limit}

    def _parts(self, namespace: Namespace) -> _Parts:
        """Take a namespace's document apart, as it is to be served by now."""
        parts = _read(namespace.flags)
        if self._stale:
            parts.metadata["stale"] = True
        for key, variant in self._safe(namespace).items():
            if key in parts.flags:
                flag = parts.flags[key]
                flag.pop("targeting", None)
                flag["defaultVariant"] = msgspec.Raw(_encode(variant))
        return parts

    def _merged(self) -> bytes:
        """Put all namespaces into one document, in which each flag has the metadata that it has in its own."""
        parts = [self._parts(self._namespaces[name]) for name in sorted(self._namespaces)]
        common = _common([part.metadata for part in parts])
        flags: dict[str, dict[str, msgspec.Raw]] = {}
        for part in parts:
            own = {name: value for name, value in part.metadata.items() if name not in common}
            for key, flag in part.flags.items():
                if key in self._ambiguous:
                    continue  # Choosing either would let the owners of a cheap flag answer for a dear one.
                if own:
                    metadata = own | (_read_metadata(flag["metadata"]) if "metadata" in flag else {})
                    flag["metadata"] = msgspec.Raw(_encode(dict(sorted(metadata.items()))))
                flags[key] = flag
        common.setdefault("environment", self._environment)
        return _encode({"flags": dict(sorted(flags.items())), "metadata": dict(sorted(common.items()))})


def _common(all_metadata: list[Metadata]) -> Metadata:
    """Give what all say alike: that can be said once for all flags."""
    first: Mapping[str, Any] = all_metadata[0] if all_metadata else {}
    return {name: value for name, value in first.items() if all(other.get(name) == value for other in all_metadata[1:])}
