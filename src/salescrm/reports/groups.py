"""What performance is counted from: for each group its deals by status, its revenue, how long its won deals took."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from typing import Any, Literal, TypeAlias

import attrs

from salescrm.checking.conditions import MOST_VALUES
from salescrm.entities import Opportunity, OpportunityLine
from salescrm.entities.opportunities import OpportunityStatus
from salescrm.query import F, Tally, Where, bucket, count, days, distinct, highest, lowest, total
from salescrm.query.nodes import Key, Named
from salescrm.reports.figures import start_of_day, sums
from salescrm.unit import UnitOfWork
from salescrm.values import Money

__all__ = ["Dimension", "Group", "Groups", "by_field", "by_product", "by_quarter"]

Dimension: TypeAlias = Literal["owner", "manager", "team", "product", "industry", "close_quarter"]


@attrs.define
class Group:
    """One group's deals, as they are being counted."""

    statuses: Counter[OpportunityStatus] = attrs.field(factory=Counter)
    won: list[Money | None] = attrs.field(factory=list)
    #: How many won deals took how many days.
    days: Counter[int] = attrs.field(factory=Counter)

    def revenue(self) -> tuple[Money, ...]:
        """What its won deals come to, one sum per currency; a sum of zero says nothing and is left out."""
        return tuple(amount for amount in sums(self.won) if amount)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted."""
        return not any(self.statuses.values()) and not self.revenue()


#: Groups by what the engine gave as their key; None for the deals that have none.
Groups: TypeAlias = dict[Any, Group]


def by_field(unit: UnitOfWork, key: Key | Named, where: Where) -> Groups:
    """The deals that *where* holds for, by a field of theirs or one hop away."""
    deals = unit.repository(Opportunity)
    groups: Groups = defaultdict(Group)
    for group, status, _, many, amount in deals.tally(
        Tally(by=[key, F.status, F.amount.currency], measures=[count(), total(F.amount)], where=where)
    ):
        _count(groups[group], status, many)
        if status == "won":
            groups[group].won.append(amount)
    took = days(F.closed_at - F.opened_at)
    for group, length, many in deals.tally(
        Tally(by=[key, took], measures=[count()], where=where & (F.status == "won"))
    ):
        _took(groups[group], length, many)
    return groups


def by_quarter(unit: UnitOfWork, where: Where) -> Groups:
    """The closed deals by the first day of the quarter they were closed in; a quarter between two others may be empty."""
    deals = unit.repository(Opportunity)
    closed = where & F.closed_at.is_set()
    ends = deals.tally(Tally(measures=[lowest(F.closed_at), highest(F.closed_at)], where=closed))
    groups: Groups = defaultdict(Group)
    if not ends or ends[0][0] is None:
        return groups
    first, last = (_quarter(end.astimezone(unit.zone).date()) for end in ends[0])
    quarters = list(_quarters(first, last))
    for start in range(0, len(quarters) - 1, MOST_VALUES - 1):
        part = quarters[start : start + MOST_VALUES]
        edges = [start_of_day(quarter, unit.zone) for quarter in part]
        within = closed & (F.closed_at >= edges[0]) & (F.closed_at < edges[-1])
        found = by_field(unit, bucket(F.closed_at, edges), within)
        named = dict(zip(edges, part, strict=True))
        groups.update({quarter: Group() for quarter in part[:-1]})
        groups.update({named[edge]: group for edge, group in found.items()})
    return groups


def by_product(unit: UnitOfWork, where: Where, where_line: Where) -> Groups:
    """
    The deals by the products of their lines: a deal counts once for each product, with that product's lines as revenue.

    *where* is the question for deals, *where_line* the same one for their lines.  What no line accounts for is under
    None: deals without a product, and the part of won deals' amounts that is not on their lines.
    """
    lines, deal = unit.repository(OpportunityLine), F.opportunity
    groups: Groups = defaultdict(Group)
    each, took = distinct(F.opportunity_id), days(deal.closed_at - deal.opened_at)
    for product, status, length, many in lines.tally(
        Tally(by=[F.product_id, deal.status, took], measures=[each], where=where_line)
    ):
        _count(groups[product], status, many)
        if status == "won":
            _took(groups[product], length, many)
    won = where_line & (deal.status == "won")
    for product, _, amount in lines.tally(
        Tally(by=[F.product_id, F.amount.currency], measures=[total(F.amount)], where=won)
    ):
        groups[product].won.append(amount)
    rest = _sum(by_field(unit, F.pipeline, where))
    rest.won += [-amount for group in groups.values() for amount in group.won if amount is not None]
    with_lines = lines.tally(Tally(measures=[each], where=where_line))[0][0]
    if with_lines == rest.statuses.total():  # as a rule; it saves looking at every line's deal once more
        rest = Group(won=rest.won)
    else:
        for status, length, many in lines.tally(
            Tally(by=[deal.status, took], measures=[each], where=where_line)
        ):
            _count(rest, status, -many)
            if status == "won":
                _took(rest, length, -many)
    if not rest.is_empty:
        groups[None] = rest
    return groups


def _count(group: Group, status: OpportunityStatus | None, many: int) -> None:
    if status is not None:  # else a line whose deal is gone
        group.statuses[status] += many


def _took(group: Group, length: int | None, many: int) -> None:
    if length is not None:
        group.days[length] += many


def _sum(groups: Groups) -> Group:
    """All of *groups* as one."""
    whole = Group()
    for group in groups.values():
        whole.statuses += group.statuses
        whole.won += group.won
        whole.days.update(group.days)
    return whole


def _quarter(on: date) -> date:
    """The first day of the quarter of *on*."""
    return date(on.year, on.month - (on.month - 1) % 3, 1)


def _quarters(first: date, last: date) -> Iterator[date]:
    """The first days of the quarters from *first* to *last*, and of the one after, where the last one ends."""
    quarter = first
    while quarter <= last:
        yield quarter
        quarter = date(quarter.year + quarter.month // 10, (quarter.month + 2) % 12 + 1, 1)
    yield quarter
