"""The TUF repository's files, unchanged, for clients and relays that verify for themselves.

The relay cannot forge them: whoever takes them checks signatures up to its own pinned root. It only has to take care
not to give out anything else, so a name is matched against what the layout knows before any store sees it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flagseal.model.errors import SnapshotError

if TYPE_CHECKING:
    from starlette.requests import Request

    from flagseal_relay.relay import Relay

_ROLE: Final = re.compile(r"(?:[1-9][0-9]{0,9}\.)?[A-Za-z0-9_][A-Za-z0-9_-]{0,127}\.json", re.ASCII)
_TARGET: Final = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,199}/){0,3}[A-Za-z0-9_][A-Za-z0-9._-]{0,199}", re.ASCII)
_VERSIONED: Final = re.compile(r"(?:[1-9][0-9]*|[0-9a-f]{64}|[0-9a-f]{128})\.[^/]+", re.ASCII)


def tuf_routes(relay: Relay) -> list[Route]:
    """Give the routes ``/tuf/metadata/…`` and ``/tuf/targets/…``."""

    async def metadata(request: Request) -> Response:
        name = request.path_params["name"]
        return await _file(relay, f"metadata/{name}") if _ROLE.fullmatch(name) else _unknown()

    async def target(request: Request) -> Response:
        path = request.path_params["path"]
        return await _file(relay, f"targets/{path}") if _TARGET.fullmatch(path) else _unknown()

    return [
        Route("/tuf/metadata/{name}", metadata, methods=["GET"]),
        Route("/tuf/targets/{path:path}", target, methods=["GET"]),
    ]


async def _file(relay: Relay, name: str) -> Response:
    if relay.files is None:
        return _unknown()
    try:
        stored = await run_in_threadpool(relay.files.get, name)
    except SnapshotError as error:
        return JSONResponse({"errorDetails": error.message}, status_code=503)
    if stored is None:
        return _unknown()
    # A name with a version or a digest in it never means anything else; the others are asked for anew each time.
    fixed = _VERSIONED.fullmatch(name.rpartition("/")[2]) is not None
    return Response(
        stored.data,
        media_type="application/json" if name.endswith(".json") else "application/octet-stream",
        headers={
            "cache-control": "private, max-age=31536000, immutable" if fixed else "no-cache",
            "x-content-type-options": "nosniff",
        },
    )


def _unknown() -> Response:
    return JSONResponse({"errorDetails": "No such file in the repository."}, status_code=404)
