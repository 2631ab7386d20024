"""Which flags a client asks for.

flagd knows flag sets and sources. Here a namespace is a flag set; and it is a source as well, under its own name or
under that of the file it is published in, since OpenFeature operators and older providers can say only that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.model.errors import FlagsealError

if TYPE_CHECKING:
    from collections.abc import Iterable

HEADER: Final = "flagd-selector"

_FLAG_SET: Final = "flagSetId"
_SOURCE: Final = "source"
_FILE: Final = "/flags.json"
_SHOWN: Final = 80


class BadSelector(FlagsealError):
    """Refuse a selector that can mean nothing here."""

    code = "BadSelector"


def selected_namespace(metadata: Iterable[tuple[str, str | bytes]], in_body: str) -> str | None:
    """Find out which namespace a request is for; None means all.

    Args:
        metadata: The call's headers; ``Flagd-Selector`` beats the body.
        in_body: The selector in the request.

    Raises:
        BadSelector: It has another form than ``flagSetId=x``, ``source=y`` or a bare source.
    """
    headers = {value for name, value in metadata if name == HEADER and isinstance(value, str) and value}
    if len(headers) > 1:
        # Two that differ are a way to show one to a proxy and another to us.
        raise BadSelector("The request has two Flagd-Selector headers.", remedy="Send one.")
    return _parse(next(iter(headers), in_body))


def shown(text: str) -> str:
    """Quote what a client sent, in bounds."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def _parse(selector: str) -> str | None:
    if not selector:
        return None
    what, equals, name = selector.partition("=")
    if not equals:
        what, name = _SOURCE, selector
    if what not in {_FLAG_SET, _SOURCE} or not name:
        raise BadSelector(
            f"The selector {shown(selector)} is not understood.",
            remedy="Write flagSetId=NAMESPACE, source=NAMESPACE, or the namespace alone; nothing selects everything.",
        )
    return name.removesuffix(_FILE) if what == _SOURCE else name
