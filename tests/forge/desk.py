"""The desk on the double, as a fresh process opens it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from github import Auth

from flagseal_validators.forge.github import Access, GitHubDesk, open_github
from tests.forge.server import TOKEN

if TYPE_CHECKING:
    from tests.forge.world import World


def desk(world: World) -> GitHubDesk:
    """Open the double; its time goes on while somebody sleeps."""
    clock = world.github

    def sleep(seconds: float) -> None:
        world.slept.append(seconds)
        clock.wait(seconds=seconds)

    access = Access(world.server.url, Auth.Token(TOKEN))
    asker = open_github(access, clock=lambda: clock.now.timestamp(), sleep=sleep)  # noqa: PLW0108 (it goes on)
    return GitHubDesk(asker, world.repo.full_name)
