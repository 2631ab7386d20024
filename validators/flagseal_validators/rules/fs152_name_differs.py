"""FS152: name or namespace differs from the path. Found by the repository's layout."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS152",
    title="Name or namespace differs from the path",
    severity="error",
    scope="document",
    why="CODEOWNERS go by path and everything else by name: they must be one.",
    remedy="Rename the file, or correct the name.",
    bad=Example(
        "ticket: PAY-1\n",
        file="flags/payments/old-checkout.yaml",
        shown="flags/payments/old-checkout.yaml: metadata: {name: new-checkout, namespace: payments}",
    ),
    good=Example(
        "ticket: PAY-1\n", shown="flags/payments/new-checkout.yaml: metadata: {name: new-checkout, namespace: payments}"
    ),
)
