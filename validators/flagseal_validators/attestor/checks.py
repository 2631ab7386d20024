"""The ten checks of approval, those of them that ask a forge's facts: each a small function with its reason.

======  ==================  ===========================================================================
number  id                  asks
======  ==================  ===========================================================================
1       ``landed``          merged into the protected branch, by this request and not by a push
2       ``tree``            what landed is what was reviewed
3       ``reviews``         approvals in force at the merge, of the head that was merged
4       ``contributors``    everybody who had a hand in it is known, and is not counted
5       ``people``          who approved, as distinct people of the organisation
6       ``owners``          every path has an owner, and one of them approved
6       ``guarded``         owners and workflows changed: approved as policies are
7, 10   (the decision)      :func:`flagseal.policy.decide.decide`: class, tier, roles, ticket, window, step, staging
8       ``required-checks`` what the forge requires passed, from the app that is to say so
8       ``gate``            our own gate passes on the landed tree
9       ``protection``      the branch was protected since before the request was opened
======  ==================  ===========================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flagseal.policy.approvals import Asked, approval_checks
from flagseal.policy.decision import Check
from flagseal.policy.facts import Approval as PolicyApproval
from flagseal.policy.facts import Facts as PolicyFacts
from flagseal.policy.membership import members
from flagseal.repository.changes import is_guarded
from flagseal_validators.attestor.people import Given, Hands, accounts_of, given, hands
from flagseal_validators.forge.protection import REMEDY, counted, required, unprotected

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from flagseal.approval.trust import Trust
    from flagseal.codeowners import Codeowners, Owner
    from flagseal.history import Head
    from flagseal.model.finding import Finding
    from flagseal.model.policies import Organisation
    from flagseal_validators.attestor.landing import Landing
    from flagseal_validators.forge.facts import Facts, Push, RequiredCheck


@dataclass(frozen=True, slots=True)
class Ownership:
    """CODEOWNERS as of the commit that a request landed on.

    Attributes:
        file: What it says; None if there is none, or none that can be read.
        findings: What is wrong with it.
    """

    file: Codeowners | None
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Case:
    """One landing, with everything it is judged by.

    Attributes:
        landing: The request and its way onto the branch.
        trust: Names the repository and the branch.
        head: The accepted state: its organisation and policies judge.
        ownership: CODEOWNERS of the commit that the request landed on.
        line: The protected branch's first-parent line, from the accepted commit on, that one included.
        own: Commits of the request's head that the base does not have, by git.
        changed: Paths that the landing changed.
        now: The clock.
    """

    landing: Landing
    trust: Trust
    head: Head
    ownership: Ownership
    line: tuple[str, ...]
    own: frozenset[str]
    changed: tuple[str, ...]
    now: datetime

    @property
    def facts(self) -> Facts:
        """The request's."""
        return self.landing.facts

    @property
    def organisation(self) -> Organisation:
        """Who is who, as of the base."""
        return self.head.policies.organisation

    @property
    def hands(self) -> Hands:
        """Who had a hand in it."""
        return hands(self.facts, accounts_of(self.organisation))

    @property
    def given(self) -> Given:
        """Whose approvals count."""
        return given(self.facts, accounts_of(self.organisation), self.hands.people)


def judge(case: Case) -> tuple[Check, ...]:
    """Apply every check that asks the forge's facts, whatever the others found."""
    return (
        landed(case),
        tree(case),
        reviews(case),
        contributors(case),
        people(case),
        owners(case),
        *guarded(case),
        required_checks(case),
        protection(case),
    )


def mergers(cases: Iterable[Case]) -> tuple[str, ...] | None:
    """Name the people who merged requests; None where one was merged by nobody known, as by a queue."""
    found = set()
    for case in cases:
        account = case.facts.request.merged_by
        person = accounts_of(case.organisation).get(account.id) if account is not None and account.human else None
        if person is None:
            return None
        found.add(person)
    return tuple(sorted(found))


def landed(case: Case) -> Check:
    """Check 1: a merge of this request brought the commit onto the protected branch of this repository."""
    facts, trust, request = case.facts, case.trust, case.facts.request
    movement = _movement(case)
    problems = [
        f"the facts are of {facts.repository_id}, and trust.json names {trust.repository_id}"
        if facts.repository_id != trust.repository_id
        else "",
        f"it was merged into {request.base}, and the protected branch is {trust.ref}"
        if f"refs/heads/{request.base}" != trust.ref
        else "",
        f"it was merged into another repository ({request.base_repository})"
        if f"{facts.forge}:{request.base_repository}" != trust.repository_id
        else "",
        f"{request.merge_commit[:12]} is not on the branch" if request.merge_commit not in case.line[1:] else "",
    ]
    if movement is None:
        problems.append("the forge does not say how the branch came there")
    elif movement.kind not in {"request-merge", "queue-merge"}:
        problems.append(f"the branch came there by a {movement.kind}, not by merging a request")
    elif movement.kind == "request-merge" and movement.before != case.landing.base:
        problems.append(f"the forge merged onto {movement.before[:12]}, and the branch has {case.landing.base[:12]}")
    return _check(
        "landed",
        problems,
        f"request {request.number} was merged into {request.base} as {request.merge_commit[:12]}",
        "Revert it on the branch, and make the change by a request that the forge merges.",
    )


