"""Asking GitHub: one question at a time, to the last page, within its limits, or not at all.

How GitHub wants to be asked (docs.github.com, "Best practices for using the REST API" and "Rate limits"): one request
after another; ``retry-after`` where it is given; until ``x-ratelimit-reset`` where nothing remains; at least a minute,
and longer each time, where a secondary limit says neither; what was answered before is asked for with its ETag, and an
answer 304 costs nothing. Writing is asked for once: without an answer nobody knows whether it happened, so whoever
writes looks first. It goes no faster than GitHub's secondary limits for content (80 a minute, 500 an hour), with room
for whoever else writes by the same token.
"""

from __future__ import annotations

import json
import logging
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import github
import requests
from github.Consts import DEFAULT_BASE_URL

from flagseal.model.errors import ForgeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from github.Requester import Requester

    from flagseal.model.canonical import Json

_LOG: Final = logging.getLogger("flagseal.forge")

ATTEMPTS: Final = 6
"""Of one question, the first included."""
MOST_PAGES: Final = 50
PAGE: Final = 100
PATIENCE: Final = 900.0
"""Seconds that one question may wait in all; beyond, somebody should know."""
_SECONDARY_PAUSE: Final = 60.0
PACE: Final = ((1, 1.0), (60, 60.0), (450, 3600.0))
"""So many writes at most in so many seconds."""
_NEXT: Final = re.compile(r'<([^>]+)>;\s*rel="next"')

_GRAPHQL: Final = "/graphql"
_OK: Final = 200
_WRITTEN: Final = (200, 201, 204)
_NOT_MODIFIED: Final = 304
_WITHOUT_BODY: Final = (204, _NOT_MODIFIED)
_REFUSED: Final = (403, 429)
_SERVER_FAILED: Final = 500


@dataclass(frozen=True, slots=True)
class _Kept:
    """An answer that may still be true."""

    etag: str
    headers: Mapping[str, str]
    body: Json


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: Json


