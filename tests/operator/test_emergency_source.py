"""Which claims of a cluster count as proven by what they carry: what passed admission by carries no receipt."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.model.errors import ApprovalError
from flagseal_operator.emergency_source import ClusterEmergencies, read_offer
from flagseal_operator.inventory import Inventory
from tests.emergency.scene import override, receipted, signed

if TYPE_CHECKING:
    from flagseal.emergency import Offer

LABELLED = {"flagseal.dev/proof": "signed"}


def body(offer: Offer, labels: dict[str, str] | None = None) -> dict[str, Any]:
    """Write an offer as the API server has it."""
    assert offer.proof is not None
    return {
        "apiVersion": "flagseal.dev/v1alpha1",
        "kind": offer.claim.kind,
        "metadata": {
            "name": offer.claim.name,
            "namespace": offer.claim.namespace,
            "uid": "u1",
            "resourceVersion": "7",
            "annotations": {"flagseal.dev/proof": json.dumps(offer.proof.body())},
            **({} if labels is None else {"labels": labels}),
        },
        "spec": json.loads(offer.claim.spec),
    }


def test_a_receipt_counts_where_admission_was_asked_only() -> None:
    """Whoever passes admission by with a label could bring a receipt along that was made for another."""
    assert read_offer(body(receipted(override()))).proof is not None
    assert read_offer(body(receipted(override()), {"flagseal.dev/proof": "other"})).proof is not None
    with pytest.raises(ApprovalError, match="no webhook has seen it") as refused:
        read_offer(body(receipted(override()), LABELLED))
    assert refused.value.code == "Unproven"


def test_a_signature_counts_with_the_label_and_without() -> None:
    """It proves by itself who made it."""
    offer = signed(override())
    assert read_offer(body(offer, LABELLED)) == offer
    assert read_offer(body(offer)) == offer


def test_the_label_is_seen_through_the_inventory() -> None:
    """It is kept when a resource is watched."""
    inventory = Inventory()
    inventory.see("EmergencyOverride", "ADDED", body(receipted(override()), LABELLED))
    source = ClusterEmergencies(inventory, "production")
    assert source.offers() == []
    assert [error.code for error in source.refused.values()] == ["Unproven"]
