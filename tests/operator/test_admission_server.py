"""Webhooks over real TLS: whatever comes is answered or cut off, and what is in use is rotated under it."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import ssl
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from securesystemslib.signer import CryptoSigner

from flagseal.snapshot.trust_change import set_trust
from flagseal_operator.admission import server
from flagseal_operator.admission.known import Known
from tests.emergency.scene import override, world
from tests.operator.reviews import resource, review
from tests.operator.webhook import Client, certify, identify, serving, swap
from tests.snapshot.world import document

if TYPE_CHECKING:
    from pathlib import Path

    from tests.snapshot.world import World

REVIEW = review(resource(override()))


@pytest.fixture
def company(tmp_path: Path) -> World:
    """Give a company that has published."""
    made = world(tmp_path)
    made.publish()
    return made


def until(holds: Any) -> None:  # noqa: ANN401 (anything that can be called)
    """Wait until something holds."""
    end = time.monotonic() + 90
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def test_a_review_is_answered_on_a_connection_that_is_kept(company: World, tmp_path: Path) -> None:
    """With the path that API servers write, time limit and all."""
    authority = certify(tmp_path / "certs").authority
    with serving(company, tmp_path / "certs") as admission:
        client = Client(admission.port, authority)
        for _ in range(3):
            status, answer = client.post("/mutate?timeout=5s", REVIEW)
            assert status == 200
            assert answer["response"]["uid"] == REVIEW["request"]["uid"]
            assert answer["response"]["patchType"] == "JSONPatch"
        status, answer = client.post("/validate", REVIEW)
        assert (status, answer["response"]["allowed"]) == (200, True)
        assert admission.gauges()["admission_receipts"][1] == 3


@pytest.mark.parametrize(
    ("path", "body", "headers", "status"),
    [
        ("/mutate", b"{}", {}, 400),
        ("/mutate", b"[" * 900_000, {}, 400),
        ("/mutate", b"\x00" * 100, {}, 400),
        ("/mutate", b" " * (1024 * 1024 + 1), {}, 413),
        ("/validate", b"{}", {"Content-Length": "99999999999"}, 413),
        ("/validate", b"{}", {"Content-Length": "-1"}, 411),
        ("/validate", b"{}", {"Content-Length": "9" * 400}, 411),
        ("/validate", b"{}", {"Transfer-Encoding": "chunked"}, 411),
        ("/validate", b"{}", {"Content-Type": "text/html"}, 415),
        ("/metrics", b"{}", {}, 404),
        ("/mutate/../validate", b"{}", {}, 404),
    ],
)
def test_what_is_no_review_is_refused_and_serving_goes_on(
    company: World, tmp_path: Path, path: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    """Each with its status, and without a traceback."""
    authority = certify(tmp_path / "certs").authority
    with serving(company, tmp_path / "certs") as admission:
        client = Client(admission.port, authority)
        try:
            assert client.post(path, body, **headers)[0] == status
        except (ConnectionError, ssl.SSLError):
            # It was refused before all of it was sent.
            assert status == 413
        assert Client(admission.port, authority).post("/mutate", REVIEW)[0] == 200
        assert admission.gauges()["admission_failed"][1] == 0


@pytest.mark.parametrize(
    "words",
    [
        b"GET /mutate HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /mutate\r\n",
        b"POST /mutate HTTP/9.9\r\n\r\n",
        b"POST /mutate SPDY\r\n\r\n",
        b"POST\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"\x00\xff\xfe" * 50 + b"\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /mutate HTTP/1.1\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"POST /mutate HTTP/1.1\r\nX: " + b"y" * 70_000 + b"\r\n\r\n",
        b"POST /" + b"m" * 70_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /mutate HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /mutate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{}",
        b"POST /mutate HTTP/1.1\r\nContent-Type: \xff/;;=\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /mutate HTTP/1.1\r\nContent-Length: \xd9\xa3\r\n\r\n{}",
    ],
)
def test_whatever_is_no_request_leaves_no_trace(
    company: World, tmp_path: Path, words: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither a traceback, nor a review that fails afterwards, nor a second request in the first one's body."""
    authority = certify(tmp_path / "certs").authority
    with serving(company, tmp_path / "certs") as admission:
        client = Client(admission.port, authority)
        client.connection.connect()
        with contextlib.suppress(OSError):
            client.connection.sock.sendall(words + b"POST /mutate HTTP/1.1\r\n")
            client.connection.sock.shutdown(socket.SHUT_WR)
            while client.connection.sock.recv(1024):
                pass
        assert Client(admission.port, authority).post("/mutate", REVIEW)[0] == 200
        assert admission.gauges()["admission_receipts"][1] == 1
    assert "broke" not in caplog.text
    assert "Traceback" not in capfd.readouterr().err


