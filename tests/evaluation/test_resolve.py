"""Definitions are followed to the end, or refused with the place that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from flagseal.evaluation.resolve import Catalogue, ramp_steps, resolve_flag
from flagseal.evaluation.resolved import Granted, ResolvedSplit, Window
from flagseal.model.condition import AllOf, Negation, Test
from flagseal.model.document import Document
from flagseal.model.errors import CompileError
from flagseal.model.flag import Ramp, Serve
from tests.evaluation.world import ENVIRONMENT, NAMESPACE, flag_document

if TYPE_CHECKING:
    from flagseal.evaluation.resolved import ResolvedFlag

DAY = 86_400


def resolve(section: dict[str, Any], *others: Document, **spec: object) -> ResolvedFlag:
    """Resolve a flag of one section."""
    index = Catalogue.of([flag_document("main", {"default": "off", **section}, **spec), *others])
    return resolve_flag(index.flags[f"{NAMESPACE}/main"], ENVIRONMENT, index)


def segment(name: str, when: object) -> Document:
    """Write a segment."""
    return Document("Segment", NAMESPACE, name, {"when": when})  # type: ignore[dict-item]


def binding(name: str, *grants: dict[str, Any], org: str = "acme") -> Document:
    """Write a binding for the year 2026."""
    agreement = {"id": "C-1", "plan": "pro", "from": "2026-01-01", "until": "2026-12-31"}
    granted = [{"flag": f"{NAMESPACE}/main", "reason": "contract", **grant} for grant in grants]
    spec: Any = {"org": org, "owner": "team-accounts", "agreement": agreement, "grants": granted}
    return Document("EntitlementBinding", "entitlements", name, spec)


def rule(**fields: object) -> dict[str, Any]:
    """Write a section of one rule."""
    return {"rules": [{"name": "r", "serve": "on", **fields}]}


def parts(condition: object) -> tuple[object, ...]:
    """Give what must hold together."""
    assert isinstance(condition, AllOf)
    return condition.parts


ENTITLED = rule(when={"entitled": True})


# References


def test_a_segment_is_put_in_the_place_of_its_name() -> None:
    """And it is a dependency, which a change of it touches."""
    flag = resolve(rule(when={"segment": "eu"}), segment("eu", {"country": "DE"}))
    assert flag.rules[0].when == Test(("country",), "eq", "DE")
    assert flag.dependencies == (f"Segment/{NAMESPACE}/eu",)


def test_prerequisites_come_first_and_then_targets() -> None:
    """Whoever does not get past a prerequisite is served the safe variant, targets included."""
    gate = flag_document("gate", {"default": "on"})
    flag = resolve(
        {**rule(), "requires": [{"flag": "gate", "variant": "on"}], "targets": {"on": ["b", "a", "a"]}}, gate
    )
    assert [each.outcome for each in flag.rules] == [Serve("off"), Serve("on"), Serve("on")]
    assert isinstance(flag.rules[0].when, Negation)
    assert flag.rules[1].when == Test(("targetingKey",), "in", ("a", "b"))
    assert flag.dependencies == (f"FlagDefinition/{NAMESPACE}/gate",)


def test_dependencies_are_those_of_prerequisites_too() -> None:
    """What a prerequisite is made of can change who is served."""
    gate = flag_document("gate", {"default": "off", **rule(when={"segment": "eu"})})
    flag = resolve(
        {"requires": [{"flag": f"{NAMESPACE}/gate", "variant": "on"}]}, gate, segment("eu", {"country": "DE"})
    )
    assert flag.dependencies == (f"FlagDefinition/{NAMESPACE}/gate", f"Segment/{NAMESPACE}/eu")


def test_switched_off_means_the_safe_variant_whatever_else_is_wrong() -> None:
    """A kill switch works even where the rest leads nowhere."""
    broken = {**rule(when={"segment": "nope"}), "requires": [{"flag": "nope", "variant": "on"}], "off": True}
    flag = resolve({**broken, "default": "on"})
    assert (flag.rules, flag.default, flag.raw, flag.dependencies) == ((), "off", None, ())


REFUSED: dict[str, tuple[dict[str, Any], tuple[Document, ...], str, str]] = {
    "no such segment": (rule(when={"segment": "nope"}), (), "DanglingReference", "rule 'r': no segment 'nope'"),
    "no such prerequisite": (
        {"requires": [{"flag": "x", "variant": "on"}]},
        (),
        "DanglingReference",
        "requires payments/x",
    ),
    "a prerequisite that is not served here": (
        {"requires": [{"flag": "gate", "variant": "on"}]},
        (flag_document("gate", {}, environments={"staging": {"default": "on"}}),),
        "DanglingReference",
        "which this environment does not serve",
    ),
    "a prerequisite without such a variant": (
        {"requires": [{"flag": "gate", "variant": "nope"}]},
        (flag_document("gate", {"default": "on"}),),
        "UnknownVariant",
        "no variant 'nope'",
    ),
    "a segment that names a segment": (
        rule(when={"segment": "a"}),
        (segment("a", {"segment": "b"}), segment("b", {"country": "DE"})),
        "Cycle",
        "segment 'a' names a segment",
    ),
    "no such default": ({"default": "nope"}, (), "UnknownVariant", "default: no variant 'nope'"),
    "no such variant in a rule": (rule(serve="nope"), (), "UnknownVariant", "rule 'r': no variant 'nope'"),
    "no such target": ({"targets": {"nope": ["u"]}}, (), "UnknownVariant", "targets of nope"),
    "a target twice": ({"targets": {"on": ["u"], "half": ["u"]}}, (), "Contradiction", "'u' is a target of half too"),
    "a grant of no such variant": (
        ENTITLED,
        (binding("acme", {"variant": "nope"}),),
        "UnknownVariant",
        "grant of entitlements/acme: no variant 'nope'",
    ),
    "an attribute with a dot in its name": (
        rule(when={"attr": {"path": ["kubernetes.io/arch"], "eq": "arm64"}}),
        (),
        "UnreachableAttribute",
        "'kubernetes.io/arch'",
    ),
    "flagd's own attribute": (
        rule(when={"attr": {"path": ["$flagd", "timestamp"], "gt": 1}}),
        (),
        "UnreachableAttribute",
        "flagd's own",
    ),
    "a step without a name": (
        rule(when={"attr": {"path": [""], "eq": 1}}),
        (),
        "UnreachableAttribute",
        "without a name",
    ),
    "no constraint": (rule(when={"v": {"semver": ">=01"}}), (), "MalformedCondition", "no constraint"),
    "a weight of nothing": (
        {"rules": [{"name": "r", "split": {"on": 0, "off": 1}}]},
        (),
        "Contradiction",
        "on has no weight",
    ),
    "too much weight": (
        {"rules": [{"name": "r", "split": {"on": 2**31 - 1, "off": 1}}]},
        (),
        "Contradiction",
        "the weights' sum",
    ),
    "an unknown operator": ({"targeting": {"nope": [1]}}, (), "MalformedTargeting", "targeting: no operator 'nope'"),
    "a shared rule": ({"targeting": {"$ref": "x"}}, (), "MalformedTargeting", "shared rule 'x'"),
    "rules and targeting": ({**rule(), "targeting": {"if": [True, "on"]}}, (), "Contradiction", "exclude each other"),
}


@pytest.mark.parametrize(("section", "others", "code", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_has_no_meaning_is_refused_with_its_place(
    section: dict[str, Any], others: tuple[Document, ...], code: str, message: str
) -> None:
    """The flag, the environment and the part of it are named, and what to do."""
    with pytest.raises(CompileError) as refused:
        resolve(section, *others)
    assert refused.value.code == code
    assert refused.value.message.startswith(f"{NAMESPACE}/main, {ENVIRONMENT}, ")
    assert message in refused.value.message
    assert refused.value.remedy


def test_an_environment_that_is_not_listed_is_refused() -> None:
    """The flag is not served there."""
    index = Catalogue.of([flag_document("main", {"default": "on"})])
    with pytest.raises(CompileError, match="not served") as refused:
        resolve_flag(index.flags[f"{NAMESPACE}/main"], "staging", index)
    assert refused.value.code == "NotServed"


def test_a_cycle_of_prerequisites_is_named() -> None:
    """From where it begins to where it closes."""

    def requiring(name: str, *others: str) -> Document:
        requires = [{"flag": other, "variant": "on"} for other in others]
        return flag_document(name, {"default": "off", "requires": requires})

    with pytest.raises(CompileError, match=r"payments/a → payments/b → payments/a") as refused:
        resolve({"requires": [{"flag": "a", "variant": "on"}]}, requiring("a", "b"), requiring("b", "a"))
    assert refused.value.code == "Cycle"
    with pytest.raises(CompileError, match=r"payments/main → payments/main"):
        resolve({"requires": [{"flag": "main", "variant": "on"}]})


def test_prerequisites_that_would_be_inlined_without_end_are_refused() -> None:
    """Twenty flags that each require the next twice would be a million; a long row is refused too."""
    ladder = [
        flag_document(
            f"f{number}",
            {"default": "on", "requires": [{"flag": f"f{number + 1}", "variant": it} for it in ("on", "half")]},
        )
        for number in range(11)
    ]
    last = flag_document("f11", {"default": "on"})
    with pytest.raises(CompileError) as refused:
        resolve({"requires": [{"flag": "f0", "variant": "on"}]}, *ladder, last)
    assert refused.value.code == "TooManyPrerequisites"
    row = [
        flag_document(f"r{number}", {"default": "on", "requires": [{"flag": f"r{number + 1}", "variant": "on"}]})
        for number in range(20)
    ]
    with pytest.raises(CompileError, match="in a row"):
        resolve({"requires": [{"flag": "r0", "variant": "on"}]}, *row, flag_document("r20", {"default": "on"}))


# Splits and ramps


def test_a_split_is_salted_with_the_key_and_bucketed_by_the_targeting_key() -> None:
    """Unless it says otherwise; as a map, the safe variant's buckets come last."""
    flag = resolve({"rules": [{"name": "r", "split": {"off": 80, "on": 15, "half": 5}}]}, key="mainKey")
    assert flag.rules[0].outcome == ResolvedSplit((("half", 5), ("on", 15), ("off", 80)), ("targetingKey",), "mainKey")
    flag = resolve({"rules": [{"name": "r", "split": {"on": 1}, "by": "user.org", "salt": "s"}]})
    assert flag.rules[0].outcome == ResolvedSplit((("on", 1),), ("user", "org"), "s")


