"""An operator whose clock is set while it runs publishes nothing by it, says so, and goes on once it is right again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.cluster.hosting import PATIENT, Hosted
from tests.cluster.process import lease_of
from tests.cluster.test_faults import served
from tests.cluster.test_operator import NEW, founded

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.cluster import Cluster


def ready(cluster: Cluster) -> tuple[str, str]:
    """Give what a flag that nobody touches says of being ready."""
    found = cluster.conditions("FlagDefinition", "ranker", "search").get("Ready", {})
    return found.get("status", ""), found.get("reason", "")


@pytest.mark.parametrize("hours", [2, -2], ids=["forward", "back"])
def test_a_clock_that_is_set_decides_nothing(cluster: Cluster, tmp_path: Path, hours: int) -> None:
    """What it accepted in the future no client would believe before that has come, nor anything after it."""
    world = founded(cluster, tmp_path)
    with Hosted(cluster, world, world.directory, lease_of(world), terms=PATIENT) as operator:
        cluster.until(lambda: operator.stands_at(0))
        timestamp = world.directory.get("metadata/timestamp.json")
        operator.set_clock(timedelta(hours=hours).total_seconds())
        for body in world.approve(NEW):
            cluster.create(body)
        cluster.until(lambda: operator.gauge("failing") == 1)
        assert "ClockDisagrees" in operator.why()
        assert world.directory.get("metadata/timestamp.json") == timestamp
        assert served(world, "globex") == (0, False)
        cluster.until(lambda: ready(cluster) == ("False", "ClockDisagrees"))
        operator.set_clock(0)
        cluster.until(lambda: operator.stands_at(1))
        cluster.until(lambda: ready(cluster) == ("True", "InForce"))
    assert served(world, "globex") == (1, True)
