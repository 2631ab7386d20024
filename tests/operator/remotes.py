"""Git servers as banks have them: HTTPS behind a CA of their own and a password, and SSH behind a key."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.approval.keyring import SshKey

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "flags-bot"
PASSWORD = "glpat-not a secret: anywhere"
_START_SECONDS = 240.0


def certificates(folder: Path) -> tuple[Path, Path]:
    """Make a CA and a server's certificate for the loopback address; give the CA's, and the server's with its key."""

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    now = datetime.now(UTC)
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def signed(name: str, public: ec.EllipticCurvePublicKey, extension: x509.ExtensionType) -> bytes:
        made = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named("The bank's CA"))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        )
        return made.sign(authority, hashes.SHA256()).public_bytes(Encoding.PEM)

    ca, server = folder / "ca.crt", folder / "server.pem"
    ca.write_bytes(signed("The bank's CA", authority.public_key(), x509.BasicConstraints(ca=True, path_length=0)))
    alternative = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    server.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + signed("git", key.public_key(), alternative)
    )
    return ca, server


@dataclass
class HttpsRemote:
    """``git http-backend`` behind TLS and basic authentication.

    Attributes:
        port: Where it listens.
        ca: Certificate of its CA.
        seen: Path and ``Authorization`` of each request, in order.
    """

    port: int
    ca: Path
    seen: list[tuple[str, str | None]] = field(default_factory=list)

    def url(self, name: str = "repo") -> str:
        """Name a repository on it."""
        return f"https://127.0.0.1:{self.port}/{name}"


class _GitHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    root: Path
    remote: HttpsRemote
    open_to_all = False

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        given = self.headers.get("Authorization")
        self.remote.seen.append((self.path, given))
        path, _, query = self.path.partition("?")
        if path.startswith("/moved/"):
            self._say(302, ("Location", self.path.replace("/moved/", "/elsewhere/", 1)))
            return
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if given != f"Basic {wanted}" and not self.open_to_all:
            self._say(401, ("WWW-Authenticate", 'Basic realm="git"'))
            return
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        environment = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": USER,
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }
        done = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, timeout=60, check=False
        )
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        headers = [line.partition(": ")[::2] for line in head.decode().split("\r\n")]
        status = next((value for name, value in headers if name == "Status"), "200")
        self.send_response(int(status.split()[0]))
        for name, value in headers:
            if name not in {"Status", "Content-Length"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)

    def _say(self, status: int, header: tuple[str, str]) -> None:
        self.send_response(status)
        self.send_header(*header)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def https_remote(root: Path, folder: Path) -> Iterator[HttpsRemote]:
    """Serve the repositories below a folder.

    Args:
        root: Of the repositories.
        folder: Of its own, for certificates.
    """
    folder.mkdir()
    ca, pem = certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    remote = HttpsRemote(0, ca)
    handler = type("Handler", (_GitHandler,), {"root": root, "remote": remote})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    server.block_on_close = False
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # whoever does not like the certificate hangs up
    server.socket = context.wrap_socket(server.socket, server_side=True)
    remote.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield remote
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class SshRemote:
    """OpenSSH's server, for the user who runs the tests.

    Attributes:
        port: Where it listens.
        known_hosts: The line that names its key.
        private: The key that it lets in.
    """

    port: int
    known_hosts: str
    private: Path

    def url(self, repository: Path) -> str:
        """Name a repository on it."""
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        return f"ssh://{user}@127.0.0.1:{self.port}{repository}"


def sshd() -> Path | None:
    """Find an SSH server: what FLAGSEAL_SSHD names, perhaps in a folder of unpacked packages, or the machine's."""
    named = os.environ.get("FLAGSEAL_SSHD")
    found = named or shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    return Path(found) if found and Path(found).is_file() else None


@contextmanager
def ssh_remote(server: Path, folder: Path) -> Iterator[SshRemote]:
    """Run an SSH server on the loopback interface, with a folder of its own."""
    folder.mkdir()
    host, private = SshKey.of("the git host"), SshKey.of("the operator").write(folder / "operator")
    host.write(folder / "host")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = folder / "sshd_config"
    configuration.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile none\nStrictModes no\n"
        f"AuthorizedKeysFile {folder / 'operator.pub'}\nPasswordAuthentication no\n"
        "PermitRootLogin prohibit-password\n"
    )
    command = [str(server), "-D", "-e", "-f", str(configuration)]
    if os.geteuid() == 0:
        # Started by root it wants a user and a folder for itself, which this machine need not have.
        users = folder / "passwd"
        users.write_text(Path("/etc/passwd").read_text() + "sshd:x:65530:65534::/run/sshd:/usr/sbin/nologin\n")
        script = 'mount --bind "$0" /etc/passwd && mount -t tmpfs none /run && mkdir /run/sshd && exec "$@"'
        command = ["unshare", "--mount", "sh", "-c", script, str(users), *command]
    libraries = sorted(server.parents[1].glob("lib/*-linux-gnu")) if os.environ.get("FLAGSEAL_SSHD") else []
    environment = {**os.environ, **({"LD_LIBRARY_PATH": ":".join(map(str, libraries))} if libraries else {})}
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        end = time.monotonic() + _START_SECONDS
        while "Server listening" not in log.read_text("utf-8", "replace"):
            assert process.poll() is None, log.read_text("utf-8", "replace")
            assert time.monotonic() < end, log.read_text("utf-8", "replace")
            time.sleep(0.05)
        yield SshRemote(port, f"[127.0.0.1]:{port} {host.line}\n", private)
    finally:
        process.terminate()
        process.wait(60)
