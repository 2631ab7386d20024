"""What the expiry bot does at a git host: one branch and one request a flag, whatever happens in between."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from flagseal_validators.forge.github.asking import Asker
from flagseal_validators.retirement.references import Reference
from tests.approval.keyring import SshKey
from tests.forge.github import ME, User
from tests.forge.limits import Limits
from tests.forge.world import run
from tests.history.company import flag, rule
from tests.retirement.bench import Bench, Killed, bench, ending, mortal

if TYPE_CHECKING:
    from pathlib import Path

CHECKOUT = "payments/checkout"
FILE = "flags/payments/checkout.yaml"
BRANCH = f"flagseal/retire/{CHECKOUT}"


def spec(found: Bench, branch: str = BRANCH) -> dict[str, Any]:
    """Read the flag as a branch has it."""
    read = json.loads(found.file(branch, FILE))
    assert isinstance(read["spec"], dict)
    return read["spec"]


def test_a_flag_at_its_date_gets_one_branch_and_one_request(tmp_path: Path) -> None:
    """The request retires it and nothing else; the same run again writes nothing, over HTTP or by git."""
    with bench(tmp_path, ending("checkout")) as found:
        before = found.file("main", FILE)
        assert found.done() == {CHECKOUT: "opened"}
        assert [(pull.head, pull.base, pull.labels) for pull in found.pulls] == [(BRANCH, "main", ["flagseal-retire"])]
        assert "@alice-gh @bob-gh" in found.pulls[0].body
        assert found.world.repo.git("log", "-1", "--format=%ae %ce", BRANCH) == f"{ME.email} {ME.email}"
        assert found.file(BRANCH, FILE) == before.replace('"canary"', '"retired"')
        tips, writes = found.branches, found.writes()
        found.world.github.wait(days=1)
        assert found.done() == {CHECKOUT: "unchanged"}
        assert (found.branches, found.writes()) == (tips, writes)


def test_nobodys_working_tree_is_touched(tmp_path: Path) -> None:
    """Neither HEAD, nor the index, nor a file of the clone at hand."""
    with bench(tmp_path, ending("checkout")) as found:
        found.done()
        (found.clone / FILE).write_text("mine")
        found.pulls[0].closed = True
        head = run(found.clone, "rev-parse", "HEAD")
        found.done()
        assert (run(found.clone, "rev-parse", "HEAD"), (found.clone / FILE).read_text()) == (head, "mine")
        assert run(found.clone, "status", "--porcelain") == f"M {FILE}"
        assert run(found.clone, "branch", "--list") == "* main"


def test_before_its_date_there_is_an_issue_and_then_the_request_in_its_place(tmp_path: Path) -> None:
    """Warned twice by one issue, which closes when the request comes; a new date closes what is open."""
    with bench(tmp_path, ending("checkout", "2026-12-03")) as found:
        assert found.done() == {CHECKOUT: "opened"}
        (issue,) = found.issues
        assert (issue.title, "@alice-gh" in issue.body) == (f"{CHECKOUT} expires on 2026-12-03", True)
        assert found.pulls == []
        found.world.github.wait(days=4)
        assert found.done() == {CHECKOUT: "updated"}
        assert (len(found.issues), "notice=7" in issue.body) == (1, True)
        found.world.github.wait(days=6)
        assert found.done() == {CHECKOUT: "opened"}
        assert (issue.closed, len(found.pulls)) == (True, 1)
        found.world.landed(ending("checkout", "2027-03-01"))
        assert found.done() == {CHECKOUT: "closed"}
        assert all(pull.closed for pull in found.pulls)


def test_what_everybody_is_not_served_alike_goes_to_the_safe_variant(tmp_path: Path) -> None:
    """Where people differ the request switches off, and says so; where they do not it leaves all as it is."""
    with bench(tmp_path, ending("checkout", production=rule({"org": "acme"}))) as found:
        found.done()
        environments = spec(found)["environments"]
        assert environments["production"]["off"] is True
        assert environments["production"]["rules"]
        assert "off" not in environments["staging"]
        assert "`production` **changes**" in found.pulls[0].body
        assert "`staging` goes on serving `enabled` to everybody" in found.pulls[0].body


def test_a_branch_that_somebody_else_committed_to_is_theirs(tmp_path: Path) -> None:
    """Not overwritten, even if the file changes below it; nor is their description."""
    with bench(tmp_path, ending("checkout", production=rule({"org": "acme"}))) as found:
        found.done()
        found.world.repo.edit(found.world.user("bob"), BRANCH, {FILE: found.file("main", FILE)})
        tip, body = found.branches, found.pulls[0].body
        found.world.github.wait(days=30)
        outcome = found.run()[CHECKOUT]
        assert (outcome.done, outcome.why) == ("left", f"somebody else committed to {BRANCH}")
        assert (found.branches, found.pulls[0].body) == (tip, body)


@pytest.mark.parametrize("signatures", [1, 2])
def test_a_commit_that_somebody_signed_is_theirs(tmp_path: Path, signatures: int) -> None:
    """One signature or two: everything else is the bot's, and the signature alone says whose it is."""
    with bench(tmp_path, ending("checkout")) as found:
        found.done()
        head, _, message = found.world.repo.git("cat-file", "commit", BRANCH).partition("\n\n")
        signature = "\n".join(
            ["gpgsig -----BEGIN SSH SIGNATURE-----\n eA==\n -----END SSH SIGNATURE-----"] * signatures
        )
        signed = f"{head}\n{signature}\n\n{message}\n"
        commit = found.world.repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=signed)
        found.world.repo.git("update-ref", f"refs/heads/{BRANCH}", commit)
        assert found.run()[CHECKOUT].why == f"somebody else committed to {BRANCH}"


