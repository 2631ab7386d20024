"""The forms in which Unleash hands out its state, as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from flagseal_validators.exchange.neutral import ANYWHERE
from flagseal_validators.exchange.node import Misread, Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from flagseal.model.canonical import Json


_FETCHED: Final = frozenset({"parameters", "constraints", "variants"})


@dataclass(frozen=True, slots=True)
class Strategy:
    """A strategy of a toggle in an environment.

    Attributes:
        node: As the file has it.
        name: Which kind of strategy.
        segments: Ids of its segments.
    """

    node: Node
    name: str
    segments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ToggleEnvironment:
    """A toggle in an environment."""

    enabled: bool
    strategies: tuple[Strategy, ...]
    variants: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Toggle:
    """A toggle.

    Attributes:
        name: What applications ask for.
        node: As the file has it.
        environments: By name.
        dependencies: On its parents.
    """

    name: str
    node: Node
    environments: Mapping[str, ToggleEnvironment]
    dependencies: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class State:
    """Everything of a file.

    Attributes:
        toggles: In its order.
        segments: By id.
    """

    toggles: tuple[Toggle, ...]
    segments: Mapping[str, Node]

    def client_states(self) -> Iterator[tuple[str, Json]]:
        """Give each environment's state as a client fetches it."""
        segments: list[Json] = [segment.value for segment in self.segments.values()]
        for name in sorted({name for toggle in self.toggles for name in toggle.environments}):
            features: list[Json] = [
                _client_feature(toggle, toggle.environments[name])
                for toggle in self.toggles
                if name in toggle.environments
            ]
            yield name, {"version": 2, "features": features, "segments": segments}


def _client_feature(toggle: Toggle, environment: ToggleEnvironment) -> Json:
    strategies: list[Json] = [
        {
            **{word: value for word, value in one.node.mapping().items() if word in _FETCHED},
            "name": one.name,
            "segments": [segment.value for segment in one.segments],
        }
        for one in environment.strategies
        if one.node.mapping().get("disabled") is not True
    ]
    variants: list[Json] = [variant.value for variant in environment.variants]
    dependencies: list[Json] = [one.value for one in toggle.dependencies]
    return {
        "name": toggle.name,
        "enabled": environment.enabled,
        "strategies": strategies,
        "variants": variants,
        "dependencies": dependencies,
    }


def read_state(body: Node) -> State:
    """Read a file of Unleash.

    Raises:
        Misread: It is none.
    """
    features = body.need("features")
    segments: dict[str, Node] = {}
    for segment in body.listed("segments"):
        segments[str(segment.need("id").whole())] = segment
    exported = "featureStrategies" in body.mapping() or "featureEnvironments" in body.mapping()
    toggles = list(_exported(body) if exported else map(_fetched, features.items()))
    seen: set[str] = set()
    for toggle in toggles:
        if toggle.name in seen:
            raise Misread(toggle.node.path, f"a second feature with the name {toggle.name!r}")
        seen.add(toggle.name)
    return State(tuple(toggles), segments)


def _fetched(feature: Node) -> Toggle:
    """Read a feature that holds everything of itself, for one environment or for each."""
    dependencies = feature.listed("dependencies")
    found = feature.get("environments")
    if found is not None and isinstance(found.value, list):
        environments = {one.need("name").text(): _whole(one, feature) for one in found.items()}
    elif "enabled" in feature.mapping():
        environments = {ANYWHERE: _whole(feature, feature)}
    else:
        raise Misread(feature.path, "`enabled` is missing")
    return Toggle(feature.need("name").text(), feature, environments, dependencies)


def _whole(environment: Node, feature: Node) -> ToggleEnvironment:
    strategies = tuple(
        Strategy(one, one.need("name").text(), one.listed("segments")) for one in environment.listed("strategies")
    )
    variants = environment.listed("variants") or feature.listed("variants")
    return ToggleEnvironment(environment.need("enabled").boolean(), strategies, variants)


def _exported(body: Node) -> Iterator[Toggle]:
    """Read an export, whose parts refer to one another by name."""
    of_strategy: dict[str, list[Node]] = {}
    for link in body.listed("featureStrategySegments"):
        key = link.get("featureStrategyId") or link.need("strategyId")
        of_strategy.setdefault(key.text(), []).append(link.need("segmentId"))
    strategies: dict[str, list[Node]] = {}
    for strategy in body.listed("featureStrategies"):
        strategies.setdefault(strategy.need("featureName").text(), []).append(strategy)
    environments: dict[str, list[Node]] = {}
    for one in body.listed("featureEnvironments"):
        environments.setdefault((one.get("featureName") or one.need("name")).text(), []).append(one)
    needs = {one.need("feature").text(): one.listed("dependencies") for one in body.listed("dependencies")}
    for feature in body.listed("features"):
        name = feature.need("name").text()
        found: dict[str, ToggleEnvironment] = {}
        for one in environments.get(name, ()):
            environment = one.text_at("environment")
            own = tuple(
                _strategy(strategy, of_strategy)
                for strategy in strategies.get(name, ())
                if strategy.text_at("environment", environment) == environment
            )
            variants = one.listed("variants") or feature.listed("variants")
            found[environment] = ToggleEnvironment(one.need("enabled").boolean(), own, variants)
        yield Toggle(name, feature, found, needs.get(name, ()))


def _strategy(strategy: Node, of_strategy: Mapping[str, list[Node]]) -> Strategy:
    name = strategy.get("strategyName") or strategy.need("name")
    linked = of_strategy.get(strategy.text_at("id"), [])
    return Strategy(strategy, name.text(), (*strategy.listed("segments"), *linked))
