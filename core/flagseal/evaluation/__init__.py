"""From definitions to answers: resolve, compile to flagd documents, evaluate them.

An application needs :class:`FlagSet` and nothing else of it; importing this reads no YAML and no schema.
"""

from __future__ import annotations

from flagseal.evaluation.flag_set import FlagSet, InvalidFlagSet
from flagseal.evaluation.outcome import Evaluation

__all__ = ["Evaluation", "FlagSet", "InvalidFlagSet"]
