"""The door: an ASGI application in two layers.

Evaluations are answered by a thin callable of its own, since a budget of performance.md hangs on them; everything
else, which is asked once in a while, goes through an ordinary Starlette application behind it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flagseal_relay.book import not_ready
from flagseal_relay.events import SlowReader
from flagseal_relay.files import tuf_routes
from flagseal_relay.guard import LoopbackGuard, OpenGuard
from flagseal_relay.metrics import exposition
from flagseal_relay.ofrep import ALL_FLAGS, EVENTS, ONE_FLAG, answer_all, answer_one, refuse
from flagseal_relay.reply import Reply, error_reply
from flagseal_relay.request import BodyTooLarge, ClientGone, read_rest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

    from flagseal_relay.relay import Relay

_LOG: Final = logging.getLogger("flagseal.relay")
_INTERNAL: Final = "The relay failed in a way nobody foresaw; its log says how."


def create_app(relay: Relay, *, to_anybody: bool = False) -> ASGIApp:
    """Give the relay's ASGI application.

    It answers without a token, and therefore only requests that name the loopback interface (guard.py). Starting and
    stopping it (the ASGI lifespan) starts and stops the relay's refreshing.

    Args:
        relay: What answers.
        to_anybody: Answer requests from other machines, too; then the relay's source must hold back what is not
            open to anybody (anonymous.py).
    """
    return _Door(relay, _ordinary(relay), OpenGuard() if to_anybody else LoopbackGuard())


class _Door:
    def __init__(self, relay: Relay, ordinary: ASGIApp, guard: OpenGuard | LoopbackGuard) -> None:
        self._relay = relay
        self._ordinary = ordinary
        self._refusal = guard.refusal
        self._metrics = relay.metrics
        self._one_took = relay.metrics.latency("evaluate")
        self._all_took = relay.metrics.latency("bulk")
        self._other_took = relay.metrics.latency("other")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._ordinary(scope, receive, send)
            return
        began = perf_counter()
        refusal = self._refusal(scope["headers"])
        if refusal is not None:
            self._metrics.bad_requests.count += 1
            await error_reply(403, refusal).send(send)
            return
        path: str = scope["path"]
        if path.startswith(ALL_FLAGS) and (path == ALL_FLAGS or path.startswith(ONE_FLAG)):
            await self._evaluate(path, scope, receive, send)
            (self._all_took if path == ALL_FLAGS else self._one_took).observe(perf_counter() - began)
        elif path == EVENTS and scope["method"] == "GET":
            await self._listen(scope, receive, send)
        elif path == EVENTS:
            await error_reply(405, "The event stream is asked for with GET.", [(b"allow", b"GET")]).send(send)
        else:
            await self._ordinary(scope, receive, send)
            self._other_took.observe(perf_counter() - began)

    async def _evaluate(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await error_reply(405, "Evaluations are asked for with POST.", [(b"allow", b"POST")]).send(send)
            return
        key = None if path == ALL_FLAGS else path[len(ONE_FLAG) :]
        message = await receive()
        if message["type"] != "http.request":
            return
        body: bytes = message.get("body", b"")
        if message.get("more_body", False):
            try:
                body = await read_rest(body, receive)
            except ClientGone:
                return
            except BodyTooLarge as refusal:
                await refuse(refusal, self._metrics, key=key).send(send)
                return
        reply = self._reply(key, body, scope)
        await send(reply.start)
        await send({"type": "http.response.body", "body": reply.body})

    def _reply(self, key: str | None, body: bytes, scope: Scope) -> Reply:
        book = self._relay.book
        if book is None:
            return not_ready(self._relay.unready or "")
        try:
            if key is not None:
                return answer_one(book, key, body, self._metrics)
            return answer_all(book, body, scope["headers"], scope["scheme"], self._metrics)
        except Exception:  # noqa: BLE001 (the edge of a request)
            # Evaluations are total, so this is a fault of ours, and must not end the relay.
            _LOG.exception("evaluation failed", extra={"event": "evaluation-failed", "flag": key})
            self._metrics.failures.count += 1
            return error_reply(500, _INTERNAL)

    async def _listen(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._relay.hub.listen(scope, receive, send)
        except SlowReader:
            _LOG.info("dropped an event stream that nobody read", extra={"event": "slow-reader"})


def _ordinary(relay: Relay) -> Starlette:
    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        reason = relay.unready
        if reason is not None or relay.book is None:
            return JSONResponse({"ready": False, "reason": reason}, status_code=503)
        facts: dict[str, Any] = {"ready": True, **relay.book.metadata(), "stale": relay.book.stale}
        if relay.refusal is not None:
            facts["refused"] = relay.refusal
        return JSONResponse(facts)

    async def metrics(request: Request) -> Response:
        families = relay.metrics.collect(relay.gauges())
        text, content_type = await run_in_threadpool(exposition, families, request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type})

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        running = asyncio.create_task(relay.run())
        try:
            yield
        finally:
            relay.close()
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    return Starlette(
        routes=[
            Route("/healthz", healthz, methods=["GET"]),
            Route("/readyz", readyz, methods=["GET"]),
            Route("/metrics", metrics, methods=["GET"]),
            *tuf_routes(relay),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _failure},
        lifespan=lifespan,
    )


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (registered for nothing else)
    return JSONResponse({"errorDetails": error.detail}, status_code=error.status_code, headers=error.headers)


async def _failure(_: Request, error: Exception) -> Response:
    _LOG.error("request failed", exc_info=error, extra={"event": "request-failed"})
    return JSONResponse({"errorDetails": _INTERNAL}, status_code=500)
