"""What is written at GitHub: found again, never twice, at a pace that it bears."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import ForgeError
from flagseal_validators.forge.desk import MOST_BODY, Mark, Writing
from flagseal_validators.forge.github.asking import PACE
from tests.forge.desk import desk
from tests.forge.limits import Limits
from tests.forge.world import company
from tests.history.company import flag

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.forge.world import World

BRANCH = "flagseal/retire/payments/checkout"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A company on GitHub, with a pushed branch."""
    with company(tmp_path) as found:
        found.branch(BRANCH)
        found.commit(flag("other"))
        found.push(BRANCH)
        yield found


def writing(body: str = "Why.", *, title: str = "Retire checkout", labels: tuple[str, ...] = ("flagseal",)) -> Writing:
    """Give something to write."""
    return Writing(Mark.of("retire", "payments/checkout", {"step": "propose"}), title, body, labels, ("alice-gh",))


def writes(world: World) -> list[str]:
    """Give what was written, in short."""
    return [f"{it.method} {it.template.rpartition('}')[2] or it.template}" for it in world.server.exchanges
            if it.method != "GET" and it.template != "/graphql"]  # fmt: skip


def test_a_pull_request_is_opened_once_and_then_updated(world: World) -> None:
    """Opened with label and reviewers; the same again writes nothing; other words are written over the first."""
    assert desk(world).put_pull(BRANCH, "main", writing()).done == "opened"
    made = world.repo.pulls[1]
    assert (made.labels, made.asked, made.body) == (["flagseal"], ["alice-gh"], writing().text)
    before = len(writes(world))
    assert desk(world).put_pull(BRANCH, "main", writing()).done == "unchanged"
    assert len(writes(world)) == before
    assert desk(world).put_pull(BRANCH, "main", writing("Other.")).done == "updated"
    assert (len(world.repo.pulls), made.body) == (1, writing("Other.").text)


def test_what_a_crash_left_out_is_added(world: World) -> None:
    """A request that was opened and not labelled any more gets its label by the next run, and no second request."""
    world.server.trouble(422, path="/labels", method="POST")
    with pytest.raises(ForgeError, match="trouble"):
        desk(world).put_pull(BRANCH, "main", writing())
    assert world.repo.pulls[1].labels == []
    assert desk(world).put_pull(BRANCH, "main", writing()).done == "updated"
    assert (len(world.repo.pulls), world.repo.pulls[1].labels) == (1, ["flagseal"])


@pytest.mark.parametrize("happened", [True, False])
def test_an_unanswered_write_is_looked_for_before_it_is_repeated(world: World, happened: bool) -> None:
    """Whether GitHub did it before the line broke or not: one request, one issue and one comment in the end."""
    world.server.trouble(path="/pulls", method="POST", drop=True, after=happened)
    desk(world).put_pull(BRANCH, "main", writing())
    world.server.trouble(path="/issues", method="POST", drop=True, after=happened)
    desk(world).put_issue(writing())
    world.server.trouble(path="/comments", method="POST", drop=True, after=happened)
    desk(world).put_comment(1, writing())
    assert [bool(it.head) for it in world.repo.pulls.values()] == [True, False]
    assert [comment.body for comment in world.repo.comments] == [writing().text]


def test_open_requests_are_found_by_their_mark(world: World) -> None:
    """Open ones of the kind only; a text that quotes a mark further down has none."""
    world.branch("b")
    world.commit(flag("b"))
    world.push("b")
    quoted = world.repo.open(world.user("bob"), "b")
    quoted.body = f"As in\n{writing().text}"
    desk(world).put_pull(BRANCH, "main", writing())
    assert [thread.branch for thread in desk(world).pulls("retire")] == [BRANCH]
    assert desk(world).pulls("review") == ()
    thread = desk(world).pull(BRANCH)
    assert thread is not None
    assert thread.mark == writing().mark
    desk(world).close(thread)
    assert desk(world).pulls("retire") == ()
    closed = desk(world).pull(BRANCH)
    assert closed is not None
    assert closed.state == "closed"


def test_a_branch_of_the_same_name_in_a_fork_is_none_of_ours(world: World) -> None:
    """Anybody may call a branch as we do, elsewhere."""
    world.github.user("mallory", 666)
    fork = world.github.repository("mallory", "flags", 667)
    fork.push(world.user("bob"), world.clone, "HEAD", BRANCH)
    pull = world.repo.open(world.github.users["mallory"], BRANCH, fork=fork)
    pull.body = writing().text
    assert desk(world).pull(BRANCH) is None
    assert desk(world).pulls("retire") == ()