def test_a_mistake_of_ours_is_no_answer(
    company: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """To the API server it is as if nobody was there: refused at one path, passed over at the other."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("flagseal_operator.admission.service.witness", broken)
    authority = certify(tmp_path / "certs").authority
    with serving(company, tmp_path / "certs") as admission:
        status, answer = Client(admission.port, authority).post("/mutate", REVIEW)
        assert (status, answer) == (500, {"error": "failed"})
        assert admission.gauges()["admission_failed"][1] == 1
    assert "ZeroDivisionError" in caplog.text


def test_what_is_signed_and_refused_is_logged_by_whom(
    company: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """On one line, whatever is in a name."""
    caplog.set_level(logging.INFO)
    known = Known.of(company.head, company.emergencies)
    authority = certify(tmp_path / "certs").authority
    with serving(company, tmp_path / "certs", known=known) as admission:
        client = Client(admission.port, authority)
        client.post("/mutate", REVIEW)
        client.post("/mutate", review(resource(override()), user={"username": "evil\nreceipt for everything"}))
    lines = [it.getMessage() for it in caplog.records if it.name == "flagseal.admission"]
    assert any("'EmergencyOverride/payments/stop-it' by 'alice@acme', for 'INC-7'" in line for line in lines)
    assert any("PersonUnknown" in line for line in lines)
    assert not any("\n" in line for line in lines)


def test_who_says_nothing_holds_up_nobody(company: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections without a handshake, and with half a request; those idle for longest make room."""
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 20)
    authority = certify(tmp_path / "certs").authority
    with serving(company, tmp_path / "certs") as admission:
        silent = [socket.create_connection(("127.0.0.1", admission.port)) for _ in range(25)]
        half = []
        for _ in range(10):
            client = Client(admission.port, authority)
            client.connection.connect()
            client.connection.sock.sendall(b"POST /mutate HTTP/1.1\r\nContent-Type: application/json\r\nContent-Le")
            half.append(client)
        assert Client(admission.port, authority).post("/mutate", REVIEW)[0] == 200
        silent[0].settimeout(60)
        assert silent[0].recv(1) == b""
        for one in silent:
            one.close()


def test_a_rotated_certificate_is_taken_up_under_load(company: World, tmp_path: Path) -> None:
    """No review fails meanwhile for a client that trusts both authorities."""
    folder = tmp_path / "certs"
    first = certify(folder)
    with serving(company, folder) as admission:
        second = [first.authority]
        stop, failures, answered = threading.Event(), [], [0]

        def load() -> None:
            while not stop.is_set():
                try:
                    status, _ = Client(admission.port, b"".join(second)).post("/mutate", REVIEW)
                    assert status == 200
                    answered[0] += 1
                except (OSError, AssertionError) as error:
                    failures.append(error)

        threads = [threading.Thread(target=load) for _ in range(3)]
        for _ in range(2):
            # The one to come is trusted before it is used, as in a rotation without a gap.
            coming = certify(tmp_path / "coming")
            second.append(coming.authority)
            if not threads[0].is_alive():
                for thread in threads:
                    thread.start()
            enough = answered[0] + 5
            until(lambda enough=enough: answered[0] > enough or failures)
            (tmp_path / "coming").rename(folder / f"..next{len(second)}")
            swap(folder, f"..next{len(second)}/..data")
            until(lambda authority=coming.authority: _answers(admission.port, authority))
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert not _answers(admission.port, first.authority)


def _answers(port: int, authority: bytes) -> bool:
    try:
        return Client(port, authority).post("/mutate", REVIEW)[0] == 200
    except ssl.SSLError:
        return False


