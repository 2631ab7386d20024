"""The one ruleset that is ours, in GitHub's words: what it shall say, and how that differs from what it says. Pure."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Final

from flagseal_validators.forge.protection import passer
from flagseal_validators.forge.settings import NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal.model.policies import Bypass
    from flagseal_validators.forge.protection import Required

Body = dict[str, Any]

ACTORS: Final = {"Team": "team", "Integration": "app", "RepositoryRole": "role", "User": "user"}
"""GitHub's words for who may pass, in the words of policies; who is not among these cannot be declared."""

_SENT: Final = ("name", "target", "enforcement", "bypass_actors", "conditions", "rules")
_REVIEWS: Final = {
    "dismiss_stale_reviews_on_push": True,
    "require_code_owner_review": True,
    "require_last_push_approval": True,
    "required_review_thread_resolution": False,
}


def word_of(actor: Mapping[str, Any]) -> str:
    """Say who may pass, in the words of policies."""
    kind = actor.get("actor_type")
    named = ACTORS.get(str(kind))
    mode = str(actor.get("bypass_mode") or "always").replace("_", "-")
    return passer(named or str(kind), actor.get("actor_id") if named else None, mode)


def _actor(entry: Bypass) -> Body:
    kind = next(kind for kind, word in ACTORS.items() if word == entry.actor)
    return {"actor_id": entry.id, "actor_type": kind, "bypass_mode": entry.mode.replace("-", "_")}


def sent(body: Mapping[str, Any]) -> Body:
    """Give of a ruleset what is written, and not what GitHub adds."""
    return {name: body[name] for name in _SENT if name in body}


def desired(
    own: Mapping[str, Any] | None, asked: Required, branch: str, *, in_force: bool, with_bypass: bool = False
) -> Body:
    """Say what our ruleset shall say: all that is asked, and whatever it says already that is no less strict.

    Args:
        own: What it says; None if there is none.
        asked: What must be held.
        branch: The protected one.
        in_force: Whether it reaches the branch now.
        with_bypass: Whether to let everybody pass whom the policies name, and not only those of them that it lets pass.
    """
    found: Body = deepcopy(sent(own)) if own is not None else {}
    ref = f"refs/heads/{branch}"
    names = (found.get("conditions") or {}).get("ref_name") or {}
    include, exclude = list(names.get("include") or ()), list(names.get("exclude") or ())
    if not in_force:
        # Whatever kept the branch out: a missing name, or one that is left out.
        include, exclude = list(dict.fromkeys([*include, ref])), []
    kept = [actor for actor in found.get("bypass_actors") or () if word_of(actor) in asked.passers]
    known = {(actor["actor_type"], actor["actor_id"]) for actor in kept}
    for actor in map(_actor, asked.bypass if with_bypass else ()):
        if (actor["actor_type"], actor["actor_id"]) not in known:
            known.add((actor["actor_type"], actor["actor_id"]))
            kept.append(actor)
    return {
        "name": NAME,
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": kept,
        "conditions": {"ref_name": {"include": include, "exclude": exclude}},
        "rules": list(_rules(found.get("rules") or (), asked)),
    }


def _rules(found: Any, asked: Required) -> Iterator[Body]:  # noqa: ANN401 (JSON)
    """Give the rules that are there, made as strict as is asked, and those that are missing."""
    by_type: dict[str, Body] = {rule["type"]: rule for rule in found}
    for kind in ("deletion", "non_fast_forward"):
        by_type.setdefault(kind, {"type": kind})
    reviews = by_type.setdefault("pull_request", {"type": "pull_request"})
    told = reviews.setdefault("parameters", {})
    reviews["parameters"] = {
        **told,
        **{name: bool(told.get(name)) or least for name, least in _REVIEWS.items()},
        "required_approving_review_count": max(told.get("required_approving_review_count") or 0, asked.approvals),
    }
    if asked.checks:
        checks = by_type.setdefault("required_status_checks", {"type": "required_status_checks"})
        told = checks.setdefault("parameters", {})
        names = {check.name for check in asked.checks}
        # A name that is declared with its app is not left to anybody.
        kept = [
            check
            for check in told.get("required_status_checks") or ()
            if check.get("integration_id") is not None or check["context"] not in names
        ]
        known = {(check["context"], check.get("integration_id")) for check in kept}
        missing = [check for check in asked.checks if (check.name, check.app) not in known]
        checks["parameters"] = {
            "strict_required_status_checks_policy": False,
            **told,
            "required_status_checks": [
                *kept,
                *({"context": check.name, "integration_id": check.app} for check in missing),
            ],
        }
    yield from by_type.values()


def differences(own: Mapping[str, Any] | None, wanted: Mapping[str, Any]) -> tuple[str, ...]:
    """Say line by line what is written that is not there, and what is taken away."""
    before, after = ({} if own is None else _flat(sent(own))), _flat(wanted)
    lines = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if old is None:
            lines.append(f"+ {name}{'' if new == '' else f': {new}'}")
        elif new is None:
            lines.append(f"- {name}{'' if old == '' else f': {old}'}")
        else:
            lines.append(f"~ {name}: {old} → {new}")
    return tuple(lines)


def _flat(body: Mapping[str, Any]) -> dict[str, str]:
    """Give a ruleset as lines, each under a name that says what it is about."""
    names = (body.get("conditions") or {}).get("ref_name") or {}
    flat = {name: str(body[name]) for name in ("target", "enforcement") if name in body}
    flat |= {f"branch {ref}": "" for ref in names.get("include") or ()}
    flat |= {f"but not {ref}": "" for ref in names.get("exclude") or ()}
    flat |= {f"may be passed by {word_of(actor)}": "" for actor in body.get("bypass_actors") or ()}
    for rule in body.get("rules") or ():
        flat[f"rule {rule['type']}"] = ""
        for name, value in (rule.get("parameters") or {}).items():
            if name == "required_status_checks":
                flat |= {f"check {_check(check)}": "" for check in value}
            else:
                flat[f"{rule['type']}.{name}"] = json.dumps(value, sort_keys=True)
    return flat


def _check(check: Mapping[str, Any]) -> str:
    app = check.get("integration_id")
    return f"{check['context']} by {'anybody' if app is None else f'app {app}'}"
