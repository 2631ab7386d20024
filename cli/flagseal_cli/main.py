"""The ``flagseal`` command: finds the words' meaning, calls the rooms, and is the edge at which errors become text."""

from __future__ import annotations

import gc
import importlib
import os
import sys
from io import TextIOWrapper
from typing import TYPE_CHECKING, Final

import click

from flagseal.model.errors import FlagsealError, InvalidDocuments
from flagseal_cli.console import print_error, print_findings

if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_CLEAN: Final = 0
EXIT_UNUSABLE: Final = 2
EXIT_INTERRUPTED: Final = 130

SECTIONS: Final = {
    "Change flags": {
        "init": ("init", "Write a flag repository."),
        "validate": ("validate", "Check flags and policies."),
        "fmt": ("fmt", "Put files in house order; comments stay."),
        "eval": ("evaluate", "Evaluate one flag from the working tree."),
        "plan": ("plan", "What a change does, who must approve it, and when it may take effect."),
        "rule": ("rule", "Explain a rule of the gate, or list them all."),
        "compile": ("evaluate", "Turn definitions into flagd documents."),
    },
    "Approve, and see what is in force": {
        "approve": ("approve", "Approve a revision with your own SSH key."),
        "approvals": ("approvals", "What a revision needs, who gave it, and what is missing."),
        "status": ("status", "What is in force, what waits, and for whom."),
        "explain": ("explain", "Prove an answer: rule, snapshot, statement, people, policy, commit."),
    },
    "Serve": {
        "up": ("up", "Run everything in one process, without a cluster."),
        "relay": ("relay", "Verify what a store or another relay has, and answer applications from it."),
        "operator": ("operator", "Turn the resources of a cluster into signed snapshots."),
        "cluster": ("cluster", "Ask and feed a cluster: what `status`, `explain` and the git source do."),
        "snapshot": ("snapshot", "Verify or show a published snapshot."),
        "trust": ("trust", "The ceremonies of the signing keys."),
    },
    "In an emergency": {
        "override": ("override", "Break-glass: roll a flag back to its safe variant, or hold it, for a limited time."),
        "freeze": ("freeze", "Hold flags as they are served, for a limited time."),
        "incidents": ("incidents", "What was overridden or frozen, and who has reviewed it."),
    },
    "End flags": {
        "retire": ("retire", "Say which flags are at their end, and ask their owners to end them."),
        "debt": ("debt", "Which flags should not be there any more, by owner and age."),
    },
    "Write policies": {
        "policy": ("policy", "Test what the policies decide, and try others on the past."),
    },
    "At a git host": {
        "forge": ("forge", "Protection, comments, workflows and the attestor, at a git host."),
        "attest": ("attest", "Sign that what landed was approved, by the git host's facts."),
        "facts": ("facts", "Fetch what the git host knows of a merged pull request."),
    },
    "From and to other products": {
        "import": ("adopt", "Take flags over from files of flagd and of other products."),
        "export": ("exchange", "Write flags as files of flagd or of the OpenFeature operator."),
    },
}
"""By what somebody wants to do: each command, the module of :mod:`flagseal_cli.commands` that holds it, its help."""

COMMANDS: Final = {name: entry for section in SECTIONS.values() for name, entry in section.items()}

_LOGS_NOTHING: Final = {"validate"}
"""Commands that people wait for after each change: for them not even what logs is imported, unless they ask for it."""


class LazyGroup(click.Group):
    """Import a command's module only when the command is asked for, so that ``--help`` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the commands by name."""
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        found = getattr(importlib.import_module(f"flagseal_cli.commands.{module}"), f"{cmd_name}_command")
        assert isinstance(found, click.Command)  # noqa: S101 (a wrong entry in COMMANDS is our own mistake)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands' lines of help without importing any."""
        del ctx
        width = max(map(len, COMMANDS))
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(f"{name:{width}}", summary) for name, (_, summary) in commands.items()])


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 clean, 1 findings or not yet, 2 unusable input.",
)
@click.version_option(package_name="flagseal", prog_name="flagseal")
@click.option("-v", "--verbose", is_flag=True, help="Log what is done to standard error.")
@click.pass_context
def flagseal(context: click.Context, *, verbose: bool) -> None:
    """Feature flags under seal: approved in git, signed for distribution, provable everywhere."""
    if context.invoked_subcommand in _LOGS_NOTHING and not verbose:
        return
    import logging

    logging.basicConfig(
        level=logging.INFO if verbose else logging.ERROR,
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code; every known failure becomes a message for a person."""
    try:
        result = flagseal.main(args=list(arguments), prog_name="flagseal", standalone_mode=False)
    except InvalidDocuments as error:
        print_findings(error.findings)
        found = f"{len(error.findings)} finding{'s' if len(error.findings) > 1 else ''} above"
        print_error(FlagsealError(found, code=error.code, remedy=error.remedy))
        return EXIT_UNUSABLE
    except FlagsealError as error:
        print_error(error)
        return EXIT_UNUSABLE
    except click.ClickException as error:
        error.show()
        return EXIT_UNUSABLE
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader went away (`flagseal … | head`); keep the interpreter from flushing into the void.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_CLEAN
    except OSError as error:
        print_error(FlagsealError(f"{error.filename or 'system'}: {error.strerror or error}", code="System"))
        return EXIT_UNUSABLE
    except Exception as error:
        import logging

        logging.getLogger("flagseal").info("unexpected", exc_info=error)
        print_error(_said(error))
        return EXIT_UNUSABLE
    return result if isinstance(result, int) else EXIT_CLEAN


def _said(error: Exception) -> FlagsealError:
    """Put what nobody foresaw into words: a part that was not installed, or else a mistake of ours."""
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("flagseal"):
        return FlagsealError(
            f"{error.name} is not installed, and this command needs it",
            code="NotInstalled",
            remedy="Install flagseal[all], or the extra that brings it: ci, operator, relay or forge.",
        )
    return FlagsealError(
        f"{type(error).__name__}: {error}",
        code="Internal",
        remedy="This is a mistake of Flagseal's own. `flagseal -v …` shows where; please report it.",
    )


def _open_what_is_closed() -> None:
    """Let whoever closed a standard stream (``>&-``) hear nothing; a file opened later must not take its place."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            if handle != number:
                os.dup2(handle, number)
                os.close(handle)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def main() -> None:
    """Be the console script."""
    _open_what_is_closed()
    if isinstance(sys.stdout, TextIOWrapper):
        # A sign that the terminal's encoding lacks must not take the rest of the answer with it.
        sys.stdout.reconfigure(errors="replace")
    result = run(sys.argv[1:])
    gc.freeze()  # Whoever ends need not look for cycles first: with ten thousand flags, a tenth of the time.
    sys.exit(result)
