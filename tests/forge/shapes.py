"""GitHub's state in the words of its API; every required field is there, with a value of its type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from tests.forge.github import CheckRun, Comment, Movement, Pull, Repository, Review, Ruleset, Status, User

Shape = dict[str, Any]
API = "https://api.github.com"
WEB = "https://github.com"

_REPOSITORY_URLS = """
archive assignees blobs branches collaborators comments commits compare contents contributors deployments downloads
events forks git_commits git_refs git_tags hooks html issue_comment issue_events issues keys labels languages merges
milestones notifications pulls releases stargazers statuses subscribers subscription tags teams trees
"""
_USER_URLS = "followers following gists starred subscriptions organizations repos events received_events"


def instant(at: datetime | None) -> str | None:
    """Write an instant as GitHub does."""
    return None if at is None else at.strftime("%Y-%m-%dT%H:%M:%SZ")


def node(kind: str, number: int) -> str:
    """Make an opaque id."""
    return f"{kind}_{number}"


def user(account: User | None) -> Shape | None:
    """Write an account."""
    if account is None:
        return None
    url = f"{API}/users/{account.login}"
    return {
        "login": account.login, "id": account.id, "node_id": node("U", account.id), "avatar_url": f"{WEB}/a.png",
        "gravatar_id": "", "url": url, "html_url": f"{WEB}/{account.login}", "type": account.type, "site_admin": False,
    } | {f"{name}_url": f"{url}/{name}" for name in _USER_URLS.split()}  # fmt: skip


def repository(found: Repository) -> Shape:
    """Write a repository as it stands inside of other answers."""
    url = f"{API}/repos/{found.full_name}"
    then = "2026-01-01T00:00:00Z"
    return {f"{name}_url": f"{url}/{name}" for name in _REPOSITORY_URLS.split()} | {
        "id": found.id, "node_id": node("R", found.id), "name": found.name, "full_name": found.full_name, "url": url,
        "owner": user(found.owner), "private": True, "fork": False, "description": None, "clone_url": f"{WEB}/x.git",
        "git_url": "git://github.com/x.git", "ssh_url": "git@github.com:x.git", "svn_url": WEB, "mirror_url": None,
        "homepage": None, "language": None, "license": None, "default_branch": "main", "forks": 0, "forks_count": 0,
        "stargazers_count": 0, "watchers": 0, "watchers_count": 0, "size": 1, "open_issues": 0, "open_issues_count": 0,
        "has_issues": True, "has_projects": False, "has_wiki": False, "has_pages": False, "has_downloads": False,
        "has_discussions": False, "archived": False, "disabled": False, "pushed_at": then, "created_at": then,
        "updated_at": then,
    }  # fmt: skip


def full_repository(found: Repository) -> Shape:
    """Write a repository by itself."""
    return repository(found) | {"network_count": 0, "subscribers_count": 0, "allow_auto_merge": found.auto_merge}


def pull_simple(found: Repository, pull: Pull) -> Shape:
    """Write a request as lists have it."""
    url = f"{API}/repos/{found.full_name}/pulls/{pull.number}"
    issue = f"{API}/repos/{found.full_name}/issues/{pull.number}"
    links = ("comments", "commits", "statuses", "html", "issue", "review_comments", "review_comment", "self")
    return {
        "url": url, "id": pull.number, "node_id": node("PR", pull.number), "html_url": url, "diff_url": url,
        "patch_url": url, "issue_url": issue, "commits_url": url, "review_comments_url": url,
        "review_comment_url": url, "comments_url": url, "statuses_url": url, "number": pull.number,
        "state": "closed" if pull.closed else "open", "locked": False, "title": pull.title, "user": user(pull.user),
        "body": pull.body, "labels": [label(found, name) for name in pull.labels], "milestone": None,
        "created_at": instant(pull.created_at),
        "requested_reviewers": [user(found.github.users[login]) for login in pull.asked],
        "updated_at": instant(pull.merged_at or pull.created_at), "closed_at": instant(pull.merged_at),
        "merged_at": instant(pull.merged_at), "merge_commit_sha": pull.merge_commit, "assignee": None,
        "auto_merge": None, "author_association": "MEMBER", "draft": False,
        "head": _end(pull.fork or found, pull.head, found.head_of(pull)),
        "base": _end(found, pull.base, pull.merged_base or found.tip(pull.base)),
        "_links": {name: {"href": url} for name in links},
    }  # fmt: skip


def label(found: Repository, name: str) -> Shape:
    """Write a label."""
    url = f"{API}/repos/{found.full_name}/labels/x"
    return {
        "id": 208045946, "node_id": "L_1", "url": url, "name": name, "color": "5319e7", "default": False,
        "description": "Written by Flagseal",
    }  # fmt: skip


def pull(found: Repository, request: Pull) -> Shape:
    """Write a request by itself."""
    return pull_simple(found, request) | {
        "merged": request.merged_at is not None, "mergeable": None, "rebaseable": None, "mergeable_state": "unknown",
        "merged_by": user(request.merged_by), "comments": 0, "review_comments": 0, "maintainer_can_modify": False,
        "commits": len(found.commits(request)), "additions": 1, "deletions": 1, "changed_files": 1,
    }  # fmt: skip


def _end(found: Repository, branch: str, commit: str) -> Shape:
    label = f"{found.owner.login}:{branch}"
    return {"label": label, "ref": branch, "sha": commit, "user": user(found.owner), "repo": repository(found)}


def review(found: Repository, request: Pull, given: Review) -> Shape:
    """Write a review."""
    url = f"{API}/repos/{found.full_name}/pulls/{request.number}"
    shape = {
        "id": given.id, "node_id": node("PRR", given.id), "user": user(given.user), "body": "", "state": given.state,
        "html_url": url, "pull_request_url": url, "commit_id": given.commit, "author_association": "MEMBER",
        "_links": {"html": {"href": url}, "pull_request": {"href": url}},
    }  # fmt: skip
    return shape if given.state == "PENDING" else shape | {"submitted_at": instant(given.at)}


def movement(moved: Movement) -> Shape:
    """Write a line of activity."""
    return {
        "id": moved.id, "node_id": node("A", moved.id), "before": moved.before, "after": moved.after, "ref": moved.ref,
        "timestamp": instant(moved.at), "activity_type": moved.kind, "actor": user(moved.actor),
    }  # fmt: skip


def rules(found: Repository, branch: str) -> list[Shape]:
    """Write the rules that reach a branch."""
    return [
        _rule(kind, parameters) | {"ruleset_id": entry.id} | _source(found, entry, "ruleset_source")
        for entry in found.rulesets
        if entry.reaches(branch)
        for kind, parameters in entry.rules.items()
    ]


def ruleset(found: Repository, entry: Ruleset) -> Shape:
    """Write a ruleset; a token that may not change it does not see who may pass it by."""
    shape = ruleset_simple(found, entry) | {
        "conditions": {"ref_name": {"include": entry.names, "exclude": entry.exclude}},
        "rules": [_rule(kind, parameters) for kind, parameters in entry.rules.items()],
    }
    hidden = entry.bypass is None or not found.github.administers
    return shape if hidden else shape | {"bypass_actors": entry.bypass}


def ruleset_simple(found: Repository, entry: Ruleset) -> Shape:
    """Write a ruleset as lists have it."""
    return {
        "id": entry.id, "name": entry.name, "target": "branch", "enforcement": entry.enforcement,
        "created_at": instant(entry.updated_at), "updated_at": instant(entry.updated_at),
    } | _source(found, entry, "source")  # fmt: skip


def _source(found: Repository, entry: Ruleset, name: str) -> Shape:
    kind = "Organization" if entry.organisation else "Repository"
    return {name: entry.organisation or found.full_name, f"{name}_type": kind}


def _rule(kind: str, parameters: Shape | None) -> Shape:
    return {"type": kind} if parameters is None else {"type": kind, "parameters": parameters}


def check_run(found: Repository, run: CheckRun) -> Shape:
    """Write a check's result."""
    url = f"{API}/repos/{found.full_name}/check-runs/{run.id}"
    output = {"title": None, "summary": None, "text": None, "annotations_count": 0, "annotations_url": url}
    return {
        "id": run.id, "node_id": node("CR", run.id), "head_sha": run.commit, "external_id": "", "url": url,
        "html_url": url, "details_url": url, "status": "completed" if run.conclusion else "in_progress",
        "conclusion": run.conclusion, "started_at": "2026-11-23T10:00:00Z", "completed_at": None, "output": output,
        "name": run.name, "check_suite": None, "app": app(found.owner, "app", run.app), "pull_requests": [],
    }  # fmt: skip


