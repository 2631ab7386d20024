"""``flagseal policy``: do the policies decide what they are meant to, and what would others have decided?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.model.errors import InvalidDocuments, SnapshotError, UsageError
from flagseal.model.loader import load_text
from flagseal.model.policy_set import load_policies
from flagseal.repository import FlagRepository
from flagseal_cli.console import Progress, note, print_json
from flagseal_cli.founding import read_trust
from flagseal_cli.group import group
from flagseal_cli.options import data_option, environment_option, format_option, repo_option
from flagseal_cli.pasts import pasts_of, trust_from_notes
from flagseal_cli.published import published_state
from flagseal_cli.workspace import data_folder, find_repository
from flagseal_validators.policy_replay import as_record as replay_as_record
from flagseal_validators.policy_replay import as_text as replay_as_text
from flagseal_validators.policy_replay import replay
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
    from flagseal.approval.trust import Trust
    from flagseal.history import HistoryEntry
    from flagseal.model.document import Document
    from flagseal.model.finding import Finding
    from flagseal_validators.policy_tests import MutationReport


@group("policy")
def policy_command() -> None:
    """Test policies, and try others on the past."""


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
    with Progress() as progress:
        return mutate(documents, now=now, progress=progress.say("Loosening policies"))


@policy_command.command("replay")
@click.option(
    "--policies",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="The candidate: a folder like policies/.",
)
@click.option("--genesis", metavar="REV", help="Where to begin. Default: where trust, or the first statement, does.")
@environment_option
@repo_option
@data_option
@format_option
def replay_policies(
    *, folder: Path, genesis: str | None, environment: str | None, repo: Path | None, data: Path | None, style: str
) -> int:
    """Say which past changes other policies would have refused, and which refused ones they would have let in.

    Each statement is judged by itself, on the state that it met. Where nothing was founded here (`flagseal up`), the
    repository's notes say what was accepted, and attestors' signatures count for nothing.

    Exit code 0: every verdict is as it was; 1: one is not; 2: cannot tell.
    """
    repository = find_repository(repo)
    git = FlagRepository(repository)
    candidate = load_policies(_policies_in(folder))
    now = datetime.now(UTC).replace(microsecond=0)
    trust, entries = _past(git, repository, environment, data, genesis)
    report = replay(
        pasts_of(git, trust, entries, now=now), candidate, genesis=trust.genesis.commit, attestors=trust.attestors
    )
    if style == "json":
        print_json(replay_as_record(report))
    else:
        click.echo(replay_as_text(report), nl=False)
    return 0 if report.same else 1


def _past(
    git: FlagRepository, repository: Path, environment: str | None, data: Path | None, genesis: str | None
) -> tuple[Trust, tuple[HistoryEntry, ...] | None]:
    """Find what the past is told by: what an installation published, its trust, or the notes alone."""
    try:
        found = data_folder(repository, environment, data)
    except UsageError:
        found = None
    if found is None or not found.is_initialised:
        if data is not None:
            raise UsageError(f"{data}: nothing was founded here", remedy="Name the folder of an installation.")
        note("Nothing was founded here: the notes of this repository say what was accepted.")
        return trust_from_notes(git, genesis), None
    if genesis is not None:
        raise UsageError(
            "--genesis: the trust of this installation says where the history begins", remedy="Leave it out."
        )
    try:
        published = published_state(found)
    except SnapshotError as error:
        if error.code != "NothingPublished":
            raise
        return read_trust(found), None
    return published.trust, tuple(published.trail.entries())


def _policies_in(folder: Path) -> list[Document]:
    """Read the policy documents of a folder, its tests left alone."""
    documents: list[Document] = []
    findings: list[Finding] = []
    for path in sorted(folder.glob("*.yaml")):
        loaded = load_text(path.read_bytes(), file=str(path))
        documents += loaded.documents
        findings += loaded.findings
    if errors := [finding for finding in findings if finding.severity == "error"]:
        raise InvalidDocuments(errors)
    return documents
