"""What is served at one instant: a verified snapshot, narrowed to the namespaces an application wants."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flagseal.evaluation import Evaluation
    from flagseal.snapshot.verified import NamespaceSnapshot, Verified

    Answer = Callable[[str, Mapping[str, object] | None], Evaluation]


@dataclass(frozen=True)
class View:
    """Answers of one verified snapshot. A value: whoever holds it sees one state.

    Attributes:
        verified: The snapshot.
        stale: Whether it has expired.
        namespaces: Those that are served, by name.
        answers: What answers, by key.
        ambiguous: Keys that more than one namespace serves. None of them is answered: choosing would let the owners of
            a cheap flag answer for a dear one.
        missing: Namespaces that were asked for, and are not in the snapshot.
    """

    verified: Verified
    stale: bool
    namespaces: Mapping[str, NamespaceSnapshot]
    answers: Mapping[str, Answer] = field(repr=False)
    ambiguous: frozenset[str]
    missing: frozenset[str]

    @classmethod
    def of(cls, verified: Verified, wanted: frozenset[str] | None, *, stale: bool) -> View:
        """Make ready to answer.

        Args:
            verified: The snapshot.
            wanted: Namespaces; None for all.
            stale: Whether it has expired.
        """
        found = {
            name: namespace
            for name, namespace in sorted(verified.namespaces.items())
            if wanted is None or name in wanted
        }
        answers: dict[str, Answer] = {}
        ambiguous: set[str] = set()
        for namespace in found.values():
            evaluate = namespace.flag_set.evaluate
            for key in namespace.flag_set.keys():  # noqa: SIM118 (not a mapping)
                if key in answers:
                    ambiguous.add(key)
                answers[key] = evaluate
        for key in ambiguous:
            del answers[key]
        return cls(verified, stale, found, answers, frozenset(ambiguous), (wanted or frozenset()) - found.keys())

    def aged(self, *, stale: bool) -> View:
        """Give the same view with another word on its staleness."""
        return replace(self, stale=stale)

    def answered_by(self, answers: Mapping[str, Answer]) -> View:
        """Give the same view with other answers."""
        return replace(self, answers=answers)


def changed_flags(before: View, after: View) -> tuple[str, ...]:
    """Name the flags that are defined differently in two views, or are in one of them only; sorted.

    Metadata count, the version of the set they are in does not. That time alone may switch a flag is not seen here.
    """
    changed = set(before.ambiguous ^ after.ambiguous)
    tiers = before.verified.past_limit ^ after.verified.past_limit
    for name in before.namespaces.keys() | after.namespaces.keys():
        old, new = before.namespaces.get(name), after.namespaces.get(name)
        if (old and old.flags) != (new and new.flags):
            changed |= _differences(old, new)
        if tiers and new is not None:
            served = new.flag_set.keys()
            changed |= {key for key, safe in new.safe_answers.items() if safe.tier in tiers and key in served}
    return tuple(sorted(changed))


def _differences(old: NamespaceSnapshot | None, new: NamespaceSnapshot | None) -> set[str]:
    """Compare two documents, flag by flag."""
    keys_of_both = {key for side in (old, new) if side is not None for key in side.flag_set.keys()}  # noqa: SIM118 (not a mapping)
    if old is None or new is None:
        return keys_of_both
    body, other = json.loads(old.flags), json.loads(new.flags)
    flags, others = body.get("flags"), other.get("flags")
    if not isinstance(flags, dict) or not isinstance(others, dict) or _shared(body) != _shared(other):
        return keys_of_both
    return {key for key in keys_of_both if flags.get(key) != others.get(key)}


def _shared(document: Mapping[str, object]) -> object:
    """Give what all flags of a document share, but for the digest of the whole."""
    metadata = document.get("metadata")
    facts = {key: value for key, value in metadata.items() if key != "version"} if isinstance(metadata, dict) else None
    return facts, document.get("$evaluators")
