"""One flag of a flagd document: what it can answer, and the function that does."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from flagseal.evaluation.codegen.program import DEEPEST_TARGETING, compiled, nesting
from flagseal.evaluation.javascript import to_text
from flagseal.evaluation.outcome import Evaluation, Metadata, error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from flagseal.evaluation.bucketing import Bucketing

Ready: TypeAlias = "tuple[Evaluation | None, Callable[[object], Evaluation]]"
"""A flag that can be asked: the one answer that everybody gets, or None where there is no such one; and what gives the
answer for a context. A plain pair, which the interpreter takes apart at once."""

_STATES: Final = ("ENABLED", "DISABLED")
_LONGEST_QUOTE: Final = 100


class MalformedFlag(Exception):
    """One flag of a document is not of flagd's form."""


def copied(value: object, room: int = DEEPEST_TARGETING) -> object:
    """Copy a JSON value, so that nobody changes it under us.

    Raises:
        MalformedFlag: It is no JSON value, or nested too deeply.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        if value - value != 0:
            raise MalformedFlag("a number that JSON has not")
        return value
    if room == 0:
        raise MalformedFlag(f"nested deeper than {DEEPEST_TARGETING} levels")
    if isinstance(value, (list, tuple)):
        return [copied(item, room - 1) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: copied(item, room - 1) for key, item in value.items()}
    raise MalformedFlag("a value that JSON has not")


def _own(value: object) -> object:
    """Copy a value that is known to be JSON."""
    if isinstance(value, dict):
        return {key: _own(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_own(item) for item in value]
    return value


def _fresh(evaluation: Evaluation) -> Evaluation:
    return Evaluation(_own(evaluation.value), *evaluation[1:])


def checked_metadata(value: object) -> Mapping[str, str | int | float | bool]:
    """Check metadata: texts, numbers and booleans by name.

    Raises:
        MalformedFlag: It is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(entry, (str, int, float)) for entry in value.values()):
        raise MalformedFlag("metadata that are not texts, numbers or booleans")
    return value


def merged_metadata(of_set: Metadata, own: object) -> Metadata:
    """Lay a flag's metadata over those of its set.

    Raises:
        MalformedFlag: They are something else.
    """
    checked = checked_metadata(own)
    return MappingProxyType({**of_set, **checked}) if checked else of_set


def _dereferenced(node: object, evaluators: Mapping[str, object]) -> object:
    """Put shared rules in the place of references to them, once: what they refer to themselves stays as it is."""
    if isinstance(node, list):
        return [_dereferenced(item, evaluators) for item in node]
    if not isinstance(node, dict):
        return node
    name = node.get("$ref") if len(node) == 1 else None
    if isinstance(name, str) and name in evaluators:
        return evaluators[name]
    return {key: _dereferenced(item, evaluators) for key, item in node.items()}


def quoted(name: str) -> str:
    """Quote a text that came from outside, shortened."""
    return repr(name if len(name) <= _LONGEST_QUOTE else name[:_LONGEST_QUOTE] + "…")


class Answers:
    """What one flag can answer: an evaluation for each variant, made once."""

    def __init__(self, variants: Mapping[str, object], default: str | None, metadata: Metadata) -> None:
        self._variants = variants
        self._metadata = metadata
        self._default = default
        self._served: dict[object, Evaluation] = {}
        # A reader of JSON shares the keys of objects, and no other texts: so a name is given as the key that it is.
        self._names = {name: name for name in variants}

    def default(self) -> Evaluation:
        """Answer where targeting gives null."""
        if self._default is None:
            return Evaluation(None, None, "DEFAULT", metadata=self._metadata)
        if self._default not in self._variants:
            return error("GENERAL", f"the default variant {quoted(self._default)} does not exist", self._metadata)
        name = self._names[self._default]
        return Evaluation(self._variants[name], name, "DEFAULT", metadata=self._metadata)

    def static(self) -> Evaluation:
        """Answer where there is no targeting."""
        answer = self.default()
        return answer if answer.variant is None else answer._replace(reason="STATIC")

    def serve(self, result: object) -> Evaluation:
        """Answer by what targeting gave: a variant's name, a boolean that stands for one, or null."""
        if result is None:
            return self._given(None)
        if isinstance(result, (list, dict)) or not isinstance(result, (str, int, float)):
            return error("GENERAL", "targeting gives neither a variant nor null", self._metadata)
        return self._given(to_text(result))

    def _given(self, name: str | None) -> Evaluation:
        known = self._served.get(name)
        if known is None:
            if name is None:
                known = self.default()
            elif name not in self._variants:
                return error("GENERAL", f"targeting names the unknown variant {quoted(name)}", self._metadata)
            else:
                known = Evaluation(self._variants[name], self._names[name], "TARGETING_MATCH", metadata=self._metadata)
            self._served[name] = known
        return known if self.is_shared(known) else _fresh(known)

    def is_shared(self, evaluation: Evaluation) -> bool:
        """Tell whether an answer may be given to everyone as it is: nobody can change its value."""
        return not isinstance(evaluation.value, (dict, list))


