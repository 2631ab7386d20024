"""Crash clients and publishers with metadata that are signed, by the stolen online key, and absurd.

Any value of any signed file may be any JSON. Whatever it is: nobody raises, nobody serves anything but what was
approved, and the publisher goes on or says why not.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from securesystemslib.exceptions import FormatError
from securesystemslib.formats import encode_canonical

from flagseal.model.errors import SnapshotError
from flagseal.snapshot.report import verify_repository
from flagseal.snapshot.store import etag_of
from tests.snapshot.stores import bring_back, copy_of, overwrite
from tests.snapshot.world import World, answer, flag

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("timestamp", "2.snapshot", "1.online", "2.ns-payments", "2.ns-_repository")

JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**63, 10**30, "", "x", "../../x", "\x00", "é", "9" * 5000, [], [[]], {}, {"x": {}}),
    *("2026-13-45T99:99:99Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", {"version": 1}, ["payments/*"], "root"),
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Name every place in a JSON value."""
    found = [path]
    children: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        children = list(value.items())
    if isinstance(value, list):
        children = list(enumerate(value))
    for key, child in children:
        found += places(child, (*path, key))
    return found


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, Path]:
    """Give a world, and a copy of its store to begin from."""
    world = World(tmp_path_factory.mktemp("world"))
    world.publish()
    world.change(flag("pay-later", on_for=["acme"]))
    return world, copy_of(world.directory, world.path / "copy")


def sign(world: World, name: str, body: Any) -> bytes:  # noqa: ANN401 (any JSON)
    """Sign any JSON as if it were metadata, and write it."""
    payload = encode_canonical(body)
    assert payload is not None
    signature = world.online.sign(payload.encode())
    data = json.dumps({"signatures": [signature.to_dict()], "signed": body}).encode()
    overwrite(world.directory, f"metadata/{name}.json", data)
    return data


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_value_in_the_place_of_any(stage: tuple[World, Path], data: st.DataObject) -> None:
    """One value of one file is junk; the files above it are signed again to match."""
    world, copy = stage
    bring_back(world.directory, copy)
    for name in ("client", "newcomer"):
        shutil.rmtree(world.path / name, ignore_errors=True)
    file = data.draw(st.sampled_from(FILES))
    bodies = {name: json.loads((copy / f"metadata/{name}.json").read_bytes())["signed"] for name in FILES}
    place = data.draw(st.sampled_from(places(bodies[file])))
    put(bodies, file, place, data.draw(st.sampled_from(JUNK)))
    with world.client() as client:
        assert client.refresh().reason is None
        try:
            forge(world, bodies, file)
        except FormatError:
            return  # what cannot be written canonically cannot be signed
        client.refresh()
        assert (answer(client, "pay-later"), answer(client, "pay-later", org="globex")) == (True, False)
    with world.client("newcomer") as newcomer:
        newcomer.refresh()
        # Whoever never was here may be shown an older part of the genuine history (docs/adr/0008), nothing else.
        if newcomer.current is not None:
            assert (newcomer.current.sequence, answer(newcomer, "pay-later")) in {(0, False), (1, True)}
    assert verify_repository(world.directory, world.root, clock=world.clock).text()
    with suppress(SnapshotError):  # a publisher may hold; it may not do anything else
        world.new_publisher().refresh()


def put(bodies: dict[str, Any], file: str, place: tuple[str | int, ...], junk: object) -> None:
    """Put junk in a place of a file."""
    parent: Any = bodies
    for key in (file, *place)[:-1]:
        parent = parent[key]
    parent[(file, *place)[-1]] = junk


def forge(world: World, bodies: dict[str, Any], file: str) -> None:
    """Sign a file that was changed, and those that name it by hash or length."""
    if file not in {"timestamp", "2.snapshot"}:
        sign(world, file, bodies[file])
        for entry in bodies["2.snapshot"]["meta"].values():
            entry.pop("length", None)
    snapshot = sign(world, "2.snapshot", bodies["2.snapshot"])
    if file != "timestamp":
        bodies["timestamp"]["version"] += 1
        meta = bodies["timestamp"]["meta"]["snapshot.json"]
        meta |= {"length": len(snapshot), "hashes": {"sha256": etag_of(snapshot)}}
    sign(world, "timestamp", bodies["timestamp"])


@given(noise=st.binary(max_size=200), name=st.sampled_from(FILES), at=st.integers(0, 400))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=30)
def test_any_bytes_in_any_file(stage: tuple[World, Path], noise: bytes, name: str, at: int) -> None:
    """Without a key: bytes overwritten anywhere."""
    world, copy = stage
    bring_back(world.directory, copy)
    shutil.rmtree(world.path / "newcomer", ignore_errors=True)
    path = world.directory.path / f"metadata/{name}.json"
    data = path.read_bytes()
    path.write_bytes(data[:at] + noise + data[at + len(noise) :])
    with world.client("newcomer") as newcomer:
        newcomer.refresh()
        assert newcomer.current is None or answer(newcomer, "pay-later") is True
