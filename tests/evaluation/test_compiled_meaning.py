"""What is compiled means what was written: for us, and for other evaluators of flagd documents."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema_rs import Draft7Validator, Registry
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from flagseal.evaluation import FlagSet
from flagseal.evaluation.compile import compile_namespace
from tests.evaluation.interpreter import Interpreter
from tests.evaluation.world import ENVIRONMENT, NAMESPACE, catalogue, contexts, moments, worlds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flagseal.model.document import Document

# By name: the package puts a function of the same name before the module.
CORE_TARGETING = importlib.import_module("openfeature.contrib.tools.flagd.core.targeting.targeting")
FLAGS = ("main", "other", "base")


@given(worlds(), st.lists(st.tuples(contexts(), moments), min_size=1, max_size=8), st.sampled_from(["v2", "v3"]))
def test_a_compiled_flag_serves_what_its_definition_says(
    documents: tuple[Document, ...], asked: Sequence[tuple[dict[str, object], int]], bucketing: str
) -> None:
    """Compile, then evaluate: the same as a slow reading of the definition, hostile contexts included."""
    index = catalogue(documents)
    compiled = compile_namespace(index, NAMESPACE, ENVIRONMENT, bucketing=bucketing, approvals={})
    now = 0
    flags = FlagSet.load(compiled, bucketing=bucketing, clock=lambda: now)
    for context, now in asked:
        interpreter = Interpreter(index, ENVIRONMENT, context, now, v3=bucketing == "v3")
        for name in FLAGS:
            answer = flags.evaluate(name, context)
            assert answer.error_code is None, answer
            assert answer.variant == interpreter.serve(index.flags[f"{NAMESPACE}/{name}"])


class _Clock:
    """Stand for the time module in flagd's Python core, which asks it for the time."""

    now = 0

    @classmethod
    def time(cls) -> float:
        return cls.now


@given(data=st.data(), documents=worlds())
def test_flagd_core_serves_the_same_of_a_compiled_flag(data: st.DataObject, documents: tuple[Document, ...]) -> None:
    """openfeature-flagd-core, which buckets by v3, agrees on every document we compile, booleans against 1 included."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CORE_TARGETING, "time", _Clock)
        compiled = compile_namespace(catalogue(documents), NAMESPACE, ENVIRONMENT, bucketing="v3", approvals={})
        flags = FlagSet.load(compiled, bucketing="v3", clock=_Clock.time)
        core = FlagdCore()
        core.set_flags(json.loads(compiled))
        for _ in range(4):
            context = data.draw(contexts(json_only=True))
            context.pop("$flagd", None)
            _Clock.now = data.draw(moments)
            given_to_core = EvaluationContext(context.get("targetingKey"), context)  # type: ignore[arg-type]
            for name in FLAGS:
                assert flags.evaluate(name, context).value == core.resolve_string_value(name, "?", given_to_core).value


def _validator() -> Draft7Validator:
    folder = os.environ.get("FLAGD_SCHEMAS")
    if not folder:
        pytest.skip("FLAGD_SCHEMAS is not set: point it to the folder of flagd-schemas' json files")
    schemas = [json.loads((Path(folder) / f"{name}.json").read_text()) for name in ("flagd", "flags", "targeting")]
    registry = Registry([(schema["$id"], schema) for schema in schemas])
    # `$id` beside `$ref` in the root of flagd.json breaks the relative reference: start from the definitions.
    return Draft7Validator({"$ref": "https://flagd.dev/schema/v0/flags.json"}, registry=registry)


@given(documents=worlds())
def test_compiled_documents_pass_flagds_schema(documents: tuple[Document, ...]) -> None:
    """Whatever we compile is a valid flagd document."""
    compiled = compile_namespace(catalogue(documents), NAMESPACE, ENVIRONMENT, bucketing="v2", approvals={})
    assert [error.message for error in _validator().iter_errors(json.loads(compiled))] == []
