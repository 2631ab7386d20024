"""Name a store by a URL: the one place that says which words mean which store.

::

    /var/lib/flagseal/store, file:///var/lib/flagseal/store                       a directory
    s3://BUCKET/PREFIX?endpoint=https://s3.example.com&region=eu-central-1        an S3-compatible object store
    https://relay.example.com/tuf                                                 another relay; only to read from

Credentials are never part of a URL: they come from the environment, under the names the AWS SDKs have for them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from flagseal.model.errors import SnapshotError, UsageError
from flagseal.snapshot.source import HttpSource
from flagseal.snapshot.store import DirectoryStore, check_name

if TYPE_CHECKING:
    from flagseal.snapshot.store import PrunedStore, Reader

_OPTIONS: Final = frozenset({"endpoint", "region", "style"})
_STYLES: Final = frozenset({"path", "virtual"})
_ENDPOINT_VARIABLES: Final = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGION_VARIABLES: Final = ("AWS_REGION", "AWS_DEFAULT_REGION")


@dataclass(frozen=True, slots=True)
class Bucket:
    """Say where in an object store a snapshot lies.

    Attributes:
        name: Of the bucket.
        prefix: Before every name, without a slash at its ends; empty for the whole bucket.
        endpoint: ``https://…`` of the service; None for that of AWS.
        region: None for what the environment says, and ``us-east-1`` if it does not.
        virtual_hosts: Whether the bucket is part of the host name, rather than of the path.
    """

    name: str
    prefix: str = ""
    endpoint: str | None = None
    region: str | None = None
    virtual_hosts: bool = False

    @property
    def url(self) -> str:
        """Name it for people; holds no secret."""
        return f"s3://{self.name}/{self.prefix}"

    @classmethod
    def parse(cls, url: str) -> Bucket:
        """Take an ``s3://`` URL apart.

        Raises:
            UsageError: It names no bucket, has options nobody knows, or holds credentials.
        """
        try:
            parts = urlsplit(url)
            host, secret = parts.hostname or "", parts.username is not None
        except ValueError as error:
            raise _unusable("s3:// URL", f"cannot be read: {error}") from None
        if secret:
            raise _secret_in_url()
        if parts.scheme != "s3" or not host or parts.netloc != host or parts.fragment:
            raise _unusable(url, "is no s3://BUCKET/PREFIX")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        unknown = sorted(options.keys() - _OPTIONS)
        if unknown:
            # A value may be a secret that somebody thought to hand over like this: only the names are said.
            raise _unusable(f"s3://{host}", f"has options nobody knows: {', '.join(unknown)}")
        endpoint = options.get("endpoint")
        if endpoint is not None:
            _check_endpoint(endpoint, host)
        style = options.get("style", "path")
        if style not in _STYLES:
            raise _unusable(f"s3://{host}", f"has style {style!r}, which is neither path nor virtual")
        prefix = unquote(parts.path).strip("/")
        try:
            check_name(prefix or "none")
        except SnapshotError as error:
            raise _unusable(f"s3://{host}", error.message) from None
        return cls(host, prefix, endpoint, options.get("region"), style == "virtual")

    def settled(self) -> Bucket:
        """Fill in what the URL left to the environment.

        Raises:
            UsageError: The endpoint of the environment is none.
        """
        endpoint = self.endpoint or _first(_ENDPOINT_VARIABLES)
        if endpoint is not None:
            _check_endpoint(endpoint, self.name)
        region = self.region or _first(_REGION_VARIABLES) or "us-east-1"
        return Bucket(self.name, self.prefix, endpoint, region, self.virtual_hosts)


def open_store(where: str | Path) -> PrunedStore:
    """Open a store to publish to; nothing is asked of it yet.

    Args:
        where: A directory, ``file:///…`` or ``s3://…``.

    Raises:
        UsageError: It is no store that can be written, or what talks to object stores is not installed.
    """
    if isinstance(where, Path):
        return DirectoryStore(where)
    scheme = where.partition("://")[0] if "://" in where else ""
    if scheme == "s3":
        return _open_bucket(Bucket.parse(where))
    if scheme == "file" or where.startswith("file:/"):
        return DirectoryStore(_file_path(where))
    if scheme or not where:
        raise _unusable(_shown(where), "is no store that can be written")
    return DirectoryStore(where)


def open_reader(where: str | Path) -> Reader:
    """Open whatever can be read from: a store, or the files below an ``http(s)://`` URL, a relay's for instance.

    Raises:
        UsageError: It is neither, or what talks to object stores is not installed.
    """
    if isinstance(where, str) and where.startswith(("http://", "https://")):
        return HttpSource(where)
    return open_store(where)


def _open_bucket(bucket: Bucket) -> PrunedStore:
    try:
        from flagseal.snapshot.objects import ObjectStore  # noqa: PLC0415 (the bare install has no client for it)
    except ImportError:
        raise UsageError(
            f"{bucket.url}: what talks to object stores is not installed here",
            code="MissingExtra",
            remedy="Install it: pip install 'flagseal[relay]' (or flagseal[operator]).",
        ) from None
    return ObjectStore.of(bucket.settled())


def _file_path(url: str) -> str:
    parts = urlsplit(url)
    path = unquote(parts.path)
    if parts.netloc not in {"", "localhost"} or not path.startswith("/") or parts.query or parts.fragment:
        raise _unusable(url, "is no file:///PATH")
    return path


def _check_endpoint(endpoint: str, bucket: str) -> None:
    """Refuse what is anything but scheme, host and port."""
    try:
        parts = urlsplit(endpoint)
        secret = parts.username is not None
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        secret = good = False
    if secret:
        raise _secret_in_url()
    if not good or parts.query or parts.fragment or parts.path not in {"", "/"}:
        raise _unusable(f"s3://{bucket}", "has an endpoint that is no http://HOST or https://HOST")


def _first(variables: tuple[str, ...]) -> str | None:
    return next((value for name in variables if (value := os.environ.get(name))), None)


def _shown(where: str) -> str:
    """Give as much of a text as cannot hold a secret."""
    return f"{where.partition('://')[0]}://…" if "://" in where else repr(where)


def _secret_in_url() -> UsageError:
    return UsageError(
        "credentials do not belong in a store's URL, where every list of processes shows them",
        code="CredentialsInUrl",
        remedy="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or mount a web identity token.",
    )


def _unusable(what: str, why: str) -> UsageError:
    return UsageError(
        f"{what}: {why}",
        code="BadStoreUrl",
        remedy="Name a folder, file:///PATH, or s3://BUCKET/PREFIX?endpoint=https://HOST&region=NAME.",
    )
