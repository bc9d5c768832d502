"""Days as arithmetic: when a day begins in a time zone, which days are working days, and how far a limit in days reaches."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final, Protocol

import attrs

from salescrm.values import Moment

__all__ = [
    "Calendar",
    "WeekCalendar",
    "add_working_days",
    "day_of",
    "first_day_from",
    "last_safe_day",
    "latest_anchor",
    "start_of_day",
]

_DAY: Final = timedelta(days=1)


class Calendar(Protocol):
    """Which days people work on."""

    @property
    def known_until(self) -> date | None:
        """The last day that it is sure of; None where it always is."""

    def is_working(self, day: date) -> bool:
        """Whether *day* is a working day."""


@attrs.frozen
class WeekCalendar:
    """Every day is a working day but those of the weekend; Monday is 0."""

    weekend: frozenset[int] = attrs.field(default=frozenset({5, 6}), converter=frozenset)

    @property
    def known_until(self) -> None:
        """Always sure."""

    def is_working(self, day: date) -> bool:
        """Whether *day* is not in the weekend."""
        return day.weekday() not in self.weekend


def day_of(moment: datetime, zone: tzinfo) -> date:
    """The day of *moment* in *zone*."""
    return moment.astimezone(zone).date()


def start_of_day(day: date, zone: tzinfo) -> Moment:
    """The first moment of *day* in *zone*, in UTC; where a clock change skips midnight, the first one behind it."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    begin = midnight.astimezone(UTC)
    if begin.astimezone(zone).date() == day:
        return begin
    # Midnight is not there: clocks go from before it to behind it at one moment, which is that of the offset before.
    before = (midnight - _DAY).astimezone(UTC)
    low, high = before, begin + _DAY
    while high - low > timedelta(milliseconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).date() < day:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=high.microsecond // 1000 * 1000)


def first_day_from(moment: datetime, zone: tzinfo) -> date:
    """The first day that begins at *moment* or later in *zone*."""
    day = day_of(moment, zone)
    return day if start_of_day(day, zone) >= moment else day + _DAY


def add_working_days(day: date, count: int, calendar: Calendar) -> date:
    """The *count*-th working day after *day*; before it for a negative *count*, *day* itself for 0."""
    step = _DAY if count > 0 else -_DAY
    left = abs(count)
    while left:
        day += step
        left -= calendar.is_working(day)
    return day


def last_safe_day(anchor: date, limit: int, calendar: Calendar | None) -> date:
    """The last day on which what counts from *anchor* is within *limit* days, or working days of *calendar*."""
    if calendar is None:
        return anchor + limit * _DAY
    return add_working_days(anchor, limit, calendar)


def latest_anchor(day: date, limit: int, calendar: Calendar | None) -> date:
    """The latest anchor whose last safe day lies before *day*: the inverse of `last_safe_day`."""
    if calendar is None:
        return day - (limit + 1) * _DAY
    # The limit-th working day after an anchor lies before *day*: count them back from the day before it.
    last = day - _DAY
    if not calendar.is_working(last):
        last = add_working_days(last, -1, calendar)
    return add_working_days(last, -(limit - 1), calendar) - _DAY
