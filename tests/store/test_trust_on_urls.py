"""The ceremonies and the checks by command, with the store named by a URL: what a cluster is founded with."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from flagseal.history import build, genesis
from flagseal.repository import FlagRepository
from flagseal.snapshot.keys import load_public_key, load_signer
from flagseal.snapshot.marks import FileMarks
from flagseal.snapshot.publish import Publisher
from flagseal.snapshot.stores import open_store
from flagseal_cli.founding import read_trust
from flagseal_cli.main import run
from flagseal_cli.workspace import DataFolder

if TYPE_CHECKING:
    from pathlib import Path

    from flagseal.approval.trust import Trust
    from tests.store.server import S3Server


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """Give a flag repository."""
    path = tmp_path / "demo"
    assert run(["init", "--demo", str(path)]) == 0
    return path


@pytest.fixture
def url(s3: S3Server, prefix: str, as_writer: None) -> str:
    """Give a bucket's place that is empty."""
    del as_writer
    return s3.url(prefix)


def publish(demo: Path, keys: DataFolder, url: str, trust: Trust, marks: Path) -> int:
    """Publish genesis as an operator would, with nothing but the folder of keys and the URL."""
    repository = FlagRepository(demo)
    documents, _ = repository.documents(trust.genesis.commit)
    head = genesis(trust, documents)
    publisher = Publisher(
        open_store(url), keys.read_root(), load_signer(str(keys.online_key)), marks=FileMarks(marks / "marks.json")
    )
    return publisher.publish(build(head, "production", datetime.now(UTC)), (), documents).version


def test_a_bucket_is_founded_published_to_rotated_and_verified(
    demo: Path, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The keys lie in a folder, ready to be carried to the operator and to safes; the bucket holds no key."""
    keys = DataFolder(tmp_path / "keys")
    admission = tmp_path / "admission.pem"
    init = ["trust", "init", "-e", "production", "--store", url, "--data", str(keys.path), "--repo", str(demo)]
    assert run([*init, "--admission-key", str(admission)]) == 0
    assert not keys.store.exists()
    assert len(list(keys.offline_keys.glob("*.pem"))) == 3
    on = ["--store", url, "--data", str(keys.path)]
    capsys.readouterr()
    assert run(["trust", "show", *on, "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["trust"]["admission"]["keyid"] == load_public_key(tmp_path / "admission.pem.pub").keyid

    trust = founded_trust(url, keys)
    assert publish(demo, keys, url, trust, tmp_path) == 1
    verify = ["snapshot", "verify", url, "--root", str(keys.root)]
    assert run(verify) == 0
    assert run(["trust", "rotate", "online", *on]) == 0
    assert run(["trust", "renew", *on]) == 0
    assert publish(demo, keys, url, trust, tmp_path) > 1
    assert run(verify) == 0


def founded_trust(url: str, keys: DataFolder) -> Trust:
    """Read what the offline keys left in the bucket."""
    return read_trust(keys, open_store(url))


def test_a_bucket_that_holds_a_repository_is_not_founded_again(
    demo: Path, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And no keys are generated for it."""
    init = ["trust", "init", "-e", "production", "--store", url, "--repo", str(demo)]
    assert run([*init, "--data", str(tmp_path / "one")]) == 0
    assert run([*init, "--data", str(tmp_path / "two")]) == 2
    assert "AlreadyInitialised" in capsys.readouterr().err
    assert not (tmp_path / "two").exists()


def test_a_key_of_admission_that_is_there_is_taken(demo: Path, url: str, tmp_path: Path) -> None:
    """Only its public half is needed."""
    keys = DataFolder(tmp_path / "keys")
    other = DataFolder(tmp_path / "other")
    init = ["trust", "init", "-e", "production", "--repo", str(demo)]
    assert run([*init, "--data", str(other.path)]) == 0
    public = other.trust / "online.pem.pub"
    assert run([*init, "--store", url, "--data", str(keys.path), "--admission-key", str(public)]) == 0
    admission = founded_trust(url, keys).admission
    assert admission is not None
    assert admission.keyid == load_public_key(public).keyid
