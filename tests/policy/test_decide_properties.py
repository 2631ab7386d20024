from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from flagseal.model.canonical import canonical_json
from flagseal.policy import Approval
from flagseal.policy.state import State
from tests.policy.builders import FORGE, KEYS, NOW
from tests.policy.company import (
    APPROVALS,
    CHECKOUT,
    ORGANISATION,
    POLICIES,
    Company,
    Spec,
    flag,
    orgs,
    production,
)

if TYPE_CHECKING:
    from flagseal.policy.facts import EvidenceKind

PEOPLE = sorted(ORGANISATION["people"])
TIERS = ("informational", "operational", "sensitive", "high-risk")

people = st.sampled_from([*PEOPLE, "nobody"])
proofs: st.SearchStrategy[frozenset[EvidenceKind]] = st.sampled_from([KEYS, FORGE, KEYS | FORGE, frozenset()])
approvals = st.builds(Approval, people, proofs)
specs: st.SearchStrategy[Spec] = st.builds(
    lambda tier, owner, rules, description, off: flag(
        riskTier=tier,
        owner=owner,
        description=description,
        environments=production(rules, off=off),
    ),
    st.sampled_from(TIERS),
    st.sampled_from(["team-payments", "team-search"]),
    st.sampled_from([[], [orgs("acme")], [orgs("acme", "globex")], [orgs("acme", serve="disabled")]]),
    st.sampled_from(["one", "another"]),
    st.booleans(),
)


@st.composite
def rows(draw: st.DrawFn) -> Spec:
    """Draw policies' rows by leaving some out and asking for others."""
    found = copy.deepcopy(APPROVALS)
    for tier in TIERS:
        for side in ("production", "nonProduction"):
            for row in found["tiers"][tier][side].values():
                row["evidence"] = draw(st.sampled_from(["keys", "forge", "either", "both"]))
                row["approvals"] = draw(
                    st.lists(
                        st.builds(
                            lambda role, count: {"role": role, "count": count},
                            st.sampled_from(["owner", "flag-approver", "release-manager", "security"]),
                            st.integers(1, 2),
                        ),
                        min_size=1,
                        max_size=2,
                    )
                )
    return found


def company(before: Spec, approval_rows: Spec) -> Company:
    """Make a company of one flag."""
    return Company.of({CHECKOUT: before}, {**POLICIES, "ApprovalPolicy/approvals": approval_rows})


@given(before=specs, after=specs, given_by=st.lists(approvals, max_size=4), more=approvals, rows=rows(), author=people)
def test_one_more_approval_never_turns_allow_into_deny(
    before: Spec, after: Spec, given_by: list[Approval], more: Approval, rows: Spec, author: str
) -> None:
    """Not an author's, not one without proof, not a second one by the same person."""
    head = company(before, rows)
    changes: dict[str, Spec | None] = {CHECKOUT: after}
    if head.decide(changes, tuple(given_by), author=author, ticket="T-1").verdict == "allow":
        for wider in ((*given_by, more), (more, *given_by)):
            assert head.decide(changes, wider, author=author, ticket="T-1").verdict == "allow"


@given(before=specs, after=specs, given_by=st.lists(approvals, max_size=5), rows=rows(), tier=st.sampled_from(TIERS))
def test_removing_a_tiers_last_row_never_allows_anything(
    before: Spec, after: Spec, given_by: list[Approval], rows: Spec, tier: str
) -> None:
    """What is not covered is refused: taking rows away opens no door."""
    fewer = copy.deepcopy(rows)
    for side in ("production", "nonProduction"):
        fewer["tiers"][tier][side].pop("widen")
    changes: dict[str, Spec | None] = {CHECKOUT: after}
    if company(before, rows).decide(changes, tuple(given_by), ticket="T-1").verdict == "deny":
        assert company(before, fewer).decide(changes, tuple(given_by), ticket="T-1").verdict == "deny"


@given(before=specs, after=specs, given_by=st.lists(approvals, max_size=5), author=people)
def test_everybody_allowed_is_a_different_person_in_each_role_and_no_author(
    before: Spec, after: Spec, given_by: list[Approval], author: str
) -> None:
    """Whatever is allowed is still allowed without the author's approvals and those without proof."""
    head = Company.of({CHECKOUT: before})
    changes: dict[str, Spec | None] = {CHECKOUT: after}
    honest = tuple(it for it in given_by if it.person != author and it.evidence)
    one = head.decide(changes, tuple(given_by), author=author, ticket="T-1")
    other = head.decide(changes, honest, author=author, ticket="T-1")
    assert one.verdict == other.verdict


@given(before=specs, after=specs, given_by=st.permutations([Approval("alice", KEYS), Approval("dora", FORGE)]))
def test_the_decision_does_not_depend_on_any_order(before: Spec, after: Spec, given_by: list[Approval]) -> None:
    """Verifiers gather signatures and read documents in whatever order they come."""
    head = Company.of({CHECKOUT: before})
    turned = Company(State(dict(reversed(list(head.accepted.items())))))
    changes: dict[str, Spec | None] = {CHECKOUT: after}
    one = head.decide(changes, (Approval("alice", KEYS), Approval("dora", FORGE)))
    other = turned.decide(changes, tuple(given_by))
    assert canonical_json(one.to_json()) == canonical_json(other.to_json())


def test_now_is_where_the_tests_say_it_is() -> None:
    """Properties above hold inside the window, where nothing waits."""
    assert NOW.weekday() == 0
