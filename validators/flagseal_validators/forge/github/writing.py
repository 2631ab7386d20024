"""Pull requests, issues and comments on GitHub: looked for first, then written once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

from flagseal.model.errors import ForgeError
from flagseal_validators.forge.desk import Hand, Mark, Put, Thread
from flagseal_validators.forge.github.asking import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from flagseal.model.canonical import Json
    from flagseal_validators.forge.desk import ThreadState, Writing
    from flagseal_validators.forge.github.asking import Asker

    T = TypeVar("T")

_ATTEMPTS: Final = 3
_PAUSE: Final = 5.0
"""Seconds before looking whether an unanswered write happened; GitHub's lists lag a little."""

_LOGIN: Final = re.compile(r"[A-Za-z0-9_-]{1,100}(?:\[bot\])?")

VIEWER: Final = "query Viewer { viewer { databaseId login } }"


class GitHubDesk:
    """Write at one repository (see :class:`flagseal_validators.forge.desk.Desk`).

    Args:
        asker: Asks and writes.
        name: ``owner/name``.
    """

    def __init__(self, asker: Asker, name: str) -> None:
        self._asker = asker
        self._name = name
        self._top = f"/repos/{name}"
        self._labels: set[str] = set()
        self._me: Hand | None = None

    def hand(self) -> Hand:
        """Say as whom we write (see the interface); a token of Actions may ask it by GraphQL only."""
        if self._me is None:
            viewer = _object(_object(self._asker.graphql(VIEWER, {})).get("viewer"))
            login = _text(viewer, "login")
            if _LOGIN.fullmatch(login) is None:
                raise missing("who the token belongs to", "the login is none")
            self._me = Hand(login, f"{_number(viewer, 'databaseId')}+{login}@users.noreply.github.com")
        return self._me

    def pull(self, branch: str) -> Thread | None:
        """Find a branch's pull request (see the interface)."""
        owner = self._name.partition("/")[0]
        query: dict[str, str | int] = {"head": f"{owner}:{branch}", "state": "all"}
        found = [self._ours(entry) for entry in self._asker.pages(f"{self._top}/pulls", query)]
        return _standing([thread for thread in found if thread is not None and thread.branch == branch])

    def pulls(self, kind: str) -> tuple[Thread, ...]:
        """List the open pull requests of a kind (see the interface)."""
        found = [self._ours(entry) for entry in self._asker.pages(f"{self._top}/pulls", {"state": "open"})]
        ours = [thread for thread in found if thread is not None and thread.mark and thread.mark.kind == kind]
        return tuple(sorted(ours, key=lambda thread: thread.number))

    def closed_pulls(self, kind: str, label: str) -> dict[str, Thread]:
        """List the last closed pull requests of a kind (see the interface)."""
        found: dict[str, Thread] = {}
        for entry in self._labelled_with(label):
            request = entry.get("pull_request")
            if not isinstance(request, dict) or entry.get("state") == "open":
                continue
            thread = _thread(entry, "merged" if request.get("merged_at") else "closed")
            mark = thread.mark
            if mark is not None and mark.kind == kind and thread.number >= found.get(mark.key, thread).number:
                found[mark.key] = thread
        return found

    def put_pull(
        self, branch: str, base: str, writing: Writing, known: Thread | None = None, *, looked: bool = False
    ) -> Put:
        """Open or update a branch's pull request (see the interface)."""
        self._check(branch, base)
        found = known if looked or (known is not None and known.branch == branch) else self.pull(branch)
        if found is not None and found.state == "open":
            done = self._rewritten(found, writing, "pulls")
            if writing.labels and not done.thread.labels:
                self._asked(done.thread, writing)  # Opening it was not finished.
            return Put(done.thread, "updated") if self._labelled(done.thread, writing) else done
        given: dict[str, Json] = {"title": writing.headline, "head": branch, "base": base, "body": writing.text}

        def opened() -> Thread | None:
            thread = self.pull(branch)
            return thread if thread is not None and thread.state == "open" else None

        made = self._create(f"{self._top}/pulls", given, opened, lambda body: self._ours(body))  # noqa: PLW0108
        self._asked(made, writing)
        self._labelled(made, writing)
        return Put(made, "opened")

    def issue(self, mark: Mark, label: str) -> Thread | None:
        """Find an issue (see the interface)."""
        return self.issues(mark.kind, label).get(mark.key)

    def issues(self, kind: str, label: str) -> dict[str, Thread]:
        """List the issues of a kind (see the interface)."""
        found: dict[str, list[Thread]] = {}
        for entry in self._labelled_with(label):
            thread = _issue(entry)
            if "pull_request" not in entry and thread.mark is not None and thread.mark.kind == kind:
                found.setdefault(thread.mark.key, []).append(thread)
        return {key: standing for key, threads in found.items() if (standing := _standing(threads)) is not None}

    def put_issue(self, writing: Writing, *, reopen: bool = False, known: Thread | None = None) -> Put:
        """Open or update an issue (see the interface)."""
        label = writing.labels[0]
        self._have(*writing.labels)
        found = known or self.issue(writing.mark, label)
        if found is not None:
            if found.state != "open" and not reopen:
                return Put(found, "unchanged")
            done = self._rewritten(found, writing, "issues", reopen=found.state != "open")
            return Put(done.thread, "updated") if self._labelled(done.thread, writing) else done
        given: dict[str, Json] = {"title": writing.headline, "body": writing.text, "labels": [*writing.labels]}
        made = self._create(f"{self._top}/issues", given, lambda: self.issue(writing.mark, label), _issue)
        if label not in made.labels:
            self.close(made)
            raise ForgeError(
                f"Issue {made.number}: GitHub dropped its label {label!r}; without it the issue is not found again.",
                code="NotWritten",
                remedy="Give the token the right to label issues (Issues: write, by an account that may push).",
            )
        return Put(made, "opened")

    def close_duplicates(self, kind: str, label: str) -> None:
        """Leave one open issue a key (see the interface)."""
        first: dict[str, int] = {}
        entries = [entry for entry in self._labelled_with(label, "open") if "pull_request" not in entry]
        for thread in sorted(map(_issue, entries), key=lambda it: it.number):
            mark = thread.mark
            # Whoever copied a mark into an issue of their own keeps it as it is.
            if mark is None or mark.kind != kind or thread.author != self.hand().name:
                continue
            if first.setdefault(mark.key, thread.number) == thread.number:
                continue
            # Without the mark it is nobody's any more: otherwise it would be opened again once the first is closed.
            given: dict[str, Json] = {"state": "closed", "body": f"Duplicate of #{first[mark.key]}."}
            self._asker.send("PATCH", f"{self._top}/issues/{thread.number}", given, repeatable=True)

    def close(self, thread: Thread, writing: Writing | None = None) -> None:
        """Close a pull request or an issue (see the interface)."""
        if thread.state == "open":
            kind = "pulls" if thread.branch else "issues"
            given: dict[str, Json] = {"state": "closed"}
            if writing is not None:
                given |= {"title": writing.headline, "body": writing.text}
            self._asker.send("PATCH", f"{self._top}/{kind}/{thread.number}", given, repeatable=True)

    def put_comment(self, number: int, writing: Writing) -> Literal["opened", "updated", "unchanged"]:
        """Write one comment, or write it anew (see the interface)."""
        path = f"{self._top}/issues/{number}/comments"

        def found() -> tuple[int, str] | None:
            for entry in self._asker.pages(path):
                body = entry if isinstance(entry, dict) else {}
                mark = Mark.find(_text(body, "body", ""))
                if mark is not None and mark.name == writing.mark.name and _login(body) == self.hand().name:
                    return _number(body, "id"), _text(body, "body", "")
            return None

        comment = found()
        if comment is None:
            self._create(path, {"body": writing.text}, found, lambda body: (_number(_object(body), "id"), ""))
            return "opened"
        if "\n".join(comment[1].splitlines()).strip() == writing.text.strip():
            return "unchanged"
        self._asker.send("PATCH", f"{self._top}/issues/comments/{comment[0]}", {"body": writing.text}, repeatable=True)
        return "updated"

    # how each of it is done

    def _labelled_with(self, label: str, state: str = "all") -> Iterator[dict[str, Json]]:
        """List issues, and pull requests, which are issues too."""
        yield from map(_object, self._asker.pages(f"{self._top}/issues", {"labels": label, "state": state}))

    def _ours(self, entry: Json) -> Thread | None:
        """Read a pull request, if its branch is in the same repository."""
        body = _object(entry)
        head = _object(body.get("head"))
        repository = head.get("repo")
        if not isinstance(repository, dict) or _text(repository, "full_name").lower() != self._name.lower():
            return None
        state: ThreadState = "open" if body.get("state") == "open" else "merged" if body.get("merged_at") else "closed"
        return _thread(body, state, branch=_text(head, "ref"), head=_text(head, "sha"))

    def _create(
        self, path: str, given: dict[str, Json], found: Callable[[], T | None], read: Callable[[Json], T | None]
    ) -> T:
        """Write something new; where nobody answers, look whether it is there before writing it again."""
        for attempt in range(_ATTEMPTS):
            try:
                made = read(self._asker.send("POST", path, given))
            except ForgeError as error:
                if error.code == "Unanswered":
                    self._asker.wait(_PAUSE * (attempt + 1))
                elif error.code != "NotWritten":
                    raise
                # Refused: perhaps because it has just been written by somebody else.
                there = found()
                if there is not None:
                    return there
                if error.code == "NotWritten" or attempt + 1 == _ATTEMPTS:
                    raise
                continue
            if made is None:
                raise missing(path, "the answer is not what was written")
            return made
        raise AssertionError  # The last attempt returns or raises.

    def _rewritten(self, found: Thread, writing: Writing, kind: str, *, reopen: bool = False) -> Put:
        if found.says(writing) and not reopen:
            return Put(found, "unchanged")
        given: dict[str, Json] = {"title": writing.headline, "body": writing.text}
        if reopen:
            given["state"] = "open"
        body = self._asker.send("PATCH", f"{self._top}/{kind}/{found.number}", given, repeatable=True)
        thread = self._ours(body) if kind == "pulls" else _issue(body)
        return Put(thread or found, "updated")

    def _labelled(self, found: Thread, writing: Writing) -> bool:
        """Add the labels that are missing; say whether there were any."""
        wanted = [label for label in writing.labels if label not in found.labels]
        if wanted:
            self._have(*wanted)
            path = f"{self._top}/issues/{found.number}/labels"
            self._asker.send("POST", path, {"labels": [*wanted]}, repeatable=True)
        return bool(wanted)

    def _have(self, *labels: str) -> None:
        """Make the labels that the repository does not have yet: a label that is not there may be dropped silently."""
        for label in labels:
            if label in self._labels:
                continue
            try:
                self._asker.get(f"{self._top}/labels/{quote(label, safe='')}")
            except ForgeError as error:
                if error.code != "FactMissing":
                    raise
                given: dict[str, Json] = {"name": label, "color": "5319e7", "description": "Written by Flagseal"}
                self._asker.send("POST", f"{self._top}/labels", given, repeatable=True)
            self._labels.add(label)

    def _asked(self, made: Thread, writing: Writing) -> None:
        """Ask for reviews; whoever cannot be asked (the author, no collaborator) is left out."""
        asked = {login.lower() for login in (made.author, *made.reviewers)}
        logins = [login for login in writing.reviewers if login.lower() not in asked]
        if not logins:
            return
        path = f"{self._top}/pulls/{made.number}/requested_reviewers"
        try:
            self._asker.send("POST", path, {"reviewers": [*logins]}, repeatable=True)
        except ForgeError as error:
            if error.code != "NotWritten":
                raise

    @staticmethod
    def _check(*branches: str) -> None:
        if not all(branch and not branch.startswith("-") and branch.isprintable() for branch in branches):
            raise ValueError(f"not a branch: {branches!r}")