def test_a_ramp_is_a_schedule_of_splits() -> None:
    """Before its start it matches nobody, from its end on it stays."""
    ramp = {
        "variant": "on",
        "from": 0,
        "to": 100,
        "start": "2026-09-01T00:00:00Z",
        "end": "2026-09-03T00:00:00Z",
        "steps": 2,
    }
    flag = resolve({"rules": [{"name": "r", "ramp": ramp, "when": {"beta": True}}]})
    start = 1788220800
    beta = Test(("beta",), "eq", True)
    windows = [Window(start, start + DAY), Window(start + DAY, start + 2 * DAY), Window(start + 2 * DAY, None)]
    assert [parts(each.when) for each in flag.rules] == [(window, beta) for window in windows]
    arms = [each.outcome.arms for each in flag.rules if isinstance(each.outcome, ResolvedSplit)]
    assert arms == [(("off", 100),), (("on", 50), ("off", 50)), (("on", 100),)]


def test_ramp_steps_are_rounded_half_up_and_begin_on_whole_seconds() -> None:
    """Steps that are alike are one; a step between two seconds begins with the later."""
    assert list(ramp_steps(Ramp("on", 0, 5, 100, 110, 2))) == [(100, 0), (105, 3), (110, 5)]
    assert list(ramp_steps(Ramp("on", 10, 11, 0, 10, 4))) == [(0, 10), (5, 11)]
    assert list(ramp_steps(Ramp("on", 0, 3, 0, 10, 3))) == [(0, 0), (4, 1), (7, 2), (10, 3)]
    assert list(ramp_steps(Ramp("on", 5, 0, 0, 2, 2))) == [(0, 5), (1, 3), (2, 0)]


