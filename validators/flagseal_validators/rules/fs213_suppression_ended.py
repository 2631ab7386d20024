"""FS213: a suppression that has ended is taken out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal.model.instants import parse_day
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    for document in declared.looked_at:
        for index, entry in enumerate(spec(document).get("ignore", ())):
            if parse_day(entry["until"]) < declared.today:
                message = f"the suppression of {entry['rule']} ended on {entry['until']}"
                yield Complaint(document, f"$.spec.ignore[{index}].until", message, by_time=True)


RULE = Rule(
    id="FS213",
    title="A suppression has ended",
    severity="error",
    scope="document",
    reads=("day",),
    why="It was approved up to a day; since then the rule holds again.",
    remedy="Mend what the rule finds, and delete the suppression, or have a later day approved.",
    bad=Example('ignore: [{rule: FS305, reason: staging has no such customers, until: "2026-10-31"}]\n'),
    good=Example('ignore: [{rule: FS305, reason: staging has no such customers, until: "2026-12-31"}]\n'),
    check=_check,
)
