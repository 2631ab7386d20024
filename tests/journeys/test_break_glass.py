"""Break-glass on a laptop: from the signed claim to the answer, and back."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import yaml

from tests.journeys.harness import DEADLINE_SECONDS, FLAGSEAL, Ran, Up, run

if TYPE_CHECKING:
    from pathlib import Path


def override(up: Up, *more: str, by: str = "erin", flag: str = "payments/new-checkout") -> Ran:
    """Break glass as somebody."""
    words = ("override", flag, "--incident", "INC-7", "--reason", "Payments fail.", "--as", by, *more)
    return run(FLAGSEAL, *words, cwd=up.repository, home=up.home)


def until_status_says(up: Up, words: str) -> None:
    """Wait until ``flagseal status`` says something."""
    end = time.monotonic() + DEADLINE_SECONDS
    while words not in (said := run(FLAGSEAL, "status", cwd=up.repository, home=up.home).out):
        assert time.monotonic() < end, said


def test_a_rollback_changes_the_answer_and_can_be_ended(up: Up) -> None:
    """By who holds the role; it goes on after a restart, and the file it came with is not needed any more."""
    acme = {"targetingKey": "u1", "org": "acme"}
    assert up.ask("new-checkout", **acme)["value"] is True
    done = override(up, "--for", "2h", "--output", "up")
    assert done.code == 0, done.err
    up.wait_for(False, "new-checkout", **acme)
    told = up.ask("new-checkout", **acme)["metadata"]
    assert isinstance(told, dict)
    assert told["breakGlass"] == "INC-7"
    (claim,) = (up.data / "emergencies").glob("*.yaml")
    name = yaml.safe_load(claim.read_text())["metadata"]["name"]
    claim.unlink()
    up.interrupt()
    up.start()
    assert up.ask("new-checkout", **acme)["value"] is False
    explained = run(
        FLAGSEAL, "explain", "payments/new-checkout", "-e", "production", "-c", json.dumps(acme),
        cwd=up.repository, home=up.home,
    )  # fmt: skip
    assert explained.code == 0, explained.err
    assert "INC-7" in explained.out, explained.out
    status = run(FLAGSEAL, "status", cwd=up.repository, home=up.home)
    assert "payments/new-checkout rolled back by erin for INC-7, active until" in status.out
    done = override(up, "--end", name, "--output", "up")
    assert done.code == 0, done.err
    up.wait_for(True, "new-checkout", **acme)


def test_who_may_not_is_told_before_anything_is_written(up: Up) -> None:
    """With the role that is missing, and with a maximum."""
    refused = override(up, "--output", "up", by="alice")
    assert refused.code == 2
    assert "flag-emergency-override" in refused.err
    refused = override(up, "--for", "3d", "--output", "up")
    assert refused.code == 2
    assert "24 hours" in refused.err
    refused = override(up, "--output", "up", "--incident", "INC\u200b-7")
    assert refused.code == 2
    assert "ClaimUnreadable" in refused.err
    assert "U+200B" in refused.err
    refused = override(up, "--output", "up", flag="payments/nothing")
    assert refused.code == 2
    assert not list((up.data / "emergencies").glob("*"))


def test_what_is_printed_is_the_resource(up: Up) -> None:
    """For kubectl."""
    printed = override(up)
    assert printed.code == 0, printed.err
    body = yaml.safe_load(printed.out)
    assert (body["kind"], body["metadata"]["namespace"], body["spec"]["action"]) == (
        "EmergencyOverride",
        "payments",
        "rollback",
    )
    assert json.loads(body["metadata"]["annotations"]["flagseal.dev/proof"])["signatures"]
    # By which it passes an admission webhook that is down.
    assert body["metadata"]["labels"] == {"flagseal.dev/proof": "signed"}


def freeze(up: Up, *more: str) -> Ran:
    """Freeze something, or end that, as erin."""
    words = ("freeze", "--incident", "INC-9", "--reason", "Wrong.", "--as", "erin", "--output", "up", *more)
    return run(FLAGSEAL, *words, cwd=up.repository, home=up.home)


def test_a_freeze_holds_an_approved_change_until_it_is_ended(up: Up) -> None:
    """Signed, seen, named in status and explanation, and over with a second signature."""
    done = freeze(up, "payments")
    assert done.code == 0, done.err
    assert "freezes payments until" in done.err
    (claim,) = (up.data / "emergencies").glob("*.yaml")
    name = yaml.safe_load(claim.read_text())["metadata"]["name"]
    until_status_says(up, "payments frozen by erin for INC-9, active until")
    path = up.repository / "flags" / "payments" / "new-checkout.yaml"
    path.write_text(path.read_text().replace("[acme]", "[acme, initech]"))
    commands = (
        ("git", "commit", "-qam", "Let initech in too"),
        (FLAGSEAL, "approve", "HEAD", "--as", "alice"),
        (FLAGSEAL, "approve", "HEAD", "--as", "dora"),
    )
    for command in commands:
        ran = run(*command, cwd=up.repository, home=up.home)
        assert ran.code == 0, ran.err
    initech = {"targetingKey": "u1", "org": "initech"}
    until_status_says(up, "payments/new-checkout: as of")
    assert up.ask("new-checkout", **initech)["value"] is False
    words = ("explain", "payments/new-checkout", "-e", "production", "-c", json.dumps(initech))
    explained = run(FLAGSEAL, *words, cwd=up.repository, home=up.home)
    assert "payments frozen by erin" in explained.out, explained.out
    done = freeze(up, "--end", name)
    assert done.code == 0, done.err
    up.wait_for(True, "new-checkout", **initech)
    refused = freeze(up, "nowhere")
    assert refused.code == 2
    assert "no flag is there" in refused.err


def test_without_a_checkout_the_store_and_the_pinned_root_are_enough(up: Up, tmp_path: Path) -> None:
    """From any machine that has both, and the person's own key; what it lacks is said."""
    (away := tmp_path / "away").mkdir()
    trust = up.data / "trust"
    key = up.repository / ".flagseal" / "keys" / "erin"
    words = ["override", "payments/new-checkout", "--incident", "INC-7", "--reason", "x", "--as", "erin"]
    where = ["--store", str(up.data / "store"), "--root", str(trust / "root.json"), "--key", str(key)]
    printed = run(FLAGSEAL, *words, *where, cwd=away, home=up.home)
    assert printed.code == 0, printed.err
    assert yaml.safe_load(printed.out)["spec"]["environment"] == "production"
    for lacking in (where[:2] + where[4:], where[:4], [*where, "--output", "up"], [*where, "-e", "staging"]):
        refused = run(FLAGSEAL, *words, *lacking, cwd=away, home=up.home)
        assert (refused.code, refused.out) == (2, "")
        assert "Traceback" not in refused.err


