"""``flagseal init``: the smallest flag repository that is complete, with its writer as the first person."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final

from flagseal.model.errors import UsageError
from flagseal_cli import gitsetup
from flagseal_cli.workflows import attestor_files, flag_workflows
from flagseal_cli.workspace import FOLDER

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_PERSON = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_PUBLIC_KEY_FIELDS: Final = 2
_KEY_TYPES: Final = ("ssh-", "ecdsa-", "sk-")

_FILES: Final = {
    ".gitignore": f"/{FOLDER}/\n",
    ".github/CODEOWNERS": """\
# Whom the git host asks to review what: put your organisation's name there in place of `example`, and give it the team.
# The rules that count are in policies/, and everybody verifies them.
* @example/team-example
/policies/ @example/team-example
/.github/ @example/team-example
/flags/ @example/team-example
/reviews/ @example/team-example
""",
    "flags/example/hello-world.yaml": """\
# A first flag: on in staging, off in production. Change it by commit, then `flagseal approve`.
apiVersion: flagseal.dev/v1alpha1
kind: FlagDefinition
metadata:
  name: hello-world
  namespace: example
spec:
  description: Greets the world.
  purpose: release
  owner: team-example
  riskTier: operational
  lifecycle: draft
  expires: "$expires"
  retireWhen: On for everyone for 30 days, and the old path deleted.
  ticket: EX-1
  variants: {enabled: true, disabled: false}
  safeVariant: disabled
  environments:
    staging:
      default: enabled
    production:
      default: disabled
""",
    "policies/organisation.yaml": """\
# Who is who. Keys are public SSH keys; one person may hold several and counts once.
apiVersion: flagseal.dev/v1alpha1
kind: Organisation
metadata: {name: organisation}
spec:
  people:
    $person: {name: "$name", keys: ["$key"]}
  teams:
    team-example: {members: [$person]}
  roles:
    flag-approver: {teams: [team-example]}
    security: {people: [$person]}
    flag-emergency-override: {people: [$person]}
""",
    "policies/environments.yaml": """\
apiVersion: flagseal.dev/v1alpha1
kind: EnvironmentList
metadata: {name: environments}
spec:
  environments:
    staging: {production: false}
    production: {production: true, bucketing: v2}
""",
    "policies/lifecycle.yaml": """\
apiVersion: flagseal.dev/v1alpha1
kind: LifecyclePolicy
metadata: {name: lifecycle}
spec:
  maxLifetime: {release: 180d, experiment: 90d, operational: 365d, auth-protocol: 365d}
  review: {entitlement: 90d}
  warnBefore: 14d
  transitions:
    draft: [review]
    review: [canary, draft]
    canary: [enforced, review]
    enforced: [stable, canary]
    stable: [enforced]
    "*": [retired]
""",
    "policies/calendar.yaml": """\
apiVersion: flagseal.dev/v1alpha1
kind: ChangeCalendar
metadata: {name: calendar}
spec:
  windows:
    business-hours: {timezone: UTC, days: [mon, tue, wed, thu], from: "09:00", to: "16:00"}
  blackouts: []
""",
}

_APPROVALS_HEAD: Final = """\
# What each kind of change needs. What no row covers is refused. Nobody approves their own change.
apiVersion: flagseal.dev/v1alpha1
kind: ApprovalPolicy
metadata: {name: approvals}
spec:
  default: deny
  tiers:
"""
_TIER_ROWS: Final = """\
    {tier}:
      production:
        widen:       {{approvals: [{{role: owner, count: 1}}], evidence: either{extra}}}
        toward-safe: {{approvals: [{{role: flag-approver, count: 1}}], evidence: either}}
        metadata:    {{approvals: [{{role: owner, count: 1}}], evidence: either}}
      nonProduction:
        widen:       {{approvals: [{{role: flag-approver, count: 1}}], evidence: either}}
"""
_TIER_EXTRAS: Final = {
    "informational": "",
    "operational": "",
    "sensitive": ", after: [staging]",
    "high-risk": ", ticket: required, after: [staging], window: business-hours, maxStep: 25",
}
_POLICY_ROWS: Final = """\
  policies:
    widen:       {approvals: [{role: security, count: 1}], evidence: either}
    toward-safe: {approvals: [{role: security, count: 1}], evidence: either}
