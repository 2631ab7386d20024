"""Ids of the rules that the model itself enforces, wherever a document comes from.

What each means, with examples, is the page of ``flagseal rule``; a test holds the two together.
"""

from __future__ import annotations

from typing import Final

SYNTAX: Final = "FS100"
ENCODING: Final = "FS101"
CHARACTERS: Final = "FS102"
SIZE: Final = "FS103"
NESTING: Final = "FS104"
ONE_DOCUMENT: Final = "FS105"
DUPLICATE_KEY: Final = "FS106"
ALIAS: Final = "FS107"
TAG: Final = "FS108"
AMBIGUOUS: Final = "FS109"
NUMBER_RANGE: Final = "FS110"
KEY_TYPE: Final = "FS111"
KIND: Final = "FS112"
UNKNOWN_FIELD: Final = "FS120"
MISSING_FIELD: Final = "FS121"
WRONG_TYPE: Final = "FS122"
NOT_A_CHOICE: Final = "FS123"
WRONG_FORM: Final = "FS124"
EXACTLY_ONE: Final = "FS125"
NOT_EVALUATED: Final = "FS126"

UNKNOWN_VARIANT: Final = "FS301"
MIXED_TYPES: Final = "FS302"
WEIGHTS: Final = "FS303"
NO_SAFE_VARIANT: Final = "FS304"
WINDOW: Final = "FS306"
RAMP: Final = "FS307"
RULE_NAME_TWICE: Final = "FS308"
TARGET_TWICE: Final = "FS309"
WITHOUT_EFFECT: Final = "FS316"
NESTED_SEGMENT: Final = "FS317"

POLICY_KINDS_ONCE: Final = "FS601"
SHARED_KEY: Final = "FS602"
SHARED_ACCOUNT: Final = "FS603"
OWNER_DECLARED: Final = "FS604"
UNRESOLVED: Final = "FS605"
TIME_ZONE: Final = "FS606"
UNREADABLE_KEY: Final = "FS607"
CALENDAR: Final = "FS608"

REVIEWED_WHAT: Final = "FS701"