def app(owner: User, slug: str, number: int) -> Shape:
    """Write an app."""
    return {
        "id": number, "node_id": node("APP", number), "slug": slug, "owner": user(owner), "name": "App",
        "description": None, "external_url": WEB, "html_url": WEB, "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z", "permissions": {}, "events": [],
    }  # fmt: skip


def status(found: Repository, said: Status) -> Shape:
    """Write a commit status."""
    return {
        "url": f"{API}/repos/{found.full_name}/statuses/{said.commit}", "avatar_url": None, "id": said.id,
        "node_id": node("SC", said.id), "state": said.state, "description": None, "target_url": None,
        "context": said.name, "created_at": instant(said.at), "updated_at": instant(said.at),
        "creator": user(said.creator),
    }  # fmt: skip


def issue(found: Repository, request: Pull) -> Shape:
    """Write an issue (each pull request is one)."""
    url = f"{API}/repos/{found.full_name}/issues/{request.number}"
    pulls = f"{API}/repos/{found.full_name}/pulls/{request.number}"
    shape = {
        "id": request.number, "node_id": node("I", request.number), "url": url, "repository_url": url,
        "labels_url": url, "comments_url": url, "events_url": url, "html_url": url, "number": request.number,
        "state": "closed" if request.closed else "open", "title": request.title, "body": request.body,
        "user": user(request.user), "labels": [label(found, name) for name in request.labels],
        "assignee": None, "milestone": None, "locked": False, "comments": 0,
        "closed_at": None, "created_at": instant(request.created_at), "updated_at": instant(request.created_at),
        "author_association": "NONE",
    }  # fmt: skip
    if not request.head:
        return shape
    request_of = {"url": pulls, "html_url": pulls, "diff_url": pulls, "patch_url": pulls}
    return shape | {"pull_request": request_of | {"merged_at": instant(request.merged_at)}}


def comment(found: Repository, written: Comment) -> Shape:
    """Write a comment."""
    url = f"{API}/repos/{found.full_name}/issues/comments/{written.id}"
    return {
        "id": written.id, "node_id": node("IC", written.id), "url": url, "html_url": url, "body": written.body,
        "issue_url": url, "user": user(written.user), "created_at": instant(written.at),
        "updated_at": instant(written.at), "author_association": "MEMBER",
    }  # fmt: skip
