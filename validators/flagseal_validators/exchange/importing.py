"""Flags of other systems as definitions, with what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, cast

from flagseal.evaluation import FlagSet
from flagseal.evaluation.catalogue import Catalogue
from flagseal.evaluation.compile import compile_flag
from flagseal.evaluation.resolve import resolve_flag
from flagseal.model.errors import CompileError, InvalidDocuments
from flagseal_validators.exchange.comparing import Asked, Comparison, compare
from flagseal_validators.exchange.conditions import Opaque
from flagseal_validators.exchange.defining import Definer, LeftOut
from flagseal_validators.exchange.targeting import rules_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from flagseal.model.canonical import Json
    from flagseal.model.document import Document
    from flagseal.model.policies import PolicySet
    from flagseal_validators.exchange.defining import Defaults
    from flagseal_validators.exchange.neutral import Remark
    from flagseal_validators.exchange.source import FlagSource

Outcome = Literal["exactly", "raw", "changed", "left out"]

_KNOWN_FIELDS: Final = frozenset({"key", "state", "variants", "defaultVariant", "targeting", "metadata"})


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one flag.

    Attributes:
        key: As it was asked for.
        outcome: ``exactly``: as rules, or with none; ``raw``: as raw targeting; ``changed``: with a difference that is
            named; ``left out``: not at all.
        notes: Why, and what was not kept, as sentences.
        document: The definition; None if it is left out.
        comparison: Both sides evaluated by the hashing here.
        moved: Both sides evaluated each by its own hashing, where they differ and the flag splits.
        remarks: The notes of flags that came in the neutral form, each with its kind and place.
    """

    key: str
    outcome: Outcome
    notes: tuple[str, ...]
    document: Document | None = None
    comparison: Comparison | None = None
    moved: Comparison | None = None
    remarks: tuple[Remark, ...] = ()


def import_flags(
    source: FlagSource,
    namespace: str,
    defaults: Defaults,
    *,
    existing: Iterable[Document],
    policies: PolicySet,
    now: int,
) -> tuple[Imported, ...]:
    """Turn the flags of a document into definitions, each tried as rules first.

    Args:
        source: What was read.
        namespace: Where they go.
        defaults: What the origin does not say.
        existing: Documents of the repository; their names and keys are taken.
        policies: Its policies: teams, and how its environments hash.
        now: Unix seconds, at which both sides are compared.
    """
    definer = Definer(source.file, namespace, defaults, policies)
    definer.take(existing)
    importer = _Importer(source, definer, defaults, policies, now)
    return tuple(importer.one(key, flag) for key, flag in source.flags.items())


