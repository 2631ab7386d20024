"""What is due of a flag on a day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema_rs import Draft202012Validator

from flagseal.model.policies import LifecyclePolicy
from flagseal_validators.retirement.ages import Age
from flagseal_validators.retirement.bot import Outcome
from flagseal_validators.retirement.looking import subjects
from flagseal_validators.retirement.references import Reference
from flagseal_validators.retirement.saying import as_json, as_text
from flagseal_validators.retirement.schema import RETIRE_SCHEMA
from flagseal_validators.retirement.stepping import due, way
from tests.history.company import document, edited, flag, rule

if TYPE_CHECKING:
    from flagseal.model.document import Document
    from flagseal.model.flag import Lifecycle
    from flagseal_validators.retirement.stepping import Due, Subject

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
TODAY = NOW.date()
POLICY = LifecyclePolicy({}, {"entitlement": 90}, 30, {"canary": ("enforced",), "*": ("retired",)})
AGE = Age(NOW - timedelta(days=200), "a" * 40, NOW - timedelta(days=100), "b" * 40)


def looked(*documents: Document, **more: Any) -> Subject:  # noqa: ANN401
    """Look at the first of some documents."""
    found = subjects(documents, now=NOW, ages={"": AGE}, **({"references": {}} | more))
    return next(subject for subject in found if subject.document == documents[0])


def asked(first: Document, *others: Document, policy: LifecyclePolicy = POLICY, **more: Any) -> Due:  # noqa: ANN401
    """Ask what is due of a flag."""
    return due(looked(first, *others, **more), TODAY, policy)


@pytest.mark.parametrize(
    ("left", "step", "notice"),
    [(31, "none", 0), (30, "warn", 30), (8, "warn", 30), (7, "warn", 7), (1, "warn", 7), (0, "propose", 0),
     (-14, "propose", 0), (-15, "escalate", 0)],
)  # fmt: skip
def test_the_date_decides_how_urgent_it_is(left: int, step: str, notice: int) -> None:
    """Two warnings before it, a proposal at it, others told two weeks after it."""
    found = asked(flag(expires=(TODAY + timedelta(days=left)).isoformat()))
    assert (found.step, found.notice, found.left) == (step, notice, left)


def test_the_policy_says_when_to_warn_first() -> None:
    """`warnBefore` of three days leaves one warning."""
    policy = LifecyclePolicy({}, {}, 3, POLICY.transitions)
    steps = [
        asked(flag(expires=(TODAY + timedelta(days=left)).isoformat()), policy=policy).notice for left in (4, 3, 1)
    ]
    assert steps == [0, 3, 3]


@pytest.mark.parametrize(
    ("transitions", "path"),
    [
        ({"*": ("retired",)}, ("retired",)),
        ({"canary": ("enforced",), "enforced": ("stable",), "stable": ("retired",)}, ("enforced", "stable", "retired")),
        ({"canary": ("enforced", "review"), "review": ("retired",), "enforced": ("stable",)}, ("review", "retired")),
        ({"canary": ("enforced",), "enforced": ("canary",)}, None),
    ],
)  # fmt: skip
def test_a_life_ends_by_the_steps_that_the_policies_allow(
    transitions: dict[str, tuple[Lifecycle, ...]], path: tuple[str, ...] | None
) -> None:
    """The shortest way; none where there is none, also where steps go round in a circle."""
    policy = LifecyclePolicy({}, {}, 14, transitions)
    assert way("canary", policy) == path
    found = asked(flag(expires="2026-11-01"), policy=policy)
    assert (found.act, found.to) == (
        ("stuck", None) if path is None else ("retire" if path[0] == "retired" else "move", path[0])
    )


def test_an_entitlement_has_the_date_of_its_review() -> None:
    """From the last one, or from the first commit; an expiry that it should not have is no date."""
    spec: dict[str, Any] = {"purpose": "entitlement", "expires": "2026-01-01"}
    reviewed = asked(flag(review={"every": "90d", "last": "2026-08-25"}, **spec))
    assert (reviewed.day, reviewed.act, reviewed.step) == (date(2026, 11, 23), "review", "propose")
    assert asked(flag(review={"every": "300d"}, **spec)).day == AGE.first.date() + timedelta(days=300)
    assert asked(flag(**spec)).step == "none"


RETIRED: dict[str, Any] = {"lifecycle": "retired", "production": {"default": "enabled"}}


def test_what_is_retired_goes_when_nothing_needs_it() -> None:
    """Searched and not found, referred to by nothing, the same for everybody, and retired where it is served."""
    assert asked(flag(**RETIRED)).act == "delete"


@pytest.mark.parametrize(
    ("others", "more", "why"),
    [
        ((), {"references": None}, "no source tree was searched"),
        ((), {"references": {"checkout": (Reference("a.py:1", "call"),)}}, "code still asks for it, at 1 place"),
        ((flag("other", staging={"requires": [{"flag": "checkout", "variant": "enabled"}], "default": "enabled"}),), {},
         "payments/other has it as a prerequisite"),
        ((), {"published": {"production": (flag(),)}}, "production has not taken its retirement over yet"),
    ],
)  # fmt: skip
def test_what_is_retired_stays_while_something_needs_it(
    others: tuple[Document, ...], more: dict[str, Any], why: str
) -> None:
    """Each is named; unknown counts as needed."""
    found = asked(flag(**RETIRED), *others, **more)
    assert found.act == "wait"
    assert any(why in obstacle for obstacle in found.obstacles)


def test_a_retired_flag_that_still_decides_is_switched_off_first() -> None:
    """Retired in name only: everybody has to be served the same before its file goes."""
    assert asked(flag(lifecycle="retired", production=rule({"org": "acme"}))).act == "retire"


def test_a_retired_flag_that_is_served_nowhere_goes() -> None:
    """`environments: {}` is how people end a flag by hand; nobody is left to be served anything."""
    assert asked(edited(flag(lifecycle="retired"), environments={})).act == "delete"


def test_what_is_switched_off_already_is_waited_for_and_not_asked_for_again() -> None:
    """The branch has said so, and a store still serves by rules: no edit of the file is left to propose."""
    by_rule = flag(production=rule({"org": "acme"}))
    ended = flag(lifecycle="retired", production={"off": True, "default": "disabled"})
    found = asked(ended, published={"production": (by_rule,)})
    assert (found.act, found.obstacles) == ("wait", ("production has not taken its retirement over yet",))
    removed = edited(flag(lifecycle="retired"), environments={"staging": {"default": "enabled"}})
    assert asked(removed, published={"production": (by_rule,)}).act == "wait"


def test_grants_hold_a_flag() -> None:
    """Whoever was granted it is a reference too."""
    entitled = flag(
        "reports",
        purpose="entitlement",
        lifecycle="retired",
        review={"every": "90d"},
        production={"default": "enabled"},
    )
    binding = document(
        "EntitlementBinding",
        "acme",
        {
            "org": "acme",
            "owner": "team-payments",
            "agreement": {"id": "C-1", "from": "2026-01-01", "until": "2027-01-01"},
            "grants": [{"flag": "payments/reports", "reason": "contract"}],
        },
        "entitlements",
    )
    assert "entitlements/acme grants it" in asked(entitled, binding).obstacles


def test_a_request_that_gives_way_to_an_issue_is_written_as_its_schema_says() -> None:
    """One flag, two outcomes: the issue is what became of it, the request is among what was closed."""
    found = asked(flag(**RETIRED), references=None)
    outcomes = (Outcome(found.reference, "opened", url="i"), Outcome(found.reference, "closed", "x", "p"))
    written = as_json([found], TODAY, outcomes)
    assert list(Draft202012Validator(RETIRE_SCHEMA).iter_errors(written)) == []
    assert isinstance(written["flags"], list)
    assert isinstance(written["flags"][0], dict)
    assert (written["flags"][0]["done"], written["closed"]) == ("opened", [found.reference])
    shown = as_text([found], TODAY, outcomes, None, {})
    assert "→ opened i" in shown
    assert "payments/checkout: x p" in shown


def test_the_most_urgent_are_those_longest_past() -> None:
    """Overdue before due before soon; among equals the older date."""
    days = ("2026-12-01", "2026-11-23", "2026-10-01", "2026-09-01", "2026-11-22")
    found = sorted((asked(flag(expires=day)) for day in days), key=lambda it: it.urgency)
    assert [it.day.isoformat() for it in found if it.day] == sorted(days)
