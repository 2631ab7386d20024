"""The facts of one merged pull request, as a forge told them at one moment.

A frozen value: it is saved as canonical JSON, and what is decided from it can be decided again from the file. Whatever
a forge may leave out is a refusal at the place that reads it, never an empty field here: ``None`` stands only where
"nobody" or "not yet" is an answer of its own, which the attributes say.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 (msgspec reads the annotations)
from typing import Final, Literal

import msgspec

from flagseal.model.canonical import canonical_json, sha256_digest
from flagseal.model.errors import ForgeError

VERSION: Final = 1
LARGEST_FACTS: Final = 16 * 1024 * 1024
ANYBODYS: Final = {"github": 41898282}
"""Number of the account as whom every workflow of a repository writes, on whatever branch somebody pushed it."""

ReviewState = Literal["approved", "changes-requested", "commented", "dismissed", "pending"]
PushKind = Literal["push", "force-push", "creation", "deletion", "request-merge", "queue-merge"]


class _Fact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What all facts share: frozen, camelCase in JSON, nothing unknown passed over."""


class Account(_Fact, frozen=True):
    """An account in the forge.

    Attributes:
        id: Its number, which survives a change of name.
        login: Its name at the moment.
        human: Whether the forge says that it is a user's; bots and apps are not.
    """

    id: int
    login: str
    human: bool = True


class Signed(_Fact, frozen=True):
    """Who a commit says made it, as far as the forge can tell.

    Attributes:
        email: As the commit has it; anybody can write any.
        account: Whose address the forge says it is; None if it is nobody's.
    """

    email: str
    account: Account | None


class RequestCommit(_Fact, frozen=True):
    """One commit of the request.

    Attributes:
        id: Object id.
        authors: The author, then everyone of a ``Co-authored-by`` line.
        committer: Who committed it; ``web-flow`` where the forge did.
        by_forge: Whether the forge's own signature is on it, and valid.
    """

    id: str
    authors: tuple[Signed, ...]
    committer: Signed
    by_forge: bool


class Review(_Fact, frozen=True):
    """One review, in the state it has when the facts are read.

    Attributes:
        account: Who gave it; None if the account is gone.
        submitted_at: None while it is pending.
        commit: The request's head when it was given; None if that is lost.
    """

    id: int
    account: Account | None
    state: ReviewState
    submitted_at: datetime | None
    commit: str | None


class Push(_Fact, frozen=True):
    """One movement of a branch.

    Attributes:
        account: Who moved it; None where the forge does not say.
        before: Where it was; zeros where it was nowhere.
        after: Where it went.
    """

    account: Account | None
    at: datetime
    kind: PushKind
    before: str
    after: str


class Request(_Fact, frozen=True):
    """The pull request.

    Attributes:
        merged_by: None where the forge does not say.
        base: The branch it was merged into, without ``refs/heads/``.
        base_repository: Number of that branch's repository.
        head: The last commit that was merged.
        head_branch: The branch it came from.
        head_repository: Number of that branch's repository; None if it is gone.
        merge_commit: The commit on the base branch by which it landed.
        commit_count: How many commits the forge says it has.
    """

    number: int
    author: Account | None
    created_at: datetime
    merged_at: datetime
    merged_by: Account | None
    base: str
    base_repository: int
    head: str
    head_branch: str
    head_repository: int | None
    merge_commit: str
    commit_count: int


class RequiredCheck(_Fact, frozen=True):
    """A check that a ruleset asks for.

    Attributes:
        app: Number of the app that must give it; None where anybody may.
    """

    name: str
    app: int | None


class Ruleset(_Fact, frozen=True):
    """One ruleset that is in force on the protected branch.

    Attributes:
        updated_at: Its last change.
        bypass: Who may pass it by (``team 9 (always)``); None where the token may not see that.
        rules: Types of the rules that reach the branch by it.
        approvals: How many approving reviews it asks for; 0 without a rule about reviews.
    """

    id: int
    name: str
    updated_at: datetime
    bypass: tuple[str, ...] | None
    rules: tuple[str, ...]
    approvals: int = 0
    dismisses_on_push: bool = False
    code_owners: bool = False
    last_push: bool = False
    checks: tuple[RequiredCheck, ...] = ()


