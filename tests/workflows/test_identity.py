"""Who a job is, for a KMS: asked of GitHub, kept in a file that only the job can read, and told to nobody else."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest

from flagseal_cli.main import run as flagseal
from flagseal_validators.forge.github.identity import TOKEN, URL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln"


@dataclass
class Issuer:
    """What GitHub's runner asks for identities."""

    answers: list[tuple[int, object]] = field(default_factory=list)
    asked: list[tuple[str | None, list[str]]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def issuer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Issuer]:
    """Serve the issuer, and give the job its variables."""
    found = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            found.asked.append((self.headers.get("Authorization"), query["audience"]))
            status, body = found.answers.pop(0)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, *words: object) -> None:
            del words

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/token?api-version=2.0"
    monkeypatch.setenv(URL, found.url)
    monkeypatch.setenv(TOKEN, "the-runners-own")
    yield found
    server.shutdown()
    server.server_close()


def asked(path: Path, audience: str = "sts.amazonaws.com") -> int:
    """Ask as the workflow does."""
    return flagseal(["forge", "identity", "--audience", audience, "--out", str(path)])


def test_the_token_is_for_one_audience_and_for_the_job_alone(
    issuer: Issuer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a file of its own; what lay there before is gone, and nothing of it is printed."""
    file = tmp_path / "identity"
    file.write_text("an older one, readable by everybody")
    file.chmod(0o644)
    issuer.answers = [(503, {}), (200, {"count": 1, "value": JWT})]
    assert asked(file, "api://a b&c=d") == 0
    assert file.read_text() == JWT
    assert file.stat().st_mode & 0o077 == 0
    assert issuer.asked == [("bearer the-runners-own", ["api://a b&c=d"])] * 2
    said = capsys.readouterr()
    assert JWT not in said.out + said.err
    assert "the-runners-own" not in said.out + said.err


@pytest.mark.parametrize(
    "answer", [(200, {"value": ""}), (200, {"value": "no token"}), (200, ["x"]), (403, {}), (302, {}), (200, {})]
)
def test_what_is_no_token_is_an_error(
    issuer: Issuer, tmp_path: Path, answer: tuple[int, object], capsys: pytest.CaptureFixture[str]
) -> None:
    """And no file."""
    issuer.answers = [answer]
    assert asked(tmp_path / "identity") == 2
    assert "NoIdentity" in capsys.readouterr().err
    assert not (tmp_path / "identity").exists()


@pytest.mark.parametrize("url", ["", "http://evil.example/token?x", "file:///etc/passwd?x"])
def test_the_runners_token_goes_nowhere_else(
    tmp_path: Path, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the right, or to an address that is not GitHub's kind, nothing is asked."""
    monkeypatch.setenv(URL, url)
    monkeypatch.setenv(TOKEN, "the-runners-own")
    assert asked(tmp_path / "identity") == 2
    assert "id-token: write" in capsys.readouterr().err