def _movement(case: Case) -> Push | None:
    """Find the movement of the branch that brought the merge commit: one that ends at it, or a queue's across it."""
    commit = case.facts.request.merge_commit
    exact = [push for push in case.facts.landings if push.after == commit]
    if exact:
        # More than one: it was taken away and put back, and then a push brought it.
        return next((push for push in exact if push.kind not in {"request-merge", "queue-merge"}), exact[-1])
    place = {name: at for at, name in enumerate(case.line)}
    across = [
        push
        for push in case.facts.landings
        if push.kind == "queue-merge"
        and push.before in place
        and place[push.before] <= place.get(case.landing.base, -1) < place.get(commit, -1) <= place.get(push.after, -1)
    ]
    return across[0] if len(across) == 1 else None


def tree(case: Case) -> Check:
    """Check 2: what landed is what git makes of the reviewed head and the branch as it was."""
    landing = case.landing
    problem = ""
    if landing.method is None:
        problem = (
            f"neither a merge nor a squash nor a rebase of {landing.facts.request.head[:12]} onto {landing.base[:12]}"
            f" gives what landed as {landing.commit[:12]}"
        )
    return _check(
        "tree",
        [problem],
        f"the {landing.method} of {landing.facts.request.head[:12]} gives what landed",
        "What landed was not reviewed: revert it, and make the change again.",
    )


def reviews(case: Case) -> Check:
    """Check 3: somebody approved the head that was merged, before it was, and nothing took that back."""
    found = case.given
    said = "; ".join(found.passed_over)
    names = ", ".join(f"{it.person} at {it.at:%Y-%m-%d %H:%M:%S}Z" for it in found.approvals)
    return _check(
        "reviews",
        [] if found.approvals else [f"no approval was in force when it was merged{f': {said}' if said else ''}"],
        f"approved by {names}{f'; not counted: {said}' if said else ''}",
        "An approval after the merge is none: revert the change, and have it approved before it is merged again.",
    )


def contributors(case: Case) -> Check:
    """Check 4: everybody who had a hand in it is known; the forge named every commit and the last push."""
    facts, found = case.facts, case.hands
    told = {commit.id for commit in facts.commits}
    problems = list(found.unknown)
    if len(facts.commits) != facts.request.commit_count:
        problems.append(f"the forge counts {facts.request.commit_count} commits, and named {len(facts.commits)}")
    if unnamed := sorted(case.own - told):
        problems.append(f"the forge did not name {', '.join(commit[:12] for commit in unnamed)}")
    if empty := [commit.id[:12] for commit in facts.commits if not commit.authors]:
        problems.append(f"no author is named of {', '.join(empty)}")
    if not any(push.after == facts.request.head for push in facts.pushes):
        problems.append(f"the forge does not say who pushed {facts.request.head[:12]}")
    return _check(
        "contributors",
        problems,
        f"{', '.join(found.people)} had a hand in it: not counted",
        "List the account in policies/organisation.yaml (a change of its own), or make the commits by somebody listed.",
    )


def people(case: Case) -> Check:
    """Check 5: each approval is a person's, and a person's only once."""
    found = case.given.approvals
    known = {it.person for it in found}
    return _check(
        "people",
        [] if len(known) == len(found) and found else ["no person of the organisation approved"],
        f"{len(found)} people approved: {', '.join(sorted(known))}",
        "Ask somebody whose account policies/organisation.yaml lists.",
    )


def owners(case: Case) -> Check:
    """Check 6: every path that changed has owners by the CODEOWNERS of the base, and one of them approved.

    Where nobody could: a request that changes nothing but owners and workflows is for :func:`guarded` to decide, or a
    bad CODEOWNERS could never be corrected.
    """
    asked = case.changed
    if asked and all(map(is_guarded, asked)):
        asked = tuple(path for path in asked if _has_owner(case, path))
        if not asked:
            return _check("owners", [], "nobody known owns what it changes, which is approved as policies are", "")
    if case.ownership.file is None:
        problems = [finding.text() for finding in case.ownership.findings] or ["there is no CODEOWNERS file"]
        return _check(
            "owners", problems, "", "Revert it, correct CODEOWNERS in a change of its own, and make it again."
        )
    approvals = {it.person: it.at for it in case.given.approvals}
    problems = []
    for path in asked:
        named = case.ownership.file.owners(path)
        if not named:
            problems.append(f"{path} has no owner")
            continue
        if not any(_owns(case, owner, person, at) for owner in named for person, at in approvals.items()):
            problems.append(f"{path}: none of {', '.join(owner.text for owner in named)} approved")
    return _check(
        "owners",
        problems,
        f"an owner approved each of {len(asked)} paths",
        "Ask an owner to approve; owners are those of CODEOWNERS before the change. If nobody is, revert it,"
        " and correct CODEOWNERS first, in a change of its own.",
    )


