"""Five changes that reviewers meet, planned: a rollout, a rollback, a new entitlement, a policy change, a migration.

``python -m tests.plan.occasions`` writes them as Markdown to tests/plan/golden: look at them before they are committed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from flagseal.history.manifest import Manifest
from flagseal_validators.plan import as_markdown
from tests.plan.making import planned
from tests.policy.builders import at
from tests.policy.company import (
    APPROVALS,
    CHECKOUT,
    ENVIRONMENTS,
    ORGANISATION,
    Company,
    Spec,
    edited,
    flag,
    orgs,
    production,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal_validators.plan import Plan

SEARCH = "FlagDefinition/search/ranking"
BINDING = "EntitlementBinding/entitlements/globex"
INSIGHTS = "FlagDefinition/search/insights"
CONTEXTS = [
    {"targetingKey": f"user-{number}", "org": ("acme", "globex", "initech", "umbrella")[number % 4], "plan": "pro"}
    for number in range(400)
]


def rollout() -> Plan:
    """More organisations through a segment, and a tenth of everyone else, with recorded contexts."""
    segment = "Segment/payments/pilots"
    pilots = {"name": "pilots", "when": {"segment": "pilots"}, "serve": "enabled"}
    share = {"name": "the others", "split": {"enabled": 10, "disabled": 90}, "by": "org"}
    company = Company.of(
        {
            CHECKOUT: flag(environments=production([pilots])),
            "FlagDefinition/payments/receipts": flag(
                environments=production([pilots]), riskTier="operational", description="Sends receipts at once."
            ),
            segment: {"when": {"org": {"in": ["acme"]}}},
        }
    )
    return planned(
        company,
        {
            CHECKOUT: flag(environments=production([pilots, share])),
            segment: {"when": {"org": {"in": ["acme", "globex"]}}},
        },
        contexts=CONTEXTS,
        group_by=["org"],
        manifest=Manifest.of(company.accepted),
    )


def rollback() -> Plan:
    """The one-line way back, on a Sunday night."""
    before = production([orgs("acme", "globex"), {"name": "half", "split": {"enabled": 50, "disabled": 50}}])
    company = Company.of({CHECKOUT: flag(environments=before)})
    after = edited(before, lambda spec: spec["production"].update(off=True))
    return planned(
        company, {CHECKOUT: flag(environments=after)}, contexts=CONTEXTS, now=at("2026-11-22T02:30:00"), author="ivan"
    )


def entitlement() -> Plan:
    """A customer gets what it paid for."""
    when = {"name": "entitled", "when": {"entitled": True}, "serve": "enabled"}
    uses = flag(environments=production([when]), purpose="entitlement", owner="team-search", riskTier="operational")
    uses["review"] = {"every": "90d", "by": "team-accounts", "last": "2026-10-01"}
    del uses["expires"], uses["retireWhen"]
    return planned(
        Company.of({INSIGHTS: uses}),
        {
            BINDING: {
                "org": "globex",
                "owner": "team-accounts",
                "agreement": {"id": "C-2231", "plan": "enterprise", "from": "2026-12-01", "until": "2027-11-30"},
                "grants": [{"flag": "search/insights", "reason": "contract"}],
            }
        },
        author="carol",
        contexts=CONTEXTS,
        group_by=["org"],
    )


def policies() -> Plan:
    """Mallory joins security, a row is loosened, and splits begin to hash otherwise."""
    halves = {"name": "half", "split": {"enabled": 50, "disabled": 50}}
    company = Company.of({CHECKOUT: flag(environments=production([halves]))})

    def hire(spec: Spec) -> None:
        spec["teams"]["team-security"]["members"].append("mallory")
        spec["roles"]["flag-emergency-override"] = {"people": ["mallory"], "environments": ["production"]}
        spec["teams"]["team-search"]["members"].remove("ivan")

    def loosen(spec: Spec) -> None:
        spec["tiers"]["sensitive"]["production"]["widen"]["approvals"].pop()
        del spec["tiers"]["high-risk"]["production"]["widen"]["maxStep"]

    return planned(
        company,
        {
            "Organisation/organisation": edited(ORGANISATION, hire),
            "ApprovalPolicy/approvals": edited(APPROVALS, loosen),
            "EnvironmentList/environments": edited(
                ENVIRONMENTS, lambda spec: spec["environments"]["production"].update(bucketing="v3")
            ),
        },
        author="frank",
    )


def migration() -> Plan:
    """Two hundred flags at once: most go to another team, some are widened, one may do harm."""
    before: dict[str, Spec] = {}
    after: dict[str, Spec | None] = {}
    for number in range(200):
        subject = f"FlagDefinition/payments/feature-{number}"
        old = flag(environments=production([orgs("acme")]), riskTier="operational")
        new = {**old, "owner": "team-search"}
        if number % 10 == 0:
            new["environments"] = production([orgs("acme", f"customer-{number}")])
        if number == 77:
            old["riskTier"] = new["riskTier"] = "high-risk"
            new["environments"] = production(default="enabled")
        before[subject], after[subject] = old, new
    return planned(Company.of(before), after, contexts=CONTEXTS, group_by=["org"])


OCCASIONS: dict[str, Callable[[], Plan]] = {
    "rollout": rollout,
    "rollback": rollback,
    "entitlement": entitlement,
    "policies": policies,
    "migration": migration,
}

GOLDEN = Path(__file__).parent / "golden"
HEADING = "From `1f0c3d5a9b7e` (the accepted state) to `9a0b1c2d3e4f`"


def rendered(name: str) -> str:
    """Give one of them as Markdown."""
    return as_markdown(OCCASIONS[name](), heading=HEADING)


if __name__ == "__main__":
    for occasion in OCCASIONS:
        (GOLDEN / f"{occasion}.md").write_text(rendered(occasion), "utf-8")
