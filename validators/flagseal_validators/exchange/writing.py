"""Writing files that were not there: all of them, or none."""

from __future__ import annotations

import json
import os
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from flagseal.model.errors import FlagsealError, UsageError
from flagseal.model.loader import load_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from flagseal.model.canonical import Json
    from flagseal.model.document import Document

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?: [A-Za-z0-9_./-]+)*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n", "inf", "nan"})
_WIDTH: Final = 110


def write_new(files: Mapping[Path, str]) -> None:
    """Write files; if one of them exists already, or cannot be written, none is left behind.

    Raises:
        UsageError: ``Exists``, naming each that does.
    """
    there = [path for path in files if os.path.lexists(path)]
    if there:
        raise UsageError(
            f"{', '.join(map(str, sorted(there)))}: there already, and nothing is overwritten",
            code="Exists",
            remedy="Remove or rename what is there first, or write elsewhere.",
        )
    made: list[Path] = []
    folders: list[Path] = []
    try:
        for path, text in files.items():
            folders += _folders(path.parent)
            beside = path.with_name(f".{path.name}.{os.getpid()}")
            try:
                beside.write_text(text, "utf-8")
                # Unlike a rename, a link never replaces what somebody wrote in the meantime.
                os.link(beside, path)
            finally:
                beside.unlink(missing_ok=True)
            made.append(path)
    except OSError:
        for path in made:
            path.unlink(missing_ok=True)
        for folder in reversed(folders):
            folder.rmdir()
        raise


def _folders(path: Path) -> list[Path]:
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir()
    return list(reversed(missing))


def document_text(document: Document, heading: str) -> str:
    """Write a document as a file of a repository, and read it again to be sure.

    Args:
        document: The document.
        heading: Lines of comment before it.

    Raises:
        FlagsealError: What is read is not what was meant.
    """
    comment = "".join(f"# {line}".rstrip() + "\n" for line in heading.splitlines())
    text = f"{comment}{yaml_text(document.body())}"
    loaded = load_text(text.encode("utf-8"), file=f"{document.name}.yaml")
    if [found.canonical for found in loaded.documents] != [document.canonical]:
        told = "; ".join(finding.text() for finding in loaded.findings) or "another content"
        raise FlagsealError(f"{document.subject} cannot be written as YAML: {told}", code="NotWritable")
    return text


def yaml_text(value: Mapping[str, Json]) -> str:
    """Write an object as YAML that every parser reads alike: whatever one could take for something else is quoted."""
    return "\n".join(_block(dict(value), 0)) + "\n"


def _block(value: Json, indent: int) -> Iterator[str]:
    margin = "  " * indent
    if isinstance(value, dict):
        for name, entry in value.items():
            head = f"{margin}{_text(name)}:"
            if _fits(entry, head):
                yield f"{head} {_flow(entry)}"
            else:
                yield head
                yield from _block(entry, indent + (not isinstance(entry, list)))
    elif isinstance(value, list):
        for item in value:
            if _fits(item, f"{margin}- "):
                yield f"{margin}- {_flow(item)}"
            else:
                lines = list(_block(item, indent + 1))
                yield f"{margin}- {lines[0].lstrip()}"
                yield from lines[1:]


def _fits(value: Json, head: str) -> bool:
    if not isinstance(value, (dict, list)) or not value:
        return True
    deep = any(isinstance(entry, (dict, list)) and entry for entry in _entries(value)) and _depth(value) > 3  # noqa: PLR2004 (what still reads well on a line)
    return not deep and len(head) + 1 + len(_flow(value)) <= _WIDTH


def _entries(value: dict[str, Json] | list[Json]) -> list[Json]:
    return list(value.values()) if isinstance(value, dict) else value


def _depth(value: Json) -> int:
    if not isinstance(value, (dict, list)):
        return 0
    return 1 + max(map(_depth, _entries(value)), default=0)


def _flow(value: Json) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(name)}: {_flow(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, float):
        # Without an exponent, which YAML 1.1 and 1.2 read differently; and zero has no sign in JSON.
        return format(Decimal(repr(value)), "f") if value else "0"
    return json.dumps(value)


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)
