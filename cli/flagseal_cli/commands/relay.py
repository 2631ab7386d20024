"""``flagseal relay``: a relay by itself, behind a store or behind another relay."""

from __future__ import annotations

import signal
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from flagseal.model.errors import UsageError
from flagseal.snapshot.client import SnapshotClient
from flagseal.snapshot.follow import events_beside
from flagseal.snapshot.source import HttpSource
from flagseal.snapshot.stores import open_store
from flagseal_cli.console import note
from flagseal_cli.logs import log_option, start_logging
from flagseal_relay.anonymous import AnonymousSource
from flagseal_relay.relay import Relay
from flagseal_relay.serve import PORT, Server, listen, listen_to_anybody
from flagseal_relay.sync.server import PORT as SYNC_PORT
from flagseal_relay.sync.server import SyncServer

if TYPE_CHECKING:
    from flagseal.snapshot.store import Reader

_TICK: Final = 0.5


@click.command("relay")
@click.option("--store", metavar="URL|DIR", help="The store it follows: a folder, or s3://BUCKET/PREFIX?endpoint=….")
@click.option("--upstream-relay", metavar="URL", help="The relay it follows, in the place of a store.")
@click.option(
    "--root",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    required=True,
    help="The pinned root.json: all it trusts.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="Where it keeps what it verified last, for starts without network; one process a folder.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address; see --listen for others.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes a free one.")
@click.option("--sync-port", type=click.IntRange(0, 65535), default=SYNC_PORT, show_default=True, help="flagd's sync.")
@click.option("--no-sync", is_flag=True, help="Do not answer flagd's sync protocol.")
@click.option(
    "--listen",
    "address",
    metavar="ADDRESS:PORT",
    help="Answer other machines, as 0.0.0.0:8016: evaluations alone, of the namespaces that the approved AccessPolicy "
    "opens to anybody. In the place of --host, --port and flagd's sync.",
)
@click.option("--poll", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, help="Seconds between looks.")
@log_option
def relay_command(  # noqa: PLR0913 (one argument an option)
    *,
    store: str | None,
    upstream_relay: str | None,
    root: Path,
    cache: Path,
    host: str,
    port: int,
    sync_port: int,
    no_sync: bool,
    address: str | None,
    poll: float,
    log_format: str,
) -> None:
    """Verify what a store or another relay has, and answer applications from it.

    It holds no signing key. What does not verify from the pinned root down to every person's signature is not
    served, whoever sent it; the last good snapshot stays.
    """
    start_logging(log_format)
    source, files, events = _sources(store, upstream_relay)
    with ExitStack() as stack:
        listener = stack.enter_context(listen(host, port) if address is None else listen_to_anybody(address))
        sync = None if no_sync or address is not None else stack.enter_context(SyncServer(host, sync_port))
        client = stack.enter_context(SnapshotClient(cache, source, root.read_bytes()))
        if address is None:
            relay = Relay(client, files=files, poll=poll, upstream=events)
        else:
            relay = Relay(AnonymousSource(client), poll=poll, upstream=events)
        server = stack.enter_context(Server(relay, listener, to_anybody=address is not None))
        server.start()
        if sync is not None:
            sync.start(relay)
        note(f"Relay on {server.url}{f'; flagd sync on {sync.address}' if sync is not None else ''}.")
        _until_stopped(server)
    note("Stopped.")


def _sources(store: str | None, upstream: str | None) -> tuple[Reader, Reader, str | None]:
    """Give what is verified, what is passed on unchanged, and where news come from."""
    if (store is None) == (upstream is None):
        raise UsageError(
            "a relay follows one store or one relay",
            code="NoSource",
            remedy="Give --store or --upstream-relay, and not both.",
        )
    if store is not None:
        opened = open_store(store)
        return opened, opened, None
    base = f"{(upstream or '').rstrip('/')}/tuf/"
    # Two, because a client keeps count of what its own source was asked for.
    return HttpSource(base), HttpSource(base), events_beside(base)


def _until_stopped(server: Server) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    while not stop.wait(_TICK):
        if not server.running:
            return
