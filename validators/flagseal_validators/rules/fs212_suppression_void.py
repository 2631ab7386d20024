"""FS212: what is suppressed is a rule that can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.walk import spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    # The table of rules has this module in it.
    from flagseal_validators.rules import RULES  # noqa: PLC0415

    for document in declared.looked_at:
        for index, entry in enumerate(spec(document).get("ignore", ())):
            path = f"$.spec.ignore[{index}].rule"
            rule = RULES.get(entry["rule"])
            if rule is None:
                yield Complaint(document, path, f"there is no rule {entry['rule']}")
            elif not rule.suppressible:
                yield Complaint(document, path, f"{entry['rule']} cannot be suppressed: {rule.title}")


RULE = Rule(
    id="FS212",
    title="A suppression without effect",
    severity="error",
    scope="document",
    why="Form and meaning are not for negotiation: a file that breaks them is no document.",
    remedy="Delete the suppression, and mend what the rule finds.",
    bad=Example('ignore: [{rule: FS201, reason: the team is being formed, until: "2026-12-31"}]\n'),
    good=Example('ignore: [{rule: FS305, reason: staging has no such customers, until: "2026-12-31"}]\n'),
    check=_check,
)
