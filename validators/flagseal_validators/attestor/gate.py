"""Check 8: the gate, run here, on the tree that landed."""

from __future__ import annotations

import errno
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
_LONGEST_SHOWN: Final = 80
_LINK: Final = "120000"
_NOWHERE: Final = "nowhere/at/all"
_NO_SUCH_PATH: Final = frozenset(
    {errno.ENAMETOOLONG, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOENT, errno.EILSEQ, errno.EINVAL}
)
"""What a path in the commit is to blame for, and not the disk."""


def gate(repository: FlagRepository, commit: str, *, base: str, today: date, host: str | None) -> Check:
    """Hold every rule of the gate against a commit.

    Args:
        repository: Holds it.
        commit: Object id.
        base: Object id of the commit that is accepted: what the change touches, and what was there before it, is read.
        today: The day, UTC.
        host: The account that the repository belongs to in the forge, where that is known.
    """
    findings = findings_at(repository, commit, base=base, today=today, host=host)
    errors = [it for it in findings if it.severity == "error"]
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
    host: str | None = None,
) -> tuple[Finding, ...]:
    """Say what the gate finds in a commit; written to a folder of its own, and read there like any other.

    Args:
        repository: Holds it.
        commit: Object id.
        today: The day, UTC.
        base: Object id of the commit that it is compared with: what it touches, and what was there before, is read.
        host: The account that the repository belongs to in the forge, where that is known.

    Raises:
        RepositoryError: ``BadTree``: a path that no folder can have; ``TreeTooLarge``.
    """
    with tempfile.TemporaryDirectory(prefix="flagseal-gate-") as folder:
        root = Path(folder)
        _write(repository, commit, root)
        _write_owners(repository, commit, root)
        compared = Base(root, repository, base, repository.blobs(base))
        return validate_paths(root, (), today=today, base=compared, host=host).findings


def _write(repository: FlagRepository, commit: str, root: Path) -> None:
    listing = repository.git.listing("ls-tree", "-r", "-z", "--full-tree", commit, *FOLDERS)
    rows = [row.partition(b"\t") for row in listing]
    entries = [(meta.decode("ascii").split(" "), path) for meta, _, path in rows]
    files = sorted({blob for (mode, kind, blob), _ in entries if kind == "blob" and mode != _LINK})
    blobs = {
        name: b" " * (LARGEST_FILE + 1) if data is None else data
        for name, _, data in repository.git.objects(files, largest=LARGEST_FILE)
    }
    for (mode, kind, blob), path in entries:
        if {b"", b".", b".."} & set(path.split(b"/")):
            raise _bad_tree(commit, path, "a path with dots in it")
        target = root / os.fsdecode(path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if kind != "blob":
                (target / ".git").mkdir(parents=True)  # A submodule, for the gate to refuse.
            elif mode == _LINK:
                target.symlink_to(_NOWHERE)  # That it is a link is all that is looked at.
            else:
                target.write_bytes(blobs[blob])
        except OSError as error:
            if error.errno not in _NO_SUCH_PATH:
                raise
            raise _bad_tree(commit, path, error.strerror or "no such path") from error


def _bad_tree(commit: str, path: bytes, why: str) -> RepositoryError:
    text = os.fsdecode(path)
    name = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
    return RepositoryError(
        f"{commit[:12]}: {name!r} cannot be written to a folder: {why}.",
        code="BadTree",
        remedy="Remove or rename it, by a request.",
    )


def _write_owners(repository: FlagRepository, commit: str, root: Path) -> None:
    """Put CODEOWNERS where the gate looks for it, as the attestor reads it; where there is none, it is missed."""
    (root / ".github").mkdir()
    for place in PLACES:
        data = file_at(repository.git, commit, place, largest=LARGEST)
        if data is not None:
            (root / place).parent.mkdir(exist_ok=True)
            (root / place).write_bytes(data)
