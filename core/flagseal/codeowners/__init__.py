"""CODEOWNERS as GitHub documents it, read strictly: who owns a path (docs/adr/0140)."""

from flagseal.codeowners.owner import Owner, OwnerKind
from flagseal.codeowners.parsing import LARGEST, PLACES, UNREADABLE, Codeowners, parse, which
from flagseal.codeowners.pattern import Pattern

__all__ = [
    "LARGEST",
    "PLACES",
    "UNREADABLE",
    "Codeowners",
    "Owner",
    "OwnerKind",
    "Pattern",
    "parse",
    "which",
]
