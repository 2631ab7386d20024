"""The facts of an incident, from what is published alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.model.loader import load_text
from flagseal_validators.gate import validate_paths
from flagseal_validators.incidents import draft
from tests.emergency.scene import ending, freeze, override, signed
from tests.incidents.world import company, incidents, review_of, rolled_back
from tests.snapshot.world import flag

if TYPE_CHECKING:
    from pathlib import Path

    from tests.snapshot.world import World


@pytest.fixture
def made(tmp_path: Path) -> World:
    """Give a company in which nothing has happened yet."""
    return company(tmp_path)


def test_nothing_happened(made: World) -> None:
    """Nothing is told."""
    assert incidents(made) == ()


def test_an_incident_is_told_with_who_when_why_and_what_was_served(made: World) -> None:
    """What was served before is what was approved then, whatever was approved since."""
    standing = rolled_back(made)
    made.clock.advance(minutes=10)
    made.change(flag("new-checkout", on_for=["acme", "globex"]))
    (incident,) = incidents(made)
    (it,) = incident.emergencies
    assert (incident.environment, incident.incident, incident.is_over) == ("production", "INC-7", False)
    assert (it.standing, it.review, it.active, it.ended_by, it.flags) == (standing, None, True, None, 1)
    assert it.proof.startswith("a signature by their own key SHA256:")
    (effect,) = it.effects
    assert (effect.flag, effect.tier, effect.owner) == ("payments/new-checkout", "operational", "team-payments")
    assert effect.before == "on for organisation acme, otherwise off"
    assert effect.during == "off for everyone (the safe variant)"


def test_a_receipt_is_told_with_how_they_authenticated(made: World) -> None:
    """Two factors, where the cluster says so."""
    rolled_back(made, by_receipt=True)
    (it,) = incidents(made)[0].emergencies
    assert it.proof == "an admission receipt for the user alice@acme"
    assert it.extra == (("authentication.kubernetes.io/mfa", "true"),)


def test_one_that_was_ended_early_is_told_with_who_did(made: World) -> None:
    """And the one that only ends another is no emergency of its own."""
    rolled_back(made)
    made.clock.advance(minutes=10)
    made.offer(signed(ending(), at=made.clock()))
    made.publish()
    (incident,) = incidents(made)
    (it,) = incident.emergencies
    assert (it.active, it.ended_by, incident.is_over) == (False, "alice", True)
    assert it.standing.until == made.clock()


def test_flags_that_follow_by_a_prerequisite_are_told_of(tmp_path: Path) -> None:
    """Everyone was served their safe variant too."""
    wanting: dict[str, Any] = {"requires": [{"flag": "new-checkout", "variant": "on"}], "default": "on"}
    needs = flag("needs", environments={"staging": {"default": "on"}, "production": wanting})
    made = company(tmp_path, flag("new-checkout", on_for=["acme"]), needs)
    rolled_back(made)
    (it,) = incidents(made)[0].emergencies
    assert [effect.flag for effect in it.effects] == ["payments/new-checkout", "payments/needs"]


def test_a_freeze_is_told_flag_by_flag(made: World) -> None:
    """All that it held, as it was."""
    (outcome,) = made.offer(signed(freeze("payments", until=made.clock() + timedelta(hours=1)), at=made.clock()))
    assert outcome.standing is not None
    made.publish()
    (it,) = incidents(made)[0].emergencies
    names = ("instant-refund", "new-checkout", "pay-later")
    assert [effect.flag for effect in it.effects] == [f"payments/{name}" for name in names]
    assert {effect.during for effect in it.effects} == {"the same, and no change took effect"}


def test_all_of_one_incident_is_one(made: World) -> None:
    """And another incident is another."""
    rolled_back(made)
    rolled_back(made, "pay-later", name="stop-that")
    rolled_back(made, "pay-later", name="again", incident="INC 8 / \u202eélan")
    second, first = incidents(made)
    assert [it.standing.claim.name for it in first.emergencies] == ["stop-it", "stop-that"]
    assert first.name.startswith("production-inc-7-")
    assert second.name.startswith("production-inc-8-lan-")
    assert second.name.replace("-", "").isalnum()
    assert first.name.isascii()


def test_a_review_closes_it_for_everybody_who_reads_what_is_published(made: World) -> None:
    """Whoever approved the review is named."""
    standing = rolled_back(made)
    made.clock.advance(minutes=10)
    made.change(review_of(standing), by=("dora", "alice", "frank", "bob"))
    (incident,) = incidents(made)
    assert not incident.open
    review = incident.emergencies[0].review
    assert review is not None
    assert (review.by, review.outcome, review.sequence) == (("dora", "frank"), "returned", 1)


def test_a_draft_says_what_is_published_and_leaves_the_rest_open(made: World, tmp_path: Path) -> None:
    """The gate refuses it until somebody has answered every question, and for nothing else."""
    rolled_back(made)
    rolled_back(made, "pay-later", name="stop-that", reason="on: {no}")
    (incident,) = incidents(made)
    text = draft(incident, "permanent")
    loaded = load_text(text.encode(), file="reviews/draft.yaml")
    assert loaded.findings == ()
    (document,) = loaded.documents
    assert document.name == incident.name
    said = review_of(*(it.standing for it in incident.emergencies))
    assert isinstance(document.spec, dict)
    assert isinstance(said.spec, dict)
    assert document.spec["emergencies"] == said.spec["emergencies"]
    (tmp_path / "reviews").mkdir()
    (tmp_path / f"reviews/{incident.name}.yaml").write_text(text)
    report = validate_paths(tmp_path, (tmp_path / f"reviews/{incident.name}.yaml",), today=made.clock().date())
    own = [it for it in report.findings if it.file.startswith("reviews/")]
    assert {it.rule for it in own} == {"FS702"}
    assert len(own) == 6


def test_a_draft_carries_any_incident_as_it_is_called(made: World) -> None:
    """Quotes, colons and YAML's own words are text."""
    odd = 'yes: "no" # {INC} \u2603'
    rolled_back(made, incident=odd)
    (document,) = load_text(draft(incidents(made)[0], "returned").encode(), file="x.yaml").documents
    assert isinstance(document.spec, dict)
    assert document.spec["incident"] == odd


def test_what_is_published_is_what_is_told(made: World) -> None:
    """An override that nobody published is in nobody's list."""
    made.offer(signed(override(until=made.clock() + timedelta(hours=1)), at=made.clock()))
    assert made.emergencies.standings
    assert incidents(made) == ()
