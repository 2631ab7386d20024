"""Times as other products write them: RFC 3339, with any offset and any fraction."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})")


def read_time(text: str) -> datetime | None:
    """Read a time by RFC 3339; None if it is none."""
    if _TIME.fullmatch(text) is None:
        return None
    try:
        found = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.upper().replace(" ", "T")))
        return found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
