"""``flagseal policy replay``: what other policies would have made of a repository's real past."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from flagseal_cli.main import run
from tests.journeys.harness import environment_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Spec = dict[str, Any]

TOP = Path(__file__).parents[2]


@dataclass(frozen=True)
class Demo:
    """A demo repository with a past.

    Attributes:
        path: The repository, in which `flagseal up` ran.
        commits: By the name that the tests give them.
    """

    path: Path
    commits: dict[str, str]

    def git(self, *words: str) -> str:
        """Run git as the demo's user."""
        done = subprocess.run(
            ["git", "-C", str(self.path), *words],
            check=True,
            capture_output=True,
            text=True,
            env=environment_of(self.path.parent),
        )
        return done.stdout.strip()

    def commit(self, name: str, file: str, old: str, new: str) -> None:
        """Replace a text in a file, and commit it under a name."""
        path = self.path / file
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        self.git("commit", "-qam", name)
        self.commits[name] = self.git("rev-parse", "HEAD")

    def approve(self, *people: str) -> None:
        """Have people sign the newest commit."""
        for person in people:
            assert run(["approve", "HEAD", "--as", person, "--repo", str(self.path)]) == 0

    def publish(self) -> None:
        """Accept what can be accepted."""
        assert run(["up", "--repo", str(self.path), "--once"]) == 0


CHECKOUT = "flags/payments/new-checkout.yaml"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """Found once, only read afterwards: two accepted statements, one refused on the way, one that waits."""
    path = tmp_path_factory.mktemp("replay") / "demo"
    assert run(["init", "--demo", str(path)]) == 0
    made = Demo(path, {})
    made.publish()
    made.commit("rollout", CHECKOUT, "[acme]", "[acme, globex]")
    made.approve("alice", "dora")
    made.publish()
    made.commit("refused", CHECKOUT, "[acme, globex]", "[acme, globex, hooli]")
    made.approve("alice")
    made.commit("policy", CHECKOUT, "[acme, globex, hooli]", "[acme, globex]")
    made.commit("policy", "policies/calendar.yaml", "timezone: Europe/Berlin,", "timezone: Europe/Vienna,")
    made.approve("frank", "grace")
    made.publish()
    made.commit("waiting", CHECKOUT, "[acme, globex]", "[acme, globex, initech]")
    made.approve("alice")
    return made


Edits = dict[str, "Callable[[Spec], object]"]


def candidate(demo: Demo, folder: Path, **edits: Callable[[Spec], object]) -> Path:
    """Write the repository's policies with some of their specs edited."""
    shutil.copytree(demo.path / "policies", folder / "next")
    for name, edit in edits.items():
        file = folder / "next" / f"{name}.yaml"
        body = yaml.safe_load(file.read_text())
        edit(body["spec"])
        file.write_text(json.dumps(body))  # JSON is YAML, and every text in it is quoted
    return folder / "next"


def replayed(
    demo: Demo, policies: Path, capsys: pytest.CaptureFixture[str], *words: str, code: int, repo: Path | None = None
) -> dict[str, Any]:
    """Replay for a program; statements by the name of their commit."""
    capsys.readouterr()
    where = ["--repo", str(repo or demo.path), "--policies", str(policies)]
    assert run(["policy", "replay", *where, "--format", "json", *words]) == code
    found = json.loads(capsys.readouterr().out)
    names = {commit: name for name, commit in demo.commits.items()}
    return {names[it["commit"]]: it for it in found["statements"]}


def asked(*roles: str) -> list[Spec]:
    """Ask for one of each."""
    return [{"role": role, "count": 1} for role in roles]


def sensitive(*roles: str) -> Callable[[Spec], object]:
    """Have the row for widening a sensitive flag in production ask for roles."""
    return lambda spec: spec["tiers"]["sensitive"]["production"]["widen"].update(approvals=asked(*roles))


