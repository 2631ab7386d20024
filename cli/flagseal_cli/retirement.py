"""What `flagseal retire` and `flagseal debt` share: looking at a repository's flags at one commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.evaluation.catalogue import flag_of
from flagseal.model.errors import FlagsealError, InvalidDocuments
from flagseal.model.policy_set import load_policies
from flagseal_cli.console import note
from flagseal_cli.published import published_state
from flagseal_cli.workspace import FOLDER, DataFolder
from flagseal_validators.retirement.ages import ages
from flagseal_validators.retirement.looking import subjects
from flagseal_validators.retirement.references import search

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from flagseal.model.document import Document
    from flagseal.model.policies import PolicySet
    from flagseal.repository import FlagRepository
    from flagseal_validators.retirement.stepping import Subject

sources_option = click.option(
    "--sources",
    "sources",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A source tree to search for what asks for flags. Once for each. Nothing in it is run.",
)


@dataclass(frozen=True)
class Looked:
    """The flags of a repository, and the policies that they are held to."""

    policies: PolicySet
    subjects: tuple[Subject, ...]


def look(
    git: FlagRepository,
    commit: str,
    repository: Path,
    *,
    data: Path | None,
    sources: tuple[Path, ...],
    now: datetime,
) -> Looked:
    """Look at every flag of a commit: its age, what is served of it, and where code asks for it.

    Args:
        git: The repository.
        commit: Object id.
        repository: Its folder.
        data: Data of one environment; None takes those that were set up in the repository.
        sources: Source trees.
        now: Aware.

    Raises:
        InvalidDocuments: The commit's files cannot be taken as they are.
        SearchFailed: A source tree could not be searched whole.
    """
    documents, findings = git.documents(commit)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise InvalidDocuments(errors)
    keys = [flag_of(it).key for it in documents if it.kind == "FlagDefinition" and not it.is_tombstone]
    found = subjects(
        documents,
        now=now,
        ages=ages(git.git, commit, "flags"),
        published=dict(_published(repository, data)),
        references=search(sources, keys, skip=repository) if sources else None,
    )
    return Looked(load_policies(documents), found)


def _published(repository: Path, data: Path | None) -> Iterator[tuple[str, tuple[Document, ...]]]:
    """Read what is in effect by every verified store at hand; for other environments the branch counts."""
    base = repository / FOLDER / "up"
    every = sorted(base.iterdir()) if data is None and base.is_dir() else []
    for folder in [DataFolder(data)] if data is not None else [DataFolder(path) for path in every]:
        if not folder.is_initialised:
            continue
        try:
            state = published_state(folder)
        except FlagsealError as error:
            if data is not None or error.code != "NothingPublished":
                raise
            continue
        environment = state.build.environment
        if state.stale:
            note(f"{environment}: nobody has signed its snapshot lately; what it says may be old.")
        yield environment, tuple(state.head.effective(environment, state.now).values())
