"""Everything known of a repository's flags on a day, from documents, git, what is served and source trees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.evaluation.catalogue import Catalogue, flag_of
from flagseal.evaluation.resolve import resolve_flag
from flagseal.model.canonical import canonical_json
from flagseal.model.document import subject_of
from flagseal.model.errors import CompileError
from flagseal_validators.reasoning import constant_variant
from flagseal_validators.retirement.requiring import requirers
from flagseal_validators.retirement.stepping import Serving, Subject

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from flagseal.model.document import Document
    from flagseal_validators.retirement.ages import Age
    from flagseal_validators.retirement.references import Reference


def subjects(
    documents: Iterable[Document],
    *,
    now: datetime,
    ages: Mapping[str, Age],
    published: Mapping[str, Iterable[Document]] | None = None,
    references: Mapping[str, tuple[Reference, ...]] | None = None,
) -> tuple[Subject, ...]:
    """Look at every flag.

    Args:
        documents: All of the branch.
        now: Aware; what is served is asked from then on.
        ages: By path.
        published: What is in effect, by environment, where a verified store says so; elsewhere the branch counts.
        references: By key, where code asks for it; None if no tree was searched.

    Returns:
        One entry a flag, by ``namespace/name``.
    """
    declared = tuple(documents)
    here = Catalogue.of(declared)
    live = {name: Catalogue.of(found) for name, found in (published or {}).items()}
    segments = _users_of_segments(here)
    found = []
    for document in declared:
        if document.kind != "FlagDefinition" or document.is_tombstone:
            continue
        flag = flag_of(document)
        path = document.source.file if document.source is not None else ""
        environments = dict.fromkeys((*flag.environments, *live))
        found.append(
            Subject(
                document=document,
                flag=flag,
                path=path,
                age=ages.get(path),
                serving=tuple(
                    entry
                    for name in environments
                    if (entry := _serving(flag.reference, name, live.get(name), here, now)) is not None
                ),
                references=None if references is None else references.get(flag.key, ()),
                held_by=tuple(_held_by(flag.reference, here, live)),
                only_segments=tuple(
                    name for name in sorted(here.references(flag.reference).segments) if len(segments[name]) == 1
                ),
                required_by=tuple(
                    it for name in environments for it in requirers(flag.reference, name, live.get(name, here))
                ),
            )
        )
    return tuple(sorted(found, key=lambda subject: subject.flag.reference))


def _serving(
    reference: str, environment: str, live: Catalogue | None, here: Catalogue, now: datetime
) -> Serving | None:
    """Say what an environment serves; None where it does not have the flag."""
    catalogue = here if live is None else live
    if reference not in catalogue.flags or environment not in catalogue.flags[reference].environments:
        return None
    flag = catalogue.flags[reference]
    section = flag.environments[environment]
    try:
        constant = constant_variant(resolve_flag(flag, environment, catalogue), int(now.timestamp()))
    except CompileError:
        constant = None
    return Serving(
        environment=environment,
        constant=constant,
        variants=tuple((name, canonical_json(value).decode()) for name, value in flag.variants.items()),
        default=flag.safe_variant if section.off else section.default,
        rules=0 if section.off else len(section.rules) + len(section.targets),
        lifecycle=flag.lifecycle,
        published=live is not None,
    )


def _held_by(reference: str, here: Catalogue, live: Mapping[str, Catalogue]) -> Iterable[str]:
    """Say what refers to a flag: a file cannot go before whatever names it."""
    subject = subject_of("FlagDefinition", *reference.split("/"))
    for catalogue, where in ((here, ""), *((found, f" in {name}") for name, found in live.items())):
        for other in sorted(catalogue.dependents(subject)):
            if subject in {subject_of("FlagDefinition", *it.split("/")) for it in catalogue.references(other).flags}:
                yield f"{other} has it as a prerequisite{where}"
        for binding in sorted({name for name, _ in catalogue.grants(reference)}):
            yield f"{binding} grants it{where}"


def _users_of_segments(catalogue: Catalogue) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for flag in catalogue.flags:
        for name in catalogue.references(flag).segments:
            found.setdefault(name, set()).add(flag)
    return found
