"""A flagd document taken apart, as far as it must be before somebody asks for a flag.

Of a document that comes as JSON only the seams are found; each flag stays the bytes it is until it is compiled. Ten
thousand flags then cost their bytes, and not twenty times as much in objects.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, NoReturn, cast

import msgspec

from flagseal.evaluation.flag import MalformedFlag, checked_metadata, copied
from flagseal.model.errors import FlagsealError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flagseal.evaluation.outcome import MetadataValue

_FORM = "Give a flagd flag document: an object with `flags`."
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class InvalidFlagSet(FlagsealError):
    """Refuse what is no flagd document at all; a malformed flag in one spoils only itself."""

    code = "InvalidFlagSet"


class Parts(NamedTuple):
    """A document's parts.

    Attributes:
        flags: By key: JSON, a copy of an object, or what was found to be wrong with it.
        evaluators: Shared rules by name.
        metadata: Of the flag set.
    """

    flags: Mapping[str, object]
    evaluators: Mapping[str, object]
    metadata: Mapping[str, MetadataValue]


class _Keyed(msgspec.Struct):
    """A flag of a list."""

    key: str


def parts_of(document: Mapping[str, object] | str | bytes) -> Parts:
    """Take a document apart.

    Raises:
        InvalidFlagSet: It is no flagd document.
    """
    try:
        if isinstance(document, (str, bytes, bytearray)):
            data = document.encode() if isinstance(document, str) else bytes(document)
            data = data.removeprefix(_BYTE_ORDER_MARK)
            try:
                return _parts_of_json(data)
            except msgspec.DecodeError:
                # Half a surrogate pair in one flag's text must not spoil the others: the standard library reads it.
                document = json.loads(data, parse_constant=_refuse_constant)
        if isinstance(document, dict):
            return _parts_of_object(document)
    except (ValueError, RecursionError) as problem:
        raise InvalidFlagSet(f"not JSON, or not of flagd's form: {problem}", remedy=_FORM) from None
    except MalformedFlag as problem:
        raise InvalidFlagSet(f"$.metadata or $.$evaluators: {problem}", remedy=_FORM) from None
    raise InvalidFlagSet("$: not an object", remedy=_FORM)


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is no JSON"
    raise ValueError(msg)


def flag_of(source: object) -> object:
    """Give a flag as an object.

    Args:
        source: One of :attr:`Parts.flags`.

    Raises:
        MalformedFlag: It is no JSON, or something was wrong with it from the start.
    """
    if isinstance(source, MalformedFlag):
        raise source
    if not isinstance(source, msgspec.Raw):
        return source
    try:
        return msgspec.json.decode(source)
    except (msgspec.DecodeError, UnicodeError) as problem:
        raise MalformedFlag(f"not JSON: {problem}") from None


def _parts_of_json(data: bytes) -> Parts:
    body = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    evaluators = msgspec.json.decode(body["$evaluators"]) if "$evaluators" in body else {}
    metadata = msgspec.json.decode(body["metadata"]) if "metadata" in body else None
    return Parts(_flags_of_json(body.get("flags")), _evaluators(evaluators), dict(checked_metadata(metadata)))


def _flags_of_json(flags: msgspec.Raw | None) -> Mapping[str, object]:
    if flags is None:
        raise InvalidFlagSet("$.flags: missing", remedy=_FORM)
    if bytes(memoryview(flags)[:1]) != b"[":
        return msgspec.json.decode(flags, type=dict[str, msgspec.Raw])
    found: dict[str, object] = {}
    for member in msgspec.json.decode(flags, type=list[msgspec.Raw]):
        try:
            # Of two with one key the last counts.
            found[msgspec.json.decode(member, type=_Keyed).key] = member
        except msgspec.ValidationError:
            continue  # What has no key, nobody can ask for.
    return found


def _parts_of_object(body: Mapping[str, object]) -> Parts:
    evaluators = copied(body.get("$evaluators", {}))
    metadata = checked_metadata(copied(body.get("metadata")))
    flags = body.get("flags")
    pairs: Iterable[tuple[object, object]]
    if isinstance(flags, dict):
        pairs = flags.items()
    elif isinstance(flags, list):
        pairs = [(flag.get("key") if isinstance(flag, dict) else None, flag) for flag in flags]
    else:
        raise InvalidFlagSet("$.flags: neither an object nor a list", remedy=_FORM)
    found: dict[str, object] = {}
    for key, flag in pairs:
        if not isinstance(key, str):
            continue  # What has no key, nobody can ask for.
        try:
            found[key] = copied(flag)
        except MalformedFlag as problem:
            found[key] = problem
    return Parts(found, _evaluators(evaluators), dict(metadata))


def _evaluators(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise InvalidFlagSet("$.$evaluators: not an object", remedy=_FORM)
    return cast("Mapping[str, object]", value)
