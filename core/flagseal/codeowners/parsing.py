"""A CODEOWNERS file as a value: its lines, and everything in it that is an error.

GitHub skips a line that it cannot read. A line that we read and GitHub skips, or the other way round, would give a path
two owners; so a file with a single unreadable line has no meaning here, and :meth:`Codeowners.owners` is never asked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec

from flagseal.codeowners.owner import Owner, parse_owner
from flagseal.codeowners.pattern import Pattern, refusal
from flagseal.model.characters import IN_VALUE, name_of, shown
from flagseal.model.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Collection

PLACES: Final = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where the file may live, in the order in which GitHub looks: the first that is there is the one that counts."""

LARGEST: Final = 3_000_000
"""Bytes a file must stay under; GitHub says 3 MB, and loads nothing of a larger one."""

UNREADABLE: Final = "FS611"
"""The rule that findings about the file carry."""

_ODD: Final = re.compile(rf"{IN_VALUE.pattern}|[^\S \t]")
"""Characters that are not seen, and blanks that only some take for blanks."""

_WORDS: Final = re.compile(r"(?:\\.|[^ \t\\]|\\$)+")
"""What stands between blanks; a backslash keeps the blank that follows it."""


class Line(msgspec.Struct, frozen=True):
    """Hold one line that names a pattern.

    Attributes:
        number: From 1.
        owners: Empty where the line takes the owners of what it matches away.
    """

    number: int
    pattern: Pattern
    owners: tuple[Owner, ...]


class Codeowners(msgspec.Struct, frozen=True):
    """Hold a file without errors.

    Attributes:
        file: Where it lies in the repository.
        lines: Those with a pattern, in the file's order.
    """

    file: str
    lines: tuple[Line, ...]

    def owners(self, path: str) -> tuple[Owner, ...] | None:
        """Find who owns a file: whom the last line that matches it names.

        Args:
            path: Of a file, from the top, forward slashes, no leading one.

        Returns:
            The owners; empty where that line names nobody; None where no line matches.
        """
        line = self.line(path)
        return None if line is None else line.owners

    def line(self, path: str) -> Line | None:
        """Find the line that decides about a file."""
        return next((line for line in reversed(self.lines) if line.pattern.matches(path)), None)


def which(paths: Collection[str]) -> str | None:
    """Choose the file that counts among the paths of a revision; None if there is none."""
    return next((place for place in PLACES if place in paths), None)


def parse(data: bytes, *, file: str = PLACES[0]) -> tuple[Codeowners, tuple[Finding, ...]]:
    """Read a file.

    Args:
        data: Its bytes.
        file: What findings call it.

    Returns:
        What could be read, and every error. With an error among them the first must not be used to decide anything.
    """
    if len(data) >= LARGEST:
        remedy = "Let patterns with wildcards stand for many lines."
        return Codeowners(file, ()), (_finding(file, 0, 0, "the file is not under 3 MB: GitHub ignores it", remedy),)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        remedy = "Save the file as UTF-8."
        return Codeowners(file, ()), (_finding(file, number, 0, "the line is not UTF-8", remedy),)
    lines: list[Line] = []
    findings: list[Finding] = []
    for number, written in enumerate(text.split("\n"), start=1):
        line = _line(file, number, written.removesuffix("\r"))
        if isinstance(line, Line):
            lines.append(line)
        else:
            findings.extend(line)
    return Codeowners(file, tuple(lines)), tuple(findings)


def _line(file: str, number: int, text: str) -> Line | tuple[Finding, ...]:
    """Read one line; no finding at all is a line that says nothing."""
    odd = _ODD.search(text)
    if odd is not None:
        message = f"{name_of(odd[0])} is not seen as what it is"
        return (_finding(file, number, odd.start() + 1, message, "Remove it."),)
    words = [(match.start(), match[0]) for match in _WORDS.finditer(text)]
    # A comment begins at a `#` that begins a word, and runs to the end of the line.
    comment = next((place for place, (_, word) in enumerate(words) if word.startswith("#")), len(words))
    if comment == 0:
        return ()
    (start, pattern), *names = words[:comment]
    if start > 0:
        message = "blanks before a pattern: gitignore counts them as part of it"
        return (_finding(file, number, 1, message, "Begin the line with the pattern."),)
    wrong = refusal(pattern)
    findings = [] if wrong is None else [_finding(file, number, wrong.at + 1, wrong.message, wrong.remedy)]
    owners: dict[str, Owner] = {}
    for at, word in names:
        owner = parse_owner(word)
        if owner is None:
            remedy = "Write @login, @organisation/team or an e-mail address; a comment begins with a blank and `#`."
            findings.append(_finding(file, number, at + 1, f"`{shown(word)}` names no owner", remedy))
        else:
            owners.setdefault(owner.key, owner)
    return tuple(findings) or Line(number, Pattern(pattern), tuple(owners.values()))


def _finding(file: str, line: int, column: int, message: str, remedy: str) -> Finding:
    return Finding(file, line, column, UNREADABLE, "$", message, remedy)
