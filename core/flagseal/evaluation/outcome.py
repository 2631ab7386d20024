"""What an evaluation says, in OpenFeature's words."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Reason: TypeAlias = Literal["STATIC", "TARGETING_MATCH", "DEFAULT", "DISABLED", "STALE", "ERROR"]
ErrorCode: TypeAlias = Literal["FLAG_NOT_FOUND", "PARSE_ERROR", "INVALID_CONTEXT", "GENERAL"]
MetadataValue: TypeAlias = "str | int | float | bool"
Metadata: TypeAlias = "Mapping[str, MetadataValue]"

NO_METADATA: Final[Metadata] = MappingProxyType({})


class Evaluation(NamedTuple):
    """Answer one question about one flag.

    A tuple and not a dataclass, because it is made on the hot path: constants are shared, and the rest costs a
    third of a frozen dataclass.

    Attributes:
        value: The variant's value, the caller's own to change; None where no variant is served.
        variant: Its name; None when the application's own default applies (disabled, no default, error).
        reason: OpenFeature's reason.
        error_code: OpenFeature's error code; None when there is no error.
        error_message: What went wrong, for a log; None when there is no error.
        metadata: Of the flag set, overlaid with the flag's own. Read-only, shared.
    """

    value: object
    variant: str | None
    reason: Reason
    error_code: ErrorCode | None = None
    error_message: str | None = None
    metadata: Metadata = NO_METADATA


def error(code: ErrorCode, message: str, metadata: Metadata) -> Evaluation:
    """Answer with an error: no value and no variant."""
    return Evaluation(None, None, "ERROR", code, message, metadata)
