"""Claims by the calendar, on every engine: limits at midnight and on Monday, waits counted from the ledger, and who is bound."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from zoneinfo import ZoneInfo

import attrs
import pytest

from salescrm import Crm, F, InvalidValue, Work
from salescrm.errors import ClaimRefused, ProtectionRefused, Refused
from salescrm.policy import ClaimLimits, Pool, Protection
from salescrm.testing import Clock
from salescrm.values import Id
from tests.work.pooling import policy, pool

NEW_YORK = ZoneInfo("America/New_York")


def at(month: int, day: int, hour: int, minute: int = 0) -> datetime:
    """That moment of 2026 in New York; the policy is Shanghai's."""
    return datetime(2026, month, day, hour, minute, tzinfo=NEW_YORK)


@attrs.frozen
class Step:
    """At a moment somebody does something about a customer, and this comes of it: ``ok``, or why not."""

    at: datetime
    by: str
    what: str
    customer: str
    comes: str = "ok"


def _limits(key: str, **given: object) -> Pool:
    return pool(
        key, where=F.source == key, time_zone="America/New_York", admins=("boss",), rules=[],
        claims=ClaimLimits(**given), protection=Protection(cap=2, days=30),  # type: ignore[arg-type]  # what a test gives
    )  # fmt: skip


POOLS = (
    _limits("daily", daily=2),
    _limits("weekly", weekly=2),
    _limits("cap", cap=2, counted=F.first_deal_at.is_null()),
    _limits("cool", cool_down=5),
    _limits("team", cool_down=5, cool_down_team=True),
    _limits("new", arrival=3, reserved_members=("vip",), reserved_teams=("north",)),
    attrs.evolve(_limits("teams"), everyone=False, members=("guest",), teams=("north",)),
)  # fmt: skip

