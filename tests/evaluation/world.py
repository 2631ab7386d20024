"""A small world of definitions and contexts for properties: few names, so that they meet often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from flagseal.evaluation.resolve import Catalogue
from flagseal.model.document import Document
from flagseal.model.instants import unix_seconds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ENVIRONMENT = "production"
NAMESPACE = "payments"
START, END = 1_790_000_000, 1_790_100_000
"""The stretch of time in which schedules lie; both are whole days' seconds of no importance."""

INSTANTS = ["2026-09-21T14:13:20Z", "2026-09-21T20:00:00Z", "2026-09-22T00:00:00Z", "2026-09-22T08:30:00Z"]
SECONDS = [unix_seconds(instant) for instant in INSTANTS]
DAYS = ["2026-09-20", "2026-09-21", "2026-09-22", "2026-09-23"]

TEXTS = ["acme", "globex", "acme-eu", "a", "true", "1", "1.2.0", "2.0.0-rc.1", "ünï", "😀"]
NUMBERS = [0, 1, 2, 18, 18.5, -1, 1.0]
ATTRIBUTES = ["org", "age", "beta", "tags", "version", "user.plan", "targetingKey"]
VARIANTS = ["on", "off", "half"]

scalars = st.one_of(st.sampled_from(TEXTS), st.sampled_from(NUMBERS), st.booleans())
_constraints = st.sampled_from([">=1.2.0", "<2", "=1.2.0", "!=1.2.0", "^1.2.0", "~1.2", ">2.0.0-rc.1", "<=1.2.0"])

_predicates = st.one_of(
    scalars,
    scalars.map(lambda it: {"eq": it}),
    scalars.map(lambda it: {"ne": it}),
    st.lists(scalars, min_size=1, max_size=3).map(lambda it: {"in": it}),
    st.lists(scalars, min_size=1, max_size=3).map(lambda it: {"notIn": it}),
    st.sampled_from(["a", "ac", "acme", "ü"]).map(lambda it: {"startsWith": it}),
    st.sampled_from(["e", "me", "-eu", "😀"]).map(lambda it: {"endsWith": it}),
    st.sampled_from(["c", "cm", "x", "ï"]).map(lambda it: {"hasSubstring": it}),
    scalars.map(lambda it: {"contains": it}),
    st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), st.sampled_from(NUMBERS)).map(lambda it: {it[0]: it[1]}),
    _constraints.map(lambda it: {"semver": it}),
    st.tuples(st.sampled_from(["before", "after"]), st.sampled_from(INSTANTS)).map(lambda it: {it[0]: it[1]}),
    st.booleans().map(lambda it: {"exists": it}),
)

_tests = st.dictionaries(st.sampled_from(ATTRIBUTES), _predicates, min_size=1, max_size=2)
_leaves = st.one_of(_tests, st.just({"entitled": True}), st.just({"segment": "insiders"}))


def _conditions(leaves: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3).map(lambda it: {"all": it}),
            st.lists(inner, min_size=1, max_size=3).map(lambda it: {"any": it}),
            inner.map(lambda it: {"not": it}),
        ),
        max_leaves=4,
    )


conditions = _conditions(_leaves)
segment_conditions = _conditions(_tests)

_by = st.sampled_from(["org", "targetingKey", "user.plan"])
_variants = st.sampled_from(VARIANTS)


@st.composite
def _outcomes(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(["serve", "serve", "map", "list", "ramp"]))
    if kind == "serve":
        return {"serve": draw(_variants)}
    if kind == "ramp":
        first, last = sorted(draw(st.lists(st.sampled_from(INSTANTS), min_size=2, max_size=2, unique=True)))
        low, high = sorted(draw(st.lists(st.integers(0, 100), min_size=2, max_size=2, unique=True)))
        ramp = {"variant": draw(st.sampled_from(["on", "half"])), "from": low, "to": high, "start": first, "end": last}
        return {"ramp": {**ramp, "steps": draw(st.integers(1, 4)), "by": draw(_by)}}
    weights = st.sampled_from([1, 5, 10, 25, 90])
    split: object
    if kind == "map":
        split = draw(st.dictionaries(_variants, weights, min_size=1))
    else:
        arm = st.fixed_dictionaries({"variant": _variants, "weight": weights})
        split = draw(st.lists(arm, min_size=1, max_size=4))
    outcome: dict[str, Any] = {"split": split}
    if draw(st.booleans()):
        outcome["by"] = draw(_by)
    if draw(st.booleans()):
        outcome["salt"] = draw(st.sampled_from(["s", "spring"]))
    return outcome


@st.composite
def _rules(draw: st.DrawFn, when: st.SearchStrategy[dict[str, Any]]) -> list[dict[str, Any]]:
    rules = []
    for number in range(draw(st.integers(0, 3))):
        rule: dict[str, Any] = {"name": f"rule {number}", **draw(_outcomes())}
        if draw(st.integers(0, 4)):
            rule["when"] = draw(when)
        if not draw(st.integers(0, 2)):
            first, last = sorted(draw(st.lists(st.sampled_from(INSTANTS), min_size=2, max_size=2, unique=True)))
            rule |= draw(st.sampled_from([{"from": first}, {"until": last}, {"from": first, "until": last}]))
        rules.append(rule)
    return rules