class CheckRun(_Fact, frozen=True, omit_defaults=True):
    """What one check came to: a check run, or a commit status that stands for one.

    Attributes:
        app: Number of the app that gave it; None where it is no app's.
        conclusion: ``success``, ``failure`` …; None while it runs.
        by: Of a status, the login of the account that set it; empty for a check run.
        unread: Why statuses of that name were not read, in words; then nothing ran here, as far as is known.
    """

    name: str
    app: int | None
    commit: str
    conclusion: str | None
    by: str = ""
    unread: str = ""

    def is_called(self, name: str) -> bool:
        """Tell whether a check has a name: to GitHub, the case of letters is none of a status's name."""
        return self.name == name or (bool(self.by) and self.name.casefold() == name.casefold())


class Merged(_Fact, frozen=True):
    """A merged request, as lists name it.

    Attributes:
        number: Its number.
        commit: What it was merged as.
        base: The branch that it was merged into.
    """

    number: int
    commit: str
    base: str


class Facts(_Fact, frozen=True):
    """Everything that is known of one merged request.

    Attributes:
        version: Of this form.
        forge: ``github``.
        observed_at: When the facts were read, by the reader's clock.
        repository_id: ``github:<number>``.
        repository_name: ``owner/name`` at the moment.
        reviews: All of them, in the forge's order.
        commits: All of them.
        pushes: Movements of the branch it came from, all that the forge remembers.
        landings: Movements of the protected branch, back to the one by which the request landed.
        rulesets: Those in force on the protected branch.
        checks: Latest of each check on the head and on the commit it landed as.
    """

    forge: str
    observed_at: datetime
    repository_id: str
    repository_name: str
    request: Request
    reviews: tuple[Review, ...]
    commits: tuple[RequestCommit, ...]
    pushes: tuple[Push, ...]
    landings: tuple[Push, ...]
    rulesets: tuple[Ruleset, ...]
    checks: tuple[CheckRun, ...]
    version: int = VERSION

    def to_bytes(self) -> bytes:
        """Write it as canonical JSON and a line break."""
        return canonical_json(msgspec.to_builtins(self)) + b"\n"

    @property
    def digest(self) -> str:
        """Name it by its content."""
        return sha256_digest(self.to_bytes())

    @staticmethod
    def parse(data: bytes, *, place: str = "facts") -> Facts:
        """Read what :meth:`to_bytes` wrote.

        Args:
            data: The file's bytes.
            place: What a refusal calls it.

        Raises:
            ForgeError: ``FactsMalformed``, naming the place.
        """
        if len(data) > LARGEST_FACTS:
            raise ForgeError(f"{place}: larger than {LARGEST_FACTS} bytes.", code="FactsMalformed")
        try:
            facts = msgspec.json.decode(data, type=Facts)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ForgeError(
                f"{place}: {error}", code="FactsMalformed", remedy="Fetch the facts again: `flagseal facts fetch`."
            ) from error
        if facts.version != VERSION:
            raise ForgeError(
                f"{place}: facts of version {facts.version}, and {VERSION} is read here.", code="FactsMalformed"
            )
        if any(instant.tzinfo is None for instant in _instants(facts)):
            raise ForgeError(f"{place}: an instant has no time zone.", code="FactsMalformed")
        return facts


def _instants(facts: Facts) -> list[datetime]:
    request = facts.request
    given = [review.submitted_at for review in facts.reviews if review.submitted_at is not None]
    moved = [push.at for push in (*facts.pushes, *facts.landings)]
    ruled = [ruleset.updated_at for ruleset in facts.rulesets]
    return [facts.observed_at, request.created_at, request.merged_at, *given, *moved, *ruled]
