"""Loading and judging: all documents, or those of which rules may say something else after a change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flagseal.model.document import POLICY_KINDS
from flagseal.model.errors import InvalidPolicies
from flagseal.model.policy_set import load_policies, read_policies
from flagseal.model.rule_ids import POLICY_KINDS_ONCE
from flagseal.repository.layout import POLICIES, POLICY_TESTS, check_path, check_unique
from flagseal.repository.reading import read_afresh, rebuilt
from flagseal_validators.declared import Declared
from flagseal_validators.facts import FLAG, Web, facts_of
from flagseal_validators.judged import Judged
from flagseal_validators.judging import judge_each, judge_many, judge_together, looks_at_all
from flagseal_validators.memory import Found, Known
from flagseal_validators.tree import no_test, unreadable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from flagseal.model.document import Document
    from flagseal.model.finding import Finding
    from flagseal.model.policies import PolicySet
    from flagseal_validators.examining import Difference, Files, Means
    from flagseal_validators.facts import Facts

_MANY: Final = 64
"""Files from which on it pays to ask the cache of documents."""
_MOST: Final = 2_000
"""Documents from which on it pays to judge all, with several processes."""


def look_at_all(files: Files, means: Means) -> Found:
    """Load every file, and hold every rule against every document."""
    known, documents = _loaded(files, files.names, means)
    clashes = check_unique([document for path, document in documents.items() if not _is_test(path)])
    form = [*files.misplaced, *(finding for it in known.values() for finding in it.form), *clashes]
    policies, contradictions = _policies(documents.values(), form)
    declared = Declared(tuple(documents.values()), policies, means.today)
    _file(known, map(Judged, clashes))
    _file(known, judge_many(declared, processes=means.processes, progress=means.progress))
    rest = (*map(Judged, contradictions), *judge_together(declared))
    return Found(list(known.values()), rest, policies is not None)


def look_again(files: Files, difference: Difference, means: Means, before: Found) -> Found | None:
    """Judge again what a change may have touched.

    Args:
        files: As they lie now.
        difference: What is another.
        means: How to look.
        before: What was found before.

    Returns:
        None where that is too much, or cannot be told: then everything has to be looked at.
    """
    paths = [*difference.changed, *(it.path for it in difference.past)]
    if any(path.startswith(f"{POLICIES}/") for path in paths) or len(paths) > _MOST:
        return None  # Whatever the policies say counts for every document.
    news, documents = _loaded(files, difference.changed, means)
    known = {name: news.get(name) or difference.kept[name] for name in files.names}
    facts = {path: it.facts for path, it in known.items() if it.facts is not None}
    was = [it.facts for it in difference.past if it.facts is not None]
    now = [it.facts for it in news.values() if it.facts is not None]
    if any(it.kind in POLICY_KINDS for it in (*was, *now)):
        return None
    web = Web(facts)
    affected = web.affected([*was, *now], documents)
    if _flags(was) != _flags(now):
        # A remedy may have suggested, or may suggest now, what came or went.
        affected |= {path for path, it in known.items() if any(found.from_elsewhere for found in it.judged)}
    context = web.context(affected)
    if len(context) > _MOST:
        return None
    judged = None if looks_at_all() else _judged(files, known, context, affected, means, before)
    if judged is None or any(it.from_elsewhere for it in judged[0]):
        judged = _judged(files, known, facts, affected, means, before)
    if judged is None:
        return None
    for path in affected:
        known[path].judged = ()
    _file(known, judged[0])
    rest = (*(it for it in before.rest if it.finding.rule not in looks_at_all()), *judged[1])
    return Found(list(known.values()), rest, before.consistent)


def _judged(
    files: Files,
    known: Mapping[str, Known],
    context: Collection[str],
    affected: Collection[str],
    means: Means,
    before: Found,
) -> tuple[list[Judged], list[Judged]] | None:
    """Judge some documents, with others to look things up in.

    Returns:
        What is said of them, and by rules that look at all documents; None if a file is no longer what is known of it.
    """
    names = [name for name in files.names if name in context and not known[name].canonical]
    if any(files.content(name) != known[name].content for name in names):
        return None
    _, documents = _loaded(files, names, means)
    policies = [
        rebuilt(it.canonical, it.path, data)
        for it in known.values()
        if it.canonical and (data := files.read(it.path)) is not None
    ]
    subjects = [document for path, document in documents.items() if path in affected]
    everything = (*documents.values(), *policies)
    declared = Declared(everything, read_policies(policies) if before.consistent else None, means.today)
    clashes = check_unique([document for path, document in documents.items() if not _is_test(path)])
    found = [Judged(clash) for clash in clashes if clash.file in affected]
    return [*found, *judge_each(declared.about(subjects))], list(judge_together(declared))


def _loaded(files: Files, names: Sequence[str], means: Means) -> tuple[dict[str, Known], dict[str, Document]]:
    """Load files; give what is known of each by itself, and the documents that count."""
    found = files.load(names, means.read if means.read is not None and len(names) >= _MANY else read_afresh)
    known: dict[str, Known] = {}
    documents: dict[str, Document] = {}
    for name in names:
        kind, mark = files.listed[name]
        facts: Facts | None = None
        canonical = b""
        loaded = found.get(name)
        form = [unreadable(name, kind)] if loaded is None else list(loaded.findings)
        for document in () if loaded is None else loaded.documents:
            if _is_test(name) and document.kind != "PolicyTest":
                form.append(no_test(document))
                continue
            documents[name] = document
            if not _is_test(name):
                form += check_path(document)
                facts = facts_of(document)
            if document.kind in POLICY_KINDS:
                canonical = document.canonical
        known[name] = Known(name, mark, files.content(name), files.blob(name), facts, tuple(form), (), canonical)
    return known, documents


def _policies(documents: Iterable[Document], form: Sequence[Finding]) -> tuple[PolicySet | None, tuple[Finding, ...]]:
    try:
        return load_policies(documents), ()
    except InvalidPolicies as refused:
        # A kind may be missing only because its file could not be loaded, and then that is what has to be mended.
        broken = any(finding.file.startswith(f"{POLICIES}/") for finding in form)
        return None, tuple(found for found in refused.findings if not (broken and _says_missing(found)))


def _says_missing(finding: Finding) -> bool:
    return finding.rule == POLICY_KINDS_ONCE and not finding.line


def _file(known: Mapping[str, Known], judged: Iterable[Judged]) -> None:
    """Put beside each file what is said of it."""
    for it in judged:
        known[it.finding.file].judged += (it,)


def _flags(facts: Iterable[Facts]) -> set[str]:
    return {it.reference for it in facts if it.kind == FLAG}


def _is_test(path: str) -> bool:
    return path.startswith(POLICY_TESTS)
