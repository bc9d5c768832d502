"""Relative moments where days are not 24 hours long: both clock changes of New York, and a midnight that never was."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from salescrm.checking import Context
from salescrm.checking.literals import relative_day, relative_moment
from salescrm.query import Relative, ago, now, start_of, today

NEW_YORK = ZoneInfo("America/New_York")


def at(day: int, hour: int, minute: int = 0, *, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    "here, question, means",
    [
        # On 8 March 2:00 becomes 3:00: the day has 23 hours.
        (at(8, 4, 59), today(), at(7, 5)),
        (at(8, 5), today(), at(8, 5)),
        (at(8, 12), today(), at(8, 5)),
        (at(8, 12), today(1), at(9, 4)),
        (at(9, 4), today(-1), at(8, 5)),
        (at(9, 3, 59), start_of("week"), at(2, 5)),
        (at(9, 4), start_of("week"), at(9, 4)),
        (at(20, 12), start_of("month"), at(1, 5)),
        (at(20, 12), start_of("month", 1), at(1, 4, month=4)),
        (at(20, 12), start_of("quarter"), at(1, 5, month=1)),
        # On 1 November 2:00 becomes 1:00: the day has 25 hours, and 1:30 comes twice.
        (at(1, 5, 30, month=11), today(), at(1, 4, month=11)),
        (at(1, 6, 30, month=11), today(), at(1, 4, month=11)),
        (at(2, 4, 59, month=11), today(), at(1, 4, month=11)),
        (at(2, 5, month=11), today(), at(2, 5, month=11)),
        # Hours and days from now are not of the calendar.
        (at(8, 12), ago(days=1), at(7, 12)),
        (at(1, 12, month=11), now(days=1), at(2, 12, month=11)),
    ],
)
def test_days_begin_when_they_begin_in_new_york(here: datetime, question: Relative, means: datetime) -> None:
    assert means == relative_moment(question, Context(here, NEW_YORK))


def test_a_day_whose_midnight_never_was_begins_when_it_begins() -> None:
    """In Beirut the clocks of 29 March 2026 go from 0:00 to 1:00."""
    beirut = Context(datetime(2026, 3, 29, 12, tzinfo=UTC), ZoneInfo("Asia/Beirut"))
    assert datetime(2026, 3, 28, 22, tzinfo=UTC) == relative_moment(today(), beirut)


def test_a_day_field_is_compared_with_the_day_in_the_zone() -> None:
    late = Context(at(9, 3, 30), NEW_YORK)
    assert (date(2026, 3, 8), date(2026, 3, 9)) == (relative_day(today(), late), relative_day(today(1), late))
    assert date(2026, 3, 7) == relative_day(ago(days=1), late)
