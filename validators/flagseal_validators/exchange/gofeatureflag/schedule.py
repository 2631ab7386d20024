"""GO Feature Flag's scheduled rollouts: a flag that changes at some instants, as the flags that it is between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flagseal_validators.exchange.node import Misread, Node, NoForm
from flagseal_validators.exchange.times import read_time

if TYPE_CHECKING:
    from flagseal.model.canonical import Json


def instant(node: Node) -> int:
    """Read a time as unix seconds.

    Raises:
        Misread: It is none.
    """
    found = read_time(node.text()) or read_time(f"{node.text()}T00:00:00Z")
    if found is None:
        raise Misread(node.path, f"{node.text()!r} is no time")
    return int(found.timestamp())


def stages(flag: Node) -> list[tuple[int | None, Node]]:
    """Give the flag before its first change, and after each, with the instant from which it is so.

    Raises:
        Misread: A change is not as GO Feature Flag has it.
        NoForm: Changes do not follow one another.
    """
    found: list[tuple[int | None, Node]] = [(None, flag)]
    now: dict[str, Any] = dict(flag.mapping())
    before: int | None = None
    appended = False
    for change in flag.listed("scheduledRollout"):
        since = instant(change.need("date"))
        if before is not None and since < before:
            raise NoForm(change.path, "its changes are not in the order of their dates")
        before = since
        if change.get("experimentation") is not None:
            raise NoForm(change.path, "a change of an experiment")
        if appended:
            raise NoForm(change.path, "a change after one that adds rules, which then are gone there")
        now, appended = _changed(now, change)
        found.append((since, Node(dict(now), change.path)))
    return found


def _changed(now: dict[str, Any], change: Node) -> tuple[dict[str, Any], bool]:
    made = dict(now)
    for word in ("disable",):
        if change.get(word) is not None:
            made[word] = change.mapping()[word]
    if (variations := change.get("variations")) is not None:
        made["variations"] = {**Node(now.get("variations"), change.path).mapping(), **variations.mapping()}
    if (default := change.get("defaultRule")) is not None:
        made["defaultRule"] = _merged(Node(now.get("defaultRule"), change.path).mapping(), default.mapping())
    rules = [rule.mapping() for rule in Node(dict(now), change.path).listed("targeting")]
    appended = False
    for update in change.listed("targeting"):
        name = update.text_at("name")
        at = [index for index, rule in enumerate(rules) if name and rule.get("name") == name]
        if at:
            rules[at[0]] = _merged(rules[at[0]], update.mapping())
        else:
            rules.append(update.mapping())
            appended = True
    made["targeting"] = list(rules)
    return made, appended


def _merged(rule: dict[str, Any], update: dict[str, Any]) -> dict[str, Any]:
    made = dict(rule)
    for word in ("query", "variation"):
        if update.get(word) is not None:
            made[word] = update[word]
    percentage, changed = made.get("percentage"), update.get("percentage")
    if isinstance(changed, dict):
        shares: dict[str, Json] = {**(percentage if isinstance(percentage, dict) else {}), **changed}
        made["percentage"] = {
            variant: share for variant, share in shares.items() if not (isinstance(share, (int, float)) and share < 0)
        }
    if update.get("progressiveRollout") is not None:
        made["progressiveRollout"] = update["progressiveRollout"]
    return made