# Entitlements


def test_grants_are_tables_by_their_time() -> None:
    """One for each distinct window; a written day is the last one, in UTC, and never outlives its agreement."""
    flag = resolve(
        ENTITLED,
        binding("acme", {}, org="acme"),
        binding("globex", {"until": "2026-06-30"}, org="globex"),
        binding("initech", {"until": "2027-06-30"}, org="initech"),
    )
    year, july, next_year = 1767225600, 1782864000, 1798761600
    assert flag.rules[0].when == Granted(((year, july, ("globex",)), (year, next_year, ("acme", "initech"))))
    assert flag.dependencies == tuple(
        f"EntitlementBinding/entitlements/{name}" for name in ("acme", "globex", "initech")
    )


def test_without_a_grant_nobody_is_entitled() -> None:
    """And no binding is a dependency."""
    flag = resolve(ENTITLED, binding("acme", {"flag": f"{NAMESPACE}/another"}))
    assert flag.rules[0].when == Granted(())
    assert flag.dependencies == ()


def test_grants_of_variants_come_before_the_rule() -> None:
    """In code-point order, the safe variant last, narrowed to the rule's own condition."""
    section = rule(when={"entitled": True, "beta": True}, serve="half")
    flag = resolve(section, binding("acme", {"variant": "on"}, {"variant": "off"}), binding("globex", {}, org="globex"))
    assert [each.outcome for each in flag.rules] == [Serve("on"), Serve("off"), Serve("half")]
    everyone = Granted(((1767225600, 1798761600, ("acme", "globex")),))
    beta = Test(("beta",), "eq", True)
    assert parts(flag.rules[0].when) == (beta, everyone, Granted(((1767225600, 1798761600, ("acme",)),)))
    assert parts(flag.rules[2].when) == (beta, everyone)