@pytest.mark.parametrize(
    "options", [(), ("--reset-author",), ("-S",), ("--reset-author", "-S")], ids=["amended", "theirs", "signed", "both"]
)
def test_a_commit_that_somebody_amended_is_theirs(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Message, parent and change are still the bot's; it is left alone even when the file goes on below it."""
    with bench(tmp_path, ending("checkout")) as found:
        found.done()
        found.world.branch("mine", f"origin/{BRANCH}")
        key = SshKey.of("bob").write(tmp_path / "bob")
        who = {f"GIT_{role}_NAME": "Bob" for role in ("AUTHOR", "COMMITTER")}
        who |= {f"GIT_{role}_EMAIL": "bob@example.com" for role in ("AUTHOR", "COMMITTER")}
        how = ("-c", "gpg.format=ssh", "-c", f"user.signingkey={key}")
        run(found.world.clone, *how, "commit", "--quiet", "--amend", "--no-edit", *options, **who)
        found.world.push(BRANCH, force=True)
        tips = found.branches
        found.world.landed(ending("checkout", description="Rewritten."))
        outcome = found.run()[CHECKOUT]
        assert (outcome.done, outcome.why) == ("left", f"somebody else committed to {BRANCH}")
        assert found.branches == tips


def test_what_another_account_of_the_bots_wrote_is_the_bots(tmp_path: Path) -> None:
    """An App in place of the job's token goes on where that left off."""
    with bench(tmp_path, ending("checkout")) as found:
        found.done()
        found.world.github.me = User(900, "acme-flags[bot]", "Bot")
        found.world.landed(ending("checkout", description="Rewritten."))
        assert found.done() == {CHECKOUT: "updated"}
        assert found.world.repo.git("log", "-1", "--format=%an", BRANCH) == "acme-flags[bot]"


def by_block(found: Bench) -> dict[str, str | None]:
    """Write the flag's lifecycle as a block scalar, which no word of a line can replace."""
    spec = json.loads(found.file("main", FILE))
    spec["spec"].pop("lifecycle")
    body = "".join(f"{name}: {json.dumps(spec[name])}\n" for name in ("apiVersion", "kind", "metadata"))
    lines = [f"  {name}: {json.dumps(value)}\n" for name, value in spec["spec"].items()]
    return {FILE: f"{body}spec:\n  lifecycle: |-\n    canary\n{''.join(lines)}"}


def test_a_flag_whose_file_no_program_can_edit_is_escalated_by_an_issue(tmp_path: Path) -> None:
    """The issue says why, and what a person must write; its request closes; others are told after two weeks."""
    with bench(tmp_path, ending("checkout", production=rule({"org": "acme"}))) as found:
        found.done()
        found.world.landed(files=by_block(found))
        outcome = found.run()[CHECKOUT]
        assert [pull.closed for pull in found.pulls] == [True]
        (issue,) = found.issues
        assert (outcome.done, issue.title) == ("closed", f"Retire {CHECKOUT} by hand")
        assert "cannot be edited without changing anything else" in issue.body
        assert f'Write `lifecycle: retired` into `{FILE}`, and `"off": true` into `production`' in issue.body
        assert found.done() == {CHECKOUT: "unchanged"}
        found.world.github.wait(days=15)
        assert found.done() == {CHECKOUT: "updated"}
        assert issue.labels == ["flagseal-retire", "flagseal-overdue"]
        assert ["@dora-gh" in comment.body for comment in found.world.repo.comments] == [True]
        assert "Write `lifecycle: retired`" in found.world.repo.comments[0].body
        found.world.landed(ending("checkout"), branch="tidied")
        assert found.done() == {CHECKOUT: "opened"}
        assert (issue.closed, [pull.closed for pull in found.pulls]) == (True, [True, False])


def test_what_a_person_closed_stays_closed_until_the_step_changes(tmp_path: Path) -> None:
    """The closed request itself remembers for what it was made; two weeks on it is another step."""
    with bench(tmp_path, ending("checkout")) as found:
        found.done()
        found.pulls[0].closed = True
        assert found.run()[CHECKOUT].why == "its request was closed without merging"
        found.world.github.wait(days=13)
        assert found.done() == {CHECKOUT: "opened"}
        assert [pull.closed for pull in found.pulls] == [True, False]
        assert found.pulls[1].labels == ["flagseal-retire", "flagseal-overdue"]
        (comment,) = found.world.repo.comments
        assert "@dora-gh" in comment.body
        assert found.done() == {CHECKOUT: "unchanged"}


def test_what_the_bot_closed_itself_comes_back_when_it_is_due_again(tmp_path: Path) -> None:
    """Only a person's closing says no: not a night without sources, a reference back again, a date moved to and fro."""
    reference = {"checkout": (Reference("web/a.ts:1", "call"),)}
    with bench(tmp_path, ending("checkout", lifecycle="retired"), ending("other")) as found:
        assert found.done() == {CHECKOUT: "opened", "payments/other": "opened"}
        for references in (None, reference):
            found.references = references
            found.run()
            assert [issue.closed for issue in found.issues] == [False]
            assert {pull.head: pull.closed for pull in found.pulls}[BRANCH]
            found.references = {}
            outcome = found.run()[CHECKOUT]
            assert (outcome.done, outcome.why) == ("opened", "")
            assert [issue.closed for issue in found.issues] == [True]
            assert not {pull.head: pull.closed for pull in found.pulls}[BRANCH]
        found.world.landed(ending("other", "2027-03-01"))
        assert found.done() == {CHECKOUT: "unchanged", "payments/other": "closed"}
        found.world.landed(ending("other"), branch="back")
        assert found.done() == {CHECKOUT: "unchanged", "payments/other": "opened"}


def test_a_branch_moves_on_when_its_file_does(tmp_path: Path) -> None:
    """An edit of the flag on main is carried over; other changes of main push nothing."""
    with bench(tmp_path, ending("checkout"), flag("other")) as found:
        found.done()
        tip = found.branches
        found.world.landed(flag("other", expires="2027-02-28"))
        found.done()
        assert found.branches == tip
        found.world.landed(ending("checkout", description="Rewritten."))
        assert found.done() == {CHECKOUT: "updated"}
        assert spec(found)["description"] == "Rewritten."
        assert len(found.pulls) == 1


def test_a_life_ends_step_by_step_and_the_file_goes_last(tmp_path: Path) -> None:
    """Retired, merged; kept while code asks for it; deleted by a second request when it does not; then gone."""
    with bench(tmp_path, ending("checkout"), flag("other")) as found:
        found.references = {
            "checkout": (Reference("web/a.ts:1", "call", "https://github.com/acme/web/blob/1/a.ts#L1"),)
        }
        found.done()
        found.world.merge(found.pulls[0])
        found.done()
        (issue,) = found.issues
        assert "code still asks for it, at 1 place" in issue.body
        assert "[`web/a.ts:1`](https://github.com/acme/web/blob/1/a.ts#L1) (call)" in issue.body
        found.references = None
        found.done()
        assert "no source tree was searched" in issue.body
        found.references = {}
        assert found.done() == {CHECKOUT: "opened"}
        assert issue.closed
        assert found.pulls[1].title == f"Delete {CHECKOUT}, which is retired"
        assert "gets the default written in their own code" in found.pulls[1].body
        found.world.merge(found.pulls[1], method="squash")
        assert found.done() == {}
        assert FILE not in found.world.repo.git("ls-tree", "-r", "--name-only", "main")
        assert "flags/payments/other.yaml" in found.world.repo.git("ls-tree", "-r", "--name-only", "main")


def test_a_flag_that_others_need_is_not_deleted(tmp_path: Path) -> None:
    """A prerequisite is named, and stays."""
    needing = flag(
        "other", staging={"requires": [{"flag": "checkout", "variant": "enabled"}], "default": "enabled"},
        production={"default": "disabled"},
    )  # fmt: skip
    with bench(tmp_path, ending("checkout", lifecycle="retired"), needing) as found:
        assert found.done() == {CHECKOUT: "opened"}
        assert found.pulls == []
        assert "as a prerequisite" in found.issues[0].body


def test_whoever_owns_what_requires_a_flag_is_told_of_its_end(tmp_path: Path) -> None:
    """The request is made all the same, and mentions them."""
    needing = flag(
        "other", owner="team-search",
        production={"requires": [{"flag": "checkout", "variant": "enabled"}], "default": "enabled"},
    )  # fmt: skip
    with bench(tmp_path, ending("checkout"), needing) as found:
        assert found.done() == {CHECKOUT: "opened"}
        assert "@alice-gh @bob-gh @carol-gh" in found.pulls[0].body


def test_an_entitlement_is_reviewed_and_never_retired(tmp_path: Path) -> None:
    """An issue asks for the review, no request; nothing of its file changes."""
    entitled = flag(purpose="entitlement", review={"every": "90d", "last": "2026-08-01"})
    assert isinstance(entitled.spec, dict)
    del entitled.spec["expires"], entitled.spec["retireWhen"]
    with bench(tmp_path, entitled) as found:
        assert found.done() == {CHECKOUT: "opened"}
        assert (found.pulls, found.branches) == ([], {})
        assert found.issues[0].title == f"Review {CHECKOUT} by 2026-10-30"


def test_authentication_protocols_are_asked_three_questions(tmp_path: Path) -> None:
    """What failed, what surprised, what becomes the standard."""
    with bench(tmp_path, ending("checkout", purpose="auth-protocol")) as found:
        found.done()
        for question in ("What failed in testing?", "What surprised in production?", "What becomes the standard?"):
            assert f"**{question}**" in found.pulls[0].body


def test_the_most_urgent_come_first_and_the_rest_later(tmp_path: Path) -> None:
    """A limit counts what is written about; what stands does not use it up."""
    flags = [ending("c", "2026-11-22"), ending("a", "2026-12-01"), ending("b", "2026-10-01"), ending("d", "2026-11-21")]
    with bench(tmp_path, *flags) as found:
        assert found.done(limit=2) == {
            "payments/b": "opened", "payments/d": "opened", "payments/c": "later", "payments/a": "later",
        }  # fmt: skip
        assert found.done(limit=2) == {
            "payments/b": "unchanged", "payments/d": "unchanged", "payments/c": "opened", "payments/a": "opened",
        }  # fmt: skip


def test_a_branch_pushed_meanwhile_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between looking and pushing somebody pushes there: the lease refuses, the others go on."""
    with bench(tmp_path, ending("checkout"), ending("other")) as found:
        from flagseal_validators.retirement.branches import Branches  # noqa: PLC0415

        push = Branches.push

        def late(self: Branches, *arguments: Any) -> Any:  # noqa: ANN401
            found.world.push(BRANCH)
            return push(self, *arguments)

        monkeypatch.setattr(Branches, "push", late)
        outcomes = found.run()
        assert (outcomes[CHECKOUT].done, outcomes["payments/other"].done) == ("left", "opened")
        assert "not taken" in outcomes[CHECKOUT].why
        assert found.branches[f"retire/{CHECKOUT}"] == found.world.repo.tip("main")


def test_two_bots_at_once_leave_one_issue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one does it all between this one's looking and writing; the younger issue closes, and is forgotten."""
    send = Asker.send
    others: list[dict[str, str]] = []
    with bench(tmp_path, ending("checkout", "2026-12-03")) as found:

        def late(self: Asker, method: str, path: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
            if (method, path) == ("POST", "/repos/acme/flags/issues"):
                monkeypatch.setattr(Asker, "send", send)
                others.append(found.done())
            return send(self, method, path, *arguments, **options)

        monkeypatch.setattr(Asker, "send", late)
        assert (found.done(), others) == ({CHECKOUT: "opened"}, [{CHECKOUT: "opened"}])
        first, second = found.issues
        assert (first.closed, second.closed, second.body) == (False, True, f"Duplicate of #{first.number}.")
        first.closed = True
        assert found.run()[CHECKOUT].why == "its issue was closed"
        assert [issue.closed for issue in found.issues] == [True, True]


def test_ended_after_any_write_it_goes_on_and_repeats_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run is ended by force right after its first write, until one has nothing left to write."""
    flags = (
        ending("checkout"), ending("overdue", "2026-10-01"), ending("soon", "2026-12-01"),
        ending("gone", lifecycle="retired"), ending("search", owner="team-search"),
    )  # fmt: skip
    with bench(tmp_path / "calm", *flags) as calm:
        calm.run()
        wanted = sorted(
            (pull.title, sorted(pull.labels), pull.body.count("\n")) for pull in calm.world.repo.pulls.values()
        )
    life = mortal(monkeypatch)
    with bench(tmp_path / "killed", *flags) as found:
        killed = 0
        for _ in range(100):
            life.left = 1
            try:
                found.run()
            except Killed:
                killed += 1
                continue
            break
        assert killed > 10
        got = sorted(
            (pull.title, sorted(pull.labels), pull.body.count("\n")) for pull in found.world.repo.pulls.values()
        )
        assert got == wanted
        assert len(found.branches) == len(found.pulls) == 4
        assert len(found.world.repo.comments) == 1


def test_a_stricter_host_is_waited_for(tmp_path: Path) -> None:
    """Ten writes a minute: refused, waited for as long as it says, and everything is done in the end."""
    with bench(tmp_path, *(ending(f"flag-{number}") for number in range(8))) as found:
        found.world.server.limits = Limits(minute=10)
        assert set(found.done().values()) == {"opened"}
        assert found.world.server.limits.refusals > 0
        assert len(found.pulls) == 8
