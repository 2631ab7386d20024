"""What the loader refuses before any schema is asked (formats.md, Reading YAML), and where it says so."""

from __future__ import annotations

import re

import pytest

from flagseal.model.loader import load_text
from flagseal.model.yaml_reader import Positions, read_yaml
from tests.model.samples import EVERY_KIND, FLAG, load, places, spoilt
from tests.model.yaml_texts import NASTY_SCALARS


def refused(data: bytes | str) -> list[str]:
    """Tell what reading alone refuses: ``line:column rule``."""
    found = read_yaml(data if isinstance(data, bytes) else data.encode(), file="f").findings
    return [f"{finding.line}:{finding.column} {finding.rule}" for finding in found]


@pytest.mark.parametrize("text", EVERY_KIND, ids=lambda text: text.splitlines()[1])
def test_a_valid_file_of_every_kind_gives_its_document(text: str) -> None:
    """The samples of all kinds load without a finding."""
    loaded = load(text)
    assert loaded.findings == ()
    assert [document.kind for document in loaded.documents] == [text.splitlines()[1].removeprefix("kind: ")]


@pytest.mark.parametrize(
    "scalar",
    [
        "no", "No", "on", "OFF", "y", "N", "yes", "True", "FALSE", "Null", "~", "=", "012", "08", "0o14", "0b11",
        "0x1F", "-0x1f", "1:20", "190:20:30.15", "1e3", "1.5E3", "1_000", "1_0.5", ".5", "5.", "+1", "-0", "00",
        "2026-11-22", "2026-1-2", "2026-11-22T10:00:00Z", "2026-11-22 10:00:00 +1",
    ],
)  # fmt: skip
def test_what_yaml_versions_type_differently_must_be_quoted(scalar: str) -> None:
    """An unquoted scalar that YAML 1.1 and 1.2, or their parsers, read differently is refused; quoted it is text."""
    assert refused(f"a: {scalar}\n") == ["1:4 FS109"]
    assert refused(f"{scalar}: 1\n") == ["1:1 FS109"]
    quoted = read_yaml(f'a: "{scalar}"\n'.encode(), file="f")
    assert (quoted.value, quoted.findings) == ({"a": scalar}, ())


def test_the_message_says_to_quote_and_suggests_enabled_for_a_variant() -> None:
    """Who calls a variant `on` is told how to keep it and what is better."""
    found = load(spoilt(FLAG, "variants: {enabled:", "variants: {on: true, enabled:")).findings
    assert [(finding.rule, finding.path) for finding in found] == [("FS109", "$.spec.variants.on")]
    assert '"on"' in found[0].remedy
    assert "`enabled`" in found[0].remedy


@pytest.mark.parametrize(
    ("scalar", "value"),
    [("null", None), ("true", True), ("false", False), ("0", 0), ("-17", -17), ("9007199254740991", 2**53 - 1),
     ("0.5", 0.5), ("-12.25", -12.25), ("1.5e-7", 1.5e-7), ("1.0", 1), ("text", "text"), ("1.2.3", "1.2.3"),
     ("10.0.0.1", "10.0.0.1"), ("1a", "1a"), ("yesterday", "yesterday"), ("CH", "CH"), ("x=y", "x=y")],
)  # fmt: skip
def test_what_all_parsers_type_alike_keeps_its_type(scalar: str, value: object) -> None:
    """Null, booleans, decimal integers and ordinary floats are typed; everything else is text."""
    reading = read_yaml(f"a: {scalar}\n".encode(), file="f")
    assert reading.findings == ()
    assert repr(reading.value) == repr({"a": value})


