"""Working calendars as data: a country's working days, a host's own weekend, days off and days that are made up for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final, Literal, TypeAlias, get_args

import attrs

from salescrm.calendars import AdjustedCalendar, Calendar, HolidayCalendar, WeekCalendar
from salescrm.errors import InvalidDefinition, Misconfigured
from salescrm.labels import Label

__all__ = ["Weekday", "WorkCalendar", "calendar_problems"]

Weekday: TypeAlias = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

_WEEK: Final[tuple[str, ...]] = get_args(Weekday)


def _week(given: Iterable[Weekday]) -> tuple[Weekday, ...]:
    return tuple(given)


@attrs.frozen(kw_only=True)
class WorkCalendar:
    """
    Which days people work on; rules name it by *key*.

    Attributes:
        country: ISO 3166, as ``CN``: its holidays, and the days that make up for them, by the package ``holidays``
            (extra ``calendar``); *subdivision* for a part of it with holidays of its own.
        weekend: The days of rest in a week; where it is None the country's, without a country Saturday and Sunday.
        days_off: A host's own days of rest, whatever day of the week they are.
        working_days: A host's own working days, whatever day of the week they are.
        known_until: The last day that the host has seen to; what the package knows where it is None.
    """

    key: str
    label: Label
    country: str | None = None
    subdivision: str | None = None
    weekend: tuple[Weekday, ...] | None = attrs.field(
        default=None, converter=attrs.converters.optional(_week)
    )
    days_off: tuple[date, ...] = attrs.field(default=(), converter=tuple[date, ...])
    working_days: tuple[date, ...] = attrs.field(default=(), converter=tuple[date, ...])
    known_until: date | None = None

    def calendar(self) -> Calendar:
        """
        The calendar itself.

        Raises:
            Misconfigured: It asks for a country, and the package ``holidays`` is not installed.
            InvalidDefinition: That package knows no such country or subdivision.
        """
        weekend = None if self.weekend is None else frozenset(map(_WEEK.index, self.weekend))
        base: Calendar
        if self.country is not None:
            base = HolidayCalendar(self.country, self.subdivision, weekend)
        else:
            base = WeekCalendar() if weekend is None else WeekCalendar(weekend)
        if not self.days_off and not self.working_days and self.known_until is None:
            return base
        return AdjustedCalendar(base, self.days_off, self.working_days, self.known_until)


def calendar_problems(calendar: WorkCalendar) -> Iterator[str]:
    """What is wrong with *calendar*, but for its key and name."""
    found = list(_day_problems(calendar))
    yield from found
    if calendar.country is None:
        if calendar.subdivision is not None:
            yield f"subdivision is {calendar.subdivision!r}, but there is no country"
    elif not found:
        try:
            calendar.calendar()
        except InvalidDefinition as problem:
            yield from problem.problems
        except Misconfigured:
            pass  # a policy may be read where nobody counts by it; `connect` asks for the package


def _day_problems(calendar: WorkCalendar) -> Iterator[str]:
    for day in calendar.weekend or ():
        if day not in _WEEK:
            yield f"weekend: {day!r} is no day; monday to sunday are wanted"
    if len(set(calendar.weekend or ())) == len(_WEEK):
        yield "weekend: a day to work on must be left"
    for name in ("days_off", "working_days"):
        for one in getattr(calendar, name):
            if type(one) is not date:
                yield f"in {name}, {one!r} is no day such as 2026-10-01"
    for both in sorted({*calendar.days_off} & {*calendar.working_days}, key=str):
        yield f"{both} is among days_off and among working_days"
    if calendar.known_until is not None and type(calendar.known_until) is not date:
        yield f"known_until is {calendar.known_until!r}; a day such as 2026-12-31 is wanted"
