"""What is answered without a token where anybody may ask: the namespaces that approved policy opens (docs/adr/0111).

``access.json`` is part of every verified snapshot: it was compiled from the approved AccessPolicy. Whatever it does not
open in so many words is not there for such a relay, neither for evaluations nor in its metrics.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flagseal_relay.source import FlagSource, Namespace, Outcome, View

_LOG: Final = logging.getLogger("flagseal.relay")


@dataclass(frozen=True, eq=False)
class OpenView:
    """The part of a verified snapshot that is open to anybody."""

    whole: View
    namespaces: Mapping[str, Namespace]

    @staticmethod
    def of(whole: View) -> OpenView:
        """Cut a snapshot down."""
        found = {name: it for name, it in whole.namespaces.items() if is_open(name, whole.environment, it.access)}
        return OpenView(whole, MappingProxyType(found))

    @property
    def version(self) -> int:
        """As of the whole."""
        return self.whole.version

    @property
    def sequence(self) -> int:
        """As of the whole."""
        return self.whole.sequence

    @property
    def environment(self) -> str:
        """As of the whole."""
        return self.whole.environment

    @property
    def stale(self) -> bool:
        """As of the whole."""
        return self.whole.stale

    @property
    def expires(self) -> datetime:
        """As of the whole."""
        return self.whole.expires

    @property
    def past_limit(self) -> frozenset[str]:
        """As of the whole."""
        return self.whole.past_limit

    @property
    def as_of(self) -> datetime:
        """As of the whole."""
        return self.whole.as_of


class AnonymousSource:
    """Hold back what nobody may be told without a token.

    Args:
        source: Verifies snapshots.
    """

    def __init__(self, source: FlagSource) -> None:
        self._source = source
        self._last: OpenView | None = None

    @property
    def current(self) -> View | None:
        """The open part of the last verified snapshot; None before the first."""
        whole, last = self._source.current, self._last
        if whole is None:
            return None
        if last is None or last.whole is not whole:
            before, last = last, OpenView.of(whole)
            self._last = last
            if before is None or before.namespaces.keys() != last.namespaces.keys():
                _said(last, whole)
        return last

    def refresh(self) -> Outcome:
        """Look for a newer snapshot."""
        return self._source.refresh()


def _said(view: OpenView, whole: View) -> None:
    facts = {"event": "anonymous-namespaces", "namespaces": sorted(view.namespaces)}
    if view.namespaces:
        _LOG.info("answering without a token for %s", ", ".join(sorted(view.namespaces)), extra=facts)
        return
    _LOG.warning(
        "the approved AccessPolicy opens none of %d namespaces in %s to requests without a token: nothing is answered",
        len(whole.namespaces),
        whole.environment,
        extra=facts,
    )


def is_open(namespace: str, environment: str, access: bytes) -> bool:
    """Tell whether policy lets anybody evaluate a namespace.

    Args:
        namespace: The namespace.
        environment: The environment it is served in.
        access: Its ``access.json``. What cannot be understood opens nothing.
    """
    try:
        body = json.loads(access)
    except (ValueError, RecursionError):
        return False
    match body:
        case {"namespace": str(name), "environment": str(where), "policy": {"anonymous": {"namespaces": list(names)}}}:
            return name == namespace and where == environment and namespace in names
        case _:
            return False
