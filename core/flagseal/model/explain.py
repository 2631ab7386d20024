"""What a schema refuses, in sentences.

The validator reports keywords and JSON Pointers; people are told what stands there, what could, and which of the known
words is nearest. One cause gives one message.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final, cast

from flagseal.model import rule_ids
from flagseal.model.characters import shown
from flagseal.model.jsonpath import child, join
from flagseal.model.limits import MOST_FINDINGS
from flagseal.model.problem import Problem, did_you_mean, quoted
from flagseal.model.schema import CLUSTER_SCHEMAS, SCHEMAS, cluster, conditions, organisation, review, vocabulary
from flagseal.model.schema.change import END_OF_DAY, ZONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jsonschema_rs import Draft202012Validator, ValidationError

    from flagseal.model.canonical import Json

NOT_EVALUATED: Final[Mapping[str, str]] = {
    "shadow": "trying a second verifier beside the live one (`shadow`)",
    "guard": "rolling back by measurement (`guard`)",
    "fallback": "a fallback of its own for a flag (`fallback`)",
}
"""Fields of an environment that the design knows and this version does not enforce."""

FORMS: Final[Mapping[str, str]] = {
    vocabulary.DNS_LABEL: "lower-case letters, digits and hyphens, as in new-checkout",
    vocabulary.SLUG: "lower-case letters, digits, hyphens, dots and underscores, as in team-payments",
    vocabulary.VARIANT: "letters, digits, dots, hyphens and underscores, beginning and ending with a letter or digit",
    vocabulary.FLAG_REFERENCE: "the name of a flag of this namespace, or namespace/name",
    vocabulary.QUALIFIED_FLAG: "namespace/name",
    vocabulary.ATTRIBUTE: "a dotted path like user.plan; name anything else by {attr: {path: […], …}}",
    vocabulary.DAYS: "a number of days, as in 90d",
    vocabulary.DURATION: "a whole number with s, m, h or d, as in 15m",
    vocabulary.CLOCK: "a time of day, as in 09:00",
    f"{vocabulary.CLOCK}|^{END_OF_DAY}$": "a time of day, as in 16:00, at most 24:00",
    vocabulary.HTTPS: "an address that begins with https://",
    vocabulary.GITHUB_LOGIN: "the name of an account in the forge, as in alice-m",
    vocabulary.RULE_ID: "the id of a rule, as in FS305",
    conditions.SEMVER: "an operator (= != < <= > >= ^ ~) and a version, as in >=1.2.0",
    organisation.OPENSSH_KEY: "a public key in OpenSSH form: ssh-ed25519 AAAA… comment",
    ZONE: "a time zone by place, as in Europe/Berlin, or UTC",
    review.PROOF_DIGEST: "sha256: and 64 hexadecimal digits, as `flagseal incidents list` shows them",
    cluster.BASE64: "base64",
    cluster.CARRIER: "64 hexadecimal digits, with -2, -3 and so on where one object is too small",
    cluster.POLICY_NAME: "a kind of policy in lower case, a dot and a name, as in organisation.acme",
    cluster.GIT_URL: "an address that begins with https://, ssh:// or file://, or user@host:path, without a password",
}
"""Every pattern of the schemas, as what to write."""

_TYPES: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}


def explain(kind: str, validator: Draft202012Validator, body: Json) -> Iterator[Problem]:
    """Say everything that a document's schema refuses.

    Args:
        kind: The document's kind, one of :data:`~flagseal.model.schema.SCHEMAS`.
        validator: The compiled schema.
        body: The whole document.
    """
    schema = SCHEMAS[kind] if kind in SCHEMAS else CLUSTER_SCHEMAS[kind]
    errors = [(error, join(error.instance_path)) for error in islice(validator.iter_errors(body), MOST_FINDINGS)]
    of_wrong_type = {path for error, path in errors if error.kind.name == "type"}
    told: set[Problem] = set()
    for error, path in errors:
        # A value of the wrong type breaks other keywords too; several keywords can miss the same field.
        if path not in of_wrong_type or error.kind.name == "type":
            for problem in _SENTENCES.get(error.kind.name, _other)(error, path, schema):
                if problem not in told:
                    told.add(problem)
                    yield problem


def _type(error: ValidationError, path: str, _: Mapping[str, object]) -> Iterator[Problem]:
    wanted = cast("Any", error.kind).types
    expected = " or ".join(_TYPES[name] for name in sorted(wanted, key=list(_TYPES).index))
    if path == "$.spec" and error.instance is None:
        yield Problem(rule_ids.WRONG_TYPE, path, "the spec is empty", "Write one; to remove the document, delete it.")
        return
    rule = rule_ids.WEIGHTS if _is_weight(error) else rule_ids.WRONG_TYPE
    yield Problem(rule, path, f"this is {_described(error.instance)}; it must be {expected}", f"Write {expected}.")


def _enum(error: ValidationError, path: str, _: Mapping[str, object]) -> Iterator[Problem]:
    options = [str(option) for option in cast("Any", error.kind).options]
    remedy = did_you_mean(str(error.instance), options) or "Write one of them."
    yield Problem(
        rule_ids.NOT_A_CHOICE, path, f"{_described(error.instance)} is not one of {', '.join(options)}", remedy
    )


def _const(error: ValidationError, path: str, _: Mapping[str, object]) -> Iterator[Problem]:
    expected = cast("Any", error.kind).expected_value
    word = str(expected).lower() if isinstance(expected, bool) else str(expected)
    yield Problem(
        rule_ids.NOT_A_CHOICE,
        path,
        f"this is {_described(error.instance)}; only `{word}` is possible",
        f"Write {word}.",
    )


def _required(error: ValidationError, path: str, _: Mapping[str, object]) -> Iterator[Problem]:
    name = cast("Any", error.kind).property
    if name == "safeVariant":
        remedy = "Name the variant that is approved in advance for rollback and kill switch."
        yield Problem(rule_ids.NO_SAFE_VARIANT, path, "`safeVariant` is missing", remedy)
    elif name == "weight":
        yield Problem(rule_ids.WEIGHTS, path, "this arm of the split has no weight", "Give it a positive whole number.")
    else:
        yield Problem(rule_ids.MISSING_FIELD, path, f"`{name}` is missing", f"Add `{name}`.")


def _unknown(error: ValidationError, path: str, schema: Mapping[str, object]) -> Iterator[Problem]:
    node = _node(schema, error.schema_path[:-1])
    known = sorted(cast("dict[str, object]", node.get("properties", {})))
    for name in sorted(cast("Any", error.kind).unexpected):
        place = child(path, name)
        if name in NOT_EVALUATED and path.startswith("$.spec.environments."):
            message = f"{NOT_EVALUATED[name]} is not evaluated by this version"
            yield Problem(rule_ids.NOT_EVALUATED, place, message, "Leave it out until it is.")
            continue
        remedy = did_you_mean(name, known) or f"Known here: {', '.join(known)}."
        yield Problem(rule_ids.UNKNOWN_FIELD, place, f"`{shown(name)}` is not a field here", remedy)


def _key(error: ValidationError, path: str, schema: Mapping[str, object]) -> Iterator[Problem]:
    inner: ValidationError = cast("Any", error.kind).error
    for problem in _SENTENCES.get(inner.kind.name, _other)(inner, path, schema):
        yield Problem(rule_ids.WRONG_FORM, child(path, str(inner.instance)), problem.message, problem.remedy)


def _pattern(error: ValidationError, path: str, _: Mapping[str, object]) -> Iterator[Problem]:
    form = FORMS[cast("Any", error.kind).pattern]
    yield Problem(
        rule_ids.WRONG_FORM, path, f"{_described(error.instance)} does not have the right form", f"Write {form}."
    )


def _format(error: ValidationError, path: str, _: Mapping[str, object]) -> Iterator[Problem]:
    if cast("Any", error.kind).format == "date":
        what, remedy = "a day of the calendar", 'Write it as "2027-03-31".'
    else:
        what, remedy = "an instant in UTC", 'Write it as "2027-03-31T08:00:00Z".'
    yield Problem(rule_ids.WRONG_FORM, path, f"{_described(error.instance)} is not {what}", remedy)


def _bound(error: ValidationError, path: str, _: Mapping[str, object]) -> Iterator[Problem]:
    limit = cast("Any", error.kind).limit
    what = {
        "minimum": f"this is less than {limit}",
        "maximum": f"this is more than {limit}",
        "minLength": "this text is empty",
        "maxLength": f"this text is longer than {limit} characters",
        "minItems": "this list is empty",
        "minProperties": "this mapping is empty",
    }[error.kind.name]
    remedy = {
        "minimum": f"Write {limit} or more.",
        "maximum": f"Write {limit} or less.",
        "minLength": "Write something, or leave the field out.",
        "maxLength": "Make it shorter.",
        "minItems": "List something, or leave the field out.",
        "minProperties": "Write an entry, or leave the field out.",
    }[error.kind.name]
    yield Problem(rule_ids.WEIGHTS if _is_weight(error) else rule_ids.WRONG_FORM, path, what, remedy)


def _too_many(error: ValidationError, path: str, _: Mapping[str, object]) -> Iterator[Problem]:
    names = sorted(cast("dict[str, object]", error.instance))
    yield Problem(
        rule_ids.EXACTLY_ONE,
        path,
        f"{len(names)} predicates stand here: {', '.join(shown(name) for name in names)}",
        "Keep one; several conditions go under `all`.",
    )


def _choice(error: ValidationError, path: str, schema: Mapping[str, object]) -> Iterator[Problem]:
    branches = cast("list[dict[str, list[str]]]", _node(schema, error.schema_path[:-1])[str(error.schema_path[-1])])
    names = [branch["required"][0] for branch in branches]
    there = [name for name in names if name in cast("dict[str, object]", error.instance)]
    have = f"there are {quoted(there).replace(' or ', ' and ')}" if there else "there is none"
    number = "exactly one" if error.kind.name == "oneOf" else "at least one"
    remedy = "Keep one of them." if there else "Add one of them."
    yield Problem(rule_ids.EXACTLY_ONE, path, f"{number} of {quoted(names)} must stand here; {have}", remedy)


def _other(error: ValidationError, path: str, _: Mapping[str, object]) -> Iterator[Problem]:
    yield Problem(rule_ids.WRONG_FORM, path, shown(error.message), "Compare it with the schema of its kind.")


_SENTENCES: Final[Mapping[str, Callable[[ValidationError, str, Mapping[str, object]], Iterator[Problem]]]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "required": _required,
    "additionalProperties": _unknown,
    "propertyNames": _key,
    "pattern": _pattern,
    "format": _format,
    "minimum": _bound,
    "maximum": _bound,
    "minLength": _bound,
    "maxLength": _bound,
    "minItems": _bound,
    "minProperties": _bound,
    "maxProperties": _too_many,
    "oneOf": _choice,
    "anyOf": _choice,
}


def _node(schema: Mapping[str, object], steps: list[str | int]) -> Mapping[str, object]:
    """Find a node of a schema; the validator has followed references already."""
    node: Any = schema
    for step in steps:
        node = node[step]
    return cast("Mapping[str, object]", node)


def _is_weight(error: ValidationError) -> bool:
    """Tell whether a value is a weight in a split, in either form."""
    match error.instance_path:
        case [*_, "split", _] | [*_, "split", int(), "weight"]:
            return not isinstance(error.instance, dict)
    return False


def _described(value: object) -> str:
    """Describe a value without repeating all of it."""
    match value:
        case None:
            return "null"
        case bool():
            return f"`{str(value).lower()}`"
        case int() | float():
            return f"the number {value}"
        case str():
            return f"`{shown(value)}`" if value else "an empty text"
        case list():
            return "a list"
        case _:
            return "a mapping"
