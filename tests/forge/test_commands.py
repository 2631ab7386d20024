"""The commands, as a job runs them: fetch facts, attest, look; twice, and at the same time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from flagseal.repository import NOTES_REF, FlagRepository
from flagseal.repository.sharing import ATTEMPTS, Remote, SharedNotes
from flagseal_cli.forge import is_host_of
from flagseal_cli.main import run as flagseal
from flagseal_validators.forge.facts import Facts
from tests.forge.server import TOKEN
from tests.forge.world import YESTERDAY, company, lasting, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.forge.world import World

OTHER = lasting("other")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A company on GitHub, and the environment of the attestor's job."""
    with company(tmp_path, now=YESTERDAY) as found:
        monkeypatch.setenv("FLAGSEAL_GITHUB_API", found.server.url)
        monkeypatch.setenv("FLAGSEAL_GITHUB_TOKEN", TOKEN)
        monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
        private = found.signer._private_key
        key = tmp_path / "attestor.pem"
        key.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        key.chmod(0o600)
        public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        key.with_suffix(".pub").write_bytes(public)
        (tmp_path / "trust.json").write_bytes(found.trust.to_bytes())
        yield found


def attest(world: World, *words: str) -> int:
    """Run the command in the attestor's clone."""
    where = ["--repo", str(world.clone), "--trust", str(world.path / "trust.json")]
    return flagseal(["attest", *where, "--key", str(world.path / "attestor.pem"), *words])


def notes(world: World) -> list[str]:
    """List the lines noted in the repository that everybody fetches."""
    commits = world.repo.git("notes", f"--ref={NOTES_REF}", "list", check=False).splitlines()
    return [line for row in commits for line in world.repo.git("cat-file", "blob", row.split(" ")[0]).splitlines()]


