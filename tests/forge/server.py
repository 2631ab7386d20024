"""The double's HTTP server: a real one, on loopback, that answers from the state and remembers every exchange."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.forge import shapes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.forge.github import GitHub, Pull, Repository, User
    from tests.forge.limits import Limits

TOKEN = "ghp_for-the-double-only"
Answer = tuple[int, Any]


@dataclass(frozen=True)
class Question:
    """What was asked: the state to answer from, the path's names, the query and the body."""

    github: GitHub
    names: dict[str, str]
    query: dict[str, str]
    body: Any

    @property
    def repository(self) -> Repository:
        """The repository in the path."""
        return self.github.repositories[f"{self.names['owner']}/{self.names['repo']}"]

    @property
    def pull(self) -> Pull:
        """The request in the path."""
        return self.repository.pulls[int(self.names["pull_number"])]


_ROUTES: list[tuple[str, str, re.Pattern[str], Callable[[Question], Answer]]] = []


@dataclass(frozen=True)
class Exchange:
    """One question and its answer."""

    method: str
    template: str
    path: str
    query: dict[str, str]
    body: Any
    status: int
    answer: Any
    headers: dict[str, str]


@dataclass
class Trouble:
    """Something that the next matching question meets in place of its answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    path: str = ""
    drop: bool = False
    method: str = ""
    after: bool = False


def route(method: str, template: str) -> Callable[[Callable[[Question], Answer]], Callable[[Question], Answer]]:
    """Answer a path of GitHub's description."""
    pattern = re.compile(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", template) + r"\Z")

    def register(handler: Callable[[Question], Answer]) -> Callable[[Question], Answer]:
        _ROUTES.append((method, template, pattern, handler))
        return handler

    return register


class Server:
    """Serve a double while in its context."""

    def __init__(self, github: GitHub, *, page: int = 100) -> None:
        self.github = github
        self.page = page
        self.exchanges: list[Exchange] = []
        self.troubles: list[Trouble] = []
        self.limits: Limits | None = None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.handle(self)

            do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815

            def log_message(self, *words: object) -> None:
                del words

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """The API's top."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def trouble(
        self,
        status: int = 500,
        *,
        body: dict[str, Any] | None = None,
        path: str = "",
        drop: bool = False,
        method: str = "",
        after: bool = False,
        **headers: str,
    ) -> None:
        """Let the next question (to a path with these words in it) fail; with `after`, once it has been acted on."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.troubles.append(Trouble(status, named, body or {"message": "trouble"}, path, drop, method, after))

    def handle(self, http: BaseHTTPRequestHandler) -> None:
        """Answer one question."""
        length = int(http.headers.get("Content-Length") or 0)
        body = json.loads(http.rfile.read(length)) if length else None
        parts = urlsplit(http.path)
        query = dict(parse_qsl(parts.query))
        trouble = next(
            (entry for entry in self.troubles if entry.path in parts.path and entry.method in {"", http.command}), None
        )
        if trouble is not None:
            self.troubles.remove(trouble)
            if trouble.after:
                self._answer(http, parts.path, query, body)
            if trouble.drop:
                http.close_connection = True
                http.connection.close()
                return
            self._send(http, trouble.status, trouble.body, trouble.headers)
            return
        if self.limits is not None and (refused := self.limits.refuse(http.command, self.github.now)) is not None:
            self._send(http, *refused)
            return
        template, (status, answer) = self._answer(http, parts.path, query, body)
        headers: dict[str, str] = {"x-ratelimit-remaining": "4999", "x-ratelimit-limit": "5000"}
        if status == 200 and http.command == "GET":
            answer, headers = self._paged(parts.path, query, answer, headers)
            headers["ETag"] = f'W/"{hashlib.sha256(json.dumps(answer).encode()).hexdigest()}"'
        if headers.get("ETag") and http.headers.get("If-None-Match") == headers["ETag"]:
            status, answer = 304, None
        given = {name.lower(): value for name, value in http.headers.items()}
        self.exchanges.append(Exchange(http.command, template, parts.path, query, body, status, answer, given))
        self._send(http, status, answer, headers)

    def _answer(self, http: BaseHTTPRequestHandler, path: str, query: dict[str, str], body: Any) -> tuple[str, Answer]:  # noqa: ANN401
        for method, template, pattern, handler in _ROUTES:
            match = pattern.match(path)
            if match is None or method != http.command:
                continue
            if not template.startswith("/app/") and http.headers.get("Authorization") not in self._accepted():
                return template, (401, {"message": "Bad credentials", "documentation_url": shapes.WEB})
            try:
                return template, handler(Question(self.github, match.groupdict(), query, body))
            except KeyError:
                return template, (404, {"message": "Not Found", "documentation_url": shapes.WEB, "status": "404"})
        return "", (404, {"message": "Not Found", "documentation_url": shapes.WEB, "status": "404"})

    @staticmethod
    def _accepted() -> set[str]:
        return {f"{scheme} {TOKEN}" for scheme in ("token", "Bearer", "bearer")}

    def _paged(
        self,
        path: str,
        query: dict[str, str],
        answer: Any,  # noqa: ANN401 (any JSON)
        headers: dict[str, str],
    ) -> tuple[Any, dict[str, str]]:
        """Cut a list as GitHub does; the double may have smaller pages than were asked for."""
        whole = answer["check_runs"] if isinstance(answer, dict) and "check_runs" in answer else answer
        if not isinstance(whole, list):
            return answer, headers
        size = min(int(query.get("per_page", "30")), self.page)
        # Activity goes by a cursor, all else by number; what a cursor says is nobody's business but the server's.
        cursor = "after" if path.endswith("/activity") else "page"
        number = int(query.get(cursor, "1"))
        # What costs git is shown only where it is asked for.
        part = [entry() if callable(entry) else entry for entry in whole[(number - 1) * size : number * size]]
        if number * size < len(whole):
            following = urlencode({**query, cursor: number + 1})
            headers = {**headers, "Link": f'<{self.url}{path}?{following}>; rel="next"'}
        return ({**answer, "check_runs": part} if isinstance(answer, dict) else part), headers

    @staticmethod
    def _send(http: BaseHTTPRequestHandler, status: int, answer: Any, headers: dict[str, str]) -> None:  # noqa: ANN401
        data = b"" if status in {204, 304} else json.dumps(answer).encode()
        http.send_response(status)
        for name, value in headers.items():
            http.send_header(name, value)
        http.send_header("Content-Type", "application/json; charset=utf-8")
        http.send_header("Content-Length", str(len(data)))
        http.end_headers()
        http.wfile.write(data)


@route("GET", "/repos/{owner}/{repo}")
def _repository(asked: Question) -> Answer:
    return 200, shapes.full_repository(asked.repository)


@route("GET", "/repos/{owner}/{repo}/commits/{commit_sha}/pulls")
def _pulls_of(asked: Question) -> Answer:
    found, commit = asked.repository, asked.names["commit_sha"]
    pulls = [pull for pull in found.pulls.values() if commit in pull.brought or commit in found.commits(pull)]
    return 200, [shapes.pull_simple(found, pull) for pull in pulls]


@route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}")
def _pull(asked: Question) -> Answer:
    return 200, shapes.pull(asked.repository, asked.pull)


