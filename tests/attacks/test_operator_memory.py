"""Have an operator killed for its memory, with the right to edit one FlagDefinition and no other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagseal.model.canonical import canonical_json, sha256_digest
from flagseal_operator import inventory as module
from flagseal_operator.inventory import Inventory, declared
from flagseal_operator.resources import Ref

if TYPE_CHECKING:
    import pytest

FLAG = Ref("FlagDefinition", "payments", "checkout")
LIMIT = 20_000


def edited(number: int, name: str = "checkout", says: str | None = None) -> dict[str, Any]:
    """Write an edit: a thousand bytes of something new."""
    return {
        "metadata": {"name": name, "namespace": "payments", "uid": name, "resourceVersion": str(number)},
        "spec": {"description": says or f"{number:01000}"},
    }


def digest(body: dict[str, Any]) -> str:
    """Give the digest of what an edit declares."""
    return sha256_digest(canonical_json(declared(Ref("FlagDefinition", "payments", body["metadata"]["name"]), body)))


def test_by_editing_a_flag_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was declared lately is at hand, and what is declared now; of all before, nothing is kept."""
    monkeypatch.setattr(module, "_MOST_ORPHANED", LIMIT)
    inventory = Inventory()
    edits = [edited(number) for number in range(1, 200)]
    for body in edits:
        inventory.see("FlagDefinition", "MODIFIED", body)
    kept = [body for body in edits if inventory.content(digest(body)) is not None]
    assert kept == edits[-len(kept) :]
    assert 2 < len(kept) <= LIMIT // 1000 + 1


def test_by_creating_and_deleting_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, by other verbs."""
    monkeypatch.setattr(module, "_MOST_ORPHANED", LIMIT)
    inventory = Inventory()
    bodies = [edited(number, name=f"flag-{number}") for number in range(1, 200)]
    for body in bodies:
        inventory.see("FlagDefinition", "ADDED", body)
        inventory.see("FlagDefinition", "DELETED", body)
    kept = [body for body in bodies if inventory.content(digest(body)) is not None]
    assert kept == bodies[-len(kept) :]
    assert 2 < len(kept) <= LIMIT // 1000


def test_what_another_resource_declares_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much passes through beside it, and though it was an orphan in between."""
    monkeypatch.setattr(module, "_MOST_ORPHANED", LIMIT)
    inventory = Inventory()
    good = edited(1, says="approved")
    inventory.see("FlagDefinition", "ADDED", good)
    inventory.see("FlagDefinition", "DELETED", edited(2, says="approved"))
    inventory.see(
        "FlagDefinition", "ADDED", {**good, "metadata": {**good["metadata"], "uid": "b", "resourceVersion": "3"}}
    )
    for number in range(4, 200):
        inventory.see("FlagDefinition", "MODIFIED", edited(number, name="other"))
    assert inventory.content(digest(good)) is not None
