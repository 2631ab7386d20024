"""``flagseal validate``: the gate on a laptop."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from flagseal_cli.workspace import find_repository, quick_reader
from flagseal_validators import gate, render


@click.command("validate")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
@click.option("--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--repo", type=click.Path(path_type=Path, exists=True, file_okay=False), help="The flag repository.")
def validate_command(paths: tuple[Path, ...], *, style: str, repo: Path | None) -> int:
    """Check flags and policies. Exit code 0: clean; 1: findings; 2: cannot tell."""
    start = repo or (paths[0].resolve().parent if paths and paths[0].exists() else None)
    root = find_repository(start)
    report = gate.validate_paths(
        root, tuple(path.resolve() for path in paths), today=datetime.now(UTC).date(), read=quick_reader(root)
    )
    click.echo(render.as_json(report) if style == "json" else render.as_text(report), nl=False)
    return 1 if any(finding.severity == "error" for finding in report.findings) else 0
