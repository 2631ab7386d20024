"""How ``var``, ``missing`` and ``missing_some`` are written.

The evaluation context is a dict ``c`` whose ``get`` is ``g``. What flagd injects is not put into it: ``$flagd.flagKey``
is a constant, ``$flagd.timestamp`` a variable, and whatever a caller puts under ``$flagd`` is never read.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Final

from flagseal.evaluation.codegen.writer import Code, Site, Writer, writes
from flagseal.evaluation.jsonlogic import descend

if TYPE_CHECKING:
    from collections.abc import Sequence

INJECTED: Final = "$flagd"
"""The property that flagd adds to every context."""


@writes("var")
def _var(writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Code, Site]:
    path = arguments[0] if arguments else None
    if isinstance(path, (int, float)) and not isinstance(path, bool):
        path = str(path) if isinstance(path, int) else path
    if path is None or path == "":
        return Code(_all(writer)), site
    if not isinstance(path, str):
        texts, site = writer.values(arguments, site)
        return Code(f"look_up({_all(writer)}, {', '.join(texts)})"), site
    default: Code | None = None
    if len(arguments) > 1 and arguments[1] is not None:
        default, site = writer.value(arguments[1], site)
    names = path.split(".")
    if writer.scope.item is not None:
        return Code(f"descend({writer.scope.item}, {_tail(writer, names, default)})"), site
    if names[0] == INJECTED:
        return _injected(writer, names[1:], default), site
    if default is not None:
        return Code(f"descend(c, {_tail(writer, names, default)})"), site
    return _attribute(writer, path, names, site)


def _attribute(writer: Writer, path: str, names: Sequence[str], site: Site) -> tuple[Code, Site]:
    """Read an attribute of the context once, however often it is asked for on one way through the function."""
    local = writer.scope.local(path)
    if local in site.assigned:
        return Code(local, "any", local), site
    # Thousands of flags read the same few attributes: one text for them all, which is what an application's own is too.
    text = f"g({writer.bind(intern(names[0]))})"
    if len(names) > 1:
        text = f"descend({text}, {_tail(writer, names[1:], None)})"
    return Code(f"({local} := {text})", "any", local), site.with_assigned(local)


def _tail(writer: Writer, names: Sequence[str], default: Code | None) -> str:
    bound = writer.bind(tuple(names))
    return bound if default is None else f"{bound}, {default.text}"


def _injected(writer: Writer, names: Sequence[str], default: Code | None) -> Code:
    match names:
        case ["flagKey"]:
            return writer.constant(writer.flag_key)
        case ["timestamp"]:
            return Code(writer.now(), "number")
        case ["flagKey", *rest]:
            # A property of a text: its length, or one of its characters.
            found = descend(writer.flag_key, rest)
            return writer.constant(found) if found is not None or default is None else default
        case []:
            return Code(f"injected({writer.bind(writer.flag_key)}, {writer.now()})")
        case _:
            return default or Code("None", "null")


def _all(writer: Writer) -> str:
    """Write all of the data: the member of a list, or the context with what flagd injects."""
    if writer.scope.item is not None:
        return writer.scope.item
    return f"whole(c, {writer.bind(writer.flag_key)}, {writer.now()})"


def injected(flag_key: str, now: int) -> dict[str, object]:
    """Make what flagd injects."""
    return {"flagKey": flag_key, "timestamp": now}


def whole(context: dict[str, object], flag_key: str, now: int) -> dict[str, object]:
    """Make the context that flagd evaluates in."""
    return {**context, INJECTED: injected(flag_key, now)}


def _with_data(function: str, writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Code, Site]:
    texts, site = writer.values(arguments, site)
    return Code(f"{function}({', '.join([_all(writer), *texts])})", "list"), site


writes("missing")(lambda *place: _with_data("missing", *place))
writes("missing_some")(lambda *place: _with_data("missing_some", *place))

__all__ = ["INJECTED", "injected", "whole"]
