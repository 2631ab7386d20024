"""A repository of one's own, from nothing to an approved change in production."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from flagseal.approval.authors import contributors
from flagseal.codeowners import parse
from flagseal.model.policy_set import load_policies
from flagseal.repository import FlagRepository
from flagseal_cli.demo import write_demo
from flagseal_cli.gitsetup import generate_ssh_key
from flagseal_cli.main import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Demo


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """SSH keys of two people."""
    folder = tmp_path / "keys"
    for person in ("ann", "ben"):
        generate_ssh_key(folder / person, person)
    return folder


def git(repository: Path, *words: str) -> None:
    """Run git, signing as ann."""
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com", "-c", "gpg.format=ssh"]
    signing = ["-c", f"user.signingkey={repository.parent / 'keys' / 'ann'}", "-c", "commit.gpgsign=true"]
    subprocess.run(["git", "-C", str(repository), *identity, *signing, *words], check=True, capture_output=True)


def test_a_fresh_repository_is_clean_and_takes_an_approved_change(
    tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ann writes, Ben approves; nothing of it is the demo's."""
    repository = tmp_path / "our flags, ünïcode"
    assert run(["init", str(repository), "--person", "ann", "--key", str(keys / "ann.pub")]) == 0
    capsys.readouterr()
    organisation = repository / "policies" / "organisation.yaml"
    ben = f'    ben: {{name: Ben, keys: ["{(keys / "ben.pub").read_text().strip()}"]}}\n  teams:\n'
    text = organisation.read_text().replace("  teams:\n", ben).replace("[ann]", "[ann, ben]")
    organisation.write_text(text)
    git(repository, "add", "--all")
    git(repository, "commit", "-m", "Begin")
    assert run(["validate", "--repo", str(repository)]) == 0, capsys.readouterr().out
    assert run(["fmt", "--check", "--repo", str(repository)]) == 0, capsys.readouterr().out
    assert run(["up", "--repo", str(repository), "--once"]) == 0

    flag = repository / "flags" / "example" / "hello-world.yaml"
    flag.write_text(
        flag.read_text().replace("production:\n      default: disabled", "production:\n      default: enabled")
    )
    git(repository, "commit", "-am", "Greet everyone")
    asked = ["--repo", str(repository), "--as"]
    assert run(["approve", "HEAD", *asked, "ann", "--key", str(keys / "ann")]) == 2
    assert run(["approve", "HEAD", *asked, "ben", "--key", str(keys / "ben")]) == 0
    assert run(["up", "--repo", str(repository), "--once"]) == 0
    capsys.readouterr()
    assert run(["explain", "example/hello-world", "--repo", str(repository)]) == 0
    told = capsys.readouterr().out
    assert "true (enabled)" in told
    assert "ben" in told


@pytest.mark.parametrize("path", ["README.md", "docs/how-we-work.md", "flags/example/hello-world.yaml", ".gitignore"])
def test_every_path_of_a_fresh_repository_has_an_owner(tmp_path: Path, keys: Path, path: str) -> None:
    """A request may touch what governs nothing, too, and the attestor asks for an owner of each path."""
    repository = tmp_path / "flags"
    assert run(["init", str(repository), "--person", "ann", "--key", str(keys / "ann.pub")]) == 0
    file, findings = parse((repository / ".github/CODEOWNERS").read_bytes())
    assert findings == ()
    assert [owner.text for owner in file.owners(path) or ()] == ["@example/team-example"]


def test_nothing_is_written_without_knowing_who_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither git nor the command says who it is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.chdir(tmp_path)
    assert run(["init", str(tmp_path / "flags")]) == 2
    assert "--person" in capsys.readouterr().err
    assert not (tmp_path / "flags").exists()


