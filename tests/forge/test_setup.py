"""`flagseal forge check` and `setup`: each deviation is named with its remedy and repaired, and nothing loosened."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flagseal_cli.forge import name_in
from flagseal_cli.main import run as flagseal
from tests.forge.github import ACTIONS_APP, Ruleset
from tests.forge.server import TOKEN
from tests.forge.world import YESTERDAY, company, lasting, run
from tests.history.company import approval_policy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.forge.server import Exchange
    from tests.forge.world import World

TEAM: dict[str, Any] = {"actor_id": 9, "actor_type": "Team", "bypass_mode": "pull_request"}
ADMINS: dict[str, Any] = {"actor_id": None, "actor_type": "OrganizationAdmin", "bypass_mode": "always"}
PROTECTION: dict[str, Any] = {
    "checks": [{"name": "check", "app": ACTIONS_APP}],
    "bypass": [{"actor": "team", "id": 9, "mode": "pull-request", "reason": "Night shift."}],
}


@dataclass
class Forge:
    """A company, and the commands that an administrator runs in its clone."""

    world: World
    capsys: pytest.CaptureFixture[str]

    @property
    def own(self) -> Ruleset:
        """The ruleset that is ours."""
        (found,) = (entry for entry in self.world.repo.rulesets if entry.name == "flagseal")
        return found

    def run(self, *words: str) -> int:
        """Run `flagseal forge …`; the token is never printed, whatever happens."""
        self.capsys.readouterr()
        code = flagseal(["forge", *words, "--github", "acme/flags", "--repo", str(self.world.clone)])
        self.said = self.capsys.readouterr()
        assert TOKEN not in self.said.out + self.said.err
        assert all(TOKEN not in f"{exchange.path}{exchange.query}" for exchange in self.world.server.exchanges)
        return code

    def check(self) -> dict[str, str]:
        """Give what deviates, by code; each with a place and a remedy, and the exit code to match."""
        code = self.run("check", "--format", "json")
        found = json.loads(self.said.out)["deviations"]
        assert all(entry["place"] and entry["message"] and entry["remedy"] for entry in found)
        assert code == (1 if found else 0)
        return {entry["code"]: entry["message"] for entry in found}

    def writes(self) -> list[Exchange]:
        """Give what was written."""
        return [exchange for exchange in self.world.server.exchanges if exchange.method != "GET"]


@contextmanager
def administered(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, protection: dict[str, Any] | None
) -> Iterator[Forge]:
    """A company whose repository is protected by nothing yet."""
    rows = approval_policy() | ({} if protection is None else {"protection": protection})
    with company(path, approvals=rows, now=YESTERDAY) as world:
        world.repo.rulesets.clear()
        monkeypatch.setenv("FLAGSEAL_GITHUB_API", world.server.url)
        monkeypatch.setenv("FLAGSEAL_GITHUB_TOKEN", TOKEN)
        monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
        yield Forge(world, capsys)


@pytest.fixture
def forge(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    """A repository without protection; policies that say nothing more."""
    with administered(tmp_path, capsys, monkeypatch, None) as found:
        yield found


@pytest.fixture
def declaring(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Forge]:
    """A repository without protection; policies that name a check, and a team that may pass."""
    with administered(tmp_path, capsys, monkeypatch, PROTECTION) as found:
        yield found


def attested(world: World) -> int:
    """Attest what landed, as the attestor's job does."""
    key = world.path / "attestor.pem"
    key.write_bytes(world.signer._private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)
    (world.path / "trust.json").write_bytes(world.trust.to_bytes())
    where = ["--repo", str(world.clone), "--trust", str(world.path / "trust.json")]
    return flagseal(["attest", *where, "--key", str(key)])


def test_a_repository_without_protection_is_set_up_once(forge: Forge) -> None:
    """Everything is named; one ruleset is made; then nothing deviates, and nothing more is written."""
    assert set(forge.check()) == {
        "MayBeDeleted",
        "MayBeForcePushed",
        "NoRequestNeeded",
        "TooFewApprovals",
        "ReviewsOutlivePush",
        "CodeOwnersNotAsked",
        "LastPushUnseen",
    }
    assert forge.run("setup") == 0
    assert "changed ruleset flagseal (new)" in forge.said.out
    assert "+ rule deletion" in forge.said.out
    assert [(entry.method, entry.status) for entry in forge.writes()] == [("POST", 201)]
    assert forge.check() == {}
    assert forge.run("setup") == 0
    assert "Nothing to change" in forge.said.err
    assert len(forge.writes()) == 1


