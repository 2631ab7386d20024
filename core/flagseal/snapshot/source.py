"""A published repository as a client sees it: the same names, on a disk or over HTTP.

``tuf.ngclient`` asks for URLs. A :class:`Source` gives it a base to ask below, a fetcher that answers, and
keeps count of what crossed the wire and which file was asked for last, so that a refusal can name it.
"""

from __future__ import annotations

import io
import time
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, TypeAlias
from urllib.request import getproxies, proxy_bypass

import urllib3
from tuf.api.exceptions import (
    DownloadError,
    DownloadHTTPError,
    DownloadLengthMismatchError,
    SlowRetrievalError,
)
from tuf.ngclient.fetcher import FetcherInterface

from flagseal.model.errors import SnapshotError, UsageError
from flagseal.snapshot.store import Stored, TooLarge, check_name, etag_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal.snapshot.store import Reader

STORE_BASE = "store:///"
_GAP_SECONDS = 10.0
_WHOLE_SECONDS = 120.0
_CHUNK = 64 * 1024
_LARGEST_METADATA = 32 * 1024 * 1024
_LARGEST_FILE = 512 * 1024 * 1024
"""A length may be signed, and then ngclient trusts it; but what the online key signs, its thief may have written."""
_GONE = frozenset({403, 404, 410})


class StoreSource(FetcherInterface):
    """Answer a TUF client from a store in reach.

    Attributes:
        received: Bytes handed out since the start.
        last: The name asked for last, as the store knows it.
    """

    base = STORE_BASE

    def __init__(self, store: Reader) -> None:
        self._store = store
        self.received = 0
        self.last = ""

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.last = url.removeprefix(self.base)
        stored = self._store.get(self.last)
        if stored is None:
            raise DownloadHTTPError(f"{self.last}: not in the store", 404)
        self.received += len(stored.data)
        return iter((stored.data,))

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """Give a file, and never read more of it than the client can want."""
        self.last = url.removeprefix(self.base)
        try:
            stored = self._store.get(self.last, limit=_sensible(self.last, max_length))
        except TooLarge as error:
            raise DownloadLengthMismatchError(error.message) from error
        except SnapshotError as error:
            raise DownloadError(error.message) from error
        if stored is None:
            raise DownloadHTTPError(f"{self.last}: not in the store", 404)
        self.received += len(stored.data)
        yield io.BytesIO(stored.data)


