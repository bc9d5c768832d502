"""Days as arithmetic: when a day begins in a time zone, which days are working days, and how far a limit in days reaches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

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


class _ByYear(ABC):
    """A calendar that makes a list of each year's working days once: whoever counts then leaps, and does not step."""

    __slots__ = ()
    _years: dict[int, tuple[date, ...]]

    @abstractmethod
    def _in_year(self, days: list[date]) -> Iterable[date]:
        """The working days among *days*, which are those of one year, in order."""

    def working_days(self, year: int) -> tuple[date, ...]:
        """The working days of *year*, in order."""
        found = self._years.get(year)
        if found is None:
            first, last = date(year, 1, 1), date(year, 12, 31)
            days = [first + n * _DAY for n in range((last - first).days + 1)]
            found = self._years[year] = tuple(self._in_year(days))
        return found

    def is_working(self, day: date) -> bool:
        """Whether *day* is a working day."""
        days = self.working_days(day.year)
        place = bisect_left(days, day)
        return place < len(days) and days[place] == day


@attrs.frozen
class HolidayCalendar(_ByYear):
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
    _years: dict[int, tuple[date, ...]] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self._holidays()

    @cached_property
    def known_until(self) -> date | None:
        """
        Where working days are moved by a notice each year, as in China: 24 December of the last year whose notice the
        installed package has; None for other countries.

        What it says of later days are the holidays by law, with no day moved.
        """
        known = self._holidays()
        if known.country in _SETTLED:
            return None
        years = {year for name in dir(known) if name.startswith("special_") for year in _moved(known, name)}
        # The notice for the next year may still move the days around New Year's Eve: it did for 2002, 2006 and 2012.
        return date(max(years), 12, 24) if years else None

    def _in_year(self, days: list[date]) -> Iterable[date]:
        year = days[0].year
        # A holiday may be made up for in the year before, or the year after.
        known = self._holidays(years=range(year - 1, year + 2))
        if self.weekend is None:
            return filter(known.is_working_day, days)
        free, made_up = self.weekend, known.weekend_workdays
        return (day for day in days if day in made_up or (day.weekday() not in free and day not in known))

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
class AdjustedCalendar(_ByYear):
    """
    *base*, but for a host's own *days_off* and *extra_days*, on which people work.

    Attributes:
        sure_until: The last day that a host has seen to; what *base* knows where it is None.
    """

    base: Calendar
    days_off: frozenset[date] = attrs.field(default=frozenset(), converter=_days)
    extra_days: frozenset[date] = attrs.field(default=frozenset(), converter=_days)
    sure_until: date | None = None
    _years: dict[int, tuple[date, ...]] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    @property
    def known_until(self) -> date | None:
        """The last day that it is sure of; None where it always is."""
        return self.base.known_until if self.sure_until is None else self.sure_until

    def _in_year(self, days: list[date]) -> Iterable[date]:
        on, off = self.extra_days, self.days_off
        return (day for day in days if day in on or (day not in off and self.base.is_working(day)))


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
        InvalidDefinition: *calendar* has no working day in a whole year.
    """
    if isinstance(calendar, _ByYear) and count:
        return _leapt(day, count, calendar)
    step = _DAY if count > 0 else -_DAY
    left, idle = abs(count), 0
    while left:
        day += step
        if calendar.is_working(day):
            left, idle = left - 1, 0
        elif (idle := idle + 1) > _LONGEST_BREAK:
            _refused(day.year)
    return day


def _leapt(day: date, count: int, calendar: _ByYear) -> date:
    """As `add_working_days`, a year at a time."""
    year, days = day.year, calendar.working_days(day.year)
    place = bisect_right(days, day) + count - 1 if count > 0 else bisect_left(days, day) + count
    while place >= len(days):
        place -= len(days)
        year += 1
        days = calendar.working_days(year) or _refused(year)
    while place < 0:
        year -= 1
        days = calendar.working_days(year) or _refused(year)
        place += len(days)
    return days[place]


def _refused(year: int) -> NoReturn:
    raise InvalidDefinition("Calendar", (f"there is no working day in the year {year}",))


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
