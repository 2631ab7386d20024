"""Whom a line of CODEOWNERS names."""

from __future__ import annotations

import re
from typing import Final, Literal

import msgspec

OwnerKind = Literal["user", "team", "email"]

_LOGIN: Final = r"[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}"
"""Letters, digits and single hyphens inside, 39 at most."""
_USER: Final = re.compile(rf"@{_LOGIN}(?:_[A-Za-z0-9]{{3,8}})?")
"""Accounts managed by an enterprise end in an underscore and the enterprise's short code."""
_TEAM: Final = re.compile(rf"@{_LOGIN}/[A-Za-z0-9_](?:[A-Za-z0-9_.-]{{0,98}}[A-Za-z0-9_])?")
_EMAIL: Final = re.compile(r"[A-Za-z0-9.!$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")


class Owner(msgspec.Struct, frozen=True):
    """Name one owner.

    Attributes:
        kind: ``user`` (``@login``), ``team`` (``@organisation/team``) or ``email``.
        name: As written, without the leading ``@``.
    """

    kind: OwnerKind
    name: str

    @property
    def key(self) -> str:
        """What two spellings of the same owner share: GitHub compares names without case."""
        return self.text.casefold()

    @property
    def text(self) -> str:
        """Write it as the file does."""
        return self.name if self.kind == "email" else f"@{self.name}"


def parse_owner(word: str) -> Owner | None:
    """Read one word; None if it names nobody."""
    if _USER.fullmatch(word):
        return Owner("user", word[1:])
    if _TEAM.fullmatch(word):
        return Owner("team", word[1:])
    if _EMAIL.fullmatch(word):
        return Owner("email", word)
    return None
