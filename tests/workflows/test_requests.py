"""A pull request, as the workflows see it: their scripts run by bash, against the double."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from flagseal_cli.main import run as flagseal
from flagseal_cli.workflows import flag_workflows
from tests.forge.server import TOKEN
from tests.forge.world import company, run
from tests.history.branch import path_of, text_of
from tests.history.company import approval_policy, flag
from tests.workflows.runner import Ran, after_run, on_request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.forge.github import Pull
    from tests.forge.world import World

OTHER = flag("other")
FILE = path_of(OTHER)
BAD = text_of(OTHER).replace("riskTier", "riskTeir")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A company on GitHub."""
    with company(tmp_path) as found:
        yield found


def workflow(name: str) -> str:
    """Give a workflow that `flagseal init` writes."""
    return flag_workflows()[f".github/workflows/{name}.yaml"]


def judged(world: World, pull: Pull) -> Ran:
    """Run the gate of a request."""
    ran = on_request(world, pull, world.path).job(workflow("check"), "gate")
    assert ran is not None
    return ran[-1]


def commented(world: World, pull: Pull) -> list[str]:
    """Run what speaks for the request, and list the comments that stand there."""
    ran = after_run(world, pull, world.path).job(workflow("comment"), "plan")
    assert ran is not None
    assert ran[-1].status == 0, ran[-1].output
    return [comment.body for comment in world.repo.comments if comment.number == pull.number]


def mended(world: World) -> None:
    """Push the flag as it should be."""
    world.commit(OTHER, message="mend")
    world.github.wait(minutes=1)
    world.push("change")


def test_a_bad_flag_is_shown_at_its_line_and_said_once_and_then_no_more(world: World) -> None:
    """Annotations and a red check; one comment; after the repair a green check and the same comment, made anew."""
    pull = world.propose(files={FILE: BAD})
    gate = judged(world, pull)
    assert gate.status == 1
    assert f"::error file={FILE},line=" in gate.output
    [said] = commented(world, pull)
    assert "the gate finds 2 errors" in said.split("\n\n")[2].splitlines()[0]
    assert FILE in said
    mended(world)
    assert judged(world, pull).status == 0
    [now] = commented(world, pull)
    assert "error" not in now
    assert "Flagseal plan" in now
    assert "payments/other" in now
    before, after = (text.split("\n\n")[1] for text in (said, now))
    assert f"`{world.repo.head_of(pull)[:12]}`" in after
    assert before != after
    assert commented(world, pull) == [now]


@pytest.mark.parametrize("team", ["@acme/team-nobody", "@other-org/team-payments"])
def test_a_request_that_breaks_codeowners_is_told_so(world: World, team: str) -> None:
    """The comment sees the file as it would land, and knows whose repository it is."""
    pull = world.propose(OTHER, files={".github/CODEOWNERS": f"* {team}\n"})
    [said] = commented(world, pull)
    assert "the gate finds 1 error" in said
    assert "FS613" in said


@pytest.mark.parametrize("name", ["flags/" + "n" * 300, "flags/@everyone <img> [x](y)" + "n" * 300])
def test_a_request_that_no_folder_can_hold_is_told_so(world: World, name: str) -> None:
    """What is wrong is said in the comment, in the place of a red job that nobody reads; names do nothing there."""
    world.branch("change")
    world.commit(OTHER)
    world.plant(name, b"text")
    world.push("change")
    pull = world.repo.open(world.user("bob"), "change")
    [said] = commented(world, pull)
    assert "cannot be written to a folder" in said
    assert "rename it" in said
    assert not re.search(r"@every|<img|\]\(y", re.sub(r"`[^`]*`", "", said))


