"""One test for each way to be wrong in each of the ten checks, by the facts of one request that is right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from flagseal.model.errors import ForgeError
from flagseal_validators.attestor import Saved
from flagseal_validators.forge.facts import Account, CheckRun, Facts, Push, RequiredCheck, Review, Signed
from tests.forge.github import WEB_FLOW_ID
from tests.forge.world import ACCOUNTS, company
from tests.history.company import flag, organisation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.forge.world import World

MINUTE = timedelta(minutes=1)
BOB, ALICE, DORA = (Account(number, f"{name}-gh") for number, name in ((102, "bob"), (101, "alice"), (104, "dora")))
STRANGER = Account(999, "stranger")


@dataclass
class Landed:
    """A request that is in order, and its facts."""

    world: World
    facts: Facts

    def failed(self, facts: Facts) -> dict[str, str]:
        """Give the checks that fail by other facts, with their reasons."""
        return self.world.failed(source=Saved([facts]))

    def by(self, **changed: Any) -> dict[str, str]:  # noqa: ANN401 (fields of the facts)
        """Give the checks that fail where some facts are others."""
        return self.failed(msgspec.structs.replace(self.facts, **changed))

    def request(self, **changed: Any) -> dict[str, str]:  # noqa: ANN401 (fields of the request)
        """Give the checks that fail where the request is another."""
        return self.by(request=msgspec.structs.replace(self.facts.request, **changed))

    def review(self, which: int = 0, **changed: Any) -> dict[str, str]:  # noqa: ANN401 (fields of a review)
        """Give the checks that fail where a review (alice's is the first, dora's the second) is another."""
        reviews = list(self.facts.reviews)
        reviews[which] = msgspec.structs.replace(reviews[which], **changed)
        return self.by(reviews=tuple(reviews))

    def reviewed(self, *more: Review) -> dict[str, str]:
        """Give the checks that fail where there are further reviews."""
        return self.by(reviews=(*self.facts.reviews, *more))

    def commit(self, **changed: Any) -> dict[str, str]:  # noqa: ANN401 (fields of the commit)
        """Give the checks that fail where the request's commit is another."""
        return self.by(commits=(msgspec.structs.replace(self.facts.commits[0], **changed),))

    def pushed(self, *pushes: Push) -> dict[str, str]:
        """Give the checks that fail where its branch was moved otherwise."""
        return self.by(pushes=pushes)

    def ruled(self, **changed: Any) -> dict[str, str]:  # noqa: ANN401 (fields of the ruleset)
        """Give the checks that fail where the ruleset is another."""
        return self.by(rulesets=(msgspec.structs.replace(self.facts.rulesets[0], **changed),))

    def another(self, account: Account | None, state: Any, after: timedelta, **changed: Any) -> Review:  # noqa: ANN401
        """Make a review of the head, so long after the first."""
        first = self.facts.reviews[0]
        assert first.submitted_at is not None
        made = Review(9999, account, state, first.submitted_at + after, first.commit)
        return msgspec.structs.replace(made, **changed)


@pytest.fixture(scope="module")
def landed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Landed]:
    """Land one request in order; shared, since only its facts are varied."""
    with company(tmp_path_factory.mktemp("landed")) as world:
        yield Landed(world, world.facts(world.landed(flag("other"))))


def test_a_request_in_order_is_attested(landed: Landed) -> None:
    """Otherwise none of the others could fail for its own reason."""
    assert landed.failed(landed.facts) == {}


# 1. Landed


def test_1_facts_of_another_repository(landed: Landed) -> None:
    """The number decides, not the name."""
    assert "trust.json names github:4711" in landed.by(repository_id="github:9")["landed"]


def test_1_merged_into_another_branch(landed: Landed) -> None:
    """A request into a branch that nobody protects."""
    assert "the protected branch is refs/heads/main" in landed.request(base="side")["landed"]


def test_1_merged_into_a_fork(landed: Landed) -> None:
    """A request into the same branch of another repository."""
    assert "another repository" in landed.request(base_repository=9)["landed"]