def test_half_a_rotation_leaves_the_certificate_that_was_there(
    company: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A key that does not fit, or nothing at all; said once, and mended when it is whole."""
    folder = tmp_path / "certs"
    first = certify(folder)
    with serving(company, folder) as admission:
        assert _answers(admission.port, first.authority)
        expires = admission.gauges()["webhook_certificate_expires_seconds"][1]
        assert expires > time.time()
        (folder / "..data/tls.key").write_bytes(certify(tmp_path / "other").key)
        until(lambda: "cannot be used" in _asked(admission, caplog))
        assert _answers(admission.port, first.authority)
        assert admission.gauges()["webhook_certificate_expires_seconds"][1] == expires
        second = certify(folder)
        until(lambda: _answers(admission.port, second.authority))
    assert caplog.text.count("cannot be used") == 1


def _asked(admission: Any, caplog: pytest.LogCaptureFixture) -> str:  # noqa: ANN401 (anything with gauges)
    admission.gauges()
    return caplog.text


def test_without_a_certificate_it_waits_for_one(company: World, tmp_path: Path) -> None:
    """The process goes on; a certificate manager may be slower than it."""
    with serving(company, tmp_path / "certs") as admission:
        assert admission.gauges()["webhook_certificate_expires_seconds"][1] == 0
        with pytest.raises((ssl.SSLError, ConnectionError)):
            Client(admission.port, certify(tmp_path / "elsewhere").authority).post("/mutate", REVIEW)
        authority = certify(tmp_path / "certs").authority
        until(lambda: admission.gauges()["webhook_certificate_expires_seconds"][1])
        assert _answers(admission.port, authority)


def test_where_a_client_authority_is_named_only_its_clients_are_answered(company: World, tmp_path: Path) -> None:
    """API servers that show a certificate; others get no receipt by writing a review themselves."""
    authority = certify(tmp_path / "certs").authority
    for name in ("api", "stranger"):
        identify(tmp_path / name)
    (tmp_path / "ca.crt").write_bytes((tmp_path / "api/tls.crt").read_bytes())
    with serving(company, tmp_path / "certs", client_ca=tmp_path / "ca.crt") as admission:
        for identity in (None, tmp_path / "stranger"):
            with pytest.raises((ssl.SSLError, ConnectionError)):
                Client(admission.port, authority, identity=identity).post("/mutate", REVIEW)
        status, _ = Client(admission.port, authority, identity=tmp_path / "api").post("/mutate", REVIEW)
        assert status == 200
        assert admission.gauges()["admission_receipts"][1] == 1
    # An authority that is named and not there lets nobody in.
    with serving(company, tmp_path / "certs", client_ca=tmp_path / "absent") as admission:
        assert admission.gauges()["webhook_certificate_expires_seconds"][1] == 0
        with pytest.raises((ssl.SSLError, ConnectionError)):
            Client(admission.port, authority, identity=tmp_path / "api").post("/mutate", REVIEW)


def test_a_standby_knows_what_is_published(company: World, tmp_path: Path) -> None:
    """It watches nothing, and refuses what could not take effect by what it reads in the store."""
    bob = {"username": "bob@acme"}
    authority = certify(tmp_path / "certs").authority
    with serving(company, tmp_path / "certs") as admission:
        client = Client(admission.port, authority)
        _, answer = client.post("/mutate", review(resource(override()), user=bob))
        assert answer["response"]["status"]["reason"] == "RoleMissing"
        # Somebody who was given the role a moment ago is not turned away by what was read before.
        organisation = next(it for it in company.head.documents.values() if it.kind == "Organisation")
        spec = json.loads(json.dumps(organisation.body()["spec"]))
        spec["roles"]["flag-emergency-override"]["people"].append("bob")
        company.change(document("Organisation", "organisation", spec), by=("frank", "dora"))
        _, answer = client.post("/mutate", review(resource(override()), user=bob))
        assert answer["response"]["allowed"], answer


def test_nothing_is_signed_under_a_key_that_a_ceremony_has_replaced(company: World, tmp_path: Path) -> None:
    """A standby notices when it is asked; its process ends, and the next one begins with the new trust."""
    authority = certify(tmp_path / "certs").authority
    with serving(company, tmp_path / "certs") as admission:
        client = Client(admission.port, authority)
        assert client.post("/mutate", REVIEW)[1]["response"]["allowed"]
        assert not admission.trust_changed
        other = CryptoSigner.generate_ed25519().public_key
        set_trust(
            company.directory,
            company.root,
            replace(company.trust, admission=other),
            signers=company.offline[:2],
            now=company.clock(),
        )
        company.publisher.refresh()
        company.publish()
        _, answer = client.post("/mutate", REVIEW)
        assert answer["response"]["status"]["reason"] == "TrustChanged"
        assert admission.trust_changed


def test_a_store_that_is_gone_keeps_nobody_from_a_receipt(company: World, tmp_path: Path) -> None:
    """A receipt says who asked, and that does not depend on it."""
    authority = certify(tmp_path / "certs").authority
    for file in (company.directory.path / "metadata").iterdir():
        file.unlink()
    with serving(company, tmp_path / "certs") as admission:
        _, answer = Client(admission.port, authority).post("/mutate", REVIEW)
        assert answer["response"]["allowed"]
        assert json.dumps(answer).count("patch")
