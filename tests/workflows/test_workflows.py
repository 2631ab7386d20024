"""What `flagseal init` writes for a git host's runners, and what this repository runs itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from flagseal_cli.main import run as flagseal
from flagseal_cli.workflows import FLAG_WORKFLOWS, REQUIREMENTS, attestor_files, flag_workflows, requirements
from tests.workflows.conftest import OWN
from tests.workflows.linters import security, syntax

if TYPE_CHECKING:
    from pathlib import Path

FROM_A_RELEASE = """\
        python -m pip install --require-hashes --requirement .github/flagseal/requirements.txt
        python -m pip install --no-deps flagseal==0.1.0
"""
FROM_THIS_TREE = """\
        python -m pip install --require-hashes --requirement constraints.txt
        python -m pip install --no-deps --no-build-isolation .
"""
ALL = (*FLAG_WORKFLOWS, "attest")


def parsed(text: str) -> dict[Any, Any]:
    """Read a workflow."""
    found = yaml.safe_load(text)
    assert isinstance(found, dict)
    return found


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """List the steps of all jobs."""
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


@pytest.mark.usefixtures("linted")
def test_the_linters_find_nothing_in_what_init_writes(written: dict[str, Path]) -> None:
    """Neither actionlint nor zizmor."""
    assert sorted(written) == sorted(ALL)
    assert syntax(*written.values()) == []
    assert security(*written.values()) == []


@pytest.mark.usefixtures("linted")
@pytest.mark.parametrize("key", ["awskms:alias/attestor", "azurekms:attestor.vault.azure.net/keys/attestor/1"])
def test_with_a_key_in_a_kms_the_attestor_says_who_it_is_and_has_no_key(tmp_path: Path, key: str) -> None:
    """The same workflow, with a right more and a secret less; the linters find nothing in it."""
    folder = tmp_path / "attestor"
    assert flagseal(["init", str(folder), "--attestor-of", "acme/flags", "--signer", key]) == 0
    file = folder / ".github" / "workflows" / "attest.yaml"
    assert syntax(file) == []
    assert security(file) == []
    text = file.read_text()
    assert "__" not in text + (folder / "README.md").read_text()
    assert re.findall(r"secrets\.(\w+)", text) == ["FLAGSEAL_APP_KEY"]
    assert parsed(text)["jobs"]["attest"]["permissions"] == {"contents": "read", "id-token": "write"}
    assert f"KEY: {key}\n" in text
    common = attestor_files("acme/flags")[".github/workflows/attest.yaml"].partition("    - name: Attest\n")[0]
    assert text.replace("      id-token: write # who it is, for the KMS\n", "").startswith(common)


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("awskms:alias/attestor", {"AWS_DEFAULT_REGION", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"}),
        (
            "azurekms:attestor.vault.azure.net/keys/attestor/1",
            {"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_FEDERATED_TOKEN_FILE"},
        ),
    ],
)
def test_a_clouds_client_is_told_by_the_names_that_it_reads(key: str, names: set[str]) -> None:
    """The library names no region, and botocore takes it from AWS_DEFAULT_REGION and never from AWS_REGION."""
    files = attestor_files("acme/flags", key)
    told = steps(parsed(files[".github/workflows/attest.yaml"]))[-1]["env"]
    assert set(told) == names | {"FLAGSEAL_GITHUB_TOKEN", "KEY"}
    for name in names - {"AWS_WEB_IDENTITY_TOKEN_FILE", "AZURE_FEDERATED_TOKEN_FILE"}:
        assert told[name] == f"${{{{ vars.{name} }}}}"
        assert f"`{name}`" in files["README.md"]


def test_the_checks_that_the_documentation_requires_are_jobs_of_the_shipped_check() -> None:
    """A required check goes by its job's name: one that no job has is waited for for ever."""
    text = flag_workflows()[".github/workflows/check.yaml"]
    jobs = {job["name"] for job in parsed(text)["jobs"].values()}
    required = [
        (page.name, name)
        for page in sorted((OWN.parents[1] / "docs").rglob("*.md"))
        for name in re.findall(r"\{name: ([^,}]+), app: 15368\}", page.read_text("utf-8"))
    ]
    assert "github.md" in {page for page, _ in required}
    assert {name for _, name in required} <= jobs


