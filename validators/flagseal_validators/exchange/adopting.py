"""Flags in the neutral form as definitions and segments of a repository, with what became of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flagseal.evaluation.catalogue import Catalogue
from flagseal.evaluation.compile import compile_flag
from flagseal.evaluation.resolve import resolve_flag
from flagseal.model.characters import visible
from flagseal.model.errors import CompileError, InvalidDocuments, UsageError
from flagseal.model.flag import Ramp
from flagseal.model.uniqueness import flag_key
from flagseal_validators.exchange.conditions import Opaque
from flagseal_validators.exchange.defining import Definer, LeftOut
from flagseal_validators.exchange.importing import Imported
from flagseal_validators.exchange.lowering import lowered
from flagseal_validators.exchange.neutral import ANYWHERE, Remark
from flagseal_validators.exchange.spelling import folded, spelled
from flagseal_validators.exchange.writing import document_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from flagseal.model.canonical import Json
    from flagseal.model.document import Document
    from flagseal.model.policies import PolicySet
    from flagseal_validators.exchange.defining import Defaults
    from flagseal_validators.exchange.importing import Outcome
    from flagseal_validators.exchange.neutral import NeutralFlag, NeutralSource, Prerequisite, Section

_LONGEST_DESCRIPTION: Final = 1024


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of a file.

    Attributes:
        flags: Of each flag, in the order of the file.
        segments: Definitions of the segments that flags name, each with its place in the file.
        environments: From ours to the origin's.
    """

    flags: tuple[Imported, ...]
    segments: tuple[tuple[Document, str], ...]
    environments: Mapping[str, str]


def adopt(
    source: NeutralSource,
    namespace: str,
    defaults: Defaults,
    *,
    existing: Iterable[Document],
    policies: PolicySet,
) -> Adopted:
    """Turn flags in the neutral form into definitions.

    Args:
        source: What was read.
        namespace: Where they go.
        defaults: What the origin does not say.
        existing: Documents of the repository; their names and keys are taken.
        policies: Its policies.

    Raises:
        UsageError: ``UnknownEnvironment``: no environment of the origin stands for one of ours.
    """
    existing = tuple(existing)
    definer = Definer(source.file, namespace, defaults, policies)
    definer.take(existing)
    adopter = _Adopter(source, definer, defaults, matched(source, defaults), existing)
    return adopter.run()


def matched(source: NeutralSource, defaults: Defaults) -> dict[str, str]:
    """Match our environments with the origin's: as was asked, by name, or the only one with all of ours."""
    there = source.environments
    unknown = sorted(defaults.mapping.keys() - set(there))
    if unknown:
        raise UsageError(
            f"{source.file}: there is no environment {unknown[0]!r}",
            code="UnknownEnvironment",
            remedy=f"Use one of {', '.join(there) or 'none: the file names no environments'}.",
        )
    if not there:
        return dict.fromkeys(defaults.environments, ANYWHERE)
    if len(there) == 1 and not defaults.mapping:
        return dict.fromkeys(defaults.environments, there[0])
    found = {ours: origin for origin, ours in defaults.mapping.items() if ours in defaults.environments}
    found |= {name: name for name in defaults.environments if name in there and name not in found}
    if not found:
        raise UsageError(
            f"{source.file}: none of its environments is called as one here: {', '.join(there)}",
            code="UnknownEnvironment",
            remedy="Say which is which, with --map THEIRS=OURS.",
        )
    return found


def adopted_files(source: NeutralSource, adopted: Adopted, folder: Path) -> dict[Path, str]:
    """Write what was imported as files, each naming its origin and what is not as it was.

    Args:
        source: What was read.
        adopted: What became of it.
        folder: ``flags`` of the repository.

    Raises:
        FlagsealError: A document cannot be written as it is meant.
    """
    origin = f"{visible(source.product)} ({visible(source.file)})"
    files: dict[Path, str] = {}
    for read, flag in zip(source.flags, adopted.flags, strict=True):
        if flag.document is not None:
            told = [f"{visible(remark.place)}: {visible(remark.reason)}." for remark in flag.remarks]
            heading = "\n".join([f"Imported from {origin}, {visible(read.place)}: {visible(read.key)}.", *told])
            files[_file(folder, flag.document)] = document_text(flag.document, heading)
    for segment, place in adopted.segments:
        files[_file(folder, segment)] = document_text(segment, f"Imported from {origin}, {visible(place)}.")
    return files


def _file(folder: Path, document: Document) -> Path:
    return folder / str(document.namespace) / f"{document.name}.yaml"


