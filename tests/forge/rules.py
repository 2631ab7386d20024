"""The double's answers about how a repository is set up: rulesets, classic protection, workflows, CODEOWNERS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.forge import shapes
from tests.forge.github import Ruleset
from tests.forge.server import route

if TYPE_CHECKING:
    from tests.forge.github import Repository
    from tests.forge.server import Answer, Question

REFUSED = 403, {"message": "Resource not accessible by integration", "documentation_url": shapes.WEB, "status": "403"}
"""What GitHub tells a token that lacks a permission."""
CODEOWNERS = ("CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS")


def _absent(message: str) -> Answer:
    return 404, {"message": message, "documentation_url": shapes.WEB, "status": "404"}


@route("GET", "/repos/{owner}/{repo}/rulesets")
def _rulesets(asked: Question) -> Answer:
    found, own = asked.repository, asked.query.get("includes_parents") == "false"
    return 200, [shapes.ruleset_simple(found, entry) for entry in found.rulesets if not (own and entry.organisation)]


@route("POST", "/repos/{owner}/{repo}/rulesets")
def _make(asked: Question) -> Answer:
    found = asked.repository
    if not asked.github.administers:
        return REFUSED
    if any(entry.name == asked.body["name"] and not entry.organisation for entry in found.rulesets):
        return 422, {"message": "Validation Failed", "errors": ["Name must be unique"], "documentation_url": shapes.WEB}
    made = Ruleset(asked.github.next(), "", "main", asked.github.now, {})
    found.rulesets.append(made)
    _write(asked, made)
    return 201, shapes.ruleset(found, made)


@route("PUT", "/repos/{owner}/{repo}/rulesets/{ruleset_id}")
def _change(asked: Question) -> Answer:
    if not asked.github.administers:
        return REFUSED
    own = {entry.id: entry for entry in asked.repository.rulesets if not entry.organisation}
    _write(asked, own[int(asked.names["ruleset_id"])])
    return 200, shapes.ruleset(asked.repository, own[int(asked.names["ruleset_id"])])


def _write(asked: Question, entry: Ruleset) -> None:
    body = asked.body
    entry.name, entry.enforcement = body["name"], body["enforcement"]
    entry.bypass = [dict(actor) for actor in body.get("bypass_actors", [])]
    names: dict[str, list[str]] = body["conditions"]["ref_name"]
    entry.include, entry.exclude = names["include"], names["exclude"]
    entry.rules = {rule["type"]: rule.get("parameters") for rule in body["rules"]}
    entry.updated_at = asked.github.now


@route("GET", "/repos/{owner}/{repo}/branches/{branch}/protection")
def _classic(asked: Question) -> Answer:
    if not asked.github.administers:
        return REFUSED
    if asked.repository.tip(asked.names["branch"]).strip("0") == "":
        return _absent("Branch not found")
    return (200, {"url": shapes.API}) if asked.repository.classic else _absent("Branch not protected")


@route("GET", "/repos/{owner}/{repo}/actions/permissions/workflow")
def _workflow(asked: Question) -> Answer:
    if not asked.github.administers:
        return REFUSED
    found = asked.repository
    return 200, {
        "default_workflow_permissions": "write" if found.token_writes else "read",
        "can_approve_pull_request_reviews": found.actions_approve,
    }


@route("PUT", "/repos/{owner}/{repo}/actions/permissions/workflow")
def _set_workflow(asked: Question) -> Answer:
    if not asked.github.administers:
        return REFUSED
    found: Repository = asked.repository
    body: dict[str, Any] = asked.body
    found.token_writes = body["default_workflow_permissions"] == "write"
    found.actions_approve = body["can_approve_pull_request_reviews"]
    return 204, None


@route("PATCH", "/repos/{owner}/{repo}")
def _set_repository(asked: Question) -> Answer:
    if not asked.github.administers:
        return REFUSED
    asked.repository.auto_merge = asked.body["allow_auto_merge"]
    return 200, shapes.full_repository(asked.repository)


@route("GET", "/repos/{owner}/{repo}/codeowners/errors")
def _codeowners(asked: Question) -> Answer:
    found = asked.repository
    there = found.git("ls-tree", "--name-only", asked.query.get("ref", "main"), *CODEOWNERS).split()
    return (200, {"errors": found.codeowners_errors}) if there else _absent("Not Found")
