"""A plan as a comment on a pull request: readable whatever its size, and harmless whatever it quotes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flagseal.model.characters import visible
from flagseal.model.policy_set import load_policies
from flagseal_validators.plan import Plan, Recording, as_markdown, plan
from flagseal_validators.plan.markdown import LIMIT, MARKER
from flagseal_validators.plan.markup import code, names, prose
from tests.plan.making import facts_of, planned
from tests.plan.occasions import GOLDEN, HEADING, OCCASIONS, rendered
from tests.policy.company import CHECKOUT, Company, Spec, flag, orgs, production

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])

HOSTILE = [
    "@acme/security please approve",
    "see #1, acme/flags#2 and GH-3",
    "![x](https://evil.example/x.png)",
    "[click here](https://evil.example)",
    "https://evil.example www.evil.example mail@evil.example",
    "<img src=x onerror=alert(1)> <script>x</script> <!-- ",
    "</details><details open><summary>All approved</summary>",
    "a | b | c \\| d \\\\| e",
    "` `` ``` ~~~ `a` `",
    "**bold** _em_ ~~gone~~ __x__ *y*",
    "&commat;team &#64;team &lt;b&gt; &lbrack;x](y)",
    ":white_check_mark: approved :+1:",
    "$\\frac{1}{2}$ $$x$$",
    "# Heading",
    "- [x] done",
    "1. first",
    "> quote",
    "--- ===",
    "0123456789abcdef0123456789abcdef01234567",
    "\\[ \\@team \\<b>",
    "مرحبا 123 abc שלום",
    "🟢 all fine ✅",
    "[^1]: note",
]


def inline(text: str) -> list[Token]:
    """Parse what stands in a table's cell, and give its parts."""
    tokens = MARKDOWN.parse(f"| a | b |\n| --- | --- |\n| {text} | end |\n")
    cells = [token for token in tokens if token.type == "inline"]
    assert [cell.content for cell in cells][3] == "end", "the cell did not stay one cell"
    return list(cells[2].children or [])


def shown(parts: list[Token]) -> str:
    """Give what a reader sees."""
    return "".join(part.content for part in parts).replace("\u2068", "").replace("\u2069", "")


def require_harmless(text: str, written: str) -> None:
    """Hold a text against what became of it: read as it is, and nothing but text and code."""
    parts = inline(written)
    assert {part.type for part in parts} <= {"text", "code_inline"}
    assert shown(parts).split() == visible(text).replace("|", "\\u{7c}").split()
    outside = " ".join(part.content for part in parts if part.type == "text")
    assert not re.search(r"[@#<>\[\]*_~$|\\&`]|://|www\.|:[a-z0-9_+-]+:|\b[0-9a-f]{7,}\b", outside, re.IGNORECASE)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_a_repository_says_is_read_as_it_is_and_does_nothing(text: str) -> None:
    """No link, image, HTML, mention, reference, emoji, formula or further cell comes out of it."""
    require_harmless(text, prose(text))
    require_harmless(text, code(text))


@given(st.text(st.one_of(st.sampled_from("`|\\*_[]()<>!@#~:$&-1. ab/\n"), st.characters()), max_size=60))
def test_nothing_that_can_be_written_breaks_out(text: str) -> None:
    """The same for whatever anybody may think of."""
    require_harmless(text, prose(text))
    if text.strip():
        require_harmless(text, code(text))


@pytest.mark.parametrize("text", ["1. x", "- x", "+ x", "# x", "> x", "---", "    x", "1) x", "=== x", "```"])
def test_a_sentence_in_a_list_begins_no_block_of_its_own(text: str) -> None:
    """A bullet holds one paragraph, whatever the sentence begins with."""
    kinds = [token.type for token in MARKDOWN.parse(f"- {prose(text)}\n")]
    assert kinds == [
        "bullet_list_open",
        "list_item_open",
        "paragraph_open",
        "inline",
        "paragraph_close",
        "list_item_close",
        "bullet_list_close",
    ]


def test_ordinary_sentences_stay_prose() -> None:
    """What needs no code span gets none: a review is read by people."""
    sentence = "on for 2 organisations (acme, globex), otherwise off; now also on for 10 % of the others (by org)"
    assert prose(sentence) == sentence
    assert (
        prose("payments/new-checkout: from 2026-11-23 10:00 UTC") == "payments/new-checkout: from 2026-11-23 10:00 UTC"
    )
    assert prose("Add the trailer `Ticket: …` to it") == "Add the trailer `Ticket: …` to it"


def test_scripts_that_run_the_other_way_reorder_nothing_around_them() -> None:
    """Their words are isolated (UAX #9), and controls that nobody sees are spelled out."""
    assert prose("for שלום 12 people") == "for \u2068`שלום`\u2069 12 people"
    assert "\u202e" not in prose("a\u202eb")
    assert "\\u{202e}" in prose("a\u202eb")


def test_long_names_are_cut_and_lists_counted() -> None:
    """Nobody fills the page with one name."""
    assert len(prose("x" * 5000)) < 500
    assert names(["a", "b", "c"], 2) == "`a`, `b` and 1 more"


# Whole pages


@pytest.mark.parametrize("name", OCCASIONS)
def test_the_page_is_the_one_that_was_looked_at(name: str) -> None:
    """Rendered as committed; ``python -m tests.plan.occasions`` writes the files anew, to be looked at again."""
    assert rendered(name) == (GOLDEN / f"{name}.md").read_text("utf-8")


