"""Without tokens, only this machine's programs are answered, and web pages are none of them."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from flagseal_relay.guard import LoopbackGuard

if TYPE_CHECKING:
    from tests.relay.conftest import Asked

PATHS = [
    ("POST", "/ofrep/v1/evaluate/flags/static"),
    ("POST", "/ofrep/v1/evaluate/flags"),
    ("GET", "/events"),
    ("GET", "/metrics"),
    ("GET", "/readyz"),
    ("GET", "/healthz"),
    ("GET", "/tuf/metadata/timestamp.json"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_page_that_points_its_name_at_this_machine_reads_nothing(asked: Asked, method: str, path: str) -> None:
    """DNS rebinding: the browser connects here and says the page's own host."""
    answer = asked.client.request(method, path, content=b"{}", headers={"host": "attacker.example:8016"})
    assert answer.status_code == 403
    assert "localhost" in answer.json()["errorDetails"]
    assert list(answer.json()) == ["errorDetails"]


@pytest.mark.parametrize(
    "origin", ["https://attacker.example", "null", "http://localhost.attacker.example", "http://127-0-0-1"]
)
@pytest.mark.parametrize(("method", "path"), PATHS[:4])
def test_a_page_of_another_origin_is_refused(asked: Asked, method: str, path: str, origin: str) -> None:
    """It could not read the answer, but it could hold event streams open."""
    answer = asked.client.request(method, path, content=b"{}", headers={"origin": origin})
    assert answer.status_code == 403


def test_no_page_is_given_leave_to_read(asked: Asked) -> None:
    """No answer carries a CORS header."""
    answer = asked.one("static", origin="http://localhost:3000")
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "127.0.0.1:8016", "[::1]", "[::1]:9000"])
def test_the_names_of_the_loopback_interface_are_answered(host: str) -> None:
    """With any port: a forwarded one is another."""
    assert LoopbackGuard().refusal([(b"host", host.encode())]) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "attacker.example",
        "localhost.attacker.example",
        "attacker.example:127.0.0.1",
        "127.0.0.1.attacker.example",
        "127.0.0.1@attacker.example",
        "localhost:8016.attacker.example",
        "0.0.0.0:8016",
        "127.0.0.2",
        "127-0-0-1",
        "[::2]",
        "localhost:",
        "localhost:8016\n",
        "localhost:8016 ",
        "xlocalhost",
    ],
)
def test_every_other_name_is_refused(host: str) -> None:
    """However much of a right one it contains."""
    assert LoopbackGuard().refusal([(b"host", host.encode())]) is not None


def test_what_is_remembered_of_right_names_is_bounded() -> None:
    """Every port, and every spelling in large and small letters, is a name of its own; all are answered."""
    guard = LoopbackGuard()
    assert {guard.refusal([(b"host", f"localhost:{port}".encode())]) for port in range(1000)} == {None}
    assert len(guard._known) == 64


def test_a_request_that_names_no_host_or_two_is_refused() -> None:
    """Two are a way to show one to a proxy and another to us."""
    guard = LoopbackGuard()
    assert guard.refusal([]) is not None
    assert guard.refusal([(b"host", b"localhost"), (b"host", b"attacker.example")]) is not None
    assert guard.refusal([(b"host", b"attacker.example"), (b"host", b"localhost")]) is not None


def test_a_request_without_host_is_refused_over_the_wire(asked: Asked) -> None:
    """HTTP/1.0 knows none."""
    with socket.create_connection((asked.server.host, asked.server.port), timeout=60) as wire:
        wire.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
        assert wire.recv(4096).startswith(b"HTTP/1.1 403")