@dataclass
class _Adopter:
    source: NeutralSource
    definer: Definer
    defaults: Defaults
    environments: Mapping[str, str]
    existing: tuple[Document, ...]
    names: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    segment_names: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, str] = field(default_factory=dict)

    def run(self) -> Adopted:
        for document in self.existing:
            if document.kind == "FlagDefinition" and not document.is_tombstone:
                self.elsewhere[flag_key(document)] = f"{document.namespace}/{document.name}"
        self._refuse()
        made = {flag.place: self._made(flag) for flag in self.source.flags if self._reason(flag) is None}
        self._check(made)
        flags = tuple(made.get(flag.place) or self._left_out(flag) for flag in self.source.flags)
        used = frozenset(name for one in made.values() if one.document is not None for name in _named(one.document))
        return Adopted(flags, tuple(self._segments(used)), self.environments)

    # Who is left out

    def _refuse(self) -> None:
        """Name what is kept; whatever needs what is not kept is not kept either."""
        for flag in self.source.flags:
            reason = self._first_reason(flag)
            if reason is None:
                try:
                    self.names[flag.key] = self.definer.name_for(flag.key)
                except LeftOut as why:
                    reason = str(why)
                else:
                    self.definer.names.add(self.names[flag.key])
            if reason is not None:
                self.refused[flag.place] = reason
        for segment in self.source.segments.values():
            try:
                self.segment_names[segment.key] = self.definer.name_for(segment.name or segment.key)
            except LeftOut:
                self.segment_names[segment.key] = self.definer.name_for("segment")
            self.definer.names.add(self.segment_names[segment.key])
        self._refuse_dependents()

    def _first_reason(self, flag: NeutralFlag) -> str | None:
        if not self.defaults.partial:
            for remark in self._remarks(flag):
                if remark.kind == "lost":
                    return remark.text()
        if not flag.variants:
            return "; ".join(remark.text() for remark in flag.remarks) or f"{flag.place}: it has no variants"
        if flag.key in self.definer.keys:
            return f"{flag.place}: the key is taken by {self.definer.keys[flag.key]}"
        if flag.key in self.names:
            return f"{flag.place}: the key is taken by a flag before it in the file"
        return None

    def _refuse_dependents(self) -> None:
        by_key = {flag.key: flag for flag in self.source.flags if flag.place not in self.refused}
        for flag in _circular(by_key, self.environments.values()):
            self.refused[flag.place] = f"{flag.place}: its prerequisites run in a circle"
        changed = True
        while changed:
            changed = False
            kept = {flag.key for flag in self.source.flags if flag.place not in self.refused}
            for flag in self.source.flags:
                for needed in self._needed(flag):
                    known = needed.key in kept or needed.key in self.elsewhere
                    if not known and flag.place not in self.refused:
                        self.refused[flag.place] = f"{needed.place}: it requires {needed.key!r}, which is not imported"
                        changed = True

    def _needed(self, flag: NeutralFlag) -> Iterator[Prerequisite]:
        for _, section in self._sections(flag):
            yield from section.requires

    def _reason(self, flag: NeutralFlag) -> str | None:
        return self.refused.get(flag.place)

    def _left_out(self, flag: NeutralFlag) -> Imported:
        reason = self.refused[flag.place]
        remarks = tuple(remark for remark in self._remarks(flag) if remark.kind == "lost")
        notes = tuple(dict.fromkeys([reason, *(remark.text() for remark in remarks)]))
        return Imported(flag.key, "left out", notes, remarks=remarks)

    # What is made

    def _sections(self, flag: NeutralFlag) -> Iterator[tuple[str, Section]]:
        for ours, origin in self.environments.items():
            section = flag.sections.get(origin) or flag.sections.get(ANYWHERE)
            if section is not None:
                yield ours, section

    def _remarks(self, flag: NeutralFlag) -> tuple[Remark, ...]:
        wanted = {ANYWHERE, *self.environments.values()}
        return tuple(dict.fromkeys(remark for remark in flag.remarks if remark.environment in wanted))

    def _made(self, flag: NeutralFlag) -> Imported:
        try:
            return self._imported(flag)
        except (LeftOut, Opaque) as why:
            self.refused[flag.place] = f"{flag.place}: {why}"
        except InvalidDocuments as error:
            told = dict.fromkeys(f"{finding.path}: {finding.message}" for finding in error.findings)
            self.refused[flag.place] = f"{flag.place}: it has no form here: {'; '.join(told)}"
        except CompileError as error:
            self.refused[flag.place] = f"{flag.place}: {error.message}. {error.remedy}".strip()
        return self._left_out(flag)

    def _imported(self, flag: NeutralFlag) -> Imported:
        remarks = list(self._remarks(flag))
        references = {**self.elsewhere, **self.names}
        sections: dict[str, Json] = {}
        raw: list[str] = []
        for ours, section in self._sections(flag):
            written = lowered(
                section,
                key=flag.key,
                segments=self.source.segments,
                names=self.segment_names,
                flags=references,
            )
            sections[ours] = written.section
            raw += [ours] if written.raw else []
        default = next((section.default for _, section in self._sections(flag)), None)
        document = self.definer.definition(
            self.names[flag.key],
            flag.key,
            flag.variants,
            sections,
            safe=self._safe(flag, default),
            said={"description": flag.description[:_LONGEST_DESCRIPTION]} if flag.description.strip() else {},
        )
        if not sections:
            remarks.append(Remark("differs", flag.place, "no environment here serves it: the file says nothing of any"))
        if raw:
            why = "a share of people goes on to later rules, which no rule here does: raw targeting in"
            remarks.insert(0, Remark("note", flag.place, f"{why} {' and '.join(raw)}"))
        kinds = {remark.kind for remark in remarks}
        outcome: Outcome = "changed" if kinds - {"note"} else "raw" if raw else "exactly"
        return Imported(flag.key, outcome, tuple(remark.text() for remark in remarks), document, remarks=tuple(remarks))

    def _safe(self, flag: NeutralFlag, default: str | None) -> str:
        ramps = any(isinstance(step.outcome, Ramp) for _, section in self._sections(flag) for step in section.steps)
        if ramps and flag.safe is not None:
            # A ramp grows against the safe variant, so it is not for options to choose.
            return flag.safe
        return self.definer.safe_variant(flag.variants, default, flag.safe)

    def _segments(self, used: frozenset[str]) -> Iterator[tuple[Document, str]]:
        for segment in self.source.segments.values():
            name = self.segment_names[segment.key]
            when = folded(segment.when)
            if name in used and not isinstance(when, bool):
                yield self.definer.segment(name, spelled(when), segment.place), segment.place

    # What must hold for all together

    def _check(self, made: dict[str, Imported]) -> None:
        """Compile everything; what has no meaning is left out, and then whatever needs it."""
        while True:
            documents = [one.document for one in made.values() if one.document is not None]
            used = frozenset(name for document in documents for name in _named(document))
            catalogue = Catalogue.of([*self.existing, *documents, *(one for one, _ in self._segments(used))])
            broken = False
            for flag in self.source.flags:
                one = made.get(flag.place)
                if one is None or one.document is None:
                    continue
                problem = _problem(one.document, catalogue)
                if problem is not None:
                    broken = True
                    self.refused[flag.place] = f"{flag.place}: {problem}"
                    made[flag.place] = self._left_out(flag)
            if not broken:
                return


