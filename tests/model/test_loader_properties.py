"""The loader under arbitrary input: it never raises, says where, and never reads what others read differently."""

from __future__ import annotations

import functools
import re

import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError as RuamelError

from flagseal.model.canonical import canonical_json
from flagseal.model.characters import visible
from flagseal.model.document import Document
from flagseal.model.errors import InvalidDocuments
from flagseal.model.loader import load_text, parse_body
from flagseal.model.yaml_reader import read_yaml
from tests.model.samples import EVERY_KIND
from tests.model.yaml_texts import STYLES, block, dumped, flow, json_values, soup


def check(data: bytes) -> None:
    """Load, and hold the result to what it promises."""
    loaded = load_text(data, file="some/file.yaml")
    assert bool(loaded.documents) != bool(loaded.findings)
    lines = len(re.split(rb"\r\n|[\r\n]", data))
    for found in loaded.findings:
        assert found.file == "some/file.yaml"
        assert re.fullmatch(r"FS[0-9]{3}", found.rule)
        assert found.path.startswith("$")
        assert found.message
        assert found.remedy
        assert 0 <= found.line <= lines + 1
        assert (found.line == 0) == (found.column == 0)
        assert visible(found.text()) == found.text()
    for document in loaded.documents:
        assert parse_body(document.body(), place="x") == document


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_raise(data: bytes) -> None:
    """Bytes of no meaning."""
    check(data)


@given(st.one_of(soup, flow, block))
def test_arbitrary_yaml_never_raises(text: str) -> None:
    """Text in YAML's own characters, and structures of scalars on which parsers disagree."""
    check(text.encode("utf-8", "surrogatepass"))


@given(st.sampled_from(EVERY_KIND), json_values, st.data())
def test_arbitrary_values_anywhere_in_a_document_never_raise(text: str, value: object, data: st.DataObject) -> None:
    """A valid document with one value of it replaced by an arbitrary one, as YAML and as JSON."""
    document = yaml.safe_load(text)
    node = document
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(node[key], dict | list) and node[key] and data.draw(st.booleans()):
            node = node[key]
        else:
            node[key] = value
            break
    try:
        written = dumped(document, data.draw(st.sampled_from(STYLES)))
    except yaml.YAMLError:  # no YAML for lone surrogates
        written = ""
    check(written.encode("utf-8", "surrogatepass"))
    try:
        taken = parse_body(document, place="x", allow_tombstone=True)
    except InvalidDocuments:
        return
    assert isinstance(taken, Document)


@given(st.sampled_from(EVERY_KIND), st.integers(0), st.integers(0, 12), st.one_of(soup, st.binary(max_size=8)))
def test_mutations_of_valid_files_never_raise(text: str, at: int, length: int, instead: str | bytes) -> None:
    """A valid file with a few bytes of it replaced."""
    data = text.encode()
    start = at % len(data)
    patch = instead if isinstance(instead, bytes) else instead.encode("utf-8", "surrogatepass")
    check(data[:start] + patch + data[start + length :])


@given(json_values, st.sampled_from(STYLES))
@example({"a": 1.0, "b": [0.1, -5]}, "block")
@example({"on": "no", "1": "1:20"}, "block")
def test_a_json_value_written_as_yaml_comes_back_or_is_refused(value: object, style: str) -> None:
    """Nothing is silently read as something else, however a tool wrote it."""
    try:
        text = dumped(value, style)
    except (yaml.YAMLError, UnicodeEncodeError):
        return
    reading = read_yaml(text.encode("utf-8", "surrogatepass"), file="f")
    if not reading.findings:
        assert canonical_json(reading.value) == canonical_json(value)


@functools.cache
def yaml_1_2() -> YAML:
    """Give a parser of YAML 1.2."""
    return YAML(typ="safe", pure=True)


@given(st.one_of(flow, block, soup))
@example("a: {b: [1, 0.5, true, null, x], 'c': \"\\u00e9\"}")
@example("a: >-\n  folded\n  text\nb: |\n  block\n")
def test_what_we_accept_other_parsers_read_the_same(text: str) -> None:
    """YAML 1.1 (PyYAML, both parsers) and 1.2 (ruamel.yaml) give the same value, or refuse."""
    reading = read_yaml(text.encode("utf-8", "surrogatepass"), file="f")
    if reading.findings:
        return
    ours = canonical_json(reading.value)
    for loader in (yaml.CSafeLoader, yaml.SafeLoader):
        try:
            theirs = yaml.load(text, loader)  # noqa: S506 (both are safe loaders)
        except yaml.YAMLError:
            continue
        assert canonical_json(theirs) == ours
    try:
        newer = yaml_1_2().load(text)
    except RuamelError:
        return
    assert canonical_json(newer) == ours
