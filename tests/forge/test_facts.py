"""What is read of GitHub: whole, politely, or not at all."""

from __future__ import annotations

import dataclasses
import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.model.errors import ForgeError
from flagseal_validators.forge.facts import Facts
from flagseal_validators.forge.github import access_from, asking, open_github
from tests.forge.github import User
from tests.forge.server import TOKEN
from tests.forge.world import company
from tests.history.company import flag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.forge.description import Description
    from tests.forge.github import Pull
    from tests.forge.world import World

OTHER = flag("other")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A company on GitHub."""
    with company(tmp_path) as found:
        yield found


def code(world: World, number: int = 1) -> str:
    """Give the code with which reading a request is refused."""
    with pytest.raises(ForgeError) as refused:
        world.forge().facts(number)
    assert refused.value.remedy
    return refused.value.code


def test_every_answer_of_the_double_is_githubs(world: World, description: Description) -> None:
    """GitHub's own description allows each question and each answer; the world checks all others the same way."""
    pull = world.landed(OTHER)
    world.repo.check("ci", pull.merged_head)
    world.facts(pull)
    assert len(world.server.exchanges) > 8
    assert [problem for exchange in world.server.exchanges for problem in description.problems(exchange)] == []


def test_a_required_check_may_be_a_commit_status(world: World, description: Description) -> None:
    """The newest of each account, by the app whose bot set it; whoever is no app's, or of an app unseen, is named."""
    world.repo.protect(checks=(("ci", 9), ("lint", 15368)))
    pull = world.propose(OTHER)
    head, bots = world.repo.head_of(pull), [User(90, "our-ci[bot]", "Bot"), User(91, "hidden[bot]", "Bot")]
    world.github.apps["our-ci"] = 9
    world.repo.check("lint", head)
    said = [
        (bots[0], "failure"),
        (bots[0], "success"),
        (world.user("bob"), "success"),
        (bots[1], "pending"),
        (None, "error"),
    ]
    for creator, state in said:
        world.repo.status("ci", head, creator, state)
        world.repo.status("other", head, creator, state)
    world.repo.status("ci", head, User(92, "our-ci", "User"), "success")
    world.approve(pull, "alice", "dora")
    world.merge(pull)
    found = [(run.name, run.app, run.conclusion, run.by) for run in world.facts(pull).checks if run.by]
    assert found == [
        ("ci", None, "success", "our-ci"),
        ("ci", None, "error", "nobody"),
        ("ci", None, None, "hidden[bot]"),
        ("ci", None, "success", "bob-gh"),
        ("ci", 9, "success", "our-ci[bot]"),
    ]
    assert [problem for exchange in world.server.exchanges for problem in description.problems(exchange)] == []


def test_an_answer_that_is_not_githubs_is_seen(world: World, description: Description) -> None:
    """The check of the double can fail: a field less, a value of another type, a parameter and an operation unknown."""
    pull = world.landed(OTHER)
    world.facts(pull)
    asked = next(it for it in world.server.exchanges if it.template.endswith("/reviews"))
    review = asked.answer[0]
    for changed in (
        {"answer": [{name: value for name, value in review.items() if name != "state"}]},
        {"answer": [{**review, "id": "42"}]},
        {"query": {**asked.query, "since": "x"}},
        {"template": "/repos/{owner}/{repo}/verdicts"},
    ):
        assert description.problems(dataclasses.replace(asked, **changed))


def test_facts_say_what_happened(world: World) -> None:
    """Author, head, reviews, commits, pushers, landing, protection."""
    pull = world.landed(OTHER)
    facts = world.facts(pull)
    assert (facts.repository_id, facts.repository_name) == ("github:4711", "acme/flags")
    request = facts.request
    assert request.author is not None
    assert (request.author.login, request.merge_commit, request.head) == ("bob-gh", pull.merge_commit, pull.merged_head)
    reviews = [(it.account.login, it.state) for it in facts.reviews if it.account]
    assert reviews == [("alice-gh", "approved"), ("dora-gh", "approved")]
    assert [commit.id for commit in facts.commits] == [pull.merged_head]
    assert {push.account.login for push in facts.pushes if push.account} == {"bob-gh"}
    assert (facts.landings[-1].kind, facts.landings[-1].after) == ("request-merge", pull.merge_commit)
    assert facts.rulesets[0].rules == ("deletion", "non_fast_forward", "pull_request")


