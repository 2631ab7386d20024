"""``flagseal snapshot verify|show|prune``: the published state, from the pinned root down to every byte."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.model.errors import SnapshotError, UsageError
from flagseal.snapshot.marks import FileMarks, Mark
from flagseal.snapshot.prune import KEEP, plan, prune
from flagseal.snapshot.report import Report, verify_repository
from flagseal.snapshot.store import DirectoryStore
from flagseal.snapshot.stores import open_reader, open_store
from flagseal_cli.console import note, print_json
from flagseal_cli.group import group
from flagseal_cli.options import data_option, environment_option, format_option, repo_option
from flagseal_cli.workspace import data_folder, find_repository

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal.snapshot.store import Reader


@group("snapshot")
def snapshot_command() -> None:
    """Verify, show or tidy up what is published."""


@dataclass(frozen=True, slots=True)
class Where:
    """What a command was pointed at."""

    source: str | None
    root: Path | None
    environment: str | None
    repo: Path | None
    data: Path | None


def _where(command: Callable[[Where, str], int]) -> Callable[..., int]:
    """Give a command the options that say where, and hand them over as one value."""

    @functools.wraps(command)
    def with_where(
        source: str | None,
        root: Path | None,
        environment: str | None,
        repo: Path | None,
        data: Path | None,
        style: str,
    ) -> int:
        return command(Where(source, root, environment, repo, data), style)

    wrapped: Callable[..., int] = with_where
    for option in (
        click.argument("source", required=False, metavar="[URL|DIR]"),
        click.option(
            "--root",
            type=click.Path(path_type=Path, dir_okay=False),
            help="The pinned root.json. Default: that of the data folder.",
        ),
        environment_option,
        repo_option,
        data_option,
        format_option,
    ):
        wrapped = option(wrapped)
    return wrapped


@snapshot_command.command("verify")
@_where
def verify_snapshot(where: Where, style: str) -> int:
    """Walk the whole chain: signatures, statements, people, content, bytes. Exit code 1 if anything does not hold."""
    report = _report(where)
    if style == "json":
        print_json(_json(report))
    else:
        click.echo(report.text())
    return 0 if report.passed else 1


@snapshot_command.command("show")
@_where
def show_snapshot(where: Where, style: str) -> int:
    """Show what is published, once it is verified: namespaces, flags, versions."""
    report = _report(where)
    verified = report.verified
    if verified is None:
        click.echo(report.text())
        return 1
    if style == "json":
        print_json({**_json(report), "flags": {n: sorted(s.flag_set.keys()) for n, s in verified.namespaces.items()}})
        return 0
    as_of = f"{verified.as_of:%Y-%m-%d %H:%M:%S UTC}"
    click.echo(f"{verified.environment}: snapshot {verified.version}, head {verified.sequence}, as of {as_of}")
    click.echo(f"fresh until {verified.expires:%Y-%m-%d %H:%M:%S UTC}{', which is past' if verified.stale else ''}")
    for name, namespace in sorted(verified.namespaces.items()):
        click.echo(f"\n{name}  sha256:{namespace.etag[:16]}…")
        for key in sorted(namespace.flag_set.keys()):
            metadata = namespace.flag_set.flag_metadata(key)
            words = (str(metadata.get(word, "")) for word in ("riskTier", "owner", "expires"))
            click.echo(f"  {key:<28} {'  '.join(words)}")
    return 0


@snapshot_command.command("prune")
@click.option(
    "--keep",
    type=click.IntRange(2, 10_000),
    default=KEEP,
    show_default=True,
    help="How many of the newest snapshots stay whole.",
)
@click.option("--dry-run", is_flag=True, help="Name what would go, and remove nothing.")
@click.option(
    "--store",
    metavar="DIR|URL",
    help="Where they are: a folder, or s3://BUCKET/PREFIX?endpoint=…. Default: in the data.",
)
@click.option(
    "--root",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The pinned root.json. Default: that of the data folder.",
)
@environment_option
@repo_option
@data_option
def prune_snapshot(
    *,
    keep: int,
    dry_run: bool,
    store: str | None,
    root: Path | None,
    environment: str | None,
    repo: Path | None,
    data: Path | None,
) -> None:
    """Remove old versions, and the files that only they name. Publishers and clients may go on meanwhile.

    What does not verify is not pruned. For a bucket it takes s3:DeleteObject, which nothing else here needs.
    """
    mark = Mark()
    if store is None or root is None:
        folder = data_folder(find_repository(repo) if data is None else Path(), environment, data)
        mark = FileMarks(folder.marks).read() if store is None else mark
        root = folder.root if root is None else root
        store = str(folder.store) if store is None else store
        folder.read_root()
    place, pinned, now = open_store(store), root.read_bytes(), datetime.now(UTC)
    if dry_run:
        found = plan(place, pinned, mark, now=now, keep=keep)
        for name in found.garbage:
            click.echo(f"would remove {name}")
        note(f"Snapshot {found.version} is published; {len(found.garbage)} files would go, {found.kept} stay.")
        return
    done = prune(place, pinned, mark, now=now, keep=keep)
    put_back = f"; {len(done.restored)} were named again meanwhile, and put back" if done.restored else ""
    note(f"Removed {done.removed} files of {done.size} bytes{put_back}.")


def _report(where: Where) -> Report:
    if where.source is None or where.root is None:
        repository = find_repository(where.repo) if where.data is None else Path()
        folder = data_folder(repository, where.environment, where.data)
        pinned = where.root.read_bytes() if where.root is not None else folder.read_root()
        store: Reader | str = where.source if where.source is not None else DirectoryStore(folder.store)
    else:
        pinned, store = where.root.read_bytes(), where.source
    if isinstance(store, str):
        if "://" not in store and not Path(store).is_dir():
            raise UsageError(f"{store}: no such folder", code="NoStore", remedy="Name a folder or a URL.")
        store = open_reader(store)
    report = verify_repository(store, pinned)
    if report.chain is None:
        failed = report.checks[-1]
        raise SnapshotError(f"{failed.name}: {failed.detail}", code="NotVerified")
    return report


def _json(report: Report) -> dict[str, object]:
    verified = report.verified
    return {
        "passed": report.passed,
        "checks": [{"name": it.name, "passed": it.passed, "detail": it.detail} for it in report.checks],
        "environment": verified.environment if verified else None,
        "snapshot": verified.version if verified else None,
        "sequence": verified.sequence if verified else None,
        "commit": verified.head.commit if verified and verified.head else None,
        "namespaces": {n: f"sha256:{s.etag}" for n, s in sorted(verified.namespaces.items())} if verified else {},
    }
