"""``flagseal policy test``: do the policies decide what they are meant to?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from flagseal.model.errors import InvalidDocuments
from flagseal_cli.console import print_json
from flagseal_cli.options import format_option, repo_option
from flagseal_cli.workspace import find_repository
from flagseal_validators.policy_tests import as_record, as_text, run_policy_tests
from flagseal_validators.tree import read_tree

if TYPE_CHECKING:
    from pathlib import Path


@click.group("policy")
def policy_command() -> None:
    """Test policies."""


@policy_command.command("test")
@repo_option
@format_option
def test_policies(*, repo: Path | None, style: str) -> int:
    """Run every case of policies/tests, by the policies of the working tree, and say which rows no case exercises.

    Exit code 1 if a case comes out otherwise than expected, or a row is never exercised.
    """
    tree = read_tree(find_repository(repo))
    if errors := [finding for finding in tree.findings if finding.severity == "error"]:
        raise InvalidDocuments(errors)
    report = run_policy_tests(tree.documents, now=datetime.now(UTC).replace(microsecond=0))
    if style == "json":
        print_json(as_record(report))
    else:
        click.echo(as_text(report), nl=False)
    return 0 if report.passed else 1
