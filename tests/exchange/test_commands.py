"""``flagseal import`` and ``flagseal export`` on a repository of the sample company."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from flagseal_cli.main import run
from tests.exchange.taking import TOP, flag
from tests.exchange.test_files import RESOURCE

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the sample in a git repository; no configuration of the user's counts."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    path = tmp_path / "repository"
    for folder in ("flags", "policies"):
        shutil.copytree(TOP / folder, path / folder)
    subprocess.run(["git", "init", "-q", str(path)], check=True)
    return path


def written(repository: Path, flags: object) -> str:
    """Write a flagd document beside the repository."""
    path = repository.parent / "flags.json"
    path.write_text(json.dumps({"flags": flags}))
    return str(path)


def files(repository: Path) -> set[str]:
    """Name every file of the repository."""
    return {str(path.relative_to(repository)) for path in (repository / "flags").rglob("*") if path.is_file()}


def test_imported_flags_are_valid_and_answer(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Import, then the gate has nothing to mend, and `flagseal eval` gives the old answer."""
    source = written(repository, {"winterSale": flag({"if": [{"===": [{"var": "org"}, "acme"]}, "on"]})})
    words = ["import", "flagd", source, "--into", "flags/shop", "--owner", "team-storefront", "--repo", str(repository)]
    assert run(words) == 0
    said = capsys.readouterr().out
    assert "exactly           winterSale" in said
    assert "all the same" in said
    assert "owner team-storefront" in said
    assert run(["validate", "--repo", str(repository)]) == 0
    assert run(["eval", "winterSale", "-e", "production", "-c", '{"org": "acme"}', "--repo", str(repository)]) == 0
    assert '"variant": "on"' in capsys.readouterr().out
    assert (
        run(["import", "flagd", source, "--into", "shop", "--owner", "team-storefront", "--repo", str(repository)]) == 1
    )
    assert "the key is taken" in capsys.readouterr().out


def test_a_dry_run_writes_nothing(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report is the same, and nothing is there."""
    before = files(repository)
    source = written(repository, {"a": flag(), "b": flag(state="DISABLED")})
    words = ["import", "flagd", source, "--into", "flags/shop", "--owner", "team-storefront", "--repo", str(repository)]
    assert run([*words, "--dry-run", "--format", "json"]) == 1
    (report,) = json.loads(capsys.readouterr().out)
    assert [entry["outcome"] for entry in report["flags"]] == ["exactly", "changed"]
    assert report["flags"][0]["evaluated"] > 400
    assert report["flags"][0]["differ"] == 0
    assert files(repository) == before


def test_resources_go_to_their_own_namespace(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The resource says where it belongs; the second import finds its key taken and writes nothing."""
    manifest = repository.parent / "m.yaml"
    manifest.write_text(RESOURCE)
    words = ["import", "openfeature-operator", str(manifest), "--owner", "team-storefront", "--repo", str(repository)]
    assert run(words) == 0
    assert "flags/shop/banner.yaml" in files(repository)
    capsys.readouterr()


@pytest.mark.parametrize(
    "words",
    [
        ["import", "flagd", "{file}", "--into", "flags/shop", "--owner", "nobody"],
        ["import", "flagd", "{file}", "--into", "flags/Shop", "--owner", "team-storefront"],
        ["import", "flagd", "{file}", "--into", "../shop", "--owner", "team-storefront"],
        ["import", "flagd", "{file}", "--into", "shop", "--owner", "team-storefront", "-e", "moon"],
        ["import", "flagd", "{bad}", "--into", "shop", "--owner", "team-storefront"],
        ["import", "flagd", "nowhere", "--into", "shop"],
        ["import", "openfeature-operator", "{file}"],
        ["export", "flagd", "-e", "moon"],
        ["export", "flagd", "-e", "production"],
        ["export", "flagd", "-e", "production", "-n", "moon"],
        ["export", "launchdarkly", "-e", "production"],
    ],
)
def test_what_cannot_be_used_is_said_and_nothing_is_written(
    repository: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, a message, and the repository as it was."""
    before = files(repository)
    (repository.parent / "bad.json").write_text("{")
    names = {"file": written(repository, {"a": flag()}), "bad": str(repository.parent / "bad.json")}
    capsys.readouterr()
    assert run([*(word.format(**names) for word in words), "--repo", str(repository)]) == 2
    said = capsys.readouterr()
    assert said.err.strip()
    assert "Traceback" not in said.err
    assert said.out == ""
    assert files(repository) == before


def test_without_an_owner_nothing_is_guessed(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A flag that nobody here owns is left out."""
    source = written(repository, {"a": flag()})
    assert run(["import", "flagd", source, "--into", "shop", "--repo", str(repository)]) == 1
    assert "--owner" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["flagd", "openfeature-operator"])
def test_what_is_exported_can_be_imported_elsewhere(
    repository: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both ways, by files; and a second export overwrites nothing."""
    out = repository.parent / "out"
    words = ["export", form, "-e", "production", "--out", str(out), "--repo", str(repository)]
    assert run(words) == 0
    assert "all the same" in capsys.readouterr().err
    assert run(words) == 2
    (file,) = out.glob("storefront.*")
    shutil.rmtree(repository / "flags")
    into = ["--into", "flags/storefront", "--purpose", "operational"]
    assert run(["import", form, str(file), *into, "--repo", str(repository)]) == 0
    said = capsys.readouterr().out
    assert "3 exactly, 0 as raw targeting, 0 with a difference, 0 left out." in said
    assert run(["validate", "--repo", str(repository)]) == 0


def test_one_namespace_goes_to_standard_output(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So that it can be piped; the report goes beside it."""
    assert run(["export", "flagd", "-e", "production", "-n", "payments", "--repo", str(repository)]) == 0
    said = capsys.readouterr()
    assert "paymentServiceV2" in json.loads(said.out)["flags"]
    assert "payments: 5 flags kept exactly" in said.err


def test_a_key_cannot_write_to_the_terminal(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A foreign file's keys are shown, never sent as they are."""
    source = written(repository, {"\x1b[2J\x07": flag()})
    words = ["import", "flagd", source, "--into", "shop", "--owner", "team-storefront", "--repo", str(repository)]
    assert run(words) == 1
    said = capsys.readouterr().out
    assert "left out" in said
    assert "\x1b" not in said
    assert "\x07" not in said