@dataclass(frozen=True, slots=True)
class FlagReader:
    """Read the flags of one document.

    Attributes:
        evaluators: Shared rules by name.
        metadata: Of the flag set.
        bucketing: How splits hash.
        clock: Gives unix seconds.
    """

    evaluators: Mapping[str, object]
    metadata: Metadata
    bucketing: Bucketing
    clock: Callable[[], float]
    _shared: dict[str, Metadata] = field(default_factory=dict, compare=False, repr=False)

    def read(self, key: str, flag: object) -> Ready:
        """Make a flag ready to be asked.

        Args:
            key: The key under which it is asked.
            flag: As the document has it.

        Raises:
            MalformedFlag: It is not of flagd's form.
        """
        variants, default, targeting = _form(flag)
        assert isinstance(flag, dict)  # noqa: S101 (its form has just been checked; mypy cannot know)
        metadata = self._metadata_of(flag)
        if flag["state"] == "DISABLED":
            return always(Evaluation(None, None, "DISABLED", metadata=metadata))
        answers = Answers(variants, default, metadata)
        logic = _dereferenced(targeting, self.evaluators) if self.evaluators else targeting
        if not logic:
            return always(answers.static())
        if not isinstance(logic, dict) or len(logic) != 1:
            raise MalformedFlag("targeting is not one operation")
        if nesting(logic) > DEEPEST_TARGETING:
            raise MalformedFlag(f"targeting nested deeper than {DEEPEST_TARGETING} levels")
        return None, compiled(key, logic, answers, bucketing=self.bucketing, clock=self.clock, fresh=_fresh)

    def _metadata_of(self, flag: Mapping[str, object]) -> Metadata:
        """Give a flag's metadata; flags that say the same share one mapping, and there are thousands of them."""
        metadata = merged_metadata(self.metadata, flag.get("metadata"))
        return self._shared.setdefault(repr(sorted(metadata.items())), metadata)


def _form(flag: object) -> tuple[Mapping[str, object], str | None, object]:
    """Check a flag's form; give its variants, default variant and targeting.

    Raises:
        MalformedFlag: It is not of flagd's form.
    """
    if not isinstance(flag, dict):
        raise MalformedFlag("not an object")
    variants, default, targeting = flag.get("variants"), flag.get("defaultVariant"), flag.get("targeting")
    if flag.get("state") not in _STATES:
        raise MalformedFlag("state is neither ENABLED nor DISABLED")
    if not isinstance(variants, dict) or not variants or None in variants.values():
        raise MalformedFlag("variants are not an object of values")
    if default is not None and not isinstance(default, str):
        raise MalformedFlag("defaultVariant is not a text")
    if targeting is not None and not isinstance(targeting, dict):
        raise MalformedFlag("targeting is not an object")
    return variants, default or None, targeting


def always(evaluation: Evaluation) -> Ready:
    """Make a flag that gives one answer, whatever the context."""
    if isinstance(evaluation.value, (dict, list)):
        return None, lambda _: _fresh(evaluation)
    return evaluation, lambda _: evaluation
