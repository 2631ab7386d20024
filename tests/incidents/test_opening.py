"""What is opened, updated and closed at a git host for an incident: one issue and one request, by what is published."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from github import Auth

from flagseal.model.loader import load_text
from flagseal.model.policy_set import load_policies
from flagseal.repository.sharing import Remote
from flagseal_cli.main import run as flagseal
from flagseal_validators.forge.github import Access, GitHubDesk, open_github
from flagseal_validators.incidents import Opened, Opener
from flagseal_validators.incidents.branching import Drafts
from flagseal_validators.incidents.permanence import switched_off
from flagseal_validators.incidents.telling import LABEL, PERMANENT
from tests.approval.keyring import SshKey
from tests.forge.github import ME
from tests.forge.server import TOKEN
from tests.forge.world import company as on_github
from tests.forge.world import forge_policies, run
from tests.history.company import flag as declared
from tests.incidents.world import company, incidents, review_of, rolled_back

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.forge.world import World as Hub
    from tests.snapshot.world import World

ROOT = Path(__file__).parents[2]


@pytest.fixture
def made(tmp_path: Path) -> World:
    """Give a company whose snapshots are fresh."""
    return company(tmp_path / "published", ago=timedelta(minutes=3))


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """Give the flag repository on GitHub."""
    with on_github(tmp_path / "hub", declared("new-checkout")) as found:
        yield found


def opened(made: World, hub: Hub) -> tuple[Opened, ...]:
    """Run as a fresh job does."""
    clock = hub.github

    def sleep(seconds: float) -> None:
        clock.wait(seconds=seconds)

    access = Access(hub.server.url, Auth.Token(TOKEN))
    desk = GitHubDesk(open_github(access, clock=lambda: clock.now.timestamp(), sleep=sleep), "acme/flags")  # noqa: PLW0108 (it goes on)
    drafts = Drafts(hub.local, Remote(hub.local.git, hub.repo.url), "main")
    drafts.fetch()
    organisation = load_policies(forge_policies()).organisation
    return Opener(desk, drafts, organisation, lambda: made.clock()).run(incidents(made))  # noqa: PLW0108 (it goes on)


def writes(hub: Hub) -> int:
    """Count what was written."""
    return sum(it.method != "GET" and it.template != "/graphql" for it in hub.server.exchanges)


def branch(hub: Hub) -> str:
    """Name the branch that was pushed."""
    (found,) = hub.repo.git("for-each-ref", "--format=%(refname:short)", "refs/heads/flagseal/").splitlines()
    return found


def changed(hub: Hub) -> list[str]:
    """Name the files that the branch changes."""
    return hub.repo.git("diff", "--name-only", "main", branch(hub)).splitlines()


def file_of(hub: Hub, path: str) -> bytes:
    """Read a file of the branch."""
    return hub.repo.git("show", f"{branch(hub)}:{path}").encode() + b"\n"


def test_an_issue_with_the_facts_and_a_request_with_the_draft_are_opened_once(made: World, hub: Hub) -> None:
    """The second run writes nothing at all."""
    standing = rolled_back(made, by_receipt=True)
    (done,) = opened(made, hub)
    assert (done.issue, done.request) == ("opened", "opened")
    told, asked = hub.repo.pulls[1], hub.repo.pulls[2]
    assert not told.head
    assert asked.head == branch(hub)
    assert LABEL in told.labels
    assert standing.proof.digest in told.body
    for words in ("`EmergencyOverride/payments/stop-it`", "Payments fail.", "alice", "mfa", "**active**", "on for org"):
        assert words in told.body, words
    assert f"#{told.number}" in asked.body
    assert hub.repo.git("log", "-1", "--format=%ae %ce", branch(hub)) == f"{ME.email} {ME.email}"
    assert changed(hub) == [f"reviews/{incidents(made)[0].name}.yaml"]
    (document,) = load_text(file_of(hub, changed(hub)[0]), file="draft.yaml").documents
    assert isinstance(document.spec, dict)
    assert (document.spec["incident"], document.spec["outcome"]) == ("INC-7", "returned")
    assert asked.asked == ["bob-gh"]
    before = writes(hub)
    (again,) = opened(made, hub)
    assert (again.issue, again.request, writes(hub)) == ("unchanged", "unchanged", before)


def test_what_happens_later_is_told_in_the_same_issue_and_request(made: World, hub: Hub) -> None:
    """Another override of the same incident is part of the same review; what was ticked stays ticked."""
    rolled_back(made)
    opened(made, hub)
    told = hub.repo.pulls[1]
    told.body = told.body.replace("- [ ] What the cause was", "- [x] What the cause was")
    rolled_back(made, "pay-later", name="stop-that")
    (done,) = opened(made, hub)
    assert (done.issue, done.request) == ("updated", "updated")
    assert len(hub.repo.pulls) == 2
    assert "- [x] What the cause was" in told.body
    assert "stop-that" in told.body
    assert "stop-that" in hub.repo.pulls[2].body
    assert b"stop-that" in file_of(hub, changed(hub)[0])


def test_what_people_wrote_on_the_branch_is_left_to_them(made: World, hub: Hub) -> None:
    """Neither the branch nor the request is written over."""
    rolled_back(made)
    opened(made, hub)
    name = branch(hub)
    hub.branch("mine", f"origin/{name}")
    (path,) = changed(hub)
    hub.commit(files={path: (hub.clone / path).read_text().replace("TODO: What the cause was.", "A certificate.")})
    hub.push(name)
    tip = hub.repo.tip(name)
    hub.repo.pulls[2].body = "Mine."
    rolled_back(made, "pay-later", name="stop-that")
    (done,) = opened(made, hub)
    assert (done.issue, done.request) == ("updated", "left")
    assert (hub.repo.tip(name), hub.repo.pulls[2].body) == (tip, "Mine.")


@pytest.mark.parametrize(
    ("options", "address"),
    [(("-S",), ME.email), (("--reset-author",), "bob@example.com"), (("--reset-author", "-S"), "bob@example.com")],
    ids=["signed", "theirs", "both"],
)
def test_who_makes_the_draft_commit_theirs_keeps_it(
    made: World, hub: Hub, options: tuple[str, ...], address: str
) -> None:
    """With our message and our files still: no unsigned commit of ours comes on top."""
    rolled_back(made)
    opened(made, hub)
    name = branch(hub)
    hub.branch("mine", f"origin/{name}")
    key = SshKey.of("bob").write(hub.path / "bob")
    named = {f"GIT_{role}_NAME": "Bob" for role in ("AUTHOR", "COMMITTER")}
    named |= {f"GIT_{role}_EMAIL": "bob@example.com" for role in ("AUTHOR", "COMMITTER")}
    how = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}")
    run(hub.clone, *how, "commit", "--quiet", "--amend", "--no-edit", *options, **named)
    hub.push(name, force=True)
    tip = hub.repo.tip(name)
    assert hub.repo.git("log", "-1", "--format=%ae", name) == address
    rolled_back(made, "pay-later", name="stop-that")
    (done,) = opened(made, hub)
    assert (done.issue, done.request, hub.repo.tip(name)) == ("updated", "left", tip)


def test_a_request_that_was_closed_is_not_opened_again(made: World, hub: Hub) -> None:
    """Somebody decided; the issue stays, and is opened again if somebody closed it without a review."""
    rolled_back(made)
    opened(made, hub)
    hub.repo.pulls[1].closed = hub.repo.pulls[2].closed = True
    (done,) = opened(made, hub)
    assert (done.issue, done.request) == ("updated", "left")
    assert (hub.repo.pulls[1].closed, hub.repo.pulls[2].closed, len(hub.repo.pulls)) == (False, True, 2)


def test_the_issue_closes_when_the_review_is_accepted_and_says_by_whom(made: World, hub: Hub) -> None:
    """And not before: what is merged and not approved changes nothing."""
    standing = rolled_back(made)
    opened(made, hub)
    assert not hub.repo.pulls[1].closed
    made.clock.advance(minutes=1)
    made.change(review_of(standing), by=("frank", "dora"))
    (done,) = opened(made, hub)
    assert done.issue == "closed"
    told = hub.repo.pulls[1]
    assert told.closed
    assert "**All of it is reviewed.**" in told.body
    assert "reviewed by dora and frank" in told.body
    before = writes(hub)
    (again,) = opened(made, hub)
    assert (again.issue, writes(hub)) == ("unchanged", before)


def test_a_review_from_elsewhere_closes_the_draft_too_and_the_issue_keeps_its_address(made: World, hub: Hub) -> None:
    """Though a run broke off between the two; no other request is touched, whatever it says of itself."""
    standing = rolled_back(made)
    (first,) = opened(made, hub)
    draft_of = hub.repo.pulls[2]
    for name in ("mine", f"{branch(hub)}-12345678"):
        hub.branch(name)
        hub.commit(files={"notes.md": name})
        hub.push(name)
        hub.repo.open(hub.user("bob"), name).body = draft_of.body
    made.clock.advance(minutes=1)
    made.change(review_of(standing), by=("frank", "dora"))
    hub.server.trouble(422, path="/issues/1", method="PATCH")
    with pytest.raises(Exception, match="trouble"):
        opened(made, hub)
    assert (hub.repo.pulls[1].closed, draft_of.closed) == (False, True)
    (done,) = opened(made, hub)
    assert done.issue == "closed"
    told = [pull.closed for pull in hub.repo.pulls.values()]
    assert told == [True, True, False, False]
    assert f"A review was drafted in {first.request_url}." in hub.repo.pulls[1].body
    assert done.request == "unchanged"
    assert "Closed, since all of it is reviewed." in draft_of.body
    before = writes(hub)
    opened(made, hub)
    assert writes(hub) == before


def test_our_own_closing_of_a_draft_is_nobodys_no(made: World, hub: Hub) -> None:
    """The incident goes on, and its review had a name of its own: it is drafted again, where the first one was."""
    standing = rolled_back(made)
    opened(made, hub)
    made.clock.advance(minutes=1)
    made.change(review_of(standing), by=("frank", "dora"))
    (done,) = opened(made, hub)
    assert (done.issue, done.request, hub.repo.pulls[2].closed) == ("closed", "closed", True)
    rolled_back(made, "pay-later", name="stop-that")
    (done,) = opened(made, hub)
    assert (done.issue, done.request) == ("updated", "opened")
    assert (hub.repo.pulls[3].head, hub.repo.pulls[3].closed) == (hub.repo.pulls[2].head, False)
    assert "stop-that" in hub.repo.pulls[3].body
    assert "complete it there" in hub.repo.pulls[1].body
    hub.repo.pulls[3].closed = True
    (done,) = opened(made, hub)
    assert (done.request, len(hub.repo.pulls)) == ("left", 3)


def test_an_incident_that_goes_on_after_its_review_gets_another_review(made: World, hub: Hub) -> None:
    """The same issue, opened again; a branch and a file of their own."""
    standing = rolled_back(made)
    opened(made, hub)
    made.clock.advance(minutes=1)
    made.change(review_of(standing, name=incidents(made)[0].name), by=("frank", "dora"))
    opened(made, hub)
    hub.repo.pulls[2].closed = True
    rolled_back(made, "pay-later", name="stop-that")
    (done,) = opened(made, hub)
    assert (done.issue, done.request) == ("updated", "opened")
    assert not hub.repo.pulls[1].closed
    assert hub.repo.pulls[3].head.endswith("-2")
    assert "stop-it" not in hub.repo.pulls[3].body


def test_a_label_makes_the_request_one_that_keeps_what_was_served(made: World, hub: Hub) -> None:
    """The flag's file gets off: true there, and nothing else; without the label it goes back."""
    rolled_back(made)
    opened(made, hub)
    hub.repo.pulls[1].labels.append(PERMANENT)
    (done,) = opened(made, hub)
    assert done.request == "updated"
    assert changed(hub) == ["flags/payments/new-checkout.yaml", f"reviews/{incidents(made)[0].name}.yaml"]
    (was,) = load_text(hub.repo.git("show", "main:flags/payments/new-checkout.yaml").encode(), file="f.yaml").documents
    (now,) = load_text(file_of(hub, "flags/payments/new-checkout.yaml"), file="f.yaml").documents
    spec: Any = now.spec
    assert spec["environments"]["production"].pop("off") is True
    assert spec == was.spec
    assert b"outcome: permanent" in file_of(hub, changed(hub)[1])
    hub.repo.pulls[1].labels.remove(PERMANENT)
    opened(made, hub)
    assert changed(hub) == [f"reviews/{incidents(made)[0].name}.yaml"]


