"""Receipts from the side that signs them: what one would prove is known before, and none is too large to be read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from flagseal.emergency import Offer, Proof, Receipt, foresee, issue, verify
from flagseal.emergency.receipting import fitting
from flagseal.model.errors import ApprovalError
from tests.emergency.scene import ADMISSION, REPOSITORY, override, world
from tests.snapshot.world import MONDAY

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.emergency import Claim
    from tests.snapshot.world import World

NONCE = "0" * 32


@pytest.fixture
def company(tmp_path: Path) -> World:
    """Give the company of the incident."""
    return world(tmp_path)


def issued(claim: Claim, receipt: Receipt) -> Proof:
    """Have the key of admission sign."""
    return issue(claim, REPOSITORY, receipt, ADMISSION, at=MONDAY, nonce=NONCE)


def test_what_is_foreseen_is_what_the_receipt_proves(company: World) -> None:
    """The same person, from and until the same instant."""
    claim, organisation = override(), company.head.policies.organisation
    foreseen = foresee(claim, "alice@acme", organisation, company.trust, now=MONDAY)
    proof = Proof.from_body(issued(claim, Receipt("alice@acme")).body())
    assert verify(claim, proof, organisation, company.trust, taken_at=MONDAY) == foreseen


@pytest.mark.parametrize(
    ("claim", "username", "code"),
    [
        (override(), "bob@acme", "RoleMissing"),
        (override(), "mallory@evil", "PersonUnknown"),
        (override(environment="staging"), "alice@acme", "WrongEnvironment"),
        (override(until=MONDAY - timedelta(hours=1)), "alice@acme", "Expired"),
        (override(until=MONDAY + timedelta(hours=25)), "alice@acme", "TooLong"),
    ],
    ids=["role", "person", "environment", "expired", "long"],
)
def test_what_a_receipt_could_not_prove_is_foreseen(company: World, claim: Claim, username: str, code: str) -> None:
    """With the words that the receipt would be refused with."""
    organisation = company.head.policies.organisation
    with pytest.raises(ApprovalError) as foreseen:
        foresee(claim, username, organisation, company.trust, now=MONDAY)
    assert foreseen.value.code == code
    (outcome,) = company.offer(Offer(claim, issued(claim, Receipt(username))))
    assert outcome.refusal is not None
    assert (outcome.refusal.code, outcome.refusal.remedy) == (code, foreseen.value.remedy)


def test_a_user_in_thousands_of_groups_gets_a_receipt_that_can_be_read() -> None:
    """Groups are for the record: what there is no room for is left out, whole, and nobody is refused for it."""
    groups = tuple(f"cn=group-{number:05},ou=groups,dc=example" for number in range(5000))
    extra = {f"key-{number:04}": ("v" * 100,) for number in range(500)} | {"zz/mfa": ("true",)}
    receipt = Receipt("alice@acme", groups, extra)
    proof = issued(override(), fitting(receipt, ("zz/mfa",)))
    assert Proof.from_body(proof.body()).told().username == "alice@acme"
    kept = fitting(receipt, ("zz/mfa",))
    assert set(kept.groups) < set(groups)
    assert "zz/mfa" in (kept.extra or {})
    assert "zz/mfa" not in (fitting(receipt).extra or {})
    assert issued(override(), kept) == issued(override(), fitting(kept, ("zz/mfa",)))
