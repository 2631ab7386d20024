"""What a process that runs for long logs to standard error: text for people, or JSON lines for what collects logs."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Final

import click

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}

log_option = click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What is logged to standard error.",
)


def start_logging(style: str, whose: str = "flagseal") -> None:
    """Log what happens from now on: warnings of everybody's, and more of whom it is asked for.

    Args:
        style: ``text`` or ``json``.
        whose: The loggers that tell more than warnings; an empty name stands for all.
    """
    root = logging.getLogger()
    root.setLevel(min(root.level, logging.WARNING))  # -v asks for more.
    logging.getLogger(whose).setLevel(logging.INFO)
    if style == "json":
        for handler in root.handlers:
            handler.setFormatter(JsonLines())


class JsonLines(logging.Formatter):
    """Write a record as one JSON object, with what was given as ``extra`` beside time, level, logger and message.

    Objects that JSON has no form for are left out: libraries hang their own on records.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: it for name, it in vars(record).items() if name not in _STANDARD and _is_plain(it)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_plain(it) for it in value)
    return value is None or isinstance(value, str | int | float | bool)
