"""Every command that a page quotes is one that its reader can run: it exists, with these options and arguments."""

from __future__ import annotations

import itertools
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from flagseal_cli.main import flagseal
from flagseal_operator.crds.definitions import CATEGORY, SHORT_NAMES
from flagseal_operator.resources import PLURALS

if TYPE_CHECKING:
    from collections.abc import Iterator

TOP = Path(__file__).resolve().parents[2]
PAGES = sorted([*TOP.glob("*.md"), *(TOP / "docs").glob("*.md")])
"""Those by which somebody does something; decisions tell what was, too."""

SHELL = {"|", "&&", "||", ";", "&", "(", ")", ">", "<", ">>"}
ELLIPSIS = re.compile(r"…|\.\.\.")

OURS = {
    *PLURALS.values(),
    *(kind.lower() for kind in PLURALS),
    *(name for names in SHORT_NAMES.values() for name in names),
    CATEGORY,
}
THEIRS = {
    *("configmap", "crd", "deployment", "endpoints", "lease", "namespace", "networkpolicy", "nodes", "pods", "secret"),
    *("mutatingwebhookconfiguration", "validatingwebhookconfiguration", "apiservices", "events"),
}
VERBS = {
    *("annotate", "apply", "create", "delete", "describe", "edit", "explain", "get", "label", "logs", "patch"),
    *("replace", "rollout", "scale", "wait", "kustomize", "auth"),
}
WITH_VALUE = {"-n", "--namespace", "-f", "-k", "-o", "-l", "--context", "--type", "-c"}


def quoted(page: Path) -> Iterator[tuple[str, bool]]:
    """Give each line of commands that a page quotes, and whether it stands in a block, ready to be pasted."""
    text = page.read_text(encoding="utf-8")
    fence = re.compile(r"^( *)```([a-z]*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
    for _, language, block in fence.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            # Elsewhere than in a shell's block only what follows a prompt is one; the rest may be a drawing.
            if language in {"sh", "bash"} or line.strip().startswith("$ "):
                yield line.strip().removeprefix("$ "), True
    for span in re.findall(r"`([^`\n]+)`", fence.sub("", text)):
        yield span, False


def commands(line: str, name: str) -> Iterator[list[str]]:
    """Give the words after a command's name, wherever in a line it is run."""
    if not re.search(rf"(^|[|;&(] *|do ){name} ", line):
        return
    lexer = shlex.shlex(line.replace("$(", "("), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # half of a quotation that goes on in the next line
        return
    for _, group in itertools.groupby(words, key=lambda it: it in SHELL):
        found = list(group)
        while found and found[0] in {"do", "sudo", "exec"}:
            del found[0]
        if found and found[0] == name:
            yield found[1:]


def flagseal_lines() -> Iterator[tuple[str, str, list[str], bool]]:
    """Give every quoted command of ours: page, line, words, and whether it is complete."""
    for page in PAGES:
        for line, block in quoted(page):
            for words in commands(_plain(line), "flagseal"):
                # An ellipsis stands for an option's value, or for whatever else may be said.
                pairs = zip(words, ["", *words], strict=False)
                said = [it for it, before in pairs if before.startswith("--") or not ELLIPSIS.fullmatch(it)]
                yield str(page.relative_to(TOP)), line, said, block


def kubectl_lines() -> Iterator[tuple[str, str, list[str]]]:
    """Give every quoted command of kubectl."""
    for page in PAGES:
        for line, _ in quoted(page):
            for words in commands(_plain(line), "kubectl"):
                yield str(page.relative_to(TOP)), line, words


def _plain(line: str) -> str:
    """Take the marks of what may be left out, and of choices, off a synopsis."""
    line = re.sub(r"\[([^\[\]']*)\]", r"\1", line) if "'" not in line and '"' not in line else line
    return re.sub(r"(--[a-z-]+)\|--[a-z-]+", r"\1", line)


def parsed(words: list[str], *, complete: bool) -> None:
    """Parse a command as it would be parsed, and run nothing.

    Raises:
        click.UsageError: It would be refused.
    """
    context = click.Context(flagseal, info_name="flagseal")
    command: click.Command = flagseal
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        chosen, *words = words
        if chosen.isupper():  # whichever
            return
        if "|" in chosen:
            for name in chosen.split("|"):
                parsed_as = command.get_command(context, name)
                assert parsed_as is not None, name
            chosen = chosen.split("|", maxsplit=1)[0]
        found = command.get_command(context, chosen)
        if found is None:
            raise click.UsageError(f"there is no command {chosen}")
        context, command = click.Context(found, info_name=chosen, parent=context), found
    # In prose an option may be named without its value.
    bare = {opt for it in command.params for opt in it.opts if isinstance(it, click.Option) and not it.is_flag}
    if not complete and words and words[-1] in bare:
        words = [*words, "VALUE"]
    given, rest, _ = command.make_parser(context).parse_args([*words])
    if rest and not isinstance(command, click.Group):
        raise click.UsageError(f"what is {rest}?")
    for parameter in command.params:
        value = given.get(parameter.name or "")
        chosen_of = parameter.type
        if isinstance(chosen_of, click.Choice) and isinstance(value, str) and not re.search(r"[A-Z…|]", value):
            chosen_of.convert(value, parameter, context)


def test_commands_are_found_on_the_pages() -> None:
    """The tests below have something to hold."""
    pages = {page for page, *_ in flagseal_lines()}
    assert {"docs/runbooks.md", "docs/install-cluster.md", "docs/emergencies.md", "README.md"} <= pages
    assert len(list(flagseal_lines())) > 100
    assert len(list(kubectl_lines())) > 20


def test_every_command_of_ours_is_parsed() -> None:
    """Commands, options, their number of values, choices and arguments."""
    wrong = []
    for page, line, words, complete in flagseal_lines():
        try:
            parsed(words, complete=complete)
        except click.UsageError as error:
            wrong.append(f"{page}: {line}: {error.format_message()}")
    assert wrong == []


@pytest.mark.parametrize(
    "line",
    [
        "flagseal trust rotat online",
        "flagseal trust rotate offline",
        "flagseal trust rotate online --stor s3://x",
        "flagseal snapshot verify a b",
        "flagseal cluster apply --store",
    ],
)
def test_a_command_that_is_not_there_is_noticed(line: str) -> None:
    """The test above can fail."""
    (words,) = commands(line, "flagseal")
    with pytest.raises(click.UsageError):
        parsed(words, complete=True)


def test_every_resource_that_kubectl_is_told_of_exists() -> None:
    """By one of its names; and kubectl can do that."""
    wrong = []
    for page, line, words in kubectl_lines():
        plain = [it for index, it in enumerate(words) if not index or words[index - 1] not in WITH_VALUE]
        plain = [it for it in plain if not it.startswith("-")]
        if not plain or plain[0] not in VERBS:
            wrong.append(f"{page}: {line}: what is {plain[:1]}?")
        elif plain[0] in {"get", "describe", "delete", "edit", "patch", "wait", "explain", "create", "label"}:
            named = [name for it in plain[1:2] for name in re.split(r"[,]", re.split(r"[./]", it)[0])]
            unknown = {it for it in named if it not in OURS | THEIRS and not re.search(r"[${…A-Z]", it)}
            wrong += [f"{page}: {line}: what is {it}?" for it in unknown]
    assert wrong == []
