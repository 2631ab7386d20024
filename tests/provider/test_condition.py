"""Which events tell of a change: the SDK's status is that of the last one."""

from __future__ import annotations

from itertools import product

import pytest
from openfeature.event import ProviderEvent

from flagseal.provider.condition import Condition, Trouble, events_between

READY, STALE, ERROR = ProviderEvent.PROVIDER_READY, ProviderEvent.PROVIDER_STALE, ProviderEvent.PROVIDER_ERROR
NOTHING, FINE, OLD, BAD = (
    Condition(ready=False),
    Condition(ready=True),
    Condition(True, True),
    Condition(True, False, "rollback"),
)
BAD_AND_OLD = Condition(ready=True, stale=True, refusal="rollback")


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        (NOTHING, FINE, (READY,)),
        (NOTHING, OLD, (READY, STALE)),
        (NOTHING, Condition(ready=False, refusal="unreachable"), (ERROR,)),
        (FINE, OLD, (STALE,)),
        (FINE, BAD, (ERROR,)),
        (FINE, BAD_AND_OLD, (ERROR, STALE)),
        (OLD, FINE, (READY,)),
        (BAD, FINE, (READY,)),
        (BAD, Condition(ready=True, refusal="malformed"), (ERROR,)),
        (BAD, BAD_AND_OLD, (STALE,)),
        (OLD, BAD_AND_OLD, (ERROR,)),
        (BAD_AND_OLD, OLD, (STALE,)),
        (BAD_AND_OLD, BAD, (ERROR,)),
        (BAD_AND_OLD, FINE, (READY,)),
    ],
)
def test_a_change_is_told_by(before: Condition, after: Condition, events: tuple[ProviderEvent, ...]) -> None:
    """What began is told; where something ended, what is left is told again."""
    assert events_between(before, after) == events


def test_the_last_event_is_the_status_whatever_came_before() -> None:
    """READY exactly if all is well; and nothing is told twice."""
    states = [Condition(True, stale, refusal) for stale, refusal in product([False, True], [None, "rollback", "other"])]
    for before, after in product([NOTHING, *states], states):
        events = events_between(before, after)
        assert bool(events) == (before != after)
        if events:
            assert (events[-1] is READY) == (after == FINE)


def test_an_outage_is_staleness_in_time_and_not_an_error() -> None:
    """Until there is something to serve: then it is what there is to tell."""
    away, forged = Trouble("unreachable", ""), Trouble("wrong-signature", "")
    assert Condition.of(ready=True, stale=False, trouble=away) == FINE
    assert Condition.of(ready=True, stale=True, trouble=away) == OLD
    assert Condition.of(ready=False, stale=False, trouble=away).refusal == "unreachable"
    assert Condition.of(ready=True, stale=False, trouble=forged).refusal == "wrong-signature"
