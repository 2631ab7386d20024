"""``flagseal import`` and ``flagseal export``: flags from other systems, and to them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from flagseal.evaluation.bucketing import BUCKETINGS
from flagseal.evaluation.catalogue import Catalogue
from flagseal.model.errors import InvalidDocuments, UsageError
from flagseal.model.flag import RISK_TIERS
from flagseal.model.policy_set import load_policies
from flagseal.model.schema.vocabulary import DNS_LABEL, LIFECYCLES
from flagseal.repository import FlagRepository
from flagseal_cli.console import note, print_json
from flagseal_cli.group import group
from flagseal_cli.options import format_option, repo_option
from flagseal_cli.workspace import find_repository
from flagseal_validators.exchange import (
    Defaults,
    export,
    export_text,
    import_flags,
    import_record,
    import_text,
    read_flagd,
    read_operator,
    write_new,
)
from flagseal_validators.exchange.writing import document_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal.model.document import Document
    from flagseal.model.policies import PolicySet
    from flagseal_validators.exchange import FlagSource
    from flagseal_validators.exchange.exporting import Form

_PURPOSES = ("release", "experiment", "operational", "auth-protocol")
_LIFETIME_DAYS = 180
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def governance(*, foreign: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options for what the origin does not say.

    Args:
        foreign: Whether the origin is another product, whose targeting is not flagd's.
    """
    options = [
        click.option("--owner", metavar="TEAM", help="Owner of flags whose metadata name no team of ours."),
        click.option(
            "--environment",
            "-e",
            "environments",
            multiple=True,
            metavar="NAME",
            help="Where they are served (can be repeated). Default: every environment.",
        ),
        click.option("--purpose", type=click.Choice(_PURPOSES), default="release", show_default=True),
        click.option("--risk-tier", type=click.Choice(RISK_TIERS), default="operational", show_default=True),
        click.option("--lifecycle", type=click.Choice(LIFECYCLES), default="enforced", show_default=True),
        click.option("--expires", metavar="DAY", help="Default: as late as policies/lifecycle.yaml allows."),
        click.option(
            "--retire-when",
            default="Decided after the import: is it still needed?",
            show_default=True,
            metavar="TEXT",
        ),
        click.option(
            "--safe-variant",
            metavar="NAME",
            help="Of flags that have it. Default: the origin's own, or the variant that is false, or the default.",
        ),
        click.option("--dry-run", is_flag=True, help="Report, and write nothing."),
        repo_option,
        format_option,
    ]
    if not foreign:
        options[-3:-3] = [
            click.option(
                "--bucketing",
                type=click.Choice(sorted(BUCKETINGS)),
                default="v2",
                show_default=True,
                help="How splits hash where the flags come from (v1: flagd before core 0.15).",
            ),
            click.option(
                "--strict-equality",
                is_flag=True,
                help="Read == and != as if nothing were converted, so that they become rules; differences are counted.",
            ),
        ]

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


@group("import")
def import_command() -> None:
    """Take flags over from another system's files.

    Exit code 0: every flag was kept as it was; 1: some were left out or changed, and the report says which.
    """


@import_command.command("flagd")
@click.argument("file", type=_FILE)
@click.option("--into", required=True, metavar="flags/NAMESPACE", help="Where the definitions go.")
@governance()
def import_flagd(file: Path, *, into: str, **options: Any) -> int:  # noqa: ANN401 (options of governance)
    """Import a flagd document (JSON or YAML; flags as a map or a list)."""
    return _import([read_flagd(file.read_bytes(), file=file.name)], into, options)


@import_command.command("openfeature-operator")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--into", metavar="flags/NAMESPACE", help="Where they go. Default: each resource's own namespace.")
@governance()
def import_operator(files: tuple[Path, ...], *, into: str | None, **options: Any) -> int:  # noqa: ANN401 (the same)
    """Import FeatureFlag resources of the OpenFeature operator (v1beta1)."""
    return _import([one for file in files for one in read_operator(file.read_bytes(), file=file.name)], into, options)


def _import(sources: list[FlagSource], into: str | None, options: dict[str, Any]) -> int:
    repository = find_repository(options["repo"])
    existing = read_documents(repository)
    policies = load_policies(existing)
    now = datetime.now(UTC)
    defaults = defaults_from(options, policies, now)
    files: dict[Path, str] = {}
    reports = []
    for source in sources:
        namespace = _namespace(into, source)
        made = import_flags(source, namespace, defaults, existing=existing, policies=policies, now=int(now.timestamp()))
        for imported in made:
            if imported.document is not None:
                path = repository / "flags" / namespace / f"{imported.document.name}.yaml"
                files[path] = document_text(imported.document, f"Imported from {_visible(source.file)}.")
                existing.append(imported.document)
        reports.append((source, namespace, made))
    if not options["dry_run"]:
        write_new(files)
    if options["style"] == "json":
        print_json(
            [
                {"file": source.file, "into": f"flags/{namespace}", **import_record(made, defaults)}
                for source, namespace, made in reports
            ]
        )
    else:
        for source, namespace, made in reports:
            done = "Would import" if options["dry_run"] else "Imported"
            click.echo(f"{done} from {_visible(source.file)} into flags/{namespace}")
            click.echo(import_text(made, defaults), nl=False)
            for passed in source.passed_over:
                click.echo(f"  {_visible(passed)}")
    kept = all(one.outcome in {"exactly", "raw"} for _, _, made in reports for one in made)
    return 0 if kept else 1


