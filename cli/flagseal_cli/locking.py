"""One process at a time in a data folder."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flagseal.model.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flagseal_cli.workspace import DataFolder


@contextmanager
def alone_in(folder: DataFolder) -> Iterator[None]:
    """Hold a data folder: a publisher and a ceremony, or two publishers, would get in each other's way.

    A folder in which nothing was founded by the end is not left behind.

    Raises:
        UsageError: ``AlreadyRunning``.
    """
    new = [path for path in (folder.path, *folder.path.parents) if not path.exists()]
    # The store names customers, and the keys are beside it: nobody else's business.
    folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        with folder.lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise UsageError(
                    f"{folder.path}: `flagseal up` is at work here",
                    code="AlreadyRunning",
                    remedy="Stop it first (and start it again afterwards), or name another folder with --data.",
                ) from None
            yield
    finally:
        if not folder.is_initialised and new:
            folder.lock.unlink(missing_ok=True)
            _remove_empty(new)


def _remove_empty(folders: list[Path]) -> None:
    for path in folders:
        try:
            path.rmdir()
        except OSError:
            return