def test_a_request_with_a_folder_that_holds_itself_many_times_is_told_so(world: World) -> None:
    """Wherever it lies: the comment that stood there does not stay."""
    world.branch("change")
    world.commit(OTHER)
    world.push("change")
    pull = world.repo.open(world.user("bob"), "change")
    assert "payments/other" in commented(world, pull)[0]
    world.plant("vendored/a", b"text")
    tree = run(world.clone, "rev-parse", "HEAD:vendored")
    listing = world.path / "listing"
    for _ in range(12):
        listing.write_text("".join(f"040000 tree {tree}\t{number:02x}\n" for number in range(16)))
        tree = run(world.clone, "-c", f"alias.made=!git mktree < {listing}", "made")
    whole = run(world.clone, "ls-tree", "HEAD").splitlines()
    rows = [f"040000 tree {tree}\tvendored" if row.endswith("\tvendored") else row for row in whole]
    listing.write_text("\n".join([*rows, ""]))
    top = run(world.clone, "-c", f"alias.made=!git mktree < {listing}", "made")
    who = {f"GIT_{role}_{part}": "bob" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    commit = run(world.clone, "commit-tree", top, "-p", "HEAD", "-m", "change", **who)
    run(world.clone, "update-ref", "refs/heads/change", commit)
    world.push("change")
    [said] = commented(world, pull)
    assert "too many paths" in said
    assert "payments/other" not in said


def test_the_findings_go_to_code_scanning_where_it_is_to_be_had(world: World) -> None:
    """By a job of its own that has the right; a private repository has to say that it pays for it."""
    pull = world.propose(files={FILE: BAD})
    runner = on_request(world, pull, world.path)
    assert runner.job(workflow("check"), "gate") is not None
    assert runner.job(workflow("check"), "code-scanning") is None
    runner.variables["FLAGSEAL_CODE_SCANNING"] = "on"
    assert runner.job(workflow("check"), "code-scanning") == []
    [log] = json.loads(runner.uploaded[0])["runs"]
    assert [found["level"] for found in log["results"]] == ["error", "error", "warning"]


def test_a_forks_request_is_judged_and_spoken_for_all_the_same(world: World) -> None:
    """Its own run may write nothing; who speaks for it finds the request by the fork's number, branch and commit."""
    fork = world.github.repository("bob-gh", "flags", 9)
    world.branch("change")
    world.commit(OTHER)
    run(world.clone, "push", "--quiet", fork.url, "origin/main:refs/heads/main")
    fork.push(world.user("bob"), world.clone, "HEAD", "change")
    pull = world.repo.open(world.user("bob"), "change", fork=fork)
    runner = on_request(world, pull, world.path, variables={"FLAGSEAL_CODE_SCANNING": "on"})
    gate = runner.job(workflow("check"), "gate")
    assert gate is not None
    assert gate[-1].status == 0, gate[-1].output
    assert runner.job(workflow("check"), "code-scanning") is None
    [said] = commented(world, pull)
    assert "payments/other" in said


def test_the_plan_is_what_merging_does_and_not_what_the_branch_lacks(world: World) -> None:
    """The branch went on meanwhile; what it gained is none of the request's doing."""
    pull = world.propose(OTHER)
    world.landed(flag("third"), branch="third")
    [said] = commented(world, pull)
    assert "payments/other" in said
    assert "payments/third" not in said


def test_who_opened_it_is_not_asked_to_approve_it(world: World) -> None:
    """By the number of their account, whatever the commits say."""
    pull = world.propose(OTHER, by="bob")
    [by_bob] = commented(world, pull)
    other = world.propose(OTHER, by="alice", branch="hers")
    [by_alice] = commented(world, other)
    assert "`alice`" in by_bob or " alice" in by_bob
    assert "alice" not in by_alice


def test_a_conflict_is_said(world: World) -> None:
    """There is nothing to plan, and what to do stands there."""
    pull = world.propose(files={FILE: text_of(OTHER)})
    world.landed(branch="first", files={FILE: text_of(OTHER).replace("true", "false")})
    [said] = commented(world, pull)
    assert "conflicts with `main`" in said
    assert f"`{world.repo.head_of(pull)[:12]}`" in said.split("\n\n")[1]


def test_a_run_that_no_request_started_says_nothing(world: World) -> None:
    """The workflow's own condition; and the command's, if somebody takes it away."""
    pull = world.propose(OTHER)
    runner = after_run(world, pull, world.path)
    runner.event["workflow_run"]["event"] = "push"
    assert runner.job(workflow("comment"), "plan") is None
    ran = runner.job(
        workflow("comment").replace("    if: github.event.workflow_run.event == 'pull_request'\n", ""), "plan"
    )
    assert ran is not None
    assert ran[-1].status == 2
    assert "BadEvent" in ran[-1].output


def test_a_request_can_be_named_where_no_event_names_it(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its number, in another CI or by hand; one that is closed is refused, and none is an error."""
    monkeypatch.setenv("FLAGSEAL_GITHUB_API", world.server.url)
    monkeypatch.setenv("FLAGSEAL_GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_EVENT_PATH", str(world.path / "no-event.json"))
    pull = world.propose(OTHER)
    world.repo.follow(pull)
    words = ["forge", "comment", "--github", "acme/flags", "--repo", str(world.clone)]
    assert flagseal([*words, str(pull.number)]) == 0
    assert len(world.repo.comments) == 1
    assert flagseal(words) == 2
    assert "NoRequest" in capsys.readouterr().err
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    assert flagseal([*words, str(pull.number)]) == 2
    assert "NotOpen" in capsys.readouterr().err


def test_a_ticket_in_a_commit_is_seen(tmp_path: Path) -> None:
    """Where the policies ask for one, the comment asks only as long as there is none."""
    rows = approval_policy()
    rows["tiers"]["sensitive"]["production"]["widen"]["ticket"] = "required"
    with company(tmp_path, approvals=rows) as world:
        without = commented(world, world.propose(OTHER, branch="without"))
        with_it = commented(world, world.propose(OTHER, branch="with", message="Add\n\nTicket: PAY-1"))
    assert "ticket" in without[0].lower()
    assert "ticket" not in with_it[0].lower()
