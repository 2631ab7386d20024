"""Whether everybody is served the same from now on: proven, or not said."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from flagseal.evaluation.catalogue import Catalogue, flag_of
from flagseal.evaluation.resolve import resolve_flag
from flagseal_validators.reasoning import constant_variant
from tests.history.company import flag, rule, segment

if TYPE_CHECKING:
    from flagseal.model.document import Document

NOW = int(datetime(2026, 11, 23, 10, tzinfo=UTC).timestamp())
BEGUN: dict[str, Any] = {"from": "2026-11-01T00:00:00Z", "serve": "enabled"}
TO_COME: dict[str, Any] = {"from": "2026-12-01T00:00:00Z", "serve": "enabled"}


def served(production: dict[str, Any], *others: Document, **more: Any) -> str | None:  # noqa: ANN401
    """Ask of a flag's production."""
    document = flag(production=production, **more)
    resolved = resolve_flag(flag_of(document), "production", Catalogue.of((document, *others)))
    return constant_variant(resolved, NOW)


@pytest.mark.parametrize(
    ("production", "constant"),
    [
        ({"default": "enabled"}, "enabled"),
        ({"default": "enabled", "off": True}, "disabled"),
        (rule({"org": "acme"}), None),
        (rule(), "enabled"),
        (rule(split={"enabled": 1, "disabled": 1}), None),
        (rule({"org": "acme"}, serve="disabled"), "disabled"),
        ({"targets": {"enabled": ["u1"]}, "default": "disabled"}, None),
        (rule(until="2026-11-01T00:00:00Z", serve="enabled"), "disabled"),
        (rule(**BEGUN), "enabled"),
        (rule(**TO_COME), None),
        (rule(until="2026-12-01T00:00:00Z", serve="enabled"), None),
        (rule({"not": {"any": [{"org": "a"}, {"not": {"org": "a"}}]}}), "disabled"),
    ],
)  # fmt: skip
def test_what_is_over_no_longer_counts_and_what_is_to_come_does(
    production: dict[str, Any], constant: str | None
) -> None:
    """Rules, splits, targets, schedules: from now on, for every context."""
    assert served(production) == constant


def test_two_names_for_one_value_are_the_same() -> None:
    """Nobody can tell them apart."""
    assert served(rule({"org": "acme"}), variants={"enabled": 1, "disabled": 1}) == "disabled"


def test_a_segment_is_read_out() -> None:
    """Who is in it is served something else."""
    assert served(rule({"segment": "pilots"}), segment("pilots", "acme")) is None


def test_a_prerequisite_decides_as_well() -> None:
    """One that serves everybody what is needed is no obstacle; one that does not makes it safe for all."""
    production = {"requires": [{"flag": "other", "variant": "enabled"}], "default": "enabled"}
    assert served(production, flag("other", production={"default": "enabled"})) == "enabled"
    assert served(production, flag("other")) == "disabled"


def test_raw_targeting_is_never_called_constant() -> None:
    """What cannot be analysed may be anything."""
    assert served({"targeting": {"if": [True, "enabled"]}, "default": "enabled"}) is None
