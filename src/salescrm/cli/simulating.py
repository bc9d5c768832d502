"""``salescrm pools``: trying the pools' rules before they bite."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, get_args

import click

from salescrm.calendars import start_of_day
from salescrm.cli.chosen import FILE, Chosen, common
from salescrm.cli.showing import show, show_json
from salescrm.policy import load
from salescrm.reports.simulation import SimulationBy

__all__ = ["pools"]

_DAY: Final = timedelta(days=1)


@click.group()
def pools() -> None:
    """Try the rules of the public pools."""


@pools.command()
@click.option(
    "--until", type=click.DateTime(formats=["%Y-%m-%d"]), required=True, help="Up to this day, included."
)
@click.option(
    "--what-if",
    "what_if",
    type=FILE,
    help="Another policy, TOML or JSON, to try; the one in force otherwise.",
)
@click.option("--by", type=click.Choice(get_args(SimulationBy)), default="day", show_default=True)
@common()
def simulate(chosen: Chosen, until: datetime, what_if: Path | None, by: SimulationBy) -> None:
    """Tell which customers the nightly runs will take, if nothing else happens; nothing is changed."""
    policy = None if what_if is None else load(what_if)
    # The last moment of that day, in the policy's time zone.
    end = start_of_day(until.date() + _DAY, (policy or chosen.policy).zone) - timedelta(milliseconds=1)
    with chosen.crm() as crm, crm.begin(by=chosen.member) as work:
        result = work.pools.simulate(at=end, policy=policy)
    if chosen.json:
        show_json(result.to_plain())
    else:
        show(result.sheet(chosen.lang, by))
