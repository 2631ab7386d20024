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

    from flagseal.model.canonical import Json
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


def only_ending(root: Path, held: Mapping[str, bytes]) -> frozenset[str]:
    """Name the files in which a change only takes flags toward their end: a step of life, or `off: true`.

    The day is not held against it: what ends a flag that is past its time must not wait for a later expiry.

    Args:
        root: The repository's top folder.
        held: What the files that the change touches held before it, by path.
    """
    found: set[str] = set()
    for name in (name for name in held if name.startswith(f"{FLAGS}/")):
        before, after = _load({name: held[name]}), _load({name: read_file(root / name) or b""})
        if len(before) == len(after) == 1 and _still_to_end(before[0]) == _still_to_end(after[0], before[0]):
            found.add(name)
    return frozenset(found)


def _still_to_end(document: Document, before: Document | None = None) -> Json:
    """Give a flag without what a change may do to end it; what was off before is part of it."""
    spec = dict(document.spec) if document.kind == "FlagDefinition" and isinstance(document.spec, dict) else None
    if spec is None:
        return {"subject": str(document.subject), "spec": document.spec}
    # Who takes a flag out of retirement does not end it.
    if before is None or not _is_retired(before) or _is_retired(document):
        spec.pop("lifecycle", None)
    environments = spec.get("environments")
    if before is not None and isinstance(environments, dict):
        spec["environments"] = {
            name: _as_it_was(section, _section(before, name)) for name, section in environments.items()
        }
    return {"subject": str(document.subject), "spec": spec}


def _is_retired(document: Document) -> bool:
    return isinstance(document.spec, dict) and document.spec.get("lifecycle") == "retired"


def _as_it_was(section: Json, before: Json) -> Json:
    """Take `off: true` out of an environment's section, where it is new."""
    if not isinstance(section, dict) or section.get("off") is not True:
        return section
    rest = {word: value for word, value in section.items() if word != "off"}
    was = before.get("off") if isinstance(before, dict) else None
    return rest if was is None else {**rest, "off": was}


def _section(document: Document, name: str) -> Json:
    environments = document.spec.get("environments") if isinstance(document.spec, dict) else None
    return environments.get(name) if isinstance(environments, dict) else None


def _load(files: Mapping[str, bytes]) -> tuple[Document, ...]:
    return tuple(document for loaded in read_afresh(list(files.items())) for document in loaded.documents)


def _policies(root: Path, names: Collection[str]) -> PolicySet | None:
    paths = [name for name in names if name.startswith(f"{POLICIES}/") and not name.startswith(POLICY_TESTS)]
    try:
        return load_policies(_load({name: read_file(root / name) or b"" for name in paths}))
    except InvalidPolicies:
        return None
