"""The workflows by which a git host runs Flagseal: files that ship with the command, filled in for one repository."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import Final

from flagseal.model.errors import UsageError

FLAG_WORKFLOWS: Final = ("approve", "check", "comment", "incident-review", "retire")
"""Those of a flag repository; ``attest`` is the attestor's."""
REQUIREMENTS: Final = ".github/flagseal/requirements.txt"
"""What they install before Flagseal itself: every package pinned, with hashes."""

_HERE: Final = Path(__file__).resolve().parent
_FILES: Final = _HERE / "workflow_files"
_NAME: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]{0,38})/(?!\.+\Z)([A-Za-z0-9._-]{1,100})")

_ATTESTOR_README: Final = """\
# The attestor of __FLAGS__

After each merge there, and every quarter of an hour, this repository's workflow asks GitHub what was merged, by whom it
was approved, and under which rules; what is in order it signs. Its word counts because `trust.json` of the flag
repository names its key. So whoever can change this repository, or read its environment, can approve anything there:
let it be few, and others than those who change flags.

What it needs, once:

1. `trust.json` beside this file, as `flagseal trust init` published it.
2. An environment `attestor` (Settings, Environments) that only the branch `main` may deploy to, with
   - the secret `FLAGSEAL_ATTESTOR_KEY`: the private key, PEM, whose public half `trust.json` names;
   - the secret `FLAGSEAL_APP_KEY` and the variable `FLAGSEAL_APP_ID`: of a GitHub App that is installed on __FLAGS__
     and nowhere else, with Contents: write, Pull requests: read, Checks: read and Administration: write.
3. A ruleset on `main`: no force pushes, and a pull request that somebody else approves.

Flagseal's documentation, docs/github.md, tells it step by step.
"""


def flag_workflows() -> dict[str, str]:
    """Give what a flag repository runs on GitHub, the pins included.

    Returns:
        Path from the repository's top to text.

    Raises:
        UsageError: The installation carries no pins.
    """
    texts = {f".github/workflows/{name}.yaml": _filled(_read(name)) for name in FLAG_WORKFLOWS}
    return {**texts, REQUIREMENTS: requirements()}


def attestor_files(flags: str) -> dict[str, str]:
    """Give the repository that attests a flag repository, but for its ``trust.json``.

    Args:
        flags: ``OWNER/NAME`` of the flag repository on GitHub.

    Returns:
        Path from the repository's top to text.

    Raises:
        UsageError: ``NoRepository``; the installation carries no pins.
    """
    name = _NAME.fullmatch(flags)
    if name is None:
        raise UsageError(f"{flags}: no repository on GitHub", code="NoRepository", remedy="Write OWNER/NAME.")
    filling = {"FLAGS": flags, "OWNER": name[1], "NAME": name[2]}
    return {
        ".github/workflows/attest.yaml": _filled(_read("attest"), **filling),
        "README.md": _filled(_ATTESTOR_README, **filling),
        "requirements.txt": requirements(),
    }


def requirements() -> str:
    """Give the pins, with hashes, of all that the workflows install besides Flagseal.

    Raises:
        UsageError: The installation carries none.
    """
    # An installed wheel carries them beside the workflows; a source checkout has them at its top.
    for path in (_FILES / "requirements.txt", _HERE.parents[1] / "constraints-forge.txt"):
        if path.is_file():
            return path.read_text("utf-8")
    raise UsageError("this installation carries no pins", code="NoPins", remedy="Reinstall flagseal.")


def _read(name: str) -> str:
    return (_FILES / f"{name}.yaml").read_text("utf-8")


def _filled(text: str, **filling: str) -> str:
    for name, value in {"VERSION": version("flagseal"), **filling}.items():
        text = text.replace(f"__{name}__", value)
    return text
