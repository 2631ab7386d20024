"""From a request on the double to an accepted head: every way to merge, and what lies between two statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flagseal.model.errors import ApprovalError, FlagsealError, ForgeError
from flagseal.model.limits import LARGEST_FILE
from flagseal_validators.attestor import Saved, sign
from flagseal_validators.attestor.attesting import signed
from flagseal_validators.forge.facts import Facts
from tests.forge.world import CODEOWNERS, company, run
from tests.history.company import approval_policy, edited, flag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.forge.world import World

OTHER = flag("other")
MOST_REQUESTS = 15


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A company on GitHub."""
    with company(tmp_path) as found:
        yield found


def refused(world: World) -> FlagsealError:
    """Give the error with which judging what is on the branch ends."""
    with pytest.raises(FlagsealError) as error:
        world.attest().require()
    assert error.value.remedy
    return error.value


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
@pytest.mark.parametrize("commits", [1, 3])
def test_each_way_to_merge_is_attested_and_accepted(world: World, method: str, commits: int) -> None:
    """The merge is found out by making it again; the statement is accepted as an operator accepts it."""
    pull = world.propose(OTHER)
    for number in range(1, commits):
        world.commit(flag(f"more-{number}"))
    world.push("change")
    world.approve(pull, "alice", "dora")
    world.merge(pull, method=method)
    attested = world.attest()
    expected = {"squash", "rebase"} if commits == 1 and method == "rebase" else {method}
    assert attested.landings[0].method in expected
    assert world.accept().commit == pull.merge_commit
    assert set(world.head.documents) > {"FlagDefinition/payments/other"}


@pytest.mark.parametrize("method", ["merge", "squash", "rebase"])
def test_a_request_that_lagged_behind_is_attested(world: World, method: str) -> None:
    """The branch went on meanwhile; git merges both, and what comes out is what landed."""
    late = world.propose(OTHER, branch="late")
    world.landed(flag("meanwhile"), branch="meanwhile")
    world.accept()
    world.approve(late, "alice", "dora")
    world.merge(late, method=method)
    assert world.accept().commit == late.merge_commit


def test_an_updated_branch_is_attested(world: World) -> None:
    """Main is merged into the request before it is reviewed."""
    late = world.propose(OTHER, branch="late")
    world.landed(flag("meanwhile"), branch="meanwhile")
    world.accept()
    world.branch("late", "origin/late")
    run(
        world.clone,
        "merge",
        "--quiet",
        "--no-edit",
        "origin/main",
        GIT_COMMITTER_EMAIL="bob@example.com",
        GIT_AUTHOR_EMAIL="bob@example.com",
    )
    world.push("late")
    world.approve(late, "alice", "dora")
    world.merge(late)
    assert world.accept().commit == late.merge_commit


@pytest.mark.parametrize("method", ["merge", "squash"])
def test_a_group_of_the_merge_queue_is_attested_one_after_another(world: World, method: str) -> None:
    """Two requests land by one movement of the branch; each has its own approval."""
    first, second = (world.propose(flag(name), branch=name) for name in ("first", "second"))
    world.approve(first, "alice", "dora")
    world.approve(second, "alice", "dora")
    world.github.wait(minutes=1)
    tip = world.repo.queue([first, second], world.user("carol"), method)
    assert first.merge_commit is not None
    assert world.accept(first.merge_commit).commit == first.merge_commit
    assert world.accept().commit == tip


def test_what_was_edited_in_the_browser_is_attested(world: World) -> None:
    """The forge commits and signs it; its author is a person."""
    pull = world.propose(OTHER)
    text = (world.clone / "flags/payments/other.yaml").read_text()
    world.repo.edit(world.user("bob"), "change", {"flags/payments/other.yaml": text.replace("carts", "all carts")})
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    assert world.accept().commit == pull.merge_commit


def test_a_request_of_a_fork_is_attested(world: World) -> None:
    """Who pushed to the fork is asked of the fork."""
    fork = world.github.repository("bob-gh", "flags", 9)
    world.branch("change")
    world.commit(OTHER)
    fork.push(world.user("bob"), world.clone, "HEAD", "change")
    world.github.wait(minutes=1)
    pull = world.repo.open(world.user("bob"), "change", fork=fork)
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    assert world.accept().commit == pull.merge_commit