def test_what_landed_is_attested_where_everybody_fetches_it(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The tip of the branch, without a word more; an operator accepts it."""
    pull = world.landed(OTHER, method="squash")
    assert attest(world) == 0
    said = capsys.readouterr()
    assert "ok   protection" in said.out
    assert "alice (alice-gh) approved" in said.out
    assert len(notes(world)) == 1
    assert world.poll().commit == pull.merge_commit


def test_attesting_twice_does_nothing_more(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """It is accepted already: nobody is asked, nothing is written."""
    world.landed(OTHER)
    assert attest(world) == 0
    asked, noted = len(world.server.exchanges), notes(world)
    capsys.readouterr()
    assert attest(world) == 0
    assert "accepted already" in capsys.readouterr().err
    assert (len(world.server.exchanges), notes(world)) == (asked, noted)


def test_what_waits_for_reviewers_keys_is_attested_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Where a row asks for both proofs, the statement is there for the reviewers to sign, and is not made again."""
    from tests.history.company import approval_policy, document  # noqa: PLC0415 (only here)

    rows = approval_policy()
    rows["tiers"]["sensitive"]["production"]["widen"]["evidence"] = "both"
    world.landed(document("ApprovalPolicy", "approvals", rows), branch="rows", approved=("erin", "frank"))
    assert attest(world) == 0
    world.landed(OTHER, branch="flag")
    assert attest(world) == 0
    assert attest(world) == 0
    assert "attested already" in capsys.readouterr().err
    assert len(notes(world)) == 2
    assert world.poll().sequence == 1


def test_a_refusal_names_every_reason(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, each check with what to do, and no note."""
    world.repo.rulesets[0].bypass = [{"actor_type": "OrganizationAdmin", "actor_id": 1}]
    world.landed(OTHER, approved=("dora",))
    assert attest(world) == 1
    said = capsys.readouterr().out
    assert said.count("FAIL") == said.count("→") >= 3
    assert notes(world) == []


def test_a_push_is_an_error_that_says_what_to_do(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2: there is nothing to be judged."""
    world.branch("work")
    world.commit(OTHER)
    world.push("main", "carol")
    assert attest(world) == 2
    assert "Revert it on the branch" in capsys.readouterr().err


def test_a_tree_that_no_folder_can_hold_is_refused_and_the_next_commit_is_settled(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name of 300 bytes, and a request that takes it away again."""
    name = f"flags/payments/{'x' * 300}.txt"
    world.branch("change")
    world.commit(OTHER)
    world.plant(name, b"text")
    world.push("change")
    pull = world.repo.open(world.user("bob"), "change")
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    run(world.clone, "fetch", "--quiet", "origin")
    run(world.clone, "reset", "--quiet", "--soft", "origin/main")
    world.plant(name, None)
    world.push("mend")
    mend = world.repo.open(world.user("bob"), "mend")
    world.approve(mend, "alice", "dora")
    world.merge(mend)
    assert attest(world, "--all") == 1
    said = capsys.readouterr().err
    assert "BadTree" in said
    assert "Remove or rename it, by a request." in said
    assert world.poll().commit == mend.merge_commit


def test_a_dry_run_signs_and_writes_nothing(world: World) -> None:
    """And needs no key."""
    world.landed(OTHER)
    where = ["--repo", str(world.clone), "--trust", str(world.path / "trust.json")]
    assert flagseal(["attest", *where, "--dry-run"]) == 0
    assert flagseal(["attest", *where]) == 2
    assert notes(world) == []


def test_facts_are_fetched_once_and_judged_without_a_network(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a job saved is judged elsewhere, later, without a token."""
    pull = world.landed(OTHER, method="squash")
    file = world.path / "facts.json"
    assert flagseal(["facts", "fetch", str(pull.number), "--github", "acme/flags", "--out", str(file)]) == 0
    assert flagseal(["facts", "fetch", str(pull.number), "--github", "acme/flags"]) == 0
    assert Facts.parse(capsys.readouterr().out.encode()).request == Facts.parse(file.read_bytes()).request
    monkeypatch.delenv("FLAGSEAL_GITHUB_TOKEN")
    asked = len(world.server.exchanges)
    run(world.clone, "fetch", "--quiet", "origin")
    run(world.clone, "fetch", "--quiet", "origin", "+refs/pull/*/head:refs/heads/pull/*")
    run(world.clone, "checkout", "--quiet", "-B", "main", "origin/main")
    assert attest(world, "--facts", str(file), "--offline", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["allowed"] is True
    assert len(world.server.exchanges) == asked
    assert FlagRepository(world.clone).notes("main") is not None


def test_facts_are_of_the_remotes_repository_where_none_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a clone, outside Actions, as the help of --github promises; so is the comment's request."""
    pull = world.landed(OTHER, method="squash")
    file = world.path / "facts.json"
    run(world.clone, "remote", "set-url", "origin", "https://github.com/acme/flags.git")
    words = ["facts", "fetch", str(pull.number), "--out", str(file)]
    assert flagseal([*words, "--repo", str(world.clone)]) == 0
    assert Facts.parse(file.read_bytes()).request.number == pull.number
    file.unlink()
    monkeypatch.chdir(world.clone)
    assert flagseal(words) == 0
    assert file.exists()


def test_a_comment_is_written_in_the_remotes_repository_where_none_is_named(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """A request that is closed is found to be; it is not asked which repository is meant."""
    pull = world.landed(OTHER)
    run(world.clone, "remote", "set-url", "origin", "https://github.com/acme/flags.git")
    assert flagseal(["forge", "comment", str(pull.number), "--repo", str(world.clone)]) == 2
    assert "NotOpen" in capsys.readouterr().err


def test_saved_facts_without_the_reviewed_commits_name_the_remedy(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a squash an ordinary clone has not what was reviewed; once it is fetched, it is judged."""
    here = ["--repo", str(world.clone), "--data", str(world.path / "data")]
    public = str(world.path / "attestor.pub")
    founding = ["trust", "init", "-e", "production", "--github", "4711:acme/flags", "--attestor", public, *here]
    assert flagseal(founding) == 0
    assert flagseal(["up", "-e", "production", "--once", *here]) == 0
    pull = world.landed(OTHER, method="squash")
    file = world.path / "facts.json"
    file.write_bytes(world.facts(pull).to_bytes())
    clone = world.path / "ordinary"
    run(world.path, "clone", "--quiet", "--no-local", "--single-branch", world.repo.url, str(clone))
    words = ["approvals", "show", "HEAD", "--facts", str(file), "--repo", str(clone), *here[2:]]
    capsys.readouterr()
    assert flagseal(words) == 2
    said = capsys.readouterr().err
    assert "FactMissing" in said
    assert f"`git fetch origin pull/{pull.number}/head`" in said
    attesting = ["attest", "--offline", "--dry-run", "--facts", str(file), "--repo", str(clone)]
    assert flagseal([*attesting, "--trust", str(world.path / "trust.json")]) == 2
    assert "FactMissing" in capsys.readouterr().err
    run(clone, "fetch", "--quiet", "origin", f"pull/{pull.number}/head")
    assert flagseal(words) == 0
    assert "ok   tree" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["facts", "fetch", "1"], ["facts", "fetch", "1", "--github", "x; rm"], ["attest"]])
def test_what_is_not_known_is_asked_for(world: World, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Which repository, which key."""
    assert flagseal([*words]) == 2
    assert "→" in capsys.readouterr().err
    assert world.server.exchanges == []


def test_no_token_is_an_error_with_a_remedy(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says which variable to set."""
    world.landed(OTHER)
    for name in ("FLAGSEAL_GITHUB_TOKEN", "GITHUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    assert attest(world) == 2
    assert "FLAGSEAL_GITHUB_TOKEN" in capsys.readouterr().err


def test_no_command_shows_the_token(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """At its loudest, in success and in failure."""
    world.landed(OTHER, approved=("dora",))
    attest(world, "--format", "json")
    world.server.trouble(401)
    attest(world)
    flagseal(["-v", "facts", "fetch", "1", "--github", "acme/flags"])
    said = capsys.readouterr()
    assert TOKEN not in said.out + said.err
    assert TOKEN not in run(world.clone, "config", "--list")


@pytest.mark.parametrize(
    ("address", "api", "expected"),
    [
        ("https://github.com/acme/flags.git", "https://api.github.com", True),
        ("https://ghe.example.com/acme/flags", "https://ghe.example.com/api/v3", True),
        ("https://evil.example.com/acme/flags", "https://api.github.com", False),
        ("https://github.com.evil.example/acme/flags", "https://api.github.com", False),
        ("https://github.com@evil.example/acme/flags", "https://api.github.com", False),
        ("https://github.com:8443/acme/flags", "https://api.github.com", False),
        ("http://github.com/acme/flags", "https://api.github.com", False),
        ("git@github.com:acme/flags.git", "https://api.github.com", False),
        ("ssh://git@github.com/acme/flags", "https://api.github.com", False),
    ],
)
def test_a_token_is_shown_to_its_own_host_only(address: str, api: str, *, expected: bool) -> None:
    """A remote may lead anywhere."""
    assert is_host_of(address, api) is expected


def test_approvals_show_what_the_forge_knew(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """By a store: founded with the attestor's key, published, asked about."""
    data = world.path / "data"
    run(world.clone, "fetch", "--quiet", "origin")
    run(world.clone, "checkout", "--quiet", "-B", "main", "origin/main")
    here = ["--repo", str(world.clone), "--data", str(data)]
    public = str(world.path / "attestor.pub")
    founding = ["trust", "init", "-e", "production", "--github", "4711:acme/flags", "--attestor", public, *here]
    assert flagseal(founding) == 0
    assert flagseal(["up", "-e", "production", "--once", *here]) == 0
    pull = world.landed(OTHER)
    run(world.clone, "fetch", "--quiet", "origin")
    run(world.clone, "checkout", "--quiet", "-B", "main", "origin/main")
    assert flagseal(["attest", *here, "--key", str(world.path / "attestor.pem")]) == 0
    assert flagseal(["up", "-e", "production", "--once", *here]) == 0
    capsys.readouterr()
    assert flagseal(["approvals", "show", "main", *here]) == 0
    said = capsys.readouterr().out
    assert f"request {pull.number}, merged at" in said
    assert "dora (dora-gh) approved" in said
    assert "by forge" in said


@pytest.mark.parametrize(
    "words", [["--github", "4711:acme/flags"], ["--attestor"], ["--github", "acme/flags", "--attestor"]]
)
def test_a_forge_is_founded_whole_or_not_at_all(
    world: World, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A number without a key, a key without a number."""
    public = [str(world.path / "attestor.pub")] if words[-1] == "--attestor" else []
    assert flagseal(["trust", "init", "-e", "production", "--repo", str(world.clone), *words, *public]) == 2
    assert "go together" in capsys.readouterr().err


def test_approvals_show_what_is_missing_by_saved_facts(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anybody attested it: check by check; and without facts, that an attestor has not spoken."""
    here = ["--repo", str(world.clone), "--data", str(world.path / "data")]
    public = str(world.path / "attestor.pub")
    founding = ["trust", "init", "-e", "production", "--github", "4711:acme/flags", "--attestor", public, *here]
    assert flagseal(founding) == 0
    assert flagseal(["up", "-e", "production", "--once", *here]) == 0
    pull = world.landed(OTHER, approved=("alice",))
    run(world.clone, "fetch", "--quiet", "origin")
    run(world.clone, "checkout", "--quiet", "-B", "main", "origin/main")
    file = world.path / "facts.json"
    file.write_bytes(world.facts(pull).to_bytes())
    capsys.readouterr()
    assert flagseal(["approvals", "show", "main", *here]) == 1
    assert "No attestor has said yet" in capsys.readouterr().out
    assert flagseal(["approvals", "show", "main", "--facts", str(file), *here]) == 1
    said = capsys.readouterr().out
    assert "ok   tree" in said
    assert "FAIL approvals (production): missing 1 × release-manager: dora" in said


# The race for the notes


def shared(world: World, name: str, slept: list[float] | None = None) -> tuple[FlagRepository, SharedNotes]:
    """Make a clone that writes notes."""
    clone = world.path / name
    run(world.path, "clone", "--quiet", world.repo.url, str(clone))
    git = FlagRepository(clone)
    return git, SharedNotes(git.git, Remote(git.git, "origin"), sleep=(slept if slept is not None else []).append)


def test_whoever_is_slower_appends_to_what_the_quicker_wrote(world: World) -> None:
    """No line of either is lost, and a line that is there already is not written again."""
    commit = world.repo.tip("main")
    (one, first), (_, second) = shared(world, "one"), shared(world, "two")
    first.fetch()
    second.fetch()
    assert first.append(commit, b'{"one":1}')
    assert second.append(commit, b'{"two":2}')
    assert not second.append(commit, b'{"one":1}')
    assert notes(world) == ['{"one":1}', '{"two":2}']
    assert one.notes(commit) == b'{"one":1}\n'


def test_a_lost_race_is_run_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody pushes between our fetch and our push."""
    commit = world.repo.tip("main")
    slept: list[float] = []
    (_, first), (_, second) = shared(world, "one", slept), shared(world, "two")
    push = Remote.push
    raced: list[str] = []

    def late(remote: Remote, spec: str) -> str | None:
        if not raced:
            raced.append(spec)
            assert second.append(commit, b'{"two":2}')
        return push(remote, spec)

    monkeypatch.setattr(Remote, "push", late)
    assert first.append(commit, b'{"one":1}')
    assert notes(world) == ['{"two":2}', '{"one":1}']
    assert slept == [0.5]


def test_two_attestors_at_once_note_one_statement(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both judge, both sign; the slower one finds the other's statement as it is about to note its own."""
    world.landed(OTHER)
    other = world.path / "other"
    run(world.path, "clone", "--quiet", world.repo.url, str(other))
    push = Remote.push
    raced: list[str] = []

    def late(remote: Remote, spec: str) -> str | None:
        if not raced:
            raced.append(spec)
            assert attest(world, "--repo", str(other)) == 0
        return push(remote, spec)

    monkeypatch.setattr(Remote, "push", late)
    assert attest(world) == 0
    said = capsys.readouterr().err
    assert said.count("as statement 1") == 1
    assert "attested already" in said
    assert len(notes(world)) == 1
    assert world.poll().sequence == 1


def test_a_note_that_is_not_taken_is_an_error_and_is_not_here_either(world: World) -> None:
    """The repository forbids it: somebody is told, and nothing looks as if it had been written."""
    commit = world.repo.tip("main")
    hook = world.repo.path / "hooks/pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no >&2\nexit 1\n")
    hook.chmod(0o755)
    slept: list[float] = []
    git, writer = shared(world, "one", slept)
    with pytest.raises(Exception, match="did not take the note") as error:
        writer.append(commit, b'{"one":1}')
    assert getattr(error.value, "code", "") == "PushRefused"
    assert len(slept) == ATTEMPTS - 1
    assert git.notes(commit) is None
