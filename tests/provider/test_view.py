"""What differs between two snapshots, as an application is told of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flagseal.evaluation import FlagSet
from flagseal.provider.view import View, changed_flags
from flagseal.snapshot.verified import NamespaceSnapshot, Verified

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


def flag(metadata: int = 0, value: object = True) -> dict[str, Any]:
    """Write down a flag."""
    return {"state": "ENABLED", "variants": {"it": value}, "defaultVariant": "it", "metadata": {"number": metadata}}


def view(documents: dict[str, dict[str, Any]], wanted: frozenset[str] | None = None) -> View:
    """See documents, by namespace, as a verified snapshot."""
    namespaces = {
        name: NamespaceSnapshot(name, json.dumps(body).encode(), "", b"", b"", FlagSet.load(body))
        for name, body in documents.items()
    }
    verified = Verified(1, 1, "production", NOW, NOW + timedelta(days=1), namespaces, None, {}, lambda: NOW)
    return View.of(verified, wanted, stale=False)


def flags(**by_key: dict[str, Any]) -> dict[str, Any]:
    """Write down a document."""
    return {"flags": by_key, "metadata": {"flagSetId": "payments"}}


keys = st.sampled_from(["a", "b", "c"])
documents = st.dictionaries(st.sampled_from(["x", "y"]), st.dictionaries(keys, st.integers(0, 1)))


@given(documents, documents)
def test_exactly_the_flags_that_answer_differently_are_named(
    before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]
) -> None:
    """Whatever moves, appears, disappears, becomes ambiguous, or is defined otherwise."""
    sides = [
        view({name: flags(**{key: flag(number) for key, number in body.items()}) for name, body in documents.items()})
        for documents in (before, after)
    ]
    answers = [{key: answer(key, {}) for key, answer in side.answers.items()} for side in sides]
    different = {key for key in "abc" if answers[0].get(key) != answers[1].get(key)}
    told = set(changed_flags(*sides))
    assert different <= told
    # A flag that several namespaces serve is answered by none; which of them changed is told all the same.
    assert told - different <= {key for side in sides for key in side.ambiguous} | set(both(before, after))


def both(before: dict[str, dict[str, int]], after: dict[str, dict[str, int]]) -> set[str]:
    """Name the keys that moved from one namespace to another, where nothing but the namespace differs."""
    return {
        key
        for key in "abc"
        if {name for name, body in before.items() if key in body}
        != {name for name, body in after.items() if key in body}
    }


def test_what_all_flags_share_changes_all_of_them() -> None:
    """Shared rules and bucketing; but not the digest of the whole, which always changes."""
    document = flags(a=flag(), b=flag())
    shared = {**document, "$evaluators": {"rule": {"==": [1, 1]}}}
    other = {**document, "metadata": {**document["metadata"], "bucketing": "v3"}}
    digest = {**document, "metadata": {**document["metadata"], "version": "another"}}
    assert changed_flags(view({"x": document}), view({"x": shared})) == ("a", "b")
    assert changed_flags(view({"x": document}), view({"x": other})) == ("a", "b")
    assert changed_flags(view({"x": document}), view({"x": digest})) == ()


def test_a_list_of_flags_is_compared_as_a_whole() -> None:
    """That is a form of flagd's which we do not write."""
    listed = {"flags": [{"key": "a", **flag()}, {"key": "b", **flag()}]}
    assert changed_flags(view({"x": listed}), view({"x": flags(a=flag(), b=flag())})) == ("a", "b")


def test_only_wanted_namespaces_are_compared() -> None:
    """And a wanted one that is not there is known."""
    wanted = frozenset({"x", "z"})
    before, after = flags(a=flag()), flags(a=flag(1))
    first, second = view({"x": before, "y": before}, wanted), view({"x": before, "y": after}, wanted)
    assert changed_flags(first, second) == ()
    assert first.missing == {"z"}
    assert first.ambiguous == frozenset()