def _has_owner(case: Case, path: str) -> bool:
    """Tell whether anybody of the organisation could have approved a path as its owner."""
    named = (case.ownership.file.owners(path) if case.ownership.file is not None else None) or ()
    at = case.facts.request.merged_at
    return any(_owns(case, owner, person, at) for owner in named for person in case.organisation.people)


def _owns(case: Case, owner: Owner, person: str, at: datetime) -> bool:
    """Tell whether a person is an owner: by account, or as a member of the team of that name in the organisation.

    Addresses are nobody's here: the organisation lists none.
    """
    if owner.kind == "user":
        login = case.organisation.people[person].github_login
        return login is not None and login.casefold() == owner.name.casefold()
    if owner.kind == "team":
        host, _, team = owner.name.partition("/")
        own = case.facts.repository_name.partition("/")[0]
        return host.casefold() == own.casefold() and person in members(case.organisation, team, at)
    return False


def guarded(case: Case) -> tuple[Check, ...]:
    """Check 6: who owns what, and what runs on a request, are approved as policies are."""
    paths = [path for path in case.changed if is_guarded(path)]
    if not paths:
        return ()
    row = case.head.policies.approval.policies.get("widen")
    if row is None:
        return (_check("guarded", ["no row covers a change of policies"], "", "Correct policies/approvals.yaml."),)
    production = tuple(sorted(name for name, it in case.head.policies.environments.items() if it.production))
    both = frozenset({"forge", "keys"})
    facts = PolicyFacts(
        accepted={},
        after={},
        subjects=(),
        contributors=case.hands.people,
        approvals=tuple(PolicyApproval(it.person, both, it.at) for it in case.given.approvals),  # type: ignore[arg-type]
        now=case.now,
        ticket="asked for by the decision",
        mergers=mergers([case]),
    )
    checks, _ = approval_checks(Asked(row, (), production, None), facts, case.organisation)
    failed = [check for check in checks if not check.passed]
    return (
        _check(
            "guarded",
            [f"{', '.join(paths)}: {check.reason}" for check in failed],
            f"{', '.join(paths)}: approved as {row.place} asks",
            " ".join(check.remedy for check in failed if check.remedy) or "Have it approved as policies are.",
        ),
    )


def required_checks(case: Case) -> Check:
    """Check 8: what the forge's rules require passed on what was reviewed, from the app that is to say so."""
    request = case.facts.request
    movement = _movement(case)
    queued = movement is not None and movement.kind == "queue-merge"
    where = (
        {movement.after, request.merge_commit}
        if queued and movement is not None
        else {request.head, request.merge_commit}
    )
    problems = []
    asked = [check for ruleset in case.facts.rulesets for check in ruleset.checks]
    for check in dict.fromkeys(asked):
        if check.app is None:
            problems.append(f"{check.name} is required of no app in particular, so anybody may say that it passed")
            continue
        runs = [
            run
            for run in case.facts.checks
            if run.is_called(check.name) and run.app == check.app and run.commit in where
        ]
        if not any(run.conclusion == "success" for run in runs):
            said = ", ".join(sorted({run.conclusion or "unfinished" for run in runs}))
            problems.append(f"{check.name} (app {check.app}): {said or _by_others(case, check, where)}")
    names = ", ".join(dict.fromkeys(check.name for check in asked))
    return _check(
        "required-checks",
        problems,
        f"{names} passed" if asked else "the forge requires none",
        "Name the app in the ruleset, and merge what its checks passed on.",
    )


def _by_others(case: Case, check: RequiredCheck, where: Collection[str | None]) -> str:
    """Say who reported a check that its app never did."""
    named = [run for run in case.facts.checks if run.is_called(check.name) and run.commit in where]
    if any(run.by for run in named):
        others = ", ".join(sorted({run.by for run in named if run.by}))
        return f"its commit status was set by {others}, of whom GitHub does not say that it is that app"
    if unread := sorted({run.unread for run in named if run.unread}):
        return f"never ran there by that app as a check run, and its commit statuses were not read: {', '.join(unread)}"
    return "never ran there" if not named else "never ran there by that app"


def protection(case: Case) -> Check:
    """Check 9: since before the request was opened, rules protected the branch that nobody else may pass by.

    Who else may is what the policies declare that were in force before.
    """
    asked, opened = required(case.head.policies.approval), case.facts.request.created_at
    found = unprotected(case.facts.rulesets, asked, opened)
    names = ", ".join(ruleset.name for ruleset in counted(case.facts.rulesets, asked, opened))
    return _check(
        "protection",
        [deviation.said for deviation in found],
        f"{names}: in force since before the request was opened",
        REMEDY,
    )


def _check(name: str, problems: list[str], reason: str, remedy: str) -> Check:
    found = [problem for problem in problems if problem]
    return Check(name, None, passed=not found, reason="; ".join(found) or reason, remedy=remedy if found else "")
