"""``flagseal rule``: what the rules of the gate are about."""

from __future__ import annotations

import click

from flagseal_validators import rule_pages


@click.command("rule")
@click.argument("rule_id", metavar="[RULE]", required=False)
def rule_command(rule_id: str | None) -> None:
    """Explain a rule of the gate, for instance FS203; without one, list them all."""
    click.echo(
        rule_pages.listing() if rule_id is None else rule_pages.as_text(rule_pages.rule(rule_id.upper())), nl=False
    )