def test_facts_are_saved_and_read_back_as_they_were(world: World) -> None:
    """Canonical JSON: the same bytes and the same value, whoever writes them."""
    facts = world.facts(world.landed(OTHER))
    again = Facts.parse(facts.to_bytes())
    assert again == facts
    assert again.to_bytes() == facts.to_bytes()
    assert again.digest == facts.digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"version":1', '"version":2'),
        ('"forge":"github"', '"forge":"github","trust":true'),
        ('"state":"approved"', '"state":"blessed"'),
        ('"number":1', '"number":"1"'),
        ("Z", ""),
        ("}", ""),
    ],
)
def test_facts_of_another_form_are_refused(world: World, old: str, new: str) -> None:
    """An unknown field, an unknown state, a time without a zone, another version."""
    text = world.facts(world.landed(OTHER)).to_bytes().decode()
    assert old in text
    with pytest.raises(ForgeError, match="facts"):
        Facts.parse(text.replace(old, new).encode())


def test_every_page_is_read(tmp_path: Path) -> None:
    """Reviews, movements and commits beyond the first page count like the others."""
    with company(tmp_path, page=2) as world:
        pull = world.propose(OTHER)
        for number in range(5):
            world.commit(message=f"more {number}")
            world.push("change")
        world.approve(pull, *["alice"] * 7)
        world.merge(pull)
        facts = world.facts(pull)
    assert (len(facts.reviews), len(facts.commits), len(facts.pushes)) == (7, 6, 6)


def test_more_commits_than_one_page_of_graphql_are_read(world: World) -> None:
    """The second hundred as well."""
    pull = world.propose(OTHER)
    for number in range(100):
        world.commit(message=f"more {number}")
    world.push("change")
    world.merge(pull)
    assert len(world.facts(pull).commits) == 101


def by_status(world: World) -> tuple[Pull, User]:
    """Land a change on a branch that requires `Deploy` of an app; give the app's bot as well."""
    world.repo.rulesets.clear()
    world.repo.protect(checks=(("Deploy", 55),))
    world.github.apps["ours"] = 55
    return world.landed(OTHER), User(702, "ours[bot]", "Bot")


def test_the_case_of_a_status_is_none_of_its_name(world: World) -> None:
    """GitHub takes `deploy` for `Deploy`: the newest of an account counts, however it is written."""
    pull, bot = by_status(world)
    world.repo.status("Deploy", pull.merged_head, bot)
    world.repo.status("dePLOY", pull.merged_head, bot, "failure")
    (run,) = world.facts(pull).checks
    assert (run.name, run.app, run.conclusion) == ("dePLOY", 55, "failure")
    assert run.is_called("Deploy")


