"""``flagseal forge check|setup``: is the branch protected as the policies ask, and if not, do it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from flagseal.model.errors import InvalidDocuments
from flagseal.model.limits import LARGEST_FILE
from flagseal.model.policy_set import load_policies
from flagseal.repository import FlagRepository
from flagseal.repository.changes import file_at
from flagseal_cli.console import note, print_json
from flagseal_cli.forge import github_option, open_settings, remote_option
from flagseal_cli.options import format_option, repo_option
from flagseal_cli.workspace import find_repository
from flagseal_validators.forge.protection import passer, required
from flagseal_validators.forge.settings import deviations, since

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal_validators.forge.protection import Deviation, Required
    from flagseal_validators.forge.settings import Settings, Step

_OPENS_REQUESTS: Final = ".github/workflows/retire.yaml"
"""What proposes the retirement of flags; GitHub's setting that lets it do so lets workflows approve, too."""

branch_option = click.option("--branch", metavar="NAME", help="The protected one. Default: the repository's own.")
revision_option = click.option(
    "--revision", default="HEAD", show_default=True, metavar="REV", help="Whose policies say what must be."
)


@click.command("check")
@branch_option
@revision_option
@github_option
@remote_option
@repo_option
@format_option
def check_protection(
    *, branch: str | None, revision: str, name: str | None, remote_name: str, repo: Path | None, style: str
) -> int:
    """Say what of the branch's protection is not as the policies ask, and what to change.

    It is judged by what the attestor goes by. The token must be one that may administer the repository
    (docs/github.md). Exit code 1 if anything is otherwise.
    """
    git = FlagRepository(find_repository(repo))
    asked = _asked(git, revision)
    found = open_settings(git, name, remote_name).read(branch)
    left = deviations(found, asked)
    if style == "json":
        print_json(_record(found, asked, left))
    else:
        _tell(found, asked, left)
    return 1 if left else 0


@click.command("setup")
@branch_option
@revision_option
@click.option("--dry-run", is_flag=True, help="Say what would be changed, and change nothing.")
@click.option(
    "--with-bypass", is_flag=True, help="Let those pass, too, whom the policies name under protection.bypass."
)
@github_option
@remote_option
@repo_option
@format_option
def set_up_protection(
    *,
    branch: str | None,
    revision: str,
    dry_run: bool,
    with_bypass: bool,
    name: str | None,
    remote_name: str,
    repo: Path | None,
    style: str,
) -> int:
    """Protect the branch as the policies ask, by one ruleset named flagseal; run again, it changes nothing.

    Other rulesets are left alone, and nothing that is stricter is loosened. Exit code 1 if something is left that it
    cannot do, or, with --dry-run, if there is anything to do.
    """
    git = FlagRepository(find_repository(repo))
    asked = _asked(git, revision)
    desk = open_settings(git, name, remote_name)
    found = desk.read(branch)
    steps = desk.set_up(found, asked, with_bypass=with_bypass, dry_run=dry_run)
    after = desk.read(found.branch) if steps and not dry_run else found
    left = deviations(after, asked)
    if style == "json":
        done = [{"place": step.place, "changes": list(step.changes)} for step in steps]
        print_json({"dryRun": dry_run, "steps": done} | _record(after, asked, left))
    else:
        _tell_steps(steps, dry_run=dry_run)
        _tell(after, asked, left)
    return 1 if left or (dry_run and steps) else 0


def _asked(git: FlagRepository, revision: str) -> Required:
    documents, findings = git.documents(revision)
    if errors := [finding for finding in findings if finding.severity == "error"]:
        raise InvalidDocuments(errors)
    opens = file_at(git.git, git.resolve(revision), _OPENS_REQUESTS, largest=LARGEST_FILE) is not None
    return required(load_policies(documents).approval, workflows_open_requests=opens)


def _tell_steps(steps: tuple[Step, ...], *, dry_run: bool) -> None:
    if not steps:
        note("Nothing to change.")
    for step in steps:
        click.echo(f"{'would change' if dry_run else 'changed'} {step.place}")
        for line in step.changes:
            click.echo(f"  {line}")


def _tell(found: Settings, asked: Required, left: tuple[Deviation, ...]) -> None:
    click.echo(f"{found.repository} ({found.repository_id}), branch {found.branch}")
    for entry in left:
        click.echo(f"  FAIL {entry.code} ({entry.place}): {entry.said}")
        click.echo(f"       → {entry.remedy}")
    at = since(found, asked)
    if not left and at is not None:
        click.echo(f"  ok   protected as the policies ask since {at:%Y-%m-%d %H:%M:%S}Z")
    if at is not None:
        note(f"Requests opened before {at:%Y-%m-%d %H:%M:%S}Z are refused: open them again.")


def _record(found: Settings, asked: Required, left: tuple[Deviation, ...]) -> dict[str, object]:
    return {
        "repository": found.repository,
        "id": found.repository_id,
        "branch": found.branch,
        "protected": not left,
        "since": since(found, asked),
        "required": {
            "approvals": asked.approvals,
            "checks": [{"name": check.name, "app": check.app} for check in asked.checks],
            "bypass": [passer(entry.actor, entry.id, entry.mode) for entry in asked.bypass],
        },
        "deviations": [
            {
                "code": entry.code,
                "place": entry.place,
                "message": entry.said,
                "remedy": entry.remedy,
                "bySetup": entry.by_setup,
            }
            for entry in left
        ],
    }
