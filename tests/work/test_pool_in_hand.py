"""Claims of a customer that the caller has read: taken as it stands in their hands, if that is how it is stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from salescrm import Crm, Customer, F, HookRefused, NotFound, Opportunity, Refuse, Work, hookimpl
from salescrm.entities import ChangeEntry, OutboxEvent, OwnershipEntry
from salescrm.errors import ClaimRefused, StaleWrite
from salescrm.policy import ClaimLimits
from salescrm.testing import Clock
from salescrm.values import Id
from tests.work.pooling import create, ledger, look, policy, pool

Connect = Callable[..., Crm]


@pytest.fixture
def crm(connect: Connect) -> Crm:
    """A Crm with one pool."""
    return connect(policy=policy())


def told(crm: Crm, customer: Customer) -> list[tuple[Any, ...]]:
    """What its last claim has left behind: the record, its line in the ledger, its entry in the log, its event."""

    def look(work: Work) -> list[tuple[Any, ...]]:
        [entry] = work.repository(OwnershipEntry).find(F.customer_id == customer.id)
        [log] = work.repository(ChangeEntry).find((F.record_id == customer.id) & (F.kind == "saved"))
        [event] = work.repository(OutboxEvent).find(
            (F.record_id == customer.id) & (F.name == "CustomerClaimed")
        )
        left = attrs.evolve(work.customers.get(customer.id), id=Id("x"), number="x", name="x")
        facts = (entry.kind, entry.at, entry.from_id, entry.to_id, entry.pool, entry.policy_version)
        return [attrs.astuple(left), facts, (log.record_version, log.changes), (event.data, event.due_at)]

    return crm.run(look, by="witness")


@pytest.mark.parametrize(
    "limits",
    [ClaimLimits(), ClaimLimits(cap=5, daily=5, weekly=5, cool_down=9, arrival=1, reserved_members=("bo",))],
)
def test_a_customer_in_hand_is_claimed_as_one_by_its_id(
    connect: Connect, clock: Clock, limits: ClaimLimits
) -> None:
    """It need not be read again, and nothing else differs: not what is given back, nor what is left behind."""
    crm = connect(policy=policy(pool(claims=limits)))
    one, other = create(crm, "甲"), create(crm, "乙")
    clock.tick(days=3)

    [in_hand] = crm.run(lambda work: work.pools.claim([one]).customers, by="ann")
    [by_id] = crm.run(lambda work: work.pools.claim([other.id]).customers, by="ann")

    assert (in_hand, by_id) == (look(crm, one), look(crm, other))
    assert told(crm, one) == told(crm, other)


def test_a_customer_in_hand_may_have_changed(crm: Crm) -> None:
    """Edited since it was read, it is taken as it now is; taken by somebody else, it is gone."""
    edited, taken = create(crm, "甲"), create(crm, "乙")
    crm.run(lambda work: work.customers.edit(edited, level="A"), by="li")
    crm.run(lambda work: work.pools.claim([taken]), by="bo")

    with crm.begin(by="ann") as work:
        assert ["A"] == [one.level for one in work.pools.claim([edited]).customers]
        with pytest.raises(ClaimRefused) as refused:
            work.pools.claim([taken])
    assert ["already-owned"] == [one.verdict for one in refused.value.decisions]
    assert (("A", "ann"), "bo") == (
        (look(crm, edited).level, look(crm, edited).owner_id),
        look(crm, taken).owner_id,
    )


def test_nobody_gains_by_making_a_customer_up(connect: Connect, clock: Clock) -> None:
    """Of another pool, longer there, without a value that counts for the cap: what is stored decides."""
    vip = pool("vip", everyone=False, members=("bo",), where=F.level == "A")
    late = pool("late", where=F.level == "B", claims=ClaimLimits(arrival=5, reserved_members=("bo",)))
    capped = pool("capped", where=F.level == "C", claims=ClaimLimits(cap=1, counted=F.level == "C"))
    crm = connect(policy=policy(vip, late, capped))
    a, b, c, d = (create(crm, name, level=level) for name, level in zip("甲乙丙丁", "ABCC", strict=True))
    crm.run(lambda work: work.pools.claim([c]), by="ann")
    made_up = [
        (attrs.evolve(a, pool_id=Id("capped")), None, "not-a-member"),
        (attrs.evolve(a, pool_id=Id("late"), entered_pool_at=None), "late", "not-in-pool"),
        (attrs.evolve(b, entered_pool_at=None), None, "arrival"),
        (attrs.evolve(b, entered_pool_at=clock() - timedelta(days=9)), "late", "arrival"),
        (attrs.evolve(d, level="D"), None, "cap"),
        (attrs.evolve(c, owner_id=None, pool_id=Id("late"), version=c.version + 1), None, "already-owned"),
    ]
    for record, at, verdict in made_up:
        # As it is stored it is refused; as it was made up it is not what is stored.
        with pytest.raises((ClaimRefused, StaleWrite)) as refused, crm.begin(by="ann") as work:
            work.pools.claim([record], pool=at)
        if isinstance(refused.value, ClaimRefused):
            assert [verdict] == [one.verdict for one in refused.value.decisions], record
    assert [(a,), (b,), (d,)] == [(look(crm, one),) for one in (a, b, d)]
    assert [[], []] == [list(ledger(crm, one)) for one in (a, b)]


@pytest.mark.parametrize(
    "made_up", [{"quiet_since": True}, {"protected_until": True}, {"open_opportunities": 3}]
)
def test_the_log_tells_nothing_that_was_made_up(crm: Crm, clock: Clock, made_up: dict[str, Any]) -> None:
    """What a claim changes and logs, or takes along, is what was stored."""
    acme = create(crm)
    values: dict[str, Any] = {name: clock() if value is True else value for name, value in made_up.items()}

    with pytest.raises(StaleWrite), crm.begin(by="ann") as work:
        work.pools.claim([attrs.evolve(acme, **values)])

    assert (acme, ()) == (look(crm, acme), ledger(crm, acme))


@pytest.mark.parametrize("id", ["nobody", "", "\0", "a\0b", "\ud800", "x" * 1_000_000])
def test_a_made_up_customer_is_not_there(crm: Crm, id: str) -> None:
    """Whatever its id, on every engine."""
    acme = create(crm)
    with pytest.raises(NotFound), crm.begin(by="ann") as work:
        work.pools.claim([attrs.evolve(acme, id=Id(id))])
    assert acme == look(crm, acme)


class KeepsA:
    """Lets nobody have a customer of level A."""

    @hookimpl
    def saving_record(self, before: Any) -> None:
        if before.level == "A":
            raise Refuse("kept")


def test_a_plugin_is_asked_about_what_is_stored(connect: Connect) -> None:
    """And not about what the caller has made of it."""
    crm = connect(policy=policy(), plugins=[KeepsA()])
    acme = create(crm, level="A")
    with pytest.raises(HookRefused), crm.begin(by="ann") as work:
        work.pools.claim([attrs.evolve(acme, level="B")])
    assert acme == look(crm, acme)


def test_the_deals_of_a_customer_that_somebody_else_has_stay_theirs(crm: Crm) -> None:
    """A claim that comes too late for one customer takes none of its deals, whatever else it takes."""
    mine, late = create(crm, "甲"), create(crm, "乙")

    def deal(work: Work) -> Opportunity:
        return work.opportunities.create(name="x", customer_id=late.id, owner_id=None)

    open_deal = crm.run(deal, by="li")
    late = look(crm, late)
    crm.run(lambda work: work.pools.claim([late.id]), by="bo")

    taken = crm.run(lambda work: work.pools.claim([mine.id, late.id], partial=True), by="ann")

    assert [mine.id] == [one.id for one in taken.customers]
    assert "bo" == crm.run(lambda work: work.opportunities.get(open_deal.id).owner_id, by="li")
