"""Where code asks for a flag: real calls in every language, and nothing that only looks like one."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from flagseal_validators.retirement.patterns import READERS, hits
from flagseal_validators.retirement.references import SearchFailed, search
from tests.forge.world import run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEY = "new-checkout"
CALLS = {
    "py": [
        'client.get_boolean_value("new-checkout", False)',
        "await client.get_string_details_async('new-checkout', x)",
        'client.get_object_value(flag_key="new-checkout", default_value={})',
        'client.get_boolean_value(\n    "new-checkout",\n    False,\n)',
    ],
    "ts": [
        'await client.getBooleanValue("new-checkout", false)',
        "useBooleanFlagValue('new-checkout', false)",
        "client.getNumberDetails(`new-checkout`, 1)",
        'useFlag<boolean>("new-checkout", true)',
        'useSuspenseFlag("new-checkout", 1)',
        'client.getObjectValue<Layout>("new-checkout", d)',
    ],
    "js": ['client.getStringValue("new-checkout", "x")'],
    "go": [
        'client.BooleanValue(ctx, "new-checkout", false, evalCtx)',
        "client.StringValueDetails(ctx, `new-checkout`, d)",
        'v, err := client.Object(context.Background(), "new-checkout", nil, e)',
    ],
    "java": ['client.getBooleanValue("new-checkout", false);', 'client.getIntegerDetails("new-checkout", 1, ctx)'],
    "cs": [
        'await client.GetBooleanValueAsync("new-checkout", false);',
        'client.GetStringDetailsAsync("new-checkout", d)',
        'client.GetBooleanValueAsync(flagKey: "new-checkout", false)',
    ],
    "rb": [
        'client.fetch_boolean_value(flag_key: "new-checkout", default_value: false)',
        "client.fetch_string_details(flag_key: 'new-checkout', default_value: d)",
    ],
    "php": ["$client->getBooleanValue('new-checkout', false);", '$client->getObjectDetails("new-checkout", []);'],
    "rs": [
        'client.get_bool_value("new-checkout", None, None).await',
        'client.get_struct_value::<T>("new-checkout", None, None)',
        'client.get_int_details("new-checkout", Some(&c), None)',
    ],
    "kt": ['client.getBooleanValue("new-checkout", false)'],
    "swift": ['client.getBooleanValue(key: "new-checkout", defaultValue: false)'],
}
CONSTANTS = {
    "py": 'CHECKOUT: Final = "new-checkout"',
    "ts": "export const CHECKOUT = 'new-checkout';",
    "go": 'const checkout string = "new-checkout"',
    "java": 'private static final String CHECKOUT = "new-checkout";',
    "rs": 'pub const CHECKOUT: &str = "new-checkout";',
    "kt": 'const val CHECKOUT = "new-checkout"',
    "php": "define('CHECKOUT', 'new-checkout');",
    "cs": 'const string Checkout = "new-checkout";',
}
NOT = {
    "py": ["# get_boolean_value('new-checkout', False)", 'get_boolean_value("new-checkout-2", False)', "new_checkout",
           'get_boolean_value("my-new-checkout", False)', 'x = "see new-checkout"', "x = 1  # 'new-checkout'"],
    "ts": ["// client.getBooleanValue('new-checkout', false)", "/* 'new-checkout'\n 'new-checkout' */",
           "import x from './new-checkout';", "{/* 'new-checkout' */}", "<!-- 'new-checkout' -->",
           'getBooleanValue("new-checkout.v2", false)'],
    "go": ['// BooleanValue(ctx, "new-checkout")', 'BooleanValue(ctx, "new-checkout2", false)'],
    "rb": ["# fetch_boolean_value(flag_key: 'new-checkout')", "x\n=begin\n'new-checkout'\n=end"],
    "php": ["# getBooleanValue('new-checkout')", "// 'new-checkout'"],
    "rs": ['/// client.get_bool_value("new-checkout")'],
    "java": ['/** {@code getBooleanValue("new-checkout")} */'],
    "yaml": ["# flag: new-checkout", "flag: new-checkout-2", "text: the new-checkout-page"],
    "md": ["new-checkout-2", "my-new-checkout", "new_checkout"],
}  # fmt: skip


def found(text: str, ending: str) -> list[tuple[str, int]]:
    """Read one text."""
    return [(hit.how, hit.line) for hit in hits(text, ending, {KEY})]


@pytest.mark.parametrize(("ending", "text"), [(it, text) for it, texts in CALLS.items() for text in texts])
def test_a_call_of_an_sdk_is_one(ending: str, text: str) -> None:
    """As the SDKs of OpenFeature spell it, at the line where the key stands."""
    assert [how for how, _ in found(f"x\n{text}", ending)] == ["call"]
    assert found(f"x\n{text}", ending)[0][1] == 2 + text[: text.index(KEY)].count("\n")


@pytest.mark.parametrize(("ending", "text"), CONSTANTS.items())
def test_a_constant_that_holds_the_key_is_one(ending: str, text: str) -> None:
    """Whoever uses it asks for the flag."""
    assert [how for how, _ in found(text, ending)] == ["constant"]


@pytest.mark.parametrize(("ending", "text"), [(it, text) for it, texts in NOT.items() for text in texts])
def test_a_comment_or_a_longer_name_is_none(ending: str, text: str) -> None:
    """Whatever the file, read by its language or only word by word."""
    assert found(text, ending) == []


@pytest.mark.parametrize("ending", ["", "md", "sql", "properties", "unheard-of"])
def test_in_a_file_that_nobody_knows_how_to_read_every_word_counts(ending: str) -> None:
    """Comments too, once a line: it cannot be told what runs."""
    text = "x\n-- new-checkout, new-checkout.\nflags.new-checkout.on=1\n'\\tnew-checkout\\n'"
    assert found(text, ending) == [("mention", 2), ("mention", 3), ("mention", 4)]


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        ("ts", 'const r = /[/*]/;\ngetBooleanValue("new-checkout", false) // */'),
        ("ts", "const u = 'https://example.com';\ngetBooleanValue('new-checkout', false)"),
        ("ts", '/* never closed\ngetBooleanValue("new-checkout", false)'),
        ("py", 'x = "#"; get_boolean_value("new-checkout", False)'),
        ("go", 's := `\n// `\nBooleanValue(ctx, "new-checkout", false)'),
        ("php", "#[Attribute]\n$client->getBooleanValue('new-checkout', false);"),
        ("json", '{"flag": "new-checkout"}'),
        ("yaml", "flag: new-checkout"),
        ("yaml", "flags: [other, new-checkout]"),
        ("rb", '"#{client.fetch_boolean_value(flag_key: "new-checkout")}"'),
        ("rb", 'x = <<~T\n  #{client.fetch_boolean_value(flag_key: "new-checkout")}\nT'),
        ("rb", 'x = `#{client.fetch_boolean_value(flag_key: "new-checkout")}`'),
        ("html", '<p>See https://x</p><x flagKey="new-checkout">'),
        ("vue", '<p>See https://x</p><Flag flagKey="new-checkout">'),
        ("svelte", '<p>image/* or //</p><Flag flagKey="new-checkout"/><p>*/</p>'),
        ("tsx", 'x = <p>See https://x</p>; y = <Flag flagKey="new-checkout"/>'),
        ("jsx", '// all of src/*\nx = <p>//</p>; y = <Flag flagKey="new-checkout"/>\n/* x */'),
        ("js", 'x = <p>See https://x/*</p>; y = <Flag flagKey="new-checkout"/> /* x */'),
        ("js", 'return /https?:\\/\\//.test(u) && c.getBooleanValue("new-checkout")'),
        ("js", 'return /\\/*/.test(u) && c.getBooleanValue("new-checkout") /* x */'),
        ("js", 'return /[/*]/.test(u) && c.getBooleanValue("new-checkout") /* x */'),
    ],
)
def test_what_looks_like_a_comment_hides_nothing(ending: str, text: str) -> None:
    """A sign inside a string or a pattern begins none; a comment that never ends counts as code."""
    assert len(found(text, ending)) == 1


def test_no_file_can_make_reading_slow() -> None:
    """Half a megabyte of what each reader finds hardest is read in one pass; were it not, this test would not end."""
    for ending in READERS:
        for hard in ("/*", '"', "'", "`", "<!--", "=begin", "\\", 'r#"', "a(", "'\\", "=/[", '"""'):
            text = hard * (60_000 // len(hard)) + f'\n"{KEY}"'
            assert len(found(text, ending)) <= 1


def tree(path: Path, files: Mapping[str | bytes, str], *, git: bool = True) -> Path:
    """Write a source tree."""
    for name, text in files.items():
        target = path / os.fsdecode(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    if git:
        for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "-m", "x")):
            run(path, *words)
    return path


