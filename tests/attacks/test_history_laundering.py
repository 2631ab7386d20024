"""Get a dangerous change through as a harmless one.

The attacker makes changes that need little, so that together, or by what they drag along, they do what would need much.
Class and tier come from compiled content before and after, over every flag reached.
"""

from __future__ import annotations

import pytest

from flagseal.history import changes
from tests.history.company import (
    Chronicle,
    approval_policy,
    document,
    edited,
    flag,
    organisation,
    row,
    rule,
    segment,
)

CHECKOUT = flag(tier="sensitive")
OPEN = rule()


@pytest.fixture
def history() -> Chronicle:
    """Give a history with a sensitive flag that is off in production."""
    return Chronicle.of(CHECKOUT)


def test_by_lowering_the_tier_first(history: Chronicle) -> None:
    """A cheaper tier would make the next step cheap; getting there costs what the dearer one does."""
    cheap = edited(CHECKOUT, riskTier="informational")
    assert history.refused(cheap, approved=["alice"]) == "RoleMissing"
    assert history.refused(flag(tier="informational", production=OPEN), approved=["alice"]) == "RoleMissing"


def test_by_changing_the_owner_first(history: Chronicle) -> None:
    """Carol's team takes the flag over by itself, to open it by itself: both owners are asked."""
    taken = edited(CHECKOUT, owner="team-search")
    assert history.refused(taken, approved=["carol", "dora"]) == "RoleMissing"
    assert history.attempt(taken, approved=["alice", "carol", "dora"]).head is not None


def test_by_changing_the_safe_variant_first(history: Chronicle) -> None:
    """With the dangerous variant as the safe one, serving it would be toward-safe."""
    swapped = edited(CHECKOUT, safeVariant="enabled")
    assert history.refused(swapped, approved=["alice"]) == "RoleMissing"


def test_by_changing_a_variants_value(history: Chronicle) -> None:
    """No rule changes, and everybody gets something else."""
    assert history.refused(edited(CHECKOUT, variants={"enabled": True, "disabled": True}), approved=["alice"]) in {
        "RoleMissing",
        "InvalidContent",
    }


def test_by_loosening_the_policy_in_the_same_change(history: Chronicle) -> None:
    """The rows before the change decide about the change."""
    loose = approval_policy()
    loose["tiers"]["sensitive"]["production"]["widen"] = row("flag-approver")
    policy = document("ApprovalPolicy", "approvals", loose)
    opened = flag(production=OPEN)
    assert history.refused(policy, opened, approved=["alice"]) == "RoleMissing"
    assert history.refused(policy, opened, approved=["erin", "frank"]) == "RoleMissing"
    assert history.refused(policy, opened, approved=["erin", "frank", "alice"]) == "RoleMissing"
    assert history.attempt(policy, opened, approved=["erin", "frank", "alice", "dora"]).head is not None


def test_by_making_oneself_an_approver_in_the_same_change(history: Chronicle) -> None:
    """The people before the change decide about the change."""
    people = organisation()
    people["roles"]["release-manager"]["people"].append("alice")
    people["teams"]["team-payments"]["members"].append("mallory")
    joined = document("Organisation", "organisation", people)
    assert (
        history.refused(joined, flag(production=OPEN), approved=["mallory", "alice", "erin", "frank"]) == "RoleMissing"
    )


def test_by_a_segment(history: Chronicle) -> None:
    """The flag is not in the diff; its segment is, and reaches further."""
    history.change(segment("pilots", "acme"), flag(production=rule({"segment": "pilots"})))
    wider = segment("pilots", "acme", "globex")
    assert history.refused(wider, approved=["alice"]) == "RoleMissing"
    assert history.attempt(wider).head is not None


