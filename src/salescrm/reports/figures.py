"""The small figures that reports are made of: rates, cycles, sums of money per currency, the period they count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta, tzinfo
from fractions import Fraction
from typing import Literal, TypeAlias

import attrs

from salescrm.errors import InvalidValue
from salescrm.query import Where
from salescrm.query.fields import Field
from salescrm.values import Moment, Money, day, moment

__all__ = [
    "CountedBy",
    "CycleDays",
    "Deal",
    "Period",
    "common_currency",
    "number",
    "rate",
    "start_of_day",
    "sums",
]

#: Which of a deal's moments puts it into a period.
CountedBy: TypeAlias = Literal["opened_at", "closed_at"]
#: From an attribute of a deal to the field by which the record that is asked about leads to it.
Deal: TypeAlias = Callable[[str], Field]


@attrs.frozen(kw_only=True)
class Period:
    """
    The deals that a report counts: those opened (or closed) from the day *since* to the day *until*, both included.

    None leaves that end open. Days begin in the time zone that the report names.
    """

    since: date | None = None
    until: date | None = None
    counted_by: CountedBy = "opened_at"

    def within(self, where: Where, deal: Deal, zone: tzinfo) -> Where:
        """*where*, for the deals in this period only; unchanged where both ends are open, so that its index still fits."""
        field = deal(self.counted_by)
        if self.since is not None:
            where &= field >= start_of_day(self.since, zone)
        if self.until is not None:
            where &= field < start_of_day(self.until + timedelta(days=1), zone)
        return where

    def to_plain(self) -> dict[str, str | None]:
        """As JSON-able data."""
        since, until = (None if one is None else one.isoformat() for one in (self.since, self.until))
        return {"since": since, "until": until, "counted_by": self.counted_by}

    @classmethod
    def of(cls, since: date | None, until: date | None, counted_by: CountedBy) -> Period:
        """The period, its ends checked.

        Raises:
            InvalidValue: An end is no day, or the last day comes before the first.
        """
        ends = [None if one is None else day(one, entity="Report", field="period") for one in (since, until)]
        if counted_by not in ("opened_at", "closed_at"):
            raise InvalidValue("Report", "counted_by", counted_by, "opened_at or closed_at")
        if ends[0] is not None and ends[1] is not None and ends[1] < ends[0]:
            raise InvalidValue("Report", "until", until, f"a day from {ends[0]} on")
        return cls(since=ends[0], until=ends[1], counted_by=counted_by)


def start_of_day(on: date, zone: tzinfo) -> Moment:
    """The moment at which the day *on* begins in *zone*."""
    return moment(datetime.combine(on, time(), zone), entity="Report", field="period")


@attrs.frozen(kw_only=True)
class CycleDays:
    """How long won deals took from opening to closing, in whole days of 24 hours; the median of an even many lies between."""

    count: int
    mean: float | None
    median: float | None

    @classmethod
    def of(cls, histogram: Mapping[int, int]) -> CycleDays:
        """From how many deals took how many days."""
        many = sum(histogram.values())
        if not many:
            return cls(count=0, mean=None, median=None)
        mean = Fraction(sum(days * count for days, count in histogram.items()), many)
        middle = Fraction(_nth(histogram, (many - 1) // 2) + _nth(histogram, many // 2), 2)
        return cls(count=many, mean=float(mean), median=float(middle))


def _nth(histogram: Mapping[int, int], position: int) -> int:
    """The *position*-th value in ascending order, from 0."""
    passed = 0
    for value in sorted(histogram):
        passed += histogram[value]
        if position < passed:
            return value
    raise IndexError(position)


def rate(part: int, whole: int) -> float | None:
    """*part* of *whole*, unrounded; None of nothing."""
    return part / whole if whole else None


def number(amount: Money) -> int | float:
    """
    *amount* in major units as a JSON number.

    A whole one is exact; another is the nearest double, whose shortest form is exact up to 70 trillion with two decimals.
    """
    major = amount.amount
    return int(major) if major == major.to_integral_value() else float(major)


def sums(amounts: Iterable[Money | None]) -> tuple[Money, ...]:
    """The sum of *amounts* in each currency that occurs, in the order of the codes; never added up across them."""
    totals: dict[str, Money] = {}
    for amount in amounts:
        if amount is not None:
            totals[amount.currency] = totals.get(amount.currency, Money.zero(amount.currency)) + amount
    return tuple(totals[code] for code in sorted(totals))


def common_currency(groups: Iterable[tuple[Money, ...]], default: str) -> str | None:
    """The one currency that all of *groups* are in: *default* where there is no amount at all, None where there are several."""
    met = {amount.currency for group in groups for amount in group}
    return None if len(met) > 1 else next(iter(met), default)