#: Customers are called by their pool and a number. 8 March 2026 is a Sunday, on which New York loses an hour.
STEPS = (
    # Two a day, whatever was given back; the day ends at midnight in the pool's zone.
    Step(at(3, 7, 9), "ann", "claim", "daily 1"),
    Step(at(3, 7, 10), "ann", "release", "daily 1"),
    Step(at(3, 7, 11), "ann", "claim", "daily 1"),
    Step(at(3, 7, 23, 59), "ann", "claim", "daily 2", "daily-limit"),
    Step(at(3, 7, 23, 59), "bo", "claim", "daily 2"),
    Step(at(3, 7, 23, 59), "ann", "assigned", "daily 3"),
    Step(at(3, 8, 0), "ann", "claim", "daily 4"),
    Step(at(3, 8, 23, 59), "ann", "claim", "daily 5"),
    Step(at(3, 8, 23, 59), "ann", "claim", "daily 6", "daily-limit"),
    Step(at(3, 9, 0), "ann", "claim", "daily 6"),
    # Two a week, from Monday.
    Step(at(3, 2, 0), "ann", "claim", "weekly 1"),
    Step(at(3, 8, 9), "ann", "claim", "weekly 2"),
    Step(at(3, 8, 23, 59), "ann", "claim", "weekly 3", "weekly-limit"),
    Step(at(3, 8, 23, 59), "ann", "assigned", "weekly 4"),
    Step(at(3, 9, 0), "ann", "claim", "weekly 3"),
    Step(at(3, 15, 23, 59), "ann", "claim", "weekly 5"),
    Step(at(3, 15, 23, 59), "ann", "claim", "weekly 6", "weekly-limit"),
    # A cap of two, for which those that have dealt don't count; it binds an admin too.
    Step(at(3, 2, 9), "cap", "claim", "cap 1"),
    Step(at(3, 2, 9), "cap", "claim", "cap 2"),
    Step(at(3, 2, 9), "cap", "claim", "cap 3", "cap"),
    Step(at(3, 2, 9), "cap", "assigned", "cap 3", "cap"),
    Step(at(3, 2, 10), "cap", "win", "cap 1"),
    Step(at(3, 2, 11), "cap", "claim", "cap 3"),
    Step(at(3, 2, 11), "cap", "claim", "cap 4", "cap"),
    # Five days since this member owned it, whoever owned it in between; however they lost it.
    Step(at(3, 4, 9), "ann", "claim", "cool 1"),
    Step(at(3, 5, 23, 59), "ann", "release", "cool 1"),
    Step(at(3, 6, 9), "bo", "claim", "cool 1"),
    Step(at(3, 7, 9), "bo", "release", "cool 1"),
    Step(at(3, 9, 23, 59), "ann", "claim", "cool 1", "cool-down"),
    Step(at(3, 9, 23, 59), "ann", "assigned", "cool 1"),
    Step(at(3, 9, 23, 59), "ann", "release", "cool 1"),
    Step(at(3, 10, 9), "ann", "claim", "cool 1", "cool-down"),
    Step(at(3, 11, 23, 59), "bo", "claim", "cool 1", "cool-down"),
    Step(at(3, 12, 0), "bo", "claim", "cool 1"),
    Step(at(3, 4, 9), "ann", "claim", "cool 2"),
    Step(at(3, 5, 9), "boss", "give to cai", "cool 2"),
    Step(at(3, 6, 9), "cai", "release", "cool 2"),
    Step(at(3, 9, 23, 59), "ann", "claim", "cool 2", "cool-down"),
    Step(at(3, 10, 0), "ann", "claim", "cool 2"),
    # The whole of her team waits, others don't.
    Step(at(3, 4, 9), "ann", "claim", "team 1"),
    Step(at(3, 5, 9), "ann", "release", "team 1"),
    Step(at(3, 9, 23, 59), "dan", "claim", "team 1", "cool-down"),
    Step(at(3, 9, 23, 59), "ann", "claim", "team 1", "cool-down"),
    Step(at(3, 9, 23, 59), "bo", "claim", "team 1"),
    Step(at(3, 10, 0), "bo", "release", "team 1"),
    Step(at(3, 10, 0), "dan", "claim", "team 1"),
    # Three days for some; an edit does not begin them anew, a release does.
    Step(at(3, 2, 9), "bo", "claim", "new 1", "arrival"),
    Step(at(3, 3, 9), "li", "edit", "new 1"),
    Step(at(3, 3, 23, 59), "bo", "claim", "new 1", "arrival"),
    Step(at(3, 4, 0), "bo", "claim", "new 1"),
    Step(at(3, 5, 9), "bo", "release", "new 1"),
    Step(at(3, 7, 23, 59), "cai", "claim", "new 1", "arrival"),
    Step(at(3, 7, 23, 59), "cai", "assigned", "new 1"),
    Step(at(3, 2, 9), "vip", "claim", "new 2"),
    Step(at(3, 2, 9), "ann", "claim", "new 3"),
    # Who belongs, and who works here.
    Step(at(3, 2, 9), "bo", "claim", "teams 1", "not-a-member"),
    Step(at(3, 2, 9), "bo", "assigned", "teams 1", "not-a-member"),
    Step(at(3, 2, 9), "guest", "claim", "teams 1"),
    Step(at(3, 2, 9), "ann", "claim", "teams 2"),
    Step(at(3, 2, 9), "dan", "claim", "teams 3"),
    Step(at(3, 2, 9), "gone", "claim", "teams 4", "inactive"),
    Step(at(3, 2, 9), "gone", "assigned", "teams 4", "inactive"),
    # Two protected at a time, thirty days at most, counted anew when they end.
    Step(at(3, 2, 9), "eva", "claim", "daily 7"),
    Step(at(3, 2, 9), "eva", "claim", "daily 8"),
    Step(at(3, 3, 9), "eva", "claim", "daily 9"),
    Step(at(3, 3, 9), "eva", "protect to 2026-04-02", "daily 7"),
    Step(at(3, 3, 9), "eva", "protect to 2026-04-03", "daily 8", "invalid"),
    Step(at(3, 3, 9), "eva", "protect to 2026-03-02", "daily 8", "invalid"),
    Step(at(3, 3, 9), "eva", "protect to 2026-03-10", "daily 8"),
    Step(at(3, 3, 9), "eva", "protect to 2026-03-20", "daily 7"),
    Step(at(3, 10, 23, 59), "eva", "protect to 2026-03-20", "daily 9", "protection-cap"),
    Step(at(3, 11, 0), "eva", "protect to 2026-03-20", "daily 9"),
    Step(at(3, 11, 9), "eva", "protect to 2026-03-20", "daily 8", "protection-cap"),
    Step(at(3, 11, 9), "eva", "unprotect", "daily 9"),
    Step(at(3, 11, 9), "eva", "protect to 2026-03-20", "daily 8"),
)  # fmt: skip


