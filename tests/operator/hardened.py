"""A hostile reader of what is deployed: says what a pod, or what stands around it, leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def weaknesses(bodies: list[dict[str, Any]]) -> list[str]:
    """Name everything that is weaker than it must be; none for what may be deployed."""
    found: list[str] = []
    for body in bodies:
        if body["kind"] == "Deployment":
            name, spec = body["metadata"]["name"], body["spec"]
            labels = spec["template"]["metadata"]["labels"]
            pod = spec["template"]["spec"]
            found += [f"{name}: {it}" for it in _pod(pod)]
            found += [f"{name}: {it}" for it in _reached(bodies, labels, pod)]
            found += [f"{name}: {it}" for it in _drained(bodies, labels, spec.get("replicas", 1))]
            found += [f"{name}: {it}" for it in _served(bodies, labels, pod)]
        if body["kind"] in {"Role", "ClusterRole"}:
            found += [f"{body['metadata']['name']}: {it}" for it in _rules(body["rules"])]
    return found


def container_weaknesses(container: dict[str, Any]) -> Iterator[str]:
    """Say what one container leaves open."""
    context = container.get("securityContext", {})
    for key, wanted in (("allowPrivilegeEscalation", False), ("readOnlyRootFilesystem", True)):
        if context.get(key) is not wanted:
            yield f"{container['name']}: {key} is not {wanted}"
    if context.get("capabilities") != {"drop": ["ALL"]}:
        yield f"{container['name']}: has capabilities"
    if context.get("privileged"):
        yield f"{container['name']}: is privileged"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if probe not in container:
            yield f"{container['name']}: has no {probe}"
    yield from (f"{container['name']}: {it}" for it in _footprint(container))


def _footprint(container: dict[str, Any]) -> Iterator[str]:
    resources = container.get("resources", {})
    if "memory" not in resources.get("limits", {}) or not {"cpu", "memory"} <= resources.get("requests", {}).keys():
        yield "may take all memory, or is promised none"
    if any("hostPort" in port for port in container.get("ports", ())):
        yield "takes a port of the node"
    for mount in container.get("volumeMounts", ()):
        if mount["mountPath"].startswith(("/etc/", "/var/run/", "/credentials")) and not mount.get("readOnly"):
            yield f"{mount['mountPath']} can be written"
        if "subPath" in mount:
            yield f"{mount['mountPath']} is never updated (subPath)"


def _pod(pod: dict[str, Any]) -> Iterator[str]:
    context = pod.get("securityContext", {})
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser") or not context.get("runAsGroup"):
        yield "may run as root"
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield "seccomp is not RuntimeDefault"
    if pod.get("automountServiceAccountToken") is not False:
        yield "mounts the account's token without being asked"
    yield from (f"shares {key} with the node" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key))
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        yield from container_weaknesses(container)
    for volume in pod["volumes"]:
        yield from (f"{volume['name']}: {it}" for it in _volume(volume))


def _volume(volume: dict[str, Any]) -> Iterator[str]:
    match volume:
        case {"hostPath": _}:
            yield "is a folder of the node"
        case {"emptyDir": it} if "sizeLimit" not in (it or {}):
            yield "may fill the node"
        case {"secret": {"defaultMode": int(mode)}} if mode & 0o007 == 0:
            pass
        case {"secret": _}:
            yield "is a secret that others in the pod may read"
        case {"projected": {"sources": sources}}:
            tokens = [it["serviceAccountToken"] for it in sources if "serviceAccountToken" in it]
            if any(not 600 <= token.get("expirationSeconds", 0) <= 3600 for token in tokens):
                yield "holds a token that lives too long"


def _reached(bodies: list[dict[str, Any]], labels: dict[str, str], pod: dict[str, Any]) -> Iterator[str]:
    policies = [it for it in _of(bodies, "NetworkPolicy") if _selects(it["spec"]["podSelector"], labels)]
    if {kind for it in policies for kind in it["spec"]["policyTypes"]} != {"Ingress", "Egress"}:
        yield "may be reached from anywhere, or reach anything"
    opened = {port["port"] for it in policies for rule in it["spec"].get("ingress", ()) for port in rule["ports"]}
    listening = {port["containerPort"] for container in pod["containers"] for port in container.get("ports", ())}
    if opened != listening:
        yield f"listens on {sorted(listening)}, and policy opens {sorted(opened)}"
    outwards = [rule for it in policies for rule in it["spec"].get("egress", ())]
    if not all(rule.get("ports") for rule in outwards):
        yield "may reach every port somewhere"
    if 53 not in {port["port"] for rule in outwards for port in rule.get("ports", ())}:
        yield "cannot resolve names"


def _drained(bodies: list[dict[str, Any]], labels: dict[str, str], replicas: int) -> Iterator[str]:
    budgets = [it for it in _of(bodies, "PodDisruptionBudget") if _selects(it["spec"]["selector"], labels)]
    if replicas > 1 and not budgets:
        yield "may be drained away whole"
    if replicas == 1 and budgets:
        yield "keeps nodes from being drained"


def _served(bodies: list[dict[str, Any]], labels: dict[str, str], pod: dict[str, Any]) -> Iterator[str]:
    named = {port["name"] for container in pod["containers"] for port in container.get("ports", ())}
    for service in (it for it in _of(bodies, "Service") if it["spec"]["selector"].items() <= labels.items()):
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield f"{service['metadata']['name']}: is reachable from outside"
        if not {port["targetPort"] for port in service["spec"]["ports"]} <= named:
            yield f"{service['metadata']['name']}: points to a port that nobody listens on"


def _rules(rules: list[dict[str, Any]]) -> Iterator[str]:
    for rule in rules:
        if "*" in (*rule.get("verbs", ()), *rule.get("resources", ()), *rule.get("apiGroups", ())):
            yield "grants everything of something"
        if {"secrets", "pods/exec", "serviceaccounts/token", "roles", "clusterroles"} & {*rule.get("resources", ())}:
            yield f"reaches for {rule['resources']}"
        if {"escalate", "bind", "impersonate"} & {*rule.get("verbs", ())}:
            yield f"may {rule['verbs']}"


def _of(bodies: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [it for it in bodies if it["kind"] == kind]


def _selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    return bool(selector["matchLabels"].items() <= labels.items())
