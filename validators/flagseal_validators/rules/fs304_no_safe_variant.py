"""FS304: the safe variant is missing. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS304",
    title="The safe variant is missing",
    severity="error",
    scope="document",
    why="Rollback, kill switch and prerequisites serve it; without it there is no way back that was approved.",
    remedy="Name the variant that is approved in advance.",
    bad=Example(
        """\
apiVersion: flagseal.dev/v1alpha1
kind: FlagDefinition
metadata: {name: new-checkout, namespace: payments}
spec:
  description: Sends carts to the rewritten checkout service.
  purpose: release
  owner: team-payments
  riskTier: sensitive
  lifecycle: canary
  expires: "2027-03-31"
  retireWhen: On for everyone.
  variants: {enabled: true, disabled: false}
  environments: {}
""",
        shown="variants: {enabled: true, disabled: false}",
    ),
    good=Example("""\
variants: {enabled: true, disabled: false}
safeVariant: disabled
"""),
)
