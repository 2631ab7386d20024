"""``flagseal validate``: the gate on a laptop and in CI."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal_cli.console import Progress, wants_colour
from flagseal_cli.workspace import cache_folder, find_repository, quick_reader, without_gc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagseal.model.loader import Loaded
    from flagseal.repository.reading import Named
    from flagseal_validators.report import Report

FORMATS = ("text", "json", "sarif", "junit", "github")


@click.command("validate")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--base", metavar="REV", help="What the change is compared with; only what it touches is held to the day."
)
@click.option("--format", "style", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--write",
    "written",
    nargs=2,
    type=(click.Choice(FORMATS), click.Path(path_type=Path, dir_okay=False)),
    metavar="FORMAT FILE",
    multiple=True,
    help="Write it to a file as well, in another format.",
)
@click.option("--repo", type=click.Path(path_type=Path, exists=True, file_okay=False), help="The flag repository.")
def validate_command(
    paths: tuple[Path, ...],
    *,
    base: str | None,
    style: str,
    written: tuple[tuple[str, Path], ...],
    repo: Path | None,
) -> int:
    """Check flags and policies. Exit code 0: clean; 1: findings; 2: cannot tell.

    Without PATHS, everything is checked. What only time brought about (an expiry) is an error on files that the change
    touches: those named, or those that differ from --base; on all others it is a warning.
    """
    from flagseal_validators import gate
    from flagseal_validators.memory import Memory

    named = tuple(_absolute(path) for path in paths)
    root = find_repository(repo or (named[0].parent if named else None))
    compared = None
    if base is not None:
        from flagseal_validators.touched import Base

        compared = Base.of(root, base)
    progress = Progress()

    def read(files: Sequence[Named]) -> list[Loaded]:
        """Read many files; only then is what reads them imported."""
        return quick_reader(root, progress.say("Reading"))(files)

    with without_gc(), progress:
        report = gate.validate_paths(
            root,
            named,
            today=datetime.now(UTC).date(),
            base=compared,
            read=read,
            memory=Memory(cache_folder(root)),
            processes=os.cpu_count() or 1,
            progress=progress.say("Judging"),
        )
    for other, file in written:
        file.write_text(_rendered(report, other, root), "utf-8")
    click.echo(_rendered(report, style, root), nl=False)
    return 1 if report.errors else 0


def _absolute(path: Path) -> Path:
    """Give the path as it really lies, without following what it names itself: a link is judged as one."""
    return path.parent.resolve() / path.name


def _rendered(report: Report, style: str, root: Path) -> str:
    match style:
        case "json":
            from flagseal_validators.formats.machine import as_json

            return as_json(report)
        case "sarif":
            from flagseal_validators.formats.sarif import as_sarif

            return as_sarif(report)
        case "junit":
            from flagseal_validators.formats.junit import as_junit

            return as_junit(report)
        case "github":
            from flagseal_validators.formats.github import as_github

            return as_github(report)
        case _:
            from flagseal_validators.formats.text import as_text
            from flagseal_validators.source_lines import SourceLines

            return as_text(report, line_of=SourceLines(root).line, colour=wants_colour())
