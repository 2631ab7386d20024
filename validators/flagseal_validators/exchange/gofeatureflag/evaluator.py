"""GO Feature Flag's own evaluator (PyPI: gofeatureflag-python-provider), where it is installed: for comparison only."""

from __future__ import annotations

import atexit
from datetime import UTC, datetime
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from flagseal_validators.exchange.checking import ABSENT, UNASKED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flagseal.model.canonical import Json
    from flagseal_validators.exchange.checking import Absent, Unasked


def evaluator(origin: Json) -> _Evaluator:
    """Give GO Feature Flag's evaluator of what was read.

    Raises:
        ImportError: It is not installed.
    """
    return _Evaluator(cast("dict[str, Any]", origin))


@cache
def _engine() -> Any:  # noqa: ANN401 (of a package without types)
    engine = import_module("gofeatureflag_python_provider.wasm").EvaluateWasm(pool_size=1)
    engine.initialize()
    # Before the interpreter takes its modules apart, which the engine needs to let go of what it holds.
    atexit.register(_dispose, engine)
    return engine


def _dispose(engine: Any) -> None:  # noqa: ANN401 (the same)
    _engine.cache_clear()
    engine.dispose()


class _Evaluator:
    def __init__(self, origin: Mapping[str, Any]) -> None:
        self._wasm: Any = import_module("gofeatureflag_python_provider.wasm")
        self._flags = origin

    def answer(self, key: str, _environment: str, context: Mapping[str, Json], now: int) -> Json | Absent | Unasked:
        """Evaluate a flag as the provider does in the application's process."""
        instant = datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z")
        asked = {**context, "gofeatureflag": {"currentDateTime": instant}}
        call = self._wasm.WasmInput(
            flagKey=key, flag=self._flags[key], evalContext=asked, flagContext=self._wasm.WasmFlagContext()
        )
        try:
            found = _engine().evaluate(call)
        except self._wasm.WasmEvaluationTrapError:
            return UNASKED
        if found.variationType in (None, "", "SdkDefault"):
            return ABSENT
        return cast("Json", found.value)
