"""What a head publishes in one environment: files by target path, the same bytes for everybody (distribution.md).

Costs grow with the change: given an earlier build, a namespace is compiled again only if a document that it was, or
would now be, compiled from differs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from flagseal.emergency.claim import FREEZE, OVERRIDE
from flagseal.emergency.ledger import EMPTY
from flagseal.evaluation.compile import compile_namespace
from flagseal.history.access import access_for
from flagseal.history.bundle import write_instant
from flagseal.history.freezing import held_back
from flagseal.history.overriding import Serving, overridden
from flagseal.model.canonical import canonical_json
from flagseal.model.document import split_subject
from flagseal.model.errors import ApprovalError
from flagseal.policy.classify import reached
from flagseal.policy.state import State, changed_subjects, flag_subject, may_differ

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from flagseal.emergency.ledger import Emergencies
    from flagseal.history.head import Head, Pending
    from flagseal.model.canonical import Json
    from flagseal.model.document import Document

COMPILER: Final = 3
"""Raised whenever the same head gives other bytes than before (docs/adr/0051-compilers-differ.md)."""

HEAD_PATH = "_repository/head.json"
FLAGS, PROVENANCE, ACCESS = "flags.json", "provenance.json", "access.json"


@dataclass(frozen=True)
class Basis:
    """What a build was made from, kept so that the next one can tell what differs.

    Attributes:
        state: The documents in effect.
        approvals: The approvals by which they are.
        bucketing: The environment's.
        access: The AccessPolicy, if there is one.
        sources: By namespace, the documents its flags were compiled from, sorted by subject.
        pending: By namespace, what waits there, as its provenance says it.
        rolled_back: The flags that serve their safe variant to everyone, with the incident.
        serving: What each flag is served from: what is in effect, but for what a freeze holds back.
    """

    state: State
    approvals: Mapping[str, str]
    bucketing: str
    access: Document | None
    sources: Mapping[str, tuple[Document, ...]]
    pending: Mapping[str, Json]
    rolled_back: Mapping[str, str]
    serving: Serving


@dataclass(frozen=True)
class Build:
    """Hold the files of one environment.

    Attributes:
        environment: Its name.
        as_of: The instant for which it was computed what is in effect; whole seconds, UTC.
        head: The accepted state.
        files: Target path (``payments/flags.json``, ``_repository/head.json``) to bytes.
        emergencies: What was proven, and holds or held.
    """

    environment: str
    as_of: datetime
    head: Head
    files: Mapping[str, bytes]
    basis: Basis = field(compare=False, repr=False)
    emergencies: Emergencies = EMPTY

    def is_current(self, head: Head, now: datetime, emergencies: Emergencies) -> bool:
        """Tell whether building again for a later instant would change nothing but the ``asOf`` of ``head.json``."""
        same = self.head is head or (self.head.statement, self.head.sequence) == (head.statement, head.sequence)
        held = self.emergencies == emergencies and self.emergencies.holding(self.as_of) == emergencies.holding(now)
        return same and held and self.head.waiting(self.environment, self.as_of) == head.waiting(self.environment, now)


def build(
    head: Head,
    environment: str,
    now: datetime,
    *,
    previous: Build | None = None,
    exact: bool = False,
    emergencies: Emergencies = EMPTY,
) -> Build:
    """Build the files of one environment: a function of the head, the environment, the instant and what was proven.

    Args:
        head: The accepted state.
        environment: One of its policies' environments.
        now: Aware; an instant before the last acceptance counts as that.
        previous: An earlier build, of this or another head. It saves work. For a publisher it also keeps the clock from
            going back, and where nothing differs it is given back as it is: there is nothing new to publish.
        exact: For who compares with what was published: build for this very instant, whatever went before.
        emergencies: What was proven against this head's organisation (``emergency.take``, ``require_holding``).

    Raises:
        ApprovalError: ``UnknownEnvironment``.
        CompileError: A flag in effect has no meaning, which acceptance rules out.
    """
    environments = head.policies.environments
    if environment not in environments:
        raise ApprovalError(
            f"{environment} is not among the environments of this history.",
            code="UnknownEnvironment",
            remedy=f"Use one of {', '.join(sorted(environments))}.",
        )
    before = previous if previous is not None and previous.environment == environment else None
    as_of = max(now, head.accepted_at).replace(microsecond=0)
    if before is not None and not exact:
        as_of = max(as_of, before.as_of)
        if before.is_current(head, as_of, emergencies):
            return before
    state = head.effective(environment, as_of)
    approvals = head.effective_approvals(environment, as_of)
    serving = Serving(environment, state, held_back(head, environment, as_of, emergencies))
    rolled_back = overridden(serving, emergencies.rolled_back(as_of))
    stale = None if before is None else _stale(before.basis, serving, approvals, rolled_back)
    basis = Basis(
        state=state,
        approvals=approvals,
        bucketing=environments[environment].bucketing,
        access=next((it for it in head.policies.documents.values() if it.kind == "AccessPolicy"), None),
        sources=_sources(serving, before.basis.sources if before else {}, stale),
        pending=_pending(head, environment, as_of, state),
        rolled_back=rolled_back,
        serving=serving,
    )
    files = {
        path: data
        for namespace in basis.sources
        for path, data in _namespace_files(basis, namespace, environment, before, stale).items()
    }
    files[HEAD_PATH] = _head_file(head, environment, as_of, emergencies)
    return Build(environment, as_of, head, files, basis, emergencies)


def _stale(
    before: Basis, serving: Serving, approvals: Mapping[str, str], rolled_back: Mapping[str, str]
) -> frozenset[str]:
    """Name the namespaces of which some flag is made from something else than before."""
    state = serving.state
    changed = set(changed_subjects(before.state, state)) if before.state is not state else set()
    if before.approvals is not approvals:
        known, among = before.approvals, may_differ(before.state, state)
        # A subject is given another approval only with its document, so what differs is among the same.
        changed |= {it for it in (approvals if among is None else among) if known.get(it) != approvals.get(it)}
    flags = reached(changed, before.state, state)
    flags |= {flag for flag, _ in before.rolled_back.items() ^ rolled_back.items()}
    flags |= {flag for flag, _ in _marks(before.serving) ^ _marks(serving)}
    return frozenset(_namespace(flag) for flag in flags)


def _marks(serving: Serving) -> set[tuple[str, tuple[object, ...]]]:
    return {(flag, hold.held.mark(flag)) for flag, hold in serving.holds.items()}


def _sources(
    serving: Serving, known: Mapping[str, tuple[Document, ...]], stale: frozenset[str] | None
) -> dict[str, tuple[Document, ...]]:
    """Name what each namespace with a flag in the environment is compiled from, anew where it may have changed."""
    found: dict[str, dict[tuple[str, str], Document]] = {}
    for namespace in serving.namespaces() if stale is None else stale:
        for flag in serving.flags(namespace):
            state = serving.state_of(flag)
            resolved = state.resolve(flag, serving.environment)
            if resolved is not None:
                documents = [state[subject] for subject in (flag_subject(flag), *resolved.dependencies)]
                found.setdefault(namespace, {}).update({(it.subject, it.digest): it for it in documents})
    kept = {} if stale is None else {name: entry for name, entry in known.items() if name not in stale}
    fresh = {name: tuple(documents[key] for key in sorted(documents)) for name, documents in found.items()}
    return dict(sorted((kept | fresh).items()))


def _pending(head: Head, environment: str, as_of: datetime, state: State) -> dict[str, Json]:
    """Say, by namespace, what waits there."""
    found: dict[str, list[Json]] = {}
    for entry in head.waiting(environment, as_of):
        by_namespace: dict[str, list[Json]] = {}
        for subject in sorted(entry.before):
            flags = reached((subject,), state, head.documents)
            own = split_subject(subject)[1]
            for namespace in {_namespace(flag) for flag in flags} | ({own} if own is not None else set()):
                by_namespace.setdefault(namespace, []).append(subject)
        for namespace, subjects in by_namespace.items():
            found.setdefault(namespace, []).append(
                {
                    "sequence": entry.sequence,
                    "effectiveFrom": write_instant(entry.effective_from),
                    "subjects": subjects,
                }
            )
    return {namespace: list(entries) for namespace, entries in found.items()}


def _namespace_files(
    basis: Basis, namespace: str, environment: str, before: Build | None, stale: frozenset[str] | None
) -> dict[str, bytes]:
    names = {name: f"{namespace}/{name}" for name in (FLAGS, PROVENANCE, ACCESS)}
    old = before.files if before is not None and namespace in before.basis.sources else {}
    known = before.basis if before is not None else basis
    fresh = stale is None or namespace in stale or not old
    files = {}
    if not fresh and known.bucketing == basis.bucketing:
        files[names[FLAGS]] = old[names[FLAGS]]
    else:
        files[names[FLAGS]] = compile_namespace(
            basis.state.catalogue,
            namespace,
            environment,
            bucketing=basis.bucketing,
            approvals=basis.approvals,
            rolled_back=basis.rolled_back,
            held={flag: hold.held for flag, hold in basis.serving.holds.items()},
        )
    if not fresh and known.pending.get(namespace) == basis.pending.get(namespace):
        files[names[PROVENANCE]] = old[names[PROVENANCE]]
    else:
        files[names[PROVENANCE]] = _provenance(basis, namespace)
    if old and _digest(known.access) == _digest(basis.access):
        files[names[ACCESS]] = old[names[ACCESS]]
    else:
        spec = basis.access.spec if basis.access is not None else None
        files[names[ACCESS]] = canonical_json(access_for(spec, namespace, environment)) + b"\n"
    return files


def _provenance(basis: Basis, namespace: str) -> bytes:
    """Write the documents a namespace was compiled from, each in its canonical form, and what waits there."""
    documents = b",".join(document.canonical for document in basis.sources[namespace])
    pending = canonical_json(basis.pending.get(namespace, []))
    return b'{"documents":[' + documents + b'],"pending":' + pending + b"}\n"


def _head_file(head: Head, environment: str, as_of: datetime, emergencies: Emergencies) -> bytes:
    policies = head.policies
    body: Json = {
        "repository": head.repository_id,
        "ref": head.ref,
        "environment": environment,
        "sequence": head.sequence,
        "statement": head.statement,
        "commit": head.commit,
        "manifest": head.manifest.digest,
        "acceptedAt": write_instant(head.accepted_at),
        "asOf": write_instant(as_of),
        "compiler": COMPILER,
        "pending": [_pending_entry(entry) for entry in head.waiting(environment, as_of)],
        "policies": {
            "digest": policies.digest,
            "documents": [policies.documents[subject].body() for subject in sorted(policies.documents)],
        },
        "overrides": emergencies.body(OVERRIDE),
        "freezes": emergencies.body(FREEZE),
    }
    return canonical_json(body) + b"\n"


def _pending_entry(entry: Pending) -> Json:
    return {
        "sequence": entry.sequence,
        "effectiveFrom": write_instant(entry.effective_from),
        "before": {
            subject: None if document is None else document.body() for subject, document in sorted(entry.before.items())
        },
    }


def _digest(document: Document | None) -> str | None:
    return None if document is None else document.digest


def _namespace(flag: str) -> str:
    return flag.partition("/")[0]
