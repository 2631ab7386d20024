from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import UsageError
from flagseal.snapshot.store import DirectoryStore
from flagseal.snapshot.trail import Trail
from flagseal_operator.explanation import Explanation, explain
from tests.history.company import MONDAY, NEXT_MONDAY, SATURDAY, flag, rule, segment
from tests.operator.site import Site

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.model.canonical import Json

ON = rule({"org": {"in": ["acme"]}})


def told(site: Site, reference: str = "payments/checkout", **context: Json) -> Explanation:
    """Ask for an explanation of what is published."""
    position = site.engine._position
    assert position is not None
    assert position.build is not None
    trail = Trail.of(DirectoryStore(site.folder / "store"), site.root)
    return explain(position.head, position.build, trail, reference, context, now=site.clock.now)


def test_an_answer_leads_back_to_the_people_and_the_commit(tmp_path: Path) -> None:
    """Answer, rule, statement, people, policy and commit are those of the change."""
    site = Site.at(tmp_path, flag(), now=MONDAY)
    commit = site.approved(flag(production=ON), "alice", "dora")
    site.engine.step()
    found = told(site, org="acme")
    assert found.evaluation.value is True
    assert [line.name for line in found.lines if line.answers] == ["the rule"]
    (origin,) = found.origins
    assert origin.approved is not None
    assert origin.approved.entry.envelope.statement.commit == commit
    assert [approval.person for approval in origin.approved.approvals] == ["alice", "dora"]
    assert origin.approved.decision.policy == origin.approved.before.policies.digest


def test_it_names_every_document_that_the_answer_depends_on(tmp_path: Path) -> None:
    """A segment that another statement changed has an origin of its own."""
    site = Site.at(tmp_path, flag(production=rule({"segment": "pilots"})), segment("pilots", "acme"), now=MONDAY)
    site.engine.step()
    site.approved(segment("pilots", "acme", "globex"), "alice", "dora")
    site.engine.step()
    flag_origin, segment_origin = told(site, org="globex").origins
    assert flag_origin.approved is None
    assert flag_origin.approval.startswith("genesis:")
    assert segment_origin.subject == "Segment/payments/pilots"
    assert segment_origin.approved is not None


def test_what_waits_is_explained_as_waiting(tmp_path: Path) -> None:
    """A flag created for Monday is not unknown on Saturday: it is not in effect yet, and the answer says until when."""
    site = Site.at(tmp_path, flag("other"), now=SATURDAY)
    site.engine.step()
    site.approved(flag(tier="high-risk", production=ON), "alice", "dora")
    site.engine.step()
    with pytest.raises(UsageError, match="2026-11-30 08:00") as refused:
        told(site)
    assert refused.value.code == "NotInEffect"
    site.clock.now = NEXT_MONDAY
    site.engine.step()
    assert told(site, org="acme").evaluation.value is True
