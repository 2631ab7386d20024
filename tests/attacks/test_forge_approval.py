"""What the attacker wants: a change in effect that nobody approved, through the git host.

Each time the host does what it does; the attacker has what an account with the right to push and merge has, or what the
test says.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from securesystemslib.signer import CryptoSigner

from flagseal.approval.trust import Attestor
from flagseal.history import accept
from flagseal.intake import candidates
from flagseal.model.errors import ApprovalError, FlagsealError, RepositoryError
from flagseal.repository.flag_repository import LARGEST_COMMIT
from flagseal_validators.attestor import Saved, sign
from flagseal_validators.attestor.attesting import signed
from tests.approval.keyring import SshKey
from tests.forge.github import ME
from tests.forge.world import CODEOWNERS, company, forge_policies, run
from tests.history.company import approval_policy, document, edited, flag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flagseal.approval.envelope import Envelope
    from flagseal.model.canonical import Json
    from tests.forge.world import World

EVERYONE = {"staging": {"default": "enabled"}, "production": {"default": "enabled"}}
WIDER = edited(flag(), environments=EVERYONE)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A company on GitHub; bob changes, alice owns, dora is the release manager."""
    with company(tmp_path) as found:
        yield found


def refused(world: World) -> str:
    """Give what the attestor says of what is on the branch; nothing of it is in effect."""
    with pytest.raises(FlagsealError) as error:
        world.attest().require()
    assert world.poll().sequence == 0
    return f"{error.value.code}: {error.value.message}"


def test_by_a_push_after_the_review(world: World) -> None:
    """Bob has a harmless change approved, pushes another on top, and merges."""
    pull = world.propose(edited(flag(), description="Harmless."))
    world.approve(pull, "alice", "dora")
    world.commit(WIDER)
    world.push("change")
    world.merge(pull, by="bob")
    assert "alice reviewed" in refused(world)


def test_by_force_pushing_the_reviewed_branch(world: World) -> None:
    """The approved commit is replaced by another, with the same message and author."""
    pull = world.propose(edited(flag(), description="Harmless."))
    world.approve(pull, "alice", "dora")
    world.branch("change")
    world.commit(WIDER)
    world.push("change", force=True)
    world.merge(pull, by="bob")
    assert "no approval was in force" in refused(world)


def test_by_a_second_account(world: World) -> None:
    """Bob has a private account with the right to approve; the organisation does not know it."""
    world.github.user("bob-private", 777)
    pull = world.propose(WIDER)
    world.repo.review(pull, world.github.users["bob-private"])
    world.approve(pull, "dora")
    world.merge(pull)
    assert "missing 1 × owner" in refused(world)


def test_by_an_account_that_took_over_a_name(world: World) -> None:
    """Alice renamed her account; bob registered the old name, and approves as her."""
    taken = world.github.user("alice-gh", 778)
    pull = world.propose(WIDER)
    world.repo.review(pull, taken)
    world.approve(pull, "dora")
    world.merge(pull)
    assert "missing 1 × owner" in refused(world)


def test_by_a_co_author_line(world: World) -> None:
    """Alice wrote it together with bob, says so in the message, and approves."""
    message = "change\n\nCo-authored-by: Alice <alice@example.com>"
    world.landed(WIDER, message=message)
    assert "missing 1 × owner" in refused(world)


def test_by_a_bot(world: World) -> None:
    """Bob runs an app that approves what he opens."""
    bot = world.github.user("approver[bot]", 779, kind="Bot")
    pull = world.propose(WIDER)
    world.repo.review(pull, bot)
    world.approve(pull, "dora")
    world.merge(pull)
    assert "missing 1 × owner" in refused(world)


def test_by_a_workflow_of_ones_own(tmp_path: Path) -> None:
    """Bob pushes a workflow to a branch; it commits and asks as github-actions[bot], which somebody has listed."""
    spec: Any = forge_policies()[0].spec
    listed = {**spec["people"], "actions": {"name": "Actions", "github": {"login": "github-actions[bot]", "id": ME.id}}}
    with company(tmp_path, organisation_with={"people": listed}) as world:
        world.branch("change")
        world.commit(WIDER, by="actions", email=ME.email)
        world.repo.push(ME, world.clone, "HEAD", "change")
        pull = world.repo.open(ME, "change")
        world.approve(pull, "bob", "alice", "dora")
        world.merge(pull)
        assert "as whom everybody's workflows write" in refused(world)


def test_by_a_bot_that_writes(world: World) -> None:
    """Alice has an app commit and push for her, and approves what it wrote."""
    bot = world.github.user("writer[bot]", 780, kind="Bot")
    world.branch("change")
    world.commit(WIDER, by="writer", email=bot.email)
    world.github.wait(minutes=1)
    world.repo.push(bot, world.clone, "HEAD", "change")
    pull = world.repo.open(bot, "change")
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    assert "writer[bot] (780)" in refused(world)


