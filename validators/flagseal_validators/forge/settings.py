"""How a repository is set up at its host, against what the policies ask: pure, as the attestor's check is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from flagseal_validators.forge.protection import Deviation, counted, unprotected

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from flagseal_validators.forge.facts import Ruleset
    from flagseal_validators.forge.protection import Required

NAME: Final = "flagseal"
"""Of the one ruleset that `flagseal forge setup` makes and changes."""
_SETUP: Final = "`flagseal forge setup` does it."


@dataclass(frozen=True, slots=True)
class Settings:
    """How the repository is set up.

    Attributes:
        repository_id: ``github:<number>``.
        branch: The protected one, without ``refs/heads/``.
        rulesets: Those in force on it, the organisation's included.
        inherited: Numbers of those that the organisation sets.
        classic: Whether the branch has protection of the classic kind.
        auto_merge: Whether a request may merge by itself once the host's own rules are met.
        token_writes: Whether workflows that ask for nothing get a token that may write.
        actions_approve: Whether a workflow's token may approve requests.
        codeowners: Errors that the host sees in CODEOWNERS, as place and text; None if there is no such file.
    """

    repository_id: str
    repository: str
    branch: str
    rulesets: tuple[Ruleset, ...]
    inherited: frozenset[int]
    classic: bool
    auto_merge: bool
    token_writes: bool
    actions_approve: bool
    codeowners: tuple[tuple[str, str], ...] | None


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that `setup` changes.

    Attributes:
        place: What is changed.
        changes: What about it, a line each.
    """

    place: str
    changes: tuple[str, ...]


class SettingsDesk(Protocol):
    """Where a repository's protection is read and written.

    Every method raises ForgeError: ``NotPermitted`` where the token may not, with the permission that it lacks;
    ``FactMissing``, ``RateLimited``, ``ForgeDown``, ``NotWritten`` as elsewhere.
    """

    def read(self, branch: str | None = None) -> Settings:
        """Read how the repository is set up.

        Args:
            branch: The protected one; by default the repository's default branch.
        """
        ...

    def set_up(self, found: Settings, asked: Required, *, with_bypass: bool, dry_run: bool) -> tuple[Step, ...]:
        """Change what deviates and can be changed; nothing stricter is ever loosened.

        Args:
            found: What :meth:`read` gave.
            asked: What the policies ask.
            with_bypass: Whether those whom the policies name are let pass as well.
            dry_run: Only say what would be done.

        Returns:
            What was, or would be, done.
        """
        ...


def deviations(found: Settings, asked: Required) -> tuple[Deviation, ...]:
    """Say everything that is not as the policies ask."""
    rules = unprotected(found.rulesets, asked)
    return (*rules, *_classic(found, rules), *_checks(found, asked), *_workflows(found, asked), *_others(found, asked))


def wants_ruleset(found: Settings, asked: Required) -> bool:
    """Tell whether our ruleset has to be made or changed."""
    return bool(unprotected(found.rulesets, asked)) or any(entry.by_setup for entry in _checks(found, asked))


def wants_no_auto_merge(found: Settings, asked: Required) -> bool:
    """Tell whether requests that merge by themselves would land before they have the approvals that rows ask for."""
    return found.auto_merge and asked.most > asked.approvals


def wants_no_approving(found: Settings, asked: Required) -> bool:
    """Tell whether workflows may approve, and none needs the setting in order to open requests."""
    return found.actions_approve and not asked.workflows_open_requests


def since(found: Settings, asked: Required) -> datetime | None:
    """Tell since when the rules are in force that count; None if none is. Requests opened before are refused."""
    return max((ruleset.updated_at for ruleset in counted(found.rulesets, asked)), default=None)


def _classic(found: Settings, rules: tuple[Deviation, ...]) -> Iterator[Deviation]:
    if found.classic and rules:
        yield Deviation(
            "ClassicProtection",
            f"branch protection of {found.branch}",
            "the branch has classic protection, which has no dates, so the attestor counts nothing of it",
            "`flagseal forge setup` makes a ruleset; the classic protection may stay beside it.",
        )


def _checks(found: Settings, asked: Required) -> Iterator[Deviation]:
    """Find required checks that anybody may report as passed: the attestor refuses what they let through."""
    declared = {check.name for check in asked.checks}
    for ruleset in found.rulesets:
        for check in ruleset.checks:
            if check.app is None:
                ours = ruleset.name == NAME and ruleset.id not in found.inherited and check.name in declared
                yield Deviation(
                    "CheckByAnybody",
                    f"ruleset {ruleset.name}",
                    f"{check.name} is required of no app in particular, so anybody may say that it passed",
                    _SETUP if ours else "Name the app that gives it, in that ruleset.",
                    by_setup=ours,
                )


def _workflows(found: Settings, asked: Required) -> Iterator[Deviation]:
    place = "Settings, Actions, General, Workflow permissions"
    if found.token_writes:
        yield Deviation("TokenWrites", place, "a workflow that asks for nothing gets a token that may write", _SETUP)
    if wants_no_approving(found, asked):
        yield Deviation("ActionsApprove", place, "workflows may approve requests", _SETUP)


def _others(found: Settings, asked: Required) -> Iterator[Deviation]:
    if wants_no_auto_merge(found, asked):
        yield Deviation(
            "AutoMerge",
            "Settings, General, Pull Requests",
            f"a request merges by itself at {asked.approvals} approval(s), and rows ask for up to {asked.most}: what"
            " lands too early is refused and has to be reverted",
            _SETUP,
        )
    if found.codeowners is None:
        yield Deviation(
            "NoCodeowners",
            ".github/CODEOWNERS",
            "there is no CODEOWNERS file, so no path has an owner",
            "Add one by a request (docs/github.md); `flagseal init` writes one.",
            by_setup=False,
        )
    for place, said in found.codeowners or ():
        yield Deviation(
            "CodeownersError", place, said, "Correct it by a request; GitHub passes over such a line.", by_setup=False
        )
