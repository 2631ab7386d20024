"""A commit as it was signed: the raw object taken apart, nothing interpreted."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_COMMITTER_TIME = re.compile(rb"> (\d{1,12}) [+-]\d{4}$")
_TRAILER_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_SIGNATURE_HEADERS = (b"gpgsig", b"gpgsig-sha256")


@dataclass(frozen=True, slots=True)
class Commit:
    """Hold one commit.

    Author and committer names are left out on purpose: anybody can write them, so nothing may rest on them.

    Attributes:
        id: Object id.
        tree: Object id of its whole tree.
        parents: Object ids; the first is the line it continues.
        committed_at: What the committer's clock said, by their own word.
        signature: The armoured signature of its header; None for an unsigned commit, and for one that
            carries several, since git and we could then disagree about which counts.
        signed_payload: The bytes the signature is about.
    """

    id: str
    tree: str
    parents: tuple[str, ...]
    committed_at: datetime
    signature: bytes | None
    signed_payload: bytes

    @property
    def message(self) -> str:
        """Subject, body and trailers; read from the payload anew, so that a long one is held once."""
        return self.signed_payload.partition(b"\n\n")[2].decode("utf-8", "replace")

    def trailer(self, key: str) -> str | None:
        """Find a trailer (``Ticket: PAY-1``) in the last paragraph; the last one counts, case of the key does not.

        Git's own ``interpret-trailers`` may run commands that the repository's configuration names.
        """
        paragraphs = [part for part in re.split(r"\n[ \t]*\n", self.message.replace("\r\n", "\n").strip()) if part]
        if len(paragraphs) < 2:  # noqa: PLR2004 (the first paragraph is the subject, never trailers)
            return None
        found = None
        for line in paragraphs[-1].splitlines():
            # Cut, and not matched: whoever commits chooses how long a line is, and of which blanks.
            name, colon, rest = line.partition(":")
            name, value = name.rstrip(" \t"), rest.strip(" \t")
            if not colon or name.lower() != key.lower() or _TRAILER_KEY.fullmatch(name) is None:
                continue
            if value and not value[-1].isspace():
                found = value
        return found


def unread_commit(name: str) -> Commit:
    """Stand for a commit that is too large to be read: nobody signed it, and it says nothing.

    Args:
        name: Its object id.
    """
    return Commit(name, "", (), datetime.fromtimestamp(0, UTC), None, b"")


def parse_commit(name: str, raw: bytes) -> Commit:
    """Take a raw commit object apart.

    Args:
        name: Its object id.
        raw: The object's content.

    Returns:
        The commit. Headers that are not understood stay in the signed payload and mean nothing.
    """
    head, _, message = raw.partition(b"\n\n")
    headers = _headers(head)
    signatures = [value for key, value in headers if key in _SIGNATURE_HEADERS]
    kept = b"".join(_unfold(key, value) for key, value in headers if key not in _SIGNATURE_HEADERS)
    first = dict(reversed(headers))
    time = _COMMITTER_TIME.search(first.get(b"committer", b""))
    return Commit(
        id=name,
        tree=first.get(b"tree", b"").decode("ascii", "replace"),
        parents=tuple(value.decode("ascii", "replace") for key, value in headers if key == b"parent"),
        committed_at=datetime.fromtimestamp(min(int(time[1]), 32503680000) if time else 0, UTC),
        signature=signatures[0] + b"\n" if len(signatures) == 1 else None,
        signed_payload=kept + b"\n" + message,
    )


def _headers(head: bytes) -> list[tuple[bytes, bytes]]:
    """Split headers; a line that starts with a space continues the one before."""
    headers: list[tuple[bytes, bytes]] = []
    for line in head.split(b"\n"):
        if line.startswith(b" ") and headers:
            key, value = headers[-1]
            headers[-1] = (key, value + b"\n" + line[1:])
        else:
            key, _, value = line.partition(b" ")
            headers.append((key, value))
    return headers


def _unfold(key: bytes, value: bytes) -> bytes:
    return key + b" " + value.replace(b"\n", b"\n ") + b"\n"
