"""Durations as people write them on the command line."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

from flagseal.model.instants import parse_duration


class Duration(click.ParamType[timedelta]):
    """Read ``30s``, ``15m``, ``8h`` or ``2d``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:  # noqa: ANN401 (click's)
        """Read one."""
        try:
            return timedelta(seconds=parse_duration(str(value)))
        except (ValueError, KeyError, IndexError, OverflowError):
            self.fail(f"{value!r} is no duration like 30m or 2h", param, ctx)
