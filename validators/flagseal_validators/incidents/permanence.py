"""Making permanent what a rollback served: the flag's file with ``"off": true`` in that environment, and nothing else.

The text is changed where the environment begins; what comes out is loaded again, and unless it says exactly that, no
change is proposed: then a person makes it.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final, cast

from flagseal.model.jsonpath import child
from flagseal.model.loader import load_text, parse_body

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.document import Document

_SWITCH: Final = '"off": true'
"""In quotes: ``off`` alone is no text to every parser of YAML (FS109)."""


def switched_off(data: bytes, environment: str) -> bytes | None:
    """Give a flag's file by which everybody in an environment is served the safe variant.

    Args:
        data: The file.
        environment: Where.

    Returns:
        The file; None where there is nothing to change, or where it cannot be changed without changing more.
    """
    loaded = load_text(data, file="flag.yaml")
    if loaded.findings or not loaded.documents:
        return None
    (document,) = loaded.documents
    section = _section(document, environment)
    if not section or "off" in section:
        return None
    wanted = _meant(document, environment)
    for made in _inserted(data, document, environment, section):
        again = load_text(made, file="flag.yaml")
        if again.documents and again.documents[0].canonical == wanted:
            return made
    return None


def _section(document: Document, environment: str) -> dict[str, Any]:
    spec = cast("dict[str, Any]", document.spec)
    found: dict[str, Any] = spec.get("environments", {}).get(environment, {})
    return found


def _inserted(data: bytes, document: Document, environment: str, section: dict[str, Any]) -> Iterator[bytes]:
    """Write it before the first key: on a line of its own, with a comma where braces go over lines, or beside it."""
    assert document.source is not None  # noqa: S101 (it was read from text)
    path = child("$.spec.environments", environment)
    places = (document.source.at(child(path, key)) for key in section)
    first = min(places, key=lambda place: (place.line, place.column))
    lines = data.decode("utf-8").splitlines(keepends=True)
    line = lines[first.line - 1]
    before, after = line[: first.column - 1], line[first.column - 1 :]
    end = "\r\n" if line.endswith("\r\n") else "\n"
    ways = (
        [f"{before}{_SWITCH}, {after}"] if before.strip() else [f"{before}{_SWITCH}{it}{end}{line}" for it in ("", ",")]
    )
    for way in ways:
        lines[first.line - 1] = way
        yield "".join(lines).encode("utf-8")


def _meant(document: Document, environment: str) -> bytes:
    body = copy.deepcopy(document.body())
    spec = cast("dict[str, Any]", body["spec"])
    spec["environments"][environment]["off"] = True
    return parse_body(body, place=document.subject).canonical
