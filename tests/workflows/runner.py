"""What GitHub's runners do with a workflow, as far as ours need it: conditions, environment, and scripts run by bash.

The scripts are run as they stand, by the shell and the options that GitHub uses, with the variables that GitHub gives
and no other; what stands between them (a checkout, an artifact) is done by hand. The step that installs Flagseal is
passed over: the command under test is the one beside this Python.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml

from tests.forge.github import clean_environment
from tests.forge.server import TOKEN

if TYPE_CHECKING:
    from tests.forge.github import GitHub, Pull, Repository, User
    from tests.forge.server import Server

Context = dict[str, Any]
_WORD = re.compile(r"'[^']*'|&&|\|\||!(?!=)|[A-Za-z_][\w-]*(?:\.[\w-]+)*(?:\(\))?")
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
INSTALLING = "Install Flagseal"


class Hosted(Protocol):
    """A flag repository on the double."""

    @property
    def github(self) -> GitHub:
        """The host."""
        ...

    @property
    def server(self) -> Server:
        """What answers for it."""
        ...

    @property
    def repo(self) -> Repository:
        """The flag repository."""
        ...


@dataclass(frozen=True)
class Ran:
    """What became of a step's script."""

    name: str
    status: int
    output: str


@dataclass
class Runner:
    """Run jobs of a repository on the double.

    Attributes:
        repository: Whose workflows run.
        event: The payload, of which everything else is read.
        secrets: Of the repository or the job's environment.
        variables: Of the repository.
        artifacts: What was uploaded, by name; what is downloaded.
        uploaded: SARIF files given to code scanning.
        app: Whose the token of an App is; None leaves the double's one token to whom it belongs.
    """

    world: Hosted
    repository: Repository
    event_name: str
    event: Context
    ref: str
    path: Path
    secrets: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    uploaded: list[bytes] = field(default_factory=list)
    app: User | None = None

    def job(self, workflow: str, name: str) -> list[Ran] | None:
        """Run one job of a workflow's text; None where its condition says no.

        A step that fails ends it, but for those that ask to run all the same.
        """
        job = yaml.safe_load(workflow)["jobs"][name]
        folder = self.path / f"job-{len(list(self.path.glob('job-*')))}"
        work, temp = folder / "work", folder / "temp"
        work.mkdir(parents=True)
        temp.mkdir()
        context: Context = {
            "github": {
                "event": self.event,
                "event_name": self.event_name,
                "ref": self.ref,
                "repository": self.repository.full_name,
                "token": TOKEN,
            },
            "runner": {"temp": str(temp)},
            "secrets": self.secrets,
            "vars": self.variables,
            "steps": {},
        }
        if not evaluated(job.get("if", "true"), context):
            return None
        ran: list[Ran] = []
        for step in job["steps"]:
            failed = bool(ran) and ran[-1].status != 0
            if not evaluated(step["if"], context) if "if" in step else failed:
                continue
            if "uses" in step:
                given = {key: interpolated(value, context) for key, value in step.get("with", {}).items()}
                self._use(step["uses"].partition("@")[0], given, work, context, step.get("id", ""))
            elif step["name"] != INSTALLING:
                variables = {key: interpolated(value, context) for key, value in step.get("env", {}).items()}
                ran.append(self._script(step["name"], step["run"], variables, work, temp))
        return ran

    def _use(self, action: str, given: dict[str, str], work: Path, context: Context, step: str) -> None:
        match action:
            case "actions/setup-python":
                assert given["python-version"]
            case "actions/checkout":
                self._check_out(given, work)
            case "actions/upload-artifact":
                if (file := Path(given["path"])).exists():
                    self.artifacts[given["name"]] = file.read_bytes()
            case "actions/download-artifact":
                (work / "flagseal.sarif").write_bytes(self.artifacts[given["name"]])
            case "github/codeql-action/upload-sarif":
                self.uploaded.append((work / given["sarif_file"]).read_bytes())
            case "actions/create-github-app-token":
                assert given["private-key"]
                self.world.github.me = self.app or self.world.github.me
                context["steps"][step] = {"outputs": {"token": TOKEN}}
            case _:
                raise AssertionError(action)

    def _check_out(self, given: dict[str, str], work: Path) -> None:
        found = self.world.github.repositories[given.get("repository", self.repository.full_name)]
        target = work / given.get("path", ".")
        ref = f"refs/heads/{given['ref']}" if "ref" in given else self.ref
        for words in (
            ("init", "--quiet", str(target)),
            ("-C", str(target), "remote", "add", "origin", found.url),
            ("-C", str(target), "fetch", "--quiet", "origin", "+refs/heads/*:refs/remotes/origin/*", f"+{ref}:refs/x"),
            ("-C", str(target), "checkout", "--quiet", "--detach", "refs/x"),
        ):
            subprocess.run(["git", *words], check=True, env=clean_environment(), capture_output=True)

    def _served(self) -> Path:
        """Lay out the host's repositories as it serves them to git: ``owner/name``."""
        top = self.path / "served"
        for name, found in self.world.github.repositories.items():
            place = top / name
            if not place.is_symlink():
                place.parent.mkdir(parents=True, exist_ok=True)
                place.symlink_to(found.path)
        return top

    def _script(self, name: str, script: str, variables: dict[str, str], work: Path, temp: Path) -> Ran:
        (temp / "event.json").write_text(json.dumps(self.event))
        (temp / "script.sh").write_text(script)
        (temp / "home").mkdir(exist_ok=True)
        git = Path(shutil.which("git") or "").parent
        environment = {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), str(git), "/usr/bin", "/bin")),
            "HOME": str(temp / "home"),
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.world.server.url,
            "GITHUB_EVENT_NAME": self.event_name,
            "GITHUB_EVENT_PATH": str(temp / "event.json"),
            "GITHUB_REF": self.ref,
            "GITHUB_REF_NAME": self.ref.split("/", 2)[2],
            "GITHUB_REPOSITORY": self.repository.full_name,
            "GITHUB_SERVER_URL": f"file://{self._served()}",
            "RUNNER_TEMP": str(temp),
            **variables,
        }
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(temp / "script.sh")]
        done = subprocess.run(
            words, cwd=work, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return Ran(name, done.returncode, done.stdout)


def on_request(world: Hosted, pull: Pull, path: Path, variables: dict[str, str] | None = None) -> Runner:
    """Give the runner of a request's own workflows."""
    found = world.repo
    head = {"sha": found.head_of(pull), "ref": pull.head, "repo": _named(pull.fork or found)}
    base = {"sha": found.tip(pull.base), "ref": pull.base, "repo": _named(found)}
    found.follow(pull)
    event = {
        "number": pull.number,
        "pull_request": {"number": pull.number, "head": head, "base": base},
        "repository": {**_named(found), "visibility": "private"},
    }
    return Runner(
        world, found, "pull_request", event, f"refs/pull/{pull.number}/merge", path, variables=variables or {}
    )


def after_run(world: Hosted, pull: Pull, path: Path) -> Runner:
    """Give the runner of the workflow that follows a request's."""
    source = pull.fork or world.repo
    world.repo.follow(pull)
    run = {
        "event": "pull_request",
        "head_sha": world.repo.head_of(pull),
        "head_branch": pull.head,
        "head_repository": _named(source),
        "pull_requests": [],
    }
    return Runner(world, world.repo, "workflow_run", {"workflow_run": run}, "refs/heads/main", path)


def evaluated(expression: str, context: Context) -> Any:  # noqa: ANN401 (any value of an expression)
    """Evaluate an expression, with or without its braces; what is not there is an empty text."""
    match = _EXPRESSION.fullmatch(str(expression).strip())
    text = match[1] if match else str(expression)
    return eval(_WORD.sub(lambda word: _word(word[0], context), text).strip(), {"__builtins__": {}})  # noqa: S307 (ours)


def interpolated(value: object, context: Context) -> str:
    """Replace the expressions of a value."""
    return _EXPRESSION.sub(lambda match: str(evaluated(match[0], context)), str(value))


def _word(word: str, context: Context) -> str:
    known = {"&&": " and ", "||": " or ", "!": " not ", "cancelled()": "False", "true": "True", "false": "False"}
    if word in known:
        return known[word]
    if word.startswith("'"):
        return repr(word[1:-1])
    found: Any = context
    for part in word.split("."):
        found = found.get(part, "") if isinstance(found, dict) else ""
    return repr(found)


def _named(found: Repository) -> Context:
    return {"id": found.id, "full_name": found.full_name, "owner": {"login": found.owner.login}}
