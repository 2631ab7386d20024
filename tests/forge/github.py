"""GitHub, as far as approval needs it: state over a real bare repository, in which git does what git does.

Pushes, merges, squashes, rebases, merge queues and force pushes are git's own; what GitHub adds (who, when, reviews,
rulesets, checks) is kept here. Tests act through the methods, as people act in a browser; the program under test sees
only what :mod:`tests.forge.server` answers.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

ZERO = "0" * 40
WEB_FLOW_ID = 19864447
ACTIONS_APP = 15368
"""Numbers that GitHub really uses for its own committer and for Actions."""


@dataclass(frozen=True)
class User:
    """An account."""

    id: int
    login: str
    type: str = "User"

    @property
    def email(self) -> str:
        """The address that commits made in the browser have."""
        return f"{self.id}+{self.login}@users.noreply.github.com"


WEB_FLOW = User(WEB_FLOW_ID, "web-flow")
QUEUE = User(118344674, "github-merge-queue[bot]", "Bot")
ME = User(41898282, "github-actions[bot]", "Bot")


@dataclass
class Review:
    """One review."""

    id: int
    user: User | None
    state: str
    at: datetime
    commit: str | None


@dataclass
class Movement:
    """One line of a repository's activity."""

    id: int
    ref: str
    actor: User | None
    at: datetime
    kind: str
    before: str
    after: str


@dataclass
class Ruleset:
    """One ruleset on a branch."""

    id: int
    name: str
    branch: str
    updated_at: datetime
    rules: dict[str, dict[str, Any] | None]
    bypass: list[dict[str, Any]] | None = field(default_factory=list)
    enforcement: str = "active"
    include: list[str] | None = None
    exclude: list[str] = field(default_factory=list)
    organisation: str = ""

    @property
    def names(self) -> list[str]:
        """What it reaches, in GitHub's words."""
        return [f"refs/heads/{self.branch}"] if self.include is None else self.include

    def reaches(self, branch: str) -> bool:
        """Tell whether its rules are in force on a branch."""
        ref = f"refs/heads/{branch}"
        return self.enforcement == "active" and not {ref, "~ALL"}.isdisjoint(self.names) and ref not in self.exclude


@dataclass
class CheckRun:
    """One result of a check."""

    id: int
    name: str
    commit: str
    conclusion: str | None
    app: int


@dataclass
class Status:
    """One commit status."""

    id: int
    name: str
    commit: str
    state: str
    creator: User | None
    at: datetime


@dataclass
class Comment:
    """One comment on an issue or request."""

    id: int
    number: int
    user: User
    body: str
    at: datetime


@dataclass
class Pull:
    """One pull request, or an issue where nothing is to be merged."""

    number: int
    user: User
    title: str
    created_at: datetime
    head: str = ""
    base: str = "main"
    fork: Repository | None = None
    reviews: list[Review] = field(default_factory=list)
    merged_at: datetime | None = None
    merged_by: User | None = None
    merged_head: str = ""
    merged_base: str = ""
    merge_commit: str | None = None
    brought: tuple[str, ...] = ()
    closed: bool = False
    body: str = ""
    labels: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@dataclass
