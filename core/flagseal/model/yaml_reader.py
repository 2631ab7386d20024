"""YAML as JSON values, strictly: what two parsers could take for two things is refused (formats.md, Reading YAML).

A file is bytes first (here), then text (here), then YAML events (``yaml_walk``). Every refusal names its place; reading
goes on behind one as far as it can, so that all are told at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final

import msgspec

from flagseal.model import rule_ids
from flagseal.model.characters import IN_TEXT, PLAIN_BYTES, name_of
from flagseal.model.document import Position
from flagseal.model.finding import Finding
from flagseal.model.jsonpath import ROOT
from flagseal.model.limits import LARGEST_FILE, MOST_FINDINGS
from flagseal.model.yaml_walk import Walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.canonical import Json


_UTF_16_AND_32: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_UTF_8_MARK: Final = b"\xef\xbb\xbf"
_STAND_IN: Final = "\ufffd"


class Reading(msgspec.Struct, frozen=True):
    """What one file says.

    Attributes:
        value: The document; None if there is none.
        text: The file as text, for :class:`Positions`; empty if it is none.
        findings: Everything that is refused, in the order of the file.
    """

    value: Json
    text: str
    findings: tuple[Finding, ...]


def read_yaml(data: bytes, *, file: str) -> Reading:
    """Read the one YAML document of a file.

    Args:
        data: The file.
        file: What findings call it.
    """
    if len(data) > LARGEST_FILE:
        message = f"the file is larger than {LARGEST_FILE // 1024} KiB"
        return _unreadable(file, rule_ids.SIZE, message, "Split it into several documents.")
    text, findings = _decode(data, file)
    if text is None:
        return Reading(None, "", tuple(findings))
    walk = Walk(text, file)
    value = walk.run()
    return Reading(value, text, tuple(sorted([*findings, *walk.findings])))


class Positions(Mapping[str, Position]):
    """Map the JSONPath of every key and item of a text to its place.

    Places are wanted only where something is wrong, so the text is read again for them, once, when the first is asked.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _places(self) -> dict[str, Position]:
        walk = Walk(self._text, "", places={})
        walk.run()
        return walk.places or {}

    def __getitem__(self, path: str) -> Position:
        return self._places[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _unreadable(file: str, rule: str, message: str, remedy: str) -> Reading:
    return Reading(None, "", (Finding(file, 0, 0, rule, ROOT, message, remedy),))


def _decode(data: bytes, file: str) -> tuple[str | None, list[Finding]]:
    """Give the text with every refused character replaced, so that the rest can be read, and findings for each."""
    if data.startswith(_UTF_16_AND_32):
        message, remedy = "the file is UTF-16 or UTF-32, not UTF-8", "Save it as UTF-8."
        return None, [Finding(file, 0, 0, rule_ids.ENCODING, ROOT, message, remedy)]
    findings: list[Finding] = []
    if data.startswith(_UTF_8_MARK):
        message, remedy = "the file starts with a byte order mark", "Save it as UTF-8 without one."
        findings.append(Finding(file, 1, 1, rule_ids.ENCODING, ROOT, message, remedy))
        data = data[len(_UTF_8_MARK) :]
    if not data.translate(None, PLAIN_BYTES):
        return data.decode("ascii"), findings
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8", "replace")) + 1
        message = f"the file is not UTF-8: byte 0x{data[error.start]:02x} cannot stand here"
        findings.append(Finding(file, line, column, rule_ids.ENCODING, ROOT, message, "Save it as UTF-8."))
        return None, findings
    refused = list(IN_TEXT.finditer(text))
    for match in refused[:MOST_FINDINGS]:
        start = match.start()
        line = text.count("\n", 0, start) + 1
        column = start - text.rfind("\n", 0, start)
        message = f"{name_of(match[0])} must not stand in a file"
        remedy = "Indent by spaces; in a quoted text write \\t." if match[0] == "\t" else "Delete it."
        findings.append(Finding(file, line, column, rule_ids.CHARACTERS, ROOT, message, remedy))
    if refused:
        # Of the same length, so that every place stays what it was.
        text = IN_TEXT.sub(lambda match: " " if match[0] == "\t" else _STAND_IN, text)
    return text, findings
