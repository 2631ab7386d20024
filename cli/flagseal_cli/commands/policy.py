"""``flagseal policy test``: do the policies decide what they are meant to?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from flagseal.model.errors import InvalidDocuments
from flagseal_cli.console import note, print_json
from flagseal_cli.options import format_option, repo_option
from flagseal_cli.progress import Progress
from flagseal_cli.workspace import find_repository
from flagseal_validators.policy_tests import (
    as_record,
    as_text,
    mutate,
    mutations_as_record,
    mutations_as_text,
    run_policy_tests,
)
from flagseal_validators.tree import read_tree

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.model.document import Document
    from flagseal_validators.policy_tests import MutationReport


@click.group("policy")
def policy_command() -> None:
    """Test policies."""


@policy_command.command("test")
@repo_option
@click.option(
    "--mutate", "mutating", is_flag=True, help="Loosen each rule by one step, and see whether a case notices."
)
@format_option
def test_policies(*, repo: Path | None, mutating: bool, style: str) -> int:
    """Run every case of policies/tests, by the policies of the working tree, and say which rows no case exercises.

    With --mutate, if all is well, loosen each thing that the policies ask for by one step, and say which loosening no
    case notices, with a case that would.

    Exit code 1 if a case comes out otherwise than expected, a row is never exercised, or a loosening is not noticed.
    """
    tree = read_tree(find_repository(repo))
    if errors := [finding for finding in tree.findings if finding.severity == "error"]:
        raise InvalidDocuments(errors)
    now = datetime.now(UTC).replace(microsecond=0)
    report = run_policy_tests(tree.documents, now=now)
    found = _mutated(tree.documents, now) if mutating and report.passed else None
    if style == "json":
        print_json(as_record(report) | ({"mutation": mutations_as_record(found)} if found is not None else {}))
    else:
        click.echo(as_text(report), nl=False)
        if found is not None:
            click.echo(f"\n{mutations_as_text(found)}", nl=False)
        elif mutating:
            note("Nothing was loosened: first the cases above have to pass, and every row needs one.")
    return 0 if report.passed and (found is None or found.passed) else 1


def _mutated(documents: tuple[Document, ...], now: datetime) -> MutationReport:
    with Progress("Loosening policies") as progress:
        return mutate(documents, now=now, progress=progress.reach)