def test_a_run_that_broke_off_is_finished_by_the_next(made: World, hub: Hub) -> None:
    """Wherever: nothing is there twice in the end."""
    rolled_back(made)
    for path, method in (("/issues", "POST"), ("/pulls", "POST"), ("/labels", "POST")):
        hub.server.trouble(422, path=path, method=method)
        with pytest.raises(Exception, match="trouble"):
            opened(made, hub)
    opened(made, hub)
    (done,) = opened(made, hub)
    assert (done.issue, done.request) == ("unchanged", "unchanged")
    assert [bool(it.head) for it in hub.repo.pulls.values()].count(True) == 1
    assert [bool(it.head) for it in hub.repo.pulls.values() if not it.closed].count(False) == 1


@pytest.mark.parametrize(
    ("section", "wanted"),
    [
        ("    production:\n      default: disabled\n", '    production:\n      "off": true\n      default: disabled\n'),
        ("    production: {default: disabled}\n", '    production: {"off": true, default: disabled}\n'),
        ("    production: {default: disabled, off: true}\n", None),
        ("    staging: {default: disabled}\n", None),
    ],
    ids=["block", "flow", "off-already", "not-there"],
)
def test_a_file_is_switched_off_by_one_line_and_keeps_its_comments(section: str, wanted: str | None) -> None:
    """What cannot be changed so is left to a person."""
    text = (ROOT / "flags/payments/new-checkout.yaml").read_text()
    head, rest = text[: text.index("  environments:\n")], section
    data = f"{head}  environments:\n    # Where.\n{rest}"
    made = switched_off(data.replace("off: true", '"off": true').encode(), "production")
    assert made == (None if wanted is None else data.replace(section, wanted).encode())


