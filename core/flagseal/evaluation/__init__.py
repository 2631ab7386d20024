"""From definitions to answers: resolve, compile to flagd documents, evaluate them.

An application needs :class:`FlagSet` and nothing else of it; importing this reads no YAML and no schema.
"""

from __future__ import annotations

from flagseal.evaluation.flag_set import FlagSet
from flagseal.evaluation.outcome import Evaluation
from flagseal.evaluation.wire import InvalidFlagSet

__all__ = ["Evaluation", "FlagSet", "InvalidFlagSet"]
