"""Have reviewers read something else than what a request does, in the comment that speaks for Flagseal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal_cli.workflows import flag_workflows
from tests.forge.github import ME, Comment
from tests.forge.world import company
from tests.history.company import flag
from tests.workflows.runner import Ran, after_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.forge.world import World
    from tests.workflows.runner import Runner

SPEAKING = ".github/workflows/comment.yaml"
LIE = "<!-- flagseal plan request -->\n\n## Flagseal plan: nothing changes\n"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A company on GitHub, whose branch has the workflows."""
    with company(tmp_path) as found:
        yield found


def spoken(runner: Runner) -> Ran:
    """Run the branch's workflow."""
    ran = runner.job(flag_workflows()[SPEAKING], "plan")
    assert ran is not None
    return ran[-1]


def test_by_writing_it_themselves(world: World) -> None:
    """The author posts a comment that begins as ours do. Theirs is left alone, and ours is written beside it."""
    pull = world.propose(flag("other"))
    theirs = Comment(world.github.next(), pull.number, world.user("bob"), LIE, world.github.now)
    world.repo.comments.append(theirs)
    for _ in range(2):
        assert spoken(after_run(world, pull, world.path)).status == 0
    assert theirs.body == LIE
    [ours] = [comment for comment in world.repo.comments if comment is not theirs]
    assert ours.user != world.user("bob")
    assert "payments/other" in ours.body


def test_by_a_workflow_of_ones_own(world: World) -> None:
    """A collaborator's workflow rewrites what github-actions[bot] wrote. What the App writes, it cannot."""
    pull = world.propose(flag("other"))
    assert spoken(after_run(world, pull, world.path)).status == 0
    [theirs] = world.repo.comments
    assert theirs.user == ME
    theirs.body = LIE
    runner = after_run(world, pull, world.path)
    runner.variables["FLAGSEAL_BOT_APP_ID"] = "7"
    runner.secrets["FLAGSEAL_BOT_APP_KEY"] = "a key"
    runner.app = world.github.user("acme-flags[bot]", 900, kind="Bot")
    assert spoken(runner).status == 0
    assert theirs.body == LIE
    [ours] = [comment for comment in world.repo.comments if comment is not theirs]
    assert ours.user == runner.app
    assert "payments/other" in ours.body


def test_by_a_branch_of_the_same_name_in_another_repository(world: World) -> None:
    """Its run is not the request's, though owner, branch and even commit are the same: the number is not."""
    pull = world.propose(flag("other"))
    runner = after_run(world, pull, world.path)
    runner.event["workflow_run"]["head_repository"]["id"] = 4712
    assert "nothing is said" in spoken(runner).output
    assert world.repo.comments == []


def test_by_having_another_commit_judged_than_is_there(world: World) -> None:
    """The harmless commit ran; the other was pushed since. Of neither is anything said until the other has run."""
    pull = world.propose(flag("other"))
    runner = after_run(world, pull, world.path)
    world.commit(flag("worse"))
    world.push("change")
    assert "nothing is said" in spoken(runner).output
    assert world.repo.comments == []
    assert spoken(after_run(world, pull, world.path)).status == 0
    assert "payments/worse" in world.repo.comments[0].body


def test_by_changing_the_workflows_and_nothing_else(world: World) -> None:
    """No document changes, so no plan asks for anybody; that it needs the security team's approval stands there."""
    text = flag_workflows()[SPEAKING].replace("flagseal forge comment", "echo nothing changes")
    pull = world.propose(files={SPEAKING: text})
    assert spoken(after_run(world, pull, world.path)).status == 0
    [said] = [comment.body for comment in world.repo.comments]
    assert f"`{SPEAKING}`" in said
    assert "approvals of a change of policies" in said


def test_by_a_filter_or_a_merge_driver_of_their_own(world: World) -> None:
    """Attributes in the request name programs; git is never asked to run one."""
    attributes = "*.yaml filter=theirs merge=theirs diff=theirs\n"
    pull = world.propose(flag("other"), files={".gitattributes": attributes, "flags/.gitattributes": attributes})
    ran = spoken(after_run(world, pull, world.path))
    assert ran.status == 0, ran.output
    assert "payments/other" in world.repo.comments[0].body
