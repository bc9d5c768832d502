"""Random customers, rules, calendars and versions: what a simulation says is what the nights then do, run each or made up for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any, Final, get_args
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import salescrm
from salescrm import Crm, Customer, Policy
from salescrm.calendars import Calendar, WeekCalendar, start_of_day
from salescrm.entities import OutboxEvent, OwnershipEntry
from salescrm.labels import Label
from salescrm.policy import Policies, Pool, PoolWarning, RecycleRule
from salescrm.policy.pools import Anchor, Exemption, Never, Told
from salescrm.query import EVERYTHING, F, Where, ago, start_of, today
from salescrm.reports.simulation import Simulation
from salescrm.storage import Backend
from salescrm.testing import Clock, Maker
from salescrm.values import Id, Moment

EXAMPLES: Final = {"memory": 40, "sqlite": 4, "postgresql": 3, "mongodb": 3, "mariadb": 2}
#: Six days before New York puts its clocks on, and three weeks before Berlin does.
START: Final = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)
ZONES: Final = ("Asia/Shanghai", "America/New_York", "Europe/Berlin")
LABEL: Final = Label("so it is called", "名称")


@attrs.frozen
class Holidays:
    """A working week with a few days off, and a Saturday to make up for one."""

    known_until: date | None = None

    def is_working(self, day: date) -> bool:
        """Whether people work."""
        off = {date(2026, 3, 6), date(2026, 3, 9), date(2026, 3, 17)}
        return day not in off and (day.weekday() < 5 or day == date(2026, 3, 14))


EXEMPT: Final[tuple[tuple[Exemption, ...] | None, ...]] = (
    None, (), ("protected",), ("shared", "protected"), ("open_opportunity",),
)  # fmt: skip
CALENDARS: Final[Mapping[str, Calendar]] = {"week": WeekCalendar(), "holidays": Holidays()}

ALONE: Final[list[Where]] = [
    EVERYTHING, EVERYTHING, EVERYTHING, F.level == "A", F.level.is_null(), ~(F.level == "B"), F.parent.level == "A",
    # Counted from now: each night asks for something else.
    F.last_follow_up_at < ago(days=9), F.purchase_deadline < today(), F.first_contact_at < start_of("week"),
    (F.purchase_deadline >= today()) | (F.level == "A"),
]  # fmt: skip
#: One hop away, and there for what falling changes.
ENTWINED: Final[list[Where]] = [F.parent.owner_id.is_null(), F.parent.owned_since < ago(days=5)]
wheres = st.sampled_from([*ALONE, *ALONE, *ALONE, *ENTWINED])
days_ago = st.one_of(st.none(), st.integers(-3, 25))


@st.composite
def rule(draw: st.DrawFn, key: str) -> RecycleRule:
    limit: int | Never = draw(st.one_of(st.integers(1, 9), st.integers(1, 20), st.just("never")))
    calendar = draw(st.sampled_from([None, None, "week", "holidays"]))
    rungs = draw(
        st.lists(st.tuples(st.integers(1, 9), st.sampled_from(get_args(Told))), max_size=3, unique=True)
    )
    # Of what never happens nobody is warned, and nobody before it could be known; a policy refuses to say so.
    most = 0 if limit == "never" else 9 if calendar else limit - 1
    return RecycleRule(
        key=key,
        label=LABEL,
        anchor=draw(st.sampled_from(get_args(Anchor))),
        limit=limit,
        calendar=calendar,
        where=draw(wheres),
        exempt=draw(st.sampled_from(EXEMPT)),
        warnings=[PoolWarning(days=days, to=to) for days, to in rungs if days <= most],
    )


def sound(rules: list[RecycleRule]) -> list[RecycleRule]:
    """Those of *rules* that contradict none before them."""
    return list({(one.anchor, one.where): one for one in reversed(rules)}.values())[::-1]


@st.composite
def pools(draw: st.DrawFn) -> tuple[Pool, ...]:
    """Both pools in one version: always open, for one that is closed while it holds customers stops everything."""
    return tuple(
        Pool(
            key=key,
            label=LABEL,
            where=draw(st.one_of(st.just(EVERYTHING), wheres)),
            priority=draw(st.integers(0, 2)),
            admins=("boss",),
            time_zone=draw(st.sampled_from([None, *ZONES])),
            rules=sound([draw(rule(f"{key}-{n}")) for n in range(draw(st.sampled_from([0, 1, 2, 2, 3])))]),
        )
        for key in ("north", "south")
    )


@st.composite
def policies(draw: st.DrawFn) -> list[Policy]:
    """One to three versions, the later ones from moments that lie before, in and behind the days that are run."""
    starts = draw(st.lists(st.integers(-6 * 24, 26 * 24), max_size=2, unique=True))
    moments = [None, *(START + timedelta(hours=hours) for hours in sorted(starts))]
    return [
        Policy(
            version=number + 1,
            effective_from=start,
            pools=draw(pools()),
            time_zone=draw(st.sampled_from(ZONES)),
        )
        for number, start in enumerate(moments)
    ]


@st.composite
def customers(draw: st.DrawFn) -> list[Customer]:
    make, found = Maker(at=START - timedelta(days=60), seed="s"), list[Customer]()
    for _ in range(draw(st.integers(3, 9))):

        def at(days: int | None) -> Moment | None:
            return None if days is None else START - timedelta(days=days, hours=draw(st.integers(0, 23)))

        owned = draw(st.integers(0, 25))
        since = at(owned)
        found.append(
            make.customer(
                owner_id=draw(st.sampled_from(["ann", "bo", "ann", "bo", None])),
                level=draw(st.sampled_from([None, "A", "B"])),
                parent_id=draw(st.sampled_from([None, *(one.id for one in found)])),
                owned_since=since,
                quiet_since=at(draw(st.integers(0, owned))),
                stuck_since=at(draw(st.integers(0, owned))),
                dealless_since=draw(st.sampled_from([since, None])),
                open_opportunities=draw(st.integers(0, 1)),
                last_deal_at=at(draw(days_ago)),
                last_follow_up_at=at(draw(days_ago)),
                first_contact_at=at(draw(days_ago)),
                protected_until=at(draw(st.one_of(st.none(), st.integers(-20, 3)))),
                shared_until=at(draw(st.one_of(st.none(), st.integers(-20, 3)))),
                contract_ends_on=None
                if (days := draw(st.one_of(st.none(), st.integers(-15, 20)))) is None
                else START.date() - timedelta(days=days),
                purchase_deadline=None
                if (days := draw(st.one_of(st.none(), st.integers(-15, 5)))) is None
                else START.date() - timedelta(days=days),
            )
        )
    for place, one in enumerate(found):
        if one.owner_id is None:
            found[place] = one.unowned_in(None, at=START)
    return found


@attrs.frozen
class Story:
    """What there is, what holds, how far to look and how many nights were missed; too long to be shown whole."""

    policies: list[Policy] = attrs.field(repr=False)
    customers: list[Customer] = attrs.field(repr=False)
    days: int
    missed: int


@st.composite
def stories(draw: st.DrawFn) -> Story:
    return Story(draw(policies()), draw(customers()), draw(st.integers(0, 26)), draw(st.integers(0, 8)))


def happened(crm: Crm) -> tuple[list[Any], list[Any]]:
    """Who fell, and who was warned, as it is written down."""
    with crm.begin(by="li") as work:
        fell = [
            (one.at, one.customer_id, one.from_id, one.pool, one.rule, one.rules, one.policy_version)
            for one in work.repository(OwnershipEntry).stream(F.kind == "recycled")
        ]
        told = [
            (
                str(one.record_id),
                *(one.data[name] for name in ("pool", "rule", "falls_on", "days_left", "told")),
            )
            for one in work.repository(OutboxEvent).stream(F.name == "CustomerFallsSoon")
        ]
    return sorted(fell), sorted(told)


def said(simulation: Simulation) -> tuple[list[Any], list[Any]]:
    """The same of a simulation."""
    fell = [
        (one.at, one.customer_id, one.owner_id, one.pool, one.rule, one.fired, one.policy_version)
        for one in simulation.falls
    ]
    told = [
        (str(one.customer_id), one.pool, one.rule, one.falls_on.isoformat(), one.days_left, list(one.told))
        for one in simulation.warnings
    ]
    assert [(one.at, one.day) for one in simulation.falls] == sorted(
        (one.at, one.day) for one in simulation.falls
    )
    return sorted(fell), sorted(told)


def begins(until: Moment) -> list[Moment]:
    """Every moment at which somewhere a day begins, up to *until*, and some in between."""
    found = {
        start_of_day(START.date() + timedelta(days=day), ZoneInfo(zone))
        for zone in ZONES
        for day in range(40)
    }
    return [START, *(moment for moment in sorted(found) if START < moment <= until)]


@pytest.fixture
def backend(engine_url: str) -> Iterator[Backend]:
    crm = salescrm.connect(engine_url)
    crm.migrate()
    yield crm.kit.backend
    crm.close()


def test_a_simulation_is_what_happens(
    backend: Backend, engine: str, examples: Callable[[int], settings]
) -> None:
    """
    Run each night, and made up for in one run: the same customers, days, rules, pools, versions and warnings.

    The nights before were missed too.
    """
    numbers, clock = count(), Clock(START)

    @examples(EXAMPLES[engine])
    @given(stories())
    def check(story: Story) -> None:
        until = START + timedelta(days=story.days, hours=5)
        found = []
        number = next(numbers)
        for nightly in (True, False):
            crm = salescrm.connect(
                backend,
                policy=story.policies,
                calendars=CALENDARS,
                clock=clock,
                tenant=f"t{number}-{nightly}",
            )
            clock.set(START - timedelta(days=story.missed))
            crm.tick()
            crm.run(prepare, story.customers, by="li")
            clock.set(START)
            with crm.begin(by="li") as work:
                simulation = work.pools.simulate(at=until)
                assert simulation == work.pools.simulate(at=until, policy=Policies(story.policies))
            assert ([], []) == happened(crm)
            for moment in begins(until) if nightly else [until]:
                clock.set(moment)
                crm.tick()
            assert said(simulation) == happened(crm)
            found.append(said(simulation))
        assert found[0] == found[1]

    check()


def prepare(work: salescrm.Work, customers: list[Customer]) -> None:
    """Members and customers, as they are."""
    work.members.add("boss", name="Boss")
    work.members.add("ann", name="Ann", manager_id=Id("boss"))
    for one in customers:
        work.repository(Customer).add(one)
