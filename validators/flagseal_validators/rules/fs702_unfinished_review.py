"""FS702: a review is written to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from flagseal.model.review import REVIEW as KIND
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.samples import REVIEW, REVIEW_FILE, REVIEWED, SAID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal.model.document import Document
    from flagseal_validators.declared import Declared

OPEN: Final = "TODO"
"""How a text begins that a draft leaves to a person."""


def _check(declared: Declared) -> Iterator[Complaint]:
    for document in declared.of_kind(KIND):
        for path, text in _texts(document):
            if text.strip().upper().startswith(OPEN) or not text.strip():
                yield Complaint(document, path, "nobody has written this yet")


def _texts(document: Document) -> Iterator[tuple[str, str]]:
    spec = cast("dict[str, Any]", document.spec)
    yield "$.spec.happened", spec["happened"]
    for name, answer in spec["checklist"].items():
        yield f"$.spec.checklist.{name}", answer
    for index, follow_up in enumerate(spec["followUps"]):
        yield f"$.spec.followUps[{index}].what", follow_up["what"]


RULE = Rule(
    id="FS702",
    title="A review that nobody has written to its end",
    severity="error",
    scope="document",
    why="A draft that is approved as it is closes an incident that nobody has looked at.",
    remedy="Answer it in place of the TODO.",
    bad=Example(
        REVIEW + REVIEWED + SAID.replace("A certificate that had run out.", "'TODO: what was the cause?'"),
        file=REVIEW_FILE,
    ),
    good=Example(REVIEW + REVIEWED + SAID, file=REVIEW_FILE),
    check=_check,
)
