"""Check 8: the gate, run here, on the tree that landed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

from flagseal.codeowners import LARGEST, PLACES
from flagseal.model.errors import RepositoryError
from flagseal.model.limits import LARGEST_FILE
from flagseal.policy.decision import Check
from flagseal.repository.changes import file_at
from flagseal.repository.layout import FOLDERS
from flagseal_validators.gate import validate_paths
from flagseal_validators.touched import Base

if TYPE_CHECKING:
    from datetime import date

    from flagseal.model.finding import Finding
    from flagseal.repository import FlagRepository

_SHOWN: Final = 5


def gate(repository: FlagRepository, commit: str, *, base: str, today: date) -> Check:
    """Hold every rule of the gate against a commit.

    Args:
        repository: Holds it.
        commit: Object id.
        base: Object id of the commit that is accepted: what the change touches, and what was there before it, is read.
        today: The day, UTC.
    """
    errors = [it for it in findings_at(repository, commit, base=base, today=today) if it.severity == "error"]
    more = f" and {len(errors) - _SHOWN} more" if len(errors) > _SHOWN else ""
    return Check(
        "gate",
        None,
        passed=not errors,
        reason="; ".join(it.text() for it in errors[:_SHOWN]) + more if errors else "the gate passes on what landed",
        remedy="Correct it in a further change: `flagseal validate` names every place." if errors else "",
    )


def findings_at(
    repository: FlagRepository,
    commit: str,
    *,
    today: date,
    base: str,
) -> tuple[Finding, ...]:
    """Say what the gate finds in a commit; written to a folder of its own, and read there like any other.

    Args:
        repository: Holds it.
        commit: Object id.
        today: The day, UTC.
        base: Object id of the commit that it is compared with: what it touches, and what was there before, is read.

    Raises:
        RepositoryError: ``BadTree``: a path that no repository can have.
    """
    with tempfile.TemporaryDirectory(prefix="flagseal-gate-") as folder:
        root = Path(folder)
        _write(repository, commit, root)
        _write_owners(repository, commit, root)
        compared = Base(root, repository, base, repository.blobs(base))
        return validate_paths(root, (), today=today, base=compared).findings


def _write(repository: FlagRepository, commit: str, root: Path) -> None:
    listing = repository.git.run("ls-tree", "-r", "-z", "--full-tree", commit, *FOLDERS)[1]
    rows = [row.partition(b"\t") for row in listing.split(b"\0")[:-1]]
    entries = [(meta.decode("ascii").split(" "), path) for meta, _, path in rows]
    blobs = {
        name: b" " * (LARGEST_FILE + 1) if data is None else data
        for name, _, data in repository.git.objects(
            sorted({blob for (_, kind, blob), _ in entries if kind == "blob"}), largest=LARGEST_FILE
        )
    }
    for (mode, kind, blob), path in entries:
        if {b"", b".", b".."} & set(path.split(b"/")):
            raise RepositoryError(f"{commit[:12]}: a path with dots in it.", code="BadTree")
        target = root / os.fsdecode(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        if kind != "blob":
            (target / ".git").mkdir(parents=True)  # A submodule, for the gate to refuse.
        elif mode == "120000":
            target.symlink_to(os.fsdecode(blobs[blob]) or ".")
        else:
            target.write_bytes(blobs[blob])


def _write_owners(repository: FlagRepository, commit: str, root: Path) -> None:
    """Put CODEOWNERS where the gate looks for it, as the attestor reads it; where there is none, it is missed."""
    (root / ".github").mkdir()
    for place in PLACES:
        data = file_at(repository.git, commit, place, largest=LARGEST)
        if data is not None:
            (root / place).parent.mkdir(exist_ok=True)
            (root / place).write_bytes(data)
