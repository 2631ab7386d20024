"""A plan as JSON for a program; :mod:`~flagseal_validators.plan.schema` describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flagseal.model.canonical import Json
    from flagseal_validators.plan.authority import Ability
    from flagseal_validators.plan.replay import Replay, Turned
    from flagseal_validators.plan.values import EnvironmentPlan, FlagEffect, Plan, Promotion


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
        "authority": {
            "abilities": [_ability(ability) for ability in plan.authority.abilities],
            "rules": list(plan.authority.rules),
        },
        "promotions": [_promotion(found) for found in plan.promotions],
        "promotionsLeft": plan.promotions_left,
        "obstacles": list(plan.obstacles),
        "decision": decision.to_json() if decision is not None else None,
    }


def _ability(ability: Ability) -> dict[str, Json]:
    return {
        "person": ability.person,
        "role": ability.role,
        "gained": ability.gained,
        "scopes": [
            {
                "environment": scope.environment or None,
                "tier": scope.tier or None,
                "class": scope.change_class,
                "alone": scope.alone,
            }
            for scope in ability.scopes
        ],
        "emergencies": list(ability.emergencies),
        "because": list(ability.causes),
    }


def _promotion(found: Promotion) -> dict[str, Json]:
    return {
        "flag": found.flag,
        "from": found.source,
        "to": found.target,
        "ahead": found.ahead,
        "behind": found.behind,
        "changes": list(found.changes),
        "class": found.change_class,
        "tier": found.tier,
        "missing": [missing.to_json() for missing in found.missing],
        "obstacles": list(found.obstacles),
    }


def _environment(entry: EnvironmentPlan) -> dict[str, Json]:
    found: dict[str, Json] = {"production": entry.production, "flags": [_flag(flag) for flag in entry.flags]}
    if entry.replay is not None:
        found["contexts"] = _replay(entry.replay)
    return found


def _flag(flag: FlagEffect) -> dict[str, Json]:
    return {
        "flag": flag.flag,
        "class": flag.change_class,
        "tier": flag.tier,
        "before": flag.before,
        "changes": list(flag.changes),
        "after": flag.after,
        "why": list(flag.why),
        "causes": list(flag.causes),
        "because": list(flag.because),
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
        "later": list(replay.later),
        "flags": [
            {
                "flag": flag.flag,
                "changed": flag.changed,
                "byVariant": [_turned(turned) for turned in flag.by_variant],
                "byRule": [
                    {
                        "rules": list(moved.rules),
                        "variants": list(moved.variants),
                        "count": moved.count,
                        "examples": list(moved.examples),
                    }
                    for moved in flag.by_rule
                ],
            }
            for flag in replay.flags
        ],
        "groups": {
            attribute: [
                {
                    "value": group.value,
                    "changed": group.changed,
                    "total": group.total,
                    "byVariant": [{"flag": turned.flag, **_turned(turned)} for turned in group.turned],
                    "examples": list(group.examples),
                }
                for group in groups
            ]
            for attribute, groups in replay.groups.items()
        },
    }


def _turned(turned: Turned) -> dict[str, Json]:
    return {"variants": list(turned.variants), "count": turned.count}
