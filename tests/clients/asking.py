"""OpenFeature clients of other people's making, all asked in one way."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import ProviderEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from openfeature.provider import AbstractProvider

    from tests.clients.company import Question

PATIENCE = 90.0
"""Seconds to wait for what a client is to notice by itself."""


@dataclass(frozen=True)
class Answer:
    """What an application gets."""

    value: Any
    variant: str | None
    reason: str
    error: str | None
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Addresses:
    """Where a relay answers: OFREP by URL, flagd's sync protocol by host and port."""

    url: str
    sync: str

    @property
    def host(self) -> str:
        """The sync protocol's host."""
        return self.sync.rpartition(":")[0]

    @property
    def port(self) -> int:
        """The sync protocol's port."""
        return int(self.sync.rpartition(":")[2])


class Client(Protocol):
    """An application."""

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Evaluate flags."""
        ...

    def wait_for_change(self) -> None:
        """Wait until the provider says that its configuration changed, since the last time it was waited for."""
        ...


class PythonClient:
    """A provider in OpenFeature's Python SDK."""

    def __init__(self, provider: AbstractProvider) -> None:
        domain = f"client-{next(_NUMBERS)}"
        self._changed = threading.Semaphore(0)
        self._client = api.get_client(domain)
        api.set_provider_and_wait(provider, domain)
        self._client.add_handler(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED, lambda _: self._changed.release())

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Evaluate flags."""
        return [self._answer(question) for question in questions]

    def _answer(self, question: Question) -> Answer:
        attributes = {name: value for name, value in question.context.items() if name != "targetingKey"}
        context = EvaluationContext(question.context.get("targetingKey"), attributes)
        details = getattr(self._client, f"get_{question.type}_details")(question.key, question.fallback, context)
        error = None if details.error_code is None else str(details.error_code.value)
        return Answer(details.value, details.variant, str(details.reason), error, details.flag_metadata)

    def wait_for_change(self) -> None:
        """Wait for the provider's event."""
        assert self._changed.acquire(timeout=PATIENCE)


_NUMBERS = itertools.count()


class NodeClient:
    """A provider in one of OpenFeature's JavaScript SDKs, in a process of its own."""

    def __init__(self, packages: Path, kind: str, **options: object) -> None:
        self._node = subprocess.Popen(
            ["node", str(Path(__file__).parent / "node" / "client.mjs"), str(packages)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        try:
            self._say({"open": kind, **options})
        except BaseException:
            self.close()
            raise

    def _say(self, command: object) -> Any:  # noqa: ANN401 (JSON)
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.write(json.dumps(command) + "\n")
        self._node.stdin.flush()
        late = threading.Timer(2 * PATIENCE, self._node.kill)
        late.start()
        line = self._node.stdout.readline()
        late.cancel()
        assert line, "the client ended, or did not answer in time"
        said = json.loads(line)
        assert "failure" not in said, said["failure"]
        return said

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Evaluate flags."""
        asked = [
            {
                "key": one.key,
                "type": _JAVASCRIPT.get(one.type, one.type),
                "fallback": one.fallback,
                "context": one.context,
            }
            for one in questions
        ]
        said = self._say({"ask": asked})
        return [Answer(one["value"], one["variant"], one["reason"], one["errorCode"], one["metadata"]) for one in said]

    def wait_for_change(self) -> None:
        """Wait for the provider's event."""
        self._say({"wait": "changed"})

    def close(self) -> None:
        """End the process."""
        assert self._node.stdin is not None
        assert self._node.stdout is not None
        self._node.stdin.close()
        try:
            self._node.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._node.kill()
            self._node.wait()
        self._node.stdout.close()


_JAVASCRIPT = {"integer": "number", "float": "number"}


@contextmanager
def python(make: Callable[[], AbstractProvider]) -> Iterator[PythonClient]:
    """Run a provider in this process."""
    provider = make()
    try:
        yield PythonClient(provider)
    finally:
        provider.shutdown()


@contextmanager
def node(packages: Path, kind: str, **options: object) -> Iterator[NodeClient]:
    """Run a provider under Node."""
    client = NodeClient(packages, kind, **options)
    try:
        yield client
    finally:
        client.close()


def python_flagd(at: Addresses, selector: str | None = None) -> FlagdProvider:
    """openfeature-provider-flagd, which evaluates in process what it syncs."""
    return FlagdProvider(
        host=at.host,
        port=at.port,
        selector=selector,
        resolver_type=ResolverType.IN_PROCESS,
        deadline_ms=90_000,
        retry_backoff_ms=100,
        retry_backoff_max_ms=200,
    )


def python_flagd_file(path: Path) -> FlagdProvider:
    """openfeature-provider-flagd, which evaluates a file that it looks at ten times a second."""
    return FlagdProvider(resolver_type=ResolverType.FILE, offline_flag_source_path=str(path), deadline_ms=100)


def python_ofrep(at: Addresses) -> OFREPProvider:
    """openfeature-provider-ofrep, which asks for each evaluation."""
    return OFREPProvider(at.url, timeout=PATIENCE)
