"""``flagseal validate`` as it is run: exit codes, --base, colours, and the hook for pre-commit."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tests.gate.company import base, document, write
from tests.model.samples import REPOSITORY

BIN = Path(sys.executable).parent
FLAGSEAL = str(BIN / "flagseal")
CHECKOUT = "flags/payments/new-checkout.yaml"
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
NEXT_MONTH = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()


def flag(path: str = CHECKOUT, text: str = "") -> dict[str, str]:
    """Give the file of a flag that expires in a month."""
    return {path: document(path, text or f'expires: "{NEXT_MONTH}"')}


def git(root: Path, *words: str) -> None:
    """Run git as a person with a name."""
    who = {
        "GIT_AUTHOR_NAME": "bob",
        "GIT_AUTHOR_EMAIL": "b@x",
        "GIT_COMMITTER_NAME": "bob",
        "GIT_COMMITTER_EMAIL": "b@x",
    }
    subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, env=os.environ | who)


def commit(root: Path) -> None:
    """Commit everything."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "x")


def validate(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    return subprocess.run(
        [FLAGSEAL, "validate", *words], cwd=root, check=False, capture_output=True, text=True, timeout=60
    )


def found(root: Path, *words: str) -> list[tuple[str, str, str]]:
    """Give rule, severity and file of what the command finds."""
    told = json.loads(validate(root, "--format", "json", *words).stdout)["findings"]
    return [(it["rule"], it["severity"], it["file"]) for it in told]


@pytest.fixture(name="root")
def committed_company(tmp_path: Path) -> Path:
    """Commit the company."""
    root = write(tmp_path / "company", base() | flag())
    git(root, "init", "--quiet", "--initial-branch", "main")
    commit(root)
    return root


def test_the_exit_code_says_how_it_went(root: Path) -> None:
    """0 clean or warned, 1 an error, 2 no answer."""
    assert validate(root).returncode == 0
    write(root, {"flags/payments/notes": "x"})
    assert validate(root).returncode == 0
    write(root, {CHECKOUT: "a: ["})
    for style in ("text", "json", "sarif", "junit", "github"):
        done = validate(root, "--format", style)
        assert (done.returncode, done.stderr) == (1, "")
        assert "FS100" in done.stdout
    assert validate(root, "nowhere.yaml").returncode == 2
    assert validate(root, "--base", "nowhere").returncode == 2
    assert validate(root, "--format", "xml").returncode == 2
    assert validate(root.parent).returncode == 2


def test_base_says_what_the_change_touches(root: Path) -> None:
    """What expired overnight is an error on the file that the change touches, and a warning elsewhere."""
    gone = f'expires: "{YESTERDAY}"'
    other = "flags/payments/other.yaml"
    write(root, flag(text=gone) | flag(other, gone))
    commit(root)
    both = [("FS206", "warning", CHECKOUT), ("FS206", "warning", other)]
    assert found(root) == found(root, "--base", "HEAD") == both
    write(root, flag(other, gone + "\nticket: PAY-1"))
    touched = [("FS206", "warning", CHECKOUT), ("FS206", "error", other)]
    assert found(root, "--base", "HEAD") == touched
    commit(root)
    assert found(root, "--base", "HEAD~1") == touched
    assert found(root, "--base", "HEAD~2") == [("FS206", "error", CHECKOUT), ("FS206", "error", other)]
    assert found(root, "--base", "HEAD~1", CHECKOUT) == [("FS206", "warning", CHECKOUT)]


def test_what_only_ends_a_flag_need_not_wait_for_a_later_expiry(root: Path) -> None:
    """A step of life, or off for everybody; and nothing else beside it."""
    gone = f'expires: "{YESTERDAY}"'
    write(root, flag(text=gone))
    lifecycle = root / "policies/lifecycle.yaml"
    lifecycle.write_text(lifecycle.read_text().replace("draft: [review]", "draft: [review], canary: [enforced]"))
    commit(root)
    text = (root / CHECKOUT).read_text()
    step = text.replace("lifecycle: canary", "lifecycle: enforced")
    off = text.replace("production: {default", 'production: {"off": true, default')
    for ending in (step, off):
        assert ending != text
        (root / CHECKOUT).write_text(ending)
        assert found(root, "--base", "HEAD") == [("FS206", "warning", CHECKOUT)]
    (root / CHECKOUT).write_text(step.replace("safeVariant: disabled", "safeVariant: enabled"))
    assert ("FS206", "error", CHECKOUT) in found(root, "--base", "HEAD")
    retired = text.replace("lifecycle: canary", "lifecycle: retired")
    (root / CHECKOUT).write_text(retired)
    assert found(root, "--base", "HEAD") == [("FS206", "warning", CHECKOUT)]
    (root / CHECKOUT).write_text(retired.replace("production: {default: disabled", "production: {default: enabled"))
    assert ("FS206", "error", CHECKOUT) in found(root, "--base", "HEAD"), "retired in name, and widened"


def test_an_expired_flag_does_not_come_back_from_retirement(root: Path) -> None:
    """That step of life is none toward its end, even where the policy has it."""
    write(root, flag(text=f'expires: "{YESTERDAY}"'))
    lifecycle = root / "policies/lifecycle.yaml"
    lifecycle.write_text(lifecycle.read_text().replace("draft: [review]", "draft: [review], retired: [canary]"))
    text = (root / CHECKOUT).read_text()
    (root / CHECKOUT).write_text(text.replace("lifecycle: canary", "lifecycle: retired"))
    commit(root)
    (root / CHECKOUT).write_text(text)
    assert found(root, "--base", "HEAD") == [("FS206", "error", CHECKOUT)]


def test_what_the_base_did_since_is_not_the_changes_doing(root: Path) -> None:
    """Compared is with where the two parted, as a pull request is."""
    gone = f'expires: "{YESTERDAY}"'
    write(root, flag(text=gone))
    commit(root)
    git(root, "switch", "--quiet", "--create", "feature")
    git(root, "switch", "--quiet", "main")
    write(root, flag(text=gone + "\nticket: PAY-1"))
    commit(root)
    git(root, "switch", "--quiet", "feature")
    assert found(root, "--base", "main") == [("FS206", "warning", CHECKOUT)]


def test_before_the_first_commit_everything_is_touched(tmp_path: Path) -> None:
    """A hook runs then, too."""
    root = write(tmp_path / "new", base() | flag(text=f'expires: "{YESTERDAY}"'))
    git(root, "init", "--quiet")
    assert found(root, "--base", "HEAD") == [("FS206", "error", CHECKOUT)]


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_are_for_a_terminal_whose_person_wants_them(
    root: Path, variables: dict[str, str], coloured: bool
) -> None:
    """A file or a pipe never gets any."""
    write(root, {CHECKOUT: "a: ["})
    assert "\x1b" not in validate(root).stdout
    ours, theirs = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    subprocess.run(
        [FLAGSEAL, "validate"],
        cwd=root,
        stdout=theirs,
        check=False,
        timeout=60,
        env=plain | {"TERM": "xterm"} | variables,
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the terminal is gone
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert b"FS100" in said
    assert (b"\x1b[31;1m" in said) == coloured


def hooks() -> list[dict[str, object]]:
    """Read what we offer to pre-commit."""
    read = yaml.safe_load((REPOSITORY / ".pre-commit-hooks.yaml").read_text())
    assert isinstance(read, list)
    return read


def test_the_hooks_install_what_the_gate_needs() -> None:
    """The bare package has neither a YAML parser nor git."""
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [hook["additional_dependencies"] for hook in hooks()] == [extras["ci"]] * len(hooks())


def test_pre_commit_stops_a_commit_with_a_mistake(root: Path, tmp_path: Path) -> None:
    """The hooks as they are defined, run by pre-commit; only that they are not installed from anywhere."""
    local = [
        {key: value for key, value in hook.items() if key != "additional_dependencies"} | {"language": "system"}
        for hook in hooks()
    ]
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({"repos": [{"repo": "local", "hooks": local}]}))
    variables = os.environ | {"PRE_COMMIT_HOME": str(tmp_path / "home"), "PATH": f"{BIN}:{os.environ['PATH']}"}

    def run() -> subprocess.CompletedProcess[str]:
        words = [str(BIN / "pre-commit"), "run", "--config", str(config), "--color", "never"]
        return subprocess.run(words, cwd=root, check=False, capture_output=True, text=True, timeout=120, env=variables)

    write(root, flag(text=f'expires: "{NEXT_MONTH}"\nticket: PAY-1'))
    git(root, "add", "--all")
    done = run()
    assert done.returncode == 1, done.stdout + done.stderr
    assert "formatted flags/payments/new-checkout.yaml" in done.stdout
    git(root, "add", "--update")
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Passed") == len(hooks())
    write(root, flag(text=f'expires: "{NEXT_MONTH}"\nticket: none'))
    git(root, "add", "--all")
    done = run()
    assert done.returncode == 1
    assert "error FS209" in done.stdout
    write(root, {"README.md": "x", **flag()})
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "x")
    write(root, {"README.md": "y"})
    git(root, "add", "--all")
    assert "Skipped" in run().stdout