@route("GET", "/repos/{owner}/{repo}/pulls/{pull_number}/reviews")
def _reviews(asked: Question) -> Answer:
    return 200, [shapes.review(asked.repository, asked.pull, review) for review in asked.pull.reviews]


@route("GET", "/repos/{owner}/{repo}/activity")
def _activity(asked: Question) -> Answer:
    moved = [entry for entry in asked.repository.activity if asked.query.get("ref") in {None, entry.ref}]
    return 200, [shapes.movement(entry) for entry in reversed(moved)]


@route("GET", "/repos/{owner}/{repo}/rules/branches/{branch}")
def _rules(asked: Question) -> Answer:
    return 200, shapes.rules(asked.repository, asked.names["branch"])


@route("GET", "/repos/{owner}/{repo}/rulesets/{ruleset_id}")
def _ruleset(asked: Question) -> Answer:
    by_id = {entry.id: entry for entry in asked.repository.rulesets}
    return 200, shapes.ruleset(asked.repository, by_id[int(asked.names["ruleset_id"])])


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/check-runs")
def _checks(asked: Question) -> Answer:
    runs = {(run.name, run.app): run for run in asked.repository.checks if run.commit == asked.names["ref"]}
    shown = [shapes.check_run(asked.repository, run) for run in runs.values()]
    return 200, {"total_count": len(shown), "check_runs": shown}