def test_by_writing_another_author(world: World) -> None:
    """Alice commits under bob's name and address, pushes it herself, and approves."""
    world.branch("change")
    world.commit(WIDER, by="bob")
    world.github.wait(minutes=1)
    world.push("change", by="alice")
    world.github.wait(minutes=1)
    pull = world.repo.open(world.user("bob"), "change")
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    assert "missing 1 × owner" in refused(world)


def test_by_writing_the_forge_as_committer(world: World) -> None:
    """A commit made at home says that GitHub committed it; GitHub's signature is not on it."""
    world.branch("change")
    world.commit(WIDER, by="web-flow", email="noreply@github.com")
    world.github.wait(minutes=1)
    world.push("change")
    pull = world.repo.open(world.user("bob"), "change")
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    assert "the committer of" in refused(world)


def test_by_slipping_something_into_the_merge(world: World) -> None:
    """Carol may merge; she builds the merge commit at home, adds to it, and has the branch moved to it."""
    pull = world.propose(edited(flag(), description="Harmless."))
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    run(world.clone, "fetch", "--quiet", "origin")
    run(world.clone, "checkout", "--quiet", "--detach", "origin/main")
    world.commit(WIDER)
    tree = run(world.clone, "rev-parse", "HEAD^{tree}")
    evil = run(world.clone, "commit-tree", tree, "-p", "origin/main^1", "-p", "origin/main^2", "-m", "Merge")
    run(world.clone, "push", "--quiet", "--force", "origin", f"{evil}:refs/heads/main")
    pull.merge_commit, pull.brought = evil, (evil,)
    world.repo.activity[-1].after = evil
    assert "gives what landed" in refused(world)


def test_by_reviving_an_approval_through_a_dismissal(world: World) -> None:
    """Alice approved, thought again and asked for changes; bob dismisses that."""
    pull = world.propose(WIDER)
    world.approve(pull, "alice", "dora")
    world.github.wait(minutes=1)
    world.repo.review(pull, world.user("alice"), "CHANGES_REQUESTED").state = "DISMISSED"
    world.merge(pull, by="bob")
    assert "missing 1 × owner" in refused(world)


def test_by_a_review_after_the_merge(world: World) -> None:
    """It is merged first, and approved afterwards, when it looks as if it had always been in order."""
    pull = world.propose(WIDER)
    world.approve(pull, "dora")
    world.merge(pull, by="bob")
    world.approve(pull, "alice")
    assert "missing 1 × owner" in refused(world)


def test_by_editing_codeowners_in_the_same_change(world: World) -> None:
    """Bob gives the folder to himself, in the request that widens the flag."""
    owners: dict[str, str | None] = {".github/CODEOWNERS": CODEOWNERS + "/flags/payments/ @bob-gh\n"}
    world.landed(WIDER, files=owners, by="carol", approved=("bob", "dora"))
    said = refused(world)
    assert "guarded" in said
    assert ".github/CODEOWNERS: none of @acme/security approved" in said


def test_by_a_codeowners_file_in_another_place(tmp_path: Path) -> None:
    """The file moves to another of the three places, and says something else there."""
    with company(tmp_path) as world:
        moved: dict[str, str | None] = {".github/CODEOWNERS": None, "docs/CODEOWNERS": "* @bob-gh\n"}
        world.landed(files=moved, approved=("alice", "dora"))
        world.landed(WIDER, branch="second", approved=("alice", "dora"))
        assert "guarded" in refused(world)


def test_by_a_rename_out_of_the_owners_path(world: World) -> None:
    """The flag moves to a folder whose owners agree, and its old owners are not asked."""
    moved = flag("checkout", "search", owner="team-search", production={"default": "enabled"})
    files: dict[str, str | None] = {"flags/payments/checkout.yaml": None}
    world.landed(moved, files=files, approved=("carol", "dora"))
    assert "flags/payments/checkout.yaml: none of @acme/team-payments approved" in refused(world)


def test_by_two_roles_of_one_person(tmp_path: Path) -> None:
    """Dora joined the owning team; she is release manager as well, and one person."""
    teams = {"team-payments": ["alice", "bob", "dora"], "team-search": ["carol"], "security": ["erin", "frank"]}
    people = {"teams": {name: {"members": members} for name, members in teams.items()}}
    with company(tmp_path, organisation_with=people) as world:
        world.landed(WIDER, approved=("dora",))
        assert "missing 1 ×" in refused(world)


def test_by_a_commit_of_the_merge_queue_that_nobody_reviewed(world: World) -> None:
    """In the group of an approved request rides one that nobody approved."""
    good = world.propose(flag("good"), branch="good")
    world.approve(good, "alice", "dora")
    bad = world.propose(WIDER, branch="bad", by="carol")
    world.github.wait(minutes=1)
    world.repo.queue([bad, good], world.user("carol"))
    assert "no approval was in force" in refused(world)


