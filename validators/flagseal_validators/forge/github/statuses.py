"""Commit statuses as required checks: what an app said of a commit before there were check runs.

A status names the account that set it, and no app. An app sets it by its bot's account, ``<slug>[bot]``, and GitHub
says which app has that slug. Everybody else's statuses are no app's: whoever may push can set one of any name. They
can do so as the bot of GitHub Actions, too, by a workflow on a branch of theirs: so its statuses are no app's either.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from flagseal_validators.forge.facts import ANYBODYS, CheckRun
from flagseal_validators.forge.github.answers import At
from flagseal_validators.forge.github.asking import missing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from flagseal_validators.forge.github.asking import Asker

_BOT: Final = re.compile(r"([A-Za-z0-9-]{1,100})\[bot\]")
_SAID: Final[dict[str, str | None]] = {"success": "success", "failure": "failure", "error": "error", "pending": None}
_FOUND: Final = 200


def statuses(asker: Asker, name: str, commits: Iterable[str], wanted: Collection[str]) -> Iterator[CheckRun]:
    """Read the statuses of some names on commits; of each name the last one of each account.

    Args:
        asker: Asks.
        name: ``owner/name``.
        commits: Object ids.
        wanted: Names.

    Raises:
        ForgeError: As for facts; who set a status and belongs to no app is no error.
    """
    apps: dict[str, int | None] = {}
    for commit in commits:
        seen: set[tuple[str, str]] = set()
        # GitHub lists the newest first.
        for entry in asker.pages(f"/repos/{name}/commits/{commit}/statuses"):
            body = At(entry, "status")
            context, creator = body.text("context"), body.value("creator")
            account = None if creator is None else At(creator, "creator")
            login = "" if account is None else account.text("login")
            if context not in wanted or (context, login) in seen:
                continue
            seen.add((context, login))
            state = body.text("state")
            if state not in _SAID:
                raise missing(f"status {context} of {commit[:12]}", f"its state {state!r} is not known")
            slug = None
            if account is not None and account.text("type") == "Bot" and account.number("id") != ANYBODYS["github"]:
                slug = _BOT.fullmatch(login)
            if slug is not None and login not in apps:
                apps[login] = _app(asker, slug[1])
            yield CheckRun(
                context, apps[login] if slug is not None else None, commit, _SAID[state], by=login or "nobody"
            )


def _app(asker: Asker, slug: str) -> int | None:
    """Ask which app has a slug; None where GitHub does not say."""
    status, body = asker.look(f"/apps/{quote(slug, safe='')}")
    if status != _FOUND:
        return None
    app = At(body, f"app {slug}")
    return app.number("id") if app.text("slug") == slug else None
