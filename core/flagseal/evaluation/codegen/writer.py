"""Targeting as Python source: how one function per flag is written.

JSONLogic is read once and becomes straight-line Python, which the interpreter runs about twenty times as fast as a
walk over the tree. Nothing of a document ever becomes source: texts, numbers and names are bound to parameters
(``k0``, ``k1``, …) of an enclosing factory, and the source holds only names that are made here. So flags of the same
shape share one code object, and there is nothing to inject.

Values are what JSONLogic says (:mod:`~flagseal.evaluation.jsonlogic`); what is known about a local variable at a place
(a :class:`Site`) only ever lets a cheaper expression of the same meaning be written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from flagseal.evaluation.javascript import truthy
from flagseal.evaluation.jsonlogic import OPERATORS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flagseal.evaluation.bucketing import Bucketing

Kind: TypeAlias = Literal["any", "bool", "maybe", "text", "number", "null", "list"]
"""What an expression gives: ``maybe`` is True, False or None; ``number`` is never NaN."""

Fact: TypeAlias = Literal["text", "number", "true", "false"]

_PLAIN: Final = frozenset({"bool", "maybe", "text", "number", "null", "list"})
DEEPEST_EXPRESSION: Final = 24
"""Levels of logic in one expression; what lies deeper becomes a function of its own, within Python's own limits."""


class Site(msgspec.Struct, frozen=True):
    """What is known where an expression stands.

    Attributes:
        assigned: Local variables that have been assigned on every way here.
        facts: What tests passed on the way say about some of them.
    """

    assigned: frozenset[str] = frozenset()
    facts: Mapping[str, Fact] = msgspec.field(default_factory=dict)

    def with_assigned(self, name: str) -> Site:
        """Know one more variable."""
        return self if name in self.assigned else Site(self.assigned | {name}, self.facts)

    def with_fact(self, name: str | None, fact: Fact) -> Site:
        """Know something about a variable, if it is one."""
        return self if name is None else Site(self.assigned, {**self.facts, name: fact})


class Code(msgspec.Struct, frozen=True):
    """An expression.

    Attributes:
        text: Python source, in parentheses where it needs them.
        kind: What it gives.
        name: The local variable that holds its value once it has been evaluated, if one does.
    """

    text: str
    kind: Kind = "any"
    name: str | None = None

    @property
    def again(self) -> str:
        """The source that gives the same value a second time (only where there is a name)."""
        return self.name if self.name is not None else self.text


class Test(msgspec.Struct, frozen=True):
    """An expression whose Python truth is the JSONLogic truth of a node.

    Attributes:
        yes: What is known if it holds.
        no: What is known if it does not.
        exact: Whether it gives True or False and nothing else, and so is a value too.
    """

    text: str
    yes: Site
    no: Site
    exact: bool = False

    def as_value(self) -> tuple[Code, Site]:
        """Write the boolean that says whether it holds, and what is known afterwards."""
        text = self.text if self.exact else f"(True if {self.text} else False)"
        return Code(text, "bool"), Site(self.yes.assigned & self.no.assigned)


ALWAYS: Final = "True"
NEVER: Final = "False"


def known(site: Site, code: Code, fact: Literal["text", "number"]) -> bool:
    """Tell whether a code is known to give a text, or a number, at a place."""
    return code.kind == fact or (code.name is not None and site.facts.get(code.name) == fact)


def always(site: Site) -> Test:
    """Write a condition that holds."""
    return Test(ALWAYS, site, site, exact=True)


def never(site: Site) -> Test:
    """Write a condition that does not."""
    return Test(NEVER, site, site, exact=True)


ValueWriter: TypeAlias = "Callable[[Writer, Sequence[object], Site], tuple[Code, Site]]"
TestWriter: TypeAlias = "Callable[[Writer, Sequence[object], Site], Test]"

VALUES: Final[dict[str, ValueWriter]] = {}
TESTS: Final[dict[str, TestWriter]] = {}


def writes(*operators: str) -> Callable[[ValueWriter], ValueWriter]:
    """Register how operators are written as values."""

    def register(write: ValueWriter) -> ValueWriter:
        VALUES.update(dict.fromkeys(operators, write))
        return write

    return register


def conditions(*operators: str, boolean: bool = True) -> Callable[[TestWriter], TestWriter]:
    """Register how operators are written as conditions.

    Args:
        operators: Their names.
        boolean: Whether their value is true or false, so that the condition is enough to write it.
    """

    def register(write: TestWriter) -> TestWriter:
        TESTS.update(dict.fromkeys(operators, write))
        if boolean:
            VALUES.update(dict.fromkeys(operators, lambda *place: write(*place).as_value()))
        return write

    return register


def operation(node: object) -> tuple[str, Sequence[object]] | None:
    """Take a node apart into operator and arguments; None if it is not logic but a value."""
    if not isinstance(node, dict) or len(node) != 1:
        return None
    ((operator, arguments),) = node.items()
    return operator, arguments if isinstance(arguments, list) else [arguments]


def is_constant(node: object) -> bool:
    """Tell whether a node is a value with no logic in it."""
    if isinstance(node, list):
        return all(map(is_constant, node))
    return operation(node) is None


