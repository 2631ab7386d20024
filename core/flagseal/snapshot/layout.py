"""What is called how: roles, metadata files and targets of one environment's repository (distribution.md, Layout)."""

from __future__ import annotations

from typing import Final

TRUST: Final = "trust.json"
REPOSITORY: Final = "_repository"
"""The one namespace that is nobody's flags. Those of flags are DNS labels and cannot start with ``_``."""

HEAD: Final = f"{REPOSITORY}/head.json"
GENESIS: Final = f"{REPOSITORY}/genesis.json"
HISTORY: Final = f"{REPOSITORY}/history/"
FLAGS: Final = "flags.json"
PROVENANCE: Final = "provenance.json"
ACCESS: Final = "access.json"

ONLINE: Final = "online"
ONLINE_PATHS: Final = ("*/*", "*/*/*")
"""TUF patterns do not cross slashes, and history lies one folder deeper than flags. ``trust.json`` matches neither."""

HISTORY_LENGTH: Final = 100
"""Statements in one file of history; the last one grows, the others never change."""

_NS: Final = "ns-"


def role_of(namespace: str) -> str:
    """Name the role that signs a namespace's files."""
    return f"{_NS}{namespace}"


def namespace_of(role: str) -> str | None:
    """Tell which namespace a role signs; None for the others."""
    return role.removeprefix(_NS) if role.startswith(_NS) else None


def paths_of(namespace: str) -> list[str]:
    """Give the target paths a namespace's role is trusted with."""
    return [f"{namespace}/*", f"{namespace}/*/*"] if namespace == REPOSITORY else [f"{namespace}/*"]


def history_number(sequence: int) -> int:
    """Tell in which file of history a statement lies; sequences count from 1."""
    return (sequence - 1) // HISTORY_LENGTH


def history_file(number: int) -> str:
    """Name a file of history as a target."""
    return f"{HISTORY}{number}.jsonl"


def metadata_name(role: str, version: int | None = None) -> str:
    """Name a metadata file in the store: ``metadata/7.snapshot.json``; ``timestamp`` has no version."""
    return f"metadata/{role}.json" if version is None else f"metadata/{version}.{role}.json"


def target_name(path: str, sha256: str) -> str:
    """Name a target file in the store, prefixed with its hash (TUF 6.2, consistent snapshots)."""
    folder, slash, base = path.rpartition("/")
    return f"targets/{folder}{slash}{sha256}.{base}"
