"""Performance: how deals ended and what they brought, by owner, manager, team, product, industry or quarter of closing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from salescrm.labels import Label, Language
from salescrm.query import EVERYTHING, F, Where
from salescrm.query.fields import Field
from salescrm.reports.figures import CycleDays, Deal, Period, common_currency, number, rate
from salescrm.reports.groups import Dimension, Group, Groups, by_field, by_product, by_quarter
from salescrm.reports.names import Name, name_of, names
from salescrm.reports.sheet import Bar, Cell, Column, Sheet, heading, moneys, percent, plain_days, whole
from salescrm.reports.words import WORDS, period_note
from salescrm.unit import UnitOfWork
from salescrm.values import Id, Moment, Money

__all__ = ["Performance", "PerformanceRow", "performance"]

#: What each figure is of, in every result.
_DENOMINATORS: Final = (
    ("win_rate_closed", "won / (won + lost)"),
    ("win_rate_all", "won / total"),
    ("cycle_days_mean", "won deals: whole days of 24 hours from opened_at to closed_at"),
    ("cycle_days_median", "won deals: whole days of 24 hours from opened_at to closed_at"),
)

#: Which deals the rows count.
_COUNTED: Final[Mapping[Dimension, str]] = MappingProxyType(
    {
        "owner": "all deals, by who owns them",
        "manager": "all deals, by the manager whom their owner has now",
        "team": "all deals, by the team that their owner is in now",
        "product": "each deal once for each product on its lines; revenue is the lines'",
        "industry": "all deals, by the industry of their customer",
        "close_quarter": "closed deals, by the calendar quarter they were closed in",
    }
)


@attrs.frozen(kw_only=True)
class PerformanceRow:
    """
    The deals of one group; a group without any has zeros, and no rate.

    Attributes:
        key: The name of the member, team or product, the industry, or a quarter such as ``2017Q1``; ``(blank)`` for
            the deals that belong to no group.
        id: The id of the member, team or product; None where the group has none.
        label: What people call it, where that is not its key.
        revenue: What its won deals come to, one sum per currency.
    """

    key: str
    id: Id | None
    label: Label | None
    total: int
    open: int
    won: int
    lost: int
    win_rate_closed: float | None
    win_rate_all: float | None
    revenue: tuple[Money, ...]
    cycle_days: CycleDays

    @classmethod
    def of(cls, name: Name, group: Group) -> PerformanceRow:
        """The figures of *group*."""
        won, lost = group.statuses["won"], group.statuses["lost"]
        return cls(
            key=name.key,
            id=name.id,
            label=name.label,
            total=group.statuses.total(),
            open=group.statuses["open"],
            won=won,
            lost=lost,
            win_rate_closed=rate(won, won + lost),
            win_rate_all=rate(won, group.statuses.total()),
            revenue=group.revenue(),
            cycle_days=CycleDays.of(group.days),
        )


@attrs.frozen(kw_only=True)
class Performance:
    """
    How deals ended, group by group: the most revenue first, quarters in their order.

    Attributes:
        by: What the groups are.
        pipeline: Whose deals are counted; None for all pipelines.
        currency: The one that all revenue is in; None where there are several, which are never added up.
        counted: Which deals the rows count, in words.
        as_of: When it was asked.
        time_zone: In which days and quarters begin.
    """

    by: Dimension
    pipeline: str | None
    rows: tuple[PerformanceRow, ...]
    currency: str | None
    counted: str
    period: Period
    time_zone: str
    as_of: Moment
    language: Language

    def to_plain(self) -> dict[str, Any]:
        """The report as JSON-able data; revenue is in major units, rates and days unrounded."""
        return {
            "report": "performance",
            "by": self.by,
            "pipeline": self.pipeline,
            "rows": [self._plain_row(row) for row in self.rows],
            "currency": self.currency,
            "counted": self.counted,
            "period": self.period.to_plain(),
            "time_zone": self.time_zone,
            "as_of": self.as_of.isoformat(timespec="milliseconds"),
            "denominators": dict(_DENOMINATORS),
        }

    def _plain_row(self, row: PerformanceRow) -> dict[str, Any]:
        revenues = {amount.currency: number(amount) for amount in row.revenue}
        return {
            "key": row.key,
            "id": row.id,
            "total": row.total,
            "open": row.open,
            "won": row.won,
            "lost": row.lost,
            "win_rate_closed": row.win_rate_closed,
            "win_rate_all": row.win_rate_all,
            "revenue": None if self.currency is None else revenues.get(self.currency, 0),
            "revenues": revenues,
            "cycle_days_mean": row.cycle_days.mean,
            "cycle_days_median": row.cycle_days.median,
        }

    def sheet(self, lang: Language | None = None) -> Sheet:
        """The report as a table of text with bars of revenue, in *lang* or the policy's language."""
        lang = lang or self.language
        names = ("total", "open", "won", "lost", "of_closed", "of_all")
        columns = (
            Column(WORDS[self.by].text(lang), number=False),
            Column(heading(WORDS["revenue"], lang, self.currency)),
            Column("", number=False),
            *(Column(WORDS[name].text(lang)) for name in (*names, "mean", "median")),
        )
        # Of several currencies no bar can be compared with another, so the bars then show deals won.
        lengths = [_length(row, self.currency) for row in self.rows]
        revenues = moneys((row.revenue for row in self.rows), self.currency)
        longest = max(lengths, default=0)
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (
                row.label.text(lang) if row.label else row.key,
                revenue,
                Bar(max(length, 0) / longest if longest > 0 else 0.0),
                *(whole(value) for value in (row.total, row.open, row.won, row.lost)),
                percent(row.win_rate_closed),
                percent(row.win_rate_all),
                plain_days(row.cycle_days.mean),
                plain_days(row.cycle_days.median),
            )
            for row, length, revenue in zip(self.rows, lengths, revenues, strict=True)
        )
        return Sheet(
            title=f"{WORDS['performance'].text(lang)} · {WORDS[self.by].text(lang)}",
            columns=columns,
            rows=rows,
            notes=(period_note(self.period, self.as_of, self.time_zone, lang),),
        )

    def _repr_html_(self) -> str:
        return self.sheet().to_html()


