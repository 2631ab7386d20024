"""``flagseal plan``: what a change does, before anybody approves it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.approval.authors import contributors
from flagseal.intake import ticket_of
from flagseal.model.errors import ApprovalError, UsageError
from flagseal.policy.state import flag_subject
from flagseal.repository import FlagRepository
from flagseal_cli.console import Progress, note, print_json, wants_colour
from flagseal_cli.options import data_option, environment_option, repo_option
from flagseal_cli.planning import Base, base_of, changes_of, judged, sound
from flagseal_cli.workspace import find_repository, quick_reader, without_gc
from flagseal_validators.plan import Recording, as_markdown, as_record, as_text, plan
from flagseal_validators.plan.promotion import promoted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.canonical import Json
    from flagseal.model.document import Document
    from flagseal.model.policies import Organisation
    from flagseal.policy import Facts
    from flagseal.repository import Commit
    from flagseal_validators.plan import Plan

_WORKING_TREE = "the working tree"


@click.command("plan")
@click.option("--base", required=True, metavar="REV", help="The state before: the accepted commit, or the branch.")
@click.option("--head", "revision", metavar="REV", help="The state after. Default: the working tree.")
@click.option(
    "--contexts",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Recorded evaluation contexts, one JSON object a line: evaluated on both sides.",
)
@click.option("--group-by", multiple=True, metavar="ATTR", help="Count the contexts that change by this attribute.")
@click.option(
    "--examples",
    type=click.IntRange(0, 20),
    default=3,
    show_default=True,
    help="Targeting keys to name of each kind of change; 0 names nobody.",
)
@click.option("--promote", metavar="FROM:TO", help="The state after: the sections of one environment put in another's.")
@click.option("--flag", "flags", multiple=True, metavar="NS/NAME", help="Promote only this. Default: all that differ.")
@click.option("--author", "authors", multiple=True, metavar="PERSON", help="Who wrote what is not committed yet.")
@environment_option
@repo_option
@data_option
@click.option("--format", "style", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True)
def plan_command(  # noqa: PLR0913 (one argument an option)
    *,
    base: str,
    revision: str | None,
    contexts: Path | None,
    group_by: tuple[str, ...],
    examples: int,
    promote: str | None,
    flags: tuple[str, ...],
    authors: tuple[str, ...],
    environment: str | None,
    repo: Path | None,
    data: Path | None,
    style: str,
) -> int:
    """Say what the change from --base to --head does, who must approve it, and when it may take effect.

    Exit code 0: approvals are all it needs, or it changes nothing; 1: something else is in the way; 2: cannot tell.
    """
    if group_by and contexts is None:
        raise UsageError("--group-by: nothing to group", remedy="Name recorded contexts with --contexts FILE.")
    if promote is not None and revision is not None:
        raise UsageError("--promote and --head both name the state after", remedy="Leave one of them out.")
    if flags and promote is None:
        raise UsageError("--flag: nothing to promote", remedy="Say from where to where with --promote FROM:TO.")
    repository = find_repository(repo)
    recorded = _contexts(contexts) if contexts is not None else None
    with without_gc(), Progress() as progress:
        git = FlagRepository(repository, read=quick_reader(repository, progress.say("Reading")))
        before = base_of(git, base, repository, environment, data)
        if promote is not None:
            facts, unknown = _promoting(before, promote, flags, authors), False
        else:
            documents = sound(git.working_tree_documents() if revision is None else git.documents(revision))
            facts, unknown = _facts(git, before, changes_of(before, documents), revision, authors)
        manifest = before.head.manifest if before.head is not None else None
        told = progress.say("Replaying contexts")
        recording = Recording(recorded, group_by, examples, told) if recorded is not None else None
        made = plan(facts, before.policies, manifest=manifest, recording=recording)
    head = git.resolve(revision) if revision is not None else None
    if style == "json":
        print_json(
            {
                "base": before.commit,
                "accepted": before.head is not None,
                "head": head,
                "contributors": list(facts.contributors),
                "ticket": facts.ticket,
                **as_record(made),
            }
        )
    else:
        accepted = "the accepted state" if before.head is not None else "not known to be accepted"
        name = head[:12] if head is not None else _WORKING_TREE if promote is None else f"promoting {promote}"
        _print(made, f"From {before.commit[:12]} ({accepted}) to {name}", style)
    return 1 if made.obstacles or unknown else 0


def _print(made: Plan, heading: str, style: str) -> None:
    if style == "markdown":
        click.echo(as_markdown(made, heading=heading), nl=False)
        return
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(f"{heading}\n")
    click.echo(as_text(made, width=width, colour=wants_colour()), nl=False)


def _promoting(base: Base, promote: str, flags: tuple[str, ...], authors: tuple[str, ...]) -> Facts:
    """Gather the facts of a change in which one environment's sections stand in place of another's."""
    source, _, target = promote.partition(":")
    for name in (source, target):
        if name not in base.policies.environments:
            raise UsageError(
                f"--promote {promote}: there is no environment {name or 'without a name'}",
                remedy=f"Write FROM:TO with two of {', '.join(sorted(base.policies.environments))}.",
            )
    for flag in flags:
        if base.state.definition(flag) is None:
            raise UsageError(f"--flag {flag}: there is no such flag", remedy="Write NAMESPACE/NAME.")
    chosen = flags or tuple(sorted(base.state.catalogue.flags))
    found = (base.state.live(flag_subject(flag)) for flag in chosen)
    written = (promoted(document, source, target) for document in found if document is not None)
    different = {document.subject: document for document in written if document is not None}
    return judged(base, different, tuple(sorted(authors)), None)


def _facts(
    git: FlagRepository,
    base: Base,
    different: Mapping[str, Document],
    revision: str | None,
    authors: tuple[str, ...],
) -> tuple[Facts, bool]:
    """Gather what a decision is made from, and whether somebody unknown wrote a part of it: then none will be made."""
    tip = "HEAD" if revision is None else revision
    commits = git.commits_between(base.commit, tip) if git.is_ancestor(base.commit, tip) else ()
    signers = _contributors(commits, base.policies.organisation)
    people = set(authors) | (signers or set())
    if not people and signers is not None:
        note("Nobody is known to have written the change; whoever did cannot approve it. Name them with --author.")
    ticket = ticket_of(commits)
    return judged(base, different, tuple(sorted(people)), ticket), signers is None


def _contributors(commits: tuple[Commit, ...], organisation: Organisation) -> set[str] | None:
    """Find who signed the commits; None, and a note, if one is by nobody known."""
    try:
        return set(contributors(commits, organisation))
    except ApprovalError as error:
        note(f"The change cannot be approved as it is committed: {error.message}")
        return None


def _contexts(path: Path) -> list[Mapping[str, Json]]:
    found: list[Mapping[str, Json]] = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                context = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UsageError(
                    f"{path}:{number}: not JSON: {error}",
                    code="BadContext",
                    remedy="Write one evaluation context a line, each a JSON object.",
                ) from None
            if not isinstance(context, dict):
                raise UsageError(
                    f"{path}:{number}: a JSON object is needed",
                    code="BadContext",
                    remedy="Write one evaluation context a line, each a JSON object.",
                )
            found.append(context)
    return found