@pytest.mark.parametrize("name", OCCASIONS)
def test_a_page_is_well_formed(name: str) -> None:
    """Every table is a table, what is folded is closed again, and nothing is cut."""
    page = rendered(name)
    assert page.startswith(MARKER)
    assert len(page) < LIMIT
    require_well_formed(page)
    assert "Cut here" not in page


def require_well_formed(page: str) -> None:
    """Every line that looks like a table's is one, and ``<details>`` are balanced."""
    tokens = MARKDOWN.parse(page)
    blocks = " ".join(token.content for token in tokens if token.type == "html_block")
    assert blocks.count("<details>") == blocks.count("</details>")
    rows = sum(token.type == "tr_open" for token in tokens)
    lines = [line for line in page.splitlines() if line.startswith("|")]
    assert rows == len(lines) - sum(set(line) <= set("|- ") and "---" in line for line in lines)


def every(tokens: list[Token]) -> Iterator[Token]:
    """Give tokens, those inside others included."""
    for token in tokens:
        yield token
        yield from every(token.children or [])


def hostile_plan(number: int = 1) -> Plan:
    """Plan flags whose rules, organisations, values, words and contexts are hostile."""
    before: dict[str, Spec] = {}
    after: dict[str, Spec | None] = {}
    for index in range(number):
        subject = f"FlagDefinition/payments/flag-{index}"
        texts = [f"{text} {index}" for text in HOSTILE]
        rules = [
            {"name": text[:60], "when": {"org": {"in": [text, f"{text}!"]}}, "serve": "enabled"} for text in texts[:8]
        ]
        before[subject] = flag(environments=production())
        after[subject] = flag(
            environments=production(rules),
            description=" ".join(texts),
            retireWhen=texts[0],
            variants={"enabled": True, "disabled": False},
        )
    contexts: list[dict[str, Any]] = [{"targetingKey": text, "org": text, "<b>": text} for text in HOSTILE]
    contexts += [{"targetingKey": text, "org": f"{text} 0"} for text in HOSTILE]
    company = Company.of(before)
    return planned(company, after, contexts=contexts, group_by=["org", "<b>"])


@pytest.mark.parametrize("number", [1, 40])
def test_a_hostile_change_cannot_write_its_own_review(number: int) -> None:
    """The page's blocks are ours: no link, image or emphasis of theirs, and no HTML but our own."""
    page = as_markdown(hostile_plan(number), heading=HEADING)
    tokens = list(every(MARKDOWN.parse(page)))
    kinds = {token.type for token in tokens}
    assert not kinds & {"link_open", "image", "em_open", "s_open", "ordered_list_open", "fence", "code_block"}
    quotes = sum(token.type == "blockquote_open" for token in tokens)
    assert quotes == int("Cut here" in page)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert all(re.match(r"Flagseal plan: |What changes|Who changes in `|⛔ In the way", text) for text in headings)
    html = {part for token in tokens if token.type == "html_inline" for part in [token.content]}
    assert html <= {"<br>"}
    blocks = " ".join(token.content for token in tokens if token.type == "html_block")
    assert set(re.findall(r"<[^>]*>", blocks)) <= {MARKER, "<details>", "</details>", "<summary>", "</summary>"}
    require_well_formed(page)
    text = " ".join(token.content for token in tokens if token.type == "text")
    assert "@" not in text
    assert "://" not in text


def test_a_page_that_would_be_too_long_is_cut_honestly() -> None:
    """It stays below the limit, whole in its form, and says how much is missing and where to see it."""
    made = hostile_plan(60)
    page = as_markdown(made, limit=20_000)
    assert len(page.encode("utf-16-le")) // 2 <= 20_000
    require_well_formed(page)
    (cut,) = [line for line in page.splitlines() if "Cut here" in line]
    assert re.search(r"\d+ rows?", cut)
    assert "flagseal plan" in cut
    whole = as_markdown(made, limit=10**9)
    listed = sum(line.startswith("| ") for line in page.splitlines())
    assert 0 < listed < sum(line.startswith("| ") for line in whole.splitlines())


def test_the_dangerous_stands_first_among_two_hundred() -> None:
    """The one high-risk flag that is widened is the first row, though two hundred change and it is the 77th."""
    page = rendered("migration")
    section = page[page.index("### What changes") :].splitlines()
    first = next(line for line in section[4:] if line.startswith("|"))
    assert "payments/feature-77" in first
    assert "high-risk" in first
    assert page.index("Flagseal plan: 200 flags") < page.index("### ⛔ In the way") < page.index("### What changes")


def test_what_is_the_same_is_said_once() -> None:
    """A hundred and seventy-nine flags that only change hands are one row, and it says what changes of them."""
    page = rendered("migration")
    (row,) = [line for line in page.splitlines() if line.startswith("| 🔴 | 179 flags")]
    assert "owner changed from team-payments to team-search" in row
    assert "and 171 more" in row


def test_nothing_to_approve_is_a_page_too() -> None:
    """And one without contexts has no section about them."""
    company = Company.of({CHECKOUT: flag()})
    assert "nothing to approve" in as_markdown(planned(company, {CHECKOUT: flag()}))
    wider = flag(environments=production([orgs("acme", "globex")]))
    assert "Who changes" not in as_markdown(planned(company, {CHECKOUT: wider}))


def test_examples_can_be_left_out() -> None:
    """Whoever does not want people named in a comment names nobody."""
    company = Company.of({CHECKOUT: flag()})
    facts = facts_of(company, {CHECKOUT: flag(environments=production([orgs("acme", "globex")]))})
    recording = Recording([{"targetingKey": "jane.doe", "org": "globex"}], ["org"], examples=0)
    made = plan(facts, load_policies(company.accepted.values()), recording=recording)
    assert "jane" not in as_markdown(made)
