"""Nights that were missed, moved and disputed: each is run once, in order, under the version that held when it began."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from salescrm import Crm, Customer, F, Work, hookimpl
from salescrm.entities import Notice
from salescrm.labels import Label
from salescrm.policy import PoolWarning, WorkCalendar
from salescrm.query import ago
from salescrm.testing import Clock
from salescrm.values import Id
from tests.work.pooling import create, ledger, look, policy, pool, rule, shanghai

Connect = Callable[..., Crm]
NEW_YORK = ZoneInfo("America/New_York")


def test_a_night_begins_where_the_version_of_that_day_says(connect: Connect, clock: Clock) -> None:
    """A company that moves from Shanghai to New York makes up its Shanghai nights in Shanghai."""
    moved = datetime(2026, 4, 20, tzinfo=NEW_YORK)
    crm = connect(policy=[policy(), policy(version=2, effective_from=moved, time_zone="America/New_York")])
    old, new = create(crm, "甲", owner="ann"), create(crm, "乙", owner="ann")
    crm.tick()
    clock.set(shanghai(3, 25, 10))
    crm.run(lambda work: work.follow_ups.record(result="好", customer_id=new.id), by="ann")
    clock.set(datetime(2026, 4, 28, 12, tzinfo=NEW_YORK))
    assert 2 == crm.tick().recycled
    # 24 March 22:00 in New York: the last safe day there is 23 April.
    assert [(shanghai(4, 15), 1), (datetime(2026, 4, 24, tzinfo=NEW_YORK), 2)] == [
        (one.at, one.policy_version) for customer in (old, new) for one in ledger(crm, customer)
    ]


def test_missed_nights_of_several_pools_are_run_in_the_order_of_the_nights(
    connect: Connect, clock: Clock
) -> None:
    """A customer that a later version gives to another pool has fallen into the first one before that."""
    first = policy(pool("all"))
    second = policy(
        pool("all"), pool("vip", priority=5), version=2, effective_from=shanghai(4, 20)
    )  # takes everybody
    crm = connect(policy=[first, second])
    acme = create(crm, owner="ann")
    crm.tick()
    clock.set(shanghai(4, 25))
    assert 1 == crm.tick().recycled
    assert ("all", shanghai(4, 15)) == (look(crm, acme).pool_id, look(crm, acme).entered_pool_at)


def test_the_nights_of_a_pool_that_is_new_count_from_when_it_was(connect: Connect, clock: Clock) -> None:
    """Those that passed since the last tick are made up for, and none from before it was there."""
    first = policy(pool("all", where=F.level == "A"))
    second = policy(*first.pools, pool("rest"), version=2, effective_from=shanghai(4, 10))
    crm = connect(policy=[first, second])
    early = create(crm, "甲", owner="ann")  # would have fallen on 15 April
    crm.tick()
    clock.set(shanghai(4, 25))
    assert 1 == crm.tick().recycled
    assert shanghai(4, 15) == look(crm, early).entered_pool_at


def test_a_pool_that_was_gone_for_a_while_loses_no_night_and_runs_none_meanwhile(
    connect: Connect, clock: Clock
) -> None:
    there = pool("north")
    gone = attrs.evolve(there, enabled=False)
    other = pool("other", where=F.level == "A")
    crm = connect(
        policy=[
            policy(there, other),
            policy(gone, other, version=2, effective_from=shanghai(4, 10)),
            policy(there, other, version=3, effective_from=shanghai(4, 20)),
        ]
    )
    acme = create(crm, owner="ann")
    crm.tick()
    clock.set(shanghai(4, 18))
    assert 0 == crm.tick().recycled
    clock.set(shanghai(4, 22))
    crm.tick()
    assert [(shanghai(4, 20), 3)] == [(one.at, one.policy_version) for one in ledger(crm, acme)]


def test_nobody_is_warned_of_what_began_after_the_night(connect: Connect, clock: Clock) -> None:
    """Three working days can be a week; a night made up for says what it would have said, of those that there were then."""
    week = WorkCalendar(key="week", label=Label("week", "周"))
    early = rule(limit=3, calendar="week", warnings=[PoolWarning(days=7), PoolWarning(days=1)])
    found: list[list[tuple[str, int]]] = []
    start = clock()
    for nightly in (True, False):
        clock.set(start)
        crm = connect(policy=policy(pool(rules=[early]), calendars=[week]), tenant=f"t{nightly:d}")
        crm.tick()
        for day in range(12):
            clock.set(start + timedelta(days=day))
            if nightly:
                crm.tick()
            if day == 5:
                create(crm, owner="ann")
        crm.tick()
        with crm.begin(by="li") as work:
            notices = work.repository(Notice).find(order=[F.id])
            found.append(sorted((one.kind, one.data.get("days_left", 0)) for one in notices))
    assert [[("falls-soon", 1), ("recycled", 0)]] * 2 == found


def test_a_customer_that_somebody_holds_just_then_is_waited_for(connect: Connect, clock: Clock) -> None:
    """The night is not over before it has fallen."""
    crm = connect(policy=policy())
    acme, other = create(crm, "甲", owner="ann"), create(crm, "乙", owner="ann")
    clock.tick(days=31)
    ran: list[int] = []
    ticking = threading.Thread(target=lambda: ran.append(crm.tick().recycled))
    with crm.begin(by="ann") as work:
        work.customers.edit(acme.id, notes="正在改")
        ticking.start()
        ticking.join(1.5)  # it waits for us
    ticking.join()
    assert ([2], None, None) == (ran, look(crm, acme).owner_id, look(crm, other).owner_id)


def test_a_follow_up_just_in_time_keeps_the_customer_that_the_run_waits_for(
    connect: Connect, clock: Clock
) -> None:
    """Whoever holds it may have made of it what does not fall."""
    crm = connect(policy=policy())
    acme = create(crm, owner="ann")
    clock.tick(days=31)
    ticking = threading.Thread(target=crm.tick)
    with crm.begin(by="ann") as work:
        work.follow_ups.record(result="谈好了", customer_id=acme.id)
        ticking.start()
        ticking.join(1.0)
    ticking.join()
    assert ("ann", ()) == (look(crm, acme).owner_id, ledger(crm, acme))


def test_only_deals_of_those_who_fall_lose_their_owner(connect: Connect, clock: Clock) -> None:
    """Whoever works on a customer in the pool keeps the deal when another customer falls."""
    crm = connect(policy=policy(pool(opportunities="follow")))
    falling, waiting = create(crm, "甲", owner="ann"), create(crm, "乙")

    def deal(work: Work, customer: Customer) -> Any:
        return work.opportunities.create(name="deal", customer_id=customer.id)

    hers, his = crm.run(deal, falling, by="ann"), crm.run(deal, waiting, by="bo")
    clock.tick(days=31)
    assert 1 == crm.tick().recycled
    with crm.begin(by="li") as work:
        assert (None, "bo") == tuple(work.opportunities.get(one.id).owner_id for one in (hers, his))


def test_why_and_outlook_know_of_the_version_to_come(connect: Connect, clock: Clock) -> None:
    """What a later version will do is said today, and the run then does it."""
    short = pool(rules=[rule("short", limit=10)])
    crm = connect(policy=[policy(), policy(short, version=2, effective_from=shanghai(3, 30, 12))])
    acme = create(crm, owner="ann")
    crm.tick()
    with crm.begin(by="ann") as work:
        decision = work.pools.why(acme.id)
        assert ("will-fall", "short", date(2026, 3, 31), 2) == (
            decision.verdict, decision.rule, decision.falls_on, decision.policy_version,
        )  # fmt: skip
        assert [date(2026, 3, 31)] == [one.falls_on for one in work.pools.outlook(days=20)]
        assert () == work.pools.outlook(days=15)
    # The run of the day on which it changes is still the old version's.
    clock.set(shanghai(3, 30, 15))
    with crm.begin(by="ann") as work:
        assert ("will-fall", date(2026, 3, 31)) == (
            work.pools.why(acme.id).verdict, work.pools.why(acme.id).falls_on,
        )  # fmt: skip
    assert 0 == crm.tick().recycled
    clock.set(shanghai(3, 31, 1))
    with crm.begin(by="ann") as work:
        assert "falls" == work.pools.why(acme.id).verdict
    assert 1 == crm.tick().recycled


def test_a_version_that_lets_nobody_fall_any_more_is_seen_coming(connect: Connect, clock: Clock) -> None:
    never = pool(rules=[rule(limit="never")])
    crm = connect(policy=[policy(), policy(never, version=2, effective_from=shanghai(4, 15))])
    acme = create(crm, owner="ann")
    crm.tick()
    with crm.begin(by="ann") as work:
        assert ("stays", None) == (work.pools.why(acme.id).verdict, work.pools.why(acme.id).falls_on)
        assert () == work.pools.outlook(days=60)
    clock.tick(days=60)
    assert 0 == crm.tick().recycled


def test_questions_that_count_from_now_are_asked_as_of_the_night(connect: Connect, clock: Clock) -> None:
    """``why`` at noon says what the run of that day says, which begins at midnight, in the pool's time zone."""
    old = rule("old", anchor="no_deal", limit=5, where=F.created_at < ago(days=30))
    crm = connect(policy=policy(pool(rules=[old], time_zone="America/New_York")))
    acme = create(crm, owner="ann")  # 14 March, 22:00 in New York
    for hours in (0, 12, 23):
        clock.set(datetime(2026, 4, 13, hours, tzinfo=NEW_YORK))
        with crm.begin(by="ann") as work:
            said = work.pools.why(acme.id).verdict, len(work.pools.outlook(days=0))
        assert (("stays", 0), 0) == (said, crm.tick().recycled)
    clock.set(datetime(2026, 4, 14, 1, tzinfo=NEW_YORK))
    with crm.begin(by="ann") as work:
        assert ("falls", 1) == (work.pools.why(acme.id).verdict, len(work.pools.outlook(days=0)))
    assert 1 == crm.tick().recycled