def test_an_ordinary_merge_costs_at_most_fifteen_requests(world: World) -> None:
    """Counted at the server, the look-up of the request included."""
    world.repo.rulesets[0].rules |= {
        "required_status_checks": {
            "strict_required_status_checks_policy": False,
            "required_status_checks": [{"context": "ci", "integration_id": 15368}],
        }
    }
    pull = world.propose(OTHER)
    world.repo.check("ci", world.repo.head_of(pull))
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    before = len(world.server.exchanges)
    assert world.attest().allowed
    assert len(world.server.exchanges) - before <= MOST_REQUESTS


def test_saved_facts_are_judged_like_fetched_ones(world: World) -> None:
    """The same statement, to the byte, whenever and wherever it is judged."""
    facts = Facts.parse(world.facts(world.landed(OTHER)).to_bytes())
    assert world.attest(source=Saved([facts])).proposal == world.attest().proposal


def test_the_statement_says_what_the_forge_knew(world: World) -> None:
    """Who approved as what, what was reviewed, when it was merged, and what was decided."""
    pull = world.landed(OTHER)
    statement = world.attest().proposal.statement
    assert statement.contributors == ("bob",)
    assert statement.forge is not None
    request, approvals, decision = (statement.forge[name] for name in ("request", "approvals", "decision"))
    assert isinstance(request, dict)
    assert isinstance(approvals, list)
    assert isinstance(decision, dict)
    assert request["number"] == pull.number
    assert request["author"] == {"person": "bob", "login": "bob-gh", "id": 102}
    alice, dora = approvals
    assert isinstance(alice, dict)
    assert isinstance(dora, dict)
    assert (alice["person"], alice["roles"], alice["reviewed"]) == (
        "alice",
        ["owner", "flag-approver"],
        pull.merged_head,
    )
    assert dora["roles"] == ["release-manager"]
    production = decision["environments"]["production"]  # type: ignore[call-overload,index]
    assert isinstance(production, dict)
    assert (production["class"], production["tier"], production["verdict"]) == ("widen", "sensitive", "allow")


def test_nothing_is_signed_that_was_refused(world: World) -> None:
    """The signer is not even asked."""
    world.landed(OTHER, approved=("alice",))
    with pytest.raises(ApprovalError) as error:
        sign(world.attest(), None)  # type: ignore[arg-type]
    assert (error.value.code, "release-manager" in error.value.message) == ("NotAttested", True)


def test_what_is_noted_without_the_attestors_key_is_not_accepted(world: World) -> None:
    """A signature by another key says nothing, whatever the lower block says."""
    from securesystemslib.signer import CryptoSigner  # noqa: PLC0415 (only here)

    world.landed(OTHER)
    found = world.attest()
    world.local.add_note(found.commit, sign(found, CryptoSigner.generate_ed25519()).to_line())
    assert world.poll().sequence == 0


# What lies between two statements


def test_two_requests_are_covered_by_one_statement_if_the_same_people_approved_both(world: World) -> None:
    """The first was never attested: the second's statement covers the net change of both."""
    world.landed(OTHER, branch="first")
    second = world.landed(flag("third"), branch="second")
    assert world.accept().commit == second.merge_commit
    assert world.head.sequence == 1


def test_who_approved_only_one_of_two_requests_is_not_counted(world: World) -> None:
    """Alice saw the second only; its statement would carry the first as well."""
    world.landed(OTHER, branch="first", approved=("dora",))
    world.landed(flag("third"), branch="second")
    assert "owner" in world.failed()["approvals"]


def test_who_wrote_one_of_two_requests_is_not_counted_for_either(world: World) -> None:
    """Alice wrote the first, and approved the second."""
    world.landed(OTHER, branch="first", by="alice", approved=("bob", "dora"))
    world.landed(flag("third"), branch="second")
    assert "owner" in world.failed()["approvals"]


def test_a_push_past_the_protection_is_not_attested(world: World) -> None:
    """No request ends there."""
    world.branch("work")
    world.commit(OTHER)
    world.push("main", "carol")
    assert refused(world).code == "Pushed"


