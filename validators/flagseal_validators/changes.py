"""What rules say of the change that made documents what they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.model.errors import InvalidPolicies
from flagseal.model.policy_set import load_policies
from flagseal.repository.layout import FLAGS, POLICIES, POLICY_TESTS
from flagseal.repository.reading import read_afresh
from flagseal_validators.declared import Declared
from flagseal_validators.judging import judge_change
from flagseal_validators.tree import read_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import date
    from pathlib import Path

    from flagseal.model.document import Document
    from flagseal.model.policies import PolicySet
    from flagseal_validators.judged import Judged


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of files before a change that touches them.

    Attributes:
        held: What they held, by path.
        born: The days on which they came to the branch, by path, as far as its history is here.
    """

    held: Mapping[str, bytes]
    born: Mapping[str, date]


def look_at_change(root: Path, names: Collection[str], past: Past, today: date) -> Iterator[Judged]:
    """Hold the rules that look at what flags were before the change.

    Args:
        root: The repository's top folder.
        names: The files that hold documents.
        past: What is known of files that the change touches.
        today: The day, UTC.
    """
    changed = sorted(name for name in names if name in past.held and name.startswith(f"{FLAGS}/"))
    if not changed:
        return
    documents = _load({name: read_file(root / name) or b"" for name in changed})
    earlier = _load({name: past.held[name] for name in changed})
    known = {document.subject: document for document in earlier}
    sources = {document.subject: document.source.file for document in documents if document.source is not None}
    born = {subject: past.born[file] for subject, file in sources.items() if file in past.born}
    yield from judge_change(Declared(documents, _policies(root, names), today, before=known, born=born))


def _load(files: Mapping[str, bytes]) -> tuple[Document, ...]:
    return tuple(document for loaded in read_afresh(list(files.items())) for document in loaded.documents)


def _policies(root: Path, names: Collection[str]) -> PolicySet | None:
    paths = [name for name in names if name.startswith(f"{POLICIES}/") and not name.startswith(POLICY_TESTS)]
    try:
        return load_policies(_load({name: read_file(root / name) or b"" for name in paths}))
    except InvalidPolicies:
        return None
