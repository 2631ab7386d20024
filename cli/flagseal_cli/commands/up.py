"""``flagseal up``: everything in one process, without a cluster."""

from __future__ import annotations

import json
import logging
import shlex
import signal
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from flagseal.model.errors import FlagsealError, UsageError
from flagseal.repository import FlagRepository
from flagseal.snapshot.client import SnapshotClient
from flagseal.snapshot.marks import FileMarks
from flagseal.snapshot.publish import Publisher
from flagseal.snapshot.store import DirectoryStore
from flagseal_cli.console import Failures, note
from flagseal_cli.demo import write_demo
from flagseal_cli.founding import found_or_read, open_online_key
from flagseal_cli.locking import alone_in
from flagseal_cli.options import data_option
from flagseal_cli.tour import demo_tour, repository_tour
from flagseal_cli.workspace import DataFolder, data_folder, find_repository
from flagseal_operator.emergency_source import FolderEmergencies
from flagseal_operator.engine import Engine
from flagseal_operator.git_source import GitSource
from flagseal_operator.runner import Runner
from flagseal_relay.relay import Relay
from flagseal_relay.serve import PORT, Server, listen
from flagseal_relay.sync.server import PORT as SYNC_PORT
from flagseal_relay.sync.server import SyncServer

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

DEMO_FOLDER: Final = "flagseal-demo"
_READY_SECONDS: Final = 60.0


@click.command("up")
@click.option(
    "--repo",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help=f"The flag repository. Default: a demo, written to ./{DEMO_FOLDER} the first time.",
)
@click.option("--environment", "-e", default="production", show_default=True, metavar="NAME")
@click.option("--host", default="127.0.0.1", show_default=True, help="A loopback address; others would need tokens.")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="0 takes a free one.")
@click.option(
    "--sync-port",
    type=click.IntRange(0, 65535),
    help=f"Where flagd and its in-process providers sync (gRPC). Default: {SYNC_PORT}, or a free one if that is taken.",
)
@click.option("--no-sync", is_flag=True, help="Do not answer flagd's sync protocol.")
@click.option("--once", is_flag=True, help="Publish what is approved, and end without answering anybody.")
@data_option
def up_command(
    *,
    repo: Path | None,
    environment: str,
    host: str,
    port: int,
    sync_port: int | None,
    no_sync: bool,
    once: bool,
    data: Path | None,
) -> None:
    """Watch a flag repository, verify approvals, publish signed snapshots, and answer applications."""
    repository = find_repository(repo) if repo is not None else _demo()
    folder = data_folder(repository, environment, data)
    git = FlagRepository(repository)
    with (
        _listening(host, port, wanted=not once) as listener,
        _syncing(host, sync_port, wanted=not (once or no_sync)) as sync,
        alone_in(folder),
    ):
        founded = found_or_read(git, folder, environment)
        if founded.newly:
            note(f"Trusting commit {founded.trust.genesis.commit[:12]} of {founded.trust.ref} as the beginning.")
            note(f"Keys and data of {environment}: {folder.path}")
        store = DirectoryStore(folder.store)
        publisher = Publisher(store, folder.read_root(), open_online_key(folder), marks=FileMarks(folder.marks))
        source = GitSource(git, founded.trust)
        emergencies = FolderEmergencies(folder.emergencies)
        engine = Engine(source, publisher, founded.trust, emergencies=emergencies)
        if listener is None:
            step = engine.step()
            if step.held is not None:
                raise step.held
            note(f"Published head {step.published.sequence} as snapshot {step.published.version}.")
            return
        with SnapshotClient(folder.cache, store, folder.read_root()) as client:
            relay = Relay(client, files=store)

            def watched() -> str:
                return f"{source.fingerprint()} {emergencies.fingerprint()}"

            runner = Runner(engine, watch=watched, stepped=lambda _: relay.notify())
            with Server(relay, listener) as server:
                server.start()
                if sync is not None:
                    sync.start(relay)
                _run(runner, relay, folder, _addresses(server, sync))
                note(_ready(server, sync))
                note(_tour(repository, environment, server.port, data))
                _until_stopped(runner)
            note("Stopped. Start again to go on where this ended.")


def _demo() -> Path:
    from datetime import UTC, datetime

    folder = Path.cwd() / DEMO_FOLDER
    if not (folder / ".git").exists():
        write_demo(folder, now=datetime.now(UTC))
        note(f"Wrote the sample company to {folder}; commits there are bob's.")
    return find_repository(folder)


def _tour(repository: Path, environment: str, port: int, data: Path | None) -> str:
    is_demo = (repository / ".flagseal" / "keys" / "alice").exists() and environment == "production"
    options = "" if data is None else f" --data {shlex.quote(str(data.resolve()))}"
    tour = demo_tour(repository, port, options) if is_demo else repository_tour(port, environment, options)
    return f"In another terminal:\n\n{tour}\nCtrl-C stops.\n"


def _ready(server: Server, sync: SyncServer | None) -> str:
    also = f"; flagd sync on {sync.address}" if sync is not None else ""
    return f"\nReady on {server.url}{also}."


def _addresses(server: Server, sync: SyncServer | None) -> dict[str, str]:
    return {"url": server.url} if sync is None else {"url": server.url, "sync": sync.address}


@contextmanager
def _listening(host: str, port: int, *, wanted: bool) -> Iterator[socket.socket | None]:
    """Take the address first: if it cannot be had, nothing is founded."""
    if not wanted:
        yield None
        return
    with listen(host, port) as listener:
        yield listener


@contextmanager
def _syncing(host: str, port: int | None, *, wanted: bool) -> Iterator[SyncServer | None]:
    """Take the address of flagd's sync protocol, if it is wanted."""
    if not wanted:
        yield None
        return
    with _sync_server(host, port) as sync:
        yield sync


def _sync_server(host: str, port: int | None) -> SyncServer:
    try:
        return SyncServer(host, SYNC_PORT if port is None else port)
    except UsageError as error:
        if port is not None or error.code != "PortTaken":
            raise
        return SyncServer(host, 0)


def _run(runner: Runner, relay: Relay, folder: DataFolder, addresses: dict[str, str]) -> None:
    """Start building, and wait until the relay answers from what was built."""
    folder.address.write_text(json.dumps(addresses), "utf-8")
    runner.start()
    if not relay.wait_until_ready(_READY_SECONDS):
        if runner.failure is not None:
            raise runner.failure
        raise FlagsealError(
            f"no verified snapshot after {_READY_SECONDS:.0f} seconds: {relay.unready}",
            code="NotReady",
            remedy="Run with --verbose (flagseal -v up) to see why.",
        )


def _until_stopped(runner: Runner) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    failures = Failures()
    while not stop.wait(0.5):
        failures.tell(runner.failure)
    runner.stop()
    logging.getLogger("flagseal").info("stopped")