def test_a_push_that_was_reverted_stops_nothing(world: World) -> None:
    """Behind the revert everything is as it was; the next request is attested by itself."""
    world.branch("work")
    world.commit(OTHER)
    world.push("main", "carol")
    world.commit(files={"flags/payments/other.yaml": None}, message="revert")
    world.push("main", "carol")
    pull = world.landed(flag("third"))
    assert world.accept().commit == pull.merge_commit
    assert "FlagDefinition/payments/other" not in world.head.documents


def test_what_governs_nothing_may_be_pushed(world: World) -> None:
    """A page of text is not asked after, and costs no request."""
    world.branch("work")
    world.commit(files={"README.md": "Our flags."})
    world.push("main", "carol")
    pull = world.landed(OTHER)
    assert len(world.attest().landings) == 1
    assert world.accept().commit == pull.merge_commit


def test_a_commit_that_changes_nothing_governed_needs_no_statement(world: World) -> None:
    """It says so."""
    world.landed(files={"README.md": "Our flags."})
    assert refused(world).code == "NothingChanges"


def test_owners_that_changed_in_a_request_of_their_own_are_covered_with_the_next(world: World) -> None:
    """CODEOWNERS is no subject; its request was approved as policies are, and the next statement rests on both."""
    owners = CODEOWNERS + "/flags/new/ @acme/team-search\n"
    world.landed(files={".github/CODEOWNERS": owners}, branch="owners", approved=("erin", "frank"))
    pull = world.landed(OTHER, branch="flag")
    assert world.failed() == {}
    assert world.accept().commit == pull.merge_commit


def test_owners_that_changed_without_the_approvals_of_policies_stop_the_next_statement(world: World) -> None:
    """One of the security team is one too few."""
    owners = CODEOWNERS + "/flags/new/ @acme/team-search\n"
    world.landed(files={".github/CODEOWNERS": owners}, branch="owners", approved=("erin",))
    world.landed(OTHER, branch="flag")
    assert "security" in world.failed()["guarded"]


def test_an_accepted_commit_is_not_attested_again(world: World) -> None:
    """Nothing lies between."""
    world.landed(OTHER)
    world.accept()
    assert refused(world).code == "NothingChanges"


def test_a_commit_beside_the_branch_is_not_attested(world: World) -> None:
    """The request's own head is approved, and is not what landed."""
    pull = world.landed(OTHER)
    with pytest.raises(FlagsealError) as error:
        world.attest(pull.merged_head)
    assert error.value.code == "NotOnBranch"


# Trees


def _land_by_hand(world: World, files: dict[str, str], *, squash: bool) -> None:
    """Let a request land with more in it than was reviewed, and the forge call it a merge."""
    pull = world.propose(OTHER)
    world.approve(pull, "alice", "dora")
    world.merge(pull, method="squash" if squash else "merge")
    assert pull.merge_commit is not None
    run(world.clone, "fetch", "--quiet", "origin")
    run(world.clone, "checkout", "--quiet", "--detach", "origin/main")
    for name, text in files.items():
        (world.clone / name).write_text(text)
    run(world.clone, "add", "--all")
    run(world.clone, "commit", "--quiet", "--amend", "--no-edit")
    pull.merge_commit = run(world.clone, "rev-parse", "HEAD")
    run(world.clone, "push", "--quiet", "--force", "origin", "HEAD:main")
    world.repo.activity[-1].after = pull.merge_commit
    pull.brought = (pull.merge_commit,)


@pytest.mark.parametrize("squash", [False, True])
def test_2_something_slipped_into_the_merge(world: World, *, squash: bool) -> None:
    """The forge says merge; git says that it gives something else."""
    _land_by_hand(world, {"flags/payments/checkout.yaml": flag_text()}, squash=squash)
    assert "gives what landed" in world.failed()["tree"]


def test_2_a_rebase_that_is_none(world: World) -> None:
    """Of three commits, the last landed with something else in it."""
    pull = world.propose(OTHER)
    world.commit(flag("more"))
    world.push("change")
    world.approve(pull, "alice", "dora")
    world.merge(pull, method="rebase")
    run(world.clone, "fetch", "--quiet", "origin")
    run(world.clone, "checkout", "--quiet", "--detach", "origin/main")
    (world.clone / "flags/payments/checkout.yaml").write_text(flag_text())
    run(world.clone, "commit", "--quiet", "--all", "--amend", "--no-edit")
    pull.merge_commit = run(world.clone, "rev-parse", "HEAD")
    run(world.clone, "push", "--quiet", "--force", "origin", "HEAD:main")
    world.repo.activity[-1].after = pull.merge_commit
    pull.brought = (pull.merge_commit, *pull.brought[1:])
    with pytest.raises(ForgeError) as error:
        world.failed()
    assert error.value.code == "Pushed"


