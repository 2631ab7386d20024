"""Open pull requests: the one behind a run of a workflow, found by what GitHub says of the run; and waking a workflow.

The run of a fork's request has no right to write, so another workflow speaks for it afterwards, started by
``workflow_run``. That event names repository, branch and commit of what ran. GitHub says so, not the run: the request
is found by them, and nothing that the run left behind is believed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flagseal.model.errors import ForgeError
from flagseal_validators.forge.github.answers import At, account
from flagseal_validators.forge.opened import OpenRequest, Origin

if TYPE_CHECKING:
    from flagseal.model.canonical import Json
    from flagseal_validators.forge.github.asking import Asker

_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
REQUESTED: Final = "pull_request"


class GitHubOpened:
    """Find open requests of one repository (see :class:`flagseal_validators.forge.opened.Opened`).

    Args:
        asker: Asks.
        name: ``owner/name``.
    """

    def __init__(self, asker: Asker, name: str) -> None:
        self._asker = asker
        self._top = f"/repos/{name}"

    def request(self, number: int) -> OpenRequest:
        """Read one open request (see the interface)."""
        body = At(self._asker.get(f"{self._top}/pulls/{number}"), f"request {number}")
        if body.text("state") != "open":
            raise ForgeError(f"Request {number} is not open.", code="NotOpen", remedy="Name one that is.")
        return _request(body)

    def requests_from(self, origin: Origin) -> tuple[OpenRequest, ...]:
        """Find the open requests whose head is what ran (see the interface)."""
        query = {"head": f"{origin.owner}:{origin.branch}", "state": "open"}
        found = [At(entry, "pulls") for entry in self._asker.pages(f"{self._top}/pulls", query)]
        return tuple(_request(body) for body in found if _is_from(body, origin))


def origin_of(event: Json) -> Origin:
    """Read what ran from a ``workflow_run`` event.

    Raises:
        ForgeError: ``BadEvent``: it is none, or of a run that no pull request started.
    """
    run = event.get("workflow_run") if isinstance(event, dict) else None
    try:
        body = At(run, "workflow_run")
        started, commit = body.text("event"), body.text("head_sha")
        source = body.object("head_repository")
        origin = Origin(source.number("id"), source.object("owner").text("login"), body.text("head_branch"), commit)
    except ForgeError as error:
        raise _bad(error.message) from error
    if started != REQUESTED or not _COMMIT.fullmatch(commit):
        raise _bad(f"the run was started by {started!r}")
    return origin


def wake(asker: Asker, name: str, workflow: str, branch: str) -> None:
    """Start a workflow that waits for it. Nothing is handed over.

    Args:
        asker: Asks; by a token with ``Actions: write``.
        name: ``owner/name`` of the workflow's repository.
        workflow: Its file's name.
        branch: Whose version of it runs.

    Raises:
        ForgeError: ``NotWritten``; ``RateLimited``; ``ForgeDown``.
    """
    path = f"/repos/{name}/actions/workflows/{workflow}/dispatches"
    asker.send("POST", path, {"ref": branch}, repeatable=True)


def _is_from(body: At, origin: Origin) -> bool:
    head = body.object("head")
    # The list goes by names, and names change hands; a fork may be gone.
    repository = head.value("repo")
    return (
        repository is not None
        and At(repository, "head.repo").number("id") == origin.repository
        and (head.text("ref"), head.text("sha")) == (origin.branch, origin.commit)
    )


def _request(body: At) -> OpenRequest:
    return OpenRequest(
        number=body.number("number"),
        author=account(body.value("user"), "user"),
        head=body.object("head").text("sha"),
        base=body.object("base").text("ref"),
    )


def _bad(why: str) -> ForgeError:
    return ForgeError(
        f"The event tells no pull request: {why}.",
        code="BadEvent",
        remedy="Run it by `workflow_run` after a workflow that runs on `pull_request`, or name the request's number.",
    )
