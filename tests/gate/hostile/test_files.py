"""Files that somebody wrote to be followed, to be taken for something else, or to be too much."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from flagseal_validators import gate
from tests.gate.company import TODAY, base, document, write

FLAGSEAL = str(Path(sys.executable).parent / "flagseal")
CHECKOUT = "flags/payments/new-checkout.yaml"


def found(root: Path) -> list[tuple[str, str, str]]:
    """Tell what the gate says: file, rule, severity."""
    report = gate.validate_paths(root, today=TODAY)
    return [(it.file, it.rule, it.severity) for it in report.findings]


@pytest.fixture(name="root")
def company(tmp_path: Path) -> Path:
    """Write the company without anything to mend."""
    return write(tmp_path / "root", base())


@pytest.mark.parametrize("name", ["--help.yaml", "-rf", "-rf.yaml", "--format=json.yaml", "@file.yaml", "*.yaml"])
def test_a_file_named_like_an_option_is_a_file(root: Path, name: str) -> None:
    """By the folder, by its path, and from its own folder."""
    (root / ".git").mkdir()
    path = f"flags/payments/{name}"
    write(root, {path: "a: ["})
    rule = ("FS100", "error") if name.endswith(".yaml") else ("FS154", "warning")
    for words, folder in (([], root), ([path], root), (["--", name], root / "flags/payments")):
        done = subprocess.run(
            [FLAGSEAL, "validate", "--format", "json", *words],
            cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        told = json.loads(done.stdout)["findings"]
        assert (path, *rule) in [(it["file"], it["rule"], it["severity"]) for it in told], done.stderr


@pytest.mark.parametrize("size", [10 * 1024 * 1024, 50 * 1024 * 1024 * 1024])
def test_a_vast_file_is_not_read(root: Path, size: int) -> None:
    """A sparse one of fifty gigabytes costs as little as one of ten megabytes."""
    for path in (CHECKOUT, "flags/payments/other.yaml", "policies/tests/vast.yaml"):
        (root / path).parent.mkdir(exist_ok=True)
        with (root / path).open("wb") as file:
            file.truncate(size)
    assert {rule for _, rule, _ in found(root)} == {"FS103"}


def test_a_hundred_thousand_files_are_looked_at(root: Path) -> None:
    """Each is told of, once, and no list or table grows with its square."""
    folder = root / "flags/many"
    folder.mkdir()
    for number in range(100_000):
        # Not .yaml: what is held here is the walk, the layout and the report; reading is held by the benchmark.
        os.close(os.open(folder / f"{number}.txd", os.O_CREAT | os.O_WRONLY))
    seen = found(root)
    assert len(seen) == len(set(seen)) == 100_000
    assert {(rule, severity) for _, rule, severity in seen} == {("FS154", "warning")}


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("flow lists", "a: " + "[" * 100_000, "FS104"),
        ("flow maps", "a: " + "{a: " * 50_000, "FS104"),
        ("block lists", "- " * 100_000, "FS104"),
        ("indented maps", "".join(f"{' ' * depth}a:\n" for depth in range(600)), "FS104"),
        ("keys that are maps", "? " * 100_000, "FS104"),
        ("a laugh", "a: &a [x]\n" + "".join(f"b{n}: &b{n} [*a,*a]\n" for n in range(4000)), "FS107"),
        ("tags", "a: !!python/object/apply:os.system [touch x]\n", "FS108"),
        ("an include", "a: !include /etc/passwd\n", "FS108"),
        ("a merge", "a: &a {b: 1}\nc: {<<: *a}\n", "FS107"),
        ("many documents", "---\n" * 60_000, "FS105"),
        ("many keys", "".join(f"k{n}: 1\n" for n in range(20_000)), "FS112"),
        ("one key again and again", "a: 1\n" * 40_000, "FS106"),
        ("a long line", "a: " + "x" * 250_000, "FS112"),
        ("digits", "a: " + "9" * 250_000, "FS110"),
        ("a directive", "%TAG ! tag:x,2000:\n---\na: 1\n", "FS108"),
    ],
)
def test_a_bomb_is_a_finding(root: Path, name: str, text: str, rule: str) -> None:
    """Nothing is expanded, called or exhausted; a hundred findings at most are told of one file."""
    del name
    write(root, {"flags/payments/bomb.yaml": text})
    told = [it for it in found(root) if it[0] == "flags/payments/bomb.yaml"]
    assert rule in {it[1] for it in told}
    assert len(told) <= 101


@pytest.mark.parametrize(
    "condition",
    [
        "{all: [" + ", ".join(f"{{any: [{{a{n}: 1}}, {{b{n}: 2}}, {{c{n}: 3}}]}}" for n in range(300)) + "]}",
        "{not: {any: [" + ", ".join(f"{{all: [{{a{n}: 1}}, {{a{(n * 7) % 90}: 2}}]}}" for n in range(300)) + "]}}",
        "{all: [" + ", ".join(f"{{not: {{a: {{in: [{n}, {n + 1}]}}}}}}" for n in range(900)) + "]}",
        "{a: {in: [" + ", ".join(f"v{n}" for n in range(6_000)) + "]}}",
        "{any: [" + ", ".join(f"{{a: {{semver: '>=1.{n}.0'}}, b: {{gt: {n}}}}}" for n in range(900)) + "]}",
    ],
    ids=["conjunctions", "negated", "negations", "values", "ranges"],
)
@pytest.mark.parametrize("rules", [1, 5])
def test_a_condition_made_to_be_hard_does_not_stop_the_gate(root: Path, condition: str, rules: int) -> None:
    """Whoever cannot reason it through says nothing about it; it must not take for ever to find that out."""
    told = "\n".join(f"    - {{name: rule {number}, when: {condition}, serve: enabled}}" for number in range(rules))
    text = document(CHECKOUT, f"environments:\n  production:\n    rules:\n{told}\n    default: disabled\n")
    assert len(text) < 256 * 1024
    write(root, {CHECKOUT: text})
    assert (CHECKOUT, "FS305", "warning") in found(root)


def test_a_segment_made_to_be_hard_does_not_stop_the_gate(root: Path) -> None:
    """Nor a hundred rules that name it."""
    hard = "{all: [" + ", ".join(f"{{any: [{{a{n}: 1}}, {{b{n}: 2}}, {{c{n}: 3}}]}}" for n in range(300)) + "]}"
    head = "apiVersion: flagseal.dev/v1alpha1\nkind: Segment\nmetadata: {name: staff, namespace: payments}\nspec:\n"
    write(root, {"flags/payments/staff.yaml": f"{head}  when: {hard}\n"})
    told = "\n".join(f"    - {{name: rule {n}, when: {{segment: staff, x: {n}}}, serve: enabled}}" for n in range(100))
    rules = f"environments:\n  production:\n    rules:\n{told}\n    default: disabled\n"
    write(root, {CHECKOUT: document(CHECKOUT, rules)})
    assert (CHECKOUT, "FS305", "warning") in found(root)


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (document(CHECKOUT, "").encode("utf-16"), "FS101"),
        (document(CHECKOUT, "").encode("utf-16-be"), "FS102"),
        (document(CHECKOUT, "").encode("utf-32"), "FS101"),
        (b"\xef\xbb\xbf" + document(CHECKOUT, "").encode(), "FS101"),
        (document(CHECKOUT, "").replace("carts", "Käufe").encode("latin-1"), "FS101"),
        (document(CHECKOUT, "").replace("carts", "ca\0rts").encode(), "FS102"),
        (document(CHECKOUT, "").encode() + b"\0", "FS102"),
        (document(CHECKOUT, "").replace("carts", "\u202ecarts").encode(), "FS102"),
        (document(CHECKOUT, "").replace("carts", "car\u200bts").encode(), "FS102"),
        (document(CHECKOUT, "").replace("\n", "\r").encode(), "FS102"),
        (document(CHECKOUT, "").replace("\n", "\u2028").encode(), "FS102"),
        (document(CHECKOUT, "").replace("carts", "x\ud800").encode("utf-8", "surrogatepass"), "FS101"),
        (b"\xc0\xae", "FS101"),
    ],
)
def test_an_odd_encoding_is_a_finding(root: Path, data: bytes, rule: str) -> None:
    """UTF-16, UTF-32, a byte order mark, Latin-1, NUL, unseen characters, other line breaks, overlong forms."""
    write(root, {CHECKOUT: data})
    assert rule in {it[1] for it in found(root)}
    assert {it[2] for it in found(root)} == {"error"}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_in_two_unicode_forms_is_a_finding(root: Path, form: str) -> None:
    """Some file systems take the two for one; names are ASCII, so neither passes."""
    name = unicodedata.normalize(form, "café")  # type: ignore[arg-type]
    write(root, {f"flags/payments/{name}.yaml": document(f"flags/payments/{name}.yaml", "")})
    write(root, {f"flags/{name}/new.yaml": document(f"flags/{name}/new.yaml", "")})
    assert {it[0] for it in found(root) if it[2] == "error"} == {
        f"flags/payments/{name}.yaml",
        f"flags/{name}/new.yaml",
    }


@pytest.mark.parametrize("path", ["flags/payments/New-Checkout.yaml", "flags/Payments/other.yaml"])
def test_a_name_that_differs_by_case_only_is_a_finding(root: Path, path: str) -> None:
    """On some machines the two are one file."""
    if (root / path.swapcase()).exists():
        pytest.skip("this file system takes the two for one")
    write(root, {path: document(path, "")})
    assert (path, "error") in {(it[0], it[2]) for it in found(root)}


@pytest.mark.parametrize("name", ["Policies", "FLAGS"])
def test_a_folder_that_differs_from_ours_by_case_only_is_told(root: Path, name: str) -> None:
    """Nothing here reads it; on some machines it is the same folder, and its files are policies there."""
    write(root, {f"{name}/evil.yaml": "x"})
    assert found(root) == [(name, "FS154", "warning")]


def test_a_policy_of_the_same_kind_in_another_case_or_suffix_is_a_finding(root: Path) -> None:
    """A kind is declared once, whatever its files are called."""
    text = base()["policies/calendar.yaml"]
    write(root, {"policies/CALENDAR.yml": text.replace("name: calendar", "name: other")})
    assert "FS601" in {it[1] for it in found(root)}


def test_a_link_out_of_the_tree_is_not_read_however_it_is_named(root: Path, tmp_path: Path) -> None:
    """As an argument too: it is judged as the link it is."""
    (root / ".git").mkdir()
    secret = tmp_path / "secret.yaml"
    secret.write_text("password: hunter2\n")
    link = root / "flags/payments/link.yaml"
    link.symlink_to(secret)
    for words in ([], ["flags/payments/link.yaml"], [str(link)]):
        done = subprocess.run(
            [FLAGSEAL, "validate", *words], cwd=root, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 1
        assert "FS151" in done.stdout
        assert "hunter2" not in done.stdout + done.stderr
