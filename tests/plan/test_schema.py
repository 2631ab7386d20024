"""What ``flagseal plan --format json`` writes is what its published schema describes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from flagseal_validators.plan import as_record
from flagseal_validators.plan.schema import PLAN_SCHEMA
from flagseal_validators.schemas import FOLDER
from tests.plan.occasions import OCCASIONS

VALIDATOR = Draft202012Validator(PLAN_SCHEMA)
AROUND = {"base": "1f0c", "accepted": True, "head": None, "contributors": ["bob"], "ticket": None}


def record(name: str) -> dict[str, Any]:
    """Give the JSON of a plan as the command writes it."""
    found = json.loads(json.dumps({**AROUND, **as_record(OCCASIONS[name]())}))
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", OCCASIONS)
def test_every_plan_is_what_the_schema_says(name: str) -> None:
    """Objects are closed, so a field that is not described would be refused."""
    assert [error.message for error in VALIDATOR.iter_errors(record(name))] == []


def test_the_schema_is_closed_and_complete() -> None:
    """Every object that is not a map refuses what it does not know, and requires what it does."""
    made = record("rollout")
    made["more"] = 1
    assert not VALIDATOR.is_valid(made)
    del made["more"], made["decision"]
    assert not VALIDATOR.is_valid(made)


def test_the_published_file_is_the_schema() -> None:
    """``validators/schemas/output/plan.json`` is generated; editors and programs read that."""
    assert json.loads((FOLDER / "output/plan.json").read_text("utf-8")) == PLAN_SCHEMA
