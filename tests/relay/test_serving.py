"""Where a relay may listen, and how it starts and stops."""

from __future__ import annotations

import socket
import threading

import httpx
import pytest

from flagseal.model.errors import UsageError
from flagseal_relay.relay import Relay
from flagseal_relay.serve import serve
from tests.ports import free_ports
from tests.relay.harness import MemorySource, make_relay, view


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", "", "127.0.0.1.example.com"])  # noqa: S104 (refused)
def test_without_tokens_only_the_loopback_interface_is_listened_on(host: str) -> None:
    """Other machines would be answered without being asked who they are."""
    with pytest.raises(UsageError) as refused:
        serve(Relay(MemorySource()), host, 0)
    assert refused.value.code == "LoopbackOnly"
    assert refused.value.remedy


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.5"])
def test_the_loopback_interface_is_listened_on(host: str) -> None:
    """By address or by name."""
    with serve(make_relay(MemorySource(view())), host, 0) as server:
        assert httpx.get(f"{server.url}/healthz", headers={"host": "localhost"}, timeout=60).status_code == 200


def test_ipv6_is_spoken_where_there_is_any() -> None:
    """With brackets in the address."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on this machine")
    with serve(make_relay(MemorySource(view())), "::1", 0) as server:
        assert server.url.startswith("http://[::1]:")
        assert httpx.get(f"{server.url}/healthz", timeout=60).status_code == 200


def test_a_taken_port_is_named_with_a_way_out() -> None:
    """And what listens there is left alone."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError) as refused:
            serve(Relay(MemorySource()), port=port)
    assert refused.value.code == "PortTaken"
    assert f"127.0.0.1:{port}" in refused.value.message
    assert "--port" in refused.value.remedy


@pytest.mark.parametrize("port", [-1, 65_536, 10**9])
def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    """With a message, not a traceback."""
    with pytest.raises(UsageError) as refused:
        serve(Relay(MemorySource()), port=port)
    assert refused.value.code == "CannotListen"


def test_stopping_frees_the_port_and_leaves_no_thread() -> None:
    """So that a process can start another; stopping twice is stopping once."""
    before = threading.active_count()
    server = serve(make_relay(MemorySource(view())), port=free_ports(1)[0])
    httpx.get(f"{server.url}/healthz", timeout=60)
    server.stop()
    server.stop()
    assert not server.running
    with socket.create_server(("127.0.0.1", server.port)):
        pass
    assert threading.active_count() <= before


def test_stopping_lets_a_running_request_end() -> None:
    """A client in the middle of its body is waited for."""
    with serve(make_relay(MemorySource(view())), port=0) as server:
        wire = socket.create_connection((server.host, server.port), timeout=60)
        head = b"POST /ofrep/v1/evaluate/flags/static HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n"
        wire.sendall(head + b"{")
        httpx.get(f"{server.url}/healthz", timeout=60)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        wire.sendall(b"}")
        assert wire.recv(4096).startswith(b"HTTP/1.1 200")
        stopping.join()
        wire.close()