def test_1_a_merge_commit_that_is_not_on_the_branch(landed: Landed) -> None:
    """No request ends at what is there."""
    with pytest.raises(ForgeError) as refused:
        landed.request(merge_commit="1" * 40)
    assert refused.value.code == "Pushed"


def test_1_the_forge_does_not_say_how_it_came(landed: Landed) -> None:
    """Silence is a refusal."""
    assert "does not say" in landed.by(landings=())["landed"]


@pytest.mark.parametrize("kind", ["push", "force-push", "creation"])
def test_1_it_came_by_a_push(landed: Landed, kind: str) -> None:
    """The merge's commit, brought by somebody's hand."""
    moved = msgspec.structs.replace(landed.facts.landings[-1], kind=kind)
    assert f"came there by a {kind}" in landed.by(landings=(moved,))["landed"]


def test_1_it_was_taken_away_and_pushed_back(landed: Landed) -> None:
    """The merge is in the forge's memory, and so is the push that brought it again."""
    back = msgspec.structs.replace(landed.facts.landings[-1], kind="force-push", account=STRANGER)
    assert "force-push" in landed.by(landings=(back, *landed.facts.landings))["landed"]


def test_1_the_forge_merged_onto_something_else(landed: Landed) -> None:
    """The branch's past was exchanged underneath."""
    moved = msgspec.structs.replace(landed.facts.landings[-1], before="2" * 40)
    assert "merged onto 222222222222" in landed.by(landings=(moved,))["landed"]


# 2. Tree (what landed otherwise than reviewed is in test_attest)


def test_2_another_head_was_reviewed_than_landed(landed: Landed) -> None:
    """The head that the forge names does not give what landed."""
    base = landed.world.head.commit
    failed = landed.request(head=base)
    assert "gives what landed" in failed["tree"]


# 3. Reviews


def test_3_nobody_reviewed(landed: Landed) -> None:
    """No approval at all."""
    assert "no approval was in force" in landed.by(reviews=())["reviews"]


@pytest.mark.parametrize("state", ["commented", "changes-requested", "pending", "dismissed"])
def test_3_a_review_that_is_no_approval(landed: Landed, state: str) -> None:
    """Alice owns it, and did not approve."""
    assert "owner" in landed.review(state=state)["approvals"]


def test_3_the_approval_was_superseded(landed: Landed) -> None:
    """Who asks for changes afterwards approves no more."""
    assert "approvals" in landed.reviewed(landed.another(ALICE, "changes-requested", MINUTE / 2))


def test_3_a_dismissal_does_not_bring_an_older_approval_back(landed: Landed) -> None:
    """Approved, then changes asked for, and that dismissed: nothing is in force."""
    assert "approvals" in landed.reviewed(landed.another(ALICE, "dismissed", MINUTE / 2))


def test_3_a_comment_takes_nothing_back(landed: Landed) -> None:
    """As at the forge: only what decides replaces what was decided."""
    assert landed.reviewed(landed.another(ALICE, "commented", MINUTE / 2)) == {}


def test_3_a_dismissed_approval_can_be_given_again(landed: Landed) -> None:
    """A later approval counts by itself."""
    assert landed.reviewed(landed.another(ALICE, "dismissed", -MINUTE)) == {}


def test_3_the_approval_came_after_the_merge(landed: Landed) -> None:
    """Even in the same second."""
    assert "approvals" in landed.review(submitted_at=landed.facts.request.merged_at)


def test_3_what_is_said_after_the_merge_changes_nothing(landed: Landed) -> None:
    """Neither does it take away what was in force."""
    assert landed.reviewed(landed.another(ALICE, "changes-requested", timedelta(hours=1))) == {}


@pytest.mark.parametrize("commit", ["3" * 40, None])
def test_3_another_commit_was_reviewed(landed: Landed, commit: str | None) -> None:
    """A push after the review; or the commit reviewed is lost."""
    assert "approvals" in landed.review(commit=commit)


