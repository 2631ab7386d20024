"""Habits of every test of the house: how hypothesis looks, and what may be skipped."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Generator

# `make test` must end in minutes, and say the same of the same commit each time: its examples are drawn from the test's
# own text. `make search` draws others, and many more (docs/adr/0117).
# How long an example takes to draw is the machine's affair, as how long it takes to run is.
_ANY_SPEED = settings(deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", _ANY_SPEED, max_examples=60, derandomize=True)
settings.register_profile("search", _ANY_SPEED, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

# No configuration of whoever runs the tests counts, nor a repository that git tells its hooks of.
for _name in [name for name in os.environ if name.startswith("GIT_")]:
    del os.environ[_name]
os.environ |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

CONFORMANCE = (
    "FLAGD_TESTBED",
    "FLAGD_SCHEMAS",
    "OFREP_OPENAPI",
    "NODE_CLIENTS",
    "KUBEBUILDER_ASSETS",
    "GITHUB_OPENAPI",
    "FLAGSEAL_SSHD",
)
"""Variables that say where other projects' suites, clients and servers lie. A test that needs one skips, naming it,
where it is not set; for NODE_CLIENTS and GITHUB_OPENAPI, where Node or npm cannot provide them either; for
FLAGSEAL_SSHD, where the machine has no sshd of its own."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a conformance suite into a failure where FLAGSEAL_REQUIRE_CONFORMANCE is set."""
    report = yield
    reason = str(report.longrepr)
    required = bool(os.environ.get("FLAGSEAL_REQUIRE_CONFORMANCE"))
    if required and report.skipped and not hasattr(report, "wasxfail") and any(name in reason for name in CONFORMANCE):
        report.outcome = "failed"
        report.longrepr = f"{reason}\nskipped, though FLAGSEAL_REQUIRE_CONFORMANCE is set"
    return report
