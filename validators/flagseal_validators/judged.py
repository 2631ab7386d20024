"""What a rule found in a document, and what excuses the document from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from flagseal.model.finding import Finding  # noqa: TC001 (a cache is read by these types)

if TYPE_CHECKING:
    from collections.abc import Collection


class Suppression(msgspec.Struct, frozen=True, order=True):
    """Say what excuses a document from a rule (``spec.ignore``).

    Attributes:
        reason: In its author's words.
        until: The last day, as ``YYYY-MM-DD``.
    """

    reason: str
    until: str


class Judged(msgspec.Struct, frozen=True):
    """Hold what a rule found, before it is known what the change at hand touches.

    Attributes:
        finding: With the severity that the rule has.
        by_time: Whether only time brought it about: then it is an error only on files that the change touches.
        suppressed: What excuses the document; None if nothing does.
        from_elsewhere: Whether the remedy may name any document there is.
    """

    finding: Finding
    by_time: bool = False
    suppressed: Suppression | None = None
    from_elsewhere: bool = False

    def at(self, touched: Collection[str]) -> Finding:
        """Give the finding as it counts for a change of these files."""
        if self.by_time and self.finding.file not in touched:
            return msgspec.structs.replace(self.finding, severity="warning")
        return self.finding