def test_3_an_account_that_is_gone(landed: Landed) -> None:
    """Nobody can say whose it was."""
    assert "approvals" in landed.review(account=None)


# 4. Contributors


@pytest.mark.parametrize(
    "changed",
    [
        {"authors": (Signed("x@example.com", None),)},
        {"authors": (Signed("x@example.com", STRANGER),)},
        {"authors": (Signed("bob@example.com", BOB), Signed("x@example.com", None))},
        {"committer": Signed("x@example.com", None)},
        {"committer": Signed("noreply@github.com", Account(WEB_FLOW_ID, "web-flow"))},
        {"committer": Signed("x@example.com", STRANGER), "by_forge": True},
        {"authors": ()},
    ],
    ids=["author", "stranger", "co-author", "committer", "forged web-flow", "stranger signed by the forge", "none"],
)
def test_4_a_commit_by_nobody_known(landed: Landed, changed: dict[str, Any]) -> None:
    """An address that is no account's, an account that is no person's, or the forge's name without its signature."""
    assert "contributors" in landed.commit(**changed)


def test_4_the_forge_may_commit_what_it_signed(landed: Landed) -> None:
    """What is edited in the browser is committed by the forge, and authored by a person."""
    committer = Signed("noreply@github.com", Account(WEB_FLOW_ID, "web-flow"))
    assert landed.commit(committer=committer, by_forge=True) == {}


@pytest.mark.parametrize("place", ["author", "co-author", "committer", "pusher", "opener"])
def test_4_whoever_had_a_hand_in_it_is_not_counted(landed: Landed, place: str) -> None:
    """Alice wrote, helped to write, committed, pushed or opened it: her approval is her own."""
    alice, bob = Signed("alice@example.com", ALICE), Signed("bob@example.com", BOB)
    pushes = landed.facts.pushes
    failed = {
        "author": lambda: landed.commit(authors=(alice,)),
        "co-author": lambda: landed.commit(authors=(bob, alice)),
        "committer": lambda: landed.commit(committer=alice),
        "pusher": lambda: landed.pushed(*pushes, msgspec.structs.replace(pushes[0], account=ALICE)),
        "opener": lambda: landed.request(author=ALICE),
    }[place]()
    assert set(failed) == {"approvals", "owners"}


def test_4_the_author_of_the_request_is_not_counted(landed: Landed) -> None:
    """Bob approves his own: he is of the owning team, and it is not enough."""
    own = landed.another(BOB, "approved", MINUTE / 2)
    facts = msgspec.structs.replace(landed.facts, reviews=(own, landed.facts.reviews[1]))
    assert set(landed.failed(facts)) == {"approvals", "owners"}


@pytest.mark.parametrize("account", [None, STRANGER])
def test_4_somebody_unknown_pushed(landed: Landed, account: Account | None) -> None:
    """A deploy key, or an account that is nobody's."""
    pushes = landed.facts.pushes
    unknown = msgspec.structs.replace(pushes[0], account=account)
    assert "who moved change" in landed.pushed(*pushes, unknown)["contributors"]


@pytest.mark.parametrize("account", [None, STRANGER])
def test_4_somebody_unknown_opened_it(landed: Landed, account: Account | None) -> None:
    """Who asks for a change has a hand in it."""
    assert "who opened the request" in landed.request(author=account)["contributors"]


def test_4_the_last_push_is_nobodys(landed: Landed) -> None:
    """The forge does not remember who brought the head."""
    assert "does not say who pushed" in landed.pushed()["contributors"]


def test_4_a_deleted_branch_and_a_later_push_are_no_hand_in_it(landed: Landed) -> None:
    """What happens to the branch's name after the merge was not merged."""
    first = landed.facts.pushes[0]
    gone = msgspec.structs.replace(first, kind="deletion", account=STRANGER)
    late = msgspec.structs.replace(first, account=STRANGER, at=landed.facts.request.merged_at + MINUTE)
    assert landed.pushed(late, gone, *landed.facts.pushes) == {}


