"""Loosen policies step by step, and see whether a case notices.

Only cases that can notice are run again: those decided by a row of the same tier and side, or all where people,
environments or times are loosened. The first that fails is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from flagseal.model.policy_set import load_policies
from flagseal.policy import State
from flagseal_validators.policy_tests.loosening import loosenings
from flagseal_validators.policy_tests.noticing import HELD_BY_THE_GATE, noticing
from flagseal_validators.policy_tests.running import cases_of, run_case
from flagseal_validators.policy_tests.suggesting import case_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from flagseal.model.document import Document
    from flagseal.model.policies import PolicySet
    from flagseal_validators.policy_tests.loosening import Loosening
    from flagseal_validators.policy_tests.values import CaseResult

    Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mutation:
    """What came of one loosening.

    Attributes:
        place: Where.
        what: What was loosened.
        noticed_by: Name of the first case that failed; None if none did.
        case: A case that would notice, as YAML; empty if it is noticed, or if nothing was found that tells the
            policies apart.
    """

    place: str
    what: str
    noticed_by: str | None
    case: str

    @property
    def survives(self) -> bool:
        """Whether policies can be loosened so, and no test says anything."""
        return self.noticed_by is None and self.case != ""


@dataclass(frozen=True, slots=True)
class MutationReport:
    """What came of all of them, in the order of the policies."""

    mutations: tuple[Mutation, ...]

    @property
    def passed(self) -> bool:
        """Whether tests notice every loosening that anything can notice."""
        return not any(mutation.survives for mutation in self.mutations)


def mutate(
    documents: Iterable[Document], *, now: datetime, progress: Callable[[int, int], None] | None = None
) -> MutationReport:
    """Loosen the policies among some documents step by step, and run the policy tests among them each time.

    Args:
        documents: All documents of a repository. Their tests pass as they are.
        now: The time of cases that name none.
        progress: Told how many are done, of how many.

    Raises:
        InvalidPolicies: The policies contradict each other.
    """
    found = list(documents)
    state = State({document.subject: document for document in found if document.kind != "PolicyTest"})
    bench = _Bench(state, load_policies(state.documents.values()), now)
    bench.run(document for document in found if document.kind == "PolicyTest")
    every = list(loosenings(bench.policies))
    made = []
    for number, loosening in enumerate(every, 1):
        made.append(bench.mutation(loosening))
        if progress is not None:
            progress(number, len(every))
    return MutationReport(tuple(made))


class _Bench:
    """The policies as they are, with what every case says of them."""

    def __init__(self, state: State, policies: PolicySet, now: datetime) -> None:
        self._state = state
        self.policies = policies
        self._now = now
        self._cases: list[tuple[Spec, CaseResult]] = []

    def run(self, tests: Iterable[Document]) -> None:
        """Run each case once, so that what it is decided by is known."""
        for case, place in cases_of(tests):
            self._cases.append((case, run_case(case, place, self._state, self.policies, self._now)))
        # What refuses, or has it wait, notices most; the first that fails is enough.
        self._cases.sort(key=lambda pair: pair[0]["expect"]["verdict"] != "deny")

    def mutation(self, loosening: Loosening) -> Mutation:
        """Loosen, and look for a case that fails now and did not before."""
        loose = self._state.changed({loosening.document.subject: loosening.document})
        policies = load_policies(loose.policies.values())
        for case in self._able(loosening):
            if not run_case(case, "", loose, policies, self._now).passed:
                return Mutation(loosening.place, loosening.what, cast("str", case["name"]), "")
        made = noticing(loosening, self._state, self.policies, loose, policies, self._now)
        return Mutation(loosening.place, loosening.what, None, case_text(made) if made is not None else "")

    def _able(self, loosening: Loosening) -> Iterator[Spec]:
        """Give the cases that can notice it."""
        near = {_side(place) for place in loosening.rows}
        for case, result in self._cases:
            if not result.passed:
                continue
            if loosening.document.kind in HELD_BY_THE_GATE:
                if "findings" in case["expect"]:
                    yield case
            elif not near or not near.isdisjoint(map(_side, result.rows)):
                yield case


def _side(place: str) -> str:
    """Name the tier and side of a row; of policies, that."""
    return place.rpartition(".")[0]
