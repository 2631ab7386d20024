"""``flagseal plan`` on a repository of the sample company."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema_rs import Draft202012Validator

from flagseal_cli.main import run
from flagseal_validators.plan.schema import PLAN_SCHEMA
from tests.journeys.harness import environment_of

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Repository:
    """A demo repository, founded, in which bob has widened new-checkout and committed it."""

    path: Path

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


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Found once, only read afterwards."""
    path = tmp_path_factory.mktemp("plan") / "demo"
    assert run(["init", "--demo", str(path)]) == 0
    assert run(["up", "--repo", str(path), "--once"]) == 0
    made = Repository(path)
    flag = path / "flags/payments/new-checkout.yaml"
    flag.write_text(flag.read_text().replace("[acme]", "[acme, globex]"))
    made.git("commit", "-qam", "Give globex the new checkout\n\nTicket: PAY-77")
    return made


def told(repository: Repository, capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """Run the plan and give what it says."""
    capsys.readouterr()
    assert run(["plan", "--repo", str(repository.path), *words]) == code
    return capsys.readouterr().out


def record(repository: Repository, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    """Run the plan for a program."""
    found = json.loads(told(repository, capsys, *words, "--format", "json"))
    assert isinstance(found, dict)
    return found


def test_it_says_what_happens_who_must_approve_and_who_wrote_it(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reviewer's page: effect, class and tier, people without the author."""
    said = told(repository, capsys, "--base", "HEAD~1", "--head", "HEAD")
    assert "production: widen, sensitive" in said
    assert "on for organisation acme, otherwise off; now also on for organisation globex" in said
    assert "1 × owner (team-payments): alice\n" in said
    assert "1 × release-manager: dora" in said
    assert "the accepted state" in said


def test_it_binds_what_the_statement_binds(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Against the accepted head, manifest, subjects, people and ticket are those that approvers sign."""
    planned = record(repository, capsys, "--base", "HEAD~1", "--head", "HEAD")
    capsys.readouterr()
    run(["approvals", "show", "HEAD", "--repo", str(repository.path), "--format", "json"])
    shown = json.loads(capsys.readouterr().out)
    body, decided = shown["body"], shown["decision"]
    assert planned["decision"]["missing"] == decided["missing"]
    assert [(it["id"], it["environment"], it["passed"]) for it in planned["decision"]["checks"]] == [
        (it["id"], it["environment"], it["passed"]) for it in decided["checks"]
    ]
    predicate = body["predicate"]
    assert planned["accepted"] is True
    assert planned["manifest"] == {"before": predicate["before"], "after": predicate["after"]}
    assert planned["contributors"] == predicate["contributors"] == ["bob"]
    assert planned["ticket"] == predicate["ticket"] == "PAY-77"
    subjects = {entry["name"]: f"sha256:{entry['digest']['sha256']}" for entry in body["subject"]}
    assert {entry["subject"]: entry["after"] for entry in planned["subjects"]} == subjects


def test_without_a_head_it_plans_the_working_tree(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is not committed yet can be planned too; whoever wrote it can be named."""
    flag = repository.path / "flags/payments/new-checkout.yaml"
    committed = flag.read_text()
    flag.write_text(committed.replace("[acme, globex]", "[acme, globex, initech]"))
    try:
        said = told(repository, capsys, "--base", "HEAD", "--author", "alice")
    finally:
        flag.write_text(committed)
    assert "to the working tree" in said
    assert "also on for organisation initech" in said
    assert "1 × owner (team-payments): bob\n" in said
    contexts = tmp_path / "contexts.jsonl"
    contexts.write_text('{"org": "globex"}\n\n{"org": "umbrella"}\n')
    words = ["--base", "HEAD~1", "--contexts", str(contexts), "--group-by", "org"]
    replay = record(repository, capsys, *words)["environments"]["production"]["contexts"]
    assert (replay["changed"], replay["total"]) == (1, 2)


def test_nothing_to_approve_is_clean(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """The same on both sides."""
    assert "nothing to approve" in told(repository, capsys, "--base", "HEAD")


@pytest.mark.parametrize(
    "words",
    [
        ["--base", "nowhere"],
        ["--base", "HEAD", "--head", "nowhere"],
        ["--base", "HEAD", "--group-by", "org"],
        ["--base", "HEAD", "--promote", "staging"],
        ["--base", "HEAD", "--promote", "moon:production"],
        ["--base", "HEAD", "--promote", "staging:production", "--flag", "payments/nothing"],
        ["--base", "HEAD", "--promote", "staging:production", "--head", "HEAD"],
        ["--base", "HEAD", "--flag", "payments/new-checkout"],
        ["--base", "HEAD", "--contexts", "{bad}"],
        ["--base", "HEAD", "--contexts", "{list}"],
        [],
    ],
    ids=[
        "no base",
        "no head",
        "nothing to group",
        "nowhere to promote to",
        "no such environment",
        "no such flag",
        "two states after",
        "nothing to promote",
        "not JSON",
        "no object",
        "no words",
    ],
)
def test_it_says_what_it_cannot_use(
    repository: Repository, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A message with its place, and exit code 2."""
    (tmp_path / "bad").write_text('{"a": 1}\n{"a":\n')
    (tmp_path / "list").write_text("[]\n")
    given = [word.format(bad=tmp_path / "bad", list=tmp_path / "list") for word in words]
    assert told(repository, capsys, *given, code=2) == ""


def test_what_no_approval_heals_ends_with_one(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """A step that is too large is refused whoever approves, and the plan says what to do."""
    flag = repository.path / "flags/payments/payment-service-v2.yaml"
    committed = flag.read_text()
    flag.write_text(committed.replace("split: {enabled: 25, disabled: 75}", "split: {enabled: 95, disabled: 5}"))
    try:
        said = told(repository, capsys, "--base", "HEAD", code=1)
    finally:
        flag.write_text(committed)
    assert "In the way" in said
    assert "at most 25 at once" in said
    assert "→ Widen in smaller steps" in said


def test_a_commit_by_nobody_known_can_never_be_accepted(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plan still says what it does, and ends with one."""
    clone = Repository(tmp_path / "clone")
    repository.git("clone", "-q", str(repository.path), str(clone.path))
    flag = clone.path / "flags/payments/new-checkout.yaml"
    flag.write_text(flag.read_text().replace("globex]", "globex, initech]"))
    names = ["-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgSign=false"]
    clone.git(*names, "commit", "-qam", "Unsigned")
    capsys.readouterr()
    assert run(["plan", "--repo", str(clone.path), "--base", "HEAD~1", "--head", "HEAD"]) == 1
    said = capsys.readouterr()
    assert "also on for organisation initech" in said.out
    assert "not known to be accepted" in said.out
    assert "is not signed" in said.err


def test_a_comment_for_the_pull_request(repository: Repository, capsys: pytest.CaptureFixture[str]) -> None:
    """Markdown, with a line by which the next run finds it again."""
    said = told(repository, capsys, "--base", "HEAD~1", "--head", "HEAD", "--format", "markdown")
    assert said.startswith("<!-- flagseal plan -->\n\n## Flagseal plan: 1 flag, widen, sensitive\n")
    assert "also on for organisation globex" in said


def test_json_is_what_the_schema_says(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole of what the command writes, contexts and all."""
    contexts = tmp_path / "contexts.jsonl"
    contexts.write_text('{"org": "globex", "targetingKey": "u1"}\n{"org": "umbrella"}\n')
    words = ["--base", "HEAD~1", "--contexts", str(contexts), "--group-by", "org"]
    for made in (record(repository, capsys, *words), record(repository, capsys, "--base", "HEAD")):
        assert [error.message for error in Draft202012Validator(PLAN_SCHEMA).iter_errors(made)] == []


def test_promoting_can_be_planned_before_anybody_edits_a_file(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    """What staging serves, put in place of what production serves: the effect, who and when."""
    words = ["--base", "HEAD", "--promote", "staging:production", "--flag", "payments/new-checkout"]
    made = record(repository, capsys, *words)
    assert [(it["subject"], it["change"]) for it in made["subjects"]] == [
        ("FlagDefinition/payments/new-checkout", "changes")
    ]
    assert made["environments"].keys() == {"production"}
    assert {entry["role"] for entry in made["decision"]["missing"]} == {"owner", "release-manager"}
    said = told(repository, capsys, *words)
    assert "to promoting staging:production" in said
    everything = ["--base", "HEAD", "--promote", "staging:production", "--format", "json"]
    every = json.loads(told(repository, capsys, *everything, code=1))
    assert len(every["subjects"]) > 1
    assert any("requires a ticket" in obstacle for obstacle in every["obstacles"])
