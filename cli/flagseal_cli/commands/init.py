"""``flagseal init``: write a flag repository."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from flagseal.model.errors import UsageError
from flagseal_cli.console import note
from flagseal_cli.demo import DEMO_AUTHOR, write_demo
from flagseal_cli.starter import write_attestor, write_starter


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--demo", is_flag=True, help="Write the sample company, with freshly generated keys for its people.")
@click.option("--person", help="Your id in policies/organisation.yaml. Default: from git's user.name.")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Your public SSH key, with which git will sign here. Default: git's user.signingkey.",
)
@click.option(
    "--attestor-of",
    "flags",
    metavar="OWNER/NAME",
    help="Write the repository whose workflow attests that flag repository on GitHub, in place of a flag repository.",
)
@click.option("--signer", metavar="URI", help="With --attestor-of: its key in a KMS, awskms:… or azurekms:….")
def init_command(
    folder: Path, *, demo: bool, person: str | None, key: Path | None, flags: str | None, signer: str | None
) -> None:
    """Write a fresh flag repository into FOLDER: policies, CODEOWNERS, workflows, and git set up for signed commits."""
    target = folder.resolve()
    if flags is not None:
        if demo or person is not None or key is not None:
            raise UsageError("--attestor-of goes with nothing else", remedy="An attestor has no people and no flags.")
        write_attestor(target, flags, signer)
        note(f"Wrote the attestor of {flags} to {target}.")
        note("Next: put trust.json beside its README.md, which says what else it needs, then commit and push.")
        return
    if signer is not None:
        raise UsageError("--signer goes with --attestor-of", remedy="A flag repository signs nothing.")
    if demo:
        write_demo(target, now=datetime.now(UTC))
        note(f"Wrote the sample company to {target}; commits there are {DEMO_AUTHOR}'s.")
        return
    starter = write_starter(target, person=person, public_key=key, now=datetime.now(UTC))
    note(f"Wrote a flag repository to {target}, with {starter.person} as its first person.")
    note("Next: add a second person to policies/organisation.yaml, then commit, and start `flagseal up --repo`.")
    note("Nobody approves their own change: with one person alone, what is there at the first start stays for ever.")
