"""Workflows that a program starts, as the double answers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.forge.server import route

if TYPE_CHECKING:
    from tests.forge.server import Answer, Question


@route("POST", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches")
def _start(asked: Question) -> Answer:
    found = asked.repository
    found.started.append((asked.names["workflow_id"], asked.body["ref"]))
    return 204, None
