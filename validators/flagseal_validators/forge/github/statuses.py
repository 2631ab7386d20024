"""Commit statuses as required checks: what an app said of a commit before there were check runs.

A status names the account that set it, and no app. An app sets it by its bot's account, ``<slug>[bot]``, and GitHub
says which app has that slug. Everybody else's statuses are no app's: whoever may push can set one of any name. They
can do so as the bot of GitHub Actions, too, by a workflow on a branch of theirs: so its statuses are no app's either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from flagseal.model.errors import ForgeError
from flagseal_validators.forge.facts import ANYBODYS, CheckRun
from flagseal_validators.forge.github.answers import At
from flagseal_validators.forge.github.asking import missing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from flagseal_validators.forge.github.asking import Asker

_BOT: Final = re.compile(r"([A-Za-z0-9-]{1,100})\[bot\]")
_SAID: Final[dict[str, str | None]] = {"success": "success", "failure": "failure", "error": "error", "pending": None}
_FOUND: Final = 200
_REFUSED: Final = 403


def statuses(
    asker: Asker, name: str, commits: Iterable[str], wanted: Collection[tuple[str, int]]
) -> Iterator[CheckRun]:
    """Read the statuses of some names on commits; of each name the last one of each account.

    Anybody who may push can set as many as they like: a commit's are read until all that is wanted was found, and where
    the list does not end before, the rest is unread. So it is where the token may read none.

    Args:
        asker: Asks.
        name: ``owner/name``.
        commits: Object ids.
        wanted: Names, each with the number of the app that is to have set it.

    Raises:
        ForgeError: As for facts; who set a status and belongs to no app is no error, nor is a list without an end.
    """
    apps: dict[str, int | None] = {}
    refused = False
    for number, commit in enumerate(commits):
        path = f"/repos/{name}/commits/{commit}/statuses"
        refused = asker.look(f"{path}?per_page=1")[0] == _REFUSED if number == 0 else refused
        left = {(context.casefold(), app) for context, app in wanted}
        why = "the token may not read them" if refused else ""
        try:
            for run in () if refused else _of_commit(asker, path, commit, frozenset(it for it, _ in left), apps):
                yield run
                left = {pair for pair in left if pair != (run.name.casefold(), run.app)}
                if not left:
                    break
        except ForgeError as error:
            if error.code != "PageLimit":
                raise
            why = "there are too many"
        if why:
            for context in sorted({context for context, app in wanted if (context.casefold(), app) in left}):
                yield CheckRun(context, None, commit, None, unread=why)


def _of_commit(
    asker: Asker, path: str, commit: str, names: Collection[str], apps: dict[str, int | None]
) -> Iterator[CheckRun]:
    seen: set[tuple[str, str]] = set()
    # GitHub lists the newest first.
    for entry in asker.pages(path):
        body = At(entry, "status")
        context, creator = body.text("context"), body.value("creator")
        account = None if creator is None else At(creator, "creator")
        login = "" if account is None else account.text("login")
        if context.casefold() not in names or (context.casefold(), login) in seen:
            continue
        seen.add((context.casefold(), login))
        state = body.text("state")
        if state not in _SAID:
            raise missing(f"status {context} of {commit[:12]}", f"its state {state!r} is not known")
        slug = None
        if account is not None and account.text("type") == "Bot" and account.number("id") != ANYBODYS["github"]:
            slug = _BOT.fullmatch(login)
        if slug is not None and login not in apps:
            apps[login] = _app(asker, slug[1])
        yield CheckRun(context, apps[login] if slug is not None else None, commit, _SAID[state], by=login or "nobody")


def _app(asker: Asker, slug: str) -> int | None:
    """Ask which app has a slug; None where GitHub does not say."""
    status, body = asker.look(f"/apps/{quote(slug, safe='')}")
    if status != _FOUND:
        return None
    app = At(body, f"app {slug}")
    return app.number("id") if app.text("slug") == slug else None