def read_documents(repository: Path) -> list[Document]:
    """Read every document of a working tree.

    Raises:
        InvalidDocuments: One is not right.
    """
    documents, findings = FlagRepository(repository).working_tree_documents()
    if errors := [finding for finding in findings if finding.severity == "error"]:
        raise InvalidDocuments(errors)
    return list(documents)


def defaults_from(
    options: dict[str, Any], policies: PolicySet, now: datetime, *, mapping: dict[str, str] | None = None
) -> Defaults:
    """Read what the origin does not say from a command's options.

    Raises:
        UsageError: An environment or a team that is none here.
    """
    environments = options["environments"] or tuple(sorted(policies.environments))
    unknown = [name for name in environments if name not in policies.environments]
    if unknown:
        raise UsageError(
            f"--environment {unknown[0]}: not in policies/environments.yaml",
            code="UnknownEnvironment",
            remedy=f"Use one of {', '.join(sorted(policies.environments))}.",
        )
    owner, teams = options["owner"], policies.organisation.teams
    if owner is not None and owner not in teams:
        raise UsageError(
            f"--owner {owner}: no such team in policies/organisation.yaml",
            code="UnknownTeam",
            remedy=f"Use one of {', '.join(sorted(teams))}.",
        )
    days = policies.lifecycle.max_lifetime_days.get(options["purpose"], _LIFETIME_DAYS)
    return Defaults(
        owner=owner,
        environments=tuple(dict.fromkeys(environments)),
        purpose=options["purpose"],
        risk_tier=options["risk_tier"],
        lifecycle=options["lifecycle"],
        expires=options["expires"] or (now.date() + timedelta(days=days)).isoformat(),
        retire_when=options["retire_when"],
        safe_variant=options["safe_variant"],
        bucketing=options.get("bucketing", "v2"),
        strict_equality=options.get("strict_equality", False),
        partial=options.get("partial", False),
        mapping=mapping or {},
    )


def _namespace(into: str | None, source: FlagSource) -> str:
    if into is None and source.namespace is None:
        raise UsageError(f"{source.file}: a resource without a namespace", remedy="Say where it goes with --into.")
    return namespace_from(cast("str", source.namespace if into is None else into))


def namespace_from(into: str) -> str:
    """Read a namespace, written as its folder or as its name.

    Raises:
        UsageError: It is none.
    """
    given = into.strip("/").removeprefix("flags/")
    if not re.fullmatch(DNS_LABEL, given) or len(given) > 63:  # noqa: PLR2004 (RFC 1123)
        raise UsageError(f"{_visible(given)}: not a namespace", remedy="Write it like flags/payments: a DNS label.")
    return given


def _visible(text: str) -> str:
    return ascii(text)[1:-1]


@click.command("export")
@click.argument("form", type=click.Choice(["flagd", "openfeature-operator"]))
@click.option("--environment", "-e", required=True, metavar="NAME")
@click.option("--namespace", "-n", metavar="NAME", help="Only this namespace; without --out, on standard output.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write one file a namespace here.")
@repo_option
def export_command(form: Form, *, environment: str, namespace: str | None, out: Path | None, repo: Path | None) -> None:
    """Write what an environment of the working tree serves as files of flagd or of the OpenFeature operator."""
    documents = read_documents(find_repository(repo))
    environments = load_policies(documents).environments
    if environment not in environments:
        raise UsageError(
            f"--environment {environment}: not in policies/environments.yaml",
            code="UnknownEnvironment",
            remedy=f"Use one of {', '.join(sorted(environments))}.",
        )
    now = int(datetime.now(UTC).timestamp())
    made = export(Catalogue.of(documents), environments[environment], form, namespace=namespace, now=now)
    if out is None and len(made) != 1:
        names = ", ".join(one.namespace for one in made) or "none"
        raise UsageError(f"there are several namespaces: {names}", remedy="Choose one with --namespace, or name --out.")
    if out is None:
        click.echo(made[0].text, nl=False)
    else:
        write_new({out / one.file: one.text for one in made})
    note(export_text(made).rstrip("\n"))
