"""FS606: a time zone that does not exist. Found by the policies as a set."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS606",
    title="A time zone that does not exist",
    severity="error",
    scope="references",
    reads=("policies",),
    why="When the window opens could not be told.",
    remedy="Write a zone by place, as in Europe/Berlin, or UTC.",
    bad=Example(
        """\
windows: {business-hours: {timezone: Europe/Atlantis, days: [mon], from: "09:00", to: "16:00"}}
""",
        file="policies/calendar.yaml",
    ),
    good=Example(
        """\
windows: {business-hours: {timezone: Europe/Berlin, days: [mon], from: "09:00", to: "16:00"}}
""",
        file="policies/calendar.yaml",
    ),
)
