"""What the gate and the loader report: one value a place."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from flagseal.model.characters import visible

Severity = Literal["error", "warning"]

_LONGEST_PATH: Final = 240


class Finding(msgspec.Struct, frozen=True, order=True):
    """Point at one thing that is wrong.

    Attributes:
        file: Path as the person named it, relative where possible; forward slashes.
        line: From 1; 0 when the whole file is meant.
        column: From 1; 0 when the whole line is meant.
        rule: Stable id, ``FS`` and three digits.
        path: JSONPath of the value (``$.spec.variants``); ``$`` for the document.
        message: What is wrong there.
        remedy: What to do, as a sentence.
        severity: ``error`` refuses; ``warning`` is shown.
    """

    file: str
    line: int
    column: int
    rule: str
    path: str
    message: str
    remedy: str = ""
    severity: Severity = "error"

    def text(self) -> str:
        """Render as ``file:line:column: RULE severity: path: message. Remedy`` on one line."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        path = self.path if len(self.path) <= _LONGEST_PATH else f"{self.path[:_LONGEST_PATH]}…"
        tail = f". {self.remedy}" if self.remedy else ""
        # Names of files and keys are the author's, and an author may be hostile to terminals.
        return visible(f"{place}: {self.rule} {self.severity}: {path}: {self.message.removesuffix('.')}{tail}")
