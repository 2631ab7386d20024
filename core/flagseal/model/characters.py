r"""Which characters a document may hold.

Refused: control characters (YAML 1.2.2, section 5.1, and C1 as well), line breaks that only some YAML versions know
(U+0085, U+2028, U+2029), and characters that change how text looks without being seen: bidirectional controls
(CVE-2021-42574), zero-width and tag characters, and the byte order mark. A tab is refused in files, since YAML parsers
disagree on where it may stand; a quoted text can hold one as ``\t``.
"""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Final

_UNSEEN = (
    "\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e007f"
)
_CONTROL = "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"

IN_TEXT: Final = re.compile(f"[{_CONTROL}{_UNSEEN}\t]|\r(?!\n)")
"""What a file must not hold; a carriage return is allowed before a line feed."""

IN_VALUE: Final = re.compile(f"[{_CONTROL}{_UNSEEN}\r]")
"""What a string must not hold, however it was written."""

PLAIN_BYTES: Final = bytes([0x0A, *range(0x20, 0x7F)])
"""ASCII that needs no second look: ``data.translate(None, PLAIN_BYTES)`` is empty for most files."""

_LONGEST_SHOWN: Final = 60


def name_of(character: str) -> str:
    """Name a character for a person: ``U+202E RIGHT-TO-LEFT OVERRIDE``."""
    name = "tab" if character == "\t" else unicodedata.name(character, "control character")
    return f"U+{ord(character):04X} {name}"


def shown(text: str) -> str:
    """Make a text of unknown origin fit for a message: short, on one line, every odd character spelled out."""
    return visible(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…")


def escaped(text: str) -> str:
    r"""Write in a JSON text the characters that :func:`visible` spells out as ``\uXXXX``: it means what it meant.

    Args:
        text: JSON, with or without line breaks between its parts.
    """
    return IN_VALUE.sub(lambda match: json.dumps(match[0])[1:-1], text)


def visible(text: str) -> str:
    """Spell out every character that would break a line or a terminal, or deceive an eye."""
    spelled = IN_VALUE.sub(lambda match: f"\\u{{{ord(match[0]):x}}}", text)
    return spelled.replace("\n", "\\n").replace("\t", "\\t")
