"""The provider in an application's hands: the real SDK, a real relay, real signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from openfeature.event import ProviderEvent
from openfeature.provider import ProviderStatus

from tests.provider.harness import GLOBEX, application, eventually, our_threads, provider, relaying
from tests.snapshot.world import World, flag

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Make the small company and publish its first snapshot."""
    world = World(tmp_path)
    world.publish()
    return world


def test_a_published_change_changes_the_answer_without_a_poll(world: World) -> None:
    """The relay says that there is news, the provider fetches and verifies it, and says which flags changed."""
    with relaying(world) as (relay, url), application(provider(world, url)) as app:
        assert app.client.get_provider_status() is ProviderStatus.READY
        assert (app.on("new-checkout"), app.on("new-checkout", GLOBEX)) == (True, False)
        eventually(lambda: app.provider.following)
        published = world.change(flag("new-checkout", on_for=["acme", "globex"]))
        relay.notify()
        details = app.wait_for(ProviderEvent.PROVIDER_CONFIGURATION_CHANGED)
        assert details.flags_changed == ["new-checkout"]
        assert details.metadata["version"] == published.version
        assert app.on("new-checkout", GLOBEX)
    assert our_threads() == set()
