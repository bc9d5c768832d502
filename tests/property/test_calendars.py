"""The two directions in which working days are counted: the day by which one must act, and the day before which one may have."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from salescrm.calendars import (
    AdjustedCalendar,
    Calendar,
    WeekCalendar,
    add_working_days,
    last_safe_day,
    latest_anchor,
)

DAY = timedelta(days=1)
START = date(2026, 1, 1)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar | None:
    """Calendar days, or a week with any weekend and any days off and made up for, whole months of them too."""
    if draw(st.booleans()):
        return None
    near = st.sets(st.integers(-60, 200).map(lambda n: START + n * DAY), max_size=40)
    break_from, break_for = draw(st.integers(-30, 60)), draw(st.integers(0, 60))
    off = draw(near) | {START + n * DAY for n in range(break_from, break_from + break_for)}
    week = WeekCalendar(draw(st.sets(st.integers(0, 6), max_size=6)))
    return AdjustedCalendar(week, off, draw(near))


def test_the_latest_anchor_is_the_inverse_of_the_last_safe_day(examples: Callable[[int], settings]) -> None:
    """A customer that counts from it has fallen when the day begins, one that counts from the day after has not."""

    @examples(300)
    @given(calendars(), st.integers(0, 120), st.integers(1, 60))
    def check(calendar: Calendar | None, day_number: int, limit: int) -> None:
        day = START + day_number * DAY
        anchor = latest_anchor(day, limit, calendar)

        assert last_safe_day(anchor, limit, calendar) < day
        assert last_safe_day(anchor + DAY, limit, calendar) >= day

    check()


class Stepped:
    """The same calendar, of which nothing is known but whether a day is one to work on: as a host's own may be."""

    known_until = None

    def __init__(self, calendar: Calendar) -> None:
        self.is_working = calendar.is_working


def test_leaping_by_years_comes_to_the_same_as_stepping_by_days(examples: Callable[[int], settings]) -> None:
    """Forward and backward, over several years and none."""

    @examples(200)
    @given(calendars(), st.integers(0, 120), st.integers(-900, 900))
    def check(calendar: Calendar | None, day_number: int, count: int) -> None:
        if calendar is not None:
            day = START + day_number * DAY
            assert add_working_days(day, count, Stepped(calendar)) == add_working_days(day, count, calendar)

    check()


def test_a_later_anchor_is_never_safe_for_less_long(examples: Callable[[int], settings]) -> None:
    """Whoever does something later gains by it, or loses nothing."""

    @examples(200)
    @given(calendars(), st.integers(0, 120), st.integers(1, 60))
    def check(calendar: Calendar | None, day_number: int, limit: int) -> None:
        anchor = START + day_number * DAY
        assert last_safe_day(anchor, limit, calendar) <= last_safe_day(anchor + DAY, limit, calendar)

    check()