def test_an_owner_that_a_plugin_gives_owns_like_any_other(connect: Connect, clock: Clock) -> None:
    """In no pool, with a day to count from; and one that it takes away waits in the pool."""

    class Dispatch:
        @hookimpl
        def adding_record(self, record: Any) -> Any:
            if not isinstance(record, Customer):
                return None
            return attrs.evolve(record, owner_id=None if record.owner_id else Id("wang"))

    crm = connect(policy=policy(), plugins=[Dispatch()])
    given, taken = create(crm, "甲"), create(crm, "乙", owner="ann")
    with crm.begin(by="li") as work:
        work.customers.create_many([Customer(name="丙")])
        [many] = work.customers.find(F.name == "丙")
    assert [("wang", None, clock()), (None, "north", None), ("wang", None, clock())] == [
        (one.owner_id, one.pool_id, one.owned_since) for one in (given, taken, many)
    ]
    clock.tick(days=31)
    assert 2 == crm.tick().recycled


def test_the_first_tick_of_all_runs_the_night_that_has_begun(connect: Connect, clock: Clock) -> None:
    """Nobody is told afterwards what would have been if one had begun a year ago."""
    crm = connect(policy=policy())
    acme = create(crm, owner="ann")
    clock.set(datetime(2026, 6, 1, 12, tzinfo=UTC))
    assert 1 == crm.tick().nights
    assert shanghai(6, 1) == look(crm, acme).entered_pool_at
