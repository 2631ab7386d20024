"""Pull requests that a program opens, lists, rewrites and closes, as the double answers them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from tests.forge import shapes
from tests.forge.github import ZERO, Pull
from tests.forge.server import route

if TYPE_CHECKING:
    from tests.forge.server import Answer, Question


def unprocessable(message: str, code: str = "custom") -> Answer:
    """Refuse as GitHub does."""
    error = {"resource": "PullRequest", "code": code, "message": message}
    return 422, {"message": "Validation Failed", "documentation_url": shapes.WEB, "errors": [error]}


@route("GET", "/repos/{owner}/{repo}/pulls")
def _list(asked: Question) -> Answer:
    found, state = asked.repository, asked.query.get("state", "open")
    pulls = [
        pull for pull in found.pulls.values() if pull.head and state in {"all", "closed" if pull.closed else "open"}
    ]
    if "head" in asked.query:
        pulls = [pull for pull in pulls if asked.query["head"] == f"{(pull.fork or found).owner.login}:{pull.head}"]
    return 200, [partial(shapes.pull_simple, found, pull) for pull in reversed(pulls)]


@route("POST", "/repos/{owner}/{repo}/pulls")
def _open(asked: Question) -> Answer:
    found, body = asked.repository, asked.body
    if found.tip(body["head"]) == ZERO:
        return unprocessable("head is not a branch", "invalid")
    if any(pull.head == body["head"] and not pull.closed and pull.fork is None for pull in found.pulls.values()):
        return unprocessable(f"A pull request already exists for {found.owner.login}:{body['head']}.")
    if not found.commits(Pull(0, asked.github.me, "", asked.github.now, body["head"], body["base"])):
        return unprocessable(f"No commits between {body['base']} and {body['head']}")
    made = found.open(asked.github.me, body["head"], base=body["base"], title=body["title"])
    made.body = body.get("body") or ""
    return 201, shapes.pull(found, made)


@route("PATCH", "/repos/{owner}/{repo}/pulls/{pull_number}")
def _rewrite(asked: Question) -> Answer:
    _change(asked.pull, asked.body)
    return 200, shapes.pull(asked.repository, asked.pull)


@route("POST", "/repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers")
def _ask(asked: Question) -> Answer:
    logins = asked.body["reviewers"]
    if not all(login in asked.github.users for login in logins):
        return unprocessable("Reviews may only be requested from collaborators.")
    asked.pull.asked += logins
    return 201, shapes.pull_simple(asked.repository, asked.pull)


def _change(pull: Pull, body: dict[str, Any]) -> None:
    pull.title, pull.body = body.get("title", pull.title), body.get("body", pull.body)
    pull.closed = {"open": False, "closed": True}.get(body.get("state", ""), pull.closed)
