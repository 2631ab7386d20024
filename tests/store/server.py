"""A real S3 server (SeaweedFS) on the loopback interface, for as long as a test session lasts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import obstore
import pytest
import urllib3
from obstore.store import S3Store

from tests.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "flags"
WRITER = ("flagseal-writer", "secret-of-the-writer")
READER = ("flagseal-reader", "secret-of-the-reader")
_START_SECONDS = 240.0
_PORTS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
    *("filer.port", "filer.port.grpc", "s3.port", "s3.port.grpc"),
)


@dataclass(frozen=True)
class S3Server:
    """Where the server listens, and which bucket is there."""

    endpoint: str

    def url(self, prefix: str, endpoint: str | None = None) -> str:
        """Name a store in its bucket, perhaps by way of a proxy."""
        return f"s3://{BUCKET}/{prefix}?endpoint={endpoint or self.endpoint}&region=us-east-1"


def credentials(pair: tuple[str, str] = WRITER) -> dict[str, str]:
    """Give credentials as the environment has them."""
    return {"AWS_ACCESS_KEY_ID": pair[0], "AWS_SECRET_ACCESS_KEY": pair[1]}


def binary() -> str:
    """Find the server; skip, or fail where it must not be missing."""
    named = os.environ.get("FLAGSEAL_S3_SERVER")
    path = Path(named) if named else Path(sys.executable).with_name("weed")
    if not path.is_file():
        reason = f"no S3 server: {path} is not there (`make` installs it; FLAGSEAL_S3_SERVER names another weed)"
        if os.environ.get("FLAGSEAL_REQUIRE_S3"):
            pytest.fail(reason)
        pytest.skip(reason)
    return str(path)


@contextmanager
def running(folder: Path) -> Iterator[S3Server]:
    """Run the server with its data in a folder."""
    weed = binary()
    identities = [
        {"name": "writer", "actions": ["Admin", "Read", "Write", "List"], "credentials": [_pair(WRITER)]},
        {"name": "reader", "actions": ["Read", "List"], "credentials": [_pair(READER)]},
    ]
    (folder / "s3.json").write_text(json.dumps({"identities": identities}), "utf-8")
    (folder / "data").mkdir()
    ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(weed, f"-logdir={folder}", "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1"),
                *("-ip.bind=127.0.0.1", "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=30"),
                *("-s3", f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0"),
                *(f"-{name}={port}" for name, port in ports.items()),
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = S3Server(f"http://127.0.0.1:{ports['s3.port']}")
    try:
        _until_up(server, process, log)
        yield server
    finally:
        # It takes its time to stop in order, and its data are thrown away.
        process.kill()
        process.wait()
        for port in ports.values():
            for socket_file in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 (where it puts them)
                with suppress(OSError):
                    socket_file.unlink()


def _pair(pair: tuple[str, str]) -> dict[str, str]:
    return {"accessKey": pair[0], "secretKey": pair[1]}


def _until_up(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    bucket = S3Store(
        BUCKET,
        endpoint=server.endpoint,
        region="us-east-1",
        access_key_id=WRITER[0],
        secret_access_key=WRITER[1],
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    pool = urllib3.PoolManager(retries=False, timeout=10)
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            made = pool.request("PUT", obstore.sign(bucket, "PUT", "", timedelta(minutes=5)))
            if made.status in {200, 409}:
                obstore.put(bucket, "is-it-up", b"yes")
                return
        except (urllib3.exceptions.HTTPError, obstore.exceptions.BaseError, OSError):
            pass
        time.sleep(0.1)
    pytest.fail(f"the S3 server did not come up:\n{log.read_text('utf-8', 'replace')[-4000:]}")
