"""A change of records that were read before: with what goes with it sent along, it leaves the same as one that reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from salescrm import Crm, hookimpl
from salescrm.entities import ChangeEntry, Customer, OutboxEvent, OwnershipEntry, Record
from salescrm.errors import StaleWrite
from salescrm.events import CustomerEdited, Event
from salescrm.query import F
from salescrm.testing import Clock
from salescrm.unit import UnitOfWork
from salescrm.values import Id

FREE = F.owner_id.is_null()


class Listener:
    """Is told of every event."""

    def __init__(self) -> None:
        self.told: list[Id] = []

    @hookimpl
    def event_happened(self, event: Event) -> None:
        self.told.append(event.record_id)


def made(crm: Crm, count: int) -> list[Customer]:
    """Customers as they were read, whom nobody owns."""
    with crm.begin(by="li") as work:
        return [work.customers.create(name=f"客户{n}") for n in range(count)]


def take(work: UnitOfWork, known: Sequence[Customer], *, knowing: bool = True) -> list[Customer]:
    """All of *known* that nobody owns, in the hands of wu."""

    def follow(before: Customer, after: Customer) -> tuple[Event | Record, ...]:
        entry = OwnershipEntry(customer_id=before.id, kind="claimed", at=work.now(), to_id=after.owner_id)
        return entry, CustomerEdited(record_id=before.id, fields=("owner_id",))

    customers, values = work.unscoped(Customer), {"owner_id": "wu"}
    if knowing:
        return customers.change(FREE, values, known=known, follow=follow, skip_locked=False)
    ids = F.id.one_of([one.id for one in known])
    return customers.change(FREE & ids, values, follow=follow, skip_locked=False)


def left(crm: Crm) -> list[list[tuple[object, ...]]]:
    """Who owns whom, and what was written of that."""
    with crm.begin(by="li") as work:
        customers = work.unscoped(Customer).stream(order=[F.number])
        lines = work.unscoped(OwnershipEntry).stream(F.kind == "claimed", order=[F.customer_id])
        log = work.unscoped(ChangeEntry).stream(F.kind == "saved", order=[F.record_id])
        events = work.unscoped(OutboxEvent).stream(F.name == "CustomerEdited", order=[F.record_id])
        return [
            [(one.id, one.owner_id, one.version, one.updated_at) for one in customers],
            [(one.customer_id, one.to_id) for one in lines],
            [(one.record_id, one.record_version, one.changes) for one in log],
            [(one.record_id, one.data) for one in events],
        ]


@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_leaves_the_same_as_one_that_reads_them(crm: Crm, clock: Clock, count: int) -> None:
    """The records as they now are, with their lines, log entries and events; however many."""
    mine, theirs = made(crm, count), made(crm, count)
    clock.tick(minutes=5)
    with crm.begin(by="wu") as work:
        taken = take(work, mine)
        take(work, theirs, knowing=False)

    customers, *rows = left(crm)
    with crm.begin(by="wu") as work:
        now = work.unscoped(Customer).many([one.id for one in mine])
    assert sorted(now.values(), key=lambda one: one.id) == sorted(taken, key=lambda one: one.id)
    assert [("wu", 2)] * count * 2 == [row[1:3] for row in customers]
    for written in rows:
        half = {one.id for one in mine}
        assert [row[1:] for row in written if row[0] in half] == [
            row[1:] for row in written if row[0] not in half
        ]
        assert count * 2 == len(written)


@pytest.mark.parametrize("count", [2, 40])
def test_writes_only_of_those_that_nobody_was_faster_with(crm: Crm, count: int) -> None:
    """Of those that were there it writes as ever; of the other, nothing."""
    known = made(crm, count)
    with crm.begin(by="zhao") as work:
        work.unscoped(Customer).change_quietly(F.id == known[0].id, {"owner_id": "zhao"})

    with crm.begin(by="wu") as work:
        taken = take(work, known)

    assert {one.id for one in known[1:]} == {one.id for one in taken}
    customers, *rows = left(crm)
    assert ["zhao", *["wu"] * (count - 1)] == [row[1] for row in customers]
    assert [[one.id for one in known[1:]]] * 3 == [[row[0] for row in written] for written in rows]


def test_is_stale_where_one_has_changed_and_is_still_meant(crm: Crm) -> None:
    """And leaves nothing."""
    known = made(crm, 2)
    with crm.begin(by="zhao") as work:
        work.unscoped(Customer).change_quietly(F.id == known[1].id, {"level": "A"})
    if not crm.capabilities.transactions:
        pytest.skip("without transactions nothing can be taken back")
    before = left(crm)

    with pytest.raises(StaleWrite), crm.begin(by="wu") as work:
        take(work, known)

    assert before == left(crm)


def test_tells_plugins_once(connect: Callable[..., Crm]) -> None:
    """They are told of what was written, and of nothing else."""
    listener = Listener()
    crm = connect(plugins=[listener])
    known = made(crm, 2)
    listener.told.clear()

    with crm.begin(by="wu") as work:
        take(work, known)

    assert sorted(one.id for one in known) == sorted(listener.told)
