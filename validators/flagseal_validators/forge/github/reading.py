"""From GitHub's answers to facts. Eleven questions for an ordinary request; what GitHub leaves out is a refusal."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from flagseal.model.errors import ForgeError
from flagseal_validators.forge.facts import (
    Account,
    CheckRun,
    Facts,
    Merged,
    Push,
    PushKind,
    Request,
    RequestCommit,
    RequiredCheck,
    Review,
    ReviewState,
    Ruleset,
    Signed,
)
from flagseal_validators.forge.github.answers import At, account
from flagseal_validators.forge.github.asking import missing
from flagseal_validators.forge.github.ruleset import ACTORS, word_of
from flagseal_validators.forge.github.statuses import statuses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flagseal_validators.forge.github.asking import Asker

MOST_AUTHORS: Final = 20
"""Of one commit; GraphQL gives no more at once, and a commit with more is refused."""

COMMITS: Final = """\
query Commits($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) {
    databaseId
    pullRequest(number: $number) {
      commits(first: 100, after: $after) {
        totalCount
        pageInfo { hasNextPage endCursor }
        nodes { commit {
          oid
          authors(first: 20) { totalCount nodes { email user { databaseId login } } }
          committer { email user { databaseId login } }
          signature { isValid wasSignedByGitHub }
        } }
      }
    }
  }
}
"""
"""REST tells neither the accounts behind ``Co-authored-by`` nor whose signature a commit carries."""

_BOT: Final = re.compile(r"([1-9][0-9]{0,14})\+([A-Za-z0-9-]{1,80}\[bot\])@users\.noreply\.github\.com")

_STATES: Final[dict[str, ReviewState]] = {
    "APPROVED": "approved",
    "CHANGES_REQUESTED": "changes-requested",
    "COMMENTED": "commented",
    "DISMISSED": "dismissed",
    "PENDING": "pending",
}
_KINDS: Final[dict[str, PushKind]] = {
    "push": "push",
    "force_push": "force-push",
    "branch_creation": "creation",
    "branch_deletion": "deletion",
    "pr_merge": "request-merge",
    "merge_queue_merge": "queue-merge",
}


class GitHubForge:
    """Read one repository's requests.

    Args:
        asker: Asks.
        name: ``owner/name``.
        clock: Gives the time in UTC.
    """

    def __init__(self, asker: Asker, name: str, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._asker = asker
        self._name = name
        self._clock = clock

    def requests_of(self, commit: str) -> tuple[Merged, ...]:
        """Find the merged requests by which a commit came onto a branch (see the interface)."""
        found = [
            At(entry, "pulls")
            for entry in self._asker.pages(f"/repos/{self._name}/commits/{commit}/pulls")
            if isinstance(entry, dict) and entry.get("merged_at")
        ]
        return tuple(
            Merged(entry.number("number"), entry.text("merge_commit_sha"), entry.object("base").text("ref"))
            for entry in found
        )

    def facts(self, number: int) -> Facts:
        """Read everything about one merged request; see the interface."""
        observed = self._clock().replace(microsecond=0)
        repository = At(self._asker.get(f"/repos/{self._name}"), "repository")
        request, source = self._request(number)
        asked = rulesets(self._asker, self._name, request.base)
        return Facts(
            forge="github",
            observed_at=observed,
            repository_id=f"github:{repository.number('id')}",
            repository_name=repository.text("full_name"),
            request=request,
            reviews=tuple(self._reviews(number)),
            commits=tuple(self._commits(number, repository.number("id"))),
            pushes=tuple(self._pushes(request, source)),
            landings=tuple(self._landings(request)),
            rulesets=asked,
            checks=tuple(self._checks(request, asked)),
        )

    def _request(self, number: int) -> tuple[Request, str | None]:
        """Read the request itself, and the name of the repository that it came from."""
        body = At(self._asker.get(f"/repos/{self._name}/pulls/{number}"), f"request {number}")
        if body.optional("merged_at") is None:
            raise ForgeError(
                f"Request {number} is not merged.", code="NotMerged", remedy="Approval is attested of what landed."
            )
        base, head = body.object("base"), body.object("head")
        source = At(head.value("repo"), "head.repo") if head.value("repo") is not None else None
        request = Request(
            number=body.number("number"),
            author=account(body.value("user"), "user"),
            created_at=body.instant("created_at"),
            merged_at=body.instant("merged_at"),
            merged_by=account(body.value("merged_by"), "merged_by"),
            base=base.text("ref"),
            base_repository=base.object("repo").number("id"),
            head=head.text("sha"),
            head_branch=head.text("ref"),
            head_repository=None if source is None else source.number("id"),
            merge_commit=body.text("merge_commit_sha"),
            commit_count=body.number("commits"),
        )
        return request, None if source is None else source.text("full_name")

    def _reviews(self, number: int) -> Iterable[Review]:
        for entry in self._asker.pages(f"/repos/{self._name}/pulls/{number}/reviews"):
            body = At(entry, "review")
            state = _STATES.get(body.text("state"))
            if state is None:
                raise missing(f"review {body.number('id')}", f"its state {body.text('state')!r} is not known")
            at = body.optional("submitted_at")
            yield Review(
                id=body.number("id"),
                account=account(body.value("user"), "user"),
                state=state,
                submitted_at=None if at is None else body.instant("submitted_at"),
                commit=body.optional("commit_id"),
            )

    def _commits(self, number: int, repository: int) -> Iterable[RequestCommit]:
        owner, _, name = self._name.partition("/")
        after: str | None = None
        while True:
            data = self._asker.graphql(COMMITS, {"owner": owner, "name": name, "number": number, "after": after})
            found = At(data, "data").object("repository")
            if found.number("databaseId") != repository:
                raise missing(self._name, "another repository has that name now")
            listing = found.object("pullRequest").object("commits")
            for node in listing.list("nodes"):
                yield _commit(At(node, "node").object("commit"))
            page = listing.object("pageInfo")
            if not page.flag("hasNextPage"):
                return
            after = page.text("endCursor")

    def _pushes(self, request: Request, source: str | None) -> Iterable[Push]:
        if source is None:
            raise missing(f"request {request.number}", "the repository it came from is gone, and with it who pushed")
        return self._activity(source, request.head_branch)

    def _landings(self, request: Request) -> Iterable[Push]:
        """Read the branch's movements, newest first, back to the one that ends at the merge commit, and no further.

        A queue's may end at a later request's: then back to when this one was opened.
        """
        for push in self._activity(self._name, request.base):
            yield push
            if push.after == request.merge_commit or push.at < request.created_at:
                return

    def _activity(self, repository: str, branch: str) -> Iterable[Push]:
        for entry in self._asker.pages(f"/repos/{repository}/activity", {"ref": f"refs/heads/{branch}"}):
            body = At(entry, "activity")
            kind = _KINDS.get(body.text("activity_type"))
            if kind is None:
                raise missing(f"activity of {branch}", f"{body.text('activity_type')!r} is not known")
            yield Push(
                account=account(body.value("actor"), "actor"),
                at=body.instant("timestamp"),
                kind=kind,
                before=body.text("before"),
                after=body.text("after"),
            )

    def _checks(self, request: Request, asked: Iterable[Ruleset]) -> Iterable[CheckRun]:
        """Read check runs; and commit statuses where a required check has no run, since it may be one."""
        commits = tuple(dict.fromkeys((request.head, request.merge_commit)))
        runs = tuple(self._runs(commits))
        given = {(run.name, run.app) for run in runs}
        required = (check for ruleset in asked for check in ruleset.checks)
        asked_of = {(check.name, check.app) for check in required if check.app is not None}
        wanted = asked_of - given
        return (*runs, *(statuses(self._asker, self._name, commits, wanted) if wanted else ()))

    def _runs(self, commits: Iterable[str]) -> Iterable[CheckRun]:
        for commit in commits:
            where = f"/repos/{self._name}/commits/{commit}/check-runs"
            for entry in self._asker.pages(where, {"filter": "latest"}, within="check_runs"):
                body = At(entry, "check")
                app = body.value("app")
                yield CheckRun(
                    name=body.text("name"),
                    app=None if app is None else At(app, "app").number("id"),
                    commit=body.text("head_sha"),
                    conclusion=body.optional("conclusion"),
                )


def rulesets(asker: Asker, name: str, branch: str) -> tuple[Ruleset, ...]:
    """Read the rulesets in force on a branch, those that the organisation sets included.

    Args:
        asker: Asks.
        name: ``owner/name``.
        branch: Without ``refs/heads/``.

    Raises:
        ForgeError: As for facts.
    """
    rules: dict[int, list[At]] = {}
    for entry in asker.pages(f"/repos/{name}/rules/branches/{quote(branch, safe='')}"):
        rule = At(entry, "rule")
        rules.setdefault(rule.number("ruleset_id"), []).append(rule)
    return tuple(
        _ruleset(At(asker.get(f"/repos/{name}/rulesets/{number}"), f"ruleset {number}"), found)
        for number, found in sorted(rules.items())
    )


def _ruleset(body: At, rules: list[At]) -> Ruleset:
    parameters = {rule.text("type"): rule.value("parameters", {}) for rule in rules}
    reviews, checks = parameters.get("pull_request"), parameters.get("required_status_checks")
    reviewing = At(reviews or {}, "pull_request")
    checking = At(checks or {"required_status_checks": []}, "required_status_checks")
    bypass = body.value("bypass_actors", None)
    return Ruleset(
        id=body.number("id"),
        name=body.text("name"),
        updated_at=body.instant("updated_at"),
        bypass=None if not isinstance(bypass, list) else tuple(_bypass(At(entry, "bypass")) for entry in bypass),
        rules=tuple(sorted(parameters)),
        approvals=reviewing.number("required_approving_review_count") if reviews else 0,
        dismisses_on_push=reviewing.value("dismiss_stale_reviews_on_push", False) is True,  # noqa: FBT003 (JSON)
        code_owners=reviewing.value("require_code_owner_review", False) is True,  # noqa: FBT003 (JSON)
        last_push=reviewing.value("require_last_push_approval", False) is True,  # noqa: FBT003 (JSON)
        checks=tuple(_required(At(entry, "check")) for entry in checking.list("required_status_checks")),
    )


def _required(check: At) -> RequiredCheck:
    app = check.value("integration_id", None)
    return RequiredCheck(check.text("context"), None if app is None else check.number("integration_id"))


def _bypass(actor: At) -> str:
    kind = actor.text("actor_type")
    number = actor.number("actor_id") if kind in ACTORS else None
    return word_of({"actor_type": kind, "actor_id": number, "bypass_mode": actor.optional("bypass_mode")})


def _commit(body: At) -> RequestCommit:
    authors = body.object("authors")
    nodes, count = authors.list("nodes"), authors.number("totalCount")
    if count > MOST_AUTHORS:
        raise missing(f"commit {body.text('oid')[:12]}", f"it has more than {MOST_AUTHORS} authors")
    if len(nodes) != count:
        raise missing(f"commit {body.text('oid')[:12]}", f"it has {count} authors, and {len(nodes)} are named")
    signature = body.value("signature")
    signed = At(signature, "signature") if signature is not None else None
    return RequestCommit(
        id=body.text("oid"),
        authors=tuple(_signed(At(node, "author")) for node in nodes),
        committer=_signed(body.object("committer")),
        by_forge=signed is not None and signed.value("isValid") is True and signed.value("wasSignedByGitHub") is True,
    )


def _signed(body: At) -> Signed:
    user = body.value("user")
    account = None
    if user is not None:
        found = At(user, "user")
        account = Account(found.number("databaseId"), found.text("login"))
    email = body.optional("email") or ""
    # GraphQL knows no bots here. Their address says which one is meant; as with any address, that clears nobody.
    bot = _BOT.fullmatch(email) if account is None else None
    return Signed(email, Account(int(bot[1]), bot[2], human=False) if bot else account)