@contextmanager
def job(monkeypatch: pytest.MonkeyPatch, made: World, hub: Hub) -> Iterator[list[str]]:
    """Give the words of the command as a workflow calls it."""
    monkeypatch.setenv("FLAGSEAL_GITHUB_API", hub.server.url)
    monkeypatch.setenv("FLAGSEAL_GITHUB_TOKEN", TOKEN)
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    root = made.path / "root.json"
    root.write_bytes(made.root)
    yield ["--store", str(made.path / "store"), "--root", str(root), "--repo", str(hub.clone)]


def test_the_command_reads_the_store_and_opens(
    made: World, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As a job runs it, with a token in its environment only; exit code 1 while something is not reviewed."""
    standing = rolled_back(made)
    run(hub.clone, "fetch", "--quiet", "origin")
    (hub.clone / "policies").mkdir(exist_ok=True)
    with job(monkeypatch, made, hub) as where:
        assert flagseal(["incidents", "open", *where, "--github", "acme/flags", "--format", "json"]) == 1
        (told,) = json.loads(capsys.readouterr().out)
        assert (told["issue"]["done"], told["request"]["done"]) == ("opened", "opened")
        assert flagseal(["incidents", "list", *where[:4]]) == 1
        listed = capsys.readouterr().out
        assert standing.proof.digest in listed
        assert TOKEN not in listed + json.dumps(told) + str(
            [(it.path, it.query, it.body) for it in hub.server.exchanges]
        )


def test_the_command_writes_nothing_by_what_may_be_old(
    made: World, hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An old store would open again what was reviewed since."""
    old = company(made.path / "old")
    rolled_back(old)
    with job(monkeypatch, old, hub) as where:
        assert flagseal(["incidents", "open", *where, "--github", "acme/flags"]) == 2
    assert "not known what was reviewed since" in capsys.readouterr().err
    assert writes(hub) == 0