# The catalogue


def test_dependents_are_found_through_everything() -> None:
    """A segment's flags, and the flags that require them; a binding's, where they ask for entitlement."""
    documents = [
        flag_document("main", {"default": "off", **rule(when={"segment": "eu"})}),
        flag_document("next", {"default": "off", "requires": [{"flag": "main", "variant": "on"}]}),
        flag_document("last", {"default": "off", "requires": [{"flag": "next", "variant": "on"}]}),
        flag_document("sold", {"default": "off", **ENTITLED}),
        flag_document("free", {"default": "off"}),
        segment("eu", {"country": "DE"}),
        binding("acme", {"flag": f"{NAMESPACE}/sold"}, {"flag": f"{NAMESPACE}/free"}),
    ]
    index = Catalogue.of(documents)

    def dependents(subject: str) -> set[str]:
        return {name.removeprefix(f"{NAMESPACE}/") for name in index.dependents(subject)}

    assert dependents(f"Segment/{NAMESPACE}/eu") == {"main", "next", "last"}
    assert dependents(f"FlagDefinition/{NAMESPACE}/main") == {"next", "last"}
    assert dependents(f"FlagDefinition/{NAMESPACE}/last") == set()
    assert dependents("EntitlementBinding/entitlements/acme") == {"sold"}
    assert dependents("Segment/payments/none") == set()


def test_tombstones_are_not_there() -> None:
    """A removed document is found by nobody, though those that name it are its dependents."""
    gone = segment("eu", {"country": "DE"}).tombstone()
    index = Catalogue.of([flag_document("main", {"default": "off", **rule(when={"segment": "eu"})}), gone])
    assert "payments/eu" not in index.segments
    assert index.dependents("Segment/payments/eu") == {"payments/main"}


def test_a_fingerprint_changes_with_all_a_flag_is_made_from() -> None:
    """And with nothing else."""
    main = flag_document(
        "main", {"default": "off", **rule(when={"segment": "eu"}), "requires": [{"flag": "gate", "variant": "on"}]}
    )
    gate = flag_document("gate", {"default": "off", **ENTITLED})
    parts = [main, gate, segment("eu", {"country": "DE"}), binding("acme", {"flag": f"{NAMESPACE}/gate"})]
    before = Catalogue.of(parts).fingerprint(f"{NAMESPACE}/main")
    others = [
        flag_document("gate", {"default": "on", **ENTITLED}),
        segment("eu", {"country": "FR"}),
        binding("acme", {"flag": f"{NAMESPACE}/gate", "until": "2026-06-30"}),
        binding("globex", {"flag": f"{NAMESPACE}/gate"}, org="globex"),
    ]
    for other in others:
        kept = [part for part in parts if part.subject != other.subject]
        assert Catalogue.of([*kept, other]).fingerprint(f"{NAMESPACE}/main") != before
    unrelated = [flag_document("x", {"default": "on"}), binding("x", {"flag": f"{NAMESPACE}/x"})]
    assert Catalogue.of([*parts, *unrelated]).fingerprint(f"{NAMESPACE}/main") == before
