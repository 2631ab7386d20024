"""A flag repository in git: documents at a revision, commits as they were signed, notes.

The only room that reads git. What it hands out is content; it believes nobody's name. Its names are imported when they
are asked for: whoever reads files only need not wait for what speaks to git.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flagseal.repository.commit import Commit
    from flagseal.repository.flag_repository import FlagRepository
    from flagseal.repository.notes import NOTES_REF

__all__ = ["NOTES_REF", "Commit", "FlagRepository"]

_HOMES = {"NOTES_REF": "notes", "Commit": "commit", "FlagRepository": "flag_repository"}


def __getattr__(name: str) -> object:
    """Import one of the names above from its module (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
