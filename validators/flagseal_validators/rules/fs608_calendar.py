"""FS608: a calendar that contradicts itself. Found by the policies as a set."""

from __future__ import annotations

from flagseal_validators.rule import Example, Rule

RULE = Rule(
    id="FS608",
    title="A calendar that contradicts itself",
    severity="error",
    scope="references",
    reads=("policies",),
    why="A window that closes when it opens, or a blackout that is over before it begins, means nothing.",
    remedy="Correct its ends.",
    bad=Example(
        """\
blackouts: [{name: year end, from: "2027-01-03T00:00:00Z", until: "2026-12-20T00:00:00Z", tiers: [sensitive]}]
""",
        file="policies/calendar.yaml",
    ),
    good=Example(
        """\
blackouts: [{name: year end, from: "2026-12-20T00:00:00Z", until: "2027-01-03T00:00:00Z", tiers: [sensitive]}]
""",
        file="policies/calendar.yaml",
    ),
)