@pytest.mark.parametrize(
    "number",
    ["9007199254740992", "-9007199254740992", "1" * 5000, "1.0e+300", "1.0e+400", "1.0e-400", "-0.0", ".inf", "-.INF",
     ".nan", "NaN", "Infinity"],
)  # fmt: skip
def test_a_number_that_json_cannot_carry_exactly_is_refused(number: str) -> None:
    """Integers beyond ±(2^53 − 1), infinities, not-a-number, and what rounding would make zero."""
    assert refused(f"a: {number}\n") == ["1:4 FS110"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a: 1\nb: 2\na: 3\n", ["3:1 FS106"]),
        ("a: {x: 1, 'x': 2}\n", ["1:11 FS106"]),
        ("a: &x 1\nb: *x\n", ["1:4 FS107", "2:4 FS107"]),
        ("a: &x {b: 1}\n", ["1:4 FS107"]),
        ("<<: {a: 1}\n", ["1:1 FS107"]),
        ("a: !!str 1\n", ["1:4 FS108"]),
        ("a: ! 1\n", ["1:4 FS108"]),
        ("a: !x [1]\n", ["1:4 FS108"]),
        ("%YAML 1.1\n---\na: 1\n", ["1:1 FS108"]),
        ("a: 1\n---\na: 1\n", ["2:1 FS105"]),
        ("", ["0:0 FS105"]),
        ("# nothing\n", ["0:0 FS105"]),
        ("1: a\n", ["1:1 FS111"]),
        ("true: a\n", ["1:1 FS111"]),
        ("null: a\n", ["1:1 FS111"]),
        ("? [a]\n: 1\n", ["1:3 FS111"]),
        ("a:\n", ["1:3 FS109"]),
        ("{a}\n", ["1:3 FS109"]),
        ("a: [\n", ["2:1 FS100"]),
        ("a: b: c\n", ["1:5 FS100"]),
        ("a: 'x\n", ["2:1 FS100"]),
        ("\ta: 1\n", ["1:1 FS102"]),
        ("a: 1\rb: 2\n", ["1:5 FS102", "1:7 FS100"]),
        ("a: x\u2028y\n", ["1:5 FS102"]),
        ("a: x\u0085y\n", ["1:5 FS102"]),
        ("a: b # \u202e\n", ["1:8 FS102"]),
        ("é: \u200b\n", ["1:4 FS102"]),
        ("a: b\n#\x00\n", ["2:2 FS102"]),
        ("a: \x1b\n", ["1:4 FS102"]),
        ('a: "\\x1b"\n', ["1:4 FS102"]),
        ('a: "\\u2028"\n', ["1:4 FS102"]),
        ('"\\u202e": 1\n', ["1:1 FS102"]),
        ('a: "\\ud800"\n', ["1:7 FS100"]),
    ],
)  # fmt: skip
def test_a_refusal_names_line_and_column(text: str, found: list[str]) -> None:
    """Every kind of refusal stands where its cause stands."""
    assert refused(text) == found


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"a: \xff\n", ["1:4 FS101"]),
        (b"a: 1\nb: \xc3\xa9\xe2\x82\n", ["2:5 FS101"]),
        ("a: 1\n".encode("utf-16"), ["0:0 FS101"]),
        ("a: 1\n".encode("utf-32"), ["0:0 FS101"]),
        (b"\xef\xbb\xbfa: 1\n", ["1:1 FS101"]),
        (b"a: \xed\xa0\x80\n", ["1:4 FS101"]),
    ],
)
def test_a_file_that_is_not_utf_8_is_refused(data: bytes, found: list[str]) -> None:
    """Other encodings, byte order marks and broken sequences are named with their place."""
    assert refused(data) == found


def test_lines_may_end_as_on_windows() -> None:
    """A carriage return before a line feed changes nothing."""
    crlf = load_text(FLAG.replace("\n", "\r\n").encode(), file="f")
    assert crlf.findings == ()
    assert crlf.documents[0].digest == load(FLAG).documents[0].digest


def test_a_file_over_256_kib_is_refused_unread() -> None:
    """The limit is the file's, whatever it holds."""
    largest = b"a: " + b"x" * (256 * 1024 - 3)
    assert refused(largest) == []
    assert refused(largest + b"x") == ["0:0 FS103"]


