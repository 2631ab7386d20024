"""How large things may be (formats.md, Reading YAML)."""

from __future__ import annotations

from typing import Final

LARGEST_FILE: Final = 256 * 1024
"""Bytes of one file."""

DEEPEST: Final = 32
"""Mappings and lists inside one another, the document itself included."""

LARGEST_INTEGER: Final = 2**53 - 1
"""The largest integer that every JSON reader keeps exact (RFC 7493, section 2.2)."""

MOST_FINDINGS: Final = 100
"""Told of one reading of one file: whoever has that many corrects some and looks again."""