@st.composite
def sections(draw: st.DrawFn, *, requires: Sequence[str] = ()) -> dict[str, Any]:
    """Draw what one environment serves."""
    section: dict[str, Any] = {"default": draw(_variants), "rules": draw(_rules(conditions))}
    if not draw(st.integers(0, 3)):
        keys = draw(st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3, unique=True))
        section["targets"] = {draw(_variants): keys}
    if requires and not draw(st.integers(0, 2)):
        section["requires"] = [{"flag": draw(st.sampled_from(list(requires))), "variant": draw(_variants)}]
    if not draw(st.integers(0, 11)):
        section["off"] = True
    return section


def flag_document(name: str, section: Mapping[str, Any], **spec: object) -> Document:
    """Write a flag with one environment."""
    return Document(
        "FlagDefinition",
        NAMESPACE,
        name,
        {
            "description": "A flag of a property.",
            "purpose": "release",
            "owner": "team-payments",
            "riskTier": "sensitive",
            "lifecycle": "canary",
            "expires": "2027-03-31",
            "variants": {"on": "ON", "off": "OFF", "half": "HALF"},
            "safeVariant": "off",
            "environments": {ENVIRONMENT: dict(section)},
            **spec,  # type: ignore[dict-item]
        },
    )


@st.composite
def bindings(draw: st.DrawFn) -> Document:
    """Draw a binding with grants for the flags of a world."""
    parts: list[Any] = []
    for org in draw(st.lists(st.sampled_from(TEXTS[:4]), max_size=3)):
        first, last = sorted(draw(st.lists(st.sampled_from(DAYS), min_size=2, max_size=2)))
        grants = []
        for flag in draw(st.lists(st.sampled_from(["main", "other"]), min_size=1, max_size=2)):
            grant = {"flag": f"{NAMESPACE}/{flag}", "reason": "contract"}
            if not draw(st.integers(0, 2)):
                grant["variant"] = draw(_variants)
            if draw(st.booleans()):
                grant["until"] = draw(st.sampled_from(DAYS))
            grants.append(grant)
        agreement = {"id": "C-1", "plan": "pro", "from": first, "until": last}
        parts.append({"org": org, "owner": "team-accounts", "agreement": agreement, "grants": grants})
    return Document("EntitlementBinding", "entitlements", "all", {"bindings": parts})


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Document, ...]:
    """Draw a flag, ``main``, with all it may refer to."""
    segment = Document("Segment", NAMESPACE, "insiders", {"when": draw(segment_conditions)})
    base = flag_document("base", draw(sections()))
    other = flag_document("other", draw(sections(requires=["base"])))
    main = flag_document("main", draw(sections(requires=["other", "payments/base"])))
    return (main, other, base, segment, draw(bindings()))


def catalogue(documents: Sequence[Document]) -> Catalogue:
    """Index documents."""
    return Catalogue.of(documents)


# Contexts

_odd_texts = st.one_of(
    st.sampled_from([*TEXTS, "", "acme ", "acmex", "xacme", "1.2.0\n", "\ud800"]), st.text(max_size=4)
)
_odd_numbers = st.one_of(
    st.sampled_from([*NUMBERS, *SECONDS, 17, 19, -0.0, 2**60, 1e300, float("inf")]), st.floats(allow_nan=False)
)


def values(*, json_only: bool = False) -> st.SearchStrategy[object]:
    """Draw an attribute's value, hostile ones included."""
    leaves: list[st.SearchStrategy[object]] = [st.none(), st.booleans(), _odd_texts, _odd_numbers]
    if not json_only:
        leaves += [st.just(float("nan")), st.just(object()), st.binary(max_size=3), st.just(("acme",))]
    return st.recursive(
        st.one_of(*leaves),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["plan", "a"]), inner, max_size=2)
        ),
        max_leaves=3,
    )


@st.composite
def contexts(draw: st.DrawFn, *, json_only: bool = False) -> dict[str, object]:
    """Draw an evaluation context: what conditions ask for, what they do not, and the wrong types."""
    context: dict[str, object] = {}
    for name in ("org", "age", "beta", "tags", "version", "targetingKey", "user"):
        if draw(st.integers(0, 3)):
            fitting: st.SearchStrategy[object] = {
                "age": st.sampled_from(NUMBERS + SECONDS),
                "tags": st.lists(scalars, max_size=3),
                "version": st.sampled_from(["1.2.0", "1.3", "v1.2.9", "2.0.0", "2.0.0-rc.2"]),
                "user": st.fixed_dictionaries({"plan": _odd_texts}),
            }.get(name, st.sampled_from(TEXTS))
            context[name] = draw(fitting if draw(st.integers(0, 2)) else values(json_only=json_only))
    if not draw(st.integers(0, 5)):
        context["$flagd"] = {"flagKey": "other", "timestamp": 0}
    return context


moments = st.one_of(st.integers(START - 100_000, END + 200_000), st.sampled_from(SECONDS), st.sampled_from(SECONDS))