CODE = 'client.getBooleanValue("new-checkout", false)\n'
ENGINES = ["git", pytest.param("rg", marks=pytest.mark.skipif(shutil.which("rg") is None, reason="no ripgrep here"))]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Search with one of the two."""
    if request.param == "git":
        monkeypatch.setattr("shutil.which", lambda _: None)
    return str(request.param)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("git", [True, False])
def test_hostile_names_are_data(tmp_path: Path, git: bool) -> None:
    """Names like options, with line breaks, quotes or bytes that are no UTF-8 are searched like all others."""
    names: list[str | bytes] = ["--version.ts", "-e.ts", "a\nb.ts", 'q"`.ts', b"\xff\xfe.ts", "über/ä.ts", "a b.ts"]
    top = tree(tmp_path / "src", {**dict.fromkeys(names, CODE), "other.ts": "x", "a.md": CODE}, git=git)
    places = [it.place for it in search([top], [KEY])[KEY]]
    assert len(places) == len([*names, "a.md"])
    assert all(place.isprintable() and place.endswith(":1") for place in places)


@pytest.mark.usefixtures("engine")
def test_nothing_of_a_tree_is_run(tmp_path: Path) -> None:
    """Hooks, monitors, filters and pagers that its configuration names stay unused; links are not followed."""
    outside = tmp_path / "outside.ts"
    outside.write_text(CODE)
    top = tree(tmp_path / "src", {"a.ts": CODE, ".gitattributes": "*.ts diff=x filter=x\n"})
    (top / "link.ts").symlink_to(outside)
    for name in ("core.fsmonitor", "diff.x.textconv", "filter.x.smudge", "filter.x.clean", "core.pager", "alias.grep"):
        value = f"touch {tmp_path}/ran" if name != "alias.grep" else f"!touch {tmp_path}/ran"
        run(top, "config", name, value)
    (top / ".rgignore").write_text("*.ts\n")
    (top / ".ignore").write_text("*.ts\n")
    assert [it.place for it in search([top], [KEY])[KEY]] == ["a.ts:1"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.usefixtures("engine")
def test_what_git_tracks_is_searched_whatever_is_ignored(tmp_path: Path) -> None:
    """A file that was added by force, with an ending that no language has."""
    top = tree(tmp_path / "src", {"made/a.ts": CODE, "Dockerfile": "ENV FLAG=new-checkout\n"})
    (top / ".gitignore").write_text("made/\nDockerfile\n")
    assert [it.place for it in search([top], [KEY])[KEY]] == ["made/a.ts:1", "Dockerfile:1"]


@pytest.mark.usefixtures("engine")
def test_links_lead_to_the_commit_on_github(tmp_path: Path) -> None:
    """Only where the tree's origin is there; whatever else an address holds is not passed on."""
    top = tree(tmp_path / "src", {"a (1)/b#.ts": CODE})
    assert search([top], [KEY])[KEY][0].link == ""
    run(top, "remote", "add", "origin", "git@github.com:acme/web.git")
    commit = run(top, "rev-parse", "HEAD")
    link = search([top], [KEY])[KEY][0].link
    assert link == f"https://github.com/acme/web/blob/{commit}/a%20%281%29/b%23.ts#L1"
    run(top, "remote", "set-url", "origin", "https://u:secret@github.com/acme/web")
    assert search([top], [KEY])[KEY][0].link == ""


@pytest.mark.usefixtures("engine")
def test_the_flags_themselves_are_no_code(tmp_path: Path) -> None:
    """Where the flag repository is the tree, or inside of it, its definitions do not keep themselves alive."""
    files: dict[str | bytes, str] = {"in/flags/a/new-checkout.yaml": "name: new-checkout", "in/src/a.ts": CODE}
    top = tree(tmp_path / "mono", files)
    assert [it.place for it in search([top], [KEY], skip=top / "in")[KEY]] == ["in/src/a.ts:1"]
    assert len(search([top], [KEY])[KEY]) == 2


def test_a_search_that_fails_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not found and not searched are different things."""
    top = tree(tmp_path / "src", {"a.ts": CODE})
    monkeypatch.setattr("shutil.which", lambda _: "/bin/false-is-missing")
    with pytest.raises(SearchFailed) as refused:
        search([top], [KEY])
    assert refused.value.remedy


def test_what_was_not_found_is_said_of_each(tmp_path: Path) -> None:
    """Every key has an answer; no keys, no search."""
    top = tree(tmp_path / "src", {"a.ts": CODE})
    assert {key: len(places) for key, places in search([top], [KEY, "other"]).items()} == {KEY: 1, "other": 0}
    assert search([top], []) == {}
