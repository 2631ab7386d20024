"""Break-glass on a laptop: from the signed claim to the answer, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from tests.journeys.harness import FLAGSEAL, Ran, Up, run

if TYPE_CHECKING:
    from pathlib import Path


def override(up: Up, *more: str, by: str = "erin", flag: str = "payments/new-checkout") -> Ran:
    """Break glass as somebody."""
    words = ("override", flag, "--incident", "INC-7", "--reason", "Payments fail.", "--as", by, *more)
    return run(FLAGSEAL, *words, cwd=up.repository, home=up.home)


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
    assert "rolled back by erin for INC-7, active until" in status.out
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
