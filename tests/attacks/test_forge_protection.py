"""What the attacker wants: a branch whose rules they can pass by, and an attestor that takes it for protected.

The attacker administers the repository at the git host: they can change its rulesets at any time, and open and merge
requests. Approvals are by others, who see the request and not the ruleset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flagseal.model.errors import ApprovalError, FlagsealError
from tests.forge.github import ACTIONS_APP, User
from tests.forge.world import company
from tests.history.company import approval_policy, document, edited, flag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.forge.world import World

EVERYONE = {"staging": {"default": "enabled"}, "production": {"default": "enabled"}}
WIDER = edited(flag(), environments=EVERYONE)
PASS: dict[str, Any] = {"actor_id": 9, "actor_type": "Team", "bypass_mode": "always"}
DECLARED: dict[str, Any] = {"bypass": [{"actor": "team", "id": 9, "mode": "always", "reason": "Night shift."}]}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A company whose policies name nobody who may pass the rules by."""
    with company(tmp_path) as found:
        yield found


@pytest.fixture
def declaring(tmp_path: Path) -> Iterator[World]:
    """A company whose policies let team 9 pass the rules by."""
    with company(tmp_path, approvals=approval_policy() | {"protection": DECLARED}) as found:
        yield found


def refused(world: World) -> str:
    """Give what the attestor says of what is on the branch; nothing of it is in effect."""
    accepted = world.head.sequence
    with pytest.raises(ApprovalError) as error:
        world.attest().require()
    assert world.poll().sequence == accepted
    return error.value.message


def let_pass(world: World, *actors: dict[str, Any]) -> None:
    """Let somebody pass the rules by, as an administrator does: GitHub notes when."""
    world.repo.rulesets[0].bypass = list(actors)
    world.repo.rulesets[0].updated_at = world.github.wait(minutes=1)
    world.github.wait(minutes=1)


def test_by_letting_oneself_pass_after_the_request_was_opened(world: World) -> None:
    """The request is opened under full protection; then the administrator names themselves."""
    pull = world.propose(WIDER)
    let_pass(world, PASS)
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    assert "protected may be bypassed by team 9 (always)" in refused(world)


def test_by_using_a_declared_bypass_that_was_not_granted_when_it_was_opened(declaring: World) -> None:
    """The policies name the team; the ruleset is changed while the request is open all the same."""
    pull = declaring.propose(WIDER)
    let_pass(declaring, PASS)
    declaring.approve(pull, "alice", "dora")
    declaring.merge(pull)
    assert "after it was opened" in refused(declaring)


def test_by_declaring_the_bypass_in_the_request_that_needs_it(world: World) -> None:
    """The same request names the team in the policies and widens a flag; the policies before it judge."""
    let_pass(world, PASS)
    rows = document("ApprovalPolicy", "approvals", approval_policy() | {"protection": DECLARED})
    world.landed(WIDER, rows, approved=("alice", "dora", "erin", "frank"))
    assert "may be bypassed by team 9 (always)" in refused(world)


def test_a_bypass_counts_once_the_policies_that_declare_it_are_in_force(world: World) -> None:
    """First the declaration, approved as policies are, under full protection; then the grant; then requests."""
    rows = document("ApprovalPolicy", "approvals", approval_policy() | {"protection": DECLARED})
    world.landed(rows, branch="declare", approved=("erin", "frank"))
    assert world.accept().sequence == 1
    let_pass(world, PASS)
    world.landed(WIDER, branch="widen")
    assert world.accept().sequence == 2


@pytest.mark.parametrize(
    "actor",
    [
        {**PASS, "bypass_mode": "exempt"},
        {**PASS, "actor_id": 10},
        {**PASS, "actor_type": "Integration"},
        {"actor_id": None, "actor_type": "OrganizationAdmin", "bypass_mode": "always"},
        {"actor_id": None, "actor_type": "DeployKey", "bypass_mode": "always"},
    ],
)
def test_by_being_somebody_else_than_was_declared(declaring: World, actor: dict[str, Any]) -> None:
    """Another mode, number or kind; and those who have no number can be declared by nobody."""
    let_pass(declaring, PASS, actor)
    declaring.landed(WIDER)
    assert "may be bypassed by" in refused(declaring)


def test_by_pushing_past_the_rules_with_a_declared_bypass(declaring: World) -> None:
    """Whoever may pass the host's rules does not pass the attestor's: a push is no request."""
    let_pass(declaring, PASS)
    declaring.branch("work")
    declaring.commit(WIDER)
    declaring.push("main", "carol")
    with pytest.raises(FlagsealError, match="push"):
        declaring.attest().require()
    assert declaring.poll().sequence == 0


def test_by_merging_past_the_reviews_with_a_declared_bypass(declaring: World) -> None:
    """The host lets it merge without a review; the attestor counts none."""
    let_pass(declaring, PASS)
    pull = declaring.propose(WIDER)
    declaring.merge(pull, by="carol")
    assert "no approval was in force" in refused(declaring)


def test_by_merging_ahead_of_a_required_check(declaring: World) -> None:
    """The host lets it merge while the check hangs; the attestor waits for it to pass, on what was merged."""
    declaring.repo.rulesets.clear()
    declaring.repo.protect(checks=(("ci", ACTIONS_APP),))
    let_pass(declaring, PASS)
    pull = declaring.landed(WIDER)
    assert "ci (app 15368): never ran there" in refused(declaring)
    declaring.repo.check("ci", pull.merged_head, "failure")
    assert "ci (app 15368): failure" in refused(declaring)
    declaring.repo.check("ci", pull.merged_head)
    assert declaring.accept().sequence == 1


def test_by_a_commit_status_of_ones_own(declaring: World) -> None:
    """Whoever may push can set a status of any name; only one that the ruleset's app set is that check."""
    declaring.repo.rulesets.clear()
    declaring.repo.protect(checks=(("ci", 55),))
    let_pass(declaring, PASS)
    pull = declaring.landed(WIDER)
    declaring.github.apps |= {"mine": 666, "ours": 55}
    for creator in (declaring.user("carol"), User(700, "mine[bot]", "Bot"), User(701, "ours", "User")):
        declaring.repo.status("ci", pull.merged_head, creator)
    assert "set by carol-gh, mine[bot], ours, of whom GitHub does not say" in refused(declaring)
    declaring.repo.status("ci", pull.merged_head, User(702, "ours[bot]", "Bot"))
    assert declaring.accept().sequence == 1


def test_by_a_commit_status_of_a_workflow_on_ones_own_branch(declaring: World) -> None:
    """Whoever may push writes as the bot of GitHub Actions; its status is no app's, its check run still is."""
    declaring.repo.rulesets.clear()
    declaring.repo.protect(checks=(("ci", ACTIONS_APP),))
    let_pass(declaring, PASS)
    pull = declaring.landed(WIDER)
    declaring.github.apps["github-actions"] = ACTIONS_APP
    declaring.repo.status("ci", pull.merged_head, User(41898282, "github-actions[bot]", "Bot"))
    assert "set by github-actions[bot], of whom GitHub does not say" in refused(declaring)
    declaring.repo.check("ci", pull.merged_head)
    assert declaring.accept().sequence == 1
