"""The smallest company that the gate has nothing to say about, and how the rules' examples change it."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from tests.model.samples import CALENDAR, ENVIRONMENTS, LIFECYCLE, public_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from flagseal_validators.rule import Example

TODAY = date(2026, 11, 22)

FLAG_FIELDS = {
    "description": "Sends carts to the rewritten checkout service.",
    "purpose": "release",
    "owner": "team-payments",
    "riskTier": "sensitive",
    "lifecycle": "canary",
    "expires": '"2027-03-31"',
    "retireWhen": "On for everyone.",
    "variants": "{enabled: true, disabled: false}",
    "safeVariant": "disabled",
    "environments": "{staging: {default: enabled}, production: {default: disabled}}",
}

ORGANISATION_FIELDS = {
    "people": (f'{{alice: {{name: Alice, keys: ["{public_key(1)}"]}}, bob: {{name: Bob, keys: ["{public_key(2)}"]}}}}'),
    "teams": "{team-payments: {members: [alice, bob]}, team-one: {members: [alice]}, team-nobody: {members: []}}",
    "roles": "{flag-approver: {people: [alice]}, security: {people: [bob]}}",
}

APPROVAL_FIELDS = {
    "default": "deny",
    "tiers": "{}",
    "policies": "{widen: {approvals: [{role: security, count: 1}], evidence: either}}",
}

_HEADS = {
    "policies/organisation.yaml": ("Organisation", ORGANISATION_FIELDS),
    "policies/approvals.yaml": ("ApprovalPolicy", APPROVAL_FIELDS),
    "policies/calendar.yaml": ("ChangeCalendar", {"windows": "{}", "blackouts": "[]"}),
}


def document(path: str, text: str, without: tuple[str, ...] = ()) -> str:
    """Complete an example to a whole file."""
    if text.startswith("apiVersion:") or path.endswith("CODEOWNERS"):
        return text
    stem = path.rpartition("/")[2].partition(".")[0]
    if path in _HEADS:
        kind, fields = _HEADS[path]
        head = f"apiVersion: flagseal.dev/v1alpha1\nkind: {kind}\nmetadata: {{name: {stem}}}\nspec:\n"
    else:
        fields = FLAG_FIELDS
        # The example of FS152 lies in a file of another name; all others are called as their file is.
        name = "new-checkout" if path == "flags/payments/old-checkout.yaml" and "key:" not in text else stem
        namespace = path.split("/")[1]
        head = (
            "apiVersion: flagseal.dev/v1alpha1\nkind: FlagDefinition\n"
            f"metadata: {{name: {name}, namespace: {namespace}}}\nspec:\n"
        )
    given = set(re.findall(r"^([A-Za-z]+):", text, re.MULTILINE)) | set(without)
    rest = [f"  {name}: {value}\n" for name, value in fields.items() if name not in given]
    return head + "".join(rest) + "".join(f"  {line}\n" for line in text.splitlines())


def base() -> dict[str, str]:
    """Give the company's files by path."""
    return {
        "flags/payments/new-checkout.yaml": document("flags/payments/new-checkout.yaml", ""),
        ".github/CODEOWNERS": "* @acme/team-payments\n",
        "policies/organisation.yaml": document("policies/organisation.yaml", ""),
        "policies/approvals.yaml": document("policies/approvals.yaml", ""),
        "policies/calendar.yaml": CALENDAR,
        "policies/environments.yaml": ENVIRONMENTS,
        "policies/lifecycle.yaml": LIFECYCLE,
    }


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files below a folder, and give the folder."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def write_example(root: Path, example: Example) -> Path:
    """Write the company with an example's files in it."""
    files: dict[str, str | bytes] = dict(base())
    for name, text in example.others.items():
        files[name] = document(name, text)
    if example.link:
        (write(root, files) / example.file).symlink_to(str(example.text))
        return root
    if isinstance(example.text, bytes):
        files[example.file] = document(example.file, "LATIN", example.without).encode().replace(b"LATIN", example.text)
    else:
        files[example.file] = document(example.file, example.text, example.without)
    if example.file == "flags/payments/old-checkout.yaml":
        del files["flags/payments/new-checkout.yaml"]
    return write(root, files)


def before(example: Example) -> dict[str, bytes]:
    """Give what the file of an example held before the change, if it shows one."""
    return {example.file: document(example.file, example.before).encode()} if example.before else {}
