"""FS703: the people, teams and environments of a review are known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from flagseal.model.problem import did_you_mean
from flagseal.model.review import REVIEW as KIND
from flagseal_validators.rule import Complaint, Example, Rule
from flagseal_validators.samples import REVIEW, REVIEW_FILE, REVIEWED, SAID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flagseal_validators.declared import Declared


def _check(declared: Declared) -> Iterator[Complaint]:
    if declared.policies is None:
        return
    organisation, environments = declared.policies.organisation, declared.policies.environments
    for document in declared.of_kind(KIND):
        spec = cast("dict[str, Any]", document.spec)
        if spec["environment"] not in environments:
            message = f"there is no environment `{spec['environment']}`"
            remedy = did_you_mean(spec["environment"], environments)
            yield Complaint(document, "$.spec.environment", message, remedy)
        for index, emergency in enumerate(spec["emergencies"]):
            person = emergency["requestedBy"]
            if person not in organisation.people:
                path = f"$.spec.emergencies[{index}].requestedBy"
                message = f"nobody in the organisation is called `{person}`"
                yield Complaint(document, path, message, did_you_mean(person, organisation.people))
        for index, follow_up in enumerate(spec["followUps"]):
            owner = follow_up["owner"]
            if owner not in organisation.people and owner not in organisation.teams:
                message = f"there is no person and no team `{owner}`"
                remedy = did_you_mean(owner, [*organisation.people, *organisation.teams])
                yield Complaint(document, f"$.spec.followUps[{index}].owner", message, remedy)


RULE = Rule(
    id="FS703",
    title="A review of an unknown person, team or environment",
    severity="error",
    scope="references",
    reads=("policies",),
    why="Whoever asked for what is reviewed may not approve the review; of somebody unknown, nobody knows who that is.",
    remedy="Write who it was as policies/organisation.yaml does; `flagseal incidents list` names them.",
    bad=Example(REVIEW + REVIEWED.replace("alice", "alicia") + SAID, file=REVIEW_FILE),
    good=Example(REVIEW + REVIEWED + SAID, file=REVIEW_FILE),
    check=_check,
)
