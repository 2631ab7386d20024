"""Where git keeps a repository, and from where git is run."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from flagseal.model.errors import RepositoryError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOVE: Final = ("GIT_DIR", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_WORK_TREE")
"""Variables by which a person says that something lies elsewhere."""
_NOT_BARE: Final = re.compile(rb"^\s*bare\s*=\s*false\s*$", re.MULTILINE)
_HEAD: Final = re.compile(rb"ref:\s*refs/|[0-9a-f]{40}")
_LARGEST: Final = 64 * 1024


class Located(msgspec.Struct, frozen=True):
    """Say where a repository lies.

    Attributes:
        git_dir: Its ``.git`` folder, or itself if it is bare; absolute.
        root: The working tree's top folder, absolute; None in a bare repository.
        folder: Where git is run.
        environment: Variables that git is to be given besides.
    """

    git_dir: Path
    root: Path | None
    folder: Path
    environment: Mapping[str, str]


def locate(path: Path) -> Located:
    """Find a repository by its top folder, or by itself if it is bare; not from within.

    Raises:
        RepositoryError: ``NotARepository``.
    """
    return _plain(path) or _any(path)


def _plain(path: Path) -> Located | None:
    """Find what nearly every repository is: a working tree with a folder ``.git`` in it, and nothing said otherwise."""
    root = Path(os.path.abspath(path))  # noqa: PTH100 (no link is followed)
    git_dir = root / ".git"
    if any(name in os.environ for name in _MOVE) or str(path).startswith("~"):
        return None
    whole = all((git_dir / name).is_dir() for name in ("objects", "refs")) and not os.path.lexists(
        git_dir / "commondir"
    )
    if not whole or (git_dir / "HEAD").is_symlink() or _HEAD.match(_read(git_dir / "HEAD")) is None:
        return None
    config = _read(git_dir / "config").lower()  # As git reads names in it.
    # Once, and nothing that could say it differently elsewhere.
    if len(config) > _LARGEST or config.count(b"bare") != 1 or _NOT_BARE.search(config) is None or b"include" in config:
        return None
    return Located(git_dir, root, root, {})


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST + 1)
    except OSError:
        return b""


def _any(path: Path) -> Located:
    """Find a repository of any form: bare, a linked working tree, a submodule, one that variables speak of."""
    # Here and not above: it takes as long to import as all else.
    import git  # noqa: PLC0415

    try:
        found = git.Repo(path, expand_vars=False)
    except (git.InvalidGitRepositoryError, git.NoSuchPathError) as error:
        raise RepositoryError(
            f"{path}: no git repository.",
            code="NotARepository",
            remedy="Name the root of a flag repository, or write one with `flagseal init`.",
        ) from error
    root = found.working_tree_dir
    return Located(
        Path(found.git_dir).absolute(),
        Path(root).absolute() if root is not None else None,
        Path(found.working_dir),
        found.git.environment(),
    )
