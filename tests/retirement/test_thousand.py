"""A thousand flags that end on one day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from flagseal.model.errors import ForgeError
from tests.forge.limits import Limits
from tests.retirement.bench import Killed, bench, ending, mortal

if TYPE_CHECKING:
    from pathlib import Path


def test_a_thousand_flags_due_on_one_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below GitHub's limits while it lives; ended by force, the next run meets them once, and the one after goes on.

    A branch and a request each come of it, and no run repeats what another did.
    """
    names = [f"flag-{number:04}" for number in range(1000)]
    life = mortal(monkeypatch)
    with bench(tmp_path, *(ending(name) for name in names)) as found:
        found.world.server.limits = Limits()
        life.left = 1234
        with pytest.raises(Killed):
            found.run(limit=1000)
        assert found.world.server.limits.refusals == 0
        life.left = -1
        with pytest.raises(ForgeError, match="asks to wait") as met:
            found.run(limit=1000)
        assert met.value.code == "RateLimited"
        refused = found.world.server.limits.refusals
        found.world.github.wait(hours=1)
        done = found.done(limit=1000)
        assert len(done) == 1000
        assert {"unchanged", "opened"} <= set(done.values()) <= {"unchanged", "updated", "opened"}
        assert sorted(pull.head for pull in found.pulls) == [f"flagseal/retire/payments/{name}" for name in names]
        assert sorted(found.branches) == [f"retire/payments/{name}" for name in names]
        assert all(pull.labels == ["flagseal-retire"] for pull in found.pulls)
        assert found.world.server.limits.refusals == refused
        assert set(found.done(limit=1000).values()) == {"unchanged"}
