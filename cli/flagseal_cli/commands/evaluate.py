"""``flagseal eval`` and ``flagseal compile``: what the definitions as they stand in the working tree would answer.

Neither asks whether anything was approved: they are a developer's look ahead.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.evaluation import FlagSet
from flagseal.evaluation.compile import compile_environment
from flagseal.evaluation.resolve import Catalogue
from flagseal.model.errors import UsageError
from flagseal.repository import FlagRepository
from flagseal_cli.console import note, print_json
from flagseal_cli.declared import environment_of
from flagseal_cli.options import context_option, parse_context, repo_option
from flagseal_cli.workspace import find_repository

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.policies import Environment


def _compiled(repo: Path | None, environment: str) -> tuple[Environment, Mapping[str, bytes]]:
    repository = FlagRepository(find_repository(repo))
    documents, found = environment_of(repository.working_tree_documents(), environment, "in the working tree")
    unapproved = {document.subject: "unapproved" for document in documents}
    catalogue = Catalogue.of(documents)
    return found, compile_environment(catalogue, environment, bucketing=found.bucketing, approvals=unapproved)


@click.command("compile")
@click.option("--environment", "-e", required=True, metavar="NAME")
@click.option("--namespace", "-n", metavar="NAME", help="Only this namespace, on standard output.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Write NAMESPACE/flags.json below this.")
@repo_option
def compile_command(environment: str, namespace: str | None, out: Path | None, repo: Path | None) -> None:
    """Turn the working tree's definitions into flagd documents, one a namespace, byte for byte the same each time."""
    _, compiled = _compiled(repo, environment)
    if namespace is not None and namespace not in compiled:
        raise UsageError(
            f"--namespace {namespace}: no flag of it is served in {environment}",
            code="UnknownNamespace",
            remedy=f"Use one of {', '.join(sorted(compiled)) or 'none'}.",
        )
    chosen = {namespace: compiled[namespace]} if namespace is not None else compiled
    for name, document in sorted(chosen.items()):
        if out is None:
            click.echo(document, nl=False)
        else:
            target = out / name / "flags.json"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(document)
            note(str(target))


@click.command("eval")
@click.argument("key")
@click.option("--environment", "-e", required=True, metavar="NAME")
@context_option
@repo_option
def eval_command(key: str, environment: str, context_text: str, repo: Path | None) -> int:
    """Evaluate one flag by KEY from the working tree. Exit code 1 if the answer is an error."""
    context = parse_context(context_text)
    found, compiled = _compiled(repo, environment)
    flag_sets = (FlagSet.load(document, bucketing=found.bucketing) for document in compiled.values())
    flag_set = next((one for one in flag_sets if key in one.keys()), FlagSet.load({"flags": {}}))  # noqa: SIM118
    answer = flag_set.evaluate(key, context)
    print_json(
        {
            "key": key,
            "value": answer.value,
            "variant": answer.variant,
            "reason": answer.reason,
            "errorCode": answer.error_code,
            "errorDetails": answer.error_message,
            "metadata": dict(answer.metadata or {}),
        }
    )
    return 1 if answer.error_code else 0