def test_the_demo_is_clean_and_every_person_has_a_key(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The sample passes its own gate after its dates were moved."""
    assert run(["init", "--demo", str(tmp_path / "demo")]) == 0
    capsys.readouterr()
    assert run(["validate", "--repo", str(tmp_path / "demo")]) == 0, capsys.readouterr().out
    keys = tmp_path / "demo" / ".flagseal" / "keys"
    assert {path.name for path in keys.glob("*.pub")} >= {"alice.pub", "bob.pub", "dora.pub"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in keys.iterdir() if path.suffix != ".pub")


@pytest.mark.parametrize("day", [datetime(2026, 11, 25, tzinfo=UTC), datetime(2027, 8, 1, tzinfo=UTC)])
def test_the_demo_passes_the_tests_of_its_own_policies(
    day: datetime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its calendar is open, so none of them expects a change to wait; a Wednesday is as good as a Sunday."""
    write_demo(tmp_path / "demo", now=day)
    assert run(["policy", "test", "--repo", str(tmp_path / "demo")]) == 0, capsys.readouterr().out


def test_a_fresh_repository_signs_commits_with_the_key_of_its_first_person(tmp_path: Path, keys: Path) -> None:
    """A commit needs no setting of one's own to count as ann's, from whatever folder the key was named."""
    repository = tmp_path / "flags"
    assert run(["init", str(repository), "--person", "ann", "--key", str(keys / "ann.pub")]) == 0
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    for words in (["add", "--all"], ["commit", "--quiet", "-m", "Begin"]):
        subprocess.run(["git", "-C", str(repository), *identity, *words], check=True, capture_output=True)
    commit = FlagRepository(repository).commit("HEAD")
    assert contributors([commit], load_policies(FlagRepository(repository).documents("HEAD")[0]).organisation) == (
        "ann",
    )


def test_a_private_key_in_place_of_the_public_one_is_never_shown(
    tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever names the private half, as git's settings allow, gets the public half beside it."""
    repository = tmp_path / "flags"
    assert run(["init", str(repository), "--person", "ann", "--key", str(keys / "ann")]) == 0
    said = capsys.readouterr()
    secret = (keys / "ann").read_text().splitlines()[1]
    assert secret not in said.out + said.err
    assert secret not in (repository / "policies" / "organisation.yaml").read_text()
    (keys / "ann.pub").unlink()
    assert run(["init", str(tmp_path / "more"), "--person", "ann", "--key", str(keys / "ann")]) == 2
    assert secret not in capsys.readouterr().err


def test_an_approval_counts_in_a_clone_under_another_name(
    tmp_path: Path, keys: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is signed does not depend on the name of the folder in which somebody keeps a clone."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    assert run(["init", str(ours), "--person", "ann", "--key", str(keys / "ann.pub")]) == 0
    organisation = ours / "policies" / "organisation.yaml"
    ben = f'    ben: {{name: Ben, keys: ["{(keys / "ben.pub").read_text().strip()}"]}}\n  teams:\n'
    organisation.write_text(organisation.read_text().replace("  teams:\n", ben).replace("[ann]", "[ann, ben]"))
    git(ours, "add", "--all")
    git(ours, "commit", "-m", "Begin")
    subprocess.run(["git", "clone", "--quiet", str(ours), str(theirs)], check=True, capture_output=True)
    for repository in (ours, theirs):
        assert run(["up", "--repo", str(repository), "--once"]) == 0
    flag = ours / "flags" / "example" / "hello-world.yaml"
    flag.write_text(flag.read_text().replace("default: disabled", "default: enabled"))
    git(ours, "commit", "-am", "Greet everyone")
    git(theirs, "pull", "--ff-only")
    assert run(["approve", "HEAD", "--repo", str(theirs), "--as", "ben", "--key", str(keys / "ben")]) == 0
    git(theirs, "push", "origin", "refs/notes/flagseal")
    assert run(["up", "--repo", str(ours), "--once"]) == 0
    capsys.readouterr()
    assert run(["status", "--repo", str(ours)]) == 0, capsys.readouterr().out


def test_a_clone_in_which_trust_is_founded_fetches_approvals(founded: Demo) -> None:
    """What others signed comes with a plain fetch, and two who signed apart can merge their notes."""
    clone = founded.path.parent / "clone"
    subprocess.run(["git", "clone", "--quiet", str(founded.path), str(clone)], check=True, capture_output=True)
    genesis = FlagRepository(founded.path).resolve("HEAD")
    assert run(["trust", "init", "-e", "production", "--genesis", genesis, "--repo", str(clone)]) == 0
    flag = founded.path / "flags" / "payments" / "new-checkout.yaml"
    flag.write_text(flag.read_text().replace("[acme]", "[acme, globex]"))
    subprocess.run(["git", "-C", str(founded.path), "commit", "-qam", "Widen"], check=True, env=founded.environment)
    assert run(["approve", "HEAD", "--as", "alice", "--repo", str(founded.path)]) == 0
    git(clone, "pull", "--ff-only")
    assert run(["up", "--once", "--repo", str(clone)]) == 0
    key = str(founded.path / ".flagseal" / "keys" / "dora")
    assert run(["approve", "HEAD", "--as", "dora", "--key", key, "--repo", str(clone)]) == 0
    assert run(["up", "--once", "--repo", str(clone)]) == 0
    assert run(["status", "--repo", str(clone)]) == 0
    git(clone, "notes", "--ref", "flagseal", "merge", "origin/flagseal")
    git(clone, "push", "origin", "refs/notes/flagseal")
    assert run(["up", "--once", "--repo", str(founded.path)]) == 0
    assert run(["status", "--repo", str(founded.path)]) == 0


def test_what_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that holds something is refused, demo or not."""
    (tmp_path / "mine").write_text("mine")
    for words in (["init", str(tmp_path)], ["init", "--demo", str(tmp_path)]):
        assert run(words) == 2
        assert "not empty" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