def _standing(threads: list[Thread]) -> Thread | None:
    """Give the open one, else the last one; of several open ones, the first."""
    still = sorted((thread for thread in threads if thread.state == "open"), key=lambda thread: thread.number)
    return still[0] if still else max(threads, key=lambda thread: thread.number, default=None)


def _issue(entry: Json) -> Thread:
    body = _object(entry)
    return _thread(body, "open" if body.get("state") == "open" else "closed")


def _thread(body: dict[str, Json], state: ThreadState, *, branch: str = "", head: str = "") -> Thread:
    labels = body.get("labels")
    reviewers = body.get("requested_reviewers")
    return Thread(
        number=_number(body, "number"),
        state=state,
        title=_text(body, "title"),
        body=_text(body, "body", ""),
        labels=frozenset(_label(entry) for entry in labels) if isinstance(labels, list) else frozenset(),
        url=_text(body, "html_url"),
        author=_login(body),
        branch=branch,
        head=head,
        reviewers=frozenset(
            _text(entry, "login")
            for entry in (reviewers if isinstance(reviewers, list) else ())
            if isinstance(entry, dict)
        ),
    )


def _label(entry: Json) -> str:
    return entry if isinstance(entry, str) else _text(_object(entry), "name")


def _login(body: dict[str, Json]) -> str:
    user = body.get("user")
    return _text(user, "login") if isinstance(user, dict) else ""


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise missing("GitHub's answer", "an object is missing in it")
    return value


def _text(body: dict[str, Json], name: str, default: str | None = None) -> str:
    value = body.get(name)
    if isinstance(value, str):
        return value
    if default is not None and value is None:
        return default
    raise missing("GitHub's answer", f"{name} is no text")


def _number(body: dict[str, Json], name: str) -> int:
    value = body.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise missing("GitHub's answer", f"{name} is no number")
    return value