def test_4_the_forge_named_too_few_commits(landed: Landed) -> None:
    """Beyond 250 it names no more, and counts on."""
    assert "counts 251 commits" in landed.request(commit_count=251)["contributors"]


def test_4_a_commit_that_git_has_and_the_forge_did_not_name(landed: Landed) -> None:
    """Git says which commits came; each must be somebody's."""
    assert "did not name" in landed.commit(id="4" * 40)["contributors"]


def test_4_a_bot_that_the_organisation_lists_had_a_hand_in_it(tmp_path: Path) -> None:
    """A machine that opens requests is named like a person; it contributes, and what it approves counts for nothing."""
    people = organisation()["people"]
    people |= {name: {**it, "github": {"login": f"{name}-gh", "id": ACCOUNTS[name]}} for name, it in people.items()}
    people["retirer"] = {"name": "The bot that retires flags", "github": {"login": "retirer[bot]", "id": 900}}
    with company(tmp_path, organisation_with={"people": people}) as world:
        bot = world.github.user("retirer[bot]", 900, kind="Bot")
        world.branch("retire")
        world.commit(flag("other"), by="retirer", email=bot.email)
        world.github.wait(minutes=1)
        world.repo.push(bot, world.clone, "HEAD", "retire")
        world.github.wait(minutes=1)
        pull = world.repo.open(bot, "retire")
        world.repo.review(pull, bot)
        world.approve(pull, "alice", "dora")
        world.merge(pull)
        assert world.failed() == {}
        assert world.attest().proposal.statement.contributors == ("retirer",)


# 5. People


@pytest.mark.parametrize(
    "account",
    [STRANGER, Account(999, "alice-gh"), Account(101, "alice-gh", human=False)],
    ids=["second account", "another account of her name", "bot"],
)
def test_5_an_approval_by_no_person(landed: Landed, account: Account) -> None:
    """An account that nobody has listed, one that took over a name, an app."""
    assert set(landed.review(account=account)) == {"approvals", "owners"}


def test_5_a_renamed_account_is_still_its_person(landed: Landed) -> None:
    """Numbers stay."""
    assert landed.review(account=Account(101, "alice-married")) == {}


def test_5_one_person_counts_once(landed: Landed) -> None:
    """Alice twice is one owner, and no release manager."""
    again = landed.another(ALICE, "approved", MINUTE / 2)
    facts = msgspec.structs.replace(landed.facts, reviews=(landed.facts.reviews[0], again))
    assert "release-manager" in landed.failed(facts)["approvals"]


# 7. Class and tier, by the policies before the change


def test_7_a_role_that_nobody_filled(landed: Landed) -> None:
    """A new flag of tier sensitive asks for the release manager as well."""
    facts = msgspec.structs.replace(landed.facts, reviews=landed.facts.reviews[:1])
    assert set(landed.failed(facts)) == {"approvals"}


# 8. Required checks


CI = RequiredCheck("ci", 15368)


@pytest.mark.parametrize(
    ("required", "runs", "reason"),
    [
        (CI, [("ci", 15368, "success", True)], None),
        (CI, [], "never ran"),
        (CI, [("ci", 15368, "failure", True)], "failure"),
        (CI, [("ci", 15368, None, True)], "unfinished"),
        (CI, [("ci", 15368, "skipped", True)], "skipped"),
        (CI, [("ci", 7, "success", True)], "never ran"),
        (CI, [("ci", None, "success", True)], "never ran"),
        (CI, [("ci", 15368, "success", False)], "never ran"),
        (CI, [("other", 15368, "success", True)], "never ran"),
        (RequiredCheck("ci", None), [("ci", 15368, "success", True)], "no app in particular"),
    ],
)
def test_8_a_required_check(
    landed: Landed, required: RequiredCheck, runs: list[tuple[str, int | None, str | None, bool]], reason: str | None
) -> None:
    """It passed, on what was merged, by the app that is to say so."""
    head = landed.facts.request.head
    found = tuple(CheckRun(name, app, head if here else "5" * 40, said) for name, app, said, here in runs)
    ruleset = msgspec.structs.replace(landed.facts.rulesets[0], checks=(required,))
    failed = landed.by(rulesets=(ruleset,), checks=found)
    assert failed == {} if reason is None else reason in failed["required-checks"]


