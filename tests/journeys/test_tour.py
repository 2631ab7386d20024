"""The tour of the README: an approved change in git becomes a signed snapshot and changes an answer."""

from __future__ import annotations

from tests.journeys.harness import FLAGSEAL, Up, run

FLAG = "flags/payments/new-checkout.yaml"


def widen(up: Up) -> None:
    """Give globex the new checkout, as bob."""
    path = up.repository / FLAG
    before = path.read_text()
    after = before.replace("[acme]", "[acme, globex]")
    assert after != before
    path.write_text(after)
    committed = run("git", "commit", "-am", "Give globex the new checkout", cwd=up.repository, home=up.home)
    assert committed.code == 0, committed.err


def approve(up: Up, person: str, revision: str = "HEAD") -> None:
    """Approve as somebody, with the installed command."""
    done = run(FLAGSEAL, "approve", revision, "--as", person, cwd=up.repository, home=up.home)
    assert done.code == 0, done.err


def test_the_tour_works_as_printed(up: Up) -> None:
    """A change counts when an owner and the release manager have approved it, and not before."""
    assert up.ask("new-checkout", targetingKey="u1", org="acme")["value"] is True
    assert up.ask("new-checkout", targetingKey="u1", org="globex")["value"] is False

    widen(up)
    status = run(FLAGSEAL, "status", cwd=up.repository, home=up.home)
    assert status.code == 1
    assert "alice" in status.out
    assert "dora" in status.out
    assert up.ask("new-checkout", targetingKey="u1", org="globex")["value"] is False

    approve(up, "alice")
    assert up.ask("new-checkout", targetingKey="u1", org="globex")["value"] is False
    approve(up, "dora")
    up.wait_for(True, "new-checkout", targetingKey="u1", org="globex")

    status = run(FLAGSEAL, "status", cwd=up.repository, home=up.home)
    assert status.code == 0, status.out

    told = run(
        FLAGSEAL, "explain", "payments/new-checkout", "--environment", "production", "--context", '{"org": "globex"}',
        cwd=up.repository, home=up.home,
    )  # fmt: skip
    assert told.code == 0, told.err
    head = run("git", "rev-parse", "HEAD", cwd=up.repository, home=up.home).out.strip()
    for part in ("enabled", "pilot customers", "snapshot", "alice", "dora", "policy", head[:12]):
        assert part in told.out, part


def test_the_author_alone_changes_nothing(up: Up) -> None:
    """Bob wrote the change; that bob is in the owning team does not let him approve it."""
    widen(up)
    refused = run(FLAGSEAL, "approve", "HEAD", "--as", "bob", cwd=up.repository, home=up.home)
    assert refused.code == 2
    assert "own" in refused.err
    approve(up, "alice")
    assert up.ask("new-checkout", targetingKey="u1", org="globex")["value"] is False


def test_it_continues_where_it_was_after_ctrl_c(up: Up) -> None:
    """Stopping loses nothing, and what was approved meanwhile counts at the next start."""
    assert up.interrupt() == 0
    widen(up)
    approve(up, "alice")
    approve(up, "dora")
    up.start()
    up.wait_for(True, "new-checkout", targetingKey="u1", org="globex")
    assert up.interrupt() == 0
    up.start()
    assert up.ask("new-checkout", targetingKey="u1", org="globex")["value"] is True
    verified = run(FLAGSEAL, "snapshot", "verify", cwd=up.repository, home=up.home)
    assert verified.code == 0, verified.err
