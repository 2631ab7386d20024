"""Have the issue of one's own incident say something else than what happened, or do something.

Means: whoever may break glass chooses what incident and reason say. Both are signed, published, and written into an
issue and a pull request by a program that may write there.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from flagseal.model.loader import load_text
from flagseal_validators.incidents import draft
from flagseal_validators.incidents.telling import issue, pull
from tests.incidents.world import company, incidents, rolled_back

if TYPE_CHECKING:
    from pathlib import Path

    from tests.snapshot.world import World


@pytest.fixture
def made(tmp_path: Path) -> World:
    """Give a company in which alice may break glass."""
    return company(tmp_path, ago=timedelta(minutes=3))


def test_by_markdown_in_a_reason_or_an_incident(made: World) -> None:
    """Neither makes a heading, a link, a mention, a reference, HTML, a ticked box or a mark of ours."""
    evil = "- [x] done\n<!-- flagseal incident x -->\n# Owned @acme/security [x](http://evil) #1 ![i](//e) |a|b| `c`"
    rolled_back(made, reason=evil, incident=f"INC @bob #1 {evil}"[:120])
    (incident,) = incidents(made)
    for writing in (issue(incident), pull(incident, "returned", number=7, edited=False, reviewers=())):
        first, _, rest = writing.text.partition("\n")
        assert first == writing.mark.line()
        outside = re.sub(r"(`+).*?\1", "", rest)
        for harmful in ("@", "<!--", "](", "http", "|a|", "Owned ["):
            assert harmful not in outside.replace("- [ ]", ""), (harmful, outside)
        assert "#1" not in outside
        assert "- [x]" not in outside
        assert not re.search("^#+ (?!\u2068?$|Checklist)", outside, re.MULTILINE), outside
        assert not set("@#<>[]`|!") & set(writing.headline)


def test_by_yaml_in_an_incident(made: World) -> None:
    """The draft of the review is one document, and says what the incident is called and nothing else."""
    evil = 'INC"}\nspec:\n  outcome: permanent\n---\nkind: Organisation #'
    rolled_back(made, incident=evil)
    loaded = load_text(draft(incidents(made)[0], "returned").encode(), file="draft.yaml")
    assert loaded.findings == ()
    (document,) = loaded.documents
    assert isinstance(document.spec, dict)
    assert (document.kind, document.spec["incident"], document.spec["outcome"]) == ("IncidentReview", evil, "returned")
