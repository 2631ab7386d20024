"""``flagseal status``: what is in force, what waits, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from flagseal.history import reviewed
from flagseal.model.characters import visible
from flagseal.repository import FlagRepository
from flagseal_cli.console import print_json
from flagseal_cli.options import data_option, environment_option, format_option, repo_option
from flagseal_cli.published import PublishedState, published_state
from flagseal_cli.render import INSTANT, approval_lines, change_lines, missing_lines, pending_lines
from flagseal_cli.reviews import emergency_json
from flagseal_cli.workspace import data_folder, find_repository
from flagseal_operator.standing import Standing, standing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@click.command("status")
@environment_option
@repo_option
@data_option
@format_option
def status_command(environment: str | None, *, repo: Path | None, data: Path | None, style: str) -> int:
    """Say what is in force and what the branch has beyond it. Exit code 1 while something waits for approval."""
    repository = find_repository(repo)
    folder = data_folder(repository, environment, data)
    published = published_state(folder)
    git = FlagRepository(repository)
    tip = standing(git, published.head, published.trust, published.trust.ref, published.now)
    if style == "json":
        print_json(_json(published, tip))
    else:
        _print(published, tip)
    return 0 if tip.settled else 1


def _print(published: PublishedState, tip: Standing) -> None:
    head, environment = published.head, published.trust.environment
    click.echo(f"{environment}: head {head.sequence} at commit {head.commit[:12]}, snapshot {published.chain.version}")
    if published.stale:
        click.echo("  nobody has signed it since: start `flagseal up`")
    waiting = list(pending_lines(head, environment, published.now))
    if waiting:
        click.echo("Accepted, and waiting for its time:")
        click.echo("\n".join(waiting))
    for line in (*emergency_lines(published), *_held(published)):
        click.echo(line)
    if tip.settled:
        click.echo(f"{published.trust.ref.removeprefix('refs/heads/')}: nothing waits for approval")
        return
    click.echo(f"\nWaiting for approval: commit {tip.commit[:12]}")
    for line in change_lines(tip):
        click.echo(line)
    if tip.candidate is not None:
        click.echo(f"Written by: {', '.join(tip.candidate.proposal.statement.contributors)}")
    if tip.approvals:
        click.echo("Approved by:")
        for line in approval_lines(tip.approvals, head.policies.organisation):
            click.echo(line)
    for line in missing_lines(tip):
        click.echo(line)


def emergency_lines(published: PublishedState) -> Iterator[str]:
    """List what was overridden and is remembered: first what nobody else has looked at yet."""
    emergencies = [it for it in published.build.emergencies.standings if it.claim.ends is None]
    found = [(it, reviewed(published.head, it)) for it in emergencies]
    for heading, is_open in (("Break-glass, not reviewed:", True), ("Break-glass, reviewed:", False)):
        some = [(it, review) for it, review in found if (review is None) is is_open]
        if some:
            yield heading
        for it, review in some:
            state = "active until" if it.holds(published.now) else "ended"
            incident = visible(it.claim.incident)
            yield f"  {it.claim.deed} by {it.person} for {incident}, {state} {it.until:{INSTANT}}"
            yield f"    {visible(it.claim.reason)}"
            if review is not None:
                yield f"    {review.text}"


def _held(published: PublishedState) -> Iterator[str]:
    """List what would be served otherwise without a freeze."""
    holds = published.build.basis.serving.holds
    if holds:
        yield "Held back by a freeze:"
    for flag, hold in sorted(holds.items()):
        yield f"  {flag}: as of {hold.frozen.since:{INSTANT}}, until {hold.frozen.until:{INSTANT}}"


def _json(published: PublishedState, tip: Standing) -> dict[str, object]:
    head = published.head
    decision = tip.acceptance.decision if tip.acceptance else None
    refusal = tip.problem or (tip.acceptance.refusal if tip.acceptance else None)
    return {
        "environment": published.trust.environment,
        "head": {"sequence": head.sequence, "commit": head.commit, "manifest": head.manifest.digest},
        "snapshot": published.chain.version,
        "stale": published.stale,
        "waiting": [
            {"sequence": entry.sequence, "effectiveFrom": entry.effective_from, "subjects": sorted(entry.before)}
            for entry in head.waiting(published.trust.environment, published.now)
        ],
        "overrides": [
            {**emergency_json(it, head), "active": it.holds(published.now)}
            for it in published.build.emergencies.standings
        ],
        "held": [
            {"flag": flag, "since": hold.frozen.since, "until": hold.frozen.until, "by": hold.frozen.by.claim.title}
            for flag, hold in sorted(published.build.basis.serving.holds.items())
        ],
        "tip": {
            "commit": tip.commit,
            "settled": tip.settled,
            "subjects": sorted(tip.candidate.proposal.statement.subjects) if tip.candidate else [],
            "approvedBy": [approval.person for approval in tip.approvals],
            "decision": decision.to_json() if decision else None,
            "refusal": {"code": refusal.code, "message": refusal.message, "remedy": refusal.remedy}
            if refusal
            else None,
        },
    }
