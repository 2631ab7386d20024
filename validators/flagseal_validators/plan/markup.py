r"""Text of unknown origin inside Markdown: it is read as it is written, and does nothing.

What a pull request contains must not decide how its review looks: no heading, link, image, HTML, table cell, mention,
issue reference, emoji or formula may come out of a description or a rule's name. A word that holds nothing but letters,
digits and harmless punctuation stands as it is; every other word goes into a code span, the one place in which
Markdown, and the filters that forges run over its result (mentions, references, commits), change nothing. Control
and bidirectional characters are spelled out. Words of scripts that run from right to left are isolated (UAX #9), so
that they cannot reorder what stands beside them.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from flagseal.model.characters import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST: Final = 400
"""Characters of one text that are shown."""

_INSIDE: Final = r"[\w.,;:'’\"()/%→×·…–—-]*"
_HARMLESS: Final = re.compile(rf"[('\"]*[^\W_]{_INSIDE}|[→×–—·%-]|\d[\d.,:]*")
_HARMFUL: Final = re.compile(
    r"""
    _                               # emphasis
    | ://| ^www\. | \bwww\.         # what turns into a link
    | :[a-z0-9+-]+:                 # an emoji
    | \b[0-9a-fA-F]{7,}\b           # a commit
    | ^gh-\d                        # an issue
    | ^\d+[.)]$                     # a numbered list
    """,
    re.VERBOSE | re.IGNORECASE,
)
_LONE_DASH: Final = re.compile(r"[-–—]+")
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL", "AN"})
_ISOLATE: Final = "\u2068"
_END: Final = "\u2069"


def prose(text: str, *, longest: int = LONGEST) -> str:
    """Write a sentence: harmless words as they are, others as code."""
    words = _ended(visible(text), longest).split(" ")
    parts: list[str] = []
    odd: list[str] = []
    for position, word in enumerate(words):
        if not word:
            continue
        harmless = _HARMLESS.fullmatch(word) and not _HARMFUL.search(word) and not _turned(word)
        if harmless and not (position == 0 and _LONE_DASH.fullmatch(word)):
            parts += _code_of(odd)
            odd = []
            parts.append(word)
        else:
            odd.append(word)
    return " ".join([*parts, *_code_of(odd)])


def code(text: str, *, longest: int = LONGEST) -> str:
    """Write a name as a code span; one space for nothing."""
    shown = _clipped(visible(text), longest)
    # A pipe would end a table's cell even here, and escapes of it are read in two ways.
    shown = shown.replace("|", "\\u{7c}")
    runs = [len(run) for run in re.findall("`+", shown)]
    fence = "`" * next(length for length in range(1, len(runs) + 2) if length not in runs)
    padded = f" {shown} " if not shown or shown.startswith(("`", " ")) or shown.endswith(("`", " ")) else shown
    span = f"{fence}{padded}{fence}"
    return f"{_ISOLATE}{span}{_END}" if _turned(shown) else span


def names(found: Iterable[str], most: int) -> str:
    """List names as code, and count the rest."""
    every = list(found)
    shown = ", ".join(code(name) for name in every[:most])
    return f"{shown} and {len(every) - most:,} more" if len(every) > most else shown


def _code_of(words: list[str]) -> list[str]:
    text = " ".join(words)
    if re.fullmatch("`[^`]+`", text):
        text = text[1:-1]  # somebody wrote it as code already
    return [code(text)] if text else []


def _turned(text: str) -> bool:
    return any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text)


def _clipped(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _ended(text: str, longest: int) -> str:
    """Clip a sentence; where it lists things, behind one of them."""
    whole, listed, _ = _clipped(text, longest).rpartition("; ") if len(text) > longest else ("", "", "")
    return f"{whole}; and more" if listed and len(whole) > longest // 2 else _clipped(text, longest)
