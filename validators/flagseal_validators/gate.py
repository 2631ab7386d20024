"""The gate: every rule, held against a repository."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flagseal.model.errors import UsageError
from flagseal.repository.layout import FOLDERS
from flagseal_validators.examining import Means, examine
from flagseal_validators.judged import Judged
from flagseal_validators.ownership import look_at_ownership
from flagseal_validators.report import Report, Suppressed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from flagseal.repository.reading import ReadFiles
    from flagseal_validators.memory import Memory
    from flagseal_validators.touched import Base


def validate_paths(  # noqa: PLR0913 (each is a choice of its own)
    root: Path,
    paths: Sequence[Path] = (),
    *,
    today: date,
    touched: Collection[str] | None = None,
    read: ReadFiles | None = None,
    before: Mapping[str, bytes] | None = None,
    base: Base | None = None,
    memory: Memory | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
    host: str | None = None,
) -> Report:
    """Hold every rule against the files of a repository.

    All files are read, since rules look across them; what is reported is about the files asked for.

    Args:
        root: The repository's top folder.
        paths: Files and folders below ``flags/`` or ``policies/``; none for everything.
        today: The day, UTC.
        touched: Files (relative to the root) that the change at hand touches; None takes the files among ``paths``.
            On others, what only time brought about is a warning.
        read: How many files are read; by default afresh, as few always are.
        before: What the files that the change touches held before it, by path; None where no change is looked at.
        base: What the working tree is compared with; then it says both of the above.
        memory: What was found before, for who waits; None looks at everything.
        processes: How many may judge. Call it before there are threads.
        progress: Told how many of how many documents are judged, if it takes long.
        host: The account that the repository belongs to in the forge, where that is known.

    Raises:
        UsageError: A path does not exist, or lies elsewhere.
        RepositoryError: ``ObjectMissing``, ``ObjectCorrupt``, ``GitFailed``: what was before cannot be told.
    """
    wanted = [relative_to(root, path) for path in paths]
    if touched is None and base is None:
        touched = frozenset(name for name in wanted if (root / name).is_file())
    examined = examine(root, Means(today, read, processes, progress), memory)
    judged = [*examined.judged, *map(Judged, look_at_ownership(root, examined.names, examined.policies, host))]
    born: Mapping[str, date] = {}
    if base is not None:
        touched = base.touched(examined.listed, {known.path: known.blob for known in examined.files})
        before = base.contents(touched)
        born = base.born(before)
    if before:
        # Here and not above: without a change, the rules may not be needed.
        from flagseal_validators.changes import Past, look_at_change, only_ending  # noqa: PLC0415

        judged += look_at_change(root, examined.names, Past(before, born), today)
        touched = frozenset(touched or ()) - only_ending(root, before)
    touched = touched or frozenset()
    chosen = [it for it in judged if _is_wanted(it.finding.file, wanted)]
    found = sorted(it.at(touched) for it in chosen if it.suppressed is None)
    excused = [Suppressed(it.at(touched), it.suppressed) for it in chosen if it.suppressed is not None]
    count = sum(_is_wanted(name, wanted) for name in examined.names) if wanted else len(examined.names)
    return Report(tuple(found), count, tuple(sorted(excused, key=lambda it: (it.finding, it.by))))


def relative_to(root: Path, path: Path) -> str:
    """Name a path relative to the root, without following it.

    Raises:
        UsageError: It does not exist, or lies elsewhere.
    """
    # Not resolved: a link is judged as the link it is.
    absolute = os.path.abspath(path)  # noqa: PTH100
    if not os.path.lexists(absolute):
        raise UsageError(f"{path}: there is no such file or folder", code="NoSuchPath", remedy="Name one that exists.")
    name = os.path.relpath(absolute, os.path.abspath(root)).replace(os.sep, "/")  # noqa: PTH100
    if name != "." and name.split("/")[0] not in FOLDERS:
        raise UsageError(
            f"{path}: not below {'/, '.join(FOLDERS)}/ of {root}",
            code="NotInRepository",
            remedy="Name files of the flag repository, or none for all.",
        )
    return name


def _is_wanted(file: str, wanted: Iterable[str]) -> bool:
    names = list(wanted)
    return not names or any(name in {".", file} or file.startswith(f"{name}/") for name in names)
