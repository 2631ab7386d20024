"""FS701: what is reviewed is not named as its kind is. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule
from flagseal_validators.samples import REVIEW, REVIEW_FILE, REVIEWED, SAID

RULE = Rule(
    id="FS701",
    title="A review that names what it is about wrongly",
    severity="error",
    scope="document",
    why="It would review nothing: an override has a flag, a freeze has namespaces, and each has a proof of its own.",
    remedy="Copy the entry that `flagseal incidents list` shows.",
    bad=Example(
        REVIEW + REVIEWED.replace("    flag: payments/new-checkout\n", "    namespaces: [payments]\n") + SAID,
        file=REVIEW_FILE,
    ),
    good=Example(REVIEW + REVIEWED + SAID, file=REVIEW_FILE),
)