def test_after_setup_an_ordinary_merge_is_attested(declaring: Forge) -> None:
    """What the command sets up is what the attestor asks for: its own check passes, and the statement is signed."""
    assert declaring.run("setup") == 0
    world = declaring.world
    world.github.wait(minutes=1)
    pull = world.propose(lasting("other"))
    world.approve(pull, "alice", "dora")
    world.repo.check("check", world.repo.head_of(pull))
    world.merge(pull)
    assert attested(world) == 0
    assert "ok   protection: flagseal: in force since" in declaring.capsys.readouterr().out
    assert world.poll().commit == pull.merge_commit


def _ruled(kind: str, **parameters: Any) -> Callable[[Forge], None]:  # noqa: ANN401 (JSON)
    """Change a rule's parameters; without any, take the rule away."""

    def deviate(forge: Forge) -> None:
        found = forge.own.rules[kind]
        if parameters:
            assert found is not None
            found.update(parameters)
        else:
            del forge.own.rules[kind]

    return deviate


def _own(**fields: Any) -> Callable[[Forge], None]:  # noqa: ANN401 (fields of the ruleset)
    def deviate(forge: Forge) -> None:
        for name, value in fields.items():
            setattr(forge.own, name, value)

    return deviate


def _repo(**fields: Any) -> Callable[[Forge], None]:  # noqa: ANN401 (fields of the repository)
    def deviate(forge: Forge) -> None:
        for name, value in fields.items():
            setattr(forge.world.repo, name, value)

    return deviate


@pytest.mark.parametrize(
    ("deviate", "code"),
    [
        (_ruled("deletion"), "MayBeDeleted"),
        (_ruled("non_fast_forward"), "MayBeForcePushed"),
        (_ruled("pull_request"), "NoRequestNeeded"),
        (_ruled("pull_request", required_approving_review_count=0), "TooFewApprovals"),
        (_ruled("pull_request", dismiss_stale_reviews_on_push=False), "ReviewsOutlivePush"),
        (_ruled("pull_request", require_code_owner_review=False), "CodeOwnersNotAsked"),
        (_ruled("pull_request", require_last_push_approval=False), "LastPushUnseen"),
        (_ruled("required_status_checks"), "CheckNotRequired"),
        (_ruled("required_status_checks", required_status_checks=[{"context": "check"}]), "CheckByAnybody"),
        (
            _ruled("required_status_checks", required_status_checks=[{"context": "check", "integration_id": 7}]),
            "CheckNotRequired",
        ),
        (_own(bypass=[ADMINS]), "MayBeBypassed"),
        (_own(bypass=[{**TEAM, "bypass_mode": "always"}]), "MayBeBypassed"),
        (_own(bypass=[{**TEAM, "actor_id": 10}]), "MayBeBypassed"),
        (_own(bypass=[{**TEAM, "actor_type": "User"}]), "MayBeBypassed"),
        (_own(enforcement="disabled"), "MayBeDeleted"),
        (_own(enforcement="evaluate"), "NoRequestNeeded"),
        (_own(exclude=["refs/heads/main"]), "MayBeForcePushed"),
        (_own(include=["refs/heads/other"]), "MayBeDeleted"),
        (_repo(rulesets=[], classic=True), "ClassicProtection"),
        (_repo(token_writes=True), "TokenWrites"),
        (_repo(actions_approve=True), "ActionsApprove"),
        (_repo(auto_merge=True), "AutoMerge"),
    ],
)
def test_each_deviation_is_named_and_repaired(declaring: Forge, deviate: Callable[[Forge], None], code: str) -> None:
    """By its code; setup repairs it, by one write, and it is gone."""
    assert declaring.run("setup") == 0
    assert declaring.check() == {}
    deviate(declaring)
    assert code in declaring.check()
    before = len(declaring.writes())
    assert declaring.run("setup", "--dry-run") == 1
    assert "would change" in declaring.said.out
    assert len(declaring.writes()) == before
    assert declaring.run("setup") == 0
    assert len(declaring.writes()) == before + 1
    assert declaring.check() == {}


