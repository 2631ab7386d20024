"""``flagseal import`` for other products: Unleash, LaunchDarkly, Flipt and GO Feature Flag."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flagseal.model.characters import visible
from flagseal.model.errors import UsageError
from flagseal.model.policy_set import load_policies
from flagseal_cli.commands.exchange import defaults_from, governance, import_command, namespace_from, read_documents
from flagseal_cli.console import note, print_json
from flagseal_cli.workspace import find_repository

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal_validators.exchange import NeutralSource

_FILES = click.Path(path_type=Path, exists=True, dir_okay=False)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what only these importers ask."""
    options = (
        click.argument("files", nargs=-1, required=True, type=_FILES),
        click.option("--into", required=True, metavar="flags/NAMESPACE", help="Where the definitions go."),
        click.option(
            "--map",
            "mapping",
            multiple=True,
            metavar="THEIRS=OURS",
            help="Which environment of theirs is which here (can be repeated). Default: those called alike.",
        ),
        click.option(
            "--partial",
            is_flag=True,
            help="Where a rule has no form here, import its flag without it. Default: leave the flag out.",
        ),
        click.option(
            "--check",
            is_flag=True,
            help="Evaluate both sides, if the product's own evaluator is installed.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


_list_option = click.option(
    "--list", "lists", multiple=True, metavar="ATTRIBUTE", help="An attribute whose values are lists (can be repeated)."
)


@import_command.command("launchdarkly")
@_options
@_list_option
@governance(foreign=True)
def import_launchdarkly(files: tuple[Path, ...], **options: Any) -> int:  # noqa: ANN401 (options of governance)
    """Import LaunchDarkly's flags: SDK data files, or answers of the REST API (flags, and segments if apart)."""
    from flagseal_validators.exchange.launchdarkly import read_launchdarkly

    read = read_launchdarkly({file.name: file.read_bytes() for file in files}, lists=frozenset(options["lists"]))
    return _adopt(read, options)


@import_command.command("unleash")
@_options
@governance(foreign=True)
def import_unleash(files: tuple[Path, ...], **options: Any) -> int:  # noqa: ANN401 (the same)
    """Import Unleash's toggles: an export of its admin API, old or new, or what clients fetch."""
    from flagseal_validators.exchange.unleash import read_unleash

    return _adopt(read_unleash(_only(files).read_bytes(), file=_only(files).name), options)


@import_command.command("flipt")
@_options
@click.option("--from", "origin", metavar="NAMESPACE", help="Which namespace of theirs, if the file has several.")
@governance(foreign=True)
def import_flipt(files: tuple[Path, ...], origin: str | None, **options: Any) -> int:  # noqa: ANN401 (the same)
    """Import Flipt's flags: what `flipt export` writes, or a features.yaml."""
    from flagseal_validators.exchange.flipt import read_flipt

    return _adopt(read_flipt(_only(files).read_bytes(), file=_only(files).name, namespace=origin), options)


@import_command.command("gofeatureflag")
@_options
@governance(foreign=True)
def import_gofeatureflag(files: tuple[Path, ...], **options: Any) -> int:  # noqa: ANN401 (the same)
    """Import GO Feature Flag's flags: a flag file, YAML, JSON or TOML."""
    from flagseal_validators.exchange.gofeatureflag import read_gofeatureflag

    return _adopt(read_gofeatureflag(_only(files).read_bytes(), file=_only(files).name), options)


def _only(files: tuple[Path, ...]) -> Path:
    if len(files) != 1:
        raise UsageError("one file at a time is read", remedy="Import one after the other.")
    return files[0]


def _adopt(source: NeutralSource, options: dict[str, Any]) -> int:
    from flagseal_validators.exchange import adopt, adopted_files, import_record, import_text, write_new

    repository = find_repository(options["repo"])
    existing = read_documents(repository)
    policies = load_policies(existing)
    now = datetime.now(UTC)
    defaults = defaults_from(options, policies, now, mapping=_mapping(options["mapping"]))
    namespace = namespace_from(options["into"])
    adopted = adopt(source, namespace, defaults, existing=existing, policies=policies)
    if options["check"]:
        adopted = _checked(source, adopted, existing, now)
    if not options["dry_run"]:
        write_new(adopted_files(source, adopted, repository / "flags"))
    if options["style"] == "json":
        record = import_record(adopted.flags, defaults)
        segments = [document.subject for document, _ in adopted.segments]
        print_json([{"file": source.file, "into": f"flags/{namespace}", **record, "segments": segments}])
    else:
        done = "Would import" if options["dry_run"] else "Imported"
        click.echo(f"{done} from {visible(source.file)} ({source.product}) into flags/{namespace}")
        click.echo(import_text(adopted.flags, defaults), nl=False)
        if adopted.segments:
            click.echo(f"Segments: {', '.join(document.name for document, _ in adopted.segments)}.")
        for passed in source.passed_over:
            click.echo(f"  {visible(passed)}")
    return 0 if all(one.outcome in {"exactly", "raw"} for one in adopted.flags) else 1


def _checked(source: NeutralSource, adopted: Any, existing: list[Any], now: datetime) -> Any:  # noqa: ANN401 (imported late)
    from flagseal_validators.exchange import check_adopted, evaluator_for

    found = evaluator_for(source)
    if isinstance(found, str):
        note(f"Not checked: {found} is not installed here (pip install {found}).")
        return adopted
    return check_adopted(source, adopted, found, existing=existing, now=int(now.timestamp()))


def _mapping(words: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        theirs, equals, ours = word.rpartition("=")
        if not equals or not theirs or not ours:
            raise UsageError(f"--map {visible(word)}: not of the form THEIRS=OURS")
        found[theirs] = ours
    return found
