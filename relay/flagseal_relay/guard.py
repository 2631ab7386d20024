"""Who may ask while no token is needed: programs on this machine, and no web page in disguise.

A page from anywhere may make its own host name point at 127.0.0.1 (DNS rebinding) and then read what listens here as
if it were its own server. The request still says the name the browser knows, in ``Host``: only the names of the
loopback interface are answered. Without CORS headers no page of another origin can read an answer either; one that
announces such an origin is refused, so that it cannot hold event streams open.

A relay that anybody may ask (anonymous.py) has no names of its own to compare with. It answers no page at all: whatever
announces an origin is refused, and a page that points its own name at it announces one with every evaluation.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_LOOPBACK_HOST: Final = re.compile(rb"(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_LOOPBACK_ORIGIN: Final = re.compile(rb"https?://(?:localhost|127\.0\.0\.1|\[::1\])(?::[0-9]{1,5})?", re.IGNORECASE)
_REMEMBERED: Final = 64
_TWO_HOSTS: Final = "The request names two hosts."
"""Two that differ are a way to show one to a proxy and another to us."""


class OpenGuard:
    """Tell programs from web pages, where requests come from other machines."""

    def refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """Say why a request is not answered; None if it is.

        Args:
            headers: As ASGI gives them, names in lower case.
        """
        hosts, origins = _named(headers)
        if len(hosts) > 1:
            return _TWO_HOSTS
        if origins:
            return "The request comes from a web page. This relay answers programs: let the page's own server ask."
        return None


class LoopbackGuard:
    """Tell requests of this machine's own programs from those of web pages."""

    def __init__(self) -> None:
        self._known: set[bytes] = set()

    def refusal(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        """Say why a request is not answered; None if it is.

        Args:
            headers: As ASGI gives them, names in lower case.
        """
        hosts, origins = _named(headers)
        if len(hosts) > 1:
            return _TWO_HOSTS
        if any(_LOOPBACK_ORIGIN.fullmatch(origin) is None for origin in origins):
            return "The request comes from a web page of another origin. This relay answers programs of this machine."
        host = next(iter(hosts), None)
        if host is None:
            return "The request names no host. Send a Host header: localhost, 127.0.0.1 or [::1]."
        if host not in self._known:
            if _LOOPBACK_HOST.fullmatch(host) is None:
                return (
                    "Without tokens only requests to localhost, 127.0.0.1 or [::1] are answered; "
                    "another name in Host is how a web page reaches into this machine."
                )
            if len(self._known) < _REMEMBERED:
                self._known.add(host)
        return None


def _named(headers: Iterable[tuple[bytes, bytes]]) -> tuple[set[bytes], list[bytes]]:
    """Give the hosts and the origins that a request names."""
    hosts: set[bytes] = set()
    origins: list[bytes] = []
    for name, value in headers:
        if name == b"host":
            hosts.add(value)
        elif name == b"origin":
            origins.append(value)
    return hosts, origins
