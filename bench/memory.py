"""
The memory backend: a page from a declared index in milliseconds, and a create against a dict with sorted indexes.

The dict is what one writes in its place for a test or a small tool: records by id, every index that the catalog declares
kept by `bisect`, the log, the events; no transaction, no isolation, no check of values.
"""

from __future__ import annotations

import itertools
from bisect import insort
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from bench import sameness
from bench.clocks import Clock, ProcessorClock, wall_clock
from bench.handwritten import rows
from bench.material import MEMBER, OWNERS, START, TENANT, ZONE, Fields, Ids, customers, drafts, ids, owned
from bench.measuring import Chunk, race, typical
from bench.ours import Ours
from bench.results import Line
from salescrm.entities import ChangeEntry, Customer, OutboxEvent

__all__ = ["DictOfCustomers", "measure"]

#: Where a record without a moment stands in a list that is sorted by one.
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DictOfCustomers:
    """Customers in a dict, beside sorted lists of what they are listed by."""

    name = "dict"

    def __init__(self, now: Callable[[], datetime], make: Ids) -> None:
        self._now = now
        self._ids = make
        self._running = itertools.count(1)
        self.customers: dict[str, Customer] = {}
        self.numbers: dict[str, str] = {}
        self.by_owner: dict[str | None, list[tuple[datetime, str]]] = {}
        self.by_update: list[tuple[datetime, str]] = []
        self.by_pool: dict[str | None, list[tuple[datetime, str]]] = {}
        self.by_quiet: list[tuple[datetime, str]] = []
        self.by_parent: dict[str | None, list[str]] = {}
        self.log: dict[str, ChangeEntry] = {}
        self.log_of: dict[str, list[str]] = {}
        self.events: dict[str, OutboxEvent] = {}
        self.due: list[tuple[datetime, str]] = []

    def put(self, customer: Customer) -> None:
        """Keeps *customer* and where it stands in each list."""
        if customer.id in self.customers or customer.number in self.numbers:
            raise KeyError(customer.number)
        self.customers[customer.id] = customer
        self.numbers[customer.number] = customer.id
        place = (customer.updated_at, customer.id)
        insort(self.by_owner.setdefault(customer.owner_id, []), place)
        insort(self.by_update, place)
        insort(
            self.by_pool.setdefault(customer.pool_id, []), (customer.entered_pool_at or NEVER, customer.id)
        )
        insort(self.by_quiet, (customer.quiet_since or NEVER, customer.id))
        insort(self.by_parent.setdefault(customer.parent_id, []), customer.id)

    def create(self, fields: Fields) -> Customer:
        now = self._now()
        stamps: dict[str, Any] = {
            "tenant": TENANT,
            "version": 1,
            "created_at": now,
            "created_by": MEMBER,
            "updated_at": now,
            "updated_by": MEMBER,
        }
        number = f"C{now.astimezone(ZONE):%Y%m%d}{next(self._running):03}"
        customer = Customer(id=self._ids(now), number=number, **owned(now, fields), **stamps, **fields)
        entry = ChangeEntry(
            id=self._ids(now),
            entity="customers",
            record_id=customer.id,
            kind="added",
            record_version=1,
            changes=rows.changes(customer),
            **stamps,
        )
        event = OutboxEvent(
            id=self._ids(now),
            name="CustomerCreated",
            entity="customers",
            record_id=customer.id,
            data=rows.created(customer),
            due_at=now,
            **stamps,
        )
        self.put(customer)
        self.log[entry.id] = entry
        self.log_of.setdefault(customer.id, []).append(entry.id)
        self.events[event.id] = event
        insort(self.due, (now, event.id))
        return customer


def measure(*, count: int, rounds: int, by_wall: bool) -> Iterator[Line]:
    """The lines of the memory backend with *count* customers in it."""
    base, ours = DictOfCustomers(lambda: START, ids(2)), Ours("memory://", lambda: START, ids(2))
    stored = list(customers(count))
    for customer in stored:
        base.put(customer)
    # Past the services, for they would stamp the time of the change anew: the list is to be a real one.
    _put(ours, stored)
    timer: Clock = wall_clock if by_wall else ProcessorClock()
    yield from _pages(ours, base, rounds, timer)
    first = {"dict": base.create, "salescrm": ours.create}
    made = {name: [make(one) for one in itertools.islice(drafts(3), 100)] for name, make in first.items()}
    sameness.same(
        "create in memory", {n: [sameness.record(one) for one in found] for n, found in made.items()}
    )
    _ask_along_every_index(ours)
    endless = {name: drafts(4) for name in first}

    def run(name: str) -> None:
        create = first[name]
        for fields in itertools.islice(endless[name], 500):
            create(fields)

    ratios = race(
        {name: Chunk(partial(run, name), None, 500, lambda: timer) for name in first}, rounds=rounds
    )
    for name, ratio in ratios.items():
        yield Line.of("create with log, to a dict with a sorted index", "memory", name, ratio)
    ours.close()


def _put(ours: Ours, stored: list[Customer]) -> None:
    from salescrm.storage import Insert

    kit = ours.crm.kit
    store = kit.backend.open(TENANT)
    store.write(Insert(kit.schemas["customers"], stored))
    store.commit()


def _ask_along_every_index(ours: Ours) -> None:
    """Has our store keep all of its indexes: it makes one when it is first asked for, the dict has them anyway."""
    with ours.crm.begin(by=MEMBER) as work:
        for entity in (Customer, ChangeEntry, OutboxEvent):
            records = work.unscoped(entity)
            for index in records.schema.indexes:
                if not index.unique:  # which the dict has by the key alone
                    records.find(order=index.columns, limit=1)


def _pages(ours: Ours, base: DictOfCustomers, rounds: int, timer: Clock) -> Iterator[Line]:
    owner = OWNERS[3]
    wanted = [base.customers[id] for _, id in reversed(base.by_owner[owner])]
    pages = list(itertools.islice(ours.pages(owner), 10))
    sameness.same(
        "page in memory", {"dict": wanted[: 50 * len(pages)], "salescrm": [c for page in pages for c in page]}
    )

    def run() -> None:
        for page in itertools.islice(itertools.chain.from_iterable(map(ours.pages, OWNERS)), 100):
            assert page

    milliseconds = typical(Chunk(run, None, 100, lambda: timer), rounds=rounds) * 1e3
    yield Line(
        work="page of 50 of 200,000 from a declared index",
        engine="memory",
        contender="salescrm",
        value=milliseconds,
        unit="ms",
    )
