"""Characters that would do something on a terminal, or deceive an eye, are spelled out wherever they are shown."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from flagseal.model.characters import IN_VALUE, escaped

TEXT = st.text(
    st.characters() | st.sampled_from("\x00\x1b\x7f\x9b\u061c\u202e\u2066\ufeff\u2028\ud800\U000e0041\n\r\t")
)
JSON = st.recursive(TEXT | st.integers() | st.none(), lambda of: st.lists(of) | st.dictionaries(TEXT, of), max_leaves=8)


@given(JSON, st.sampled_from([None, 2]))
def test_escaped_json_means_what_it_meant_and_steers_nothing(value: object, indent: int | None) -> None:
    """Keys and values read back are the same ones; no odd character is left, in names of fields neither."""
    text = escaped(json.dumps(value, ensure_ascii=False, indent=indent))
    assert json.loads(text) == json.loads(json.dumps(value))
    assert not IN_VALUE.search(text)


def test_what_only_reads_stays_as_it_is() -> None:
    """Letters of any script are not spelled out."""
    text = json.dumps({"grüße": "שלום 名前 🎉"}, ensure_ascii=False, indent=2)
    assert escaped(text) == text
