"""From definitions to answers: resolve, compile to flagd documents, evaluate them.

An application needs :class:`FlagSet` and nothing else of it; importing this reads no YAML and no schema. The gate
reasons about rules and evaluates nothing: what evaluates is imported when it is first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from flagseal.evaluation.flag_set import FlagSet
    from flagseal.evaluation.outcome import Evaluation
    from flagseal.evaluation.wire import InvalidFlagSet

__all__ = ["Evaluation", "FlagSet", "InvalidFlagSet"]

_HOMES: Final = {"Evaluation": "outcome", "FlagSet": "flag_set", "InvalidFlagSet": "wire"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 (classes of this package, each known to whoever checks types)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
