"""The commands themselves; exit code 0, 1 for refused rows, findings and failures, 2 for what was asked wrongly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Final, TypeVar, get_args

import click
from rich.text import Text

from salescrm.cli.chosen import Chosen, common
from salescrm.cli.importing import import_files_command
from salescrm.cli.policies import check_policy_command
from salescrm.cli.pools import tick_command
from salescrm.cli.showing import out, show, show_json
from salescrm.cli.simulating import pools
from salescrm.reports import CountedBy, Dimension

__all__ = ["cli"]

F = TypeVar("F", bound=Callable[..., Any])
#: A file of its own, so that what it shows next can be asked of it too.
_DEMO_URL: Final = "sqlite:///salescrm-demo.db"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="salescrm")
def cli() -> None:
    """A CRM from the command line: import a company's files, see its funnel."""


cli.add_command(import_files_command)
cli.add_command(tick_command)
cli.add_command(check_policy_command)
cli.add_command(pools)


@cli.command()
@common()
def migrate(chosen: Chosen) -> None:
    """Bring tables and indexes to this version."""
    from salescrm.crm import connect

    with connect(chosen.url, policy=chosen.policies, tenant=chosen.tenant) as crm:
        crm.migrate()
    if chosen.json:
        show_json({"url": chosen.shown_url, "migrated": True})
    else:
        click.echo(chosen.say("The store is up to date", "数据库结构已是最新版本"))


@cli.group()
def report() -> None:
    """Ask a question with numbers."""


def period(command: F) -> F:
    """The options for the period of a report."""
    day = click.DateTime(formats=["%Y-%m-%d"])
    for option in (
        click.option(
            "--counted-by", type=click.Choice(get_args(CountedBy)), default="opened_at", show_default=True
        ),
        click.option("--until", type=day, help="Up to this day, included."),
        click.option("--since", type=day, help="From this day on."),
    ):
        command = option(command)
    return command


@report.command()
@click.option("--pipeline", help="The pipeline's key; the policy's default one otherwise.")
@period
@common()
def funnel(
    chosen: Chosen,
    pipeline: str | None,
    since: datetime | None,
    until: datetime | None,
    counted_by: CountedBy,
) -> None:
    """The sales funnel: how many deals reach each stage, and how many are won."""
    with chosen.crm() as crm, crm.begin(by=chosen.member) as work:
        result = work.reports.funnel(pipeline, since=_day(since), until=_day(until), counted_by=counted_by)
    if chosen.json:
        show_json(result.to_plain())
    else:
        show(result.sheet(chosen.lang))


@report.command()
@click.option("--by", type=click.Choice(get_args(Dimension)), default="owner", show_default=True)
@click.option("--pipeline", help="The pipeline's key; all of them otherwise.")
@period
@common()
def performance(
    chosen: Chosen,
    by: Dimension,
    pipeline: str | None,
    since: datetime | None,
    until: datetime | None,
    counted_by: CountedBy,
) -> None:
    """What deals brought, and how they ended, group by group."""
    with chosen.crm() as crm, crm.begin(by=chosen.member) as work:
        result = work.reports.performance(
            by, pipeline=pipeline, since=_day(since), until=_day(until), counted_by=counted_by
        )
    if chosen.json:
        show_json(result.to_plain())
    else:
        show(result.sheet(chosen.lang))


@cli.command()
@common(url=_DEMO_URL, lang="zh")
def demo(chosen: Chosen) -> None:
    """Show a small Chinese sales team at work: sample data, its funnel, what to try next."""
    from salescrm.demo import load_sample

    with chosen.crm(prepare=True) as crm:
        fresh = load_sample(crm)
        with crm.begin(by=chosen.member) as work:
            result = work.reports.funnel()
            counts = work.customers.count(), work.opportunities.count(), work.follow_ups.count()
    if chosen.json:
        show_json(result.to_plain())
        return
    there = chosen.say("The sample data is there", "示例数据已就绪") if fresh else chosen.say(
        "The sample data was there already", "示例数据此前已存在"
    )  # fmt: skip
    what = chosen.say("{} customers, {} opportunities, {} follow-ups", "{} 个客户、{} 个商机、{} 条跟进")
    click.echo(
        f"{there}: {what.format(*counts)}" if chosen.lang == "en" else f"{there}：{what.format(*counts)}"
    )
    show(result.sheet(chosen.lang))
    _try_next(chosen)


def _try_next(chosen: Chosen) -> None:
    """What a new user may do with what they have just seen."""
    if chosen.url.startswith("memory:"):
        return
    url, lang = chosen.shown_url, "" if chosen.lang == "en" else " --lang zh"
    lines = (
        (f"salescrm report performance --by owner --url {url}{lang}", "who brought what", "每个人的业绩"),
        (f"salescrm report performance --by product --url {url}{lang}", "what sells", "每种产品的业绩"),
        (f"salescrm report funnel --json --url {url}", "the funnel as data", "漏斗的数据"),
        (
            f"python -c \"import salescrm; crm = salescrm.connect('{url}')\"",
            "the same in Python",
            "在 Python 里打开",
        ),
    )
    console = out()
    console.print()
    console.print(Text(chosen.say("Try next", "接下来可以试试"), style="bold"))
    for command, en, zh in lines:
        console.print(
            Text(f"  {command}", style="cyan"), Text(f"# {chosen.say(en, zh)}", style="dim"), soft_wrap=True
        )


def _day(at: datetime | None) -> date | None:
    return None if at is None else at.date()
