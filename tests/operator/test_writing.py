"""What the git source writes meets others who write the same: it reads again, and has the last word or says why not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import kmock
import pytest

from flagseal_operator.delivery import Action, resource_of
from flagseal_operator.git_delivery import apply
from flagseal_operator.resources import Ref
from tests.operator.double import Double
from tests.snapshot.world import flag

if TYPE_CHECKING:
    from collections.abc import Iterator

FLAG, OTHER = flag("new-checkout"), flag("pay-later")
MINE = flag("new-checkout", on_for=["mallory"])


def ref_of(name: str) -> Ref:
    """Name a flag's resource."""
    return Ref("FlagDefinition", "payments", name)


def replacing(name: str = "new-checkout") -> Action:
    """Write what puts a flag back."""
    return Action("replace", ref_of(name), resource_of(FLAG if name == "new-checkout" else OTHER))


@pytest.fixture
def double() -> Iterator[Double]:
    """A server on which somebody has edited both flags."""
    with Double() as double:
        for document in (MINE, flag("pay-later", on_for=["mallory"])):
            body = resource_of(document)
            double.kube().create({**body, "metadata": {**body["metadata"], "resourceVersion": "7"}})
        yield double


class Replacements:
    """Replacements of flags, which the emulator does not know.

    Attributes:
        refusals: What the next ones are answered, in order; after that they are taken.
        taken: By name, the body that came last.
        tries: How many came.
    """

    def __init__(self) -> None:
        self.refusals: list[int] = []
        self.taken: dict[str, Any] = {}
        self.tries = 0

    def __call__(self, request: kmock.Request) -> Any:  # noqa: ANN401 (kmock does not export its type)
        """Answer one."""
        self.tries += 1
        if self.refusals:
            return kmock.Response(status=self.refusals.pop(0), payload={})  # type: ignore[attr-defined]  # it is public by its documentation
        body: Any = request.data
        self.taken[body["metadata"]["name"]] = body
        return kmock.Response(status=200, payload=dict(body))  # type: ignore[attr-defined]  # it is public by its documentation


@pytest.fixture
def put(double: Double) -> Replacements:
    """Have replacements answered."""
    replacements = Replacements()
    double.mock[kmock.method.PUT, Double.resource("FlagDefinition")] << replacements
    return replacements


@pytest.mark.parametrize("conflicts", [1, 2])
def test_a_conflict_is_read_again_and_written_anew(double: Double, put: Replacements, conflicts: int) -> None:
    """Somebody edited between the look and the write; what is written names the version that it replaces."""
    put.refusals = [409] * conflicts
    assert apply(double.kube(), [replacing()]) == []
    assert put.taken["new-checkout"]["spec"] == FLAG.spec
    assert put.taken["new-checkout"]["metadata"]["resourceVersion"] == "7"
    assert put.tries == conflicts + 1


def test_one_who_keeps_writing_is_named_and_holds_up_nobody_else(double: Double, put: Replacements) -> None:
    """Three tries; the next look tries again."""
    put.refusals = [409] * 3
    problems = apply(double.kube(), [replacing(), replacing("pay-later")])
    assert [it.code for it in problems] == ["ApiServer409"]
    assert put.taken.keys() == {"pay-later"}
    assert apply(double.kube(), [replacing()]) == []
    assert put.taken["new-checkout"]["spec"] == FLAG.spec


def test_what_somebody_created_first_is_replaced(double: Double, put: Replacements) -> None:
    """It was not there at the last look."""
    double.mock[kmock.method.POST, Double.resource("FlagDefinition")] << 409
    assert apply(double.kube(), [Action("create", ref_of("new-checkout"), resource_of(FLAG))]) == []
    assert put.taken["new-checkout"]["spec"] == FLAG.spec


def test_what_somebody_deleted_first_is_created(double: Double, put: Replacements) -> None:
    """It was there at the last look."""
    double.kube().delete(ref_of("new-checkout"))
    assert apply(double.kube(), [replacing()]) == []
    there = double.kube().get(ref_of("new-checkout"))
    assert there is not None
    assert (there["spec"], put.taken) == (FLAG.spec, {})


@pytest.mark.parametrize("status", [403, 422, 500])
def test_what_is_refused_is_not_tried_again_at_once(double: Double, put: Replacements, status: int) -> None:
    """Only a conflict says that another try may fare better."""
    put.refusals = [status]
    assert [it.code for it in apply(double.kube(), [replacing()])] == [f"ApiServer{status}"]
    assert (put.taken, put.tries) == ({}, 1)
