"""``flagseal fmt``: files in house order."""

from __future__ import annotations

import difflib
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.model.characters import visible
from flagseal.model.errors import FlagsealError
from flagseal_cli.console import print_error
from flagseal_cli.workspace import find_repository
from flagseal_validators.tree import read_file

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.command("fmt")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if a file is not in order.")
@click.option("--diff", is_flag=True, help="As --check, and show what would change.")
@click.option("--repo", type=click.Path(path_type=Path, exists=True, file_okay=False), help="The flag repository.")
def fmt_command(paths: tuple[Path, ...], *, check: bool, diff: bool, repo: Path | None) -> int:
    """Put files in house order; comments, quotes and styles stay.

    Without PATHS, all of flags/ and policies/. No file's digest changes: each is loaded again before it is written. A
    file with mistakes of form is left alone, and said; the exit code is 1 then.
    """
    from flagseal_validators.formatting import LeftAlone, arrange_text

    check = check or diff
    changed = alone = count = 0
    root = find_repository(repo or (paths[0].parent.resolve() if paths else None))
    for name in _chosen(root, paths):
        count += 1
        data = read_file(root / name) or b""  # What cannot be read is no document either.
        try:
            arranged = arrange_text(data, file=name)
        except LeftAlone as error:
            alone += 1
            print_error(error)
            continue
        after = arranged.text.encode()
        if after != data:
            changed += 1
            if not check:
                _replace(root / name, data, after)
            where = f": {', '.join(arranged.moved)}" if arranged.moved else ": spaces and line ends"
            click.echo(visible(f"{'would format' if check else 'formatted'} {name}{where}"), err=diff)
            if diff:
                _show(name, data.decode(), arranged.text)
    click.echo(f"{count:,} files: {changed:,} {'to format' if check else 'formatted'}, {alone:,} left alone.", err=True)
    return 1 if alone or (check and changed) else 0


def _show(name: str, before: str, after: str) -> None:
    """Write the difference as a patch; what ends lines is none of it."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"a/{name}", f"b/{name}", lineterm="")
    for line in lines:
        click.echo(visible(line))


def _chosen(root: Path, paths: tuple[Path, ...]) -> Iterator[str]:
    """Name the files meant, in order."""
    from flagseal_validators.gate import relative_to
    from flagseal_validators.tree import arrange, walk

    wanted = [relative_to(root, path.parent.resolve() / path.name) for path in paths]
    placed, tests, _ = arrange(walk(root))
    for entry in (*placed, *tests):
        if not wanted or any(name in {".", entry.path} or entry.path.startswith(f"{name}/") for name in wanted):
            yield entry.path


def _replace(path: Path, before: bytes, after: bytes) -> None:
    """Replace a file at once, unless somebody changed it meanwhile.

    Raises:
        FlagsealError: ``ChangedMeanwhile``.
    """
    handle, staged = tempfile.mkstemp(dir=path.parent, prefix=".fmt-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(after)
        Path(staged).chmod(stat.S_IMODE(path.lstat().st_mode))
        if read_file(path) == before:
            Path(staged).replace(path)
            return
    finally:
        Path(staged).unlink(missing_ok=True)
    raise FlagsealError(f"{path}: it changed meanwhile.", code="ChangedMeanwhile", remedy="Try again.")
