"""``flagseal plan``: what a change does, before anybody approves it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.approval.authors import contributors
from flagseal.history import changes
from flagseal.history.waiting import Change
from flagseal.model.document import Document, split_subject
from flagseal.model.errors import ApprovalError, InvalidDocuments, SnapshotError, UsageError
from flagseal.model.policy_set import load_policies
from flagseal.policy import Facts, State
from flagseal.repository import FlagRepository
from flagseal_cli.console import note, print_json
from flagseal_cli.options import data_option, environment_option, format_option, repo_option
from flagseal_cli.published import published_state
from flagseal_cli.workspace import data_folder, find_repository, quick_reader
from flagseal_validators.plan import as_record, as_text, plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.history import Head
    from flagseal.model.canonical import Json
    from flagseal.model.finding import Finding
    from flagseal.model.policies import Organisation, PolicySet
    from flagseal.repository import Commit

_WORKING_TREE = "the working tree"
_TICKET = "Ticket"


@dataclass(frozen=True)
class _Base:
    """What a change is held against.

    Attributes:
        commit: Its id.
        state: Its documents.
        policies: Those in force there.
        head: The accepted state, if that is what the commit stands for.
    """

    commit: str
    state: State
    policies: PolicySet
    head: Head | None


@click.command("plan")
@click.option("--base", required=True, metavar="REV", help="The state before: the accepted commit, or the branch.")
@click.option("--head", "revision", metavar="REV", help="The state after. Default: the working tree.")
@click.option(
    "--contexts",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Recorded evaluation contexts, one JSON object a line: evaluated on both sides.",
)
@click.option("--group-by", multiple=True, metavar="ATTR", help="Count the contexts that change by this attribute.")
@click.option("--author", "authors", multiple=True, metavar="PERSON", help="Who wrote what is not committed yet.")
@environment_option
@repo_option
@data_option
@format_option
def plan_command(  # noqa: PLR0913 (one argument an option)
    *,
    base: str,
    revision: str | None,
    contexts: Path | None,
    group_by: tuple[str, ...],
    authors: tuple[str, ...],
    environment: str | None,
    repo: Path | None,
    data: Path | None,
    style: str,
) -> int:
    """Say what the change from --base to --head does, who must approve it, and when it may take effect.

    Exit code 0: approvals are all it needs, or it changes nothing; 1: something else is in the way; 2: cannot tell.
    """
    repository = find_repository(repo)
    git = FlagRepository(repository, read=quick_reader(repository))
    before = _base(git, base, repository, environment, data)
    documents = _sound(git.working_tree_documents() if revision is None else git.documents(revision))
    facts, unknown = _facts(git, before, documents, revision, authors)
    recorded = _contexts(contexts) if contexts is not None else None
    if group_by and recorded is None:
        raise UsageError("--group-by: nothing to group", remedy="Name recorded contexts with --contexts FILE.")
    manifest = before.head.manifest if before.head is not None else None
    made = plan(facts, before.policies, manifest=manifest, contexts=recorded, group_by=group_by)
    head = _WORKING_TREE if revision is None else git.resolve(revision)[:12]
    if style == "json":
        print_json(
            {
                "base": before.commit,
                "accepted": before.head is not None,
                "head": None if revision is None else git.resolve(revision),
                "contributors": list(facts.contributors),
                "ticket": facts.ticket,
                **as_record(made),
            }
        )
    else:
        accepted = "the accepted state" if before.head is not None else "not known to be accepted"
        click.echo(f"From {before.commit[:12]} ({accepted}) to {head}\n")
        click.echo(as_text(made), nl=False)
    return 1 if made.obstacles or unknown else 0


def _sound(read: tuple[tuple[Document, ...], tuple[Finding, ...]]) -> tuple[Document, ...]:
    documents, findings = read
    if errors := [finding for finding in findings if finding.severity == "error"]:
        raise InvalidDocuments(errors)
    return documents


def _base(git: FlagRepository, revision: str, repository: Path, environment: str | None, data: Path | None) -> _Base:
    """Read the base; where it is the accepted commit of a local installation, with what history knows of it."""
    commit = git.resolve(revision)
    try:
        folder = data_folder(repository, environment, data)
    except UsageError:
        folder = None
    if folder is not None and folder.is_initialised:
        try:
            head = published_state(folder).head
        except SnapshotError as error:
            note(f"What is accepted cannot be told: {error.message}")
        else:
            if head.commit == commit:
                return _Base(commit, head.documents, head.policies, head)
    documents = _sound(git.documents(commit))
    state = State({document.subject: document for document in documents})
    return _Base(commit, state, load_policies(documents), None)


def _facts(
    git: FlagRepository,
    base: _Base,
    documents: tuple[Document, ...],
    revision: str | None,
    authors: tuple[str, ...],
) -> tuple[Facts, bool]:
    """Gather what a decision is made from, and whether somebody unknown wrote a part of it: then none will be made."""
    different = _changes(base, documents)
    after = base.state.changed(different)
    now = datetime.now(UTC).replace(microsecond=0)
    tip = "HEAD" if revision is None else revision
    commits = git.commits_between(base.commit, tip) if git.is_ancestor(base.commit, tip) else ()
    signers = _contributors(commits, base.policies.organisation)
    people = set(authors) | (signers or set())
    if not people and signers is not None:
        note("Nobody is known to have written the change; whoever did cannot approve it. Name them with --author.")
    in_effect, pending = {}, {}
    if base.head is not None:
        head, clock = base.head, max(now, base.head.accepted_at)
        change = Change.of(head, after, tuple(different), head.sequence + 1, clock)
        for name in base.policies.environments:
            if head.waiting(name, clock):
                in_effect[name] = head.effective(name, clock)
            if linked := change.linked(name):
                pending[name] = max(entry.effective_from for entry in linked)
    facts = Facts(
        accepted=base.state,
        after=after,
        subjects=tuple(different),
        contributors=tuple(sorted(people)),
        approvals=(),
        now=now,
        ticket=next(filter(None, (commit.trailer(_TICKET) for commit in commits)), None),
        in_effect=in_effect,
        pending_until=pending,
        accepted_at=base.head.accepted_at if base.head is not None else None,
        # Of a base that nobody accepted, the commit says as well what its documents are, at no cost.
        head=None if base.head is not None else base.commit,
    )
    return facts, signers is None


def _changes(base: _Base, documents: tuple[Document, ...]) -> Mapping[str, Document]:
    if base.head is not None:
        return changes(base.head, documents)
    found = {document.subject: document for document in documents}
    different = {
        subject: document
        for subject, document in found.items()
        if (known := base.state.documents.get(subject)) is not document
        and (known is None or known.digest != document.digest)
    }
    gone = (subject for subject in base.state.documents if subject not in found)
    return dict(sorted({**different, **{it: Document(*split_subject(it), spec=None) for it in gone}}.items()))


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