def test_nesting_over_32_is_refused_without_exhausting_anything() -> None:
    """The 33rd level is named, however many follow, in flow and block style."""
    assert refused("[" * 32 + "]" * 32) == []
    assert refused("[" * 33 + "]" * 33) == ["1:33 FS104"]
    assert refused("[" * 100_000) == ["1:33 FS104"]
    assert refused("{a: " * 50_000) == ["1:129 FS104"]
    assert refused("- " * 50_000) == ["1:65 FS104"]
    assert refused("\n".join(" " * level + "a:" for level in range(300))) == ["33:33 FS104"]


def test_all_failures_are_told_at_once() -> None:
    """Text, YAML and schema failures of one file come together, in its order, each once."""
    text = spoilt(FLAG, "purpose: release", "purpose: relase")
    text = spoilt(text, "owner: team-payments", "owner: &o team-payments")
    text = spoilt(text, "ticket: PAY-1234", "ticket: 012\n  ticket: x")
    text = spoilt(text, "canary", "canary # \u202e")
    text = spoilt(text, "default: enabled", "default: on\n      colour: red")
    assert places(text) == [
        "7:3 FS123 $.spec.purpose",
        "8:10 FS107 $.spec.owner",
        "10:23 FS102 $",
        "13:11 FS109 $.spec.ticket",
        "14:3 FS106 $.spec.ticket",
        "19:16 FS109 $.spec.environments.staging.default",
        "20:7 FS120 $.spec.environments.staging.colour",
    ]


def test_the_number_of_findings_is_bounded() -> None:
    """A file made of errors does not flood the reader."""
    assert len(load("- no\n" * 20_000).findings) <= 101
    assert len(load(FLAG + "".join(f"x{n}: 1\n" for n in range(10_000))).findings) <= 101
    assert len(load(FLAG + "no: off\n" * 10_000).findings) <= 201


def test_positions_name_every_key_and_item() -> None:
    """A path leads to its key, or to its item of a list; an unknown one to its nearest ancestor."""
    document = load(FLAG).documents[0]
    assert document.source is not None
    at = document.source.at
    assert (at("$.spec.variants.enabled").line, at("$.spec.variants.enabled").column) == (14, 14)
    rule = "$.spec.environments.production.rules[1]"
    assert (at(rule).line, at(rule).column) == (26, 9)
    assert at(f"{rule}.split.enabled.x[3]") == at(f"{rule}.split.enabled")
    assert at("$.nowhere").line == 1


@pytest.mark.parametrize("text", EVERY_KIND, ids=lambda text: text.splitlines()[1])
def test_at_each_position_stands_its_key(text: str) -> None:
    """In every sample, what is written at the place of a path is the path's last key."""
    lines = text.splitlines()
    seen = 0
    for path, position in Positions(text).items():
        if key := re.search(r"\.([A-Za-z0-9_-]+)$|\['(.*)'\]$", path):
            written = lines[position.line - 1][position.column - 1 :].removeprefix('"')
            assert written.startswith(key[1] or key[2])
            seen += 1
    assert seen > 5


def test_positions_are_a_mapping() -> None:
    """Iteration and length agree, and the root is there."""
    positions = Positions("a: [1, 2]\n'b.c': 3\n")
    assert list(positions) == ["$", "$.a", "$.a[0]", "$.a[1]", "$['b.c']"]
    assert len(positions) == 5


@pytest.mark.parametrize("scalar", NASTY_SCALARS)
def test_no_spelling_makes_the_loader_raise(scalar: str) -> None:
    """Each nasty spelling ends as a value or as a finding."""
    for text in (scalar, f"a: {scalar}", f"{scalar}: a", f"- {scalar}", f"[{scalar}]", f"{{a: {scalar}}}"):
        reading = read_yaml(text.encode(), file="f")
        assert reading.findings or reading.text
