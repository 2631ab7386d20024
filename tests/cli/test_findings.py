"""How findings reach a person whose command could not go on for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flagseal_cli.main import run

if TYPE_CHECKING:
    import pytest

    from tests.cli.conftest import Demo


def test_each_finding_is_said_once(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """A list of mistakes twice as long as it is hides the ones that matter."""
    for name in ("one", "two"):
        (demo.path / "flags" / "payments" / f"{name}.yaml").write_text("kind: [\n")
    capsys.readouterr()
    assert run(["eval", "new-checkout", "-e", "production", "--repo", str(demo.path)]) == 2
    said = capsys.readouterr().err
    assert said.count("flags/payments/one.yaml") == 1
    assert said.count("flags/payments/two.yaml") == 1
    assert "→" in said
