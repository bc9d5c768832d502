"""
Every story of `scenarios` told three ways that must agree: as decided beforehand, night by night, and made up for later.

One database per engine; each season is a pair of tenants, one that ticks every day and one that only ticks when
something is about to happen, and at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from salescrm import Crm, F, Work
from salescrm.calendars import WeekCalendar
from salescrm.entities import Notice, OutboxEvent, OwnershipEntry
from salescrm.rules.falling import FallDecision
from salescrm.testing import Clock
from salescrm.values import Id
from tests.work.scenarios import SEASONS, ZONES, Act, Scenario, Season

#: 16:30 in UTC: of the day that began half an hour ago in Shanghai, and at noon in New York.
_TICK = time(16, 30, tzinfo=ZoneInfo("UTC"))
_DAY = timedelta(days=1)


@attrs.frozen
class Happening:
    """Something that happens to one customer."""

    at: datetime
    scenario: Scenario
    act: Act | None  # None: it is born


@attrs.define
class Told:
    """A season that was told: what the ledger says of each customer, and what was foretold on each day."""

    crm: Crm
    ids: dict[str, Id]
    foretold: list[tuple[date, dict[str, FallDecision]]]
    fallen: list[tuple[date, frozenset[str]]]


def happenings(season: Season) -> list[Happening]:
    """All of them, in their order."""
    found = [Happening(at, one, act) for one in season.scenarios for at, act in ((one.born, None), *one.acts)]
    return sorted(found, key=lambda one: one.at)


def ticks(season: Season) -> Iterator[datetime]:
    """A moment a day."""
    for day in range((season.last - season.first).days + 1):
        yield datetime.combine(season.first + day * _DAY, _TICK)


def happen(work: Work, some: Iterable[Happening], ids: dict[str, Id]) -> dict[str, Id]:
    """Does them; the ids of those that were born."""
    born: dict[str, Id] = {}
    for one in some:
        scenario = one.scenario
        if one.act is not None:
            one.act(work, ids.get(scenario.name) or born[scenario.name])
            continue
        source = scenario.pool if scenario.pool in ZONES else None
        made = work.customers.create(
            name=scenario.name, owner_id="ann", **({"source": source} | scenario.fields)
        )
        born[scenario.name] = made.id
    return born


def staff(work: Work) -> None:
    work.members.add("boss", name="老板")
    work.members.add("ann", name="安", manager_id="boss")


def tell(crm: Crm, clock: Clock, season: Season, *, nightly: bool) -> Told:
    """The season from its first tick to its last; not *nightly*, ticks are missed wherever nothing happens."""
    told = Told(crm, {}, [], [])
    clock.set(next(ticks(season)) - _DAY)
    crm.run(staff, by="li")
    crm.tick()
    waiting = happenings(season)
    last = list(ticks(season))[-1]
    for moment in ticks(season):
        now = [one for one in waiting if one.at <= moment]
        waiting = waiting[len(now) :]
        for at in sorted({one.at for one in now}):
            clock.set(at)
            some = [one for one in now if one.at == at]
            told.ids |= crm.run(lambda work, some=some: happen(work, some, told.ids), by="ann")  # type: ignore[misc]  # bound now
        clock.set(moment)
        if nightly:
            foretell(told, moment)
        if nightly or moment == last or (waiting and waiting[0].at <= moment + _DAY):
            crm.tick()
    return told


def foretell(told: Told, moment: datetime) -> None:
    """What is decided about each customer just before the tick."""
    with told.crm.begin(by="ann") as work:
        owned = list(work.customers.stream(F.owner_id.is_set()))
        told.foretold.append((moment.date(), {one.name: work.pools.why(one) for one in owned}))
        soon = work.pools.outlook(days=0)
        told.fallen.append((moment.date(), frozenset(one.customer for one in soon)))


def lines(told: Told) -> dict[str, tuple[Any, ...]]:
    """By customer, how it fell: pool, moment, rules."""
    names = {id: name for name, id in told.ids.items()}
    with told.crm.begin(by="li") as work:
        found = list(work.repository(OwnershipEntry).stream(F.kind == "recycled"))
        assert len(found) == len({one.customer_id for one in found})
        assert all(one.rule == one.rules[0] for one in found)
        return {names[one.customer_id]: (one.pool, one.at, one.rules) for one in found}


def expected(season: Season) -> dict[str, tuple[Any, ...]]:
    """The same as the table says it."""
    found: dict[str, tuple[Any, ...]] = {}
    for one in season.scenarios:
        if one.falls is not None:
            pool = season.policy.pool(one.pool)
            begin = datetime.combine(one.falls, time(), season.policy.zone_of(pool))
            found[one.name] = (one.pool, begin, one.rules)
    return found


@pytest.fixture(params=list(SEASONS))
def season(request: pytest.FixtureRequest) -> Season:
    return SEASONS[request.param]


@pytest.mark.timeout(500)
def test_every_story_ends_on_its_day(connect: Callable[..., Crm], clock: Clock, season: Season) -> None:
    """Foretold, night by night and made up for: the same customers fall on the same days by the same rules."""
    by_night, made_up = (
        connect(policy=season.policy, calendars={"week": WeekCalendar()}, tenant=tenant)
        for tenant in ("nightly", "missed")
    )
    told = tell(by_night, clock, season, nightly=True)
    assert expected(season) == lines(told)
    assert_foretold(season, told)
    assert_as_it_is(told)
    later = tell(made_up, clock, season, nightly=False)
    assert expected(season) == lines(later)
    warned = sorted((one.name, day, days) for one in season.scenarios for day, days in one.warned)
    assert warned == warnings(told) == warnings(later)


def assert_foretold(season: Season, told: Told) -> None:
    """On the day, and not the day before, it is decided that it falls; and what is foretold at last comes true."""
    stories = {one.name: one for one in season.scenarios}
    for number, (_, decisions) in enumerate(told.foretold):
        after = told.foretold[number + 1][1] if number + 1 < len(told.foretold) else None
        for name, decision in decisions.items():
            story = stories[name]
            if after is not None:
                # It falls in this tick if and only if that is decided, and whom outlook() names for today.
                assert (decision.verdict == "falls") == (name not in after), name
            assert (decision.verdict == "falls") == (name in told.fallen[number][1]), name
            if decision.verdict == "falls":
                assert (story.falls, story.rules, story.others) == (
                    decision.falls_on, decision.fired, decision.others,
                ), name  # fmt: skip
                assert decision.pool is not None
                assert story.pool == decision.pool.key
    done = {one.name: max([one.born, *(at for at, _ in one.acts)]) for one in season.scenarios}
    for day, decisions in told.foretold:
        for name, decision in decisions.items():
            if done[name].date() + _DAY < day:  # nothing happens any more
                story = stories[name]
                assert (story.falls or story.foreseen) == decision.falls_on, name
                assert decision.explain("zh") != decision.explain("en")


def assert_as_it_is(told: Told) -> None:
    """Customer, ledger, events and notices agree."""
    fell = lines(told)
    with told.crm.begin(by="li") as work:
        owners = {
            one.name: (one.owner_id, one.pool_id, one.entered_pool_at) for one in work.customers.stream()
        }
        for name, (pool, at, _) in fell.items():
            assert (None, pool, at) == owners[name]
        assert {name for name, (owner, *_) in owners.items() if owner is None} == fell.keys()
        ids = sorted(told.ids[name] for name in fell)
        events = work.repository(OutboxEvent).stream(F.name == "CustomerRecycled")
        notices = work.repository(Notice).stream(F.kind == "recycled")
        assert ids == sorted(one.record_id for one in events) == sorted(one.record_id for one in notices)


def warnings(told: Told) -> list[tuple[str, date, int]]:
    """Of each warning the customer, its day and how long before the fall; and that the right people had each once."""
    names = {id: name for name, id in told.ids.items()}
    whom = {7: ["ann"], 3: ["boss"], 1: ["boss", "chief"]}
    with told.crm.begin(by="li") as work:
        events = list(work.repository(OutboxEvent).stream(F.name == "CustomerFallsSoon"))
        notices = list(work.repository(Notice).stream(F.kind == "falls-soon"))
    found: list[tuple[str, date, int]] = []
    for event in events:
        left, falls_on = event.data["days_left"], event.data["falls_on"]
        assert whom[left] == sorted(event.data["told"])
        reached = [
            one.member_id for one in notices
            if (one.record_id, one.data["days_left"], one.data["falls_on"]) == (event.record_id, left, falls_on)
        ]  # fmt: skip
        assert whom[left] == sorted(reached)
        found.append((names[Id(event.record_id)], date.fromisoformat(falls_on) - left * _DAY, left))
    assert len(notices) == sum(len(whom[left]) for *_, left in found)
    return sorted(found)


def test_the_table_reaches_every_boundary() -> None:
    """Each anchor, exemption, zone and kind of day is in it."""
    rules = [one for season in SEASONS.values() for pool in season.policy.pools for one in pool.rules]
    fired = {key for season in SEASONS.values() for one in season.scenarios for key in one.rules}
    assert {"no_follow_up", "no_progress", "no_opportunity", "no_deal", "contract_ended"} == {
        one.anchor for one in rules if one.key in fired
    }
    exempt = {key for one in rules for key in one.exempt or ()}
    assert {
        "protected",
        "open_opportunity",
        "has_dealt",
        "receivables",
        "shared",
        "transfer_pending",
    } == exempt
    assert {None, "week"} == {one.calendar for one in rules if one.key in fired}
    assert {*ZONES} == {one.pool for one in SEASONS["november"].scenarios}
    assert len({one.name for season in SEASONS.values() for one in season.scenarios}) > 100
