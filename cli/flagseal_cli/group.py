"""A command of several, whose list says each one's first sentence whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from collections.abc import Callable

_WHOLE: Final = 1000
"""Characters that no first sentence has. click cuts at the terminal's width, in the middle of what is promised."""


class Group(click.Group):
    """Lists its commands as click does, over as many lines as their sentences take."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, it.get_short_help_str(_WHOLE)) for name, it in sorted(self.commands.items())])


def group(name: str) -> Callable[[Callable[..., None]], Group]:
    """Make a function's name and docstring a group of commands."""
    return click.group(name, cls=Group)
