"""A provider that is ready with flags a test writes down: everything between the SDK and the evaluator is real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flagseal.provider import FlagsealProvider
from flagseal.provider.view import View
from tests.relay.harness import MemoryNamespace, MemoryView

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openfeature.evaluation_context import EvaluationContext

    from flagseal.snapshot.verified import Verified


class MemoryProvider(FlagsealProvider):
    """Serve flagd flags by namespace, as if they had been verified."""

    def __init__(self, namespaces: Mapping[str, Mapping[str, Any]], *, stale: bool = False) -> None:
        super().__init__("nowhere", root=b"{}")
        self._given = namespaces
        self._given_stale = stale

    def initialize(self, evaluation_context: EvaluationContext) -> None:
        """Serve them."""
        del evaluation_context
        found = {name: MemoryNamespace.of(flags, name) for name, flags in self._given.items()}
        self._serve(View.of(cast("Verified", MemoryView(found)), None, stale=self._given_stale))
