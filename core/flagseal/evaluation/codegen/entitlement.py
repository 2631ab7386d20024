"""Tables of grants, found in targeting so that a look-up takes the same time for ten organisations and for 100,000.

What `entitled` compiles to is an ``or`` with one arm for each distinct window::

    {"and": [{">=": [now, since]}, {"<": [now, until]}, {"in": [{"var": "org"}, ["…", "…"]]}]}

Read as it stands, it costs a set look-up a window. Together the arms are one table from organisation to windows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from flagseal.evaluation.codegen.writer import operation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Windows: TypeAlias = "tuple[tuple[float, float], ...]"

NOW: Final = {"var": "$flagd.timestamp"}
_FEWEST = 3


def grants_of(arguments: Sequence[object]) -> tuple[str, Mapping[str, Windows]] | None:
    """Read the arguments of an ``or`` as grants.

    Returns:
        The attribute's path, and the windows of each organisation; None if they are anything else, or so few that
        nothing is won.
    """
    if len(arguments) < _FEWEST:
        return None
    windows: dict[str, list[tuple[float, float]]] = {}
    path: str | None = None
    for argument in arguments:
        arm = _arm(argument)
        if arm is None or path not in {None, arm[0]}:
            return None
        path, window, names = arm
        for name in names:
            windows.setdefault(name, []).append(window)
    if path is None:
        return None
    # Nearly all organisations have the windows of thousands of others: one tuple for them all stays at hand.
    shared: dict[Windows, Windows] = {}
    return path, {name: shared.setdefault(spans, spans) for name, spans in ((n, tuple(w)) for n, w in windows.items())}


def _arm(node: object) -> tuple[str, tuple[float, float], Sequence[str]] | None:
    match operation(node):
        case ("and", [{">=": [now, int(since)]}, {"<": [later, int(until)]}, {"in": [{"var": str(path)}, names]}]):
            pass
        case _:
            return None
    if now != NOW or later != NOW or not path or path.startswith("$flagd") or not isinstance(names, list):
        return None
    if not all(isinstance(name, str) for name in names):
        return None
    return path, (since, until), names


def granted(org: object, now: float, table: Mapping[str, Windows]) -> bool:
    """Tell whether one of an organisation's windows contains now."""
    if not isinstance(org, str):
        return False
    return any(since <= now < until for since, until in table.get(org, ()))
