"""Where things lie: a flag repository, its ``.flagseal`` folder, and the data of one environment in it.

::

    <repository>/.flagseal/            ignored by git
    ├── cache/                         what the gate and the plan found before; safe to delete
    ├── keys/<person>, <person>.pub    demo only: the people's SSH keys
    └── up/<environment>/              --data: what `flagseal up` keeps
        ├── trust/                     root.json (pinned), offline and online signing keys
        ├── store/                     the TUF repository: metadata/ and targets/
        ├── cache/                     what the relay verified last
        ├── marks.json                 highest head and snapshot ever published
        └── up.json                    address of the running relay
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flagseal.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flagseal.repository.reading import QuickReader

FOLDER = ".flagseal"


def quick_reader(repository: Path, progress: Callable[[int, int], None] | None = None) -> QuickReader:
    """Read files by what is known of them; for commands that tell, never for those that sign or publish."""
    from flagseal.repository.reading import QuickReader

    return QuickReader(cache_folder(repository), progress=progress)


def cache_folder(repository: Path) -> Path:
    """Say where the cache of a repository lies."""
    return repository / FOLDER / "cache"


@contextmanager
def without_gc() -> Iterator[None]:
    """Look for no cycles among ten thousand small values that live to the end: that takes longer than all else."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The data of one environment."""

    path: Path

    @property
    def trust(self) -> Path:
        """Folder of the pinned root and of the signing keys."""
        return self.path / "trust"

    @property
    def root(self) -> Path:
        """The pinned root metadata: what this installation trusts first."""
        return self.trust / "root.json"

    @property
    def online_key(self) -> Path:
        """The private key that signs snapshots and timestamps."""
        return self.trust / "online.pem"

    @property
    def next_online_key(self) -> Path:
        """The online key that a rotation under way generated."""
        return self.trust / "online.next.pem"

    @property
    def offline_keys(self) -> Path:
        """Folder of the private keys that sign root and trust.json; to be moved elsewhere in earnest."""
        return self.trust / "offline"

    @property
    def store(self) -> Path:
        """The published TUF repository."""
        return self.path / "store"

    @property
    def cache(self) -> Path:
        """The relay's cache; it can be lost."""
        return self.path / "cache"

    @property
    def marks(self) -> Path:
        """Highest head sequence and snapshot version ever published."""
        return self.path / "marks.json"

    @property
    def emergencies(self) -> Path:
        """Folder of the claims that ``flagseal override`` leaves for ``flagseal up``."""
        return self.path / "emergencies"

    @property
    def lock(self) -> Path:
        """Held by the one process that publishes."""
        return self.path / "up.lock"

    @property
    def address(self) -> Path:
        """Where the relay of the running process listens."""
        return self.path / "up.json"

    @property
    def is_initialised(self) -> bool:
        """Whether a root was pinned here."""
        return self.root.is_file()

    def read_root(self) -> bytes:
        """Read the pinned root.

        Raises:
            UsageError: Nothing was set up here yet.
        """
        if not self.is_initialised:
            raise UsageError(
                f"{self.root}: no trusted root here yet",
                code="NoTrust",
                remedy="Run `flagseal up` or `flagseal trust init` first, or name another folder with --data.",
            )
        return self.root.read_bytes()


def find_repository(start: Path | None) -> Path:
    """Find the flag repository at or above a folder.

    Args:
        start: Where to begin; None means the current folder.

    Raises:
        UsageError: There is no git repository with ``policies/`` at or above it.
    """
    begin = (start or Path.cwd()).resolve()
    for folder in (begin, *begin.parents):
        if (folder / ".git").exists() and (folder / "policies").is_dir():
            return folder
    raise UsageError(
        f"{begin}: not inside a flag repository (a git repository with flags/ and policies/)",
        code="NoFlagRepository",
        remedy="Change into one, name it with --repo, or write one with `flagseal init DIR`.",
    )


def data_folder(repository: Path, environment: str | None, data: Path | None) -> DataFolder:
    """Find the data of an environment.

    Args:
        repository: The flag repository.
        environment: Its name; None takes the only one there is, ``production`` if there are several.
        data: What ``--data`` named, which wins.

    Raises:
        UsageError: No environment was set up yet.
    """
    if data is not None:
        return DataFolder(data.resolve())
    base = repository / FOLDER / "up"
    if environment is not None:
        return DataFolder(base / environment)
    present = sorted(folder.name for folder in base.iterdir() if (folder / "trust").is_dir()) if base.is_dir() else []
    if not present:
        raise UsageError(
            f"{base}: nothing was set up here yet",
            code="NoTrust",
            remedy="Run `flagseal up` (or `flagseal trust init`) for this repository first, or name --data.",
        )
    return DataFolder(base / ("production" if "production" in present else present[0]))


def person_key(repository: Path, person: str, key: Path | None) -> Path:
    """Find the private SSH key a person signs with.

    Raises:
        UsageError: There is none at the place named or at the demo's place.
    """
    path = key if key is not None else repository / FOLDER / "keys" / person
    if not path.is_file():
        raise UsageError(
            f"{path}: no private SSH key of {person} here",
            code="NoKey",
            remedy="Name the key with --key PATH (a private key, or the public one of a key in your SSH agent).",
        )
    return path
