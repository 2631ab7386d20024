"""GitHub's description of its API, where npm can install it."""

from __future__ import annotations

import pytest

from tests.forge.world import described


@pytest.fixture(scope="session")
def description() -> object:
    """Give GitHub's description; skip where it cannot be had."""
    found = described()
    if isinstance(found, str):
        pytest.skip(found)
    return found
