"""The products from which flags come in the neutral form: whose evaluator shows that the answers are the same."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast

from flagseal.evaluation.catalogue import Catalogue
from flagseal_validators.exchange.checking import CONTEXTS, check

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.model.document import Document
    from flagseal_validators.exchange.adopting import Adopted
    from flagseal_validators.exchange.checking import Evaluator
    from flagseal_validators.exchange.neutral import NeutralSource

_EVALUATORS: Final = {
    "LaunchDarkly": ("launchdarkly", "launchdarkly-server-sdk"),
    "Unleash": ("unleash", "yggdrasil-engine"),
    "Flipt": ("flipt", "flipt-client"),
    "GO Feature Flag": ("gofeatureflag", "gofeatureflag-python-provider"),
}
"""By product: the package here that has its evaluator, and the package of PyPI that it needs."""


def evaluator_for(source: NeutralSource) -> Evaluator | str:
    """Give the origin's own evaluator of what was read; the name of the package that is missing, if it is."""
    module, package = _EVALUATORS[source.product]
    try:
        found: Any = import_module(f"flagseal_validators.exchange.{module}").evaluator(source.origin)
    except ImportError:
        return package
    return cast("Evaluator", found)


def check_adopted(
    source: NeutralSource,
    adopted: Adopted,
    evaluator: Evaluator,
    *,
    existing: Iterable[Document],
    now: int,
    number: int = CONTEXTS,
) -> Adopted:
    """Evaluate every imported flag on both sides.

    Args:
        source: What was read.
        adopted: What became of it.
        evaluator: Of the origin.
        existing: Documents of the repository.
        now: Unix seconds.
        number: How many contexts are drawn for each flag.

    Returns:
        The same, with what was compared; a flag of which some contexts are answered otherwise is no longer ``exactly``.
    """
    made = [one.document for one in adopted.flags if one.document is not None]
    catalogue = Catalogue.of([*existing, *made, *(document for document, _ in adopted.segments)])
    flags = []
    for read, flag in zip(source.flags, adopted.flags, strict=True):
        if flag.document is None:
            flags.append(flag)
            continue
        reference = f"{flag.document.namespace}/{flag.document.name}"
        found = check(source, read, evaluator, catalogue, reference, adopted.environments, now=now, number=number)
        outcome = "changed" if found.differ and flag.outcome != "left out" else flag.outcome
        flags.append(replace(flag, comparison=found, outcome=outcome))
    return replace(adopted, flags=tuple(flags))