@route("GET", "/repos/{owner}/{repo}/commits/{ref}/statuses")
def _statuses(asked: Question) -> Answer:
    found = [said for said in asked.repository.statuses if said.commit == asked.names["ref"]]
    return 200, [shapes.status(asked.repository, said) for said in reversed(found)]


@route("GET", "/apps/{app_slug}")
def _app(asked: Question) -> Answer:
    slug = asked.names["app_slug"]
    return 200, shapes.app(asked.github.users["acme"], slug, asked.github.apps[slug])


@route("GET", "/orgs/{org}/teams/{team_slug}/members")
def _members(asked: Question) -> Answer:
    members = asked.github.teams[f"{asked.names['org']}/{asked.names['team_slug']}"]
    return 200, [shapes.user(member) for member in members]


@route("POST", "/app/installations/{installation_id}/access_tokens")
def _token(_: Question) -> Answer:
    return 201, {
        "token": TOKEN,
        "expires_at": "2099-01-01T00:00:00Z",
        "permissions": {"contents": "write"},
        "repository_selection": "selected",
    }


_GRAPHQL_FIELDS = {
    "query",
    "Viewer",
    "viewer",
    "Commits",
    "owner",
    "String",
    "name",
    "number",
    "Int",
    "after",
    "repository",
    "databaseId",
    "pullRequest",
    "commits",
    "first",
    "totalCount",
    "pageInfo",
    "hasNextPage",
    "endCursor",
    "nodes",
    "commit",
    "oid",
    "authors",
    "email",
    "user",
    "login",
    "committer",
    "signature",
    "isValid",
    "wasSignedByGitHub",
}


@route("POST", "/graphql")
def _graphql(asked: Question) -> Answer:
    github, body = asked.github, asked.body
    unknown = set(re.findall(r"[A-Za-z_]\w*", body["query"])) - _GRAPHQL_FIELDS
    if unknown:
        return 200, {"errors": [{"message": f"the double does not know {sorted(unknown)}"}]}
    if "viewer" in body["query"]:
        return 200, {"data": {"viewer": {"databaseId": github.me.id, "login": github.me.login}}}
    wanted = body["variables"]
    found = github.repositories.get(f"{wanted['owner']}/{wanted['name']}")
    if found is None or wanted["number"] not in found.pulls:
        return 200, {"data": {"repository": None}, "errors": [{"message": "Could not resolve"}]}
    commits = found.commits(found.pulls[wanted["number"]])
    start = int(wanted["after"] or 0)
    part = commits[start : start + 100]
    listing = {
        "totalCount": len(commits),
        "pageInfo": {"hasNextPage": start + 100 < len(commits), "endCursor": str(start + 100)},
        "nodes": [{"commit": _graphql_commit(github, found, commit)} for commit in part],
    }
    return 200, {"data": {"repository": {"databaseId": found.id, "pullRequest": {"commits": listing}}}}


def _graphql_commit(github: GitHub, found: Repository, commit: str) -> dict[str, Any]:
    author, committer, message = found.git("log", "-1", "--format=%ae%x00%ce%x00%B", commit).split("\0")
    also = re.findall(r"^Co-authored-by: .*<(.+)>$", message, re.MULTILINE | re.IGNORECASE)
    emails = list(dict.fromkeys([author, *also]))
    return {
        "oid": commit,
        "authors": {"totalCount": len(emails), "nodes": [_actor(github, email) for email in emails[:20]]},
        "committer": _actor(github, committer),
        "signature": {"isValid": True, "wasSignedByGitHub": True} if commit in github.signed else None,
    }


def _actor(github: GitHub, email: str) -> dict[str, Any]:
    whose: User | None = github.whose(email)
    # A GraphQL User: bots and apps are none.
    user = None if whose is None or whose.type != "User" else {"databaseId": whose.id, "login": whose.login}
    return {"email": email, "user": user}


# Each registers what it answers.
import_module("tests.forge.pulls")
import_module("tests.forge.issues")
import_module("tests.forge.actions")
import_module("tests.forge.rules")