@dataclass
class _Importer:
    source: FlagSource
    definer: Definer
    defaults: Defaults
    policies: PolicySet
    now: int

    def one(self, key: str, flag: Json) -> Imported:
        try:
            imported = self._imported(key, flag)
        except LeftOut as why:
            return Imported(key, "left out", (str(why),))
        except InvalidDocuments as error:
            told = dict.fromkeys(f"{finding.path}: {finding.message}" for finding in error.findings)
            return Imported(key, "left out", tuple(told))
        except CompileError as error:
            reason = error.message.partition(", targeting: ")[2] or error.message
            return Imported(key, "left out", (f"{reason}. {error.remedy}".strip(),))
        if imported.document is not None:
            self.definer.take([imported.document])
        return imported

    def _imported(self, key: str, flag: Json) -> Imported:
        if key in self.definer.keys:
            raise LeftOut(f"the key is taken by {self.definer.keys[key]}")
        answer = FlagSet.load(self._alone(key)).evaluate(key, {})
        if answer.error_code == "PARSE_ERROR":
            raise LeftOut(f"no evaluator reads it: {answer.error_message}")
        parts = cast("dict[str, Json]", flag)
        name = self.definer.name_for(key)
        notes = [*self._not_kept(parts)]
        if parts["state"] == "DISABLED":
            notes.append(
                "it is disabled, so no environment serves it: applications go on getting their own default, "
                "as FLAG_NOT_FOUND instead of DISABLED; its targeting is not kept"
            )
            document = self._document(name, key, parts, None)
            return Imported(key, "changed", tuple(notes), document)
        if not parts.get("defaultVariant"):
            raise LeftOut("it has no default variant, and a definition needs one: give it one there first")
        targeting = inlined(parts.get("targeting"), self.source.evaluators)
        return self._served(name, key, parts, targeting, notes)

    def _served(self, name: str, key: str, parts: Mapping[str, Json], targeting: Json, notes: list[str]) -> Imported:
        default = cast("str", parts["defaultVariant"])
        outcome: Outcome = "exactly"
        try:
            rules = self._rules(key, targeting, cast("dict[str, Json]", parts["variants"]))
            section: dict[str, Json] = {"default": default, **({"rules": list(rules)} if rules else {})}
            document = self._document(name, key, parts, section)
            comparison = self._alike(key, document, targeting)
            if comparison.differ:
                outcome = "changed"
                notes.append("`==` is read as if nothing were converted")
        except (Opaque, InvalidDocuments, CompileError) as why:
            if not targeting:
                raise
            outcome = "raw"
            notes.insert(0, str(why) if isinstance(why, Opaque) else "no rules are valid for it")
            document = self._document(name, key, parts, {"default": default, "targeting": targeting})
            comparison = self._compared(key, document, targeting)
            if comparison.differ:
                raise LeftOut(
                    f"{comparison.differ} of {comparison.evaluated} contexts would be answered otherwise"
                ) from None
        moved = self._moved(key, document, targeting)
        if moved is not None and moved.differ:
            notes.append(
                f"splits hash by {self.defaults.bucketing} there and otherwise here: "
                f"{moved.differ} of {moved.evaluated} generated contexts are answered otherwise"
            )
        return Imported(key, outcome, tuple(notes), document, comparison, moved)

    def _rules(self, key: str, targeting: Json, variants: Mapping[str, Json]) -> list[dict[str, Json]]:
        if not targeting:
            return []
        return rules_of(targeting, key, variants, strict_equality=self.defaults.strict_equality)

    # What is written

    def _document(self, name: str, key: str, parts: Mapping[str, Json], section: Json) -> Document:
        variants = cast("dict[str, Json]", parts["variants"])
        sections: dict[str, Json] = {} if section is None else dict.fromkeys(self.defaults.environments, section)
        safe = self.definer.safe_variant(variants, parts.get("defaultVariant"))
        return self.definer.definition(name, key, variants, sections, safe=safe, said=self._metadata(parts))

    def _metadata(self, parts: Mapping[str, Json]) -> Mapping[str, Json]:
        found = parts.get("metadata")
        return found if isinstance(found, dict) else {}

    def _not_kept(self, parts: Mapping[str, Json]) -> Iterator[str]:
        lost = [name for name, value in self._metadata(parts).items() if not self.definer.usable(name, value)]
        if lost:
            yield f"metadata not kept: {', '.join(sorted(lost))}"
        unknown = sorted(parts.keys() - _KNOWN_FIELDS)
        if unknown:
            yield f"fields not kept: {', '.join(unknown)}"

    # Both sides

    def _hashings(self) -> tuple[str, ...]:
        environments = self.policies.environments
        return tuple(sorted({environments[name].bucketing for name in self.defaults.environments}))

    def _alike(self, key: str, document: Document, targeting: Json) -> Comparison:
        """Compare a definition by rules; what differs is let through only where it was asked for."""
        found = self._compared(key, document, targeting)
        if found.differ and not self.defaults.strict_equality:
            raise Opaque(f"as rules, {found.differ} of {found.evaluated} contexts would differ")
        return found

    def _compared(self, key: str, document: Document, targeting: Json) -> Comparison:
        return self._sum(key, document, targeting, None)

    def _moved(self, key: str, document: Document, targeting: Json) -> Comparison | None:
        hashings = self._hashings()
        if hashings == (self.defaults.bucketing,) or "fractional" not in repr(targeting):
            return None
        return self._sum(key, document, targeting, self.defaults.bucketing)

    def _sum(self, key: str, document: Document, targeting: Json, origin: str | None) -> Comparison:
        alone = self._alone(key)
        evaluated = differ = 0
        example: Mapping[str, Json] | None = None
        for bucketing in self._hashings():
            ours = {"flags": {key: _compiled(document, self.defaults.environments[0])}, "metadata": alone["metadata"]}
            there, here = Asked(alone, origin or bucketing), Asked(ours, bucketing)
            found = compare(there, here, key, (targeting,), now=self.now)
            evaluated, differ = evaluated + found.evaluated, differ + found.differ
            example = example or found.example
        return Comparison(evaluated, differ, example)

    def _alone(self, key: str) -> dict[str, Json]:
        return {
            "flags": {key: self.source.flags[key]},
            "$evaluators": dict(self.source.evaluators),
            "metadata": dict(self.source.metadata),
        }


def _compiled(document: Document, environment: str) -> Json:
    catalogue = Catalogue.of([document])
    definition = next(iter(catalogue.flags.values()))
    return cast("Json", compile_flag(resolve_flag(definition, environment, catalogue), definition, None))


def inlined(node: Json, evaluators: Mapping[str, Json]) -> Json:
    """Put shared rules in the place of references to them, once, as flagd does."""
    if isinstance(node, list):
        return [inlined(item, evaluators) for item in node]
    if not isinstance(node, dict):
        return node
    name = node.get("$ref")
    if len(node) == 1 and isinstance(name, str) and name in evaluators:
        return evaluators[name]
    return {word: inlined(value, evaluators) for word, value in node.items()}
