"""FS151: not a file. Found by the repository's layout."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS151",
    title="Not a file",
    severity="error",
    scope="document",
    why="A symbolic link or a submodule could stand for other content tomorrow without a change here.",
    remedy="Put the file itself here.",
    bad=Example(
        "new-checkout.yaml",
        file="flags/payments/link.yaml",
        shown="flags/payments/link.yaml -> new-checkout.yaml",
        link=True,
    ),
    good=Example("ticket: PAY-1\n"),
)
