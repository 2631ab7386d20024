"""An application with the real OpenFeature SDK, beside a real relay over HTTP."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.event import EventDetails, ProviderEvent

from flagseal.provider import FlagsealProvider
from flagseal_relay.relay import Relay
from flagseal_relay.serve import serve

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openfeature.client import OpenFeatureClient

    from tests.snapshot.world import World

DOMAIN = "application"
ACME = EvaluationContext("u1", {"org": "acme"})
GLOBEX = EvaluationContext("u1", {"org": "globex"})
OUR_THREADS = "flagseal-"


def eventually(holds: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@dataclass
class Application:
    """An application that asks flags through the SDK, and writes down every event."""

    provider: FlagsealProvider
    client: OpenFeatureClient
    events: list[tuple[ProviderEvent, EventDetails]] = field(default_factory=list)

    def on(self, key: str, context: EvaluationContext = ACME) -> bool:
        """Ask for a boolean flag."""
        return self.client.get_boolean_value(key, False, context)

    def seen(self, event: ProviderEvent) -> list[EventDetails]:
        """Give the details of an event, each time it came."""
        return [details for told, details in list(self.events) if told is event]

    def wait_for(self, event: ProviderEvent, times: int = 1) -> EventDetails:
        """Wait until an event came so many times, and give the last one's details."""
        eventually(lambda: len(self.seen(event)) >= times)
        return self.seen(event)[times - 1]


@contextmanager
def application(provider: FlagsealProvider, *, wait: bool = True) -> Iterator[Application]:
    """Run an application until the block ends."""
    running = Application(provider, api.get_client(DOMAIN))
    for event in ProviderEvent:
        running.client.add_handler(event, lambda details, event=event: running.events.append((event, details)))  # type: ignore[misc]  # a lambda keeps its event
    try:
        if wait:
            api.set_provider_and_wait(provider, DOMAIN)
        else:
            api.set_provider(provider, DOMAIN)
        yield running
    finally:
        api.shutdown()


def our_threads() -> set[threading.Thread]:
    """Give the provider's threads that run."""
    names = ("flagseal-refresh", "flagseal-watch", "flagseal-follow")
    return {thread for thread in threading.enumerate() if thread.name in names}


@contextmanager
def relaying(world: World, name: str = "relay", **options: Any) -> Iterator[tuple[Relay, str]]:  # noqa: ANN401
    """Serve a world's snapshots over HTTP; give the relay and the address of its files."""
    with world.client(name) as client:
        relay = Relay(client, files=world.directory, poll=3600, clock=lambda: world.clock().timestamp(), **options)
        with serve(relay, port=0) as server:
            assert relay.wait_until_ready(60)
            yield relay, f"{server.url}/tuf/"


def provider(world: World, source: str, **options: Any) -> FlagsealProvider:  # noqa: ANN401
    """Make a provider that looks for news only when it is told to, unless options say otherwise."""
    return FlagsealProvider(source, **{"root": world.root, "clock": world.clock, "poll": 3600, "wait": 120, **options})