"""


@dataclass(frozen=True, slots=True)
class Starter:
    """What was written: the id of the first person."""

    person: str


def write_starter(folder: Path, *, person: str | None, public_key: Path | None, now: datetime) -> Starter:
    """Write a fresh flag repository: all of it, or nothing. Nothing is committed.

    Args:
        folder: Where; must be missing or empty.
        person: Id of the first person; None derives it from git's ``user.name``.
        public_key: Their public SSH key; None takes git's ``user.signingkey``. Git is set to sign with it.
        now: The example's expiry is half a year later.

    Raises:
        UsageError: The folder is in use, or neither arguments nor git say who you are.
    """
    gitsetup.refuse_unless_empty(folder)
    name = _git_setting("user.name") or person or ""
    first = person or re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not _PERSON.fullmatch(first):
        raise UsageError(
            f"{first or 'nobody'!r}: not an id for a person (lower case letters, digits and hyphens)",
            code="NoPerson",
            remedy="Say who you are with --person, or set git's user.name.",
        )
    key, signing = _public_key(public_key)
    values = {
        "person": first,
        "name": name.replace("\\", "").replace('"', "'") or first,
        "key": key,
        "expires": f"{_half_a_year_after(now)}",
    }
    files = {**_FILES, "policies/approvals.yaml": _approvals()}
    filled = {path: Template(text).substitute(values) for path, text in files.items()}
    with gitsetup.built_whole(folder) as building:
        write_files(building, {**filled, **flag_workflows()})
        gitsetup.initialise(building)
        gitsetup.sign_commits_with(building, signing)
    return Starter(first)


def write_attestor(folder: Path, flags: str, key: str | None) -> None:
    """Write the repository whose workflow attests a flag repository: all of it, or nothing. Nothing is committed.

    Args:
        folder: Where; must be missing or empty.
        flags: ``OWNER/NAME`` of the flag repository on GitHub.
        key: URI of its key in a KMS; None if it is a secret of the repository.

    Raises:
        UsageError: The folder is in use, ``flags`` names no repository, or ``key`` no key of a known KMS.
    """
    gitsetup.refuse_unless_empty(folder)
    files = attestor_files(flags, key)
    with gitsetup.built_whole(folder) as building:
        write_files(building, files)
        gitsetup.initialise(building)


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write texts into a folder, by their paths from there."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")


def _half_a_year_after(now: datetime) -> str:
    return (now.date() + timedelta(days=170)).isoformat()


def _approvals() -> str:
    rows = "".join(_TIER_ROWS.format(tier=tier, extra=extra) for tier, extra in _TIER_EXTRAS.items())
    return _APPROVALS_HEAD + rows + _POLICY_ROWS


def _public_key(path: Path | None) -> tuple[str, str]:
    """Find the public line of the first person's key, and what git is to sign with.

    The private half may be what is named, as git allows: it is never taken, nor shown.
    """
    setting = _git_setting("user.signingkey") if path is None else str(path.resolve())
    if line := _line(setting.removeprefix("key::")):
        return line, setting
    named = Path(setting).expanduser()
    for file in (named, named.with_name(f"{named.name}.pub")) if setting else ():
        if file.is_file() and (line := _line(file.read_bytes().decode("utf-8", "replace"))):
            return line, str(file)
    place = f"{path}: no public SSH key here, nor beside it" if path else "no public SSH key to know you by"
    raise UsageError(
        place,
        code="NoKey",
        remedy=(
            "Name one with --key ~/.ssh/id_ed25519.pub, or set git's user.signingkey. "
            "`ssh-keygen -t ed25519` makes one."
        ),
    )


def _line(text: str) -> str:
    """Give the text if it is one line of a public SSH key that YAML can hold in quotes, else nothing."""
    line = text.strip()
    usable = line.startswith(_KEY_TYPES) and len(line.split()) >= _PUBLIC_KEY_FIELDS
    return line if usable and not set(line) & set('"\\\n') else ""


def _git_setting(name: str) -> str:
    done = subprocess.run(["git", "config", "--get", name], check=False, capture_output=True, text=True)
    return done.stdout.strip()
