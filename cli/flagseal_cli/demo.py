"""``flagseal init --demo``: the sample company as a repository of its own, with keys that work.

The people's keys are generated anew and kept, unencrypted, under ``.flagseal/keys``, which git ignores:
one person can play all parts of the tour. Nothing else about the repository differs from a real one.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from ruamel.yaml import YAML

from flagseal_cli import gitsetup
from flagseal_cli.samples import moved_to, sample_files
from flagseal_cli.workspace import FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

DEMO_AUTHOR: Final = "bob"
ALLOWED_SIGNERS: Final = "allowed_signers"
"""For the person's own `git log --show-signature`; Flagseal itself believes policies/organisation.yaml."""
ORGANISATION: Final = "policies/organisation.yaml"
CALENDAR: Final = "policies/calendar.yaml"
POLICY_TESTS: Final = "policies/tests/approvals.yaml"


def write_demo(folder: Path, *, now: datetime) -> None:
    """Write the demo repository: all of it, or nothing.

    Args:
        folder: Where; must be missing or empty.
        now: The sample's dates are moved relative to this day.

    Raises:
        UsageError: The folder is in use, or git or ssh-keygen is missing.
    """
    # Git's configuration names absolute paths: while building those that signing needs, at the end the final ones.
    with gitsetup.built_whole(folder) as building:
        _write_files(building, now)
        gitsetup.initialise(building)
        gitsetup.sign_commits_as(
            building,
            name=DEMO_AUTHOR.capitalize(),
            email=f"{DEMO_AUTHOR}@example.com",
            key=building / FOLDER / "keys" / DEMO_AUTHOR,
        )
        gitsetup.commit_everything(building, "Start the sample company's flags and policies")
        gitsetup.run_git(building, "config", "user.signingkey", str(folder / FOLDER / "keys" / DEMO_AUTHOR))
        gitsetup.run_git(building, "config", "gpg.ssh.allowedSignersFile", str(folder / FOLDER / ALLOWED_SIGNERS))


def _write_files(folder: Path, now: datetime) -> None:
    files = moved_to(sample_files(), now.date())
    files[ORGANISATION] = _edited(files[ORGANISATION], lambda document: _give_keys(document, folder / FOLDER / "keys"))
    files[CALENDAR] = _edited(files[CALENDAR], _open_calendar)
    files[POLICY_TESTS] = _edited(files[POLICY_TESTS], _forget_waiting)
    signers = (
        f"{public.stem}@example.com {public.read_text('utf-8')}" for public in sorted((folder / FOLDER).rglob("*.pub"))
    )
    files[f"{FOLDER}/{ALLOWED_SIGNERS}"] = "".join(signers)
    files[".gitignore"] = f"/{FOLDER}/\n"
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")


def _edited(text: str, edit: Callable[[dict[str, object]], None]) -> str:
    """Edit a YAML text in place, its comments and order kept."""
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    document = yaml.load(text)
    edit(document)
    out = io.StringIO()
    yaml.dump(document, out)
    return out.getvalue()


def _give_keys(organisation: dict[str, object], keys: Path) -> None:
    """Generate a key for everybody and write its public half where the placeholder stood."""
    spec = organisation["spec"]
    assert isinstance(spec, dict)  # noqa: S101 (the sample is ours and tested)
    for person, entry in spec["people"].items():
        entry["keys"] = [gitsetup.generate_ssh_key(keys / person, person)]


def _open_calendar(calendar: dict[str, object]) -> None:
    """Leave every window open all week, and no blackout: the tour works at any hour."""
    spec = calendar["spec"]
    assert isinstance(spec, dict)  # noqa: S101 (the sample is ours and tested)
    for window in spec.get("windows", {}).values():
        window["days"] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        window["from"], window["to"] = "00:00", "24:00"
    spec["blackouts"] = []


def _forget_waiting(tests: dict[str, object]) -> None:
    """Take away the cases that expect a change to wait, since in an open calendar none does."""
    spec = tests["spec"]
    assert isinstance(spec, dict)  # noqa: S101 (the sample is ours and tested)
    cases = spec["cases"]
    for index in reversed(range(len(cases))):
        if "effectiveFrom" in cases[index]["expect"]:
            del cases[index]
