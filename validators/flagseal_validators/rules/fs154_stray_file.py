"""FS154: a file that nothing reads. Found by the gate's own look at the folders."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS154",
    title="A file that nothing reads",
    severity="warning",
    scope="document",
    why="A flag saved as .YAML or .yaml.bak is no flag, and whoever wrote it believes otherwise.",
    remedy="Name it .yaml if it is a document; otherwise keep it elsewhere.",
    bad=Example("ticket: PAY-1\n", file="flags/payments/new-checkout.YAML", shown="flags/payments/new-checkout.YAML"),
    good=Example("ticket: PAY-1\n", shown="flags/payments/new-checkout.yaml"),
)