def test_the_policies_that_decided_decide_the_same(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every statement that is known is replayed, and nothing comes out otherwise."""
    found = replayed(demo, candidate(demo, tmp_path), capsys, code=0)
    assert {name: (it["sequence"], it["then"], it["allowed"]) for name, it in found.items()} == {
        "rollout": (1, "accepted", True),
        "refused": (2, "refused", False),
        "policy": (2, "accepted", True),
        "waiting": (3, "waiting", False),
    }


def test_a_stricter_row_names_what_it_would_have_refused_and_what_was_missing(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With who could have given it."""
    stricter = candidate(demo, tmp_path, approvals=sensitive("owner", "security"))
    found = replayed(demo, stricter, capsys, code=1)
    assert {name for name, it in found.items() if it["differs"]} == {"rollout"}
    assert found["rollout"]["reasons"] == ["production: missing 1 × security: frank or grace or nina"]
    assert found["rollout"]["missing"] == ["production: 1 × security: frank or grace or nina"]
    assert found["rollout"]["approvedBy"] == ["alice", "dora"]
    assert run(["policy", "replay", "--repo", str(demo.path), "--policies", str(stricter)]) == 1
    text = capsys.readouterr().out
    assert "Accepted then, refused by these: 1" in text
    assert "Ask frank or grace or nina to approve." in text


def test_a_looser_row_names_what_it_would_have_let_in(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was overtaken on the branch, and what it waits for, are told apart."""
    looser = candidate(demo, tmp_path, approvals=sensitive("owner"))
    found = replayed(demo, looser, capsys, code=1)
    assert {name for name, it in found.items() if it["differs"]} == {"refused", "waiting"}
    run(["policy", "replay", "--repo", str(demo.path), "--policies", str(looser)])
    text = capsys.readouterr().out
    assert "Not accepted then, let in by these: 2" in text
    assert "another change was accepted instead; approved by alice" in text
    assert "the branch waits for it; approved by alice" in text


def test_a_change_of_policies_is_judged_by_the_candidates_row_for_it(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It met the policies of its time; the candidate asks for three."""
    three = candidate(demo, tmp_path, approvals=lambda spec: spec["policies"]["widen"]["approvals"][0].update(count=3))
    found = replayed(demo, three, capsys, code=1)
    assert {name for name, it in found.items() if it["differs"]} == {"policy"}
    assert found["policy"]["reasons"] == ["missing 1 × security: nina"]


def test_keys_and_people_are_the_candidates_too(demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A signature by a key that the candidate gives to nobody proves nothing."""
    keyless = candidate(demo, tmp_path, organisation=lambda spec: spec["people"]["dora"].pop("keys"))
    found = replayed(demo, keyless, capsys, code=1)
    assert found["rollout"]["approvedBy"] == ["alice"]
    assert found["rollout"]["reasons"] == ["production: missing 1 × release-manager: dora"]


def test_an_author_whom_the_candidate_does_not_know_refuses_the_change(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As acceptance would: who wrote it must be somebody."""

    def dismiss(spec: Spec) -> None:
        del spec["people"]["bob"]
        spec["teams"]["team-payments"]["members"].remove("bob")

    found = replayed(demo, candidate(demo, tmp_path, organisation=dismiss), capsys, code=1)
    assert found["rollout"]["reasons"][0] == "bob contributed, and nobody of that name is in the organisation"


def test_what_would_only_have_waited_is_no_refusal(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A blackout over the day of its acceptance has it in effect later, and every verdict stands."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    over = (today + timedelta(days=30)).isoformat().replace("+00:00", "Z")
    blackout = {
        "name": "freeze",
        "from": (today - timedelta(days=30)).isoformat().replace("+00:00", "Z"),
        "until": over,
        "tiers": ["sensitive"],
    }
    frozen = candidate(demo, tmp_path, calendar=lambda spec: spec["blackouts"].append(blackout))
    found = replayed(demo, frozen, capsys, code=0)
    assert found["rollout"]["later"]["production"]["effectiveFrom"] == over
    run(["policy", "replay", "--repo", str(demo.path), "--policies", str(frozen)])
    assert "In effect later: 1" in capsys.readouterr().out


def test_a_clone_without_an_installation_says_the_same_from_the_notes(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in CI: git and its notes are all there is."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(demo.path), str(clone)], check=True)
    fetch = ["git", "-C", str(clone), "fetch", "-q", "origin", "refs/notes/flagseal:refs/notes/flagseal"]
    looser = candidate(demo, tmp_path, approvals=sensitive("owner"))
    replayed_empty = ["policy", "replay", "--repo", str(clone), "--policies", str(looser)]
    assert run(replayed_empty) == 2
    assert "no statement is noted on this branch" in capsys.readouterr().err
    subprocess.run(fetch, check=True)
    here = replayed(demo, looser, capsys, code=1)
    there = replayed(demo, looser, capsys, code=1, repo=clone)
    told = ("sequence", "then", "allowed", "reasons", "subjects", "approvedBy")
    assert {name: [it[field] for field in told] for name, it in there.items()} == {
        name: [it[field] for field in told] for name, it in here.items()
    }
    later = replayed(demo, looser, capsys, "--genesis", demo.commits["rollout"], code=1, repo=clone)
    assert set(later) == {"refused", "policy", "waiting"}


@pytest.mark.parametrize("what", ["contradiction", "not YAML", "nothing founded", "genesis of an installation"])
def test_it_says_what_it_cannot_use(demo: Demo, what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A message, and exit code 2; never a report about half a policy."""
    words: list[str] = []
    folder = candidate(demo, tmp_path)
    if what == "contradiction":
        (folder / "calendar.yaml").unlink()
    elif what == "not YAML":
        (folder / "calendar.yaml").write_text("a: [")
    elif what == "nothing founded":
        words = ["--data", str(tmp_path / "nowhere")]
    else:
        words = ["--genesis", "HEAD~1"]
    assert run(["policy", "replay", "--repo", str(demo.path), "--policies", str(folder), *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "error[" in said.err