class Scope:
    """The data that ``var`` reads, and the function in which it does.

    Attributes:
        item: Name of the parameter that holds the data; None for the evaluation context.
    """

    def __init__(self, item: str | None = None) -> None:
        self.item = item
        self._names: dict[object, str] = {}
        self._temporaries = 0

    def local(self, path: object) -> str:
        """Name the variable that holds what lies at a path."""
        return self._names.setdefault(path, f"v{len(self._names)}")

    def temporary(self) -> str:
        """Name a variable for one use."""
        self._temporaries += 1
        return f"t{self._temporaries}"


class Writer:
    """Write the targeting of one flag.

    Args:
        flag_key: The key under which the flag is asked.
        bucketing: How splits hash.

    Attributes:
        scope: Where the next expression stands.
        constants: What is bound to ``k0``, ``k1``, ….
        functions: Sources of the functions besides the main one.
        reads_time: Whether something asks for the time.
    """

    def __init__(self, flag_key: str, bucketing: Bucketing) -> None:
        self.flag_key = flag_key
        self.bucketing = bucketing
        self.scope = Scope()
        self.constants: list[object] = []
        self.functions: list[str] = []
        self.reads_time = False
        self._operators: dict[str, str] = {}
        self._rank: str | None = None
        self._functions_begun = 0
        self._depth = 0

    def bind(self, value: object) -> str:
        """Bind an object to a name that the source may use."""
        self.constants.append(value)
        return f"k{len(self.constants) - 1}"

    def now(self) -> str:
        """Give the variable with the unix time, one and the same for a whole evaluation."""
        self.reads_time = True
        return "n"

    def constant(self, value: object) -> Code:
        """Write a constant."""
        if value is None:
            return Code("None", "null")
        if value is True or value is False:
            return Code("True" if value else "False", "bool")
        kind: Kind = "text" if isinstance(value, str) else "number" if isinstance(value, (int, float)) else "any"
        return Code(self.bind(value), kind)

    def operator(self, name: str) -> str:
        """Bind an operator that needs nothing but its arguments, once."""
        if name not in self._operators:
            self._operators[name] = self.bind(OPERATORS[name])
        return self._operators[name]

    def rank(self) -> str:
        """Bind what turns a key into its rank, once."""
        self._rank = self._rank or self.bind(self.bucketing.rank)
        return self._rank

    def value(self, node: object, site: Site) -> tuple[Code, Site]:
        """Write what a node evaluates to; also say what is known afterwards."""
        logic = operation(node)
        if logic is None:
            if isinstance(node, list) and not is_constant(node):
                texts, site = self.values(node, site)
                return Code(f"[{', '.join(texts)}]", "list"), site
            return self.constant(node), site
        if self._depth >= DEEPEST_EXPRESSION:
            return Code(self.called(self.function(lambda: self._body(node)))), site
        operator, arguments = logic
        self._depth += 1
        try:
            return VALUES.get(operator, _otherwise(operator))(self, arguments, site)
        finally:
            self._depth -= 1

    def values(self, nodes: Sequence[object], site: Site) -> tuple[list[str], Site]:
        """Write several nodes that are all evaluated, in order."""
        texts = []
        for node in nodes:
            code, site = self.value(node, site)
            texts.append(code.text)
        return texts, site

    def test(self, node: object, site: Site) -> Test:
        """Write whether a node is truthy."""
        logic = operation(node)
        if logic is not None and logic[0] in TESTS and self._depth < DEEPEST_EXPRESSION:
            self._depth += 1
            try:
                return TESTS[logic[0]](self, logic[1], site)
            finally:
                self._depth -= 1
        if logic is None and is_constant(node):
            return always(site) if truthy(node) else never(site)
        code, after = self.value(node, site)
        return Test(code.text if code.kind in _PLAIN else f"truthy({code.text})", after, after)

    def name(self, code: Code) -> Code:
        """Give a code that can be used twice: the text once, :attr:`Code.again` after it."""
        if code.name is not None or code.text.isidentifier():
            return code if code.name is not None else Code(code.text, code.kind, code.text)
        name = self.scope.temporary()
        return Code(f"({name} := {code.text})", code.kind, name)

    # Functions

    def function(self, body: Callable[[], list[str]], *, item: str | None = None) -> str:
        """Write a function besides the main one.

        Args:
            body: Writes its statements, in a scope of its own.
            item: Name of its parameter where it reads a member of a list; None where it reads the context.

        Returns:
            Its name.
        """
        self._functions_begun += 1
        name = f"f{self._functions_begun}"
        scope, depth = self.scope, self._depth
        self.scope, self._depth = Scope(item if item is not None else scope.item), 0
        lines = body()
        parameters = self.scope.item or "c, g, n"
        self.scope, self._depth = scope, depth
        self.functions.append("\n".join([f"def {name}({parameters}):", *(f" {line}" for line in lines)]))
        return name

    def called(self, function: str) -> str:
        """Call a function on the data of this scope."""
        return f"{function}({self.scope.item or 'c, g, n'})"

    def _body(self, node: object) -> list[str]:
        code, _ = self.value(node, Site())
        return [f"return {code.text}"]

    def logic_function(self, node: object) -> str:
        """Write logic over the members of a list as a function of one member."""
        return self.function(lambda: self._body(node), item="d")


def _otherwise(operator: str) -> ValueWriter:
    def write(writer: Writer, arguments: Sequence[object], site: Site) -> tuple[Code, Site]:
        if operator not in OPERATORS:
            # As in the reference implementation, it fails when it is reached and not before.
            return Code(f"malformed({writer.bind(operator)})"), site
        texts, site = writer.values(arguments, site)
        return Code(f"{writer.operator(operator)}({', '.join(texts)})"), site

    return write
