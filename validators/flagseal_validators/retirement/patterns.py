r"""Where a source file asks for a flag: string literals that are exactly its key, outside of comments.

A file is read as its language writes comments and strings, no further. A literal is a reference whatever stands around
it; what does decides what it is called: a call of an OpenFeature SDK, a constant that holds the key, or else a mention.
A longer word that contains the key is none. Where the reading may have lost its way (an unclosed comment), what follows
counts as code: a reference too many keeps a flag a little longer, one too few removes it under running code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

How = Literal["call", "constant", "mention"]


@dataclass(frozen=True)
class _Reader:
    """How a language writes comments and strings.

    Attributes:
        lines: What begins a comment that goes to the end of its line, as a pattern.
        doubtful: What may begin one, and may as well be text or a part of something else: the rest of its line counts
            as code, and begins nothing.
        blocks: What begins and ends a comment or text over lines; whether it is a comment.
        quotes: What encloses a string within a line.
        patterns: Whether there are regular expressions between slashes.
    """

    lines: str = ""
    doubtful: str = ""
    blocks: tuple[tuple[str, str, bool], ...] = ()
    quotes: str = "\"'"
    patterns: bool = False

    @cached_property
    def opener(self) -> re.Pattern[str]:
        """Finds whatever begins something."""
        parts = [f"(?P<doubtful>{self.doubtful})"] if self.doubtful else []
        parts += [f"(?P<block>{'|'.join(re.escape(begin) for begin, _, _ in self.blocks)})"] if self.blocks else []
        parts += [f"(?P<line>{self.lines})"] if self.lines else []
        parts += [f"(?P<quote>[{self.quotes}])", f"(?P<pattern>{_PATTERN})" if self.patterns else "(?!)"]
        return re.compile("|".join(parts), re.MULTILINE)


_PATTERN: Final = (
    r"(?:(?<=[=(,:\[!&|?{};])|(?<=return)|(?<==>))[ \t]{0,20}/(?![/*])"
    r"(?:\\.|\[(?:\\.|[^\]\\\n]){0,200}\]|[^/\\\n\[]){1,200}/"
)
_REST: Final = {quote: re.compile(rf"(?:\\.|[^{quote}\\\n])*{quote}") for quote in "\"'"}
_STARRED: Final = ("/*", "*/", True)
_TRIPLE: Final = ('"""', '"""', False)
_MARKUP: Final = ("<!--", "-->", True)
_TICKS: Final = ("`", "`", False)

_C_LIKE: Final = _Reader("//", blocks=(_STARRED, _TRIPLE))
# Behind a colon it is an address, behind a backslash a part of a pattern.
_SCRIPT: Final = _Reader("//", r"(?<=[:\\])//|(?<=\\)/\*", (_STARRED, _MARKUP, _TICKS), patterns=True)
_ELEMENTS: Final = _Reader("", r"//|(?<=\\)/\*", (_STARRED, _TICKS), patterns=True)
_PAGE: Final = _Reader("", "//", (_MARKUP, _TICKS))
_PYTHON: Final = _Reader("#", blocks=(_TRIPLE, ("'''", "'''", False)))
_ELIXIR: Final = _Reader(r"\#(?!\{)", blocks=(_TRIPLE,))
_RUBY: Final = _Reader(r"\#(?!\{)", blocks=(("\n=begin", "\n=end", True),))
_PHP: Final = _Reader(r"//|\#(?!\[)", blocks=(_STARRED,))
_GO: Final = _Reader("//", blocks=(_STARRED, _TICKS))
_RUST: Final = _Reader("//", blocks=(_STARRED, ('r#"', '"#', False)))
_BASIC: Final = _Reader("'", quotes='"')
_DATA: Final = _Reader(r"(?:^|(?<=\s))\#")
_JSON: Final = _Reader(quotes='"')

READERS: Final = {
    "py": _PYTHON, "pyi": _PYTHON, "js": _SCRIPT, "jsx": _ELEMENTS, "mjs": _SCRIPT, "cjs": _SCRIPT, "ts": _SCRIPT,
    "tsx": _ELEMENTS, "mts": _SCRIPT, "cts": _SCRIPT, "vue": _PAGE, "svelte": _PAGE, "go": _GO, "java": _C_LIKE,
    "kt": _C_LIKE, "kts": _C_LIKE, "cs": _C_LIKE, "fs": _C_LIKE, "vb": _BASIC,
    "rb": _RUBY, "php": _PHP, "rs": _RUST, "swift": _C_LIKE, "dart": _C_LIKE, "scala": _C_LIKE, "groovy": _C_LIKE,
    "c": _C_LIKE, "cc": _C_LIKE, "cpp": _C_LIKE, "h": _C_LIKE, "ex": _ELIXIR, "exs": _ELIXIR, "html": _PAGE,
    "json": _JSON, "yaml": _DATA, "yml": _DATA, "toml": _DATA,
}  # fmt: skip
"""How a file is read, by the ending of its name; in what is not here every word that is a key counts."""

_BARE: Final = frozenset({"yaml", "yml"})
"""Where a word needs no quotes to be a string."""

_TYPES: Final = r"(?:bool(?:ean)?|string|int(?:eger)?|long|float|double|number|object|struct|value)"
_CALL: Final = re.compile(
    rf"""
    (?: \b(?:get|use|resolve|fetch)?_?{_TYPES}_?(?:flag)?_?(?:value|evaluation)?_?(?:details)?(?:_?async)?
      | \b(?:use)?(?:suspense)?flag(?:value)?
    )
    \s*(?:(?:::)?<[^<>()]*>)?\s*[({{]\s*                                   # the call begins; type arguments
    (?: (?:[\w$.&]+(?:\(\))?\s*,\s*)?                                      # Go and Rust: a context comes first
        (?:(?:flag_?key|key|for_?key|named)\s*[:=]\s*)?                    # the argument's name
    )\Z
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAMED: Final = re.compile(r"\b(?:flag_?key|for_?key)\s*[:=]{1,2}>?\s*\{?\s*\Z", re.IGNORECASE)
_CONSTANT: Final = re.compile(
    r"[A-Za-z_$][\w$]*\s*(?::\s*[\w.&'<> \[\]]+?\s*)?(?::=|=)\s*\Z|\bdefine\(\s*['\"]\w+['\"]\s*,\s*\Z"
)
_LOOK_BACK: Final = 160


@dataclass(frozen=True, slots=True)
class Hit:
    """One place in a file.

    Attributes:
        key: What is asked for.
        line: Counts from 1.
        how: What it looks like.
    """

    key: str
    line: int
    how: How


def hits(text: str, ending: str, keys: Collection[str]) -> Iterator[Hit]:
    """Find where a file asks for flags.

    Args:
        text: The file.
        ending: Of its name, in lower case, without the dot.
        keys: What applications ask for.
    """
    reader = READERS.get(ending)
    if reader is None:
        yield from _words(text, keys)
        return
    comments = list(_comments(reader, text))
    line, counted = 1, 0
    for match in (_QUOTED_OR_BARE if ending in _BARE else _QUOTED).finditer(text):
        key = match["quoted"] or match["bare"]
        if key in keys and not _within(match.start(), comments):
            line += text.count("\n", counted, match.start())
            counted = match.start()
            yield Hit(key, line, _how(text[max(0, counted - _LOOK_BACK) : counted]))


def _words(text: str, keys: Collection[str]) -> Iterator[Hit]:
    """Find keys as words, once a line, in a file that is read by no language's rules."""
    for key in sorted(key for key in keys if key in text):
        line, counted, last = 1, 0, 0
        for match in re.finditer(rf"(?:(?<![\w-])|(?<=\\[a-z])){re.escape(key)}(?![\w-])", text):
            line += text.count("\n", counted, match.start())
            counted = match.start()
            if line != last:
                yield Hit(key, line, "mention")
            last = line


def _comments(reader: _Reader, text: str) -> Iterator[tuple[int, int]]:
    """Give where comments begin and end, in one pass: what never ends is passed over, and not looked for again."""
    ends = {begin: (end, comment) for begin, end, comment in reader.blocks}
    position = 1 if text.startswith("#!") else 0
    while (match := reader.opener.search(text, position)) is not None:
        start, position = match.span()
        begin = match.groupdict().get("block")
        if begin is not None:
            end, comment = ends.get(begin, ("", False))
            found = text.find(end, position) if end else -1
            while end == "`" and found > 0 and _escaped(text, found):
                found = text.find(end, found + 1)
            if found < 0:
                ends.pop(begin, None)
                continue
            position = found + len(end)
            if comment:
                yield start, position
        elif any(match.groupdict().get(kind) is not None for kind in ("line", "doubtful")):
            found = text.find("\n", position)
            position = len(text) if found < 0 else found
            if match.groupdict().get("line") is not None:
                yield start, position
        elif (quote := match["quote"]) is not None:
            rest = _REST[quote].match(text, position)
            # What does not end in its line is no string: the rest of the line counts as code.
            line_end = text.find("\n", position)
            position = rest.end() if rest is not None else len(text) if line_end < 0 else line_end


def _escaped(text: str, position: int) -> bool:
    """Tell whether a sign stands behind an odd number of backslashes, of which a thousand are looked at."""
    before = text[max(0, position - 1000) : position]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _within(position: int, spans: list[tuple[int, int]]) -> bool:
    low, high = 0, len(spans)
    while low < high:
        middle = (low + high) // 2
        if spans[middle][1] <= position:
            low = middle + 1
        else:
            high = middle
    return low < len(spans) and spans[low][0] <= position


_QUOTED: Final = re.compile(r"""(?P<quote>["'`])(?P<quoted>[\w.-]{1,128})(?P=quote)|(?P<bare>(?!))""")
_QUOTED_OR_BARE: Final = re.compile(
    r"""(?P<quote>["'`])(?P<quoted>[\w.-]{1,128})(?P=quote)|(?<=[\s:\[,{])(?P<bare>[\w.-]{1,128})(?=[\s:,\]}]|\Z)"""
)


def _how(before: str) -> How:
    if _CALL.search(before) or _NAMED.search(before):
        return "call"
    line = before.rpartition("\n")[2]
    return "constant" if _CONSTANT.search(line) else "mention"