@pytest.mark.parametrize(
    ("by", "app", "said", "reason"),
    [
        ("ci[bot]", 15368, "success", None),
        ("ci[bot]", 15368, "failure", "ci (app 15368): failure"),
        ("ci[bot]", 7, "success", "set by ci[bot], of whom GitHub does not say that it is that app"),
        ("bob-gh", None, "success", "set by bob-gh, of whom GitHub does not say that it is that app"),
    ],
)
def test_8_a_commit_status_as_required_check(
    landed: Landed, by: str, app: int | None, said: str, reason: str | None
) -> None:
    """It counts where its app set it; the refusal names whoever else did."""
    found = CheckRun("ci", app, landed.facts.request.head, said, by=by)
    ruleset = msgspec.structs.replace(landed.facts.rulesets[0], checks=(CI,))
    failed = landed.by(rulesets=(ruleset,), checks=(found,))
    assert failed == {} if reason is None else reason in failed["required-checks"]


@pytest.mark.parametrize(("by", "counts"), [("ci[bot]", True), ("", False)])
def test_8_only_a_status_is_called_the_same_in_another_case(landed: Landed, by: str, counts: bool) -> None:
    """GitHub tells check runs apart by it."""
    found = CheckRun("CI", 15368, landed.facts.request.head, "success", by=by)
    ruleset = msgspec.structs.replace(landed.facts.rulesets[0], checks=(CI,))
    assert ("required-checks" in landed.by(rulesets=(ruleset,), checks=(found,))) is not counts


def test_8_statuses_that_were_not_read_are_named(landed: Landed) -> None:
    """Whoever reads the refusal learns that a status may be there, and why it is not seen."""
    found = CheckRun("ci", None, landed.facts.request.head, None, unread="the token may not read them")
    ruleset = msgspec.structs.replace(landed.facts.rulesets[0], checks=(CI,))
    said = landed.by(rulesets=(ruleset,), checks=(found,))["required-checks"]
    assert said.endswith("its commit statuses were not read: the token may not read them")


# 9. Protection


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"rules": ("non_fast_forward", "pull_request")}, "deleted"),
        ({"rules": ("deletion", "pull_request")}, "force-pushed"),
        ({"rules": ("deletion", "non_fast_forward")}, "without a request"),
        ({"approvals": 0}, "no approval is required"),
        ({"dismisses_on_push": False}, "does not dismiss"),
        ({"code_owners": False}, "code owners"),
        ({"last_push": False}, "last push"),
        ({"bypass": ("OrganizationAdmin",)}, "may be bypassed by OrganizationAdmin"),
        ({"bypass": None}, "not shown"),
    ],
)
def test_9_a_branch_that_is_not_protected_enough(landed: Landed, changed: dict[str, Any], reason: str) -> None:
    """Each rule by itself; nobody may pass them by; and the token must see that."""
    failed = landed.ruled(**changed)
    assert set(failed) == {"protection"}
    assert reason in failed["protection"]


def test_9_no_protection_at_all(landed: Landed) -> None:
    """Classic protection of a branch has no dates, and is not counted either."""
    assert set(landed.by(rulesets=())) == {"protection"}


@pytest.mark.parametrize("later", [timedelta(), MINUTE])
def test_9_protection_changed_after_the_request_was_opened(landed: Landed, later: timedelta) -> None:
    """What it was before, nobody can say."""
    assert "after it was opened" in landed.ruled(updated_at=landed.facts.request.created_at + later)["protection"]


def test_9_a_weaker_ruleset_beside_a_good_one_takes_nothing_away(landed: Landed) -> None:
    """All rules hold together; one that may be bypassed adds nothing."""
    weak = msgspec.structs.replace(landed.facts.rulesets[0], id=7, bypass=("User 9",))
    assert landed.by(rulesets=(*landed.facts.rulesets, weak)) == {}
