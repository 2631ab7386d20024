"""Issues, their labels and comments, as the double answers them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

from tests.forge import shapes
from tests.forge.github import Comment, Pull
from tests.forge.server import route

if TYPE_CHECKING:
    from tests.forge.server import Answer, Question


@route("GET", "/repos/{owner}/{repo}/issues")
def _list(asked: Question) -> Answer:
    found, state = asked.repository, asked.query.get("state", "open")
    wanted = set(filter(None, asked.query.get("labels", "").split(",")))
    issues = [
        issue
        for issue in found.pulls.values()
        if wanted <= set(issue.labels) and state in {"all", "closed" if issue.closed else "open"}
    ]
    return 200, [shapes.issue(found, issue) for issue in reversed(issues)]


@route("PATCH", "/repos/{owner}/{repo}/issues/{issue_number}")
def _change(asked: Question) -> Answer:
    issue, body = asked.repository.pulls[int(asked.names["issue_number"])], asked.body
    issue.title, issue.body = body.get("title", issue.title), body.get("body", issue.body)
    issue.closed = {"open": False, "closed": True}.get(body.get("state", ""), issue.closed)
    return 200, shapes.issue(asked.repository, issue)


@route("POST", "/repos/{owner}/{repo}/issues/{issue_number}/labels")
def _label(asked: Question) -> Answer:
    found = asked.repository
    issue = found.pulls[int(asked.names["issue_number"])]
    issue.labels += [name for name in asked.body["labels"] if name not in issue.labels]
    found.labels |= set(issue.labels)
    return 200, [shapes.label(found, name) for name in issue.labels]


@route("GET", "/repos/{owner}/{repo}/labels/{name}")
def _one_label(asked: Question) -> Answer:
    if (name := unquote(asked.names["name"])) not in asked.repository.labels:
        raise KeyError(name)
    return 200, shapes.label(asked.repository, name)


@route("POST", "/repos/{owner}/{repo}/labels")
def _make_label(asked: Question) -> Answer:
    asked.repository.labels.add(asked.body["name"])
    return 201, shapes.label(asked.repository, asked.body["name"])


@route("POST", "/repos/{owner}/{repo}/issues")
def _open_issue(asked: Question) -> Answer:
    found, body = asked.repository, asked.body
    made = Pull(
        len(found.pulls) + 1, asked.github.me, body["title"], asked.github.now, body=body.get("body") or "",
        labels=list(body.get("labels", [])),
    )  # fmt: skip
    found.pulls[made.number] = made
    return 201, shapes.issue(found, made)


@route("GET", "/repos/{owner}/{repo}/issues/{issue_number}/comments")
def _comments(asked: Question) -> Answer:
    written = [entry for entry in asked.repository.comments if entry.number == int(asked.names["issue_number"])]
    return 200, [shapes.comment(asked.repository, entry) for entry in written]


@route("POST", "/repos/{owner}/{repo}/issues/{issue_number}/comments")
def _comment(asked: Question) -> Answer:
    found, github = asked.repository, asked.github
    written = Comment(github.next(), int(asked.names["issue_number"]), github.me, asked.body["body"], github.now)
    found.comments.append(written)
    return 201, shapes.comment(found, written)


@route("PATCH", "/repos/{owner}/{repo}/issues/comments/{comment_id}")
def _rewrite(asked: Question) -> Answer:
    written = {entry.id: entry for entry in asked.repository.comments}[int(asked.names["comment_id"])]
    written.body = asked.body["body"]
    return 200, shapes.comment(asked.repository, written)
