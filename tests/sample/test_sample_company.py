"""The company in ``flags/`` and ``policies/``, which the documentation, the demo and other tests rely on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from flagseal.model.definitions import parse_binding, parse_flag
from flagseal.model.document import POLICY_KINDS
from flagseal.model.flag import Lifecycle, Purpose, RiskTier, Serve
from flagseal.model.loader import load_text
from flagseal.model.policies import CHANGE_CLASSES, RoleCount
from flagseal.model.policy_set import load_policies

if TYPE_CHECKING:
    from flagseal.model.document import Document
    from flagseal.model.flag import FlagDefinition
    from flagseal.model.policies import PolicySet

TOP = Path(__file__).parents[2]
FILES = sorted(path for folder in ("flags", "policies") for path in (TOP / folder).rglob("*.y*ml"))


def load(path: Path) -> Document:
    """Load a file that must hold one document and no mistake."""
    loaded = load_text(path.read_bytes(), file=path.relative_to(TOP).as_posix())
    assert [finding.text() for finding in loaded.findings] == []
    (document,) = loaded.documents
    return document


@pytest.fixture(scope="module")
def documents() -> tuple[Document, ...]:
    """Every document of the company."""
    return tuple(load(path) for path in FILES)


@pytest.fixture(scope="module")
def flags(documents: tuple[Document, ...]) -> dict[str, FlagDefinition]:
    """Every flag, by namespace/name."""
    parsed = (parse_flag(document) for document in documents if document.kind == "FlagDefinition")
    return {flag.reference: flag for flag in parsed}


@pytest.fixture(scope="module")
def policies(documents: tuple[Document, ...]) -> PolicySet:
    """The company's policies."""
    return load_policies(documents)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(TOP).as_posix())
def test_every_file_loads_without_a_finding(path: Path) -> None:
    """One file, one document, nothing to mend."""
    load(path)


def test_there_are_enough_flags_to_learn_from(flags: dict[str, FlagDefinition]) -> None:
    """At least twelve flags in at least four namespaces."""
    assert len(flags) >= 12
    assert len({flag.namespace for flag in flags.values()}) >= 4


def test_every_purpose_tier_and_step_of_life_occurs(flags: dict[str, FlagDefinition]) -> None:
    """Whatever word of the format a reader looks up, the company has a flag of it."""
    assert {flag.purpose for flag in flags.values()} == set(get_args(Purpose))
    assert {flag.risk_tier for flag in flags.values()} == set(get_args(RiskTier))
    assert {flag.lifecycle for flag in flags.values()} == set(get_args(Lifecycle))


def test_every_kind_of_document_occurs(documents: tuple[Document, ...]) -> None:
    """Flags, segments, bindings, policy tests, and each kind of policy."""
    expected = {"FlagDefinition", "Segment", "EntitlementBinding", "PolicyTest", *POLICY_KINDS}
    assert {document.kind for document in documents} == expected


def test_a_binding_may_hold_one_organisation_or_several(documents: tuple[Document, ...]) -> None:
    """Both forms of a binding are shown, and every grant names a flag that exists."""
    bindings = [document for document in documents if document.kind == "EntitlementBinding"]
    names = {f"{document.namespace}/{document.name}" for document in documents if document.kind == "FlagDefinition"}
    grants = [grant for document in bindings for grant in parse_binding(document).grants]
    several = [document for document in bindings if isinstance(document.spec, dict) and "bindings" in document.spec]
    assert several
    assert len(several) < len(bindings)
    assert {grant.flag for grant in grants} <= names


def test_every_owner_is_a_team_with_two_people(flags: dict[str, FlagDefinition], policies: PolicySet) -> None:
    """Nobody approves a change of their own, so an owner that is one person could never change anything."""
    for flag in flags.values():
        assert len(policies.organisation.teams[flag.owner]) >= 2, flag.reference


def test_every_tier_has_a_row_for_every_change_in_production(policies: PolicySet) -> None:
    """Nothing about the sample's production is left to a fallback."""
    rows = policies.approval.tiers
    for tier in get_args(RiskTier):
        for change_class in CHANGE_CLASSES:
            assert (tier, "production", change_class) in rows


def test_the_tour_finds_the_flag_it_promises(flags: dict[str, FlagDefinition], policies: PolicySet) -> None:
    """new-checkout is on for acme alone, and widening it in production takes an owner and the release manager."""
    flag = flags["payments/new-checkout"]
    assert (flag.key, flag.owner, flag.risk_tier) == ("new-checkout", "team-payments", "sensitive")
    production = flag.environments["production"]
    assert production.default == flag.safe_variant
    (rule,) = production.rules
    assert rule.outcome == Serve("enabled")
    assert "[acme]" in (TOP / "flags/payments/new-checkout.yaml").read_text(encoding="utf-8")

    row = policies.approval.tiers["sensitive", "production", "widen"]
    assert set(row.approvals) == {RoleCount("owner", 1), RoleCount("release-manager", 1)}
    owners = {member.person for member in policies.organisation.teams["team-payments"]}
    assert {"alice", "bob"} <= owners
    assert policies.organisation.roles["release-manager"].people == ("dora",)
    assert "dora" not in owners