def test_by_what_the_queue_added_to_a_group(world: World) -> None:
    """The group's commit holds more than its requests."""
    good = world.propose(flag("good"))
    world.approve(good, "alice", "dora")
    world.github.wait(minutes=1)
    world.repo.queue([good], world.user("carol"))
    run(world.clone, "fetch", "--quiet", "origin")
    run(world.clone, "checkout", "--quiet", "--detach", "origin/main")
    world.commit(WIDER)
    run(world.clone, "push", "--quiet", "origin", "HEAD:main")
    world.repo.activity[-1].after = run(world.clone, "rev-parse", "HEAD")
    assert "Pushed" in refused(world)


def test_by_a_force_pushed_base(world: World) -> None:
    """The branch is rewritten underneath: what was accepted is not its past any more."""
    world.landed(edited(flag(), description="Harmless."))
    world.accept()
    run(world.clone, "checkout", "--quiet", "--orphan", "fresh")
    world.commit(WIDER)
    world.repo.push(world.user("carol"), world.clone, "HEAD", "main", force=True)
    with pytest.raises(RepositoryError) as error:
        world.attest()
    assert error.value.code == "HistoryRewritten"


def test_by_moving_the_base_between_review_and_merge(world: World) -> None:
    """A widening is pushed to main; the approved request is merged on top and is to carry it."""
    pull = world.propose(edited(flag("other"), description="Harmless."))
    world.approve(pull, "alice", "dora")
    world.branch("work")
    world.commit(WIDER)
    world.push("main", "carol")
    world.merge(pull)
    assert "Pushed" in refused(world)


def test_by_more_commits_than_the_forge_names(world: World) -> None:
    """Beyond 250 commits GitHub's lists end: the one that matters is in the part that is not listed."""
    pull = world.propose(WIDER)
    world.commit(flag("more"))
    world.push("change")
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    facts = world.facts(pull)
    with pytest.raises(ApprovalError) as error:
        world.attest(source=Saved([msgspec.structs.replace(facts, commits=facts.commits[1:])])).require()
    assert "did not name" in error.value.message


def test_by_a_request_older_than_the_protection(world: World) -> None:
    """The branch is unprotected for a moment, in which the request is opened."""
    pull = world.propose(WIDER)
    world.approve(pull, "alice", "dora")
    world.repo.rulesets[0].updated_at = world.github.wait(minutes=1)
    world.merge(pull)
    assert "after it was opened" in refused(world)


def test_by_a_bypass(world: World) -> None:
    """An administrator lets themselves pass the rules by."""
    pull = world.propose(WIDER)
    world.repo.rulesets[0].bypass = [{"actor_type": "OrganizationAdmin", "actor_id": 1, "bypass_mode": "always"}]
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    assert "may be bypassed" in refused(world)


def test_by_lowering_the_tier_first(world: World) -> None:
    """One request makes the flag cheap, with one approval; the next widens it as a cheap flag."""
    cheap = edited(flag(), riskTier="informational")
    world.landed(cheap, branch="first", approved=("alice",))
    world.landed(edited(cheap, environments=EVERYONE), branch="second", approved=("alice",))
    assert "missing 1 × release-manager" in refused(world)


def test_by_deleting(world: World) -> None:
    """The flag is removed with an approval of somebody who owns nothing of it."""
    world.landed(files={"flags/payments/checkout.yaml": None}, approved=("carol",))
    assert "none of @acme/team-payments approved" in refused(world)


def test_by_loosening_the_policy_in_the_same_change(world: World) -> None:
    """The rows ask for nobody in particular, from the same commit on."""
    loose = approval_policy()
    anyone = {"approvals": [{"role": "flag-approver", "count": 1}], "evidence": "either"}
    loose["tiers"]["sensitive"]["production"]["widen"] = anyone
    world.landed(WIDER, document("ApprovalPolicy", "approvals", loose), approved=("alice",))
    assert "missing 1 × release-manager" in refused(world)


# The attestor's key


def test_by_forging_the_attestors_key(world: World) -> None:
    """A key of the attacker's own, under the attestor's id."""
    world.landed(WIDER, approved=("alice", "dora"))
    found = world.attest()
    own = sign(found, CryptoSigner.generate_ed25519())
    renamed = replace(own.signatures[0], keyid=world.signer.public_key.keyid)
    world.local.add_note(found.commit, replace(own, signatures=(renamed,)).to_line())
    assert world.poll().sequence == 0


