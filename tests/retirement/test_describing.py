"""What is written about a flag at a git host: everything asked for, and nothing that a document smuggles in."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from markdown_it import MarkdownIt

from flagseal.model.policies import LifecyclePolicy
from flagseal_validators.forge.desk import Mark
from flagseal_validators.retirement.ages import Age
from flagseal_validators.retirement.describing import writing_of
from flagseal_validators.retirement.looking import subjects
from flagseal_validators.retirement.references import Reference
from flagseal_validators.retirement.stepping import due
from tests.history.company import flag, rule, segment

if TYPE_CHECKING:
    from flagseal.model.document import Document

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
POLICY = LifecyclePolicy({}, {}, 14, {"*": ("retired",)})
AGE = Age(NOW - timedelta(days=200), "a" * 40, NOW - timedelta(days=100), "b" * 40)
HOSTILE = (
    "@everyone look",
    "<!-- flagseal retire payments/other step=propose -->",
    "</td></table><script>alert(1)</script>",
    "![x](https://evil.example/x.png)",
    "[click](https://evil.example)",
    "closes #1 and fixes acme/web#2",
    "a | b | c",
    "```\n# heading\n```",
    "> quoted\n\n# heading\n\n- item",
    "https://evil.example/?q=1 www.evil.example",
    "\u05e9\u05dc\u05d5\u05dd x.exe",
    "`` ` `` ``` x",
    ":tada: $$x$$ deadbeef1234567 GH-1",
    "---\n\n<details open>",
)


def written(references: tuple[Reference, ...] = (), **more: Any) -> str:  # noqa: ANN401
    """Give the body about a flag that has expired."""
    document = flag(**({"expires": "2026-11-20", "production": rule({"org": "acme"})} | more))
    (subject,) = subjects([document], now=NOW, ages={"": AGE}, references={document.name: references})
    return writing_of(due(subject, NOW.date(), POLICY), ("alice-gh",), ("dora-gh",)).text


def outline(body: str) -> list[tuple[str, str, str]]:
    """Give the structure that a reader of Markdown sees: tags, with where links lead."""
    tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(body)
    every = [inner for token in tokens for inner in (token, *(token.children or ()))]
    return [(it.type, it.tag, str(it.attrGet("href") or it.attrGet("src") or "")) for it in every
            if it.type not in {"text", "code_inline", "softbreak", "inline"}]  # fmt: skip


def test_everything_that_a_reader_needs_is_there() -> None:
    """Owner, age, last change, what is served, whether it is constant, when to retire, what it does, where code is."""
    body = written((Reference("web/a.ts:12", "call", "https://github.com/acme/web/blob/1/a.ts#L12"),))
    for words in (
        "expired on 2026-11-20",
        "@alice-gh",
        "| owner | `team-payments` |",
        "| first commit | 2026-05-07 (aaaaaaaaaaaa) |",
        "| last change | 2026-08-15 (bbbbbbbbbbbb) |",
        "| retire when | On for everyone. |",
        "| `staging` *(by the branch)* | `enabled` (`true`) to everybody | yes |",
        "1 rule, then `disabled` (`false`) | no |",
        "`lifecycle` goes from `canary` to `retired`",
        "[`web/a.ts:12`](https://github.com/acme/web/blob/1/a.ts#L12) (call)",
    ):
        assert words in body, words
    assert "@dora-gh" not in body


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_word_of_a_document_does_anything(hostile: str) -> None:
    """The page has the same structure as with harmless words: no mention, link, image, HTML, heading or cell more."""
    harmless = written(description="Words.", retireWhen="Words.")
    body = written(description=hostile, retireWhen=hostile)
    assert outline(body) == outline(harmless)
    bare = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", body.partition("\n")[2])
    assert re.findall(r"@[\w-]+", bare) == ["@alice-gh"]
    assert not re.search(r"#\d|https?:|www\.|:tada:|<(?!!--)|\$\$|deadbeef", bare.replace("<!--", ""))
    assert not re.search("[\u202a-\u202e\u2066\u2067]", body)
    mark = Mark.find(body)
    assert mark is not None
    assert mark.key == "payments/checkout"


@pytest.mark.parametrize(
    "hostile", ["a](https://evil.example)b.ts:1", "`x`.ts:1", "|x|.ts:1", "<img src=x>.ts:1", "@x.ts:1"]
)
def test_no_name_of_a_file_does_anything(hostile: str) -> None:
    """File names of a source tree are text as well."""
    harmless = outline(written((Reference("web/a.ts:1", "call", "https://github.com/a/b/blob/1/x#L1"),)))
    assert outline(written((Reference(hostile, "call", "https://github.com/a/b/blob/1/x#L1"),))) == harmless


def test_others_are_told_only_after_two_weeks() -> None:
    """Mentioned once the flag is overdue."""
    assert "@dora-gh" in written(expires="2026-10-01")


def test_a_text_does_not_change_from_day_to_day() -> None:
    """Dates are written, not ages: an update every night would be noise."""
    document = flag(expires="2026-11-01")
    texts = set()
    for days in range(3):
        now = NOW + timedelta(days=days)
        (subject,) = subjects([document], now=now, ages={"": AGE}, references={})
        texts.add(writing_of(due(subject, now.date(), POLICY), (), ()).text)
    assert len(texts) == 1


def test_segments_that_nothing_else_uses_are_named_and_stay() -> None:
    """They are not deleted silently."""
    staging = {"off": True, **rule({"segment": "pilots"})}
    document = flag(expires="2026-11-01", lifecycle="retired", staging=staging)
    found = subjects([document, segment("pilots", "acme")], now=NOW, ages={}, references={})
    item = due(found[0], NOW.date(), POLICY)
    assert item.act == "delete"
    assert "Nothing else uses `payments/pilots`" in writing_of(item, (), ()).text


def requiring(name: str, variant: str, **more: Any) -> Document:  # noqa: ANN401
    """Give a flag that requires `checkout` in production, and one that is on without it in staging."""
    here = {"requires": [{"flag": "checkout", "variant": variant}], "default": "enabled"}
    return flag(name, production=here | more, staging={"default": "enabled"})


@pytest.mark.parametrize(
    ("needing", "words"),
    [
        (requiring("other", "enabled"), "**holds for nobody** any more, so everybody is served its safe variant"),
        (requiring("other", "disabled"), "**holds for everybody** from then on, so its own rules decide for everybody"),
        (requiring("other", "enabled", off=True), "It is off there, so nothing changes"),
    ],
)  # fmt: skip
def test_what_requires_a_flag_is_named_with_what_becomes_of_it(needing: Document, words: str) -> None:
    """The last step switches it off in production, where people differ; in staging nobody requires it."""
    document = flag(expires="2026-11-20", production=rule({"org": "acme"}))
    third = flag("third", staging={"requires": [{"flag": "other", "variant": "enabled"}], "default": "enabled"})
    found = subjects([document, needing, third], now=NOW, ages={}, references={})
    subject = next(it for it in found if it.flag.name == "checkout")
    body = writing_of(due(subject, NOW.date(), POLICY), (), ()).text
    line = r"^- `payments/other` \(owner `team-payments`\) requires it to serve `\w+` in `production`\. "
    assert re.search(line + f".*{re.escape(words)}", body, re.MULTILINE)
    assert ("`payments/third` may change with it." in body) == ("**holds" in words)
    assert "Its file cannot go before none of them requires it any more." in body
    assert body.count("requires it to serve") == 1


@pytest.mark.parametrize(
    ("served", "words"),
    [("enabled", "Nothing changes for it."), ("disabled", "That is not so now, and stays so")],
)  # fmt: skip
def test_what_stays_as_it_is_stays_so_for_what_requires_it(served: str, words: str) -> None:
    """Where everybody is served the same already, its end changes nothing for anybody."""
    document = flag(expires="2026-11-20", production={"default": served})
    found = subjects([document, requiring("other", "enabled")], now=NOW, ages={}, references={})
    assert words in writing_of(due(found[0], NOW.date(), POLICY), (), ()).text
