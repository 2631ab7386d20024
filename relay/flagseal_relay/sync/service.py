"""The three calls of ``flagd.sync.v1.FlagSyncService``.

A stream has no queue: it sends the newest document, and sleeps until there is another. Each has a thread, so their
number is bounded. gRPC lets a thread wait for a client that does not read; a watchman ends the call instead.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NoReturn

import grpc

from flagseal_relay.sync.documents import Documents
from flagseal_relay.sync.messages import SERVICE, MalformedRequest, metadata_response, read_selector
from flagseal_relay.sync.selector import BadSelector, selected_namespace, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_relay.relay import Relay
    from flagseal_relay.sync.documents import FlagDocument

    Context = grpc.ServicerContext

_LOG: Final = logging.getLogger("flagseal.relay")


@dataclass(eq=False)
class _Stream:
    """One client that listens.

    Attributes:
        context: Its call.
        sending_since: When what is on its way was handed over, in monotonic seconds; None if nothing is.
        gone: Whether the call has ended.
    """

    context: Context
    sending_since: float | None = field(default=None)
    gone: bool = field(default=False)


class SyncService:
    """Answer for a relay; its methods run in gRPC's threads.

    Args:
        relay: What answers come from.
        limit: Streams at the same time; more are turned away.
        patience: Seconds for which a client may leave what was sent unread.
    """

    def __init__(self, relay: Relay, *, limit: int, patience: float) -> None:
        self._relay = relay
        self._limit = limit
        self._patience = patience
        self._news = threading.Condition()
        self._streams: set[_Stream] = set()
        self._documents: Documents | None = None
        self._closed = False
        self._watchman = threading.Thread(target=self._watch, name="flagseal-sync-watch", daemon=True)

    def start(self) -> None:
        """Follow the relay from now on."""
        self._relay.follow(self._take_up)
        self._take_up()
        self._watchman.start()

    def close(self) -> None:
        """End every stream in order, and stop following."""
        self._relay.unfollow(self._take_up)
        with self._news:
            self._closed = True
            self._news.notify_all()

    def handlers(self) -> grpc.GenericRpcHandler:
        """Give the calls to a gRPC server. Messages are bytes here: one that goes to many is written once."""
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                "SyncFlags": grpc.unary_stream_rpc_method_handler(self.sync_flags),
                "FetchAllFlags": grpc.unary_unary_rpc_method_handler(self.fetch_all_flags),
                "GetMetadata": grpc.unary_unary_rpc_method_handler(self.get_metadata),
            },
        )

    def fetch_all_flags(self, request: bytes, context: Context) -> bytes:
        """Answer FetchAllFlags: the document as it is now."""
        return self._known(_namespace(request, context), context).as_fetch()

    def get_metadata(self, request: bytes, context: Context) -> bytes:  # noqa: ARG002 (a call has these two)
        """Answer GetMetadata, which is deprecated: nothing is added to anybody's context."""
        return metadata_response()

    def sync_flags(self, request: bytes, context: Context) -> Iterator[bytes]:
        """Answer SyncFlags: the document as it is now, and each that follows."""
        namespace = _namespace(request, context)
        document: FlagDocument | None = self._known(namespace, context)
        stream = self._admit(context)
        try:
            while document is not None:
                stream.sending_since = time.monotonic()
                yield document.as_sync
                stream.sending_since = None
                document = self._next(namespace, document, stream)
        finally:
            with self._news:
                self._streams.discard(stream)
                self._relay.metrics.sync_subscribers.count = len(self._streams)
        if not stream.gone:
            # An end without an error is one that the JavaScript provider does not come back from.
            _refuse(context, grpc.StatusCode.UNAVAILABLE, "This relay stops. Connect again.")

    def _known(self, namespace: str | None, context: Context) -> FlagDocument:
        documents = self._documents
        if documents is None:
            _refuse(context, grpc.StatusCode.UNAVAILABLE, f"No verified snapshot is loaded yet: {self._relay.unready}.")
        document = documents.of(namespace)
        if document is None:
            _refuse(
                context,
                grpc.StatusCode.NOT_FOUND,
                f"No namespace {shown(str(namespace))} serves flags here. Select another, or none for all.",
            )
        return document

    def _admit(self, context: Context) -> _Stream:
        """Take a stream in, if there is room."""
        metrics = self._relay.metrics
        stream = _Stream(context)
        with self._news:
            full = len(self._streams) >= self._limit
            if full:
                metrics.turned_away_sync_subscribers.count += 1
            else:
                self._streams.add(stream)
                metrics.sync_subscribers.count = len(self._streams)
        if full:
            details = "No room for another stream; ask with FetchAllFlags instead, or later."
            _refuse(context, grpc.StatusCode.RESOURCE_EXHAUSTED, details)
        if not context.add_callback(lambda: self._leave(stream)):
            stream.gone = True
        return stream

    def _leave(self, stream: _Stream) -> None:
        with self._news:
            stream.gone = True
            self._news.notify_all()

    def _next(self, namespace: str | None, seen: FlagDocument, stream: _Stream) -> FlagDocument | None:
        """Wait for a document that the client has not seen; None ends the stream."""
        documents = None
        while True:
            with self._news:
                while self._documents is documents and not (self._closed or stream.gone):
                    self._news.wait()
                if self._closed or stream.gone:
                    return None
                documents = self._documents
            assert documents is not None  # noqa: S101 (there were some before)
            document = documents.now_of(namespace)
            if document is not seen:
                return document

    def _take_up(self) -> None:
        with self._news:
            book = self._relay.book
            if book is not None:
                self._documents = Documents(book, self._documents)
                self._news.notify_all()

    def _watch(self) -> None:
        """End calls whose clients do not read, until closed."""
        with self._news:
            while not self._closed:
                self._news.wait(self._patience / 4)
                now = time.monotonic()
                for stream in self._streams:
                    since = stream.sending_since
                    if since is not None and not stream.gone and now - since > self._patience:
                        stream.gone = True
                        self._relay.metrics.dropped_sync_subscribers.count += 1
                        _LOG.info("dropped a sync stream that nobody read", extra={"event": "slow-reader"})
                        stream.context.cancel()


def _namespace(request: bytes, context: Context) -> str | None:
    try:
        return selected_namespace(_headers(context), read_selector(request))
    except (MalformedRequest, BadSelector) as error:
        _refuse(context, grpc.StatusCode.INVALID_ARGUMENT, f"{error.message} {error.remedy}".rstrip())


def _headers(context: Context) -> Iterator[tuple[str, str | bytes]]:
    return ((str(name), value) for name, value in context.invocation_metadata())


def _refuse(context: Context, code: grpc.StatusCode, details: str) -> NoReturn:
    context.abort(code, details)
    raise AssertionError  # Aborting raises.
