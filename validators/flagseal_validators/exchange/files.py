"""Files of other systems as JSON values: bounded, and nothing that two readers take for two things."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections import Counter
from datetime import date, datetime, time
from typing import TYPE_CHECKING, Final, NoReturn, cast

from flagseal.model.characters import shown
from flagseal.model.errors import InvalidDocuments, UsageError
from flagseal.model.jsonpath import ROOT, child
from flagseal.model.yaml_reader import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.canonical import Json

LARGEST_JSON: Final = 16 * 1024 * 1024
"""Bytes of one JSON or TOML file; YAML files have the loader's own limit."""

DEEPEST: Final = 64
"""Objects and lists inside one another: everything behind this point may recurse."""

_MARKER: Final = re.compile(rb"^---(?=\s|$)[^\n]*\n?", re.MULTILINE)


def read_bodies(data: bytes, *, file: str) -> Iterator[Json]:
    """Read the documents of a file, JSON or YAML.

    Args:
        data: The file.
        file: What errors call it; one that ends in ``.toml`` is TOML.

    Raises:
        UsageError: ``NotImportable``: it is none of them, too large, too deep, or says something twice.
        InvalidDocuments: It is YAML that parsers read differently.
    """
    if file.endswith(".toml"):
        yield _bounded(_toml(data, file), file)
        return
    if data.lstrip()[:1] in (b"{", b"["):
        yield _bounded(_json(data, file), file)
        return
    starts = [0, *(match.end() for match in _MARKER.finditer(data))]
    ends = [*(match.start() for match in _MARKER.finditer(data)), len(data)]
    for start, end in zip(starts, ends, strict=True):
        if not _says_something(data[start:end]):
            continue
        # Behind as many empty lines as were before it, so that findings name the place in the file.
        reading = read_yaml(b"\n" * data.count(b"\n", 0, start) + data[start:end], file=file)
        if reading.findings:
            raise InvalidDocuments(reading.findings)
        yield reading.value


def read_body(data: bytes, *, file: str, remedy: str) -> Json:
    """Read the one document of a file.

    Args:
        data: The file.
        file: What errors call it; as for :func:`read_bodies`.
        remedy: What to do if there is not exactly one.

    Raises:
        UsageError: ``NotImportable``: there is none, or several, or as :func:`read_bodies`.
        InvalidDocuments: It is YAML that parsers read differently.
    """
    bodies = list(read_bodies(data, file=file))
    if len(bodies) != 1:
        refuse(file, f"one document is expected, and there are {len(bodies)}", remedy)
    return bodies[0]


def refuse(file: str, problem: str, remedy: str) -> NoReturn:
    """Refuse a file.

    Raises:
        UsageError: ``NotImportable``, always.
    """
    raise UsageError(f"{file}: {problem}", code="NotImportable", remedy=remedy)


def _says_something(data: bytes) -> bool:
    return any(line.strip() and not line.lstrip().startswith(b"#") for line in data.splitlines())


def _sized(data: bytes, file: str) -> None:
    if len(data) > LARGEST_JSON:
        refuse(file, f"the file is larger than {LARGEST_JSON // 1024 // 1024} MiB", "Split it.")


def _json(data: bytes, file: str) -> Json:
    _sized(data, file)
    try:
        return cast("Json", json.loads(data, object_pairs_hook=_unique, parse_constant=_no_constant))
    except (ValueError, RecursionError) as error:
        refuse(file, f"not JSON: {error}", "Export it again, and name the file as it was exported.")


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, count in counts.items() if count > 1)
        msg = f"the key {shown(twice)!r} occurs twice"
        raise ValueError(msg)
    return found


def _no_constant(name: str) -> NoReturn:
    msg = f"{name} is no number of JSON"
    raise ValueError(msg)


def _toml(data: bytes, file: str) -> Json:
    _sized(data, file)
    try:
        return _jsonlike(tomllib.loads(data.decode("utf-8")))
    except (ValueError, RecursionError) as error:
        refuse(file, f"not TOML: {error}", "Correct it, or write it as YAML or JSON.")


def _jsonlike(value: object) -> Json:
    """Write TOML's days and times as text, as they stand."""
    if isinstance(value, dict):
        return {name: _jsonlike(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_jsonlike(item) for item in value]
    return value.isoformat() if isinstance(value, (datetime, date, time)) else cast("Json", value)


def _bounded(value: Json, file: str) -> Json:
    """Refuse what nests too deeply and values that no document can hold, without recursion."""
    waiting: list[tuple[Json, str, int]] = [(value, ROOT, 1)]
    while waiting:
        at, path, depth = waiting.pop()
        if isinstance(at, (dict, list)):
            if depth > DEEPEST:
                refuse(file, f"{shown(path)}: nesting is deeper than {DEEPEST}", "Remove what nests so deeply.")
            entries = at.items() if isinstance(at, dict) else enumerate(at)
            waiting += [(entry, child(path, name), depth + 1) for name, entry in entries]
            waiting += [(name, path, depth) for name in at] if isinstance(at, dict) else []
        elif isinstance(at, float) and not math.isfinite(at):
            refuse(file, f"{shown(path)}: a number beyond what computers hold", "Write a smaller one.")
        elif isinstance(at, str) and not at.isascii():
            try:
                at.encode()
            except UnicodeEncodeError:
                refuse(file, f"{shown(path)}: half a surrogate pair, which is no character", "Remove it.")
    return value