def test_a_closed_issue_stays_closed_unless_it_is_to_be_opened_again(world: World) -> None:
    """Found by its mark and label; updated while open; left alone when somebody closed it."""
    assert desk(world).put_issue(writing()).done == "opened"
    assert desk(world).put_issue(writing()).done == "unchanged"
    assert desk(world).put_issue(writing("More.")).done == "updated"
    issue = desk(world).issue(writing().mark, "flagseal")
    assert issue is not None
    desk(world).close(issue)
    assert desk(world).put_issue(writing("Again.")).done == "unchanged"
    assert world.repo.pulls[1].body == writing("More.").text
    assert desk(world).put_issue(writing("Again."), reopen=True).done == "updated"
    assert (world.repo.pulls[1].closed, len(world.repo.pulls)) == (False, 1)


def test_an_issue_that_a_stranger_marks_is_none_of_ours(world: World) -> None:
    """A mark can be copied by anybody; a label is given by collaborators only."""
    planted = world.repo.open(world.github.user("mallory", 666), "", title="x")
    planted.body = writing().text
    assert desk(world).put_issue(writing()).done == "opened"
    assert planted.title == "x"


def test_of_two_issues_only_our_own_is_closed(world: World) -> None:
    """Whoever copied the text of an issue into one of their own keeps it, whichever of the two is older."""
    bob, me = world.user("bob"), world.github.me
    issues = [world.repo.open(user, "", title="Retire checkout") for user in (bob, me, me, bob)]
    for issue in issues:
        issue.labels, issue.body = ["flagseal"], writing().text
    theirs, ours = issues[::3], issues[1:3]
    desk(world).close_duplicates("retire", "flagseal")
    assert [(it.closed, it.body) for it in theirs] == [(False, writing().text)] * 2
    assert (ours[0].closed, ours[1].closed, ours[1].body) == (False, True, f"Duplicate of #{ours[0].number}.")


def test_a_comment_is_written_anew_and_never_over_somebody_elses(world: World) -> None:
    """One comment a mark; the same mark under another's name is another's."""
    pull = world.repo.open(world.user("bob"), BRANCH)
    planted = writing("Planted.").text
    desk(world).put_comment(pull.number, writing("First."))
    world.repo.comments[0].user, world.repo.comments[0].body = world.user("bob"), planted
    assert [desk(world).put_comment(pull.number, writing(text)) for text in ("A.", "A.", "B.")] == [
        "opened",
        "unchanged",
        "updated",
    ]
    assert [comment.body for comment in world.repo.comments] == [planted, writing("B.").text]


def test_a_refusal_says_githubs_words(world: World) -> None:
    """A branch without commits of its own, and a token that may not write."""
    empty = "empty"
    world.branch(empty)
    world.push(empty)
    with pytest.raises(ForgeError, match="No commits between main and empty") as refused:
        desk(world).put_pull(empty, "main", writing())
    assert refused.value.code == "NotWritten"
    world.server.trouble(403, path="/pulls", method="POST")
    with pytest.raises(ForgeError, match="may not write"):
        desk(world).put_pull(BRANCH, "main", writing())


def test_writing_keeps_githubs_pace(world: World) -> None:
    """A hundred comments: never more in a minute than a secondary limit of eighty allows, so none is refused."""
    world.server.limits = Limits()
    here = desk(world)
    pull = world.repo.open(world.user("bob"), BRANCH)
    for number in range(100):
        here.put_comment(pull.number, writing(f"{number}"))
    assert world.server.limits.refusals == 0
    assert max(world.slept) <= 60
    assert all(most / seconds <= 1 for most, seconds in PACE)


def test_what_is_refused_for_haste_is_written_when_github_says(world: World) -> None:
    """A secondary limit with Retry-After: nothing was done, so it is asked for again, after so long."""
    world.server.trouble(403, body={"message": "You have exceeded a secondary rate limit"}, path="/pulls",
                         method="POST", Retry_After="37")  # fmt: skip
    assert desk(world).put_pull(BRANCH, "main", writing()).done == "opened"
    assert 37.0 in world.slept


@pytest.mark.parametrize("key", ["a b", "-->", "a\nb", "", "x>y", "é"])
def test_a_mark_holds_only_what_is_read_back(key: str) -> None:
    """No key and no fact can end the comment that it stands in."""
    with pytest.raises(ValueError, match="no mark can hold"):
        Mark.of("retire", key)
    if key:
        with pytest.raises(ValueError, match="no mark can hold"):
            Mark.of("retire", "k", {"fact": key})
    assert Mark.find(Mark.of("retire", "k", {"fact": ""}).line()) == Mark.of("retire", "k", {"fact": ""})


def test_what_is_too_long_for_github_is_cut(world: World) -> None:
    """A body beyond what it takes ends at a line, and says so; the mark stands first, so it is kept."""
    long = writing("word\n" * 20_000, title="t" * 300)
    assert len(long.text) <= MOST_BODY + 20
    desk(world).put_pull(BRANCH, "main", long)
    assert desk(world).put_pull(BRANCH, "main", long).done == "unchanged"
    assert world.repo.pulls[1].body.endswith("*(cut here)*")
