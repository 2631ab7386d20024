"""FS153: a name or a key is taken. Found by the repository's layout."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS153",
    title="A name or a key is taken",
    severity="error",
    scope="repository",
    why="Two flags of one key cannot be told apart by an application, nor two of one name by a person.",
    remedy="Choose another name or key.",
    bad=Example("key: newCheckout\n", others={"flags/payments/old-checkout.yaml": "key: newCheckout\n"}),
    good=Example("key: newCheckout\n", others={"flags/payments/old-checkout.yaml": "key: oldCheckout\n"}),
)
