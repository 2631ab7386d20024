"""Searching source trees for flags: ripgrep where there is one, else git; then each file by its language's rules.

Nothing of a tree is run: no configuration, hook, filter, preprocessor or ignore file of it plays a part, links are
not followed, and names are bytes that are handed to nobody as options.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from flagseal.model.characters import visible
from flagseal.model.errors import FlagsealError, RepositoryError
from flagseal.repository.git import Plumbing
from flagseal_validators.retirement.patterns import hits

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from flagseal_validators.retirement.patterns import How

LARGEST: Final = 8 * 1024 * 1024
"""Bytes of a source file that are read; whatever is larger and holds a key counts as a mention of it."""
_NOTHING_FOUND: Final = 1
_HOSTED: Final = re.compile(
    r"(?:https://|git@|ssh://git@)github\.com[/:](?P<name>[A-Za-z0-9-]{1,39}/[A-Za-z0-9._-]{1,100}?)(?:\.git)?/?"
)


class SearchFailed(FlagsealError):
    """A tree was not searched whole: ``SearchFailed``. Then nothing is known of it."""

    code = "SearchFailed"


@dataclass(frozen=True, slots=True)
class Reference:
    """One place where code asks for a flag.

    Attributes:
        place: ``path:line`` from the tree's top, fit to be shown.
        how: What it looks like.
        link: Where a person reads it; empty where the tree is on no host that is known.
    """

    place: str
    how: How
    link: str = ""


def search(
    trees: Iterable[Path], keys: Iterable[str], *, skip: Path | None = None
) -> Mapping[str, tuple[Reference, ...]]:
    """Find every place where source trees ask for flags.

    Args:
        trees: Folders.
        keys: What applications ask for.
        skip: The flag repository: its ``flags/`` and ``policies/`` are no code.

    Raises:
        SearchFailed: A tree could not be searched whole.

    Returns:
        By key, every one of them.
    """
    wanted = frozenset(keys)
    found: dict[str, list[Reference]] = {key: [] for key in sorted(wanted)}
    if not wanted:
        return {}
    for tree in trees:
        top = tree.resolve()
        host = _host(top)
        left_out = _left_out(top, skip)
        for name in _candidates(top, wanted):
            if any(name == folder or name.startswith(folder + b"/") for folder in left_out):
                continue
            for key, line, how in _read(top, name, wanted):
                shown = visible(name.decode("utf-8", "replace"))
                link = f"{host}/{quote(name)}#L{line}" if host else ""
                found[key].append(Reference(f"{shown}:{line}" if line else shown, how, link))
    return {key: tuple(sorted(places, key=lambda it: (it.how, it.place))) for key, places in found.items()}


def _read(top: Path, name: bytes, wanted: frozenset[str]) -> Iterator[tuple[str, int, How]]:
    ending = os.path.splitext(name)[1][1:].decode("ascii", "replace").lower()  # noqa: PTH122 (bytes)
    data = _contents(os.path.join(os.fsencode(top), name))  # noqa: PTH118 (bytes)
    if data is None:
        return
    if len(data) > LARGEST:
        yield from ((key, 0, "mention") for key in sorted(wanted) if key.encode() in data)
        return
    for hit in hits(data.decode("utf-8", "replace"), ending, wanted):
        yield hit.key, hit.line, hit.how


def _contents(path: bytes) -> bytes | None:
    """Read a file that is one; a link, a pipe or a device is none."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if os.path.islink(path):  # noqa: PTH114 (bytes)
            return None
        raise SearchFailed(
            f"{visible(os.fsdecode(path))}: cannot be read: {error.strerror}", remedy="Make it readable."
        ) from error
    with os.fdopen(handle, "rb") as file:
        return file.read() if stat.S_ISREG(os.fstat(handle).st_mode) else None


def _candidates(top: Path, wanted: frozenset[str]) -> list[bytes]:
    """Name the files that hold one of the keys, from the tree's top, by the quickest that is there."""
    with tempfile.NamedTemporaryFile("w", prefix="flagseal-keys-") as listed:
        listed.writelines(f"{key}\n" for key in sorted(wanted))
        listed.flush()
        ripgrep = shutil.which("rg")
        if ripgrep is not None:
            command = [
                ripgrep, "--no-config", "--files-with-matches", "--null", "--fixed-strings", "--no-ignore",
                "--hidden", "--glob", "!.git", "--no-messages", "--text", "--sort", "path",
                "--file", listed.name, "--", ".",
            ]  # fmt: skip
        else:
            inside = (top / ".git").exists()
            command = [
                "git", "--no-pager", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null",
                "-c", "grep.fallbackToNoIndex=true", "grep", "--no-textconv", "--text", "--no-color", "--fixed-strings",
                "--files-with-matches", "-z", "-f", listed.name,
                *(["--untracked", "--no-exclude-standard"] if inside else ["--no-index"]),
                "--", ".",
            ]  # fmt: skip
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "RIPGREP_"))}
        settings = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_CONFIG_NOSYSTEM": "1"}
        try:
            done = subprocess.run(  # noqa: S603 (no shell, and no argument is anybody else's)
                command, cwd=top, env=clean | settings, stdin=subprocess.DEVNULL, capture_output=True, check=False
            )
        except OSError as error:
            raise SearchFailed(
                f"{top}: neither ripgrep nor git can be started: {error}", remedy="Install one."
            ) from error
    if done.returncode not in {0, _NOTHING_FOUND}:
        said = " ".join(done.stderr.decode("utf-8", "replace").split())[:300]
        raise SearchFailed(
            f"{top}: the search failed: {visible(said)}", remedy="Name a source tree that can be read whole."
        )
    return sorted(name.removeprefix(b"./") for name in done.stdout.split(b"\0") if name)


def _left_out(top: Path, skip: Path | None) -> tuple[bytes, ...]:
    if skip is None or not skip.resolve().is_relative_to(top):
        return ()
    inner = skip.resolve().relative_to(top)
    return tuple(os.fsencode(inner / folder) for folder in ("flags", "policies", ".flagseal"))


def _host(top: Path) -> str:
    """Say under which address GitHub shows the files of a tree as they are committed; empty elsewhere."""
    try:
        git = Plumbing(top)
        commit = git.resolve("HEAD")
    except RepositoryError:
        return ""
    address = git.run("config", "--get", "remote.origin.url", accept=(0, 1))[1].decode("utf-8", "replace").strip()
    match = _HOSTED.fullmatch(address)
    return f"https://github.com/{match['name']}/blob/{commit}" if match else ""
