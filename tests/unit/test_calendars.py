"""What working calendars promise: China's as its government announces it, a host's own days, and what is not known yet."""

from __future__ import annotations

import pickle
import sys
from datetime import date, timedelta

import attrs
import chinese_calendar
import pytest

import salescrm
from salescrm.calendars import (
    AdjustedCalendar,
    Calendar,
    HolidayCalendar,
    WeekCalendar,
    add_working_days,
    last_safe_day,
)
from salescrm.errors import InvalidDefinition, Misconfigured
from salescrm.labels import Label
from salescrm.policy import Policy, Pool, RecycleRule, WorkCalendar

NAME = Label("Working days", "工作日")
DAY = timedelta(days=1)


def work_calendar(**given: object) -> WorkCalendar:
    return WorkCalendar(key="own", label=NAME, **given)  # type: ignore[arg-type]  # what a test gives


def days(first: date, last: date) -> list[date]:
    return [first + n * DAY for n in range((last - first).days + 1)]


def test_china_works_on_the_days_that_were_announced() -> None:
    """Day by day what another package has collected, made-up Saturdays and Sundays included."""
    china = HolidayCalendar("CN")
    asked = days(date(2020, 1, 1), date(2026, 12, 31))

    assert [day for day in asked if chinese_calendar.is_workday(day)] == [
        day for day in asked if china.is_working(day)
    ]


def test_what_is_not_announced_is_not_known() -> None:
    """China's holidays are known as far as the package has the yearly notice; Germany's are law for good."""
    known_until = HolidayCalendar("CN").known_until

    assert known_until is not None
    assert (known_until.month, known_until.day) == (12, 24)
    assert known_until.year >= 2026
    assert HolidayCalendar("DE", "BY").known_until is None
    # Bulgaria moved working days until 2016: what comes is law.
    assert HolidayCalendar("BG").known_until is None


def test_a_subdivision_has_holidays_of_its_own() -> None:
    """Epiphany is a holiday in Bavaria, and not in Berlin."""
    epiphany = date(2026, 1, 6)

    assert not HolidayCalendar("DE", "BY").is_working(epiphany)
    assert HolidayCalendar("DE", "BE").is_working(epiphany)


def test_another_weekend_keeps_the_countrys_holidays() -> None:
    """Six days a week in China: Saturdays are worked, holidays and made-up Sundays are as announced."""
    six_days = work_calendar(country="CN", weekend=("sunday",)).calendar()

    assert six_days.is_working(date(2026, 3, 14))
    assert not six_days.is_working(date(2026, 3, 15))
    assert not six_days.is_working(date(2026, 10, 1))
    assert six_days.is_working(date(2026, 9, 20))


def test_a_hosts_own_days_come_first() -> None:
    """A company's holiday is one, and a Sunday on which it takes stock is none."""
    off, stock_taking = date(2026, 3, 16), date(2026, 3, 15)
    own = work_calendar(days_off=[off], working_days=[stock_taking]).calendar()

    assert not own.is_working(off)
    assert own.is_working(stock_taking)
    assert own.is_working(off + DAY)
    assert own.known_until is None


def test_a_host_may_know_more_than_the_package() -> None:
    """Who enters next year's notice by hand is believed."""
    until = date(2027, 12, 24)
    own = work_calendar(country="CN", known_until=until).calendar()
    assert until == own.known_until
    assert (
        HolidayCalendar("CN").known_until
        == work_calendar(country="CN", days_off=[until]).calendar().known_until
    )


@pytest.mark.parametrize(
    "given, problem",
    [
        ({"country": "XX"}, "country is 'XX'; an ISO 3166 code such as CN is wanted"),
        ({"country": "China"}, "country is 'China'; an ISO 3166 code such as CN is wanted"),
        ({"country": "CN", "subdivision": "BY"}, "subdivision is 'BY'; CN has these: none"),
    ],
)
def test_unknown_countries_are_refused(given: dict[str, str], problem: str) -> None:
    with pytest.raises(InvalidDefinition) as refusal:
        work_calendar(**given).calendar()
    assert (problem,) == refusal.value.problems


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install."""
    monkeypatch.setitem(sys.modules, "holidays", None)
    with pytest.raises(Misconfigured, match=r"install salescrm\[calendar\]"):
        work_calendar(country="CN").calendar()
    assert WeekCalendar() == work_calendar().calendar()


def test_who_never_works_is_told_so() -> None:
    """Rather than counted for until the end of time."""

    class Never:
        known_until = None

        def is_working(self, day: date) -> bool:
            return False

    for calendar in (Never(), AdjustedCalendar(Never())):
        with pytest.raises(InvalidDefinition, match="there is no working day in the year 2027"):
            add_working_days(date(2026, 3, 15), 1, calendar)
        with pytest.raises(InvalidDefinition, match="there is no working day in the year 2025"):
            add_working_days(date(2026, 3, 15), -1, calendar)


@pytest.mark.parametrize(
    "calendar, anchor, limit, last_safe",
    [
        (None, date(2026, 3, 1), 30, date(2026, 3, 31)),
        # Friday, and 3 working days: Monday, Tuesday, Wednesday.
        (WeekCalendar(), date(2026, 3, 13), 3, date(2026, 3, 18)),
        (WeekCalendar(), date(2026, 3, 14), 3, date(2026, 3, 18)),
        # From 30 September over the National Day week: 8 and 9 October, and Saturday the 10th, which is made up.
        (HolidayCalendar("CN"), date(2026, 9, 30), 3, date(2026, 10, 10)),
        (AdjustedCalendar(WeekCalendar(), [date(2026, 3, 16)]), date(2026, 3, 13), 1, date(2026, 3, 17)),
    ],
)
def test_limits_in_days(calendar: Calendar | None, anchor: date, limit: int, last_safe: date) -> None:
    assert last_safe == last_safe_day(anchor, limit, calendar)


def test_the_package_is_asked_for_where_somebody_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy can be read and checked without it; who connects with a rule that needs it is told what to install."""
    china = work_calendar(country="CN")
    with_rule = Policy(calendars=[china], pools=[pool(calendar="own")])
    without = Policy(calendars=[china], pools=[pool(calendar=None)])
    monkeypatch.setitem(sys.modules, "holidays", None)

    same = attrs.evolve(with_rule)
    salescrm.connect("memory://", policy=without)
    salescrm.connect("memory://", policy=same, calendars={"own": WeekCalendar()})
    with pytest.raises(Misconfigured, match=r"install salescrm\[calendar\]"):
        salescrm.connect("memory://", policy=same)


def test_a_policy_travels_with_its_calendars() -> None:
    """To another process too, after somebody has counted by them."""
    policy = Policy(calendars=[work_calendar(country="CN")])
    assert not policy.calendar("own").is_working(date(2026, 10, 1))

    other = pickle.loads(pickle.dumps(policy))

    assert policy == other
    assert not other.calendar("own").is_working(date(2026, 10, 1))


def pool(calendar: str | None) -> Pool:
    rule = RecycleRule(key="quiet", label=NAME, anchor="no_follow_up", limit=30, calendar=calendar)
    return Pool(key="north", label=NAME, everyone=True, rules=[rule])
