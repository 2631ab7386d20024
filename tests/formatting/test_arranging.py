"""House order: what a file says, its comments and its quotes stay, the keys come in order, and once is enough."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from flagseal.model.loader import load_text
from flagseal_validators.formatting import LeftAlone, arrange_text, arranging
from flagseal_validators.formatting.order import Place
from tests.model.samples import EVERY_KIND, FLAG, REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = sorted(path for folder in ("flags", "policies") for path in (REPOSITORY / folder).rglob("*.yaml"))
TEXTS = [*EVERY_KIND, *(path.read_text() for path in FILES if path.stat().st_size < 4096)]


def arranged(text: str) -> str:
    """Put a text in order, and hold it to what always holds."""
    before = load_text(text.encode(), file="f.yaml").documents[0]
    after = arrange_text(text.encode(), file="f.yaml").text
    assert load_text(after.encode(), file="f.yaml").documents[0].digest == before.digest
    assert comments(after) == comments(text)
    again = arrange_text(after.encode(), file="f.yaml")
    assert (again.text, again.moved) == (after, ())
    return after


def comments(text: str) -> Counter[str]:
    """Count the comments that the tests write."""
    return Counter(re.findall(r"# c\d+\b", text))


def named(key: str) -> str:
    """Write a key, between quotes where it would mean something else."""
    return key if re.fullmatch(r"[A-Za-z]{4}[\w-]*", key) else f'"{key}"'


class Writer:
    """Writes a document as some author might: keys in any order, any style, comments anywhere."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._count = 0

    def document(self, body: dict[str, Any]) -> str:
        """Write a document; never between braces as a whole."""
        ending = self._draw(st.sampled_from(["", "\n", "\n\n\n", "\n# c999\n"]))
        return "\n".join(self._block(body, 0)) + ending

    def _comment(self) -> str:
        self._count += 1
        return f"# c{self._count}"

    def _rarely(self) -> bool:
        return self._draw(st.integers(0, 5)) == 0

    def _block(self, value: dict[str, Any], column: int) -> Iterator[str]:
        for key in self._draw(st.permutations(list(value))):
            if self._rarely():
                yield from self._draw(st.sampled_from([[""], [" " * column + self._comment()]]))
            lines = self._value(value[key], column)
            behind = f"   {self._comment()}" if self._rarely() and not lines[0].startswith("|") else ""
            yield f"{' ' * column}{named(key)}:{' ' if lines[0] else ''}{lines[0]}{behind}"
            yield from lines[1:]

    def _value(self, value: Any, column: int) -> list[str]:  # noqa: ANN401 (JSON)
        if isinstance(value, dict) and value and not self._rarely():
            return ["", *self._block(value, column + self._draw(st.sampled_from([2, 4])))]
        if isinstance(value, list) and value and not self._rarely():
            return ["", *self._items(value, column + self._draw(st.sampled_from([0, 2])))]
        if isinstance(value, str) and value.isascii() and value and not self._draw(st.booleans()) and "\n" not in value:
            return ["|-", f"{' ' * (column + 2)}{value}"]
        return [self._flow(value)]

    def _items(self, value: list[Any], column: int) -> Iterator[str]:
        for item in value:
            if self._rarely():
                yield " " * column + self._comment()
            if isinstance(item, dict) and item and not self._rarely():
                first, *rest = list(self._block(item, column + 2))
                while not first.strip() or first.strip().startswith("#"):
                    yield first
                    first, *rest = rest
                yield f"{' ' * column}- {first[column + 2 :]}"
                yield from rest
            else:
                yield f"{' ' * column}- {self._flow(item)}"

    def _flow(self, value: Any) -> str:  # noqa: ANN401 (JSON)
        if isinstance(value, dict):
            entries = [f"{named(key)}: {self._flow(value[key])}" for key in self._draw(st.permutations(list(value)))]
            return "{" + ", ".join(entries) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self._flow, value)) + "]"
        return msgspec.json.encode(value).decode()


@st.composite
def written(draw: st.DrawFn) -> str:
    """Write one of the documents that there are as some author might."""
    text = draw(st.sampled_from(TEXTS))
    body = load_text(text.encode(), file="f.yaml").documents[0].body()
    return Writer(draw).document(body)


def in_order(node: yaml.Node | None, place: Place) -> bool:
    """Tell whether keys are in order wherever they could be moved: in blocks, and between braces on one line."""
    if isinstance(node, yaml.SequenceNode):
        return all(in_order(item, place.item()) for item in node.value)
    if not isinstance(node, yaml.MappingNode):
        return True
    keys = [key.value for key, _ in node.value]
    wanted = [key for key in place.order() if key in keys]
    return (not wanted or keys == wanted) and all(in_order(value, place.entry(key.value)) for key, value in node.value)


@given(written())
def test_whoever_wrote_it_it_is_in_order_and_says_the_same(text: str) -> None:
    """Digest and comments stay, a second time changes nothing, and every key is where it belongs."""
    after = arranged(text)
    kind = load_text(text.encode(), file="f.yaml").documents[0].kind
    assert in_order(yaml.compose(after, yaml.CSafeLoader), Place.of(kind))
    assert not re.search(r"[ \t]\n", after)
    assert after.endswith("\n")
    assert not after.endswith("\n\n")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_sample_company_is_in_order(path: Any) -> None:  # noqa: ANN401 (a path)
    """What this repository shows is how it is done."""
    assert arranged(path.read_text()) == path.read_text()


def spec(text: str) -> str:
    """Complete a few lines of a flag's spec."""
    return (
        "apiVersion: flagseal.dev/v1alpha1\nkind: FlagDefinition\nmetadata: {name: f, namespace: web}\nspec:\n"
        "  description: x\n  purpose: release\n  owner: o\n  riskTier: sensitive\n  lifecycle: canary\n" + text
    )


