"""The edits that end a flag: the smallest change of its file's text, and nothing around it (docs/adr/0157).

Where a value stands is read from YAML's own parser. What comes out is loaded again; unless it is exactly the document
that was meant, nothing is given.
"""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any, Final, cast

import yaml

from flagseal.model.errors import RepositoryError
from flagseal.model.loader import load_text, parse_body

if TYPE_CHECKING:
    from collections.abc import Collection

    from flagseal.model.document import Document
    from flagseal.model.flag import Lifecycle

_PLAIN: Final = re.compile(r"[a-z]+")


def retiring(data: bytes, document: Document, to: Lifecycle, switch_off: Collection[str]) -> bytes:
    """Give a flag's file with another lifecycle, and environments in which everybody is served the safe variant.

    Args:
        data: The file.
        document: What it says.
        to: The lifecycle.
        switch_off: Environments that get ``off: true``.

    Raises:
        RepositoryError: ``NotEdited``: it cannot be changed without changing anything else.
    """
    text = data.decode("utf-8", "surrogateescape")
    for path, value in [
        (("lifecycle",), to),
        *((("environments", name, "off"), "true") for name in sorted(switch_off)),
    ]:
        text = _set(text, ("spec", *path), value, document)
    made = text.encode("utf-8", "surrogateescape")
    wanted = _meant(document, to, switch_off)
    again = load_text(made, file=document.subject)
    if len(again.documents) != 1 or again.documents[0].canonical != wanted.canonical:
        raise _left(document)
    return made


def _meant(document: Document, to: Lifecycle, switch_off: Collection[str]) -> Document:
    body = cast("dict[str, Any]", copy.deepcopy(document.body()))
    body["spec"]["lifecycle"] = to
    for name in switch_off:
        body["spec"]["environments"][name]["off"] = True
    return parse_body(body, place=document.subject)


def _set(text: str, path: tuple[str, ...], value: str, document: Document) -> str:
    """Write a plain word at a path: over what is there, or before the first key of its mapping."""
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:  # an older YAML than the one that documents are read as
        raise _left(document) from error
    for name in path[:-1]:
        node = _child(node, name)
    if not isinstance(node, yaml.MappingNode) or not node.value or not _PLAIN.fullmatch(value):
        raise _left(document)
    there = _child(node, path[-1])
    if isinstance(there, yaml.ScalarNode):
        quote = there.style if there.style in {'"', "'"} else ""
        if there.style not in {None, '"', "'"}:
            raise _left(document)
        return f"{text[: there.start_mark.index]}{quote}{value}{quote}{text[there.end_mark.index :]}"
    first = node.value[0][0].start_mark
    key = f'"{path[-1]}"'  # `off` alone is no text to every parser of YAML (FS109)
    before = text[text.rfind("\n", 0, first.index) + 1 : first.index]
    if node.flow_style and before.strip():
        return f"{text[: first.index]}{key}: {value}, {text[first.index :]}"
    if before.strip():
        raise _left(document)
    comma = "," if node.flow_style else ""
    line_end = "\r\n" if "\r\n" in text else "\n"
    return f"{text[: first.index]}{key}: {value}{comma}{line_end}{before}{text[first.index :]}"


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for key, value in node.value if isinstance(key, yaml.ScalarNode) and key.value == name), None)


def _left(document: Document) -> RepositoryError:
    return RepositoryError(
        f"{document.subject}: its file cannot be edited without changing anything else",
        code="NotEdited",
        remedy="Retire it by hand, or write its keys on lines of their own (`flagseal fmt`).",
    )
