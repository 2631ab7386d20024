from __future__ import annotations

import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import SnapshotError
from tests.history.company import MONDAY, NEXT_MONDAY, SATURDAY, flag, rule
from tests.operator.site import Site

if TYPE_CHECKING:
    from pathlib import Path

ON = rule({"org": {"in": ["acme"]}})
KEY = "checkout"


def answer(site: Site, org: str = "acme") -> object:
    """Ask a client that has just verified everything."""
    return site.served().evaluate(KEY, {"org": org}).value


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with one sensitive flag that is off in production, published."""
    made = Site.at(tmp_path, flag(), now=MONDAY)
    made.engine.step()
    return made


def test_the_genesis_is_published_before_anything_is_approved(site: Site) -> None:
    """What the offline keys pinned is served."""
    assert site.served().sequence == 0
    assert answer(site) is False


def test_an_unapproved_commit_changes_nothing(site: Site) -> None:
    """A commit proposes; it does not decide."""
    site.branch.commit(flag(production=ON))
    step = site.engine.step()
    assert not step.published.changed
    assert answer(site) is False


def test_half_of_the_approvals_change_nothing(site: Site) -> None:
    """The release manager is missing."""
    site.approved(flag(production=ON), "alice")
    assert site.engine.step().accepted == ()
    assert answer(site) is False


def test_an_approved_commit_is_published(site: Site) -> None:
    """Both roles, by two people who did not write it."""
    site.approved(flag(production=ON), "alice", "dora")
    step = site.engine.step()
    assert [entry.envelope.statement.sequence for entry in step.accepted] == [1]
    assert site.served().sequence == 1
    assert answer(site) is True


def test_stepping_again_changes_nothing(site: Site) -> None:
    """The builder looks at what there is, not at what happened."""
    site.approved(flag(production=ON), "alice", "dora")
    version = site.engine.step().published.version
    for _ in range(3):
        step = site.engine.step()
        assert (step.accepted, step.published.changed, step.published.version) == ((), False, version)


def test_a_new_process_goes_on_where_the_last_one_ended(site: Site) -> None:
    """Everything needed lies in the store; nothing is published again."""
    site.approved(flag(production=ON), "alice", "dora")
    version = site.engine.step().published.version
    site.restart()
    step = site.engine.step()
    assert (step.accepted, step.published.version) == ((), version)


def test_a_rewritten_branch_is_held_and_alarmed_while_serving_goes_on(site: Site) -> None:
    """Whoever force-pushes the branch gets no answer changed, and cannot let the signatures expire either."""
    beginning = site.branch.git.git("rev-parse", "HEAD").strip()
    site.approved(flag(production=ON), "alice", "dora")
    site.engine.step()
    site.branch.git.git("reset", "--hard", beginning)
    site.branch.commit(flag(description="Another past."))
    step = site.engine.step()
    assert step.held is not None
    assert step.held.code == "HistoryRewritten"
    assert answer(site) is True
    site.clock.advance(minutes=7)
    site.engine.refresh()
    site.clock.advance(minutes=7)
    assert answer(site) is True


def test_what_waits_for_its_window_takes_effect_by_time_alone(tmp_path: Path) -> None:
    """A high-risk change approved on Saturday is accepted, waits, and is published when the window opens."""
    site = Site.at(tmp_path, flag(tier="high-risk"), now=SATURDAY)
    site.engine.step()
    site.approved(flag(tier="high-risk", production=ON), "alice", "dora")
    step = site.engine.step()
    assert step.next_change == NEXT_MONDAY
    assert len(step.accepted) == 1
    assert answer(site) is False
    site.clock.now = NEXT_MONDAY - timedelta(seconds=1)
    site.engine.step()
    assert answer(site) is False
    site.clock.now = NEXT_MONDAY
    site.engine.step()
    assert answer(site) is True


def test_a_kill_switch_does_not_queue_behind_what_waits(tmp_path: Path) -> None:
    """On Saturday a flag is switched off although a change of it waits for Monday; then that is replaced."""
    site = Site.at(tmp_path, flag(tier="high-risk", production=ON), now=SATURDAY)
    site.engine.step()
    site.approved(flag(tier="high-risk", production=rule({"org": {"in": ["acme", "globex"]}})), "alice", "dora")
    site.engine.step()
    assert (answer(site), answer(site, "globex")) == (True, False)
    site.approved(flag(tier="high-risk", production={**ON, "off": True}), "alice")
    site.engine.step()
    assert (answer(site), answer(site, "globex")) == (False, False)
    site.clock.now = NEXT_MONDAY + timedelta(days=1)
    site.engine.step()
    assert (answer(site), answer(site, "globex")) == (False, False)


def test_a_lost_store_is_held_and_not_rebuilt_as_if_nothing_had_been(site: Site) -> None:
    """The mark outside the store remembers; extending an empty store would make the loss final."""
    site.approved(flag(production=ON), "alice", "dora")
    site.engine.step()
    for name in ("timestamp", "snapshot"):
        for path in (site.folder / "store" / "metadata").glob(f"*{name}.json"):
            path.unlink()
    site.restart()
    with pytest.raises(SnapshotError) as refused:
        site.engine.step()
    assert refused.value.code == "StoreRolledBack"


def test_a_store_that_fails_once_is_no_harm(site: Site) -> None:
    """What was accepted is published at the next step, and nothing is published by half meanwhile."""
    site.approved(flag(production=ON), "alice", "dora")
    store = site.folder / "store"
    shutil.move(store, site.folder / "elsewhere")
    store.write_text("no folder")
    with pytest.raises(SnapshotError):
        site.engine.step()
    store.unlink()
    shutil.move(site.folder / "elsewhere", store)
    site.engine.step()
    assert answer(site) is True


def test_the_whole_chain_is_rebuilt_from_git_where_nothing_was_published(tmp_path: Path) -> None:
    """A publisher that starts late starts from genesis by every statement, never from whatever is newest."""
    site = Site.at(tmp_path, flag(), now=MONDAY)
    site.approved(flag(production=ON), "alice", "dora")
    site.approved(flag(production=rule({"org": {"in": ["acme", "globex"]}})), "alice", "dora")
    step = site.engine.step()
    assert step.published.sequence == 2
    assert (answer(site), answer(site, "globex")) == (True, True)