def test_a_comment_goes_with_what_it_is_about() -> None:
    """Above its key, however many lines; behind it; deeper within it; and one at the end stays at the end."""
    text = spec(
        "  # why it is safe\n"
        "  # in two lines\n"
        "  safeVariant: off-now   # behind\n"
        "\n"
        "  environments:\n"
        "    # of production\n"
        "    production:\n"
        "      default: off-now\n"
        "      # rules: one\n"
        "      rules:\n"
        "      # the first rule\n"
        "      - serve: on-now\n"
        "        # who\n"
        "        when: {org: acme}\n"
        "        name: pilots\n"
        "      # the end of production\n"
        "  variants: {on-now: true, off-now: false}\n"
        "  # the end\n"
    )
    assert arranged(text) == spec(
        "  variants: {on-now: true, off-now: false}\n"
        "  # why it is safe\n"
        "  # in two lines\n"
        "  safeVariant: off-now   # behind\n"
        "\n"
        "  environments:\n"
        "    # of production\n"
        "    production:\n"
        "      # rules: one\n"
        "      rules:\n"
        "      # the first rule\n"
        "      - name: pilots\n"
        "        # who\n"
        "        when: {org: acme}\n"
        "        serve: on-now\n"
        "      default: off-now\n"
        "      # the end of production\n"
        "  # the end\n"
    )


def test_a_comment_at_the_top_of_the_file_stays_there() -> None:
    """It is about the file, whatever key comes first."""
    lines = FLAG.splitlines(keepends=True)
    assert arranged("# about it\n" + lines[1] + lines[0] + "".join(lines[2:])) == "# about it\n" + FLAG


def test_quotes_styles_and_names_stay_as_they_are() -> None:
    """Only keys that the format knows are moved, not those that an author chose."""
    text = spec(
        "  variants: {zebra: 'a', apple: \"b\"}\n"
        "  safeVariant: apple\n"
        "  environments:\n"
        "    staging: {default: apple}\n"
        "    production: {default: apple, targets: {zebra: [b, a]}}\n"
    ).replace("description: x", "description: >-\n    folded\n    text  # not a comment")
    assert arranged(text) == text.replace(
        "{default: apple, targets: {zebra: [b, a]}}", "{targets: {zebra: [b, a]}, default: apple}"
    )


def test_windows_line_ends_and_spaces_at_line_ends_go() -> None:
    """Except within a text, where they count."""
    assert arranged(FLAG.replace("\n", "  \r\n")) == FLAG
    text = spec("  variants: {a: true}\n  safeVariant: a\n  environments: {}\n").replace(
        "description: x", "description: |\n    kept  \n    text"
    )
    assert "kept  \n" in arranged(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "kind: FlagDefinition\n",
        FLAG + "---\n" + FLAG,
        "",
        "# only a comment\n",
        FLAG.replace("purpose: release", "purpose: fun"),
    ],
)
def test_a_file_with_mistakes_of_form_is_left_alone(text: str) -> None:
    """What it means is not known, so nothing of it is touched."""
    with pytest.raises(LeftAlone) as error:
        arrange_text(text.encode(), file="flags/n/f.yaml")
    assert "flags/n/f.yaml" in error.value.message
    assert error.value.remedy


HOSTILE = {
    "a byte order mark": (b"\xef\xbb\xbf" + FLAG.encode(), "FS101"),
    "UTF-16": (FLAG.encode("utf-16"), "FS101"),
    "tabs": (FLAG.replace("  owner", "\towner").encode(), "FS102"),
    "an anchor": (FLAG.replace("spec:", "spec: &all").encode(), "FS107"),
    "a tag": (FLAG.replace("spec:", "spec: !!python/object:os.system").encode(), "FS108"),
    "a merge": (FLAG.replace("spec:", "spec:\n  <<: {owner: x}").encode(), "FS107"),
    "a key twice": (FLAG.replace("spec:", "spec:\n  owner: x").encode(), "FS106"),
    "control characters": (FLAG.replace("spec:", "spec: # \x1b[2J").encode(), "FS102"),
    "too much": (FLAG.encode() + b"# " + b"x" * 300_000, "FS103"),
    "too deep": (FLAG.encode() + b"  a: " + b"[" * 50_000, "FS104"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_the_gate_refuses_is_left_alone(name: str) -> None:
    """With the rule that says why."""
    data, rule = HOSTILE[name]
    with pytest.raises(LeftAlone, match=rule):
        arrange_text(data, file="flags/n/f.yaml")


def test_what_has_no_end_gets_one() -> None:
    """And what has many has one."""
    assert arranged(FLAG.rstrip("\n")) == FLAG
    assert arranged("\n\n" + FLAG + "\n\n\n") == FLAG


def test_much_in_disorder_takes_few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything on a level is moved at once, so that time does not grow with the square of the file."""
    cases = "".join(
        "  - expect: {verdict: allow}\n"
        "    given: {approvals: [a], author: b, change: {tier: sensitive, class: widen}}\n"
        f"    name: case {number}\n"
        for number in range(500)
    )
    text = f"apiVersion: flagseal.dev/v1alpha1\nkind: PolicyTest\nmetadata: {{name: f}}\nspec:\n  cases:\n{cases}"
    monkeypatch.setattr(arranging, "_MOST_ROUNDS", 4)
    assert "{change: {class: widen, tier: sensitive}, author: b, approvals: [a]}" in arranged(text)


def test_braces_over_several_lines_stay() -> None:
    """Comments may be anywhere among them."""
    text = spec(
        "  variants: {a: true}\n  safeVariant: a\n  environments:\n"
        "    production: {\n      default: a,  # here\n      targets: {a: [u]} }\n"
    )
    assert arranged(text) == text
