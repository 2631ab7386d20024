"""Where flagd's sync protocol is spoken, and who may ask."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import grpc
import pytest
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2, sync_pb2_grpc

from flagseal.model.errors import UsageError
from flagseal_relay.sync.server import SyncServer
from tests.journeys.harness import FLAGSEAL, Up, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sync.conftest import Asked


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])  # noqa: S104 (refused)
def test_without_tokens_only_the_loopback_interface_is_listened_on(host: str) -> None:
    """Other machines would be given every flag without being asked who they are."""
    with pytest.raises(UsageError) as refused:
        SyncServer(host, 0)
    assert refused.value.code == "LoopbackOnly"


def test_a_taken_port_is_named_with_a_way_out() -> None:
    """By the option that changes this port and not the other; and two of ours never share one."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError) as refused:
        SyncServer(port=taken.getsockname()[1])
    assert refused.value.code == "PortTaken"
    assert "--sync-port" in refused.value.remedy
    with SyncServer(port=0) as first, pytest.raises(UsageError) as refused:
        SyncServer(port=first.port)
    assert refused.value.code == "PortTaken"


def test_what_a_web_page_can_send_is_no_call(asked: Asked) -> None:
    """Browsers speak no cleartext HTTP/2, so a page that names this port gets no flags, whatever it calls the host."""
    with socket.create_connection((asked.server.host, asked.server.port), timeout=60) as wire:
        head = "POST /flagd.sync.v1.FlagSyncService/FetchAllFlags HTTP/1.1\r\nHost: flags.example.com\r\n"
        wire.sendall(f"{head}Content-Type: application/grpc-web\r\nContent-Length: 5\r\n\r\n".encode() + bytes(5))
        answer = b""
        while piece := wire.recv(4096):
            answer += piece
    assert b"static" not in answer
    assert b"flags" not in answer


def test_a_large_request_is_not_read(asked: Asked) -> None:
    """A selector is a name; 64 KiB are too many."""
    with pytest.raises(grpc.RpcError) as refused:
        asked.fetch("x" * 100_000)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_clients_may_ask_for_signs_of_life(asked: Asked) -> None:
    """Providers ping every few seconds where they are told to; by default gRPC ends such a connection."""
    options = [("grpc.keepalive_time_ms", 1_100), ("grpc.http2.max_pings_without_data", 0)]
    with grpc.insecure_channel(asked.server.address, options) as channel:
        stream = type(asked)(asked.relay, asked.source, asked.server, channel).stream("search")
        stream.text()
        with pytest.raises(grpc.FutureTimeoutError):
            stream.call.result(timeout=4.5)
        assert stream.call.is_active()


def test_up_says_where_it_is_synced_from(tmp_path: Path) -> None:
    """In its ready message and in up.json; and --no-sync leaves it away."""
    home = tmp_path / "home"
    home.mkdir()
    assert run(FLAGSEAL, "init", "--demo", tmp_path / "demo", cwd=tmp_path, home=home).code == 0
    up = Up(tmp_path / "demo", home, tmp_path / "up.log")
    up.start()
    try:
        address = json.loads((up.data / "up.json").read_text())["sync"]
        with grpc.insecure_channel(address) as channel:
            request = sync_pb2.FetchAllFlagsRequest()
            answer = sync_pb2_grpc.FlagSyncServiceStub(channel).FetchAllFlags(request, timeout=60)
            assert "new-checkout" in answer.flag_configuration
    finally:
        assert up.interrupt() == 0
    assert f"flagd sync on {address}" in up.log.read_text()
    up = Up(tmp_path / "demo", home, tmp_path / "without.log", options=("--no-sync",))
    up.start()
    assert up.interrupt() == 0
    assert "sync" not in json.loads((up.data / "up.json").read_text())
    assert "flagd sync" not in up.log.read_text()
