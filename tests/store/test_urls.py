"""Which words mean which store, without asking any."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flagseal.model.errors import UsageError
from flagseal.snapshot.objects import ObjectStore
from flagseal.snapshot.source import HttpSource
from flagseal.snapshot.store import DirectoryStore
from flagseal.snapshot.stores import Bucket, open_reader, open_store


@pytest.mark.parametrize(
    ("where", "path"),
    [
        (Path("/srv/store"), "/srv/store"),
        ("/srv/store", "/srv/store"),
        ("store", "store"),
        ("file:///srv/my%20store", "/srv/my store"),
        ("file:/srv/store", "/srv/store"),
        ("file://localhost/srv/store", "/srv/store"),
    ],
)
def test_a_folder_is_named_plainly_or_as_a_file_url(where: str | Path, path: str) -> None:
    """All of them are the same kind of store."""
    store = open_store(where)
    assert isinstance(store, DirectoryStore)
    assert store.path == Path(path)


@pytest.mark.parametrize(
    ("url", "bucket"),
    [
        ("s3://flags", Bucket("flags")),
        ("s3://flags/", Bucket("flags")),
        ("s3://flags/eu/production/", Bucket("flags", "eu/production")),
        ("s3://flags/p?endpoint=http://10.0.0.1:9000", Bucket("flags", "p", "http://10.0.0.1:9000")),
        ("s3://flags?region=eu-1&style=virtual", Bucket("flags", region="eu-1", virtual_hosts=True)),
    ],
)
def test_a_bucket_url_says_where_and_how(url: str, bucket: Bucket) -> None:
    """Bucket, prefix, endpoint, region, and whether the bucket is part of the host's name."""
    assert Bucket.parse(url) == bucket


@pytest.mark.parametrize(
    "url",
    [
        *("", "s3://", "s3:///prefix", "s3://flags:9000/x", "s3://flags/../x", "s3://flags/a b", "s3://flags/x#y"),
        *("s3://flags?endpoint=ftp://host", "s3://flags?endpoint=http://host/path", "s3://flags?endpoint=http://"),
        *("s3://flags?style=new", "s3://[x/y", "gs://flags", "file://elsewhere/srv", "file:///srv?x=1", "ssh://host/x"),
    ],
)
def test_what_is_no_store_is_refused_with_what_would_be(url: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(UsageError) as refused:
        open_store(url)
    assert refused.value.code == "BadStoreUrl"
    assert "s3://BUCKET/PREFIX" in refused.value.remedy


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:hunter2@flags/x",
        "s3://flags/x?endpoint=http://key:hunter2@host",
        "s3://flags/x?secret_access_key=hunter2",
    ],
)
def test_credentials_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    """A URL ends up in process lists, logs and errors; this error must not be one of them."""
    with pytest.raises(UsageError) as refused:
        open_store(url)
    assert "hunter2" not in f"{refused.value.message} {refused.value.remedy}"


def test_the_environment_fills_in_endpoint_and_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the names of the AWS SDKs; what the URL says wins."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://general:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://special:2")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-9")
    assert Bucket("flags").settled() == Bucket("flags", endpoint="http://special:2", region="eu-9")
    assert Bucket("flags", endpoint="http://mine:3", region="x").settled().endpoint == "http://mine:3"


def test_an_object_store_names_itself_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is for logs and errors."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    store = open_store("s3://flags/eu/production?endpoint=http://127.0.0.1:1")
    assert isinstance(store, ObjectStore)
    assert repr(store) == "ObjectStore('s3://flags/eu/production')"


def test_a_web_address_can_be_read_from_and_not_written_to() -> None:
    """A relay is a source, and no store."""
    assert isinstance(open_reader("http://127.0.0.1:8016/tuf"), HttpSource)
    assert isinstance(open_reader("/srv/store"), DirectoryStore)
    with pytest.raises(UsageError):
        open_store("http://127.0.0.1:8016/tuf")


def test_the_client_for_object_stores_is_imported_only_for_one() -> None:
    """The bare install lacks it: a folder needs none, and a bucket says what to install."""
    script = (
        "import sys; sys.modules['obstore'] = None\n"
        "from flagseal.model.errors import UsageError\n"
        "from flagseal.snapshot.stores import open_reader, open_store\n"
        "open_store('/srv/store'); open_reader('http://127.0.0.1/tuf')\n"
        "try: open_store('s3://flags')\n"
        "except UsageError as error: print(error.code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "MissingExtra\n"
