"""What limits in working days promise, on every engine: holidays don't count, made-up days do, and what is not known is said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest

from salescrm import Crm, InvalidDefinition, InvalidValue, Policy
from salescrm.calendars import WeekCalendar
from salescrm.labels import Label
from salescrm.policy import Pool, RecycleRule, WorkCalendar
from salescrm.testing import Clock
from salescrm.values import Id

CHINA = WorkCalendar(key="china", label=Label("China", "中国"), country="CN")
#: The company takes stock on the first Sunday of March.
STOCK = WorkCalendar(key="china", label=Label("China", "中国"), country="CN", working_days=[date(2026, 3, 1)])


def policy(*calendars: WorkCalendar, limit: int = 5, version: int = 1, since: date | None = None) -> Policy:
    """In Shanghai, with one rule in working days."""
    rule = RecycleRule(
        key="quiet", label=Label("quiet", "久未跟进"), anchor="no_follow_up", limit=limit, calendar="china"
    )
    pool = Pool(key="north", label=Label("North", "北区公海"), everyone=True, rules=[rule])
    start = None if since is None else midnight(since)
    return Policy(pools=[pool], calendars=calendars, version=version, effective_from=start)


def midnight(day: date) -> datetime:
    """When *day* begins in Shanghai."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=8)


def owned_on(crm: Crm, clock: Clock, day: date) -> Id:
    """A customer that ann takes on at noon of *day*."""
    clock.set(midnight(day) + timedelta(hours=12))
    return crm.run(lambda work: work.customers.create(name="云帆科技", owner_id="ann"), by="li").id


def test_holidays_do_not_count_and_made_up_days_do(connect: Callable[..., Crm], clock: Clock) -> None:
    """From Thursday before the Spring Festival: Friday, a made-up Saturday, then nine days that nobody works on."""
    crm = connect(policy=policy(CHINA))
    acme = owned_on(crm, clock, date(2026, 2, 12))
    with crm.begin(by="ann") as work:
        why = work.pools.why(acme)
        assert (date(2026, 2, 26), date(2026, 2, 27)) == (why.outcomes[0].last_safe, why.falls_on)
        assert "第5个工作日为2026-02-26" in why.explain("zh")
        assert "尚未公布" not in why.explain("zh")
        assert 1 == len(work.pools.outlook(member="ann", days=15))
        assert 0 == len(work.pools.outlook(member="ann", days=14))

    clock.set(midnight(date(2026, 2, 27)) - timedelta(milliseconds=1))
    assert 0 == crm.tick().recycled
    clock.set(midnight(date(2026, 2, 27)))
    assert 1 == crm.tick().recycled


def test_a_hosts_own_calendar_comes_first(connect: Callable[..., Crm], clock: Clock) -> None:
    """Where both know one of that name."""
    crm = connect(policy=policy(CHINA), calendars={"china": WeekCalendar()})
    acme = owned_on(crm, clock, date(2026, 2, 12))
    with crm.begin(by="ann") as work:
        assert date(2026, 2, 20) == work.pools.why(acme).falls_on


def test_nights_that_are_made_up_for_count_by_the_calendar_of_their_day(
    connect: Callable[..., Crm], clock: Clock
) -> None:
    """The version that held then decides, and its working days with it."""
    crm = connect(policy=[policy(CHINA), policy(STOCK, version=2, since=date(2026, 3, 20))])
    clock.set(midnight(date(2026, 2, 25)))
    crm.tick()
    owned_on(crm, clock, date(2026, 2, 25))
    # By version 1 it falls on Wednesday, 4 March; by version 2, with a Sunday worked, on the day before.
    clock.set(midnight(date(2026, 3, 21)))
    assert 1 == crm.tick().recycled
    with crm.begin(by="li") as work:
        (customer,) = work.pools.find("north")
        *_, fallen = work.pools.ledger(customer.id)
        assert (midnight(date(2026, 3, 4)), 1) == (fallen.at, fallen.policy_version)


def test_what_counts_beyond_the_known_days_says_so(connect: Callable[..., Crm], clock: Clock) -> None:
    """The day is the best that can be said; the sentence and the inputs tell that it may change."""
    known = WorkCalendar(key="china", label=CHINA.label, country="CN", known_until=date(2026, 2, 25))
    crm = connect(policy=policy(known))
    acme = owned_on(crm, clock, date(2026, 2, 12))
    with crm.begin(by="ann") as work:
        why = work.pools.why(acme)
    assert why.explain("zh").endswith("；2026-02-25之后的工作日安排尚未公布，日期可能变化")
    assert why.explain("en").endswith(
        "; the working days after 2026-02-25 are not announced yet, so the day may change"
    )
    assert [date(2026, 2, 12), date(2026, 2, 25)] == [one.value for one in why.inputs]


def test_a_calendar_that_is_not_there_is_refused_when_one_connects(connect: Callable[..., Crm]) -> None:
    """In whatever version it is: else the night of that version would fail."""
    with pytest.raises(InvalidDefinition) as refusal:
        connect(
            policy=[policy(CHINA), policy(version=2, since=date(2026, 4, 1))],
            calendars={"chinna": WeekCalendar()},
        )
    assert (
        "pool north: rule quiet: calendar is 'china', which neither the policy nor connect() has; nearest: chinna",
    ) == refusal.value.problems


def test_an_unknown_calendar_is_named_with_those_that_are_there(connect: Callable[..., Crm]) -> None:
    with connect(policy=policy(CHINA)).begin(by="li") as work, pytest.raises(InvalidValue, match="china"):
        work.calendar("japan")
