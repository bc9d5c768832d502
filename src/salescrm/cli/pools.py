"""The commands about pools: what is due by the calendar."""

from __future__ import annotations

import attrs
import click

from salescrm.cli.chosen import Chosen, common
from salescrm.cli.showing import show_json

__all__ = ["tick_command"]


@click.command("tick")
@common()
def tick_command(chosen: Chosen) -> None:
    """Do what is due by the calendar: let quiet customers fall into their pools, warn their owners; at least daily."""
    with chosen.crm() as crm:
        ran = crm.tick()
    if chosen.json:
        show_json(attrs.asdict(ran))
    else:
        what = chosen.say(
            "{} customers fell, {} warnings, {} runs", "落入公海 {} 个客户，预警 {} 条，执行 {} 次"
        )
        click.echo(what.format(ran.recycled, ran.warned, ran.nights))
