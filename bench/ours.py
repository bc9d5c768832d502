"""salescrm as a contender: what its user writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import salescrm
from bench.material import MEMBER, PIPELINE, Fields, Ids
from salescrm.entities import Customer
from salescrm.query import F, Tally, count, total
from salescrm.values import Id

__all__ = ["Ours"]


class Ours:
    """A contender through `Crm` and its services."""

    name = "salescrm"

    def __init__(self, engine: object, clock: Callable[[], datetime], ids: Ids) -> None:
        self.crm = salescrm.connect(engine, clock=clock, ids=ids)

    def create(self, fields: Fields) -> Customer:
        with self.crm.begin(by=MEMBER) as work:
            return work.customers.create(**fields)

    def create_many(self, drafts: Sequence[Fields]) -> None:
        with self.crm.begin(by=MEMBER) as work:
            work.customers.create_many(Customer(**fields) for fields in drafts)

    def get(self, id: str) -> Customer:
        with self.crm.begin(by=MEMBER) as work:
            return work.customers.get(Id(id))

    @contextmanager
    def reading(self) -> Iterator[Callable[[str], Customer]]:
        with self.crm.begin(by=MEMBER) as work:
            yield lambda key: work.customers.get(Id(key))

    def pages(self, owner: str) -> Iterator[Sequence[Customer]]:
        cursor = None
        while True:
            with self.crm.begin(by=MEMBER) as work:
                page = work.customers.find(F.owner_id == owner, order=[-F.updated_at], limit=50, after=cursor)
                yield page
                cursor = page.next
            if cursor is None:
                return

    def edit(self, customer: Customer, level: str) -> Customer:
        with self.crm.begin(by=MEMBER) as work:
            return work.customers.edit(customer, level=level)

    def funnel(self) -> list[tuple[Any, ...]]:
        table = Tally(
            by=[F.stage, F.amount.currency],
            measures=[count(), total(F.amount)],
            where=F.pipeline == PIPELINE,
        )
        with self.crm.begin(by=MEMBER) as work:
            return work.opportunities.tally(table)

    def close(self) -> None:
        self.crm.close()