def test_a_flood_of_statuses_keeps_no_fact_from_being_read(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wanted is read for as long as the list allows; what lies beyond its end was not found."""
    monkeypatch.setattr(asking, "MOST_PAGES", 2)
    world.server.page = 3
    pull, bot = by_status(world)
    for _ in range(5):
        world.repo.status("noise", pull.merged_head, world.user("bob"))
    world.repo.status("Deploy", pull.merged_head, bot)
    for _ in range(5):
        world.repo.status("noise", pull.merged_head, world.user("bob"))
    (run,) = world.facts(pull).checks
    assert (run.app, run.conclusion, run.unread) == (55, "success", "")
    world.repo.status("noise", pull.merged_head, world.user("bob"))
    (run,) = world.facts(pull).checks
    assert (run.app, run.conclusion, run.unread) == (None, None, "there are too many")


def test_statuses_that_the_token_may_not_read_are_none(world: World) -> None:
    """An App whose owner has not granted the permission yet; the facts say it by the check's name."""
    pull, bot = by_status(world)
    world.repo.status("Deploy", pull.merged_head, bot)
    world.server.trouble(403, body={"message": "Resource not accessible by integration"}, path="/statuses")
    found = {(run.name, run.app, run.conclusion, run.unread) for run in world.facts(pull).checks}
    assert found == {("Deploy", None, None, "the token may not read them")}


def test_a_list_without_an_end_is_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not read whole is not decided on."""
    monkeypatch.setattr(asking, "MOST_PAGES", 2)
    world.server.page = 2
    pull = world.propose(OTHER)
    world.approve(pull, *["alice"] * 5)
    world.merge(pull)
    assert code(world) == "PageLimit"


def test_an_unmerged_request_is_refused(world: World) -> None:
    """Approval is attested of what landed."""
    world.propose(OTHER)
    assert code(world) == "NotMerged"


def test_a_request_that_is_not_there_is_refused(world: World) -> None:
    """404 is an answer, and it is not asked twice."""
    assert code(world, 99) == "FactMissing"
    assert world.slept == []


def test_a_server_that_stumbles_is_asked_again(world: World) -> None:
    """Errors of the server, broken connections and answers that are no JSON cost a pause, each a longer one."""
    pull = world.landed(OTHER)
    world.server.trouble(502)
    world.server.trouble(503)
    world.server.trouble(drop=True)
    assert world.facts(pull).request.number == 1
    assert world.slept == [1.0, 2.0, 4.0]


def test_a_server_that_stays_down_is_a_refusal(world: World) -> None:
    """In the end somebody is told, and nothing was decided."""
    world.landed(OTHER)
    for _ in range(asking.ATTEMPTS):
        world.server.trouble(500)
    assert code(world) == "ForgeDown"
    assert len(world.slept) == asking.ATTEMPTS - 1


def test_a_primary_limit_is_waited_for(world: World) -> None:
    """Until the time that GitHub names."""
    pull = world.landed(OTHER)
    reset = int(world.github.now.timestamp()) + 90
    world.server.trouble(403, x_ratelimit_remaining="0", x_ratelimit_reset=str(reset))
    world.facts(pull)
    assert world.slept == [91.0]


def test_a_secondary_limit_is_waited_for(world: World) -> None:
    """For as long as GitHub says; where it says nothing, a minute, and then two."""
    pull = world.landed(OTHER)
    world.server.trouble(429, retry_after="7")
    told = {"message": "You have exceeded a secondary rate limit."}
    world.server.trouble(403, body=told, path="/reviews")
    world.server.trouble(403, body=told, path="/reviews")
    world.facts(pull)
    assert world.slept == [7.0, 60.0, 120.0]


def test_a_limit_that_graphql_tells_in_an_answer_is_waited_for(world: World) -> None:
    """There it is no status but an error; until the time that GitHub names, else a minute."""
    pull = world.landed(OTHER)
    limited: Any = {"data": None, "errors": [{"type": "RATE_LIMITED", "message": "API rate limit exceeded"}]}
    reset = int(world.github.now.timestamp()) + 30
    world.server.trouble(200, body=limited, path="/graphql", x_ratelimit_remaining="0", x_ratelimit_reset=str(reset))
    world.server.trouble(200, body=limited, path="/graphql")
    assert world.facts(pull).request.number == 1
    assert world.slept == [31.0, 120.0]


def answered(world: World, change: Callable[[Any], None]) -> Any:  # noqa: ANN401 (JSON)
    """Give what GraphQL answers of the request, changed."""
    world.facts(world.repo.pulls[1])
    (exchange,) = (entry for entry in world.server.exchanges if entry.path == "/graphql")
    answer = json.loads(json.dumps(exchange.answer))
    change(answer)
    return answer


def _commits(answer: Any) -> Any:  # noqa: ANN401 (JSON)
    return answer["data"]["repository"]["pullRequest"]["commits"]


@pytest.mark.parametrize(
    "change",
    [
        lambda answer: answer.update(errors=[{"message": "Something went wrong"}]),
        lambda answer: answer["data"].update(repository=None),
        lambda answer: answer["data"]["repository"].update(databaseId=9),
        lambda answer: answer["data"]["repository"].update(pullRequest=None),
        lambda answer: _commits(answer)["nodes"].append(None),
        lambda answer: _commits(answer).update(nodes=None),
        lambda answer: _commits(answer)["nodes"][0]["commit"]["authors"].update(totalCount=2),
        lambda answer: _commits(answer)["nodes"][0]["commit"]["authors"].update(totalCount=21),
        lambda answer: _commits(answer)["nodes"][0]["commit"]["authors"].update(nodes=[None]),
        lambda answer: _commits(answer)["nodes"][0]["commit"].update(committer=None),
        lambda answer: _commits(answer)["pageInfo"].update(hasNextPage=True, endCursor=None),
        lambda answer: _commits(answer)["pageInfo"].update(hasNextPage=None),
    ],
)
def test_a_graphql_answer_that_is_not_whole_is_none(world: World, change: Callable[[Any], None]) -> None:
    """Errors beside data, what another repository of that name holds, authors that are counted and not named."""
    world.landed(OTHER)
    world.server.trouble(200, body=answered(world, change), path="/graphql")
    assert code(world) == "FactMissing"


def test_a_limit_beyond_all_patience_is_a_refusal(world: World) -> None:
    """An hour is for a person to decide on."""
    world.landed(OTHER)
    world.server.trouble(403, retry_after="3600")
    assert code(world) == "RateLimited"
    assert world.slept == []


def test_a_refusal_that_is_no_limit_is_not_repeated(world: World) -> None:
    """403 without a word about rates: the token may not, and asking again would not help."""
    world.landed(OTHER)
    world.server.trouble(403, body={"message": "Resource not accessible by integration"})
    assert code(world) == "FactMissing"
    assert world.slept == []


def test_what_did_not_change_is_asked_for_by_its_etag(world: World) -> None:
    """A second look costs no quota: GitHub does not count answers 304."""
    pull = world.landed(OTHER)
    forge = world.forge()
    first = forge.facts(pull.number)
    before = len(world.server.exchanges)
    assert forge.facts(pull.number).to_bytes() == first.to_bytes()
    again = [exchange for exchange in world.server.exchanges[before:] if exchange.method == "GET"]
    assert [exchange.status for exchange in again] == [304] * len(again)


@pytest.mark.parametrize("field", ["updated_at", "bypass_actors"])
def test_a_field_left_out_is_no_default(world: World, field: str) -> None:
    """A ruleset that does not say when it changed cannot be read; one that hides who may bypass it says so."""
    pull = world.landed(OTHER)
    ruleset = world.repo.rulesets[0]
    if field == "bypass_actors":
        ruleset.bypass = None
        assert world.facts(pull).rulesets[0].bypass is None
        return
    path = f"/rulesets/{ruleset.id}"
    world.server.trouble(200, body={"id": ruleset.id, "name": "x", "source": "x", "enforcement": "active"}, path=path)
    assert code(world) == "FactMissing"


def test_a_fork_that_is_gone_is_a_refusal(world: World) -> None:
    """With it went who pushed to it."""
    fork = world.github.repository("mallory-gh", "flags", 9)
    world.branch("change")
    world.commit(OTHER, by="mallory")
    fork.push(world.user("mallory"), world.clone, "HEAD", "change")
    pull = world.repo.open(world.user("mallory"), "change", fork=fork)
    world.merge(pull)
    assert {push.account.login for push in world.facts(pull).pushes if push.account} == {"mallory-gh"}
    del world.github.repositories[fork.full_name]
    assert code(world) == "FactMissing"


def test_a_token_comes_from_the_environment_only() -> None:
    """The first variable that is set; an App needs all three."""
    assert access_from({"GITHUB_TOKEN": "two", "FLAGSEAL_GITHUB_TOKEN": "one"}).password() == "one"
    app = {"FLAGSEAL_GITHUB_APP_ID": "1", "FLAGSEAL_GITHUB_APP_KEY": "/nowhere"}
    for environment in ({}, {"GITHUB_TOKEN": "a b"}, app, {**app, "FLAGSEAL_GITHUB_APP_INSTALLATION": "2"}):
        with pytest.raises(ForgeError) as refused:
            access_from(environment)
        assert refused.value.remedy
    with pytest.raises(ForgeError, match="https"):
        access_from({"GITHUB_TOKEN": "x", "GITHUB_API_URL": "http://example.com"})


def test_an_app_gets_its_token_by_its_key(world: World, tmp_path: Path) -> None:
    """The App's key signs a short proof, GitHub answers with a token, and the token asks."""
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key  # noqa: PLC0415 (only here)
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat  # noqa: PLC0415

    key = generate_private_key(65537, 2048)
    path = tmp_path / "app.pem"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    environment = {
        "FLAGSEAL_GITHUB_APP_ID": "1",
        "FLAGSEAL_GITHUB_APP_KEY": str(path),
        "FLAGSEAL_GITHUB_APP_INSTALLATION": "2",
        "FLAGSEAL_GITHUB_API": world.server.url,
    }
    asker = open_github(access_from(environment))
    assert asker.get("/repos/acme/flags")["id"] == 4711  # type: ignore[index,call-overload]
    assert world.server.exchanges[0].template == "/app/installations/{installation_id}/access_tokens"


def test_no_secret_is_shown_or_put_in_an_address(
    world: World, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither logs at their loudest, nor errors, nor addresses, nor representations have the token."""
    caplog.set_level(logging.DEBUG)
    pull = world.landed(OTHER)
    world.server.trouble(500)
    forge = world.forge()
    facts = forge.facts(pull.number)
    world.server.trouble(401, path="/reviews")
    with pytest.raises(ForgeError) as refused:
        forge.facts(pull.number)
    access = access_from({"GITHUB_TOKEN": TOKEN, "GITHUB_API_URL": world.server.url})
    shown = [caplog.text, *capsys.readouterr(), refused.value.message, repr(access), facts.to_bytes().decode()]
    asked = [f"{exchange.path}?{exchange.query}{exchange.body}" for exchange in world.server.exchanges]
    assert [text for text in (*shown, *asked) if TOKEN in text] == []
    assert all(TOKEN in exchange.headers["authorization"] for exchange in world.server.exchanges)