class HttpSource(FetcherInterface):
    """Answer a TUF client from a URL below which the store's names lie.

    Proxies are taken from the environment (``https_proxy``, ``no_proxy``).

    Args:
        url: ``https://…``; the files lie at ``metadata/…`` and ``targets/…`` below it.
        headers: Sent with every request, an access token for instance.
        gap_seconds: Longest silence before the server counts as unreachable.
        whole_seconds: Longest time one file may take: a server that drips one byte at a time does not hold us.

    Attributes:
        received: Bytes of bodies received since the start, errors' included.
        last: The name asked for last.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        gap_seconds: float = _GAP_SECONDS,
        whole_seconds: float = _WHOLE_SECONDS,
    ) -> None:
        try:
            parsed = urllib3.util.parse_url(url)
        except urllib3.exceptions.LocationParseError:
            parsed = urllib3.util.Url()
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise UsageError(f"{url!r} is not a URL of a store", remedy="Give http://… or https://…, or a directory.")
        self.base = url if url.endswith("/") else f"{url}/"
        self._whole_seconds = whole_seconds
        # Polling comes again by itself; a retry only bridges a connection that the server had closed.
        retries = urllib3.Retry(total=2, redirect=2, backoff_factor=0.1, raise_on_redirect=True)
        self._pool = open_pool(url, headers=headers, timeout=urllib3.Timeout(gap_seconds), retries=retries)
        self.received = 0
        self.last = ""

    def _fetch(self, url: str) -> Iterator[bytes]:
        self.last = url.removeprefix(self.base)
        try:
            response = self._pool.request("GET", url, preload_content=False)
        except urllib3.exceptions.MaxRetryError as error:
            if isinstance(error.reason, urllib3.exceptions.TimeoutError):
                raise SlowRetrievalError(f"{url}: no answer in time") from error
            raise DownloadError(f"{url}: {error.reason}") from error
        except urllib3.exceptions.HTTPError as error:
            raise DownloadError(f"{url}: {error}") from error
        if response.status != 200:  # noqa: PLR2004 (the status every reader knows)
            response.close()
            raise DownloadHTTPError(f"{url}: HTTP status {response.status}", response.status)
        return self._chunks(url, response)

    @contextmanager
    def download_file(self, url: str, max_length: int) -> Iterator[IO[bytes]]:
        """Give a file, and never read more of it than is sensible."""
        with super().download_file(url, _sensible(url.removeprefix(self.base), max_length)) as file:
            yield file

    def _chunks(self, url: str, response: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
        deadline = time.monotonic() + self._whole_seconds
        whole = False
        try:
            for chunk in response.stream(_CHUNK):
                self.received += len(chunk)
                if time.monotonic() > deadline:
                    raise SlowRetrievalError(f"{url}: not whole after {self._whole_seconds:g} s")
                yield chunk
            whole = True
        except urllib3.exceptions.TimeoutError as error:
            raise SlowRetrievalError(f"{url}: fell silent") from error
        except urllib3.exceptions.HTTPError as error:
            raise DownloadError(f"{url}: {error}") from error
        finally:
            # What was not read to its end would be taken for the next answer.
            if whole:
                response.release_conn()
            else:
                response.close()

    def get(self, name: str, *, limit: int | None = None) -> Stored | None:
        """Read a file, so that a URL can stand wherever a store is only read.

        Raises:
            TooLarge: There is more than ``limit``.
            SnapshotError: The server cannot be reached or fails.
        """
        try:
            data = self.download_bytes(self.base + check_name(name), limit if limit is not None else _LARGEST_FILE)
        except DownloadLengthMismatchError as error:
            raise TooLarge(f"{self.base}{name}: {error}") from error
        except DownloadHTTPError as error:
            if error.status_code in _GONE:
                return None
            raise SnapshotError(str(error), code="Unreachable", remedy="Ask whoever runs that server.") from error
        except DownloadError as error:
            raise SnapshotError(str(error), code="Unreachable", remedy="Is the address right, and up?") from error
        return Stored(data, etag_of(data))


Source: TypeAlias = "StoreSource | HttpSource"


def _sensible(name: str, max_length: int) -> int:
    return min(max_length, _LARGEST_METADATA if name.startswith("metadata/") else _LARGEST_FILE)


def open_source(source: Reader | str) -> Source:
    """Make a source of a store, or of a URL.

    Raises:
        UsageError: The text is no URL.
    """
    if isinstance(source, HttpSource):
        return source
    return HttpSource(source) if isinstance(source, str) else StoreSource(source)


def open_pool(
    url: str, *, headers: Mapping[str, str] | None, timeout: urllib3.Timeout, retries: urllib3.Retry | bool
) -> urllib3.PoolManager:
    """Give connections to where a URL leads, through the proxy that the environment names for it.

    Args:
        url: The URL, or one of several on the same server.
        headers: Sent with every request.
        timeout: Longest silence.
        retries: What to try again; False for nothing, redirects included.
    """
    parsed = urllib3.util.parse_url(url)
    said = {"User-Agent": "flagseal", **(headers or {})}
    proxy = getproxies().get(parsed.scheme or "")
    if proxy and not proxy_bypass(parsed.host or ""):
        return urllib3.ProxyManager(proxy, headers=said, timeout=timeout, retries=retries)
    return urllib3.PoolManager(headers=said, timeout=timeout, retries=retries)
