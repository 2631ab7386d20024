"""What the gate and the loader report: one value a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
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
        """Render as ``file:line:column: RULE message. Remedy`` on one line."""
        place = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        tail = f". {self.remedy}" if self.remedy else ""
        return f"{place}: {self.rule} {self.severity}: {self.path}: {self.message.removesuffix('.')}{tail}"