@pytest.mark.parametrize("key", ["hv:attestor", "file:key.pem", "awskms:", "awskms:a b", "awskms:$(id)", 'awskms:x"'])
def test_a_kms_that_is_not_known_is_not_guessed(tmp_path: Path, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is written for it, and nothing but a key's name gets into the file."""
    assert flagseal(["init", str(tmp_path / "attestor"), "--attestor-of", "acme/flags", "--signer", key]) == 2
    assert "awskms:…" in capsys.readouterr().err
    assert not (tmp_path / "attestor").exists()
    assert flagseal(["init", str(tmp_path / "flags"), "--signer", "awskms:alias/x"]) == 2


@pytest.mark.usefixtures("linted")
def test_the_linters_find_nothing_in_what_this_repository_runs() -> None:
    """Its own workflows, the product's included."""
    files = sorted(OWN.iterdir())
    assert [file.suffix for file in files] == [".yaml"] * len(files)
    assert syntax(*files) == []
    assert security(*files) == []


@pytest.mark.parametrize("name", FLAG_WORKFLOWS)
def test_this_repository_runs_what_init_writes(name: str) -> None:
    """The same files, but that Flagseal is installed from the tree."""
    shipped = flag_workflows()[f".github/workflows/{name}.yaml"]
    assert shipped.count(FROM_A_RELEASE) == 1
    assert (OWN / f"{name}.yaml").read_text() == shipped.replace(FROM_A_RELEASE, FROM_THIS_TREE)


@pytest.mark.parametrize("name", ALL)
def test_a_job_has_what_it_needs_and_nothing_more(name: str) -> None:
    """No right but the job's own; an end in sight; no credentials left behind; scripts without expressions."""
    texts = {**flag_workflows(), **attestor_files("acme/flags")}
    workflow = parsed(texts[f".github/workflows/{name}.yaml"])
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert 0 < job["timeout-minutes"] <= 60
        assert set(job["permissions"].values()) <= {"read", "write"}
    for step in steps(workflow):
        assert "${{" not in step.get("run", "")
        if "uses" in step:
            assert re.fullmatch(r"[\w/.-]+@[0-9a-f]{40}", step["uses"])
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
    used = re.findall(r"\buses: (\S+)( # v\d+\.\d+\.\d+)?$", texts[f".github/workflows/{name}.yaml"], re.MULTILINE)
    assert all(version for _, version in used)


def test_what_runs_a_request_may_write_nothing_and_knows_no_secret() -> None:
    """The check runs the request's own files: it reads, and a job that sees none of them uploads the findings."""
    text = flag_workflows()[".github/workflows/check.yaml"]
    assert "secrets." not in text
    jobs = parsed(text)["jobs"]
    assert jobs["gate"]["permissions"] == {"contents": "read"}
    for job in jobs.values():
        writes = "write" in job["permissions"].values()
        runs = any("run" in step or step["uses"].startswith("actions/checkout@") for step in job["steps"])
        assert not (writes and runs)


def test_what_may_write_to_a_request_is_told_nothing_by_it() -> None:
    """The comment's workflow takes no artifact, checks out its own branch, hands no word of the event to a script."""
    text = flag_workflows()[".github/workflows/comment.yaml"]
    workflow = parsed(text)
    assert "download-artifact" not in text
    assert re.findall(r"secrets\.(\w+)", text) == ["FLAGSEAL_BOT_APP_KEY"]
    assert workflow["jobs"]["plan"]["environment"] == "comment"
    checkout = next(step for step in steps(workflow) if step.get("uses", "").startswith("actions/checkout@"))
    assert set(checkout["with"]) == {"fetch-depth", "persist-credentials"}
    told = {"GITHUB_TOKEN": "${{ steps.token.outputs.token || github.token }}"}
    assert [step["env"] for step in steps(workflow) if "env" in step] == [told]
    [app] = [step for step in steps(workflow) if step.get("id") == "token"]
    rights = {name: right for name, right in app["with"].items() if name.startswith("permission-")}
    assert rights == {"permission-contents": "read", "permission-pull-requests": "write"}


def test_the_attestors_keys_are_in_its_own_repository() -> None:
    """The flag repository's workflow asks; it signs nothing, and passes no word but the wish."""
    asking = flag_workflows()[".github/workflows/approve.yaml"]
    assert "flagseal attest" not in asking
    assert re.findall(r"secrets\.(\w+)", asking) == ["FLAGSEAL_ATTESTOR_TOKEN"]
    attesting = parsed(attestor_files("acme/flags")[".github/workflows/attest.yaml"])
    # PyYAML reads the key `on` as true.
    assert attesting[True]["workflow_dispatch"] is None
    assert attesting["jobs"]["attest"]["environment"] == "attestor"
    assert attesting["jobs"]["attest"]["permissions"] == {"contents": "read"}


def test_everything_but_flagseal_is_installed_by_hash() -> None:
    """Pins of all that `flagseal[forge]` needs; none of a server or an operator."""
    pins = requirements()
    names = set(re.findall(r"^([a-z0-9-]+)==", pins, re.MULTILINE))
    assert {"click", "gitpython", "pygithub", "pyyaml", "ruamel-yaml", "tuf"} <= names
    assert not {"kopf", "grpcio", "uvicorn", "pytest"} & names
    assert pins.count("--hash=sha256:") > len(names)
    assert flag_workflows()[REQUIREMENTS] == attestor_files("acme/flags")["requirements.txt"] == pins


def test_init_writes_an_attestor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A repository of its own, for one flag repository."""
    assert flagseal(["init", str(tmp_path / "attestor"), "--attestor-of", "acme/flags"]) == 0
    assert "trust.json" in capsys.readouterr().err
    text = (tmp_path / "attestor" / ".github" / "workflows" / "attest.yaml").read_text()
    assert "repository: acme/flags\n" in text
    assert "__" not in text
    assert "acme/flags" in (tmp_path / "attestor" / "README.md").read_text()


@pytest.mark.parametrize("flags", ["flags", "acme/flags/x", "acme/fl ags", 'acme/flags"', "acme/..", "acme/$(id)"])
def test_an_attestor_is_written_for_a_repository_only(
    tmp_path: Path, flags: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stands in a workflow is a name and nothing else; nothing is written otherwise."""
    folder = tmp_path / "attestor"
    assert flagseal(["init", str(folder), "--attestor-of", flags]) == 2
    assert not folder.exists()
    assert "OWNER/NAME" in capsys.readouterr().err


def test_an_attestor_has_no_people(tmp_path: Path) -> None:
    """What belongs to a flag repository is refused, not passed over."""
    folder = tmp_path / "attestor"
    assert flagseal(["init", str(folder / "x"), "--attestor-of", "acme/flags", "--person", "ann"]) == 2


def test_workflows_are_written_anew_after_an_upgrade(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Into a repository that has others, or none; what else is there stays."""
    folder = tmp_path / "flags"
    assert flagseal(["init", "--demo", str(folder)]) == 0
    old = folder / ".github" / "workflows" / "check.yaml"
    old.parent.mkdir(parents=True)
    old.write_text("name: old\n")
    (old.parent / "mine.yaml").write_text("name: mine\n")
    assert flagseal(["forge", "workflows", "--repo", str(folder)]) == 0
    assert "files below" in capsys.readouterr().err
    for path, text in flag_workflows().items():
        assert (folder / path).read_text() == text
    assert (old.parent / "mine.yaml").read_text() == "name: mine\n"
