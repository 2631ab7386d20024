"""Who we are to GitHub: a token, or an App's key, from the environment and from nowhere else.

Neither is ever an argument of a program, a part of a URL or a word of a message.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import github
from github.Consts import DEFAULT_BASE_URL

from flagseal.model.errors import ForgeError
from flagseal_validators.forge.github.asking import Asker, plain_client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

TOKEN: Final = ("FLAGSEAL_GITHUB_TOKEN", "GITHUB_TOKEN")
API: Final = ("FLAGSEAL_GITHUB_API", "GITHUB_API_URL")
APP: Final = "FLAGSEAL_GITHUB_APP_ID"
APP_KEY: Final = "FLAGSEAL_GITHUB_APP_KEY"
INSTALLATION: Final = "FLAGSEAL_GITHUB_APP_INSTALLATION"


@dataclass(frozen=True, slots=True)
class Access:
    """Hold what opens GitHub.

    Attributes:
        api: The API's top.
        auth: A token, or an App's installation; not shown when printed.
    """

    api: str
    auth: github.Auth.Auth = field(repr=False)

    def password(self) -> str:
        """Give the token that git pushes with."""
        return str(self.auth.token)


def access_from(environment: Mapping[str, str]) -> Access:
    """Find a token or an App's key.

    Args:
        environment: Variables: ``FLAGSEAL_GITHUB_TOKEN`` (or ``GITHUB_TOKEN``); or ``FLAGSEAL_GITHUB_APP_ID``,
            ``FLAGSEAL_GITHUB_APP_KEY`` (the file of its private key) and ``FLAGSEAL_GITHUB_APP_INSTALLATION``.

    Raises:
        ForgeError: ``NoToken``, ``BadToken``.
    """
    api = next((environment[name] for name in API if environment.get(name)), DEFAULT_BASE_URL).rstrip("/")
    if not api.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise ForgeError(f"{API[0]}: not an https address.", code="BadApi", remedy="Write https://….")
    if environment.get(APP):
        return Access(api, _installation(environment, api))
    token = next((environment[name] for name in TOKEN if environment.get(name)), "")
    if not token:
        raise ForgeError(
            f"No token for GitHub: {TOKEN[0]} is not set.",
            code="NoToken",
            remedy=f"Set {TOKEN[0]}, or {APP}, {APP_KEY} and {INSTALLATION}. They are read from the environment only.",
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ForgeError(
            f"{TOKEN[0]}: holds no token.", code="BadToken", remedy="Set it to the token and nothing else."
        )
    return Access(api, github.Auth.Token(token))


def open_github(
    access: Access,
    *,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> Asker:
    """Open GitHub.

    Args:
        access: Who we are.
        clock: Gives seconds since the epoch.
        sleep: Waits for seconds.
    """
    return Asker(plain_client(access.auth, access.api), clock=clock, sleep=sleep)


def _installation(environment: Mapping[str, str], api: str) -> github.Auth.AppInstallationAuth:
    app, number, path = (environment.get(name, "") for name in (APP, INSTALLATION, APP_KEY))
    if not app.isdecimal() or not number.isdecimal() or not path:
        raise ForgeError(
            f"{APP} is set, and {INSTALLATION} or {APP_KEY} is not, or is no number.",
            code="NoToken",
            remedy=f"Set {APP} and {INSTALLATION} to numbers, and {APP_KEY} to the file of the App's private key.",
        )
    try:
        key = Path(path).read_text("ascii")
    except (OSError, UnicodeError) as error:
        raise ForgeError(f"{APP_KEY}: {path} cannot be read.", code="NoToken", remedy="Name a PEM file.") from error
    auth = github.Auth.AppAuth(int(app), key)
    return auth.get_installation_auth(int(number), requester=plain_client(auth, api).requester)
