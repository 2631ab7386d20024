"""Reading many files at once: afresh, or by what is known of their content already (docs/adr/0064).

Whoever signs, accepts or publishes reads afresh, always. What only tells people something (the gate, the plan) may read
quickly: by a cache that only its writer believes (:mod:`flagseal.repository.sealed`), and with several processes.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from flagseal import model
from flagseal.model.canonical import canonical_json, sha256_digest
from flagseal.model.document import GOVERNED_KINDS, Document, Source
from flagseal.model.loader import Loaded, load_text
from flagseal.repository.sealed import SealedFile, remove_others

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from flagseal.model.finding import Finding

Named = tuple[str, bytes]
"""What findings call a file, and its bytes."""

WORTH_A_PROCESS: Final = 500
"""Files for each process; starting one and bringing its results back takes as long as a hundred."""

_MOST_KEPT: Final = 64 * 1024 * 1024
"""Bytes of documents in a cache: ten times ten thousand flags."""


class ReadFiles(Protocol):
    """Load files, each by itself, in the order given."""

    def __call__(self, files: Sequence[Named], /) -> list[Loaded]:
        """Load them."""
        ...


def read_afresh(files: Sequence[Named]) -> list[Loaded]:
    """Load files by nothing but their bytes: the way for all that decides."""
    return [load_text(data, file=name) for name, data in files]


class QuickReader:
    """Load files by what is known of their content, and what is not known with several processes.

    Args:
        folder: Where the cache lies; made when there is something to keep. Safe to delete at any time.
        processes: How many may work; by default as many as there are cores. Call it before there are threads.
        key: What seals the cache; by default the person's own.
        progress: Told how many of how many files are read, if there are many that are not known.
    """

    def __init__(
        self,
        folder: Path,
        *,
        processes: int | None = None,
        key: bytes | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._file = SealedFile(folder / f"documents-{_reader_version()}", key=key, largest=2 * _MOST_KEPT)
        self._processes = processes or os.cpu_count() or 1
        self._progress = progress

    def __call__(self, files: Sequence[Named], /) -> list[Loaded]:
        """Load files; each that was sound before costs a hash and a few microseconds."""
        names = [hashlib.sha256(data).digest() for _, data in files]
        known = self._kept()
        found = [
            _document(known[name], file, data) if name in known else None
            for name, (file, data) in zip(names, files, strict=True)
        ]
        missing = [number for number, loaded in enumerate(found) if loaded is None]
        for number, loaded in zip(missing, self._read([files[number] for number in missing]), strict=True):
            found[number] = loaded
        loaded_all = [loaded for loaded in found if loaded is not None]
        if missing:
            sound = {
                name: loaded.documents[0].canonical
                for name, loaded in zip(names, loaded_all, strict=True)
                if len(loaded.documents) == 1 and not loaded.findings
            }
            self._keep({**known, **sound})
        return loaded_all

    def _read(self, files: list[Named]) -> list[Loaded]:
        # Here and not above: whoever reads little need not wait for what shares work.
        import multiprocessing  # noqa: PLC0415
        from concurrent.futures import ProcessPoolExecutor  # noqa: PLC0415

        processes = min(self._processes, len(files) // WORTH_A_PROCESS)
        if processes < 2 or "fork" not in multiprocessing.get_all_start_methods():  # noqa: PLR2004
            return read_afresh(files)
        size = -(-len(files) // (processes * 4))
        parts = [files[start : start + size] for start in range(0, len(files), size)]
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(processes, mp_context=context) as pool:
            results: list[tuple[bytes | None, tuple[Finding, ...]]] = []
            for part in pool.map(_read_part, parts):
                results += part
                if self._progress is not None:
                    self._progress(len(results), len(files))
        return [
            Loaded((rebuilt(canonical, file, data),), ()) if canonical is not None else Loaded((), findings)
            for (canonical, findings), (file, data) in zip(results, files, strict=True)
        ]

    def _kept(self) -> dict[bytes, bytes]:
        """Read the cache; whatever is wrong with it, it is empty then."""
        data = self._file.read()
        try:
            return {} if data is None else msgspec.msgpack.decode(data, type=dict[bytes, bytes])
        except msgspec.DecodeError:
            return {}

    def _keep(self, entries: dict[bytes, bytes]) -> None:
        """Replace the cache; where that cannot be, nothing is lost but time."""
        size = sum(map(len, entries.values()))
        for name in list(entries):  # The oldest first.
            if size <= _MOST_KEPT:
                break
            size -= len(entries.pop(name))
        self._file.write(msgspec.msgpack.encode(entries))
        remove_others(self._file.path, "documents-*")


def _read_part(files: list[Named]) -> list[tuple[bytes | None, tuple[Finding, ...]]]:
    """Load some files in a process of their own; documents travel as their canonical bytes."""
    return [
        (loaded.documents[0].canonical if loaded.documents else None, loaded.findings) for loaded in read_afresh(files)
    ]


def _document(canonical: bytes, file: str, data: bytes) -> Loaded | None:
    """Make a document of what the cache says of a file; None if that is no document, whoever wrote it there."""
    try:
        return Loaded((rebuilt(canonical, file, data),), ())
    except (msgspec.DecodeError, UnicodeError, KeyError, TypeError, ValueError, RecursionError):
        return None


def rebuilt(canonical: bytes, file: str, data: bytes) -> Document:
    """Make a document of its canonical bytes, as it was loaded from a file.

    Args:
        canonical: The document.
        file: What findings call the file.
        data: The file, for places in it.

    Raises:
        ValueError: That is no document (or ``KeyError``, ``TypeError``, ``msgspec.DecodeError``, ``RecursionError``).
    """
    # Here and not above: an application that only evaluates has no YAML parser installed.
    from flagseal.model.yaml_reader import Positions  # noqa: PLC0415

    body = msgspec.json.decode(canonical)
    metadata = body["metadata"]
    text = data.decode("utf-8", "replace")
    document = Document(
        body["kind"], metadata.get("namespace"), metadata["name"], body["spec"], Source(file, Positions(text))
    )
    vars(document)["canonical"] = canonical
    if document.kind not in (*GOVERNED_KINDS, "PolicyTest") or document.spec is None:
        raise ValueError(document.kind)
    return document


def _reader_version() -> str:
    """Name the code that reads, so that a cache of another one is not used."""
    return sha256_digest(canonical_json(sorted(_model_files()))).removeprefix("sha256:")[:16]


def _model_files() -> Iterator[list[str | int]]:
    for folder in model.__path__:
        for path in Path(folder).rglob("*.py"):
            status = path.stat()
            yield [path.name, status.st_size, status.st_mtime_ns // 1000]
