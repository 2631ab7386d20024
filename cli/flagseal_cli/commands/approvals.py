"""``flagseal approvals show``: check by check, what was seen of a revision and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagseal.repository import FlagRepository
from flagseal_cli.console import print_json
from flagseal_cli.group import group
from flagseal_cli.options import data_option, environment_option, facts_option, format_option, repo_option
from flagseal_cli.published import published_state
from flagseal_cli.render import (
    INSTANT,
    approval_lines,
    attested_lines,
    change_lines,
    check_lines,
    decision_lines,
    missing_lines,
)
from flagseal_cli.workspace import data_folder, find_repository
from flagseal_operator.standing import Standing, standing

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.model.policies import Organisation
    from flagseal.policy.decision import Decision
    from flagseal.snapshot.trail import Approved


@group("approvals")
def approvals_command() -> None:
    """Show approvals."""


@approvals_command.command("show")
@click.argument("revision")
@environment_option
@repo_option
@data_option
@format_option
@facts_option
def show_approvals(
    revision: str,
    *,
    environment: str | None,
    repo: Path | None,
    data: Path | None,
    style: str,
    files: tuple[Path, ...],
) -> int:
    """Say of REVISION, check by check, what was seen and what is missing. Exit code 1 if something is.

    With --facts, by what a git host knew of the requests that brought it.
    """
    repository = find_repository(repo)
    git = FlagRepository(repository)
    published = published_state(data_folder(repository, environment, data))
    commit = git.resolve(revision)
    past = published.trail.covering(commit)
    if past is not None:
        _show_past(past, style)
        return 0
    if files:
        from flagseal_cli.forge import saved_facts, tell_attestation
        from flagseal_validators.attestor import WithHeads, attest

        source = WithHeads(saved_facts(files), git, None)
        found = attest(git, published.head, published.trust, source, commit, now=published.now)
        tell_attestation(found, style)
        return 0 if found.allowed else 1
    stands = standing(git, published.head, published.trust, commit, published.now)
    if stands.settled:
        if style == "json":
            print_json({"commit": commit, "settled": True})
        else:
            click.echo(f"{commit[:12]}: no statement speaks of it; it needs none, or a later one covered it.")
        return 0
    _show_standing(stands, published.head.policies.organisation, style)
    return 0 if stands.acceptance is not None and stands.acceptance.head is not None else 1


def _show_past(approved: Approved, style: str) -> None:
    statement = approved.entry.envelope.statement
    if style == "json":
        print_json(
            {
                "statement": statement.id,
                "body": statement.body(),
                "acceptedAt": approved.accepted_at,
                "approvedBy": [approval.person for approval in approved.approvals],
                "decision": approved.decision.to_json(),
            }
        )
        return
    click.echo(f"Statement {statement.sequence} ({statement.id[:12]}) on commit {statement.commit[:12]}: accepted")
    click.echo(f"  at {approved.accepted_at:{INSTANT}}, written by {', '.join(statement.contributors)}")
    for subject in sorted(statement.subjects):
        click.echo(f"  {subject}")
    for line in decision_lines(approved.decision):
        click.echo(line)
    click.echo("Approved by:")
    for line in approval_lines(approved.approvals, approved.before.policies.organisation):
        click.echo(line)
    for line in attested_lines(statement):
        click.echo(line)
    _show_checks(approved.decision)


def _show_standing(stands: Standing, organisation: Organisation, style: str) -> None:
    decision = stands.acceptance.decision if stands.acceptance else None
    refusal = stands.problem or (stands.acceptance.refusal if stands.acceptance else None)
    if style == "json":
        print_json(
            {
                "statement": stands.candidate.proposal.statement.id if stands.candidate else None,
                "body": stands.candidate.proposal.statement.body() if stands.candidate else None,
                "approvedBy": [approval.person for approval in stands.approvals],
                "decision": decision.to_json() if decision else None,
                "refusal": {"code": refusal.code, "message": refusal.message} if refusal else None,
            }
        )
        return
    click.echo(f"Commit {stands.commit[:12]}: not accepted")
    for line in change_lines(stands):
        click.echo(line)
    click.echo("Approved by:" if stands.approvals else "Approved by nobody yet.")
    for line in approval_lines(stands.approvals, organisation):
        click.echo(line)
    if stands.candidate is not None:
        for line in attested_lines(stands.candidate.proposal.statement):
            click.echo(line)
    if decision is not None:
        _show_checks(decision)
    for line in missing_lines(stands):
        click.echo(line)


def _show_checks(decision: Decision) -> None:
    click.echo("Checks:")
    for line in check_lines(decision.checks):
        click.echo(line)
    click.echo(f"Policy: {decision.policy}")
