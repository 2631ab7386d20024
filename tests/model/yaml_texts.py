"""Texts that are YAML, nearly YAML, or not: what the loader is thrown at."""

from __future__ import annotations

import json

import yaml
from hypothesis import strategies as st

NASTY_SCALARS = (
    "no", "on", "y", "N", "yes", "Off", "true", "True", "false", "null", "Null", "~", "", "=", "<<",
    "012", "0o14", "0b11", "0x1F", "1:20", "1e3", "1.5e+3", "1.5E-3", "1_000", ".5", "5.", "0.5", "-0", "-0.0", "+1",
    "1", "-17", "9007199254740991", "9007199254740992", "1e400", "1.0e+400", ".inf", "-.INF", ".nan", "NaN", "Infinity",
    "2026-11-22", "2026-11-22T10:00:00Z", "2026-11-22 10:00:00", "1.2.3", "10.0.0.1", "12:30:45", "190:20:30.15",
    "acme", "a b", "a: b", "a #b", "#c", "- x", "? k", "*x", "&x v", "!!str 1", "! x", "'no'", '"no"', '"\\u00e9"',
    '"\\u2028"', '"\\0"', "|\n  block\n", ">-\n  folded\n  text\n", "{a: 1}", "[1, 2]", "{a:1}", '{"a":1}', "[a, b: c]",
    "%x", "@x", "`x", "--- x", "...", "é", "\u00a0", "\u2028", "\u202e", "\ufeff", "\t", "a\tb", "'it''s'", "[]", "{}",
    "__proto__", "0.1e1", "1e-7", "0e0", "00", "0.0", "-", "--", ".", "..", "+", "0x", "1a", "0_", "_1",
)  # fmt: skip
"""Spellings on which parsers disagree, or that end up as something else than they look."""

scalars = st.sampled_from(NASTY_SCALARS)
words = st.sampled_from(["a", "b", "key", "off", "no", "1", "true", '"q"', "x.y", "~", "null", "a b"])

soup = st.text(alphabet="-:{}[],&*!|>'\"%@`#?=<~ \n\r\tabno012.e_+\u00e9\u2028\x00\ufeff", max_size=60)
"""What a keyboard with only YAML's own characters writes."""


def _indented(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())


flow = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: "[" + ", ".join(parts) + "]"),
        st.lists(st.tuples(words, inner), max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key}: {value}" for key, value in pairs) + "}"
        ),
    ),
    max_leaves=6,
)

block = st.recursive(
    flow,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(
            lambda parts: "\n".join("-\n" + _indented(part) if "\n" in part else f"- {part}" for part in parts)
        ),
        st.lists(st.tuples(words, inner), min_size=1, max_size=3).map(
            lambda pairs: "\n".join(
                f"{key}:\n{_indented(value)}" if "\n" in value else f"{key}: {value}" for key, value in pairs
            )
        ),
    ),
    max_leaves=6,
)

numbers = st.one_of(
    st.integers(-(2**60), 2**60), st.integers(-99, 99), st.floats(), st.floats(-10, 10).map(lambda x: round(x, 3))
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=12), st.sampled_from(NASTY_SCALARS)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=6), inner, max_size=4)),
    max_leaves=10,
)
"""JSON values, those that JSON cannot carry included."""


def dumped(value: object, style: str) -> str:
    """Write a value as YAML in one of the ways in which tools do."""
    match style:
        case "block":
            return str(yaml.safe_dump(value, allow_unicode=True, default_flow_style=False))
        case "flow":
            return str(yaml.safe_dump(value, allow_unicode=True, default_flow_style=True))
        case "escaped":
            return str(yaml.safe_dump(value, allow_unicode=False))
        case _:
            return json.dumps(value, ensure_ascii=False)


STYLES = ("block", "flow", "escaped", "json")
