"""Options that several commands share, and what they are parsed into."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flagseal.model.errors import UsageError

if TYPE_CHECKING:
    from flagseal.model.canonical import Json

repo_option = click.option(
    "--repo",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The flag repository. Default: the one around the current folder.",
)
data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data of the environment. Default: .flagseal/up/ENVIRONMENT in the repository.",
)
environment_option = click.option("--environment", "-e", metavar="NAME", help="Default: the one that was set up.")
context_option = click.option(
    "--context", "-c", "context_text", default="{}", metavar="JSON", help="Evaluation context, a JSON object."
)
format_option = click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text", show_default=True
)
facts_option = click.option(
    "--facts",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Judge by these facts (`flagseal facts fetch`) and ask no git host. Once for each request.",
)


def parse_context(text: str) -> dict[str, Json]:
    """Read an evaluation context from the command line.

    Raises:
        UsageError: It is no JSON object.
    """
    try:
        context = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"--context: not JSON: {error}", code="BadContext", remedy="""Write it like '{"org": "acme"}'."""
        ) from None
    if not isinstance(context, dict):
        raise UsageError(
            f"--context: a JSON object is needed, not {text[:40]}",
            code="BadContext",
            remedy="""Write it like '{"org": "acme"}'.""",
        )
    return context
