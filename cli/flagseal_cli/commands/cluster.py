"""``flagseal cluster apply|status|explain``: the questions of the embedded mode, asked of a cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flagseal.model.characters import visible
from flagseal.model.errors import SnapshotError, UsageError
from flagseal.repository import FlagRepository
from flagseal.snapshot.ceremony import trusted
from flagseal.snapshot.marks import Mark
from flagseal.snapshot.stores import open_store
from flagseal_cli.commands.explain import print_explanation
from flagseal_cli.console import note, print_error, print_json
from flagseal_cli.group import group
from flagseal_cli.options import context_option, format_option, parse_context, repo_option
from flagseal_cli.published import stored_state
from flagseal_cli.workspace import find_repository
from flagseal_operator.delivering import delivery
from flagseal_operator.emergency_source import KINDS
from flagseal_operator.explanation import explain
from flagseal_operator.git_delivery import apply
from flagseal_operator.inventory import Inventory
from flagseal_operator.kube import Kube, configuration
from flagseal_operator.lease_api import LeaseApi
from flagseal_operator.lease_marks import give_up, mark_of
from flagseal_operator.resources import DECLARING, Ref

if TYPE_CHECKING:
    from collections.abc import Iterator

store_option = click.option(
    "--store",
    required=True,
    envvar="FLAGSEAL_STORE",
    metavar="DIR|URL",
    help="Where the operator's snapshots are: a folder, or s3://BUCKET/PREFIX?endpoint=…",
)
root_option = click.option(
    "--root",
    required=True,
    envvar="FLAGSEAL_ROOT",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The pinned root.json.",
)
kubeconfig_option = click.option(
    "--kubeconfig", type=click.Path(path_type=Path, exists=True, dir_okay=False), envvar="KUBECONFIG"
)


@group("cluster")
def cluster_command() -> None:
    """Ask and feed a cluster."""


@cluster_command.command("apply")
@repo_option
@store_option
@root_option
@kubeconfig_option
@click.option(
    "--everything/--approvals",
    "everything",
    default=False,
    help="Write resources of every kind, or FlagApprovals only (the default).",
)
@click.option("--dry-run", is_flag=True, help="Say what would be written, and write nothing.")
def apply_command(
    *, repo: Path | None, store: str, root: Path, kubeconfig: Path | None, everything: bool, dry_run: bool
) -> int:
    """Write what the cluster lacks of this checkout, once: as a FlagRepository does all the time.

    Only what is approved is written: statements that can be accepted next, and resources of the accepted head, which is
    read from the store and verified. Exit code 1 if something was refused.
    """
    git = FlagRepository(find_repository(repo))
    place, pinned = open_store(store), root.read_bytes()
    published = stored_state(place, pinned, Mark())
    trust = published.trust if published else trusted(place, pinned).trust
    kube = Kube.of(configuration(kubeconfig))
    inventory = Inventory()
    for kind in (*DECLARING, "FlagApproval") if everything else ("FlagApproval",):
        for body, _ in kube.list(kind):
            inventory.see(kind, None, body)
    mode = "everything" if everything else "approvals"
    head = published.head if published else None
    found = delivery(git, head, trust, inventory, mode=mode, now=datetime.now(UTC))
    for action in found.actions:
        click.echo(f"{'would ' if dry_run else ''}{action}")
    problems = [] if dry_run else apply(kube, found.actions)
    for problem in problems:
        print_error(problem)
    ready = found.conditions[0]
    note(ready.message)
    if head is None and everything:
        note("Nothing is published yet: the resources follow once the operator has published; run it again then.")
    return 1 if problems or ready.status != "True" else 0


@cluster_command.command("status")
@click.argument("flag", required=False)
@kubeconfig_option
@format_option
def status_command(flag: str | None, *, kubeconfig: Path | None, style: str) -> int:
    """Say how the flags of a cluster stand, or one FLAG (namespace/name): what its operator last wrote.

    What it says is as true as the cluster; `flagseal cluster explain` proves it. Exit code 1 unless all is ready;
    overrides and freezes do not count, since they may be refused.
    """
    kube = Kube.of(configuration(kubeconfig))
    if flag is None:
        kinds = ("FlagRepository", *DECLARING, *KINDS)
        bodies = [{**body, "kind": kind} for kind in kinds for body, _ in kube.list(kind)]
    else:
        bodies = [_flag(kube, flag)]
    if style == "json":
        print_json([_row(body) for body in bodies])
    else:
        for body in bodies:
            click.echo("\n".join(_lines(body, whole=flag is not None)))
        if not bodies:
            click.echo("The cluster has no flags.")
    return 0 if all(_condition(body)["status"] == "True" for body in bodies if body["kind"] not in KINDS) else 1


@cluster_command.command("explain")
@click.argument("flag")
@context_option
@store_option
@root_option
@format_option
def explain_command(flag: str, context_text: str, *, store: str, root: Path, style: str) -> None:
    """Prove why FLAG (namespace/name) answers as it does, from the store and the pinned root alone.

    No cluster is asked: what is served is what is published, and that is verified just now.
    """
    context = parse_context(context_text)
    published = stored_state(open_store(store), root.read_bytes(), Mark())
    if published is None:
        raise SnapshotError(
            f"{store}: nothing is published yet", code="NothingPublished", remedy="Look after the operator."
        )
    told = explain(published.head, published.build, published.trail, flag, context, now=published.now)
    print_explanation(told, published, None, style)


@cluster_command.command("store-lost")
@click.option("--lease-namespace", default="flagseal-system", show_default=True, envvar="FLAGSEAL_LEASE_NAMESPACE")
@click.option("--lease-name", default="flagseal-operator", show_default=True)
@click.option("--yes", is_flag=True, help="Do not ask.")
@kubeconfig_option
def store_lost_command(lease_namespace: str, lease_name: str, *, yes: bool, kubeconfig: Path | None) -> None:
    """Say that what was published is lost for good, so that the operator publishes anew what is approved.

    The Lease remembers how far publishing had got, and the operator holds a store that is behind it. Afterwards it goes
    on from an empty store, or from an older copy, above all versions that clients have seen, and not before the
    history is whole again. Put the trust back first (`flagseal trust restore`), and restart the operator afterwards.
    """
    leases = LeaseApi(configuration(kubeconfig), lease_namespace, lease_name)
    before = mark_of(leases.get())
    if before.lost:
        note("That is said already; restart the operator.")
        return
    if not yes:
        click.confirm(
            f"Is everything above what the store holds now, up to sequence {before.sequence}, lost?", abort=True
        )
    after = give_up(leases, datetime.now(UTC))
    note(f"The operator goes on from what the store holds, once the history reaches sequence {after.sequence} again.")
    note(f"Restart it: kubectl -n {lease_namespace} rollout restart deployment/flagseal-operator")


def _flag(kube: Kube, reference: str) -> dict[str, Any]:
    namespace, _, name = reference.partition("/")
    if not namespace or not name or "/" in name:
        raise UsageError(f"{reference}: not NAMESPACE/NAME", code="BadReference", remedy="As in payments/new-checkout.")
    body = kube.get(Ref("FlagDefinition", namespace, name))
    if body is None:
        raise UsageError(
            f"{reference}: the cluster has no such FlagDefinition",
            code="UnknownFlag",
            remedy="`kubectl get flags -A` lists them; what was approved is served all the same.",
        )
    return body


def _condition(body: dict[str, Any]) -> dict[str, str]:
    conditions = (body.get("status") or {}).get("conditions") or ()
    unknown = {"status": "Unknown", "reason": "NotSeen", "message": "No operator has said anything yet."}
    return next((it for it in conditions if it["type"] == "Ready"), unknown)


def _name(body: dict[str, Any]) -> str:
    metadata = body["metadata"]
    place = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{body['kind']} {place}{metadata['name']}"


def _row(body: dict[str, Any]) -> dict[str, Any]:
    return {"resource": _name(body), "status": body.get("status") or {}}


def _lines(body: dict[str, Any], *, whole: bool) -> Iterator[str]:
    status, ready = body.get("status") or {}, _condition(body)
    words = [_name(body), f"Ready={ready['status']}", ready["reason"]]
    if status.get("approvedBy"):
        words.append(f"approved by {status['approvedBy']}")
    if status.get("snapshotVersion"):
        words.append(f"since snapshot {status['snapshotVersion']}")
    if body["kind"] in KINDS and status.get("person"):
        words.append(f"by {status['person']}")
        words.append("reviewed" if status.get("reviewed") else "not reviewed")
    yield "  ".join(words)
    if whole:
        for it in status.get("conditions") or ():
            yield f"  {it['type']}={it['status']} {it['reason']}: {visible(it['message'])}"
    elif ready["status"] != "True" or body["kind"] in ("FlagRepository", *KINDS):
        yield f"  {visible(ready['message'])}"
