"""Days as arithmetic: when a day begins in a time zone, which days are working days, and how far a limit in days reaches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from salescrm.errors import InvalidDefinition, Misconfigured
from salescrm.values import Moment

if TYPE_CHECKING:
    from holidays import HolidayBase

__all__ = [
    "AdjustedCalendar",
    "Calendar",
    "HolidayCalendar",
    "WeekCalendar",
    "add_working_days",
    "day_of",
    "first_day_from",
    "last_safe_day",
    "latest_anchor",
    "start_of_day",
]

_DAY: Final = timedelta(days=1)
#: Whoever counts working days meets one within so many days, or the calendar has none.
_LONGEST_BREAK: Final = 366
#: Countries that once made up for holidays by working days and do so no longer: nothing of theirs is still to come.
_SETTLED: Final = frozenset({"AM", "BG", "UA"})


class Calendar(Protocol):
    """Which days people work on."""

    @property
    def known_until(self) -> date | None:
        """The last day that it is sure of; None where it always is."""

    def is_working(self, day: date) -> bool:
        """Whether *day* is a working day."""


def _weekdays(given: Iterable[int]) -> frozenset[int]:
    return frozenset(given)


def _days(given: Iterable[date]) -> frozenset[date]:
    return frozenset(given)


@attrs.frozen
class WeekCalendar:
    """Every day is a working day but those of the weekend; Monday is 0."""

    weekend: frozenset[int] = attrs.field(default=frozenset({5, 6}), converter=_weekdays)

    @property
    def known_until(self) -> None:
        """Always sure."""

    def is_working(self, day: date) -> bool:
        """Whether *day* is not in the weekend."""
        return day.weekday() not in self.weekend


@attrs.frozen
class HolidayCalendar:
    """
    The working days of a country, by the package ``holidays``: its weekend, its holidays, and days that are made up for.

    Attributes:
        country: ISO 3166, as ``CN``; *subdivision* a part of it with holidays of its own.
        weekend: The days of rest, Monday is 0; the country's own where it is None.

    Raises:
        Misconfigured: The package is not installed.
        InvalidDefinition: It knows no such country or subdivision.
    """

    country: str
    subdivision: str | None = None
    weekend: frozenset[int] | None = None
    _years: dict[int, frozenset[date]] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._holidays()

    @cached_property
    def known_until(self) -> date | None:
        """
        Where working days are moved by a notice each year, as in China, the last day before Christmas of the last year
        for which the installed package has it; None for other countries.

        What it says of later days are the holidays by law, with no day moved.
        """
        known = self._holidays()
        if known.country in _SETTLED:
            return None
        years = {year for name in dir(known) if name.startswith("special_") for year in _moved(known, name)}
        # The notice for the next year may still move the days around New Year's Eve: it did for 2002, 2006 and 2012.
        return date(max(years), 12, 24) if years else None

    def is_working(self, day: date) -> bool:
        """Whether *day* is a working day there."""
        found = self._years.get(day.year)
        if found is None:
            found = self._years[day.year] = self._working(day.year)
        return day in found

    def _working(self, year: int) -> frozenset[date]:
        # A holiday may be made up for in the year before, or the year after.
        known = self._holidays(years=range(year - 1, year + 2))
        first, last = date(year, 1, 1), date(year, 12, 31)
        days = [first + n * _DAY for n in range((last - first).days + 1)]
        if self.weekend is None:
            return frozenset(day for day in days if known.is_working_day(day))
        free = self.weekend
        return frozenset(
            day
            for day in days
            if day in known.weekend_workdays or (day.weekday() not in free and day not in known)
        )

    def _holidays(self, **given: Any) -> HolidayBase:
        try:
            import holidays
        except ImportError as missing:
            raise Misconfigured(
                "the working days of a country need the package holidays", "install salescrm[calendar]"
            ) from missing
        known = holidays.list_supported_countries()
        if self.country not in known:
            problem = f"country is {self.country!r}; an ISO 3166 code such as CN is wanted"
            raise InvalidDefinition("Calendar", (problem,))
        if self.subdivision is not None and self.subdivision not in known[self.country]:
            parts = ", ".join(known[self.country]) or "none"
            problem = f"subdivision is {self.subdivision!r}; {self.country} has these: {parts}"
            raise InvalidDefinition("Calendar", (problem,))
        return holidays.country_holidays(self.country, subdiv=self.subdivision, expand=False, **given)


def _moved(known: HolidayBase, name: str) -> list[int]:
    """The years in which the table *name* of special days has one that another day makes up for."""
    table = getattr(known, name)
    if not isinstance(table, Mapping):
        return []
    return [
        year
        for year, days in table.items()
        for one in (days if isinstance(days[0], tuple) else (days,))
        if len(one) > 3  # month and day, and the month and day that make up for it
    ]


@attrs.frozen
class AdjustedCalendar:
    """
    *base*, but for a host's own *days_off* and *working_days*.

    Attributes:
        sure_until: The last day that a host has seen to; what *base* knows where it is None.
    """

    base: Calendar
    days_off: frozenset[date] = attrs.field(default=frozenset(), converter=_days)
    working_days: frozenset[date] = attrs.field(default=frozenset(), converter=_days)
    sure_until: date | None = None

    @property
    def known_until(self) -> date | None:
        """The last day that it is sure of; None where it always is."""
        return self.base.known_until if self.sure_until is None else self.sure_until

    def is_working(self, day: date) -> bool:
        """Whether *day* is a working day."""
        return day in self.working_days or (day not in self.days_off and self.base.is_working(day))


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
    """
    The *count*-th working day after *day*; before it for a negative *count*, *day* itself for 0.

    Raises:
        InvalidDefinition: *calendar* has no working day for more than a year.
    """
    step = _DAY if count > 0 else -_DAY
    left, idle = abs(count), 0
    while left:
        day += step
        if calendar.is_working(day):
            left, idle = left - 1, 0
        elif (idle := idle + 1) > _LONGEST_BREAK:
            raise InvalidDefinition("Calendar", (f"there is no working day in the year up to {day}",))
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
