"""The one way into the system for declared content: files as text, and JSON that came from elsewhere.

Whatever passes has the right form (its kind's schema) and means something by itself
(:mod:`flagseal.model.consistency`). What documents mean together is for others to check.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import msgspec

from flagseal.model import rule_ids
from flagseal.model.characters import IN_VALUE, name_of, shown
from flagseal.model.consistency import inconsistencies
from flagseal.model.document import NAMESPACED_KINDS, Document, Source
from flagseal.model.errors import InvalidDocuments
from flagseal.model.explain import explain
from flagseal.model.jsonpath import ROOT, child
from flagseal.model.limits import DEEPEST, MOST_FINDINGS
from flagseal.model.problem import Problem, did_you_mean
from flagseal.model.scalars import out_of_range, whole
from flagseal.model.schema import CLUSTER_SCHEMAS, SCHEMAS, tombstone_validator, validator

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from flagseal.model.canonical import Json
    from flagseal.model.finding import Finding


class Loaded(msgspec.Struct, frozen=True):
    """What a file gave.

    Attributes:
        documents: The file's document, if nothing is wrong with it.
        findings: Everything that is wrong, in the order of the file.
    """

    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]


def load_text(data: bytes, *, file: str) -> Loaded:
    """Load one file. Nothing that a file can hold makes it raise.

    Args:
        data: The file's bytes.
        file: What findings call it: its path, relative where possible.
    """
    # Here and not above: an application that only evaluates has no YAML parser installed.
    from flagseal.model.yaml_reader import Positions, read_yaml  # noqa: PLC0415

    reading = read_yaml(data, file=file)
    if not reading.text:
        return Loaded((), reading.findings)
    source = Source(file, Positions(reading.text))
    findings = list(reading.findings)
    # What could not be read as written is reported as that, and not for what it looks like afterwards.
    refused = tuple(finding.path for finding in findings)
    if reading.value is not None or not findings:
        # What a document means is asked only of one that could be read as written.
        problems = islice(_problems(reading.value, meaning=not findings), MOST_FINDINGS)
        findings += [problem.at(source) for problem in problems if not _lies_in(problem.path, refused)]
    if findings:
        return Loaded((), tuple(sorted(findings)))
    return Loaded((_document(cast("dict[str, Any]", reading.value), source),), ())


def parse_body(body: object, *, place: str, allow_tombstone: bool = False) -> Document:
    """Take a document that is JSON already: from provenance, a statement's bundle, the API server.

    Args:
        body: The whole document, ``metadata`` reduced to name and namespace. It is copied.
        place: What findings call it.
        allow_tombstone: Whether ``spec: null`` may record a removal.

    Raises:
        InvalidDocuments: Its values are no JSON, or its form or meaning is not right; with everything at once.
    """
    problems: list[Problem] = []
    value = _copied(body, problems)
    if not problems:
        problems = list(islice(_problems(value, allow_tombstone=allow_tombstone), MOST_FINDINGS))
    if problems:
        raise InvalidDocuments(sorted(problem.about(place) for problem in problems[:MOST_FINDINGS]))
    return _document(cast("dict[str, Any]", value), None)


def check_resource(body: object, *, place: str) -> dict[str, Json]:
    """Take a resource of a kind that exists only in a cluster, as the API server gives it.

    Args:
        body: The whole resource, ``metadata`` reduced to name and namespace. It is copied.
        place: What findings call it.

    Raises:
        InvalidDocuments: It is not of one of :data:`~flagseal.model.schema.CLUSTER_SCHEMAS`, or its form is not right.

    Returns:
        The copy.
    """
    problems: list[Problem] = []
    value = _copied(body, problems)
    kind = value.get("kind") if isinstance(value, dict) else None
    if not problems and (not isinstance(kind, str) or kind not in CLUSTER_SCHEMAS):
        message = f"this is none of {', '.join(CLUSTER_SCHEMAS)}"
        problems = [Problem(rule_ids.KIND, ROOT, message, "Documents of a repository are read as such.")]
    elif not problems:
        problems = list(islice(explain(str(kind), validator(str(kind)), value), MOST_FINDINGS))
    if problems:
        raise InvalidDocuments(sorted(problem.about(place) for problem in problems[:MOST_FINDINGS]))
    return cast("dict[str, Json]", value)


def _problems(body: Json, *, meaning: bool = True, allow_tombstone: bool = False) -> Iterator[Problem]:
    if not isinstance(body, dict):
        message = "a document is a mapping of apiVersion, kind, metadata and spec"
        yield Problem(rule_ids.ONE_DOCUMENT, ROOT, message, "Start from one of the examples.")
        return
    kind = body.get("kind")
    if not isinstance(kind, str) or kind not in SCHEMAS:
        yield _unknown_kind(kind)
        return
    removed = allow_tombstone and "spec" in body and body["spec"] is None
    compiled = tombstone_validator(kind) if removed else validator(kind)
    if not compiled.is_valid(body):
        yield from explain(kind, compiled, body)
    elif meaning and not removed:
        yield from inconsistencies(kind, cast("dict[str, Any]", body["spec"]))


def _unknown_kind(kind: object) -> Problem:
    if kind is None:
        return Problem(rule_ids.KIND, ROOT, "`kind` is missing", f"Write one of {', '.join(SCHEMAS)}.")
    text = kind if isinstance(kind, str) else "this"
    remedy = did_you_mean(text, SCHEMAS) or f"Write one of {', '.join(SCHEMAS)}."
    return Problem(rule_ids.KIND, "$.kind", f"`{shown(text)}` is not a kind of document", remedy)


def _document(body: dict[str, Any], source: Source | None) -> Document:
    metadata = body["metadata"]
    namespace = metadata["namespace"] if body["kind"] in NAMESPACED_KINDS else None
    return Document(body["kind"], namespace, metadata["name"], body["spec"], source)


def _lies_in(path: str, refused: Iterable[str]) -> bool:
    return any(path == place or path.startswith((f"{place}.", f"{place}[")) for place in refused if place != ROOT)


class _Odd(Exception):
    """Say that a value is to be looked at more closely."""


def _copied(value: object, problems: list[Problem]) -> Json:
    """Copy a JSON value, finding what no file could have said; where each part lies is worked out only for that."""
    try:
        return _plain(value, 1)
    except _Odd:
        return _checked(value, ROOT, 1, problems)


def _plain(value: object, depth: int) -> Json:
    """Copy a value in which nothing is to be found.

    Raises:
        _Odd: Something may be.
    """
    kind = type(value)
    if kind is str:
        return _text(value)
    if kind is bool or value is None:
        return value  # type: ignore[return-value]
    if depth <= DEEPEST:
        if kind is dict:
            return {_text(key): _plain(entry, depth + 1) for key, entry in value.items()}  # type: ignore[attr-defined]
        if kind is list:
            return [_plain(item, depth + 1) for item in value]  # type: ignore[attr-defined]
    if kind is int and not out_of_range(value):  # type: ignore[arg-type]
        return value  # type: ignore[return-value]
    raise _Odd


def _text(value: object) -> str:
    # Printable ASCII needs no second look, and nearly all text is that.
    if type(value) is str and ((value.isascii() and value.isprintable()) or IN_VALUE.search(value) is None):
        return value
    raise _Odd


def _checked(value: object, path: str, depth: int, problems: list[Problem]) -> Json:
    """Copy a JSON value, finding what no file could have said."""
    match value:
        case None | bool():
            return value
        case str():
            if odd := IN_VALUE.search(value):
                message = f"the text holds {name_of(odd[0])}"
                problems.append(Problem(rule_ids.CHARACTERS, path, message, "Leave the character out."))
            return value
        case int() | float():
            if out_of_range(value):
                message = "the number lies beyond ±(2^53 − 1), or is none"
                problems.append(Problem(rule_ids.NUMBER_RANGE, path, message, "Write a smaller number, or text."))
                return 0
            return value if isinstance(value, int) else whole(value)
        case dict() | list() if depth > DEEPEST:
            problems.append(Problem(rule_ids.NESTING, path, f"nesting is deeper than {DEEPEST}", "Make it flatter."))
            return None
        case dict():
            return {
                key: _checked(entry, child(path, key), depth + 1, problems)
                for key, entry in _entries(value, path, problems)
            }
        case list():
            return [_checked(item, child(path, index), depth + 1, problems) for index, item in enumerate(value)]
        case _:
            message = f"this is no JSON value but {type(value).__name__}"
            problems.append(Problem(rule_ids.WRONG_TYPE, path, message, "Hand over what a JSON parser gives."))
            return None


def _entries(value: dict[Any, Any], path: str, problems: list[Problem]) -> Iterator[tuple[str, object]]:
    for key, entry in value.items():
        if not isinstance(key, str):
            problems.append(Problem(rule_ids.KEY_TYPE, path, "a key is not text", "Use words for keys."))
        elif odd := IN_VALUE.search(key):
            message = f"a key holds {name_of(odd[0])}"
            problems.append(Problem(rule_ids.CHARACTERS, path, message, "Leave the character out."))
        else:
            yield key, entry
