"""What is decided about one customer and what a store is asked about all of them are the same, whatever the day and the zone."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import salescrm
from salescrm import Customer, F, Work
from salescrm.calendars import Calendar, WeekCalendar, day_of, start_of_day
from salescrm.entities.customers import FOR_GOOD
from salescrm.labels import Label
from salescrm.policy import Pool, RecycleRule
from salescrm.policy.pools import Anchor, Exemption
from salescrm.query import EVERYTHING
from salescrm.rules.recycling import Outcome, fires, outcome, warned
from salescrm.testing import Clock, Maker
from salescrm.values import Id, Moment

_DAY: Final = timedelta(days=1)
#: In Havana midnight is skipped and comes twice, in Kathmandu a day begins at a quarter; 2026 has both changes.
ZONES: Final = ("UTC", "Asia/Shanghai", "America/New_York", "America/Havana", "Asia/Kathmandu")


class SixDays:
    """People work on Saturdays too."""

    known_until = None

    def is_working(self, day: date) -> bool:
        """Whether it is no Sunday."""
        return day.weekday() != 6


CALENDARS: Final[Mapping[str, Calendar]] = {"week": WeekCalendar(), "six": SixDays()}
WHERES: Final = (EVERYTHING, F.level == "A", F.level.is_null(), ~(F.level == "A"), F.tags.has("hot"))
#: Around 8 March and 1 November.
FIRST: Final = st.sampled_from([date(2026, 3, 4), date(2026, 10, 28)])


def moments(first: date) -> st.SearchStrategy[Moment]:
    """Moments of some days from *first*, many of them beside the beginning of one."""
    beside = st.sampled_from([timedelta(0), timedelta(milliseconds=1), timedelta(milliseconds=-1)])
    hours = st.integers(0, 24).map(lambda hours: timedelta(hours=hours))
    return st.builds(
        lambda day, zone, shift: start_of_day(first + day * _DAY, ZoneInfo(zone)) + shift,
        st.integers(0, 9), st.sampled_from(ZONES), beside | hours,
    )  # fmt: skip


@st.composite
def customers(draw: st.DrawFn, first: date) -> Customer:
    """One whose facts go together as the use cases leave them."""
    at = moments(first)
    since = draw(at)
    open_ones = draw(st.sampled_from([0, 0, 0, 2]))
    dealt, ended = draw(st.none() | at), draw(st.none() | at)
    facts: dict[str, Any] = {
        "level": draw(st.sampled_from([None, "A", "B"])),
        "tags": draw(st.sampled_from([(), ("hot",)])),
        "contract_ends_on": draw(st.none() | st.integers(-40, 9).map(lambda days: first + days * _DAY)),
        "has_receivables": draw(st.booleans()),
        "first_deal_at": dealt,
        "last_deal_at": dealt,
    }
    made = Customer(name="x", **facts).owned_by(Id("ann"), at=since)
    made = made.followed_up(at=draw(at), effective=draw(st.booleans()))
    made = made.with_opportunities(
        open_ones=open_ones, advanced_at=draw(at) if open_ones else None, ended_at=ended
    )
    return attrs.evolve(
        made,
        protected_until=draw(st.none() | at),
        shared_until=draw(st.none() | st.just(FOR_GOOD) | at),
        transfer_pending=draw(st.sampled_from([False, False, True])),
    )


@st.composite
def rules(draw: st.DrawFn) -> RecycleRule:
    limit: Any = draw(st.sampled_from([1, 2, 3, 5, "never"]))
    return RecycleRule(
        key="rule",
        label=Label("rule", "规则"),
        anchor=draw(st.sampled_from(get_args(Anchor))),
        limit=limit,
        calendar=draw(st.sampled_from([None, *CALENDARS])) if limit != "never" else None,
        where=draw(st.sampled_from(WHERES)),
        exempt=tuple(draw(st.sets(st.sampled_from(get_args(Exemption)), max_size=2))),
    )


def said(work: Work, customer: Customer, pool: Pool, rule: RecycleRule, zone: ZoneInfo) -> Outcome | None:
    return outcome(customer, pool, rule, zone=zone, calendars=CALENDARS.__getitem__, meets=work.holds)


@pytest.fixture
def work() -> Work:
    return salescrm.connect("memory://", clock=Clock(datetime(2026, 3, 1, tzinfo=UTC))).begin(by="li")


def test_decision_and_question_agree_day_by_day(work: Work, examples: Callable[[int], settings]) -> None:
    """And so do the question for those who are warned and the day that is foretold."""

    @examples(150)
    @given(st.data(), rules(), st.sampled_from(ZONES).map(ZoneInfo))
    def agree(data: st.DataObject, rule: RecycleRule, zone: ZoneInfo) -> None:
        first = data.draw(FIRST)
        customer = data.draw(customers(first))
        pool = Pool(key="pool", label=Label("pool", "公海"), rules=(rule,))
        told = said(work, customer, pool, rule, zone)
        falls_on = None if told is None else told.falls_on
        assert customer.owned_since is not None
        owned = day_of(customer.owned_since, zone)
        assert falls_on is None or falls_on >= owned + 2 * _DAY
        for day in (first + n * _DAY for n in range(-1, 22)):
            asked = fires(pool, rule, day, zone=zone, calendars=CALENDARS.__getitem__)
            fell = asked is not None and work.holds(customer, asked)
            assert (falls_on is not None and falls_on <= day) == fell
            begin = start_of_day(day, zone)
            ask = warned(pool, rule, day + _DAY, begin=begin, zone=zone, calendars=CALENDARS.__getitem__)
            warn = ask is not None and work.holds(customer, ask)
            if warn:
                assert falls_on == day + _DAY
            elif falls_on == day + _DAY:
                # Only what came after the day began is not seen by it.
                assert (
                    max(filter(None, (customer.owned_since, customer.quiet_since))) >= begin or told is None
                )

    agree()


@pytest.mark.parametrize("first", [date(2026, 3, 4), date(2026, 10, 28)])
def test_every_engine_gives_those_that_the_decision_names(engine_url: str, first: date) -> None:
    """Of two hundred customers, by each anchor and exemption, on each day."""
    dice = random.Random(first.toordinal())  # no secret
    at = [
        start_of_day(first + day * _DAY, ZoneInfo(zone)) + timedelta(milliseconds=ms)
        for day in range(6) for zone in ZONES for ms in (-1, 0, 1, 40_000_000)
    ]  # fmt: skip
    make = Maker(seed="falls")

    def customer() -> Customer:
        dealing, dealt = dice.random() < 0.2, dice.choice([None, dice.choice(at)])
        made = make.customer(
            level=dice.choice([None, "A", "B"]), tags=dice.choice([(), ("hot",)]), first_deal_at=dealt,
            last_deal_at=dealt, contract_ends_on=dice.choice([None, first - 30 * _DAY, first + 2 * _DAY]),
            has_receivables=dice.random() < 0.5,
        ).owned_by(Id("ann"), at=dice.choice(at))  # fmt: skip
        made = made.followed_up(at=dice.choice(at), effective=dice.random() < 0.5).with_opportunities(
            open_ones=int(dealing), advanced_at=dice.choice(at) if dealing else None,
            ended_at=dice.choice([None, dice.choice(at)]),
        )  # fmt: skip
        return attrs.evolve(
            made, protected_until=dice.choice([None, dice.choice(at)]),
            shared_until=dice.choice([None, FOR_GOOD, dice.choice(at)]), transfer_pending=dice.random() < 0.3,
        )  # fmt: skip

    drawn = [customer() for _ in range(200)]
    clock = Clock(datetime(2026, 2, 1, tzinfo=UTC))
    with salescrm.connect(engine_url, clock=clock) as crm:
        crm.migrate()
        crm.run(lambda work: work.repository(Customer).add_many(drawn), by="li")
        crm.run(_agree, first, {one.id: one for one in drawn}, by="li")


def _agree(work: Work, first: date, drawn: dict[Id, Customer]) -> None:
    fallen = 0
    for anchor in get_args(Anchor):
        for number, exempt in enumerate(((), *((one,) for one in get_args(Exemption)))):
            zone = ZoneInfo(ZONES[number % len(ZONES)])
            calendar = [None, "week", "six"][number % 3]
            rule = RecycleRule(
                key="rule", label=Label("rule", "规则"), anchor=anchor, limit=1 + number % 3, calendar=calendar,
                where=WHERES[number % len(WHERES)], exempt=exempt,
            )  # fmt: skip
            pool = Pool(key="pool", label=Label("pool", "公海"), rules=(rule,))
            told = {id: said(work, one, pool, rule, zone) for id, one in drawn.items()}
            for day in (first + n * _DAY for n in (3, 5, 8)):
                asked = fires(pool, rule, day, zone=zone, calendars=CALENDARS.__getitem__)
                assert asked is not None
                found = {id for (id,) in work.customers.select([F.id], asked, limit=1_000)}
                assert found == {
                    id for id, one in told.items() if one and one.falls_on and one.falls_on <= day
                }
                fallen += len(found)
    assert fallen > 500