class Repository:
    """One repository on GitHub."""

    id: int
    owner: User
    name: str
    path: Path
    github: GitHub
    pulls: dict[int, Pull] = field(default_factory=dict)
    activity: list[Movement] = field(default_factory=list)
    rulesets: list[Ruleset] = field(default_factory=list)
    checks: list[CheckRun] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    started: list[tuple[str, str]] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    ranges: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    auto_merge: bool = False
    token_writes: bool = False
    actions_approve: bool = False
    classic: bool = False
    codeowners_errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner.login}/{self.name}"

    @property
    def url(self) -> str:
        """What git clones from."""
        return f"file://{self.path}"

    # git

    def git(
        self, *arguments: str, check: bool = True, stdin: str = "", environment: dict[str, str] | None = None
    ) -> str:
        """Run git in the bare repository; give what it printed."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env={**clean_environment(), **(environment or {})},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"git {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def tip(self, branch: str) -> str:
        """Give the commit at which a branch is; zeros if there is none."""
        loose = self.path / "refs/heads" / branch
        if loose.is_file():  # as git reads it, without a process
            return loose.read_text().strip()
        return self.git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", check=False) or ZERO

    def push(self, actor: User | None, clone: Path, what: str, branch: str, *, force: bool = False) -> str:
        """Push from a clone as somebody; a refused push is an AssertionError, as git says it."""
        before = self.tip(branch)
        command = ["git", "push", "--quiet", *(["--force"] if force else []), str(self.path)]
        done = subprocess.run(
            [*command, f"{what}:refs/heads/{branch}"],
            cwd=clone,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        after = self.tip(branch)
        kind = "branch_creation" if before == ZERO else "force_push" if force else "push"
        self.moved(branch, actor, kind, before, after)
        return after

    def moved(self, branch: str, actor: User | None, kind: str, before: str, after: str) -> None:
        """Remember that a branch moved."""
        number = self.github.next()
        self.activity.append(Movement(number, f"refs/heads/{branch}", actor, self.github.now, kind, before, after))

    def notice(self, actor: User) -> None:
        """Remember whose pushes came by git alone, as GitHub does."""
        rows = self.git("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads").splitlines()
        for branch, tip in (row.split(" ") for row in rows):
            moves = [it.after for it in self.activity if it.ref == f"refs/heads/{branch}"]
            if not moves or moves[-1] != tip:
                self.moved(branch, actor, "push" if moves else "branch_creation", moves[-1] if moves else ZERO, tip)

    def follow(self, pull: Pull) -> str:
        """Let the refs of a request lead to its head and to its test merge, as everybody fetches them; give the latter.

        GitHub does so at each push; here whoever needs them says when, since a thousand requests need none.
        """
        head, place = self.head_of(pull), f"refs/pull/{pull.number}"
        self.git("fetch", "--quiet", str((pull.fork or self).path), f"+refs/heads/{pull.head}:{place}/head")
        onto = self.tip(pull.base)
        tree, *conflict = self.git("merge-tree", "--write-tree", "--name-only", onto, head, check=False).splitlines()
        if conflict:
            return ""
        merged = self._commit(tree, [onto, head], f"Merge {head} into {onto}", pull.user, WEB_FLOW)
        self.git("update-ref", f"{place}/merge", merged)
        return merged

    # people in the browser

    def open(
        self, user: User, head: str, *, base: str = "main", title: str = "A change", fork: Repository | None = None
    ) -> Pull:
        """Open a pull request."""
        number = len(self.pulls) + 1
        self.pulls[number] = Pull(number, user, title, self.github.now, head, base, fork)
        return self.pulls[number]

    def head_of(self, pull: Pull) -> str:
        """Give the last commit of a request: what was merged, or where its branch is."""
        return pull.merged_head or (pull.fork or self).tip(pull.head)

    def review(self, pull: Pull, user: User | None, state: str = "APPROVED", *, commit: str | None = None) -> Review:
        """Review a request as it is."""
        review = Review(self.github.next(), user, state, self.github.now, commit or self.head_of(pull))
        pull.reviews.append(review)
        return review

    def check(self, name: str, commit: str, conclusion: str | None = "success", *, app: int = ACTIONS_APP) -> CheckRun:
        """Report a check."""
        run = CheckRun(self.github.next(), name, commit, conclusion, app)
        self.checks.append(run)
        return run

    def status(self, name: str, commit: str, creator: User | None, state: str = "success") -> None:
        """Set a commit status."""
        self.statuses.append(Status(self.github.next(), name, commit, state, creator, self.github.now))

    def protect(self, branch: str = "main", *, checks: tuple[tuple[str, int | None], ...] = ()) -> Ruleset:
        """Protect a branch as Flagseal asks for."""
        rules: dict[str, dict[str, Any] | None] = {
            "deletion": None,
            "non_fast_forward": None,
            "pull_request": {
                "required_approving_review_count": 1,
                "dismiss_stale_reviews_on_push": True,
                "require_code_owner_review": True,
                "require_last_push_approval": True,
                "required_review_thread_resolution": False,
            },
        }
        if checks:
            rules["required_status_checks"] = {
                "strict_required_status_checks_policy": False,
                "required_status_checks": [
                    {"context": name} | ({} if app is None else {"integration_id": app}) for name, app in checks
                ],
            }
        self.rulesets.append(Ruleset(self.github.next(), "protected", branch, self.github.now, rules))
        return self.rulesets[-1]

    # the ways to merge

    def merge(self, pull: Pull, by: User | None, method: str = "merge", *, message: str = "") -> str:
        """Merge by the button: `merge`, `squash` or `rebase`."""
        before = self.tip(pull.base)
        landed = self._land(pull, by, method, before, message)
        self.git("update-ref", f"refs/heads/{pull.base}", landed, before)
        self.moved(pull.base, by, "pr_merge", before, landed)
        return landed

    def queue(self, pulls: list[Pull], by: User, method: str = "merge") -> str:
        """Merge several by one group of the merge queue."""
        before = tip = self.tip(pulls[0].base)
        for pull in pulls:
            tip = self._land(pull, by, method, tip, "")
            pull.merged_by = QUEUE
        self.git("update-ref", f"refs/heads/{pulls[0].base}", tip, before)
        self.moved(pulls[0].base, QUEUE, "merge_queue_merge", before, tip)
        return tip

    def _land(self, pull: Pull, by: User | None, method: str, onto: str, message: str) -> str:
        head, before = self.head_of(pull), onto
        if pull.fork is not None:
            self.git("fetch", "--quiet", str(pull.fork.path), f"+refs/heads/{pull.head}:refs/pull/{pull.number}/head")
        self.git("update-ref", f"refs/pull/{pull.number}/head", head)
        merger = by or WEB_FLOW
        title = message or f"{pull.title} (#{pull.number})"
        if method == "merge":
            text = message or f"Merge pull request #{pull.number}\n\n{pull.title}"
            landed = self._commit(self._merged(onto, head), [onto, head], text, merger, WEB_FLOW)
        elif method == "squash":
            landed = self._commit(self._merged(onto, head), [onto], title, pull.user, WEB_FLOW)
        else:
            landed = self._rebased(onto, head, merger)
        pull.merged_at, pull.merged_by, pull.closed = self.github.now, by, True
        pull.merged_head, pull.merged_base, pull.merge_commit = head, before, landed
        pull.brought = tuple(self.git("rev-list", "--first-parent", f"{before}..{landed}").split())
        return landed

    def _rebased(self, onto: str, head: str, merger: User) -> str:
        for commit in self.git("rev-list", "--reverse", "--no-merges", f"{onto}..{head}").split():
            parent = f"{commit}^"
            base = self._commit(self.git("rev-parse", f"{parent}^{{tree}}"), [], "base", merger, merger)
            ours = self._commit(self.git("rev-parse", f"{onto}^{{tree}}"), [base], "ours", merger, merger)
            theirs = self._commit(self.git("rev-parse", f"{commit}^{{tree}}"), [base], "theirs", merger, merger)
            message = self.git("log", "-1", "--format=%B", commit)
            who = self.git("log", "-1", "--format=%an%x00%ae", commit).split("\0")
            onto = self._commit(self._merged(ours, theirs), [onto], message, merger, merger, (who[0], who[1]))
        return onto

    def _merged(self, ours: str, theirs: str) -> str:
        return self.git("merge-tree", "--write-tree", ours, theirs).splitlines()[0]

    def _commit(
        self, tree: str, parents: list[str], message: str, author: User, committer: User,
        written_by: tuple[str, str] | None = None,
    ) -> str:  # fmt: skip
        name, email = written_by or (author.login, author.email)
        at = self.github.now.isoformat()
        who = {
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": email,
            "GIT_COMMITTER_NAME": committer.login,
            "GIT_COMMITTER_EMAIL": "noreply@github.com" if committer is WEB_FLOW else committer.email,
            "GIT_AUTHOR_DATE": at,
            "GIT_COMMITTER_DATE": at,
        }
        lines = [word for parent in parents for word in ("-p", parent)]
        made = self.git("commit-tree", tree, *lines, "-m", message, environment=who)
        if committer is WEB_FLOW:
            self.github.signed.add(made)
        return made

    def edit(self, user: User, branch: str, files: dict[str, str], *, message: str = "Edit") -> str:
        """Commit in the browser: authored by somebody, committed and signed by GitHub."""
        before = self.tip(branch)
        index = {"GIT_INDEX_FILE": str(self.path / "edit-index")}
        self.git("read-tree", before, environment=index)
        for name, text in files.items():
            blob = self.git("hash-object", "-w", "--stdin", stdin=text)
            self.git("update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", environment=index)
        after = self._commit(self.git("write-tree", environment=index), [before], message, user, WEB_FLOW)
        self.git("update-ref", f"refs/heads/{branch}", after, before)
        self.moved(branch, user, "push", before, after)
        return after

    # what answers are made of

    def commits(self, pull: Pull) -> list[str]:
        """Give a request's commits, oldest first."""
        base = pull.merged_base or self.tip(pull.base)
        where = pull.fork or self
        head = self.head_of(pull)
        if head == ZERO:  # An issue, or a branch that is gone.
            return []
        if pull.fork is not None and not pull.merged_head:
            return where.git("rev-list", "--reverse", f"{base}..{head}").split()
        if (base, head) not in self.ranges:  # Between two commits lie the same for ever.
            self.ranges[base, head] = self.git("rev-list", "--reverse", "--topo-order", f"{base}..{head}").split()
        return self.ranges[base, head]