def do(work: Work, step: Step, customer: Id) -> None:
    match step.what.split():
        case ["claim"]:
            work.pools.claim([customer])
        case ["assigned"]:
            work.pools.assign([customer], to=step.by)
        case ["release"]:
            work.pools.release(customer, reason="没空")
        case ["give", "to", other]:
            work.customers.edit(customer, owner_id=other)
        case ["edit"]:
            work.customers.edit(customer, notes="改过", tags=["x"])
        case ["protect", "to", until]:
            work.pools.protect(customer, until=date.fromisoformat(until))
        case ["unprotect"]:
            work.pools.unprotect(customer)
        case _:
            made = work.opportunities.create(name="won", customer_id=customer, pipeline="intent")
            for stage in work.policy.pipeline("intent").path[1:]:
                made = work.opportunities.move(made, stage.key)


def prepare(work: Work) -> dict[str, Id]:
    """Teams, members and customers; ids by name."""
    north = work.teams.add("north", name="北方")
    below = work.teams.add("below", name="北方一组", parent_id=north.id)
    work.members.add("ann", name="安", team_id=north.id)
    work.members.add("dan", name="丹", team_id=north.id)
    work.members.add("gone", name="走", team_id=below.id, active=False)
    work.members.add("bo", name="波")
    names = sorted({one.customer for one in STEPS})
    made = [work.customers.create(name=name, source=name.split()[0]) for name in names]
    assert [name.split()[0] for name in names] == [one.pool_id for one in made]
    return {one.name: one.id for one in made}


def test_each_claim_comes_out_as_the_rules_say(connect: Callable[..., Crm], clock: Clock) -> None:
    """Step by step, in the order of time; who is refused has lost nothing by it."""
    clock.set(at(3, 1, 12))
    crm = connect(policy=policy(*POOLS))
    ids = crm.run(prepare, by="li")
    came: list[Step] = []
    for step in sorted(STEPS, key=lambda one: one.at):
        clock.set(step.at)
        by = "boss" if step.what == "assigned" else step.by
        try:
            crm.run(do, step, ids[step.customer], by=by)
        except (ClaimRefused, ProtectionRefused) as refusal:
            came.append(attrs.evolve(step, comes=refusal.code))
        except InvalidValue:
            came.append(attrs.evolve(step, comes="invalid"))
        else:
            came.append(attrs.evolve(step, comes="ok"))
    assert [str(one) for one in sorted(STEPS, key=lambda one: one.at)] == [str(one) for one in came]
    # The ledger has a line for each change of owner, and none for what was refused.
    changes = [one for one in STEPS if one.comes == "ok" and one.what.split()[0] in _MOVING]
    with crm.begin(by="li") as work:
        assert len(changes) == sum(len(work.pools.ledger(id)) for id in ids.values())


_MOVING = ("claim", "assigned", "release", "give")


@pytest.mark.parametrize("days", [0, 1])
def test_a_fall_counts_for_the_cool_down_from_the_day_it_took_effect(
    connect: Callable[..., Crm], clock: Clock, days: int
) -> None:
    """Whenever the run that found it took place."""
    falling = pool(claims=ClaimLimits(cool_down=5))
    crm = connect(policy=policy(falling))
    with crm.begin(by="ann") as work:
        acme = work.customers.create(name="云帆科技", owner_id="ann")  # falls on 15 April
    clock.set(datetime(2026, 4, 10, 12, tzinfo=ZoneInfo("Asia/Shanghai")))
    crm.tick()
    clock.set(datetime(2026, 4, 19, 12, tzinfo=ZoneInfo("Asia/Shanghai")))
    crm.tick()
    clock.tick(days=days)
    if days:
        crm.run(lambda work: work.pools.claim([acme.id]).customers, by="ann")
        return
    with pytest.raises(Refused) as refusal:
        crm.run(lambda work: work.pools.claim([acme.id]).customers, by="ann")
    assert "cool-down" == refusal.value.code


def test_limits_are_counted_within_one_claim_too(connect: Callable[..., Crm]) -> None:
    """Of six wanted, partly, those are had that all limits leave room for."""
    limits = ClaimLimits(cap=4, daily=3)
    crm = connect(policy=policy(pool(claims=limits)))
    with crm.begin(by="li") as work:
        ids = [work.customers.create(name=name).id for name in "甲乙丙丁戊己"]
    with crm.begin(by="ann") as work:
        taken = work.pools.claim(ids, partial=True)
        assert (3, ["daily-limit"] * 3) == (len(taken.customers), [one.verdict for one in taken.refused])
