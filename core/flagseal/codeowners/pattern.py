r"""Patterns of CODEOWNERS: those of gitignore, without what GitHub leaves out.

From gitignore's documentation: a slash at the beginning or in the middle ties a pattern to the top; without one it
matches at any depth. ``*`` and ``?`` stop at a slash. ``**`` as a whole segment crosses folders. A trailing slash
wants a folder. What matches a folder matches everything in it; the one exception is GitHub's own: a last segment that
is nothing but ``*`` names the files of its folder and not what lies deeper. A backslash takes the next character as
it is.

What GitHub documents as not working (``!``, ``[ ]``, ``\#``), and what neither documentation gives a meaning, is no
pattern: two readers could take it for different things.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Final

import msgspec

_CROSSING: Final = "**"
"""As a token: any number of folders, none included."""
_NAME: Final = re.compile("[^/]+", re.DOTALL)

Token = re.Pattern[str] | None
"""What one segment must be; None for any number of them."""


class Pattern(msgspec.Struct, frozen=True, dict=True):
    """Hold one pattern, as written.

    Attributes:
        text: As written, escapes included.
    """

    text: str

    def matches(self, path: str) -> bool:
        """Tell whether a file's path (from the top, without a leading slash) is matched; case counts."""
        segments = path.split("/")
        return any(_matches(tokens, segments) for tokens in self._forms)

    @cached_property
    def _forms(self) -> tuple[tuple[Token, ...], ...]:
        folder = self.text.endswith("/")
        written = self.text.strip("/").split("/")
        anchored = self.text.startswith("/") or len(written) > 1
        tokens: list[Token] = [] if anchored else [None]
        tokens += [None if segment == _CROSSING else _segment(segment) for segment in written]
        inside = (*tokens, None, _NAME)
        if written[-1] == _CROSSING:
            # Everything below; at the top that is every file. With a slash after it, everything below a folder.
            return ((*tokens, _NAME, *inside[-2:]) if folder else (*tokens, _NAME),)
        if folder:
            return (inside,)
        # A folder matches by what is in it. A lone `*` is for the files of its own folder (GitHub's exception).
        return (tuple(tokens),) if written[-1] == "*" else (tuple(tokens), inside)


class Refused(msgspec.Struct, frozen=True):
    """Say at which character (from 0) a pattern is none, why, and what to write."""

    at: int
    message: str
    remedy: str


def refusal(text: str) -> Refused | None:
    """Tell what is wrong with a pattern, or None."""
    if text.startswith("!"):
        return Refused(0, "`!` does not negate in CODEOWNERS", "Give the path a line of its own, further down.")
    return _wrong_character(text) or _matches_nothing(text)


def _wrong_character(text: str) -> Refused | None:
    for match in re.finditer(r"\\(?P<escaped>.?)|(?P<plain>[\[\]#])", text, re.DOTALL):
        character = match["plain"] or match["escaped"]
        if not character:
            return Refused(match.start(), "a backslash ends the pattern and escapes nothing", "Remove it.")
        if character == "#":
            return Refused(match.start(), "`#` cannot be part of a pattern, escaped or not", "Write `?` for it.")
        if character in "[]":
            message = "`[ ]` is no range of characters in CODEOWNERS, and there are no sections"
            return Refused(match.start(), message, "Write `?` for a bracket, or a line for each name.")
        if character == "/":
            return Refused(match.start(), "a slash cannot be escaped", "Write `/`.")
    return None


def _matches_nothing(text: str) -> Refused | None:
    if text in {"/", "//"}:
        return Refused(0, "`/` matches nothing", "Write `*` for every file.")
    for sequence, message in (
        ("//", "two slashes follow each other: it matches nothing"),
        ("***", "three asterisks have no meaning"),
    ):
        if sequence in text:
            return Refused(text.find(sequence), message, f"Write `{sequence[1:]}`.")
    parts = text.split("/")
    dots = next((number for number, part in enumerate(parts) if part in {".", ".."}), None)
    if dots is None:
        return None
    at = len("/".join(parts[:dots])) + (1 if dots else 0)
    return Refused(at, "no path has a `.` or `..` in it: it matches nothing", "Write the path from the top.")


def _matches(tokens: tuple[Token, ...], segments: list[str]) -> bool:
    """Match the whole of a path, in time that no pattern can make grow beyond the product of the two lengths.

    Only the last crossing need ever give way: an earlier one that took the fewest folders left the most for the rest.
    """
    at = place = 0
    crossing: tuple[int, int] | None = None
    while place < len(segments):
        token = tokens[at] if at < len(tokens) else _END
        if token is None:
            at += 1
            crossing = (at, place)
        elif token.fullmatch(segments[place]):
            at, place = at + 1, place + 1
        elif crossing is not None:
            at, place = crossing[0], crossing[1] + 1
            crossing = (at, place)
        else:
            return False
    return all(token is None for token in tokens[at:])


_END: Final = re.compile(r"(?!)")


def _segment(segment: str) -> re.Pattern[str]:
    """Write what stands between two slashes; asterisks that are no segment by themselves count as one.

    Every asterisk but the last is atomic and takes the least it can, so that no name makes the match backtrack far.
    """
    pieces = [""]
    for match in re.finditer(r"\\(?P<escaped>.)|(?P<stars>\*+)|(?P<one>\?)|(?P<plain>.)", segment, re.DOTALL):
        if match["stars"]:
            pieces.append("")
        else:
            pieces[-1] += "[^/]" if match["one"] else re.escape(match["escaped"] or match["plain"])
    first, *others = pieces
    middle = "".join(f"(?>[^/]*?{piece})" for piece in others[:-1])
    last = f"[^/]*{others[-1]}" if others else ""
    return re.compile(first + middle + last, re.DOTALL)
