"""FS307: a ramp that leads nowhere. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS307",
    title="A ramp that leads nowhere",
    severity="error",
    scope="document",
    why="A ramp widens one variant against the safe one; it cannot shrink, stand still or ramp the safe variant.",
    remedy="Let it grow, and name a variant that is not the safe one.",
    bad=Example("""\
environments:
  production:
    rules:
    - name: slowly
      ramp: {variant: enabled, from: 50, to: 10, start: "2027-01-04T09:00:00Z", end: "2027-01-11T09:00:00Z", steps: 4}
    default: disabled
"""),
    good=Example("""\
environments:
  production:
    rules:
    - name: slowly
      ramp: {variant: enabled, from: 10, to: 50, start: "2027-01-04T09:00:00Z", end: "2027-01-11T09:00:00Z", steps: 4}
    default: disabled
"""),
)