def test_what_setup_cannot_do_is_left_with_its_remedy(forge: Forge) -> None:
    """CODEOWNERS is changed by a request, and a stranger's check by whoever made that ruleset."""
    message = "Unknown owner on line 3:\n\n  * @nobody"
    error = {"line": 3, "column": 1, "kind": "Unknown owner", "message": message, "path": "CODEOWNERS"}
    forge.world.repo.codeowners_errors = [error]
    theirs = {"strict_required_status_checks_policy": True, "required_status_checks": [{"context": "lint"}]}
    forge.world.repo.rulesets.append(
        Ruleset(7, "lint", "main", forge.world.github.now, {"required_status_checks": theirs})
    )
    assert forge.run("setup") == 1
    assert "FAIL CodeownersError (CODEOWNERS:3:1): Unknown owner on line 3\n       → Correct it" in forge.said.out
    assert "FAIL CheckByAnybody (ruleset lint)" in forge.said.out
    assert set(forge.check()) == {"CodeownersError", "CheckByAnybody"}
    assert forge.world.repo.rulesets[0].rules == {"required_status_checks": theirs}


def test_a_branch_without_codeowners_is_told(forge: Forge) -> None:
    """Without it, no path has an owner, and every change is refused."""
    world = forge.world
    world.branch("work")
    run(world.clone, "rm", "--quiet", ".github/CODEOWNERS")
    world.commit()
    world.push("main", "carol")
    assert "NoCodeowners" in forge.check()


def test_nothing_that_is_stricter_is_loosened(declaring: Forge) -> None:
    """More approvals, more rules, more checks, fewer ways to merge stay as they are while the rest is repaired."""
    world = declaring.world
    strict = {
        "required_approving_review_count": 3,
        "dismiss_stale_reviews_on_push": False,
        "require_code_owner_review": True,
        "require_last_push_approval": True,
        "required_review_thread_resolution": True,
        "allowed_merge_methods": ["squash"],
    }
    checks = {
        "strict_required_status_checks_policy": True,
        "required_status_checks": [{"context": "lint", "integration_id": 3}],
    }
    made = Ruleset(5, "flagseal", "main", world.github.now, {})
    made.rules = {"required_signatures": None, "pull_request": strict, "required_status_checks": checks}
    world.repo.rulesets.append(made)
    assert declaring.run("setup") == 0
    assert declaring.own.rules == {
        "required_signatures": None,
        "pull_request": strict | {"dismiss_stale_reviews_on_push": True},
        "required_status_checks": {
            "strict_required_status_checks_policy": True,
            "required_status_checks": [
                {"context": "lint", "integration_id": 3},
                {"context": "check", "integration_id": ACTIONS_APP},
            ],
        },
        "deletion": None,
        "non_fast_forward": None,
    }


