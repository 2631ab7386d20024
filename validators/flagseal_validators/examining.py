"""Looking at a repository: everything, or only what may have changed since the last time."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from flagseal.repository.git import blob_id
from flagseal.repository.layout import POLICIES
from flagseal_validators.judged import Judged
from flagseal_validators.memory import Besides, Remembered
from flagseal_validators.tree import arrange, read_file, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from flagseal.model.finding import Finding
    from flagseal.model.loader import Loaded
    from flagseal.repository.reading import ReadFiles
    from flagseal_validators.memory import Found, Known, Memory
    from flagseal_validators.tree import Listed


class Means(msgspec.Struct, frozen=True):
    """How to look.

    Attributes:
        today: The day on which the rules are held, UTC.
        read: How many files are read; few are read afresh.
        processes: How many may judge.
        progress: Told how many of how many documents are judged, if it takes long.
    """

    today: date
    read: ReadFiles | None = None
    processes: int = 1
    progress: Callable[[int, int], None] | None = None


class Examined(msgspec.Struct, frozen=True):
    """What is to be said of a repository.

    Attributes:
        judged: In no order.
        names: Every file that was read.
        policies: The policies as canonical JSON; none if they contradict each other.
        listed: Everything that lies there, by path.
        files: What is known of every file that was read.
    """

    judged: tuple[Judged, ...]
    names: tuple[str, ...]
    policies: tuple[bytes, ...]
    listed: Mapping[str, Listed]
    files: Sequence[Known]


class Files(msgspec.Struct, eq=False):
    """The files of a repository as they lie now, each read at most once.

    Attributes:
        root: The repository's top folder.
        listed: Everything that lies there, by path.
        names: What holds documents or policy tests, in the order in which documents count.
        misplaced: What is wrong with what lies there besides.
        besides: That.
    """

    root: Path
    listed: Mapping[str, Listed]
    names: Sequence[str]
    misplaced: tuple[Finding, ...]
    besides: Besides
    _data: dict[str, bytes | None] = msgspec.field(default_factory=dict)

    @classmethod
    def of(cls, root: Path, before: Remembered | None) -> Files:
        """List the files of a repository.

        Args:
            root: Its top folder.
            before: What was found before; where the same things lie in the same places, they mean the same.
        """
        listed = walk(root)
        if before is not None:
            names = [known.path for known in before.files]
            if before.besides.and_these(names, listed):
                return cls(root, listed, names, before.misplaced, before.besides)
        placed, tests, misplaced = arrange(listed)
        names = [entry.path for entry in (*placed, *tests)]
        return cls(root, listed, names, tuple(misplaced), Besides.of(listed, frozenset(names)))

    def read(self, name: str) -> bytes | None:
        """Give a file's bytes; None if it is no file, or cannot be read."""
        if name not in self._data:
            self._data[name] = read_file(self.root / name) if self.listed[name][0] == "file" else None
        return self._data[name]

    def content(self, name: str) -> bytes:
        """Give the SHA-256 of a file's bytes; nothing if it cannot be read."""
        data = self.read(name)
        return b"" if data is None else hashlib.sha256(data).digest()

    def blob(self, name: str) -> bytes:
        """Give the SHA-1 object id of a file's bytes; nothing if it cannot be read."""
        data = self.read(name)
        return b"" if data is None else bytes.fromhex(blob_id(data, like="0" * 40))

    def load(self, names: Iterable[str], read: ReadFiles) -> dict[str, Loaded]:
        """Load what can be read, by path."""
        found = [(name, data) for name in names if (data := self.read(name)) is not None]
        return dict(zip((name for name, _ in found), read(found), strict=True))


class Difference(msgspec.Struct, frozen=True):
    """What is another since the last run.

    Attributes:
        kept: Files whose content is the same, by path.
        changed: Files that are new, or hold something else.
        past: What was known of files that hold something else, or are no more.
    """

    kept: Mapping[str, Known]
    changed: list[str]
    past: list[Known]


def examine(root: Path, means: Means, memory: Memory | None = None) -> Examined:
    """Hold every rule against a repository.

    Args:
        root: Its top folder.
        means: How to look.
        memory: What was found before; None to look at everything.
    """
    day = means.today.isoformat()
    began = memory.clock() if memory is not None else 0
    before = memory.recall(day) if memory is not None else None
    files = Files.of(root, before)
    found = _since(before, files, means) if before is not None else None
    if found is None:
        # Here and not above: after a run that changed nothing, the rules are not needed, and take as long as all else.
        from flagseal_validators.looking import look_at_all  # noqa: PLC0415

        found = look_at_all(files, means)
    if memory is not None and (before is None or found is not before.found):
        memory.keep(Remembered(day, began, files.besides, files.misplaced, found))
    judged = [*map(Judged, files.misplaced), *found.rest]
    for known in found.files:
        if known.form:
            judged += map(Judged, known.form)
        if known.judged:
            judged += known.judged
    policies = tuple(known.canonical for known in found.files if known.canonical) if found.consistent else ()
    return Examined(tuple(judged), tuple(files.names), policies, files.listed, found.files)


def _since(before: Remembered, files: Files, means: Means) -> Found | None:
    """Look at what may have changed; None where that is too much, or cannot be told.

    Returns:
        What was found before, itself, if nothing at all is another.
    """
    if _of_policies(before.misplaced) != _of_policies(files.misplaced):
        return None
    difference, again = _compared(before, files)
    if difference.changed or difference.past:
        from flagseal_validators.looking import look_again  # noqa: PLC0415 (as above)

        return look_again(files, difference, means, before.found)
    return before.found.of([difference.kept[name] for name in files.names]) if again else before.found


def _of_policies(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.file.startswith(f"{POLICIES}/")]


def _compared(before: Remembered, files: Files) -> tuple[Difference, bool]:
    """Tell files apart; and whether any had to be read though it holds what it held."""
    listed, settled = files.listed, before.settled
    kept = {
        known.path: known
        for known in before.files  # Ten thousand times: nothing in here that need not be.
        if known.path in listed
        and known.mark == (mark := listed[known.path][1])
        and 0 <= mark[0] < settled
        and mark[1] < settled
    }
    if len(kept) == len(before.files) == len(files.names):
        return Difference(kept, [], []), False
    others = {known.path: known for known in before.files if known.path not in kept}
    changed: list[str] = []
    again = False
    for name in files.names:
        if name not in kept:
            known = others.get(name)
            if known is not None and known.content == files.content(name):
                again = True
                kept[name] = others.pop(name).at(listed[name][1])
            else:
                changed.append(name)
    return Difference(kept, changed, list(others.values())), again