def test_by_a_binding() -> None:
    """An organisation is entitled by a document of another namespace and owner."""
    entitlement = edited(
        flag("analytics", production=rule({"entitled": True})),
        purpose="entitlement",
        review={"every": "90d", "last": "2026-11-01", "by": "alice"},
    )
    spec = dict(entitlement.spec) if isinstance(entitlement.spec, dict) else {}
    spec.pop("expires", None)
    history = Chronicle.of(document("FlagDefinition", "analytics", spec, "payments"))
    binding = document(
        "EntitlementBinding",
        "acme",
        {
            "org": "acme",
            "owner": "team-search",
            "agreement": {"id": "CRM-1", "plan": "enterprise", "from": "2026-01-01", "until": "2027-12-31"},
            "grants": [{"flag": "payments/analytics", "reason": "contract"}],
        },
        "entitlements",
    )
    assert history.refused(binding, approved=["carol", "dora"]) == "RoleMissing"
    assert history.attempt(binding, approved=["alice", "carol", "dora"]).head is not None


def test_by_a_prerequisite(history: Chronicle) -> None:
    """A cheap flag of another team stands before a dear one; opening it opens both."""
    gate = flag("gate", "search", owner="team-search", tier="informational")
    dear = flag(production={**OPEN, "requires": [{"flag": "search/gate", "variant": "enabled"}]})
    history.change(gate, dear, approved=["alice", "carol", "dora"])
    opened = flag("gate", "search", owner="team-search", tier="informational", production={"default": "enabled"})
    assert history.refused(opened, approved=["carol"]) == "RoleMissing"
    assert history.attempt(opened, approved=["alice", "carol", "dora"]).head is not None


def test_by_a_rename_out_of_the_owners_path(history: Chronicle) -> None:
    """The file moves to a namespace of other owners: the old owner is asked about the removal."""
    moved = flag("checkout", "search", owner="team-search")
    assert history.refused(moved, remove=[CHECKOUT], approved=["carol", "dora"]) == "RoleMissing"
    assert history.attempt(moved, remove=[CHECKOUT], approved=["alice", "carol", "dora"]).head is not None


def test_by_deleting(history: Chronicle) -> None:
    """Without the flag applications serve their own default, which nobody approved."""
    assert history.refused(remove=[CHECKOUT], approved=["alice"]) == "RoleMissing"


def test_by_dropping_an_environment(history: Chronicle) -> None:
    """The same, for one environment."""
    spec = dict(CHECKOUT.spec) if isinstance(CHECKOUT.spec, dict) else {}
    spec["environments"] = {"staging": {"default": "enabled"}}
    assert (
        history.refused(document("FlagDefinition", "checkout", spec, "payments"), approved=["alice"]) == "RoleMissing"
    )


def test_by_a_cheap_flag_of_the_same_name_or_key(history: Chronicle) -> None:
    """An application that asks by name must not get the attacker's."""
    for twin in (
        flag("checkout", "search", owner="team-search", tier="informational"),
        flag("twin", "search", owner="team-search", tier="informational", key="checkout"),
    ):
        assert history.refused(twin, approved=["carol"]) == "NotUnique"


def test_by_the_order_of_a_split(history: Chronicle) -> None:
    """Buckets do not depend on how a parser orders keys: the same split written otherwise is the same document."""
    one = flag(production=rule(split={"enabled": 10, "disabled": 90}))
    other = flag(production=rule(split={"disabled": 90, "enabled": 10}))
    assert one.digest == other.digest
    history.change(one)
    assert changes(history.head, [*history.head.documents.values()]) == {}
    assert other.subject not in history.proposal(other, segment("later")).documents


def test_by_documents_that_no_flag_reaches(history: Chronicle) -> None:
    """What serves nobody anything yet still needs somebody else's approval."""
    lonely = segment("lonely", "acme")
    assert history.refused(lonely, approved=[]) == "NoValidSignature"
    assert history.refused(lonely, approved=["bob"]) == "SelfApproval"
    assert history.refused(lonely, approved=["mallory"]) == "RoleMissing"
    assert history.attempt(lonely, approved=["alice"]).head is not None
