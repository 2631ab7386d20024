"""The sample company, as data that ships with the command.

An installed wheel carries it beside this module; a source checkout has it at its top.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from flagseal.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

WRITTEN_ON = date(2026, 11, 22)
"""The day on which the sample's dates make sense; a demo moves them by as much as today is later."""

_DATE = re.compile(r"(?<=\")(\d{4})-(\d{2})-(\d{2})(?=[T\"])")


def sample_files() -> dict[str, str]:
    """Read the sample's ``flags/`` and ``policies/``.

    Returns:
        Path relative to a repository, with forward slashes, to text; sorted.

    Raises:
        UsageError: The installation carries no sample.
    """
    here = Path(__file__).resolve().parent
    for base in (here / "demo", here.parent.parent):
        if (base / "policies" / "organisation.yaml").is_file():
            paths = sorted(path for top in ("flags", "policies") for path in (base / top).rglob("*.yaml"))
            return {path.relative_to(base).as_posix(): path.read_text("utf-8") for path in paths}
    raise UsageError("this installation carries no sample company", code="NoSample", remedy="Reinstall flagseal.")


def moved_to(files: Mapping[str, str], today: date) -> dict[str, str]:
    """Move every quoted ISO date of the sample so that it stands to ``today`` as it stood to its own day."""
    shift = today - WRITTEN_ON
    return {path: _DATE.sub(lambda match: _shifted(match, shift), text) for path, text in files.items()}


def _shifted(match: re.Match[str], shift: timedelta) -> str:
    year, month, day = (int(part) for part in match.groups())
    return (date(year, month, day) + shift).isoformat()
