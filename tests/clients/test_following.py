"""Clients follow what is approved and published, by whatever way each has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal_relay.sync.server import SyncServer
from tests.clients.company import Question, switch
from tests.clients.conftest import Served, connected
from tests.ports import free_ports
from tests.relay.test_refreshing import eventually

if TYPE_CHECKING:
    from tests.clients.asking import Client

FOLLOWING = ("python-flagd", "node-flagd", "node-ofrep-web")
"""Clients that hear of changes: by flagd's sync protocol, and by the relay's event stream."""

GLOBEX = Question("equal", fallback=False, context={"targetingKey": "user-1", "org": "globex"})
RANKER = Question("ranker", fallback=False, context={"targetingKey": "user-1", "org": "globex"})


def given_to_globex(served: Served) -> None:
    """Approve and publish that globex gets a flag too."""
    served.world.change(switch("equal", {"org": {"in": ["acme", "globex"]}}))
    served.relay.notify()


def value(client: Client, question: Question = GLOBEX) -> object:
    """Ask."""
    return client.ask([question])[0].value


@pytest.mark.parametrize("kind", FOLLOWING)
def test_an_approved_change_is_heard_of(own: Served, kind: str, request: pytest.FixtureRequest) -> None:
    """As OpenFeature's event of a changed configuration, after which the answer is the new one."""
    with connected(kind, own.at, request) as client:
        assert value(client) is False
        given_to_globex(own)
        client.wait_for_change()
        assert value(client) is True


@pytest.mark.parametrize("kind", ["python-ofrep", "node-ofrep"])
def test_who_asks_each_time_needs_to_hear_nothing(own: Served, kind: str, request: pytest.FixtureRequest) -> None:
    """The next answer is the new one."""
    with connected(kind, own.at, request) as client:
        assert value(client) is False
        given_to_globex(own)
        eventually(lambda: value(client) is True)


@pytest.mark.parametrize("kind", ["python-flagd", "node-flagd"])
def test_what_is_accepted_but_not_published_reaches_nobody(
    own: Served, kind: str, request: pytest.FixtureRequest
) -> None:
    """Nor does what another namespace changed reach who selected one; the next published change does."""
    with connected(kind, own.at, request, "flagSetId=payments") as client:
        own.world.accept(switch("equal", {"org": {"in": ["acme", "globex"]}}))
        own.relay.notify()
        assert value(client) is False
        assert value(client, RANKER) is False
        own.world.publish()
        own.relay.notify()
        client.wait_for_change()
        assert value(client) is True


@pytest.mark.parametrize("kind", ["python-flagd", "node-flagd"])
def test_who_syncs_comes_back_after_the_relay_was_away(own: Served, kind: str, request: pytest.FixtureRequest) -> None:
    """It goes on with what it has meanwhile, and then learns what it missed."""
    first = SyncServer(port=free_ports(1)[0])
    first.start(own.relay)
    at = type(own.at)(own.at.url, first.address)
    with connected(kind, at, request) as client:
        assert value(client) is False
        first.stop()
        assert value(client) is False
        given_to_globex(own)
        eventually(lambda: own.expected(GLOBEX).value is True)
        assert value(client) is False
        with SyncServer(port=at.port) as second:
            second.start(own.relay)
            eventually(lambda: value(client) is True)
