"""The TUF side of a client: let ``tuf.ngclient`` fetch and verify, and take what it verified as one value.

ngclient walks delegations for one target at a time and looks at every role again in each instance. Asking it
for every namespace at each poll would cost as many look-ups as there are; so it is asked for those whose
version the new snapshot changes, and the rest is taken from the chain verified before.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from tuf.api.exceptions import DownloadError, RepositoryError
from tuf.api.metadata import Metadata, Root, Snapshot, Targets
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.updater import Updater

from flagseal.snapshot.chain import load_root, root_history, verify_chain
from flagseal.snapshot.layout import FLAGS, HEAD, ONLINE, REPOSITORY, metadata_name, namespace_of
from flagseal.snapshot.published import ChainFiles
from flagseal.snapshot.refusal import Refused, refusal_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from flagseal.snapshot.cache import Cache
    from flagseal.snapshot.chain import Chain
    from flagseal.snapshot.source import Source

_CONFIG = UpdaterConfig(
    max_delegations=8,  # trust.json, or targets → online → ns-…: never deeper
    snapshot_max_length=16 * 1024 * 1024,  # 60 bytes a namespace
    targets_max_length=32 * 1024 * 1024,  # online.json: 230 bytes a namespace
)
_LARGEST_TARGET = 512 * 1024 * 1024
"""Genesis and a hundred statements may carry tens of thousands of documents. A length is the online key's word."""

_TUF_ERRORS = (RepositoryError, DownloadError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError)
"""The first two by its documentation; the others where metadata that is signed and absurd trips it."""


class Fetched(ChainFiles):
    """The targets of a verified chain, from the cache or, what is new, from the source.

    Attributes:
        chain: The chain.
    """

    def __init__(self, chain: Chain, updater: Updater, cache: Cache, refusal: Callable[[Exception], Refused]) -> None:
        super().__init__(chain, cache.blob)
        self.chain = chain
        self._updater = updater
        self._cache = cache
        self._refusal = refusal

    def read(self, path: str) -> bytes:
        """Give a target's bytes."""
        file = self.chain.target(path)
        if file is None:
            raise Refused("mix-and-match", f"{path}: no role lists it")
        if file.length > _LARGEST_TARGET:
            raise Refused("oversized", f"{path}: {file.length} bytes are more than any honest one has")
        data = self._cache.blob(file.hashes.get("sha256", ""))
        if data is not None:
            return data
        try:
            staged = Path(self._updater.download_target(file, str(self._cache.path / "download.new")))
        except _TUF_ERRORS as error:
            raise self._refusal(error) from error
        data = staged.read_bytes()
        self._cache.put_blob(data)
        return data


class TufFetcher:
    """Fetch and verify TUF metadata into a cache.

    Args:
        cache: Whose ``tuf`` folder is ngclient's.
        source: Where from.
        root: The pinned root.
    """

    def __init__(self, cache: Cache, source: Source, root: bytes) -> None:
        self._cache = cache
        self._source = source
        self._root = root
        self._pinned = load_root(root).version

    def update(self, now: datetime) -> Updater:
        """Refresh the top-level metadata.

        Raises:
            Refused: They do not verify, or cannot be had.
            OSError: ngclient's own files cannot be used.
        """
        try:
            updater = Updater(
                str(self._cache.tuf),
                f"{self._source.base}metadata/",
                target_base_url=f"{self._source.base}targets/",
                fetcher=self._source,
                config=_CONFIG,
                bootstrap=self._root,
            )
            # One clock for all: ngclient reads the machine's when it is made, and offers no other way.
            updater._trusted_set.reference_time = now  # noqa: SLF001
            updater.refresh()
        except _TUF_ERRORS as error:
            raise self._refusal(error) from error
        return updater

    def timestamp(self) -> bytes:
        """Give the timestamp that was verified last."""
        return (self._cache.tuf / "timestamp.json").read_bytes()

    def root(self, known: Root | None) -> Root:
        """Give the newest root; the known one itself as long as there is no newer."""
        history = self._cache.tuf / "root_history"
        if known is not None and not (history / f"{known.version + 1}.root.json").exists():
            return known
        return root_history(self._root, lambda name: _file(history / name.rpartition("/")[2]))[-1]

    def fetch(self, updater: Updater, root: Root, known: Chain | None) -> Fetched:
        """Fetch every role that is new, and take all of them as one chain.

        Raises:
            Refused: They do not verify, or cannot be had.
        """
        snapshot = Metadata[Snapshot].from_bytes((self._cache.tuf / "snapshot.json").read_bytes()).signed
        try:
            updater.get_targetinfo(HEAD)  # loads targets, online and ns-_repository on the way
            for role in _new_roles(snapshot, known):
                updater.get_targetinfo(f"{namespace_of(role)}/{FLAGS}")
        except _TUF_ERRORS as error:
            raise self._refusal(error) from error
        chain = verify_chain(self._metadata, root, known=known)
        return Fetched(chain, updater, self._cache, self._refusal)

    def metadata_files(self, chain: Chain) -> Iterator[tuple[str, Path]]:
        """Name the metadata files of a chain as the store does, with where they lie now; but for the timestamp."""
        tuf = self._cache.tuf
        yield metadata_name(Snapshot.type, chain.version), tuf / "snapshot.json"
        for role, signed in ((Targets.type, chain.targets), *chain.roles.items()):
            yield metadata_name(role, signed.version), tuf / f"{quote(role, '')}.json"
        for version in range(self._pinned + 1, chain.root.version + 1):
            yield metadata_name(Root.type, version), tuf / "root_history" / f"{version}.root.json"

    def _metadata(self, name: str) -> bytes | None:
        """Find a metadata file where ngclient keeps it: by role, without version."""
        file = name.rpartition("/")[2]
        version, _, rest = file.partition(".")
        role = (rest if version.isdecimal() else file).removesuffix(".json")
        return _file(self._cache.tuf / f"{quote(role, '')}.json")

    def _refusal(self, error: Exception) -> Refused:
        def reread(name: str) -> bytes | None:
            return self._source.download_bytes(self._source.base + name, _CONFIG.snapshot_max_length)

        return refusal_of(error, self._source.last, reread)


def _file(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _new_roles(snapshot: Snapshot, known: Chain | None) -> Iterator[str]:
    """Name the namespaces' roles that a known chain does not have in this version."""
    online = snapshot.meta.get(f"{ONLINE}.json")
    # Other delegations may mean other keys: then every role is verified again.
    roles = known.roles if known is not None and online and known.roles[ONLINE].version == online.version else {}
    for file, meta in snapshot.meta.items():
        role = file.removesuffix(".json")
        if namespace_of(role) not in {None, REPOSITORY} and (role not in roles or roles[role].version != meta.version):
            yield role
