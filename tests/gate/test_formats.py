"""The report in each of its forms, and that no form lets what a change's author wrote pass for something else."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flagseal.model.finding import Finding
from flagseal_validators import gate
from flagseal_validators.formats import machine
from flagseal_validators.formats.github import MOST_SHOWN, as_github
from flagseal_validators.formats.junit import as_junit
from flagseal_validators.formats.machine import as_json
from flagseal_validators.formats.sarif import FINGERPRINT, as_sarif
from flagseal_validators.formats.text import as_text
from flagseal_validators.judged import Suppression
from flagseal_validators.report import Report, Suppressed
from flagseal_validators.rules import RULES
from flagseal_validators.source_lines import SourceLines
from tests.gate.company import TODAY, base, document, write

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = "flags/payments/new-checkout.yaml"
IGNORED = 'owner: nobody\nexpires: "2036-01-01"\nignore: [{rule: FS205, reason: agreed, until: "2026-11-30"}]'

SARIF_SCHEMA = "SARIF_SCHEMA"
"""Where the JSON schema of SARIF 2.1.0 lies; if it is not set, it is taken from a package of npm."""
SARIF_PACKAGE = "@microsoft/jest-sarif@1.0.0-beta.0"
SARIF_DIGEST = "2d99159ae54a3eea97f81781cff48780548657c35949f4b7f25e99a2ba4de4f8"
SCHEMA_CACHE = Path(__file__).parents[2] / ".cache" / "sarif"

# Few characters, among them all that a form could stumble over, make clashes likely.
odd = st.text(st.sampled_from("a:,%\r\n\x1b\x00<>&\"'#[]ü\u202e\ud800漢"), max_size=8)
findings = st.builds(
    Finding,
    # In a name, a byte that is no UTF-8 is such a half of a character (PEP 383).
    file=odd.map(lambda name: "flags/{}.yaml".format(name.replace("\ud800", "\udcff"))),
    line=st.integers(0, 3),
    column=st.integers(0, 200),
    rule=st.sampled_from(list(RULES)),
    path=odd.map(lambda path: f"$.{path}"),
    message=odd,
    remedy=odd,
    severity=st.sampled_from(["error", "warning"]),
)
suppressions = st.builds(Suppression, reason=odd, until=st.just("2026-12-31"))
# Not `st.builds`, which asks for the types of every field; theirs are imported for the type checker alone.
suppressed = st.tuples(findings, suppressions).map(lambda both: Suppressed(*both))
reports = st.tuples(
    st.lists(findings, max_size=14).map(lambda found: tuple(sorted(found))),
    st.integers(0, 9),
    st.lists(suppressed, max_size=2).map(tuple),
).map(lambda parts: Report(*parts))


def text_of(report: Report, line: str | None = "  owner: nobody", *, colour: bool = False) -> str:
    """Render for a terminal, with one line for all files."""
    return as_text(report, line_of=lambda file, number: line if file and number else None, colour=colour)


@pytest.fixture(name="report")
def wrong_company(tmp_path: Path) -> Report:
    """Judge the company with one error, one warning and one suppressed finding."""
    stray = {"flags/payments/notes": "x"}
    write(tmp_path, base() | {CHECKOUT: document(CHECKOUT, IGNORED)} | stray)
    return gate.validate_paths(tmp_path, today=TODAY)


def test_the_text_shows_the_line_and_the_place(report: Report, tmp_path: Path) -> None:
    """Grouped by file; a caret below what is meant; what to do; a sum."""
    assert as_text(report, line_of=SourceLines(tmp_path).line) == (
        "flags/payments/new-checkout.yaml\n"
        "  13:3 error FS201 there is no team `nobody`\n"
        "    13 |   owner: nobody\n"
        "       |   ^^^^^\n"
        f"    → {report.findings[0].remedy}\n"
        "\n"
        "flags/payments/notes\n"
        "  warning FS154 nothing reads this file\n"
        "    → Name it .yaml if it is a document; otherwise keep it elsewhere.\n"
        "\n"
        "6 files checked: 1 error, 1 warning, 1 suppressed.\n"
    )


def test_a_clean_repository_is_one_line(tmp_path: Path) -> None:
    """And a suppressed finding is still counted."""
    assert text_of(gate.validate_paths(write(tmp_path, base()), today=TODAY)) == "6 files checked: nothing to mend.\n"
    write(tmp_path, {CHECKOUT: document(CHECKOUT, IGNORED.replace("owner: nobody\n", ""))})
    report = gate.validate_paths(tmp_path, today=TODAY)
    assert text_of(report) == "6 files checked: nothing to mend, 1 suppressed.\n"


@pytest.mark.parametrize(
    ("line", "column", "shown", "marks"),
    [
        ("  owner: nobody", 3, "  owner: nobody", "  ^^^^^"),
        ("  名前: {値: 1}", 8, "  名前: {値: 1}", "         ^^"),
        ("a: \x1b[2J", 4, "a: \\u{1b}[2J", "   ^^^^^^"),
        ("x" * 300, 200, "…" + "x" * 110 + "…", " " * 41 + "^" * 70),
        ("short", 40, "short", ""),
    ],
)
def test_the_caret_stands_below_the_place(line: str, column: int, shown: str, marks: str) -> None:
    """Wide signs take two columns; of a long line the part around the place is shown; nothing reaches the terminal."""
    finding = Finding("f.yaml", 7, column, "FS201", "$.spec.owner", "wrong")
    lines = text_of(Report((finding,), 1), line).splitlines()
    assert lines[2] == f"    7 | {shown}"
    assert lines[3].removeprefix("      | ") == marks


def test_colour_is_written_only_when_asked_for(report: Report) -> None:
    """What is written is the same otherwise."""
    coloured = text_of(report, colour=True)
    assert "\x1b[31;1merror FS201\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == text_of(report)


@given(reports, odd)
def test_no_name_or_message_breaks_a_line_of_text(report: Report, line: str) -> None:
    """Nor does it reach the terminal as anything but letters."""
    text = text_of(report, line)
    assert not set(text) & set("\x1b\x00\r\u202e\ud800")
    assert text.encode().decode() == text


def test_the_published_json_schema_is_that_of_what_is_written(report: Report) -> None:
    """Each field is there, and no other."""
    assert len(json.loads(as_json(report))["suppressed"]) == 1
    assert json.loads(as_json(report))["findings"][0] == {
        "rule": "FS201",
        "severity": "error",
        "file": CHECKOUT,
        "line": 13,
        "column": 3,
        "path": "$.spec.owner",
        "message": "there is no team `nobody`",
        "remedy": report.findings[0].remedy,
    }


@given(reports)
def test_every_report_fits_the_published_json_schema(report: Report) -> None:
    """Whatever names and messages say."""
    jsonschema_rs.Draft202012Validator(machine.SCHEMA).validate(json.loads(as_json(report).encode()))


def _npm_schema() -> bytes:
    SCHEMA_CACHE.mkdir(parents=True, exist_ok=True)
    words = ["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", str(SCHEMA_CACHE), SARIF_PACKAGE]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        pytest.skip(f"{SARIF_SCHEMA}: npm cannot fetch {SARIF_PACKAGE}: {done.stderr.strip()[-200:]}")
    with tarfile.open(SCHEMA_CACHE / done.stdout.split()[-1]) as package:
        file = package.extractfile("package/lib/schemas/sarif-2.1.0-rtm.5.json")
        assert file is not None
        return file.read()


@pytest.fixture(scope="session")
def sarif_is_valid() -> Callable[[Any], None]:
    """Give what validates against the schema of the standard; skip where it cannot be had."""
    named = os.environ.get(SARIF_SCHEMA)
    kept = SCHEMA_CACHE / f"{SARIF_DIGEST}.json"
    if named:
        data = Path(named).read_bytes()
    elif kept.is_file():
        data = kept.read_bytes()
    elif shutil.which("npm") is None:
        pytest.skip(f"{SARIF_SCHEMA} is not set, and there is no npm to fetch it with")
    else:
        data = _npm_schema()
        kept.write_bytes(data)
    if not named:
        assert hashlib.sha256(data).hexdigest() == SARIF_DIGEST
    schema = json.loads(data)
    # Of languages, which we do not write; the pattern has an unmatched bracket, which only some dialects take.
    for part in ("run", "toolComponent"):
        del schema["definitions"][part]["properties"]["language"]["pattern"]
    return jsonschema_rs.Draft4Validator(schema, validate_formats=True).validate


@given(report=reports)
def test_every_report_is_valid_sarif(sarif_is_valid: Callable[[Any], None], report: Report) -> None:
    """Against the schema of the standard, with every rule described."""
    sarif_is_valid(json.loads(as_sarif(report).encode()))


def test_sarif_says_what_a_forge_shows(report: Report) -> None:
    """Place, level, rule with help, a fingerprint, and what is suppressed as suppressed."""
    (run,) = json.loads(as_sarif(report))["runs"]
    wrong, stray, excused = run["results"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    assert rules[wrong["ruleIndex"]]["id"] == wrong["ruleId"] == "FS201"
    assert "flagseal rule FS201" in rules[wrong["ruleIndex"]]["help"]["markdown"]
    assert wrong["level"] == "error"
    assert wrong["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": CHECKOUT},
        "region": {"startLine": 13, "startColumn": 3},
    }
    assert "region" not in stray["locations"][0]["physicalLocation"]
    assert excused["ruleId"] == "FS205"
    assert excused["suppressions"] == [
        {"kind": "inSource", "status": "accepted", "justification": "agreed (until 2026-11-30)"}
    ]
    assert "suppressions" not in wrong


def test_a_fingerprint_outlives_lines_and_days_and_tells_findings_apart() -> None:
    """Otherwise a forge would close and open the same alert again at each change of the file."""

    def names(*found: Finding) -> list[str]:
        results = json.loads(as_sarif(Report(found, 1)))["runs"][0]["results"]
        return [result["partialFingerprints"][FINGERPRINT] for result in results]

    one = Finding("f.yaml", 3, 4, "FS206", "$.spec.expires", "expired 1 day ago")
    later = Finding("f.yaml", 9, 4, "FS206", "$.spec.expires", "expired 2 days ago")
    assert names(one) == names(later)
    assert len(set(names(one, later))) == 2


def test_junit_counts_what_it_holds(report: Report) -> None:
    """An error fails, a warning passes and is heard, what is suppressed is skipped with its reason."""
    root = ET.fromstring(as_junit(report))  # noqa: S314 (our own words)
    assert root.attrib == {
        "name": "flagseal validate",
        "tests": "3",
        "failures": "1",
        "errors": "0",
        "skipped": "1",
    }
    cases = {case.get("name", ""): case for case in root.iter("testcase")}
    assert "there is no team `nobody`" in (cases["FS201 $.spec.owner"].findtext("failure") or "")
    assert "nothing reads this file" in (cases["FS154 $"].findtext("system-out") or "")
    skipped = cases["FS205 $.spec.expires"].find("skipped")
    assert skipped is not None
    assert skipped.get("message") == "agreed (until 2026-11-30)"


@given(reports)
def test_every_report_is_xml_with_the_counts_it_says(report: Report) -> None:
    """Whatever names and messages say; and a clean one is a passed case, not nothing."""
    root = ET.fromstring(as_junit(report).encode())  # noqa: S314 (our own words)
    assert len(list(root.iter("testcase"))) == int(root.get("tests", "")) >= 1
    assert len(list(root.iter("failure"))) == int(root.get("failures", "")) == report.errors
    assert len(list(root.iter("skipped"))) == int(root.get("skipped", "")) == len(report.suppressed)
    for suite in root.iter("testsuite"):
        assert len(list(suite.iter("testcase"))) == int(suite.get("tests", ""))


def test_github_shows_a_finding_at_its_line(report: Report) -> None:
    """With the rule as its title and the remedy below."""
    lines = as_github(report).splitlines()
    title = RULES["FS201"].title
    assert lines[0] == (
        f"::error file={CHECKOUT},line=13,col=3,title=FS201 {title}::"
        f"there is no team `nobody`%0A{report.findings[0].remedy}"
    )
    assert lines[-1] == report.summary()


def read_command(line: str) -> tuple[str, dict[str, str], str]:
    """Read a line as GitHub's runner does."""
    command, _, data = line.removeprefix("::").partition("::")
    word, _, rest = command.partition(" ")
    properties = dict(part.split("=", 1) for part in rest.split(",")) if rest else {}

    def undone(text: str) -> str:
        for code, sign in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
            text = text.replace(code, sign)
        return text

    return word, {name: undone(value) for name, value in properties.items()}, undone(data)


@given(reports)
def test_no_name_or_message_becomes_a_command_of_githubs(report: Report) -> None:
    """Each annotation reads back to what was meant, and nothing else begins a command."""
    text = as_github(report)
    assert "##[" not in text
    commands = [read_command(line) for line in text.split("\n") if line.lstrip().startswith("::")]
    shown = [command for command in commands if command[0] not in {"group", "endgroup"}]
    assert len(shown) == min(report.errors, MOST_SHOWN) + min(report.warnings, MOST_SHOWN)
    assert {word for word, _, _ in shown} <= {"error", "warning"}
    assert all(properties.keys() <= {"file", "line", "col", "title"} for _, properties, _ in shown)
    assert all(properties["file"].startswith("flags/") for _, properties, _ in shown)


def test_what_github_would_drop_is_in_the_log() -> None:
    """Ten annotations of a level are kept of a step; the rest are lines."""
    found = tuple(Finding("flags/a/f.yaml", line, 1, "FS201", "$", "wrong") for line in range(1, 14))
    text = as_github(Report(found, 1))
    assert text.count("::error ") == 10
    assert text.count("flags/a/f.yaml:1") == 3
    assert "::group::3 more" in text