@dataclass
class GitHub:
    """The whole host.

    Attributes:
        addresses: E-mail address to account, besides the addresses that GitHub gives.
        signed: Commits with GitHub's own signature.
        teams: ``organisation/team`` to members.
        apps: Slug to number, of those that the token may see.
        me: Whom the token belongs to.
        administers: Whether the token has Administration: write.
    """

    path: Path
    now: datetime = datetime(2026, 11, 23, 10, tzinfo=UTC)
    users: dict[str, User] = field(default_factory=dict)
    addresses: dict[str, User] = field(default_factory=dict)
    repositories: dict[str, Repository] = field(default_factory=dict)
    teams: dict[str, list[User]] = field(default_factory=dict)
    signed: set[str] = field(default_factory=set)
    last: int = 1000
    apps: dict[str, int] = field(default_factory=dict)
    me: User = ME
    administers: bool = True

    def next(self) -> int:
        """Give a number nobody has yet."""
        self.last += 1
        return self.last

    def wait(self, **time: float) -> datetime:
        """Let time pass."""
        self.now += timedelta(**time)
        return self.now

    def user(self, login: str, number: int, *emails: str, kind: str = "User") -> User:
        """Make an account."""
        self.users[login] = User(number, login, kind)
        for email in emails:
            self.addresses[email] = self.users[login]
        return self.users[login]

    def repository(self, owner: str, name: str, number: int) -> Repository:
        """Make an empty repository."""
        path = self.path / f"{owner}-{name}.git"
        path.mkdir(parents=True)
        made = Repository(number, self.users[owner], name, path, self)
        self.repositories[made.full_name] = made
        made.git("init", "--quiet", "--bare", "--initial-branch=main")
        return made

    def whose(self, email: str) -> User | None:
        """Find the account behind an address."""
        if email == "noreply@github.com":
            return WEB_FLOW
        given = re.fullmatch(r"(\d+)\+(.+)@users\.noreply\.github\.com", email)
        if given:
            return next((user for user in self.users.values() if user.id == int(given[1])), None)
        return self.addresses.get(email)


def clean_environment() -> dict[str, str]:
    """Give an environment in which nothing of this machine's git configuration counts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    who = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", "x"), ("EMAIL", "x@example.com"))
    }
    return {**kept, **who, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
