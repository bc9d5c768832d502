"""Assignment through the service, against a model: whoever is there, the shares are exact and no limit is passed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import salescrm
from salescrm import Crm, Policy, Work
from salescrm.entities import FairShares, Leave
from salescrm.labels import Label
from salescrm.policy import AssignmentRule, Strategy
from salescrm.rules.assigning import Lane, Shares, week_capacity
from salescrm.testing import Clock
from salescrm.values import Id

#: A Monday, at ten in Shanghai.
START = datetime(2026, 3, 2, 2, tzinfo=UTC)
DAY = timedelta(days=1)
ALMOST = Fraction(1, 10**6)


@attrs.frozen
class One:
    """A member: what is theirs in proportion, what they may get a week, when they are away, by day from the start."""

    weight: int
    weekly: int | None
    leave: tuple[tuple[int, int], ...]

    @property
    def away(self) -> list[Leave]:
        return [
            Leave(first=START.date() + first * DAY, last=START.date() + (first + days) * DAY)
            for first, days in self.leave
        ]


@attrs.define
class Model:
    """What should come of it, item by item."""

    team: Sequence[One]
    cap: int | None
    got: list[int]
    part: list[Fraction]
    week: Counter[tuple[int, date]] = attrs.field(factory=Counter)
    throughout: set[int] = attrs.field(factory=set)
    worst: list[Fraction] = attrs.field(factory=list)

    def there(self, day: date) -> list[int]:
        """Who may get something."""
        monday = day - day.weekday() * DAY
        return [
            place
            for place, one in enumerate(self.team)
            if not any(leave.covers(day) for leave in one.away)
            and (self.cap is None or self.got[place] < self.cap)
            and (
                one.weekly is None or self.week[place, monday] < week_capacity(one.weekly, day, away=one.away)
            )
        ]

    def give(self, owner: str | None, day: date) -> None:
        """One item, to *owner*; nobody gets it exactly when nobody may."""
        there = self.there(day)
        self.throughout &= set(there)
        if not there:
            assert owner is None
            return
        assert owner in {f"m{place}" for place in there}
        total = sum(self.team[place].weight for place in there)
        for place in there:
            self.part[place] += Fraction(self.team[place].weight, total)
        place = int(str(owner)[1:])
        self.got[place] += 1
        self.week[place, day - day.weekday() * DAY] += 1
        for place in self.throughout:
            self.worst[place] = max(self.worst[place], abs(self.part[place] - self.got[place]))

    def holds(self, lane: Lane) -> None:
        """What is kept says the same, and nobody who is there is an item off."""
        assert [lane.got(f"m{place}") for place in range(len(self.team))] == self.got
        for place, part in enumerate(self.part):
            member = f"m{place}"
            assert abs(lane.balance(member)) < 1
            assert abs(lane.share(member) - lane.settled(member) - part) < ALMOST
        if not any(one.settled for one in lane.accounts.values()):
            assert all(self.worst[place] < 1 for place in self.throughout)


def replay(
    crm: Crm, clock: Clock, team: Sequence[One], cap: int | None, days: Sequence[tuple[int, bool]]
) -> None:
    """Gives so many customers on each day, one by one as they are created, or all together by a manager."""

    def staff(work: Work) -> None:
        for place, one in enumerate(team):
            work.members.add(f"m{place}", name=f"M{place}", weekly_capacity=one.weekly, leave=one.away)

    many = len(team)
    model = Model(
        team, cap, [0] * many, [Fraction(0)] * many, throughout=set(range(many)), worst=[Fraction(0)] * many
    )
    crm.run(staff, by="li")
    for number, (items, together) in enumerate(days):
        now = clock.set(START + number * DAY)
        today = now.date()
        if together:
            ids = [crm.run(wait, by="li") for _ in range(items)]
            with crm.begin(by="boss") as work:
                plan = work.assignments.dispatch(ids, rule="all", partial=True).plan
            for one in plan.assignments:
                model.give(one.member_id, today)
        for _ in range(0 if together else items):
            model.give(crm.run(create, by="li"), today)
        with crm.begin(by="li") as work:
            kept = work.repository(FairShares).peek(Id("all"))
        if kept is not None:
            model.holds(Shares.load(kept.data).lane())


def wait(work: Work) -> Id:
    """A customer that no rule gives away by itself."""
    return work.customers.create(name="wait").id


def create(work: Work) -> str | None:
    """Who owns a customer that the rule is for."""
    return work.customers.create(name="web", source="web").owner_id


def policy(team: Sequence[One], cap: int | None) -> Policy:
    rule = AssignmentRule(
        key="all",
        label=Label("All", "全部"),
        where=salescrm.F.source == "web",
        strategy=Strategy(("capacity",)),
        members=tuple(f"m{place}" for place in range(len(team))),
        weights={f"m{place}": one.weight for place, one in enumerate(team)},
        cap=cap,
        on_create=True,
        seed=3,
    )
    return Policy(assignments=[rule])


LEAVE = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5)), max_size=2).map(tuple)
TEAM = st.lists(
    st.builds(One, st.integers(1, 12) | st.integers(1, 1000), st.none() | st.integers(0, 12), LEAVE),
    min_size=1,
    max_size=6,
)
DAYS = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=14)


def test_through_the_service_nobody_is_an_item_off(examples: Callable[[int], settings]) -> None:
    """Random weights, leave, weekly capacities and caps; one by one and many at once, over two weeks."""

    @examples(40)
    @given(TEAM, st.none() | st.integers(1, 12), DAYS)
    def holds(team: list[One], cap: int | None, days: list[tuple[int, bool]]) -> None:
        clock = Clock(START)
        with salescrm.connect("memory://", policy=policy(team, cap), clock=clock) as crm:
            replay(crm, clock, team, cap, days)

    holds()


@pytest.mark.parametrize("seed", range(2))
def test_on_every_engine_nobody_is_an_item_off(engine_url: str, seed: int) -> None:
    """A smaller history, the same on each of them."""
    dice = random.Random(seed)
    team = [
        One(dice.randint(1, 9), dice.choice([None, 3, 6]), ((dice.randint(0, 5), dice.randint(0, 2)),))
        for _ in range(4)
    ]
    days = [(dice.randint(0, 4), dice.random() < 0.5) for _ in range(8)]
    clock = Clock(START)
    with salescrm.connect(engine_url, policy=policy(team, 7), clock=clock) as crm:
        crm.migrate()
        replay(crm, clock, team, 7, days)
