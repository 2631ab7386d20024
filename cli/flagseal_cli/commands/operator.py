"""``flagseal operator run``: the cluster's side, as a process in a cluster."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.ceremony import trusted
from flagseal.snapshot.keys import load_signer, signer_among
from flagseal.snapshot.stores import open_store
from flagseal_cli.commands.certificates import certificates_command
from flagseal_cli.console import note
from flagseal_cli.durations import Duration
from flagseal_cli.group import group
from flagseal_cli.logs import log_option, start_logging
from flagseal_operator.admission.service import WebhookOptions
from flagseal_operator.admission.witness import Desk
from flagseal_operator.election import unique_identity
from flagseal_operator.git_delivery import GitOptions
from flagseal_operator.health import PORT
from flagseal_operator.kube import configuration
from flagseal_operator.lease import Terms
from flagseal_operator.process import Options, Process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta

    from securesystemslib.signer import Signer

    from flagseal.approval.trust import Trust
    from flagseal_operator.health import HealthServer


@group("operator")
def operator_command() -> None:
    """Turn the resources of a cluster into signed snapshots."""


operator_command.add_command(certificates_command)


@operator_command.command("run")
@click.option(
    "--store",
    required=True,
    envvar="FLAGSEAL_STORE",
    metavar="DIR|URL",
    help="Where snapshots go: a folder, or s3://BUCKET/PREFIX?endpoint=…",
)
@click.option(
    "--root",
    required=True,
    envvar="FLAGSEAL_ROOT",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The pinned root.json.",
)
@click.option(
    "--online-key", required=True, envvar="FLAGSEAL_ONLINE_KEY", metavar="URI", help="The online signing key."
)
@click.option("--namespace", "namespaces", multiple=True, metavar="NAME", help="Look here only. Default: everywhere.")
@click.option("--lease-namespace", default="flagseal-system", show_default=True, envvar="FLAGSEAL_LEASE_NAMESPACE")
@click.option("--lease-name", default="flagseal-operator", show_default=True)
@click.option("--identity", envvar="POD_NAME", help="What this process is called. Default: the host's name.")
@click.option("--kubeconfig", type=click.Path(path_type=Path, exists=True, dir_okay=False), envvar="KUBECONFIG")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where /healthz, /readyz and /metrics answer.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True)
@click.option(
    "--work",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where clones lie, and stay. Default: a temporary folder.",
)
@click.option(
    "--credentials",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Folder of the Secrets that FlagRepositories name, each mounted as a folder of its name.",
)
@click.option(
    "--webhook-certs",
    envvar="FLAGSEAL_WEBHOOK_CERTS",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of tls.crt and tls.key, read again when they are rotated. Without it no webhook is served.",
)
@click.option("--webhook-port", type=click.IntRange(0, 65535), default=9443, show_default=True)
@click.option(
    "--webhook-client-ca",
    envvar="FLAGSEAL_WEBHOOK_CLIENT_CA",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Certificates that vouch for API servers. Default: whoever reaches the port is answered.",
)
@click.option(
    "--admission-key",
    envvar="FLAGSEAL_ADMISSION_KEY",
    metavar="URI",
    help="Signs admission receipts; its public half is in trust.json. Without it a person must sign emergencies.",
)
@click.option(
    "--demand-extra",
    "demanded",
    multiple=True,
    metavar="KEY[=VALUE]",
    help="What the API server must say of a user (authenticated twice, say) for a receipt.",
)
@click.option(
    "--keep-signing",
    type=Duration(),
    default="30m",
    show_default=True,
    help="How long what is published is signed again while the API server answers nobody; 0s for not at all.",
)
@log_option
def run_command(  # noqa: PLR0913 (one argument an option)
    *,
    store: str,
    root: Path,
    online_key: str,
    namespaces: tuple[str, ...],
    lease_namespace: str,
    lease_name: str,
    identity: str | None,
    kubeconfig: Path | None,
    host: str,
    port: int,
    work: Path | None,
    credentials: Path | None,
    webhook_certs: Path | None,
    webhook_port: int,
    webhook_client_ca: Path | None,
    admission_key: str | None,
    demanded: tuple[str, ...],
    keep_signing: timedelta,
    log_format: str,
) -> None:
    """Watch, build, sign, publish, report; stand by while another operator is active. Stops with SIGTERM."""
    start_logging(log_format, whose="")  # kopf's too
    configuration(kubeconfig)
    place, pinned = open_store(store), root.read_bytes()

    def online() -> Signer:
        newest = trusted(place, pinned).root
        return signer_among(online_key, [newest.get_key(keyid) for keyid in newest.roles["timestamp"].keyids])

    online()  # What is wrong with the key is said at the start, and not when the active one has died.
    webhooks = None
    if webhook_certs is not None:
        trust = trusted(place, pinned).trust
        desk = Desk(trust, _admission(admission_key, trust), _demanded(demanded))
        webhooks = WebhookOptions(desk, webhook_certs, webhook_client_ca, host, webhook_port)
    with _workplace(work) as clones:
        process = Process(
            Options(
                store=place,
                root=pinned,
                online=online,
                configure=lambda: configuration(kubeconfig),
                terms=Terms(unique_identity(identity or socket.gethostname())),
                lease=(lease_namespace, lease_name),
                namespaces=namespaces,
                host=host,
                port=port,
                git=GitOptions(clones, credentials),
                webhooks=webhooks,
                patience=keep_signing,
            )
        )
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: process.stop())

        def ready(health: HealthServer) -> None:
            if process.admission is not None:
                note(f"Webhooks on https://{host}:{process.admission.port}.")
            note(f"Health on http://{host}:{health.port}; process {os.getpid()}.")

        process.run(ready)
    note("Stopped.")


@contextmanager
def _workplace(named: Path | None) -> Iterator[Path]:
    """Give the folder for clones: the one that is named, or one that goes when the process ends."""
    if named is not None:
        yield named
        return
    # A git that is fetching still may write into it until the process has ended.
    with tempfile.TemporaryDirectory(prefix="flagseal-clones-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _admission(uri: str | None, trust: Trust) -> Signer | None:
    """Open the key of admission; None, with a word, where it is not the one that everybody trusts.

    After that key was revoked, or replaced, only receipts end: what is published goes on.
    """
    if uri is None:
        return None
    if trust.admission is None:
        note("No receipts: trust.json names no key of admission (`flagseal trust init --admission-key`).")
        return None
    try:
        return load_signer(uri, public_key=trust.admission)
    except SnapshotError as error:
        note(f"No receipts: {error.message}. {error.remedy}")
        return None


def _demanded(words: tuple[str, ...]) -> dict[str, str | None]:
    pairs = (word.partition("=") for word in words)
    return {key: value if equals else None for key, equals, value in pairs}