def _stolen(world: World, **changed: Any) -> Envelope:  # noqa: ANN401 (fields of the statement)
    """Sign with the attestor's own key what it would never have signed: that alice and dora approved."""
    found = world.attest()
    approvals: list[Json] = [
        {"person": name, "login": "x", "id": 1, "roles": [], "reviewed": "x", "at": "2026-11-23T10:00:00Z"}
        for name in ("alice", "dora")
    ]
    statement = found.proposal.statement
    assert statement.forge is not None
    forged = replace(statement, forge={**statement.forge, "approvals": approvals}, **changed)
    envelope = signed(forged, world.signer)
    world.local.add_note(found.commit, envelope.to_line())
    return envelope


def test_with_the_attestors_key_after_it_was_revoked(world: World) -> None:
    """The offline keys have said up to which statement it counts: this one is later."""
    world.landed(WIDER, approved=())
    _stolen(world)
    world.trust = replace(world.trust, attestors=(Attestor(world.signer.public_key, until=0),))
    assert world.poll().sequence == 0


def test_with_the_attestors_key_until_it_is_revoked(world: World) -> None:
    """What it can do until then: claim approvals of people, where rows take the forge's word. It is in the history."""
    world.landed(WIDER, approved=())
    envelope = _stolen(world)
    assert world.poll().sequence == 1
    assert world.head.statement == envelope.statement.id


def test_with_the_attestors_key_where_rows_ask_for_keys_as_well(tmp_path: Path) -> None:
    """It cannot sign for people: a row of both kinds of evidence holds."""
    strict = approval_policy()
    strict["tiers"]["sensitive"]["production"]["widen"]["evidence"] = "both"
    with company(tmp_path, approvals=strict) as world:
        world.landed(WIDER, approved=())
        _stolen(world)
        assert world.poll().sequence == 0


def test_with_the_attestors_key_by_hiding_who_signed_a_commit(world: World) -> None:
    """Alice signed the commit with her key, and approves with it; the stolen key says that bob wrote it."""
    world.branch("change")
    run(world.clone, "config", "gpg.format", "ssh")
    key = SshKey.of("alice").write(world.path / "alice")
    world.commit(WIDER)
    run(world.clone, "-c", f"user.signingkey={key}", "commit", "--quiet", "--amend", "--no-edit", "-S",
        GIT_COMMITTER_EMAIL="bob@example.com")  # fmt: skip
    world.push("change")
    pull = world.repo.open(world.user("bob"), "change")
    world.merge(pull)
    assert "alice" in world.attest().proposal.statement.contributors
    envelope = _stolen(world, contributors=("bob",))
    payload = envelope.payload
    world.local.add_note(
        pull.merge_commit or "", envelope.with_signature(SshKey.of("alice").approve(payload)).to_line()
    )
    with pytest.raises(ApprovalError) as error:
        candidates(world.local, world.head, world.trust, "main")
    assert error.value.code == "AuthorUnknown"
    assert world.poll().sequence == 0


def test_with_the_attestors_key_for_another_change(world: World) -> None:
    """The statement says something else than the commit holds: no candidate, and its content is not its digest's."""
    world.landed(WIDER, approved=())
    other = "sha256:" + "0" * 64
    envelope = _stolen(world, subjects={"FlagDefinition/payments/checkout": other})
    assert world.poll().sequence == 0
    found = world.attest()
    acceptance = accept(world.head, found.proposal.bundle(envelope), world.trust, now=world.github.now)
    assert acceptance.refusal is not None
    assert acceptance.refusal.code == "DigestMismatch"


def test_by_having_the_same_commit_merged_elsewhere_so_that_no_change_is_attested(world: World) -> None:
    """Mallory pushes what landed to a branch into which a request of theirs is open, and the host calls it merged."""
    world.landed(WIDER)
    at = world.repo.tip("main")
    world.branch("theirs")
    world.push("theirs", by="mallory")
    other = world.repo.open(world.user("mallory"), "theirs", base="aside")
    other.merged_at, other.merged_by, other.closed = world.github.now, world.user("mallory"), True
    other.merged_head, other.merged_base, other.merge_commit, other.brought = at, at, at, (at,)
    assert world.attest().allowed


def test_by_landing_a_commit_too_large_to_be_read_before_an_honest_squash(world: World) -> None:
    """It changes nothing; a request of two commits that is squashed behind it is made anew all the same."""
    world.landed(flag("good"))
    before = world.repo.tip("main")
    huge = world.repo.git("commit-tree", f"{before}^{{tree}}", "-p", before, stdin="x" * LARGEST_COMMIT)
    world.repo.git("update-ref", "refs/heads/main", huge, before)
    world.repo.moved("main", world.user("mallory"), "pr_merge", before, huge)
    pull = world.propose(WIDER)
    world.commit(edited(WIDER, description="Wider."))
    world.push("change")
    world.approve(pull, "alice", "dora")
    world.merge(pull, method="squash")
    assert world.attest().landings[-1].method == "squash"
