"""The report as SARIF 2.1.0 (OASIS), for code scanning.

Paragraphs in comments are those of the standard. GitHub shows the first 5,000 results of a run and takes 25,000.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from flagseal.model.characters import visible
from flagseal_validators.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flagseal.model.finding import Finding
    from flagseal_validators.judged import Suppression
    from flagseal_validators.report import Report
    from flagseal_validators.rule import Rule

SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT: Final = "flagsealFinding/v1"
_MOST_RESULTS: Final = 25_000


def as_sarif(report: Report) -> str:
    """Render one run with every rule, the findings, and what is suppressed."""
    told: list[tuple[Finding, Suppression | None]] = [(finding, None) for finding in report.findings]
    told += [(suppressed.finding, suppressed.by) for suppressed in report.suppressed]
    # Errors first: what a reader cuts off should be what matters least.
    told.sort(key=lambda entry: (entry[1] is not None, entry[0].severity != "error"))
    run = {
        "tool": {"driver": _driver()},
        "columnKind": "unicodeCodePoints",
        "automationDetails": {"id": "flagseal/validate/"},
        "results": list(_results(told[:_MOST_RESULTS])),
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _driver() -> dict[str, Any]:
    return {
        "name": "flagseal",
        "semanticVersion": version("flagseal"),
        "rules": [_descriptor(rule) for rule in RULES.values()],
    }


def _descriptor(rule: Rule) -> dict[str, Any]:
    excuse = "It can be suppressed by `spec.ignore`." if rule.suppressible else "It cannot be suppressed."
    pointer = f"`flagseal rule {rule.id}` has examples."
    return {
        "id": rule.id,
        "shortDescription": {"text": f"{rule.title}."},
        "fullDescription": {"text": rule.why},
        "help": {
            "text": f"{rule.why}\n\n{rule.remedy} {excuse}",
            "markdown": f"{rule.why}\n\n**What to do:** {rule.remedy} {excuse}\n\n{pointer}",
        },
        "defaultConfiguration": {"level": rule.severity},
    }


def _results(told: Iterable[tuple[Finding, Suppression | None]]) -> Iterable[dict[str, Any]]:
    numbers = {rule_id: number for number, rule_id in enumerate(RULES)}
    seen: Counter[str] = Counter()
    for finding, suppression in told:
        # Neither the line nor the message: both change though the finding is still the same (section 3.27.17).
        same = f"{finding.rule}\0{finding.file}\0{finding.path}"
        seen[same] += 1
        name = hashlib.sha256(f"{same}\0{seen[same]}".encode("utf-8", "surrogatepass")).hexdigest()
        result: dict[str, Any] = {
            "ruleId": finding.rule,
            "ruleIndex": numbers[finding.rule],
            "level": finding.severity,
            "message": {"text": _message(finding)},
            "locations": [_location(finding)],
            "partialFingerprints": {FINGERPRINT: name},
        }
        if suppression is not None:
            reason = f"{visible(suppression.reason)} (until {suppression.until})"
            # In the source, hence approved with it (section 3.35).
            result["suppressions"] = [{"kind": "inSource", "status": "accepted", "justification": reason}]
        yield result


def _message(finding: Finding) -> str:
    remedy = f" {finding.remedy}" if finding.remedy else ""
    return visible(f"{finding.message.removesuffix('.')}.{remedy}")


def _location(finding: Finding) -> dict[str, Any]:
    # Always relative to the root, as GitHub wants it; a name that is not UTF-8 keeps its bytes.
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(finding.file.encode("utf-8", "surrogateescape"))}}
    if finding.line:
        place["region"] = {"startLine": finding.line} | ({"startColumn": finding.column} if finding.column else {})
    named = [{"fullyQualifiedName": visible(finding.path)}]
    return {"physicalLocation": place, "logicalLocations": named}
