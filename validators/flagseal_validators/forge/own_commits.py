"""Telling a commit that Flagseal made at a git host from one that somebody else had in hand since.

A commit of ours says in a trailer which account wrote it, and author and committer are that account at one moment.
Whoever amends, rebases, signs or re-authors it changes one of them, whatever they leave as it was. Nothing rests on
this but politeness: whoever may push a branch can forge all of it, and then has their own commit written over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from flagseal.repository.commit import parse_commit

if TYPE_CHECKING:
    from flagseal_validators.forge.desk import Hand

_WRITER: Final = "Written-By"
# No header besides, so no signature; `encoding` is git's own, where a clone is configured so.
_HEAD: Final = re.compile(
    rb"tree [0-9a-f]+(?:\nparent [0-9a-f]+)+\nauthor (?P<who>[^\n]*<(?P<address>[^<>\n]*)> \d+ [+-]\d{4})"
    rb"\ncommitter (?P=who)(?:\nencoding [^\n]*)?"
)


def written_by(hand: Hand) -> str:
    """Give the trailer that a commit of ours ends with, without a line end."""
    return f"{_WRITER}: {hand.email}"


def is_untouched(raw: bytes | None) -> bool:
    """Tell whether a commit is as one of ours was made; by which account does not matter.

    Args:
        raw: The commit's object; None, for one that is too large to be read, is nobody's we know.
    """
    if raw is None:
        return False
    head = _HEAD.fullmatch(raw.partition(b"\n\n")[0])
    writer = parse_commit("", raw).trailer(_WRITER)
    return head is not None and writer is not None and head["address"] == writer.encode()
