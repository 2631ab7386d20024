"""What is proven about rules is never contradicted by evaluating them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from hypothesis import given
from hypothesis import strategies as st

from flagseal.evaluation import FlagSet
from flagseal.evaluation.analysis import never_bucketed
from flagseal.evaluation.catalogue import Catalogue
from flagseal.evaluation.compile import compile_flag
from flagseal.evaluation.emit import emit
from flagseal.evaluation.resolve import resolve_flag
from flagseal.model.condition import Test
from flagseal.model.document import Document
from flagseal.model.flag import Split
from flagseal_validators.reasoning import (
    always_holds,
    contradictions,
    dead_parts,
    deciding_buckets,
    is_unreachable,
    makes_no_difference,
    sections_of,
)
from tests.evaluation.world import ENVIRONMENT, INSTANTS, NAMESPACE, SECONDS, flag_document
from tests.gate.reasoning.neighbours import contexts_near

if TYPE_CHECKING:
    from flagseal.evaluation.resolved import ResolvedCondition
    from flagseal.model.condition import Condition
    from flagseal_validators.reasoning import Section

TEXTS = ["acme", "globex", "acme-eu"]
_scalars = st.one_of(st.sampled_from(TEXTS), st.sampled_from([1, 2, True]))
_predicates = st.one_of(
    _scalars,
    _scalars.map(lambda it: {"ne": it}),
    st.lists(_scalars, min_size=1, max_size=3, unique_by=repr).map(lambda it: {"in": it}),
    st.lists(_scalars, min_size=1, max_size=3, unique_by=repr).map(lambda it: {"notIn": it}),
    st.sampled_from(["a", "acme"]).map(lambda it: {"startsWith": it}),
    st.sampled_from(["eu", "e"]).map(lambda it: {"endsWith": it}),
    st.sampled_from(["cm", "-"]).map(lambda it: {"hasSubstring": it}),
    st.tuples(st.sampled_from(["gt", "gte", "lt", "lte"]), st.sampled_from([1, 2])).map(lambda it: {it[0]: it[1]}),
    st.sampled_from([">=1.2.0", "<1.2.0", "^1.2.0", "~1.2", "!=1.2.0", ">2.0.0-rc.1"]).map(lambda it: {"semver": it}),
    st.tuples(st.sampled_from(["before", "after"]), st.sampled_from(INSTANTS)).map(lambda it: {it[0]: it[1]}),
    st.sampled_from(["acme", 1]).map(lambda it: {"contains": it}),
    st.booleans().map(lambda it: {"exists": it}),
)
_tests = st.dictionaries(st.sampled_from(["org", "org", "user.plan"]), _predicates, min_size=1, max_size=2)
conditions = st.recursive(
    st.one_of(_tests, _tests, st.just({"segment": "insiders"})),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda it: {"all": it}),
        st.lists(inner, min_size=1, max_size=3).map(lambda it: {"any": it}),
        inner.map(lambda it: {"not": it}),
    ),
    max_leaves=4,
)


@st.composite
def rules(draw: st.DrawFn, outcomes: st.SearchStrategy[dict[str, Any]]) -> list[dict[str, Any]]:
    """Draw the rules of an environment: of few attributes and values, so that they meet often."""
    made = []
    for number in range(draw(st.integers(1, 4))):
        rule = {"name": f"rule {number}", **draw(outcomes)}
        if draw(st.integers(0, 5)):
            rule["when"] = draw(conditions)
        if not draw(st.integers(0, 3)):
            first, last = sorted(draw(st.lists(st.sampled_from(INSTANTS), min_size=2, max_size=2, unique=True)))
            rule |= draw(st.sampled_from([{"from": first}, {"until": last}, {"from": first, "until": last}]))
        made.append(rule)
    return made


_RAMP = {"variant": "on", "from": 10, "to": 100, "start": INSTANTS[0], "end": INSTANTS[2], "steps": 2, "by": "org"}
OUTCOMES: dict[str, dict[str, Any]] = {
    "on": {"serve": "on"},
    "off": {"serve": "off"},
    "half": {"serve": "half"},
    "split": {"split": {"on": 1, "off": 1}, "by": "org"},
    "ramp": {"ramp": _RAMP},
}
outcomes = st.sampled_from(list(OUTCOMES.values()))
served = st.sampled_from(list(OUTCOMES.values())[:3])
segments = _tests.map(lambda when: Document("Segment", NAMESPACE, "insiders", {"when": when}))
moments = st.sampled_from([second + step for second in SECONDS for step in (-1, 0, 1)])


class World:
    """A flag, its environment as reasoned about, and the evaluator."""

    def __init__(self, listed: list[dict[str, Any]], segment: Document, **section: Any) -> None:  # noqa: ANN401 (JSON)
        self.flag = flag_document("main", {"rules": listed, "default": "off", **section})
        self.catalogue = Catalogue.of([self.flag, segment])
        self.now = 0

    @property
    def section(self) -> Section:
        """What is reasoned about."""
        return sections_of(self.flag, self.catalogue)[0]

    def conditions(self) -> list[Condition]:
        """Give the conditions of the rules."""
        return [clause.part.condition for clause in self.section.clauses if clause.part is not None]

    def evaluator(self, without: str | None = None, *, numbered: bool = False) -> FlagSet:
        """Compile the flag: without a rule, or with each rule serving a variant of its own name."""
        spec: dict[str, Any] = cast("dict[str, Any]", self.flag.spec)
        section = spec["environments"][ENVIRONMENT]
        listed = [rule for rule in section["rules"] if rule["name"] != without]
        variants = dict(spec["variants"])
        if numbered:
            variants |= {f"r{number}": f"r{number}" for number in range(len(listed))}
            listed = [_numbered(rule, f"r{number}") for number, rule in enumerate(listed)]
        spec = {**spec, "variants": variants, "environments": {ENVIRONMENT: {**section, "rules": listed}}}
        document = Document("FlagDefinition", NAMESPACE, "main", spec)
        catalogue = self.catalogue.changed({document.subject: document})
        definition = catalogue.flags[f"{NAMESPACE}/main"]
        compiled = compile_flag(resolve_flag(definition, ENVIRONMENT, catalogue), definition, None)
        return FlagSet.load({"flags": {"main": compiled}}, clock=lambda: self.now)


def _numbered(rule: dict[str, Any], variant: str) -> dict[str, Any]:
    kept = {key: it for key, it in rule.items() if key in {"name", "when", "from", "until"}}
    if "ramp" in rule:
        # It counts from its start on; instants of one form compare as text.
        kept["from"] = max(rule["ramp"]["start"], rule.get("from", ""))
        if kept.get("until", "9") <= kept["from"]:
            kept |= {"until": "2000-01-02T00:00:00Z", "from": "2000-01-01T00:00:00Z"}
    return {**kept, "serve": variant}


def holds(condition: Condition, context: dict[str, object], world: World) -> bool:
    """Evaluate a condition by itself."""
    targeting = {"if": [emit(cast("ResolvedCondition", condition)), "yes", "no"]}
    flag = {"state": "ENABLED", "variants": {"yes": 1, "no": 0}, "defaultVariant": "no", "targeting": targeting}
    return FlagSet.load({"flags": {"f": flag}}, clock=lambda: world.now).evaluate("f", context).variant == "yes"


asked = st.lists(moments, min_size=12, max_size=24)


@given(rules(outcomes), segments, st.data())
def test_what_is_called_unreachable_is_never_reached(
    listed: list[dict[str, Any]], segment: Document, data: st.DataObject
) -> None:
    """By no context made from the constants of the conditions, at no instant at or beside a bound."""
    world = World(listed, segment)
    section = world.section
    unreachable = {f"r{it}" for it in range(len(section.clauses)) if is_unreachable(section, it)}
    impossible = {
        f"r{it}"
        for it, clause in enumerate(section.clauses)
        if clause.part is not None and any(found is clause.part for found, _ in contradictions(clause.part))
    }
    if not unreachable | impossible:
        return
    evaluator = world.evaluator(numbered=True)
    for world.now in data.draw(asked):
        context = data.draw(contexts_near(world.conditions()))
        assert evaluator.evaluate("main", context).variant not in unreachable | impossible


@given(rules(outcomes), segments, st.data())
def test_nobody_gets_to_a_rule_by_a_dead_part(
    listed: list[dict[str, Any]], segment: Document, data: st.DataObject
) -> None:
    """Whoever reaches the rule has none of the values, and satisfies none of the branches, that were called dead."""
    world = World(listed, segment)
    section = world.section
    dead = {
        f"r{position}": [path for path, _, _ in found]
        for position in range(len(section.clauses))
        if (found := list(dead_parts(section, position)))
    }
    if not dead:
        return
    evaluator = world.evaluator(numbered=True)
    for world.now in data.draw(asked):
        context = data.draw(contexts_near(world.conditions()))
        variant = evaluator.evaluate("main", context).variant
        for path in dead.get(str(variant), ()):
            part = section.clauses[int(str(variant)[1:])].part
            assert part is not None
            for inner in part.everything():
                if inner.path == path:
                    assert not holds(inner.condition, context, world)
                elif path.startswith(f"{inner.path}.in["):
                    test = cast("Test", inner.condition)
                    member = cast("tuple[Any, ...]", test.operand)[int(path[len(inner.path) + 4 : -1])]
                    assert not holds(Test(test.path, "eq", member), context, world)


@given(rules(served), segments, st.data())
def test_a_rule_that_makes_no_difference_makes_none(
    listed: list[dict[str, Any]], segment: Document, data: st.DataObject
) -> None:
    """With it and without it everyone is served the same."""
    world = World(listed, segment)
    section = world.section
    idle = [clause.name for it, clause in enumerate(section.clauses) if makes_no_difference(section, it)]
    if not idle:
        return
    whole, reduced = world.evaluator(), [world.evaluator(name) for name in idle]
    for world.now in data.draw(asked):
        context = data.draw(contexts_near(world.conditions()))
        variant = whole.evaluate("main", context).variant
        assert [it.evaluate("main", context).variant for it in reduced] == [variant] * len(idle)


@given(conditions, segments, st.data())
def test_what_never_or_always_holds_never_or_always_does(
    when: dict[str, Any], segment: Document, data: st.DataObject
) -> None:
    """Parts of conditions as well as whole ones."""
    world = World([{"name": "rule 0", "serve": "on", "when": when}], segment)
    part = world.section.clauses[0].part
    assert part is not None
    never = [(found, others) for found, others in contradictions(part)]
    always = always_holds(part)
    if not never and not always:
        return
    for _ in range(20):
        context = data.draw(contexts_near(world.conditions()))
        assert holds(part.condition, context, world) or not always
        for found, others in never:
            assert not all(holds(it.condition, context, world) for it in (found, *others))


@given(conditions, st.sampled_from(["split", "ramp"]), segments, st.data())
def test_a_split_serves_what_was_found(when: dict[str, Any], kind: str, segment: Document, data: st.DataObject) -> None:
    """Nobody has a bucket where that was proven; and where few values are left, they get what was looked up."""
    world = World([{"name": "rule 0", "when": when, **OUTCOMES[kind]}], segment, default="half")
    clause = world.section.clauses[0]
    nobody = never_bucketed(clause.condition, ("org",))
    values, found = deciding_buckets(clause, "main", "v2", "off")
    if not nobody and not values:
        return
    evaluator = world.evaluator()
    world.now = SECONDS[-1] + 1
    for _ in range(20):
        context = data.draw(contexts_near(world.conditions()))
        if holds(clause.condition, context, world):  # type: ignore[arg-type]
            variant = evaluator.evaluate("main", context).variant
            assert not nobody or variant == "half"
            assert not values or variant in found
            assert not values or context["org"] in values


def test_the_worlds_have_what_is_proven() -> None:
    """One of each, so that the properties above cannot all pass by finding nothing."""
    listed = [
        {"name": "a", "when": {"org": {"in": ["acme", "globex"]}}, "serve": "on"},
        {"name": "b", "when": {"org": "acme"}, "serve": "half"},
        {"name": "c", "when": {"org": {"in": ["globex", "acme-eu"]}}, "serve": "off"},
        {"name": "d", "when": {"org": "initech"}, "split": {"on": 1, "off": 1}, "by": "org"},
    ]
    section = World(listed, Document("Segment", NAMESPACE, "insiders", {"when": {"org": "acme"}})).section
    assert [is_unreachable(section, it) for it in range(4)] == [False, True, False, False]
    assert [path[-6:] for it in range(4) for path, _, _ in dead_parts(section, it)] == [".in[0]"]
    assert [makes_no_difference(section, it) for it in range(4)] == [False, False, True, False]
    assert isinstance(section.clauses[3].rule.outcome, Split) if section.clauses[3].rule else False
    assert deciding_buckets(section.clauses[3], "main", "v2", "off")[0] == ("initech",)
