"""``flagseal incidents``: what was overridden or frozen, by what is published, and who has reviewed it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from flagseal.model.characters import visible
from flagseal.model.errors import SnapshotError, UsageError
from flagseal.repository import FlagRepository
from flagseal_cli.console import note, print_json
from flagseal_cli.forge import github_option, open_desk, open_remote, remote_option
from flagseal_cli.group import group
from flagseal_cli.options import format_option
from flagseal_cli.place import state_in, store_options
from flagseal_cli.published import published_state
from flagseal_cli.render import INSTANT
from flagseal_cli.reviews import emergency_json
from flagseal_cli.workspace import data_folder, find_repository
from flagseal_validators.incidents import Opener, draft, gather
from flagseal_validators.incidents.branching import Drafts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flagseal_cli.published import PublishedState
    from flagseal_validators.incidents import Emergency, Incident, Opened

published_options = store_options(
    "Where the snapshots are: a folder, or s3://BUCKET/PREFIX?endpoint=…. Default: the checkout's own.",
    from_environment=True,
)


@group("incidents")
def incidents_command() -> None:
    """Say what was overridden or frozen, and have it reviewed."""


@incidents_command.command("list")
@published_options
@click.option("--all", "everything", is_flag=True, help="Also those that are reviewed.")
@format_option
def list_command(
    *,
    store: str | None,
    root: Path | None,
    environment: str | None,
    repo: Path | None,
    data: Path | None,
    everything: bool,
    style: str,
) -> int:
    """List what nobody has reviewed, as everybody can verify it. Exit code 1 while there is something."""
    published = _published(store, root, environment, repo, data)
    found = _gathered(published)
    shown = [it for it in found if everything or it.open]
    if style == "json":
        print_json([_json(it, published) for it in shown])
    else:
        for incident in shown:
            click.echo("\n".join(map(visible, _lines(incident))))
        if not shown:
            click.echo(f"{published.trust.environment}: nothing is left to review")
    return 1 if any(it.open for it in found) else 0


@incidents_command.command("draft")
@click.argument("incident")
@published_options
@click.option("--permanent", is_flag=True, help="Propose that what was served becomes permanent; default: returned.")
def draft_command(
    incident: str,
    *,
    store: str | None,
    root: Path | None,
    environment: str | None,
    repo: Path | None,
    data: Path | None,
    permanent: bool,
) -> None:
    """Write the review of INCIDENT as a draft, for reviews/: what is published filled in, the rest left to you."""
    published = _published(store, root, environment, repo, data)
    found = next((it for it in _gathered(published) if it.incident == incident and it.open), None)
    if found is None:
        raise UsageError(
            f"{incident}: nothing of it is left to review",
            code="UnknownIncident",
            remedy="`flagseal incidents list` names all that is.",
        )
    click.echo(draft(found, "permanent" if permanent else "returned"), nl=False)
    note(f"Save it as reviews/{found.review}.yaml, answer every TODO, and have it approved.")


@incidents_command.command("open")
@published_options
@click.option("--base", metavar="BRANCH", help="Where requests go. Default: the branch of the trust.")
@github_option
@remote_option
@format_option
def open_command(  # noqa: PLR0913 (each is an option)
    *,
    store: str | None,
    root: Path | None,
    environment: str | None,
    repo: Path | None,
    data: Path | None,
    base: str | None,
    name: str | None,
    remote_name: str,
    style: str,
) -> int:
    """Open an issue for each incident that is not reviewed, and a pull request with the draft of its review.

    One of each an incident, updated and never repeated; run it again after whatever happened. The issue is closed once
    the review is accepted. A request that people commit to, closed or merged is left to them. The git host is asked by
    GITHUB_TOKEN or as an app; nothing that it says decides whether something was reviewed. Exit code 1 while
    something is not reviewed.
    """
    repository = find_repository(repo)
    published = _published(store, root, environment, repo, data)
    if published.stale:
        raise SnapshotError(
            "nobody has signed what is published in time, so it is not known what was reviewed since",
            code="Stale",
            remedy="Look after the publisher; nothing was written.",
        )
    git = FlagRepository(repository)
    trust = published.trust
    drafts = Drafts(git, open_remote(git, remote_name), _branch(git, base or trust.ref.removeprefix("refs/heads/")))
    found = gather(published.head, published.build, published.trail, now=published.now)
    organisation = published.head.policies.organisation
    opened: tuple[Opened, ...] = ()
    if found:
        drafts.fetch()
        desk = open_desk(name, trust.repository_name)
        opened = Opener(desk, drafts, organisation, lambda: datetime.now(UTC)).run(found)
    if style == "json":
        print_json([_opened_json(it) for it in opened])
    else:
        for it in opened:
            click.echo(visible(f"{it.environment}: {it.incident}"))
            click.echo(f"  issue {it.issue}  {it.issue_url}".rstrip())
            click.echo(f"  pull request {it.request}  {it.request_url}".rstrip())
        if not opened:
            click.echo(f"{trust.environment}: nothing was overridden or frozen that is remembered")
    return 1 if any(it.open for it in found) else 0


def _branch(git: FlagRepository, name: str) -> str:
    """Take the name of a branch; none is ever taken as an option."""
    if name.startswith("-") or git.git.run("check-ref-format", f"refs/heads/{name}", accept=(0, 1))[0] != 0:
        raise UsageError(f"--base: {name!r} is no branch", code="BadBranch", remedy="Write its name: main.")
    return name


def _opened_json(it: Opened) -> dict[str, object]:
    return {
        "environment": it.environment,
        "incident": it.incident,
        "issue": {"done": it.issue, "url": it.issue_url},
        "request": {"done": it.request, "url": it.request_url},
    }


def _published(
    store: str | None, root: Path | None, environment: str | None, repo: Path | None, data: Path | None
) -> PublishedState:
    if store is not None and root is not None:
        return state_in(store, root, environment)
    if store is not None or root is not None:
        raise UsageError(
            "a store needs the root that it is verified by",
            code="NoPlace",
            remedy="Give --store and --root together, or work in a checkout of the flag repository.",
        )
    return published_state(data_folder(find_repository(repo), environment, data))


def _gathered(published: PublishedState) -> tuple[Incident, ...]:
    if published.stale:
        note("Nobody has signed what is published in time: what happened since is not known here.")
    return gather(published.head, published.build, published.trail, now=published.now)


def _lines(incident: Incident) -> Iterator[str]:
    count = len(incident.open)
    left = f"{count} of {len(incident.emergencies)} not reviewed" if count else "reviewed"
    yield f"{incident.environment}: {incident.incident}, {left}"
    for it in incident.emergencies:
        standing = it.standing
        yield f"  {standing.claim.deed} by {standing.person} at {standing.since:{INSTANT}}, {_end(it)}"
        yield f"    {standing.claim.reason}"
        yield f"    {standing.claim.title}, proof {standing.proof.digest}"
        for effect in it.effects:
            yield f"    {effect.flag} ({effect.tier}, {effect.owner}): {effect.before}; then {effect.during}"
        if it.flags > len(it.effects):
            yield f"    and {it.flags - len(it.effects)} flags more"
        yield f"    {'not reviewed' if it.review is None else it.review.text}"


def _end(emergency: Emergency) -> str:
    until = f"{emergency.standing.until:{INSTANT}}"
    if emergency.active:
        return f"active until {until}"
    return f"ended {until}{f' by {emergency.ended_by}' if emergency.ended_by else ', by itself'}"


def _json(incident: Incident, published: PublishedState) -> dict[str, object]:
    return {
        "environment": incident.environment,
        "incident": incident.incident,
        "review": f"reviews/{incident.review}.yaml",
        "reviewed": not incident.open,
        "emergencies": [
            {
                **emergency_json(it.standing, published.head),
                "since": it.standing.since,
                "active": it.active,
                "endedBy": it.ended_by,
                "provenBy": it.proof,
                "authentication": dict(it.extra),
                "flags": it.flags,
                "effects": [
                    {"flag": e.flag, "tier": e.tier, "owner": e.owner, "before": e.before, "during": e.during}
                    for e in it.effects
                ],
            }
            for it in incident.emergencies
        ],
    }
