"""The workflows by which a git host runs Flagseal: files that ship with the command, filled in for one repository."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
repository names its key. So whoever can change this repository, or use its environment, can approve anything there:
let it be few, and others than those who change flags.

What it needs, once:

1. `trust.json` beside this file, as `flagseal trust init` published it.
2. An environment `attestor` (Settings, Environments) that only the branch `main` may deploy to, with
__NEEDS__
   - the secret `FLAGSEAL_APP_KEY` and the variable `FLAGSEAL_APP_ID`: of a GitHub App that is installed on __FLAGS__
     and nowhere else, with Contents: write, Pull requests: read, Checks: read, Commit statuses: read and
     Administration: write.
3. A ruleset on `main`: no force pushes, and a pull request that somebody else approves.

Flagseal's documentation, docs/github.md, tells it step by step.
"""
_NEEDS_FILE: Final = """\
   - the secret `FLAGSEAL_ATTESTOR_KEY`: the private key, PEM, whose public half `trust.json` names;"""
_NEEDS_KMS: Final = """\
   - the variables __VARIABLES__, by which the workflow finds its KMS. Let the KMS trust GitHub's issuer, for the
     audience `__AUDIENCE__` and the subject `repo:OWNER/NAME:environment:attestor` of *this* repository, and no more;
   - the KMS's client library (__LIBRARY__) in `requirements.txt`, with hashes: `uv pip compile --generate-hashes`;"""

_IDENTIFIED: Final = """\
    - name: Say who asks
      env:
        AUDIENCE: __AUDIENCE__
        IDENTITY: ${{ runner.temp }}/identity
      run: flagseal forge identity --audience "$AUDIENCE" --out "$IDENTITY"
    - name: Attest
      env:
__ENVIRONMENT__
        FLAGSEAL_GITHUB_TOKEN: ${{ steps.token.outputs.token }}
        KEY: __KEY__
      run: flagseal attest --all --repo flags --trust trust.json --key "$KEY"
"""
_ATTESTING: Final = "    - name: Attest\n"
_READING: Final = "    permissions:\n      contents: read\n"
_URI: Final = re.compile(r"[a-z]+:[A-Za-z0-9._:/-]+")


@dataclass(frozen=True, slots=True)
class _Cloud:
    """How a job proves to a cloud's KMS who it is.

    Attributes:
        audience: For whom its token is.
        library: The client that securesystemslib needs.
        variables: What the environment's variables say, by the names that the client reads.
        token_file: The variable that names the token's file.
    """

    audience: str
    library: str
    variables: tuple[str, ...]
    token_file: str


_CLOUDS: Final = {
    # securesystemslib names no region, and botocore reads AWS_DEFAULT_REGION only.
    "awskms": _Cloud(
        "sts.amazonaws.com", "boto3", ("AWS_DEFAULT_REGION", "AWS_ROLE_ARN"), "AWS_WEB_IDENTITY_TOKEN_FILE"
    ),
    "azurekms": _Cloud(
        "api://AzureADTokenExchange",
        "azure-identity, azure-keyvault-keys",
        ("AZURE_CLIENT_ID", "AZURE_TENANT_ID"),
        "AZURE_FEDERATED_TOKEN_FILE",
    ),
}
"""By the scheme of the key's URI, those whose clients need no more than a file and two names."""


def flag_workflows() -> dict[str, str]:
    """Give what a flag repository runs on GitHub, the pins included.

    Returns:
        Path from the repository's top to text.

    Raises:
        UsageError: The installation carries no pins.
    """
    texts = {f".github/workflows/{name}.yaml": _filled(_read(name)) for name in FLAG_WORKFLOWS}
    return {**texts, REQUIREMENTS: requirements()}


def attestor_files(flags: str, key: str | None = None) -> dict[str, str]:
    """Give the repository that attests a flag repository, but for its ``trust.json``.

    Args:
        flags: ``OWNER/NAME`` of the flag repository on GitHub.
        key: URI of the key in a KMS (``awskms:…``); None takes it from a secret of the environment.

    Returns:
        Path from the repository's top to text.

    Raises:
        UsageError: ``NoRepository``; ``BadKey``; the installation carries no pins.
    """
    name = _NAME.fullmatch(flags)
    if name is None:
        raise UsageError(f"{flags}: no repository on GitHub", code="NoRepository", remedy="Write OWNER/NAME.")
    workflow, needs = _read("attest"), _NEEDS_FILE
    filling = {"FLAGS": flags, "OWNER": name[1], "NAME": name[2]}
    if key is not None:
        cloud = _cloud(key)
        workflow, needs = workflow.partition(_ATTESTING)[0] + _IDENTIFIED, _NEEDS_KMS
        workflow = workflow.replace(_READING, f"{_READING}      id-token: write # who it is, for the KMS\n")
        lines = [f"        {name}: ${{{{ vars.{name} }}}}" for name in cloud.variables]
        lines.append(f"        {cloud.token_file}: ${{{{ runner.temp }}}}/identity")
        filling |= {
            "ENVIRONMENT": "\n".join(lines),
            "VARIABLES": " and ".join(f"`{name}`" for name in cloud.variables),
            "AUDIENCE": cloud.audience,
            "LIBRARY": cloud.library,
            "KEY": key,
        }
    return {
        ".github/workflows/attest.yaml": _filled(workflow, **filling),
        "README.md": _filled(_ATTESTOR_README.replace("__NEEDS__", needs), **filling),
        "requirements.txt": requirements(),
    }


def _cloud(key: str) -> _Cloud:
    cloud = _CLOUDS.get(key.partition(":")[0])
    if cloud is None or not _URI.fullmatch(key):
        raise UsageError(
            f"--signer {key}: not a key of a KMS for which the workflow is known",
            code="BadKey",
            remedy=f"Write {' or '.join(f'{scheme}:…' for scheme in _CLOUDS)}; or leave it out, and adapt the files.",
        )
    return cloud


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