class Asker:
    """Ask GitHub's API, politely and stubbornly.

    Answers are kept, with their ETags, as long as the object lives. Use from one thread at a time.

    Args:
        client: PyGithub's, without retries of its own.
        clock: Gives seconds since the epoch.
        sleep: Waits for seconds.
    """

    def __init__(self, client: github.Github, *, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._requester: Requester = client.requester
        self._clock = clock
        self._sleep = sleep
        self._kept: dict[str, _Kept] = {}
        self._writes: deque[float] = deque(maxlen=max(most for most, _ in PACE))
        self.requests = 0

    def get(self, path: str, parameters: Mapping[str, str | int] | None = None) -> Json:
        """Ask for one thing.

        Args:
            path: From the API's top (``/repos/…``).
            parameters: Of the query.

        Raises:
            ForgeError: ``FactMissing`` where GitHub says there is none, or none for this token; ``RateLimited``;
                ``ForgeDown``.
        """
        return self._get(_with(path, parameters)).body

    def look(self, path: str) -> tuple[int, Json]:
        """Ask for what may not be there, or not for this token: whoever asks judges by the status.

        Args:
            path: As for :meth:`get`.

        Raises:
            ForgeError: ``RateLimited``; ``ForgeDown``.

        Returns:
            The status, and what GitHub answers.
        """
        answer = self._ask("GET", path, None, writing=True)
        return answer.status, answer.body

    def pages(
        self, path: str, parameters: Mapping[str, str | int] | None = None, *, within: str = ""
    ) -> Iterator[Json]:
        """Ask for a list, page after page, to the end.

        Args:
            path: As for :meth:`get`.
            parameters: As for :meth:`get`; how much a page holds is added.
            within: The field that holds the list, where an answer is an object.

        Raises:
            ForgeError: ``PageLimit`` where the list has no end in sight; as :meth:`get`.

        Yields:
            The entries.
        """
        url: str | None = _with(path, {**(parameters or {}), "per_page": PAGE})
        for _ in range(MOST_PAGES):
            if url is None:
                return
            answer = self._get(url)
            found = answer.body.get(within) if within and isinstance(answer.body, dict) else answer.body
            if not isinstance(found, list):
                raise missing(path, "the answer is no list")
            yield from found
            following = _NEXT.search(answer.headers.get("link", ""))
            url = following[1] if following else None
        if url is not None:
            raise ForgeError(
                f"{path}: more than {MOST_PAGES} pages of {PAGE}.",
                code="PageLimit",
                remedy="What is not read whole is not decided on. Make the change again, in a smaller request.",
            )

    def graphql(self, query: str, variables: Mapping[str, Json]) -> Json:
        """Ask by GraphQL; an answer with any error in it is none.

        Raises:
            ForgeError: As :meth:`get`.
        """
        body = self._ask("POST", _GRAPHQL, {"query": query, "variables": dict(variables)}).body
        if not isinstance(body, dict) or body.get("errors") or not isinstance(body.get("data"), dict):
            errors = body.get("errors") if isinstance(body, dict) else None
            said = (
                errors[0].get("message") if isinstance(errors, list) and errors and isinstance(errors[0], dict) else ""
            )
            raise missing("GraphQL", f"{said or 'the answer holds no data'}")
        return body["data"]

    def send(self, verb: str, path: str, body: Json, *, repeatable: bool = False) -> Json:
        """Write something, at a pace that GitHub bears.

        Args:
            verb: ``POST``, ``PATCH``, ``PUT`` or ``DELETE``.
            path: As for :meth:`get`.
            body: What to write.
            repeatable: Whether writing it twice is the same as once; only then it is asked for again without an answer.

        Raises:
            ForgeError: ``NotWritten``, with GitHub's own words; ``Unanswered`` where it may have happened or not;
                ``RateLimited``; ``ForgeDown``.

        Returns:
            What GitHub answers.
        """
        self.wait(self._until_next_write())
        answer = self._ask(verb, path, body, writing=True, once=not repeatable)
        if answer.status in _WRITTEN:
            return answer.body
        told = answer.body if isinstance(answer.body, dict) else {}
        why = _NOT_WRITTEN.get(answer.status) or _words(told) or f"GitHub answers {answer.status}"
        raise ForgeError(
            f"{verb} {path}: {why}.",
            code="NotWritten",
            remedy="See docs/github.md for what the token must be able to write.",
        )

    def wait(self, seconds: float) -> None:
        """Let seconds pass."""
        if seconds > 0:
            self._sleep(seconds)

    def _until_next_write(self) -> float:
        """Find out how many seconds the next write must wait, and count it."""
        now = self._clock()
        at = now
        for most, seconds in PACE:
            if len(self._writes) >= most:
                at = max(at, self._writes[-most] + seconds)
        self._writes.append(at)
        return at - now

    def _get(self, url: str) -> _Answer:
        kept = self._kept.get(url)
        answer = self._ask("GET", url, None, {"If-None-Match": kept.etag} if kept else {})
        if answer.status == _NOT_MODIFIED and kept is not None:
            return _Answer(_OK, kept.headers, kept.body)
        if etag := answer.headers.get("etag"):
            self._kept[url] = _Kept(etag, answer.headers, answer.body)
        return answer

    def _ask(
        self,
        verb: str,
        url: str,
        body: Json,
        headers: Mapping[str, str] | None = None,
        *,
        writing: bool = False,
        once: bool = False,
    ) -> _Answer:
        """Ask until there is an answer that would be the same the next time."""
        waited = 0.0
        for attempt in range(ATTEMPTS):
            answer, pause, told = self._try(verb, url, body, headers or {}, attempt)
            if answer is not None:
                if writing or answer.status in {_OK, _NOT_MODIFIED}:
                    return answer
                raise missing(_place(url), _SAID.get(answer.status, f"GitHub answers {answer.status}"))
            if once and not told:
                raise ForgeError(
                    f"{verb} {_place(url)}: no answer; it may have happened or not.",
                    code="Unanswered",
                    remedy="Run it again: it looks at what is there first.",
                )
            if attempt + 1 == ATTEMPTS or waited + pause > PATIENCE:
                break
            _LOG.info("%s: asking again in %.0f s", url, pause)
            self._sleep(pause)
            waited += pause
        code = "RateLimited" if pause >= _SECONDARY_PAUSE else "ForgeDown"
        raise ForgeError(
            f"{_place(url)}: GitHub gave no answer after {attempt + 1} attempts; it asks to wait {pause:.0f} s.",
            code=code,
            remedy="Run it again later; nothing was decided.",
        )

    def _try(
        self, verb: str, url: str, body: Json, headers: Mapping[str, str], attempt: int
    ) -> tuple[_Answer | None, float, bool]:
        """Ask once; without an answer, say for how long to wait, and whether GitHub told so and did nothing."""
        backoff = float(2**attempt)
        self.requests += 1
        try:
            status, raw, text = self._requester.requestJson(verb, url, headers=dict(headers), input=body)
        except (requests.exceptions.RequestException, github.GithubException, RuntimeError) as error:
            _LOG.info("%s: %s", _place(url), type(error).__name__)
            return None, backoff, False
        found = {name.lower(): str(value) for name, value in raw.items()}
        # GraphQL tells of its limit in an answer that is none otherwise.
        limited = status in _REFUSED or (status == _OK and url == _GRAPHQL and _limited(text))
        if limited and (pause := self._told_to_wait(found, text, attempt)) is not None:
            return None, pause, True
        if status >= _SERVER_FAILED:
            return None, backoff, False
        if status in _WITHOUT_BODY:
            return _Answer(status, found, None), 0.0, True
        try:
            return _Answer(status, found, json.loads(text)), 0.0, True
        except ValueError:
            return (None, backoff, False) if status in _WRITTEN else (_Answer(status, found, None), 0.0, True)

    def _told_to_wait(self, headers: Mapping[str, str], text: str, attempt: int) -> float | None:
        """Find out whether a refusal is about how often we ask, and for how long to wait; None if it is not."""
        if (after := headers.get("retry-after", "")).isdecimal():
            return max(float(after), 1.0)
        if headers.get("x-ratelimit-remaining") == "0" and headers.get("x-ratelimit-reset", "").isdecimal():
            return max(float(headers["x-ratelimit-reset"]) - self._clock() + 1.0, 1.0)
        if "rate limit" in text.lower() or "abuse detection" in text.lower():
            return _SECONDARY_PAUSE * float(2**attempt)
        return None


_SAID: Final = {
    401: "GitHub does not know the token",
    403: "the token may not read it",
    404: "there is none, or the token may not read it",
    410: "it is gone",
}

_NOT_WRITTEN: Final = {
    401: "GitHub does not know the token",
    403: "the token may not write it",
    404: "it is not there, or the token may not write it",
    410: "it is gone, or switched off in this repository",
}


def _limited(text: str) -> bool:
    """Tell whether GraphQL gives no answer because we ask too often."""
    try:
        body = json.loads(text)
    except ValueError:
        return False
    errors = body.get("errors") if isinstance(body, dict) else None
    return isinstance(errors, list) and any(
        isinstance(error, dict) and error.get("type") == "RATE_LIMITED" for error in errors
    )


def _words(told: Mapping[str, Json]) -> str:
    """Give what GitHub says of a request that it does not process."""
    errors = told.get("errors")
    more = [entry.get("message") for entry in errors if isinstance(entry, dict)] if isinstance(errors, list) else []
    return "; ".join(word for word in (told.get("message"), *more) if isinstance(word, str))[:500].rstrip(".")


def missing(place: str, why: str) -> ForgeError:
    """Refuse for want of a fact."""
    return ForgeError(
        f"{place}: {why}.",
        code="FactMissing",
        remedy="Without it nothing is attested. See docs/github.md for what the attestor's token must be able to read.",
    )


def plain_client(auth: github.Auth.Auth, api: str = DEFAULT_BASE_URL) -> github.Github:
    """Open PyGithub without what the asker does itself: retries, pauses, pages."""
    return github.Github(
        auth=auth,
        base_url=api,
        retry=0,
        seconds_between_requests=None,
        seconds_between_writes=None,
        per_page=PAGE,
        timeout=30,
        user_agent="flagseal",
        lazy=True,
    )


def _with(path: str, parameters: Mapping[str, Any] | None) -> str:
    query = urlencode(sorted((parameters or {}).items()))
    return f"{path}?{query}" if query else path


def _place(url: str) -> str:
    return url.partition("?")[0]