def flag_text() -> str:
    """Write the flag that nobody reviewed: on for everyone in production."""
    from tests.history.branch import text_of  # noqa: PLC0415 (only here)

    return text_of(
        edited(flag(), environments={"staging": {"default": "enabled"}, "production": {"default": "enabled"}})
    )


# 4. Whoever merged, where the row says so


def without_the_merger() -> dict[str, Any]:
    """Give rows by which whoever merged a sensitive change is not counted."""
    rows = approval_policy()
    rows["tiers"]["sensitive"]["production"]["widen"]["merger"] = "not-counted"
    return rows


@pytest.mark.parametrize(("by", "counted"), [("dora", False), ("carol", True)])
def test_4_whoever_merged_is_not_counted_where_the_row_says_so(tmp_path: Path, by: str, *, counted: bool) -> None:
    """Dora approves as release manager and merges it herself; or carol merges it."""
    with company(tmp_path, approvals=without_the_merger()) as world:
        pull = world.propose(OTHER)
        world.approve(pull, "alice", "dora")
        world.merge(pull, by=by)
        if counted:
            assert world.accept().sequence == 1
        else:
            assert "release-manager" in world.failed()["approvals"]
            # An operator finds the same, whatever the attestor's own verdict.
            found = world.attest()
            world.local.add_note(found.commit, signed(found.proposal.statement, world.signer).to_line())
            assert world.poll().sequence == 0


def test_4_a_queue_does_not_say_who_merged(tmp_path: Path) -> None:
    """A row that asks is refused; others are not."""
    with company(tmp_path, approvals=without_the_merger()) as world:
        pull = world.propose(OTHER)
        world.approve(pull, "alice", "dora")
        world.github.wait(minutes=1)
        world.repo.queue([pull], world.user("carol"))
        assert set(world.failed()) == {"merger"}


# 6. Owners, by the CODEOWNERS of the base


@pytest.mark.parametrize(
    ("codeowners", "reason"),
    [
        ("# nobody\n", "has no owner"),
        ("* @acme/security\n/flags/payments/\n", "has no owner"),
        ("* @acme/security\n!flags/ @acme/security\n", "negate"),
        ("* @acme/security\n", "none of @acme/security approved"),
        ("* @elsewhere/team-payments\n", "none of @elsewhere/team-payments approved"),
        ("* alice@example.com\n", "none of alice@example.com approved"),
        ("* @acme/team-nobody\n", "none of @acme/team-nobody approved"),
        ("* @carol-gh\n", "none of @carol-gh approved"),
    ],
)
def test_6_owners_that_are_missing(tmp_path: Path, codeowners: str, reason: str) -> None:
    """None, none left, unreadable, none who approved, another organisation's, an address, a team of nobody."""
    with company(tmp_path, codeowners=codeowners) as world:
        world.landed(OTHER)
        assert reason in world.failed()["owners"]


@pytest.mark.parametrize(
    "codeowners", ["* @Alice-GH\n", "* @carol-gh @acme/team-payments # either\n", "* @ACME/team-payments\n"]
)
def test_6_owners_who_approved(tmp_path: Path, codeowners: str) -> None:
    """By account or by team; one of several is enough."""
    with company(tmp_path, codeowners=codeowners) as world:
        world.landed(OTHER)
        assert world.failed() == {}


def test_6_both_names_of_what_was_renamed_have_owners(world: World) -> None:
    """Out of one team's folder into another's: both are asked."""
    moved = flag("checkout", "search", owner="team-search")
    world.landed(moved, files={"flags/payments/checkout.yaml": None}, by="erin", approved=("carol", "dora"))
    assert "flags/payments/checkout.yaml: none of @acme/team-payments approved" in world.failed()["owners"]


