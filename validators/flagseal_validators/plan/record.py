"""A plan as JSON for a program."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flagseal.model.canonical import Json
    from flagseal_validators.plan.replay import Replay
    from flagseal_validators.plan.values import EnvironmentPlan, FlagEffect, Plan


def as_record(plan: Plan) -> dict[str, Json]:
    """Give the whole plan; ``decision`` is the record that every verifier would make."""
    decision = plan.decision
    return {
        "subjects": [
            {
                "subject": subject.subject,
                "change": subject.verb,
                "before": subject.before,
                "after": subject.after,
                "fields": list(subject.fields),
            }
            for subject in plan.subjects
        ],
        "manifest": {"before": plan.manifest_before, "after": plan.manifest_after},
        "environments": {entry.environment: _environment(entry) for entry in plan.environments},
        "authority": list(plan.authority),
        "obstacles": list(plan.obstacles),
        "decision": decision.to_json() if decision is not None else None,
    }


def _environment(entry: EnvironmentPlan) -> dict[str, Json]:
    found: dict[str, Json] = {"flags": [_flag(flag) for flag in entry.flags]}
    if entry.replay is not None:
        found["contexts"] = _replay(entry.replay)
    return found


def _flag(flag: FlagEffect) -> dict[str, Json]:
    return {
        "flag": flag.flag,
        "class": flag.change_class,
        "before": flag.before,
        "changes": list(flag.changes),
        "after": flag.after,
        "why": list(flag.why),
        "causes": list(flag.causes),
        "rebucketed": [
            {"rule": drawn.rule, "cause": drawn.cause, "share": float(drawn.share) if drawn.share is not None else None}
            for drawn in flag.rebucketed
        ],
    }


def _replay(replay: Replay) -> dict[str, Json]:
    return {
        "at": replay.at,
        "total": replay.total,
        "changed": replay.changed,
        "flags": [
            {
                "flag": flag.flag,
                "changed": flag.changed,
                "byRule": [
                    {"rules": list(moved.rules), "variants": list(moved.variants), "count": moved.count}
                    for moved in flag.by_rule
                ],
            }
            for flag in replay.flags
        ],
        "groups": {
            attribute: [{"value": group.value, "changed": group.changed, "total": group.total} for group in groups]
            for attribute, groups in replay.groups.items()
        },
    }