def test_a_review_that_somebody_else_approved_closes_it_in_every_report(up: Up) -> None:
    """From the list to the draft, the commit, the approval and the report; erin, who broke glass, is not counted."""
    assert override(up, "--for", "1h", "--output", "up").code == 0
    until_status_says(up, "Break-glass, not reviewed:")
    listed = run(FLAGSEAL, "incidents", "list", "--format", "json", cwd=up.repository, home=up.home)
    assert listed.code == 1, listed.err
    (incident,) = json.loads(listed.out)
    drafted = run(FLAGSEAL, "incidents", "draft", "INC-7", cwd=up.repository, home=up.home)
    assert drafted.code == 0, drafted.err
    path = up.repository / incident["review"]
    path.parent.mkdir()
    path.write_text(drafted.out)
    unfinished = run(FLAGSEAL, "validate", cwd=up.repository, home=up.home)
    assert unfinished.code == 1
    assert "FS702" in unfinished.out
    path.write_text(drafted.out.replace("TODO: ", "It was looked at: "))
    for words in (
        (FLAGSEAL, "validate"),
        ("git", "add", "--all"),
        ("git", "commit", "--quiet", "-m", "Review INC-7"),
    ):
        done = run(*words, cwd=up.repository, home=up.home)
        assert done.code == 0, done.out + done.err
    refused = run(FLAGSEAL, "approve", "HEAD", "--as", "erin", cwd=up.repository, home=up.home)
    assert refused.code == 2
    assert "erin asked for what this change reviews" in refused.err
    waiting = run(FLAGSEAL, "status", cwd=up.repository, home=up.home)
    assert "Break-glass, not reviewed:" in waiting.out
    assert waiting.code == 1
    done = run(FLAGSEAL, "approve", "HEAD", "--as", "alice", cwd=up.repository, home=up.home)
    assert done.code == 0, done.out + done.err
    until_status_says(up, "Break-glass, reviewed:")
    explained = run(FLAGSEAL, "explain", "payments/new-checkout", cwd=up.repository, home=up.home)
    for said in (explained.out, run(FLAGSEAL, "status", cwd=up.repository, home=up.home).out):
        assert "reviewed by alice, " in said, said
        assert "not reviewed" not in said
    listed = run(FLAGSEAL, "incidents", "list", cwd=up.repository, home=up.home)
    assert (listed.code, listed.out) == (0, "production: nothing is left to review\n")
    told = run(FLAGSEAL, "status", "--format", "json", cwd=up.repository, home=up.home)
    (standing,) = json.loads(told.out)["overrides"]
    assert (standing["reviewed"]["by"], standing["reviewed"]["outcome"]) == (["alice"], "returned")
