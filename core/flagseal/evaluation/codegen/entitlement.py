"""Grants, found in targeting so that a look-up takes the same time for ten organisations and for 100,000.

What `entitled` compiles to is an ``or`` with one arm for each distinct window::

    {"and": [{">=": [now, since]}, {"<": [now, until]}, {"in": [{"var": "org"}, ["…", "…"]]}]}

Read as it stands, it costs a set look-up a window. Together the arms are one set of organisations, which stays the same
from one boundary of a window to the next.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Final, TypeAlias

from flagseal.evaluation.codegen.writer import operation

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW: Final = {"var": "$flagd.timestamp"}
_FEWEST = 3

Arm: TypeAlias = "tuple[int, int, Sequence[str]]"
"""Since and until, in unix seconds, and who is granted between them."""

Phase: TypeAlias = "tuple[float, float, frozenset[str]]"
"""A time in which no window begins or ends: its first second, the one after its last, and who is granted in it. A plain
tuple, which the interpreter takes apart at once."""


class Grants:
    """Who is granted something, by the moment.

    Which moment it is, is asked first, and what is known of it is kept. All that then depends on the organisation is
    one look-up, at the very end (ADR 0128). Any number of threads may ask at once.

    Args:
        arms: Windows, which may overlap, and whose they are.
    """

    __slots__ = ("_arms", "_boundaries", "_phase")

    def __init__(self, arms: Sequence[Arm]) -> None:
        self._arms = arms
        within = {boundary for since, until, _ in arms for boundary in (since, until)}
        self._boundaries: Sequence[float] = (float("-inf"), *sorted(within), float("inf"))
        self._phase: Phase = (0, 0, frozenset())

    def at(self, now: int) -> frozenset[str]:
        """Give everybody who is granted at a moment, in unix seconds."""
        since, until, granted = self._phase
        if since <= now < until:
            return granted
        # One assignment: another thread sees the phase before or this one, and knows by its ends which.
        self._phase = phase = self._phase_of(now)
        return phase[2]

    def _phase_of(self, now: int) -> Phase:
        after = bisect_right(self._boundaries, now)
        names = (names for since, until, names in self._arms if since <= now < until)
        return self._boundaries[after - 1], self._boundaries[after], frozenset[str]().union(*names)


def grants_of(arguments: Sequence[object]) -> tuple[str, Grants] | None:
    """Read the arguments of an ``or`` as grants.

    Returns:
        The attribute's path, and the grants; None if they are anything else, or so few that nothing is won.
    """
    if len(arguments) < _FEWEST:
        return None
    paths: set[str] = set()
    arms: list[Arm] = []
    for argument in arguments:
        read = _arm(argument)
        if read is None:
            return None
        paths.add(read[0])
        arms.append(read[1])
    return (paths.pop(), Grants(arms)) if len(paths) == 1 else None


def _arm(node: object) -> tuple[str, Arm] | None:
    match operation(node):
        case ("and", [{">=": [now, int(since)]}, {"<": [later, int(until)]}, {"in": [{"var": str(path)}, names]}]):
            pass
        case _:
            return None
    if now != NOW or later != NOW or not path or path.startswith("$flagd") or not isinstance(names, list):
        return None
    if not all(isinstance(name, str) for name in names):
        return None
    return path, (since, until, names)
