"""After a merge: the flag repository asks, and the attestor's repository attests. Their scripts run by bash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flagseal.repository import NOTES_REF
from flagseal_cli.workflows import attestor_files, flag_workflows
from tests.forge.server import TOKEN
from tests.forge.world import company
from tests.history.company import flag
from tests.workflows.runner import Ran, Runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.forge.github import Repository
    from tests.forge.world import World

ASKING = flag_workflows()[".github/workflows/approve.yaml"]
ATTESTING = attestor_files("acme/flags")[".github/workflows/attest.yaml"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A company on GitHub, with its attestor's repository."""
    with company(tmp_path) as found:
        attestor = found.github.repository("acme", "attestor", 4712)
        attestor.git("fetch", "--quiet", found.repo.url, "main:main")  # Something to add a file to.
        attestor.edit(found.user("carol"), "main", {"trust.json": found.trust.to_bytes().decode()})
        yield found


def attestor(world: World) -> Repository:
    """Give the attestor's repository."""
    return world.github.repositories["acme/attestor"]


def asked(world: World, **secrets: str) -> Ran | None:
    """Run what asks, after a push."""
    runner = Runner(world, world.repo, "push", {}, "refs/heads/main", world.path, secrets)
    runner.variables["FLAGSEAL_ATTESTOR"] = "acme/attestor"
    ran = runner.job(ASKING, "ask")
    return None if ran is None else ran[-1]


def attested(world: World) -> Ran:
    """Run what attests, in its own repository, with its secrets."""
    key = world.signer._private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    secrets = {"FLAGSEAL_ATTESTOR_KEY": key.strip(), "FLAGSEAL_APP_KEY": "a key of the App"}
    runner = Runner(world, attestor(world), "workflow_dispatch", {}, "refs/heads/main", world.path, secrets)
    ran = runner.job(ATTESTING, "attest")
    assert ran is not None
    return ran[-1]


def notes(world: World) -> int:
    """Count the statements that everybody fetches."""
    commits = world.repo.git("notes", f"--ref={NOTES_REF}", "list", check=False).splitlines()
    return sum(len(world.repo.git("cat-file", "blob", row.split(" ")[0]).splitlines()) for row in commits)


def test_the_attestor_is_asked_after_each_merge(world: World) -> None:
    """Its workflow is started, on its own branch, with no word from whoever asks."""
    ran = asked(world, FLAGSEAL_ATTESTOR_TOKEN=TOKEN)
    assert ran is not None
    assert ran.status == 0, ran.output
    assert attestor(world).started == [("attest.yaml", "main")]
    assert world.server.exchanges[-1].body == {"ref": "main"}


def test_without_a_token_the_attestor_comes_by_itself(world: World) -> None:
    """Nobody is asked, and the merge is not red for it; without an attestor there is no job at all."""
    ran = asked(world)
    assert ran is not None
    assert ran.status == 0
    assert "comes by itself" in ran.output
    assert attestor(world).started == []
    assert Runner(world, world.repo, "push", {}, "refs/heads/main", world.path).job(ASKING, "ask") is None


def test_what_was_merged_is_attested_each_by_itself(world: World) -> None:
    """Two merges by different approvers, of which nobody told the attestor in between."""
    for name, people in (("other", ("alice", "dora")), ("third", ("alice", "dora")), ("fourth", ("alice", "dora"))):
        world.landed(flag(name), branch=name, approved=people)
    ran = attested(world)
    assert ran.status == 0, ran.output
    assert notes(world) == 3
    assert world.poll().sequence == 3
    again = attested(world)
    assert "Nothing landed since" in again.output
    assert notes(world) == 3


def test_what_is_refused_does_not_hold_up_what_stands_by_itself(world: World) -> None:
    """A push past the protection is named each time, red, until it is reverted; then what came after goes on."""
    world.landed(flag("other"), branch="other")
    world.branch("work")
    world.commit(flag("pushed"))
    world.push("main", "carol")
    ran = attested(world)
    assert ran.status == 1
    assert "Pushed" in ran.output
    assert notes(world) == 1
    world.propose(branch="revert", files={"flags/payments/pushed.yaml": None})
    pull = list(world.repo.pulls.values())[-1]
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    world.landed(flag("third"), branch="third")
    assert attested(world).status == 1
    assert notes(world) == 2
    assert world.poll().sequence == 2
    assert attested(world).status == 0


def test_no_key_is_said_or_left_readable(world: World) -> None:
    """Neither the log nor the file tells it."""
    world.landed(flag("other"), branch="other")
    ran = attested(world)
    secret = world.signer._private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    assert secret.splitlines()[1] not in ran.output
    assert TOKEN not in ran.output
    [file] = world.path.glob("job-*/temp/attestor.pem")
    assert file.stat().st_mode & 0o077 == 0


def test_an_attestor_that_cannot_be_asked_is_an_error(world: World) -> None:
    """A token that may not: the job is red and says what the token needs, and never what it is."""
    world.server.trouble(403, path="/dispatches", body={"message": "Resource not accessible by personal access token"})
    ran = asked(world, FLAGSEAL_ATTESTOR_TOKEN=TOKEN)
    assert ran is not None
    assert ran.status == 2
    assert "NotWritten" in ran.output
    assert TOKEN not in ran.output
