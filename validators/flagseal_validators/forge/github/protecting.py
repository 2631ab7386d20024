"""How a repository on GitHub is set up, read and changed. Whoever does that must be allowed to administer it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from flagseal.model.errors import ForgeError
from flagseal_validators.forge.github.asking import missing
from flagseal_validators.forge.github.reading import rulesets
from flagseal_validators.forge.github.ruleset import desired, differences
from flagseal_validators.forge.settings import (
    NAME,
    Settings,
    Step,
    wants_no_approving,
    wants_no_auto_merge,
    wants_ruleset,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from flagseal.model.canonical import Json
    from flagseal_validators.forge.github.asking import Asker
    from flagseal_validators.forge.protection import Required

_OK: Final = 200
_ABSENT: Final = 404


class GitHubSettings:
    """Read and change how one repository is set up (see :class:`flagseal_validators.forge.settings.SettingsDesk`).

    Args:
        asker: Asks and writes.
        name: ``owner/name``.
    """

    def __init__(self, asker: Asker, name: str) -> None:
        self._asker = asker
        self._name = name
        self._top = f"/repos/{name}"

    def read(self, branch: str | None = None) -> Settings:
        """Read how the repository is set up (see the interface)."""
        body = _object(self._asker.get(self._top), "repository")
        found = branch or str(body.get("default_branch") or "main")
        workflow = self._workflow()
        classic = self._classic(found)
        force = rulesets(self._asker, self._name, found)
        inherited = self._inherited(found)
        if any(ruleset.bypass is None and ruleset.id not in inherited for ruleset in force):
            raise self._not_permitted("who may bypass its rulesets", "write")
        return Settings(
            repository_id=f"github:{body.get('id')}",
            repository=self._name,
            branch=found,
            rulesets=force,
            inherited=inherited,
            classic=classic,
            auto_merge=body.get("allow_auto_merge") is True,
            token_writes=workflow.get("default_workflow_permissions") != "read",
            actions_approve=workflow.get("can_approve_pull_request_reviews") is not False,
            codeowners=self._codeowners(found),
        )

    def set_up(self, found: Settings, asked: Required, *, with_bypass: bool, dry_run: bool) -> tuple[Step, ...]:
        """Change what deviates (see the interface)."""
        steps: list[tuple[Step, Callable[[], Json]]] = []
        own = self._own()
        needed = wants_ruleset(found, asked)
        if needed or (with_bypass and own is not None):
            in_force = own is not None and any(ruleset.id == own["id"] for ruleset in found.rulesets)
            wanted = desired(own, asked, found.branch, in_force=in_force, with_bypass=with_bypass)
            if changes := differences(own, wanted):
                where, verb = (f"{self._top}/rulesets", "POST")
                if own is not None:
                    where, verb = f"{where}/{own['id']}", "PUT"
                step = Step(f"ruleset {NAME}{'' if own else ' (new)'}", changes)
                steps.append((step, lambda: self._send(verb, where, wanted)))
        silenced = wants_no_approving(found, asked)
        if found.token_writes or silenced:
            lines = ["~ token of workflows: write → read"] if found.token_writes else []
            lines += ["- workflows may approve requests"] if silenced else []
            path = f"{self._top}/actions/permissions/workflow"
            token: dict[str, Json] = {
                "default_workflow_permissions": "read",
                "can_approve_pull_request_reviews": found.actions_approve and not silenced,
            }
            steps.append((Step("workflow permissions", tuple(lines)), lambda: self._send("PUT", path, token)))
        if wants_no_auto_merge(found, asked):
            step = Step("pull requests", ("- requests merge by themselves",))
            steps.append((step, lambda: self._send("PATCH", self._top, {"allow_auto_merge": False})))
        if not dry_run:
            for _, write in steps:
                write()
        return tuple(step for step, _ in steps)

    # reading

    def _own(self) -> dict[str, Any] | None:
        """Find the ruleset that is ours, whether it is in force or not."""
        for entry in self._asker.pages(f"{self._top}/rulesets", {"includes_parents": "false", "targets": "branch"}):
            listed = _object(entry, "ruleset")
            if listed.get("name") != NAME or listed.get("source_type", "Repository") != "Repository":
                continue
            body = _object(self._asker.get(f"{self._top}/rulesets/{listed.get('id')}"), "ruleset")
            if "bypass_actors" not in body or "rules" not in body:
                raise self._not_permitted("who may bypass its rulesets", "write")
            return body
        return None

    def _inherited(self, branch: str) -> frozenset[int]:
        entries = self._asker.pages(f"{self._top}/rules/branches/{quote(branch, safe='')}")
        rules = [_object(entry, "rule") for entry in entries]
        return frozenset(
            rule["ruleset_id"] for rule in rules if rule.get("ruleset_source_type", "Repository") != "Repository"
        )

    def _workflow(self) -> dict[str, Any]:
        status, body = self._asker.look(f"{self._top}/actions/permissions/workflow")
        if status != _OK:
            raise self._not_permitted("what workflows may do", "read")
        return _object(body, "workflow permissions")

    def _classic(self, branch: str) -> bool:
        status, body = self._asker.look(f"{self._top}/branches/{quote(branch, safe='')}/protection")
        said = str(body.get("message", "")).casefold() if isinstance(body, dict) else ""
        if status == _ABSENT and "branch not found" in said:
            raise missing(f"{self._name}", f"there is no branch {branch}")
        if status == _ABSENT and "not protected" in said:
            return False
        if status != _OK:
            raise self._not_permitted("how its branch is protected", "read")
        return True

    def _codeowners(self, branch: str) -> tuple[tuple[str, str], ...] | None:
        status, body = self._asker.look(f"{self._top}/codeowners/errors?ref={quote(branch, safe='')}")
        if status == _ABSENT:
            return None
        errors = _object(body, "CODEOWNERS").get("errors") if status == _OK else None
        if not isinstance(errors, list):
            raise missing("CODEOWNERS", "GitHub does not say whether it can read it")
        return tuple(
            (f"{error.get('path')}:{error.get('line')}:{error.get('column')}", _one_line(error)) for error in errors
        )

    # writing

    def _send(self, verb: str, path: str, body: Json) -> Json:
        try:
            return self._asker.send(verb, path, body, repeatable=verb != "POST")
        except ForgeError as error:
            if error.code != "NotWritten":
                raise
            raise ForgeError(
                error.message,
                code="NotPermitted" if "may not write" in error.message else "NotWritten",
                remedy="It needs a token with Administration: write (docs/github.md). Nothing after it was done: run"
                " `flagseal forge setup` again.",
            ) from error

    def _not_permitted(self, what: str, how: str) -> ForgeError:
        return ForgeError(
            f"{self._name}: this token may not see {what}; it lacks the permission Administration: {how}.",
            code="NotPermitted",
            remedy="Run it with a token of somebody who administers the repository, or of an App with Administration:"
            " write (docs/github.md).",
        )


def _object(value: Json, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise missing(f"GitHub: {place}", "is no object")
    return value


def _one_line(error: dict[str, Any]) -> str:
    """Give the first line of what GitHub says; the others draw where it is."""
    message = str(error.get("message") or "").splitlines()
    return message[0].rstrip(":") if message else str(error.get("kind") or "an error")