def performance(unit: UnitOfWork, by: Dimension, pipeline: str | None, period: Period) -> Performance:
    """How the deals of *pipeline* (None: of all) in *period* ended, of those that the acting member may see."""

    def asked(deal: Deal) -> Where:
        where = EVERYTHING if pipeline is None else deal("pipeline") == pipeline
        return period.within(where, deal, unit.zone)

    groups, known = (
        _groups(unit, by, asked(Field), asked(lambda name: getattr(F.opportunity, name))),
        names(unit, by),
    )
    listed = {id: Group() for id, name in known.items() if name.listed}
    rows = [
        PerformanceRow.of(name_of(unit, by, key, known), group) for key, group in {**listed, **groups}.items()
    ]
    currency = common_currency((row.revenue for row in rows), unit.policy.currency)
    if by != "close_quarter":
        rows.sort(key=lambda row: (-_length(row, currency), -row.won, -row.total, row.key))
    return Performance(
        by=by,
        pipeline=pipeline,
        rows=tuple(rows),
        currency=currency,
        counted=_COUNTED[by],
        period=period,
        time_zone=unit.policy.time_zone,
        as_of=unit.now(),
        language=unit.policy.language,
    )


def _groups(unit: UnitOfWork, by: Dimension, where: Where, where_line: Where) -> Groups:
    match by:
        case "owner":
            return by_field(unit, F.owner_id, where)
        case "manager":
            return by_field(unit, F.owner.manager_id, where)
        case "team":
            return by_field(unit, F.owner.team_id, where)
        case "industry":
            return by_field(unit, F.customer.industry, where)
        case "product":
            return by_product(unit, where, where_line)
        case "close_quarter":
            return by_quarter(unit, where)


def _length(row: PerformanceRow, currency: str | None) -> int:
    """What rows are ranked by, and how long their bars are: revenue, or deals won where revenue can't be compared."""
    if currency is None:
        return row.won
    return row.revenue[0].minor if row.revenue else 0
