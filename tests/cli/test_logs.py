"""What a long-running process logs."""

from __future__ import annotations

import json
import logging

from flagseal_cli.logs import JsonLines


def test_a_line_is_json_whatever_is_in_it() -> None:
    """New lines and quotes are escaped; objects that a library hung on the record stay out."""
    said = {"event": "x", "keys": ["a", "b"], "count": 2, "settings": object(), "of": {"name": "n"}}
    record = logging.makeLogRecord({"name": "x", "msg": 'a\n"b" %s', "args": ("é",), **said})
    line = JsonLines().format(record)
    assert "\n" not in line
    read = json.loads(line)
    assert read["message"] == 'a\n"b" é'
    assert {name: read.get(name) for name in said} == {**said, "settings": None, "of": None}