def test_auto_merge_stays_where_one_approval_is_all_that_any_row_asks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then nothing can land before it has what the rows ask for."""
    rows = approval_policy()
    one = {"approvals": [{"role": "security", "count": 1}], "evidence": "forge"}
    rows["tiers"] = {tier: {"production": {"widen": one}, "nonProduction": {"widen": one}} for tier in rows["tiers"]}
    rows["policies"] = {"widen": one}
    with company(tmp_path, approvals=rows) as world:
        monkeypatch.setenv("FLAGSEAL_GITHUB_API", world.server.url)
        monkeypatch.setenv("FLAGSEAL_GITHUB_TOKEN", TOKEN)
        world.repo.auto_merge = True
        assert Forge(world, capsys).check() == {}


def test_workflows_that_open_requests_keep_the_setting_for_it(forge: Forge) -> None:
    """GitHub has one for opening and approving; no approval of theirs counts at the attestor."""
    assert forge.run("setup") == 0
    forge.world.branch("retire")
    forge.world.commit(files={".github/workflows/retire.yaml": "name: retire\n"})
    forge.world.repo.actions_approve = forge.world.repo.token_writes = True
    assert set(forge.check()) == {"TokenWrites"}
    assert forge.run("setup") == 0
    assert (forge.world.repo.token_writes, forge.world.repo.actions_approve) == (False, True)
    assert forge.check() == {}


def test_those_whom_the_policies_name_pass_only_where_setup_is_told_so(declaring: Forge) -> None:
    """A declaration allows and does not ask: it is granted by a word of its own, and is then no deviation."""
    assert declaring.run("setup") == 0
    assert declaring.own.bypass == []
    assert declaring.run("setup", "--with-bypass") == 0
    assert "+ may be passed by team 9 (pull-request)" in declaring.said.out
    assert declaring.own.bypass == [TEAM]
    assert declaring.check() == {}
    before = len(declaring.writes())
    assert declaring.run("setup", "--with-bypass") == declaring.run("setup") == 0
    assert len(declaring.writes()) == before
    declaring.own.bypass.append(ADMINS)
    assert declaring.run("setup") == 0
    assert declaring.own.bypass == [TEAM]


def test_rulesets_of_the_organisation_count_where_they_show_who_may_pass(forge: Forge) -> None:
    """One that holds everything is enough: nothing is made beside it, and it is never written to."""
    given = forge.world.repo.protect()
    given.organisation = "acme"
    assert forge.check() == {}
    assert forge.run("setup") == 0
    assert forge.writes() == []


def test_rulesets_of_the_organisation_that_hide_who_may_pass_do_not_count(forge: Forge) -> None:
    """A repository's administrator does not see it: one of its own is made, and the other is left alone."""
    given = forge.world.repo.protect()
    given.organisation, given.bypass = "acme", None
    assert "BypassHidden" in forge.check()
    assert forge.run("setup") == 0
    assert forge.check() == {}
    assert len(forge.writes()) == 1
    assert given in forge.world.repo.rulesets


@pytest.mark.parametrize("words", [["check"], ["setup"], ["setup", "--dry-run"]])
def test_a_token_that_may_not_administer_is_one_clear_error(forge: Forge, words: list[str]) -> None:
    """Exit code 2, the permission by its name, and nothing written."""
    forge.world.github.administers = False
    assert forge.run(*words) == 2
    assert forge.said.err.count("error[NotPermitted]") == 1
    assert "Administration" in forge.said.err
    assert "→" in forge.said.err
    assert forge.said.out == ""
    assert forge.writes() == []


def test_a_token_that_may_look_and_not_touch_is_told_so(forge: Forge) -> None:
    """It sees the settings, not who may pass; or it sees all, and the write is refused."""
    forge.world.repo.protect().bypass = None
    assert forge.run("check") == 2
    assert "who may bypass its rulesets; it lacks the permission Administration: write" in forge.said.err
    forge.world.repo.rulesets.clear()
    body = {"message": "Resource not accessible by personal access token"}
    forge.world.server.trouble(403, body=body, method="POST", path="/rulesets")
    assert forge.run("setup") == 2
    assert "error[NotPermitted]" in forge.said.err
    assert "Administration: write" in forge.said.err


def test_a_branch_that_is_not_there_is_named(forge: Forge) -> None:
    """Otherwise it would be found unprotected."""
    assert forge.run("check", "--branch", "nowhere") == 2
    assert "there is no branch nowhere" in forge.said.err


def test_text_and_json_say_the_same(forge: Forge) -> None:
    """One line a deviation, its remedy below it."""
    codes = forge.check()
    assert forge.run("check") == 1
    assert [line.split()[1] for line in forge.said.out.splitlines() if "FAIL" in line] == list(codes)
    assert forge.said.out.count("→") == len(codes)
    assert "acme/flags (github:4711), branch main" in forge.said.out


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("https://github.com/acme/flags.git", "acme/flags"),
        ("https://github.com/acme/flags", "acme/flags"),
        ("git@github.com:acme/flags.git", "acme/flags"),
        ("ssh://git@github.com/acme/flags.git", "acme/flags"),
        ("/srv/git/flags.git", ""),
        ("file:///srv/acme/flags.git", ""),
        ("", ""),
    ],
)
def test_the_repository_is_found_by_the_remote(address: str, name: str) -> None:
    """Where the address is one of git on a network; a folder names nobody's repository."""
    assert name_in(address) == name
