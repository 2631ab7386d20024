"""``flagseal operator certificates``: what webhooks need to be called, where no certificate manager runs."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.model.errors import UsageError
from flagseal_cli.console import note
from flagseal_operator.admission.issuing import bundle_patch, issue_certificate, service_hosts

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECRET = "flagseal-webhook-certs"  # noqa: S105 (the name of a Secret)


@click.command("certificates")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--service", default="flagseal-operator-webhooks", show_default=True, help="By which API servers call.")
@click.option("--namespace", default="flagseal-system", show_default=True, help="Where the service lies.")
@click.option("--host", "hosts", multiple=True, help="Another name or address by which webhooks are called.")
@click.option("--days", type=click.IntRange(1, 3650), default=365, show_default=True, help="How long it holds.")
@click.option(
    "--also",
    "others",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The ca.crt in use, to be trusted as well while certificates are exchanged.",
)
def certificates_command(
    folder: Path, *, service: str, namespace: str, hosts: tuple[str, ...], days: int, others: tuple[Path, ...]
) -> None:
    """Write a certificate for the webhooks, and what makes API servers trust it, into FOLDER.

    The authority that vouches for it is made for it, and its key is never written: the next certificate comes with an
    authority of its own. Nothing is changed in the cluster.
    """
    try:
        issued = issue_certificate(
            (*service_hosts(service, namespace), *hosts), now=datetime.now(UTC), lifetime=timedelta(days=days)
        )
    except ValueError as error:
        raise UsageError(f"{', '.join(hosts)}: {error}", code="BadHost", remedy="Name hosts in ASCII.") from None
    bundle = bundle_patch(issued.authority, *(path.read_bytes() for path in others))
    _write(
        folder,
        {
            "tls.key": issued.key,
            "tls.crt": issued.certificate,
            "ca.crt": issued.authority,
            "ca-bundle.json": json.dumps(bundle).encode() + b"\n",
        },
    )
    note(f"It holds for {days} days. First have API servers trust it:")
    for kind in ("mutating", "validating"):
        note(f"  kubectl patch {kind}webhookconfiguration flagseal --type=json --patch-file {folder}/ca-bundle.json")
    note("Then have it served; within two minutes every operator does:")
    note(f"  kubectl -n {namespace} create secret tls {_SECRET} --cert={folder}/tls.crt --key={folder}/tls.key \\")
    note("    --dry-run=client -o yaml | kubectl apply -f -")


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, data in files.items():
        path = folder / name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if name.endswith(".key") else 0o644)
        except FileExistsError as error:
            raise UsageError(
                f"{path}: is there already", code="KeyExists", remedy="Name another folder; nothing is overwritten."
            ) from error
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror})", code="KeyUnwritable") from error
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
