"""Importing from other products without files, and evaluating both sides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.model.errors import InvalidDocuments, UsageError
from flagseal_validators.exchange import Defaults, adopt, check_adopted, evaluator_for
from tests.exchange.taking import DEFAULTS, NOW, POLICIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flagseal.model.document import Document
    from flagseal_validators.exchange import Adopted, Imported, NeutralSource


def adopted(source: NeutralSource, *, existing: Iterable[Document] = (), **defaults: Any) -> Adopted:  # noqa: ANN401 (fields of Defaults)
    """Import into the namespace ``shop``."""
    wanted = Defaults(**{**DEFAULTS, **defaults})
    return adopt(source, "shop", wanted, existing=existing, policies=POLICIES)


def checked(source: NeutralSource, **defaults: Any) -> Adopted:  # noqa: ANN401 (fields of Defaults)
    """Import, and evaluate both sides; skip where the origin's evaluator is missing."""
    evaluator = evaluator_for(source)
    if isinstance(evaluator, str):
        pytest.skip(f"{evaluator} is not installed")
    return check_adopted(source, adopted(source, **defaults), evaluator, existing=(), now=NOW, number=40)


ANSWERED_OTHERWISE = ("must be unix seconds", "chance decides", "falls back to", "is kept", "letter case", "in steps")
"""What is told of flags for which some contexts are answered otherwise."""


def assert_alike(source: NeutralSource, **defaults: Any) -> tuple[Imported, ...]:  # noqa: ANN401 (the same)
    """Import, and see that no context is answered otherwise, but for flags of which a difference is told."""
    found = checked(source, **defaults).flags
    for flag in found:
        told = any(words in note for words in ANSWERED_OTHERWISE for note in flag.notes)
        if flag.comparison is not None and not told:
            assert flag.comparison.differ == 0, (flag.key, flag.comparison.example, body(flag))
    return found


def body(flag: Imported, environment: str = "production") -> dict[str, Any]:
    """Give what an environment serves by a definition."""
    assert flag.document is not None, flag.notes
    spec: Any = flag.document.spec
    return dict(spec["environments"][environment])


def spec(flag: Imported) -> dict[str, Any]:
    """Give the whole of a definition."""
    assert flag.document is not None, flag.notes
    found: Any = flag.document.spec
    return dict(found)


def rules(flag: Imported) -> list[dict[str, Any]]:
    """Give its rules in production, without their names."""
    return [{word: value for word, value in rule.items() if word != "name"} for rule in body(flag).get("rules", [])]


def reasons(flag: Imported) -> str:
    """Give everything that is told of it."""
    return " | ".join(flag.notes)


def encoded(value: object) -> bytes:
    """Write a file."""
    return json.dumps(value).encode()


def assert_told(read: Callable[[], NeutralSource]) -> None:
    """Import whatever it is, and see a definition, a reason or a refusal with a remedy; never anything else."""
    refusals = []
    found: tuple[Imported, ...] = ()
    try:
        found = adopted(read(), partial=True).flags
    except (UsageError, InvalidDocuments) as refusal:
        refusals.append(refusal)
    assert all(refusal.remedy for refusal in refusals)
    assert all(flag.document is not None or flag.notes for flag in found)