def test_6_workflows_need_what_policies_need(world: World) -> None:
    """What runs on a request decides what is merged."""
    files: dict[str, str | None] = {".github/workflows/check.yml": "on: push\n"}
    world.landed(OTHER, files=files, approved=("alice", "dora", "erin"))
    assert "security" in world.failed()["guarded"]


BAD = ("* @example/team-payments\n", "* @acme/security\n!flags/ @acme/security\n", "# nobody\n")
"""As `flagseal init` leaves it for another organisation; unreadable; naming nobody."""


@pytest.mark.parametrize("codeowners", BAD)
def test_6_a_bad_codeowners_is_corrected_by_a_request_of_its_own(tmp_path: Path, codeowners: str) -> None:
    """Nobody can approve as its owner, so it is approved as policies are; what lands on it goes by it."""
    with company(tmp_path, codeowners=codeowners) as world:
        world.landed(files={".github/CODEOWNERS": CODEOWNERS}, branch="owners", approved=("erin", "frank"))
        pull = world.landed(OTHER, branch="flag")
        assert world.failed() == {}
        assert world.accept().commit == pull.merge_commit


def test_6_a_bad_codeowners_is_not_corrected_with_fewer_approvals(tmp_path: Path) -> None:
    """Nor by whom its new lines name."""
    with company(tmp_path, codeowners=BAD[0]) as world:
        world.landed(
            files={".github/CODEOWNERS": "* @acme/team-payments\n"}, branch="owners", approved=("alice", "dora")
        )
        world.landed(OTHER, branch="flag")
        assert "security" in world.failed()["guarded"]


@pytest.mark.parametrize("codeowners", BAD)
def test_6_a_bad_codeowners_is_not_corrected_with_a_flag_in_the_same_request(tmp_path: Path, codeowners: str) -> None:
    """The flag has no owner by what was there before, whoever approved."""
    with company(tmp_path, codeowners=codeowners) as world:
        world.landed(OTHER, files={".github/CODEOWNERS": CODEOWNERS}, approved=("alice", "dora", "erin", "frank"))
        assert set(world.failed()) == {"owners"}


# 8. The gate, on what landed


def test_8_the_gate_refuses_what_landed(world: World) -> None:
    """An owner that does not exist: whatever CI said of it."""
    world.landed(flag("lost", owner="team-nobody"))
    assert "FS201" in world.failed()["gate"]


@pytest.mark.parametrize(
    ("codeowners", "rule"),
    [
        (CODEOWNERS + "!flags/ @acme/security\n", "FS611"),
        ("/.github/ @acme/security\n", "FS612"),
        (None, "FS612"),
        (CODEOWNERS + "/flags/new/ @acme/team-nobody\n", "FS613"),
        (CODEOWNERS.replace("@acme/", "@other-org/"), "FS613"),
    ],
)
def test_8_the_gate_sees_the_codeowners_that_landed(world: World, codeowners: str | None, rule: str) -> None:
    """Unreadable, with gaps, gone, or naming nobody: what the next requests would be held against."""
    world.landed(OTHER, files={".github/CODEOWNERS": codeowners})
    assert rule in world.failed()["gate"]


@pytest.mark.parametrize("target", [b"a\0b", b"a" * 5000, b" " * (LARGEST_FILE + 1)])
def test_8_a_link_is_refused_wherever_it_leads(world: World, target: bytes) -> None:
    """No folder can hold such a link; that it is one is all that is looked at."""
    world.branch("change")
    world.commit(OTHER)
    world.plant("policies/tests/link.yaml", target, mode="120000")
    world.push("change")
    pull = world.repo.open(world.user("bob"), "change")
    world.approve(pull, "alice", "dora", "erin")
    world.merge(pull)
    assert "policies/tests/link.yaml" in world.failed()["gate"]


# 10. Ticket, window, step


def test_10_a_change_outside_its_window_is_accepted_and_waits(world: World) -> None:
    """The decision says from when it is in effect."""
    world.github.wait(days=5)
    world.repo.rulesets[0].updated_at = world.github.now
    world.github.wait(minutes=5)
    world.landed(flag("risky", tier="high-risk", production={"default": "enabled"}))
    decision = world.attest().decision.environments["production"]
    assert decision.effective_from is not None
    assert decision.effective_from > world.github.now
    world.accept()
    assert world.head.waiting("production", world.github.now)
