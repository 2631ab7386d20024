"""FS306: a time that is over before it begins. Found by the loader."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS306",
    title="A time that is over before it begins",
    severity="error",
    scope="document",
    why="The rule, ramp or agreement would never count.",
    remedy="Write an end after the start.",
    bad=Example("""\
environments:
  production:
    rules:
    - {name: launch, from: "2027-01-10T09:00:00Z", until: "2027-01-03T09:00:00Z", serve: enabled}
    default: disabled
"""),
    good=Example("""\
environments:
  production:
    rules:
    - {name: launch, from: "2027-01-03T09:00:00Z", until: "2027-01-10T09:00:00Z", serve: enabled}
    default: disabled
"""),
)
