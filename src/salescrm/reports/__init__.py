"""Questions with numbers: each is a few tallies and a pure fold of them into a frozen result; no SQL, no store."""

from __future__ import annotations

from datetime import date
from typing import get_args

from salescrm.errors import InvalidValue
from salescrm.reports.figures import CountedBy, CycleDays, Period
from salescrm.reports.funnel import Funnel, FunnelStage, funnel
from salescrm.reports.groups import Dimension
from salescrm.reports.performance import Performance, PerformanceRow, performance
from salescrm.reports.sheet import Bar, Column, Sheet
from salescrm.unit import UnitOfWork

__all__ = [
    "Bar",
    "Column",
    "CountedBy",
    "CycleDays",
    "Dimension",
    "Funnel",
    "FunnelStage",
    "Performance",
    "PerformanceRow",
    "Period",
    "Reports",
    "Sheet",
]


class Reports:
    """The reports of one Work: they count what the acting member may see, as it stands at this moment."""

    def __init__(self, work: UnitOfWork) -> None:
        self.unit = work

    def funnel(
        self,
        pipeline: str | None = None,
        *,
        since: date | None = None,
        until: date | None = None,
        counted_by: CountedBy = "opened_at",
    ) -> Funnel:
        """
        The funnel of *pipeline*, or of the policy's default one.

        With *since* or *until*, of the deals opened (or closed, by *counted_by*) on these days and between them only,
        in the policy's time zone.

        Raises:
            InvalidValue: No such pipeline, or a period that ends before it begins.
        """
        period = Period.of(since, until, counted_by)
        return funnel(self.unit, self.unit.policy.pipeline(pipeline), period)

    def performance(
        self,
        by: Dimension = "owner",
        *,
        pipeline: str | None = None,
        since: date | None = None,
        until: date | None = None,
        counted_by: CountedBy = "opened_at",
    ) -> Performance:
        """
        How deals ended and what they brought, group by group: of *pipeline* or of all, in the period as for `funnel`.

        Members who sell (role rep, or no role), managers, teams and active products without a deal are listed with
        zeros; what belongs to no group is under ``(blank)``.  By product, a deal counts once for each product on its
        lines, and revenue is the lines'.  By quarter, closed deals only.

        Raises:
            InvalidValue: No such dimension or pipeline, or a period that ends before it begins.
        """
        if by not in get_args(Dimension):
            raise InvalidValue("Report", "by", by, "one of " + ", ".join(get_args(Dimension)))
        unit = self.unit
        key = None if pipeline is None else unit.policy.pipeline(pipeline).key
        return performance(unit, by, key, Period.of(since, until, counted_by))