def _problem(document: Document, catalogue: Catalogue) -> str | None:
    definition = catalogue.flags[f"{document.namespace}/{document.name}"]
    try:
        for environment in definition.environments:
            compile_flag(resolve_flag(definition, environment, catalogue), definition, None)
    except CompileError as error:
        return f"{error.message}. {error.remedy}".strip()
    return None


def _named(document: Document) -> Iterator[str]:
    """Name the segments that a definition refers to."""
    waiting: list[Json] = [document.spec]
    while waiting:
        at = waiting.pop()
        if isinstance(at, dict):
            name = at.get("segment")
            if isinstance(name, str):
                yield name
            waiting += at.values()
        elif isinstance(at, list):
            waiting += at


def _circular(flags: Mapping[str, NeutralFlag], environments: Iterable[str]) -> list[NeutralFlag]:
    """Find the flags that require themselves, however far around; without recursion, since chains may be long."""
    needs = {
        key: {
            one.key
            for name in {ANYWHERE, *environments}
            if (section := flag.sections.get(name)) is not None
            for one in section.requires
            if one.key in flags
        }
        for key, flag in flags.items()
    }
    # Whoever needs nobody is in no circle, and then nobody needs to wait for it.
    waiting = Counter({key: len(needed) for key, needed in needs.items()})
    needed_by: dict[str, list[str]] = {}
    for key, needed in needs.items():
        for one in needed:
            needed_by.setdefault(one, []).append(key)
    free = [key for key, count in waiting.items() if count == 0]
    while free:
        for key in needed_by.get(free.pop(), ()):
            waiting[key] -= 1
            if waiting[key] == 0:
                free.append(key)
    return [flags[key] for key, count in waiting.items() if count > 0]
