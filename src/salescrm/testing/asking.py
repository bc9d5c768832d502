"""
A store asked in the words of entities and questions: what contract tests, and a backend author's own, are written in.

Questions go through the checker as they do from a Work; permissions, logs and events are the Work's and not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import attrs

from salescrm.catalog import schemas as catalog
from salescrm.checking import Checker, Context
from salescrm.entities import Record
from salescrm.kinds import Kind
from salescrm.plans import Asked
from salescrm.query import EVERYTHING, Field, Measure, Order, Query, SpanField, Tally, Where
from salescrm.query.nodes import operand_of
from salescrm.schema import Schema
from salescrm.storage import Delete, Insert, Replace, Store

__all__ = ["Asking", "contract_schemas"]

R = TypeVar("R", bound=Record)

#: Custom fields of each kind that there is.
_EXTRA: Final[Mapping[str, Kind]] = {
    "segment": Kind.TEXT,
    "seats": Kind.WHOLE,
    "vip": Kind.FLAG,
    "renewal": Kind.DAY,
}


def contract_schemas() -> Mapping[str, Schema]:
    """
    The schemas that the contract is tested on, by collection: the catalog's.

    Customers and opportunities have the custom fields ``segment``, ``seats``, ``vip`` and ``renewal``.
    """
    return catalog({"Customer": _EXTRA, "Opportunity": _EXTRA})


@attrs.frozen(eq=False)
class Asking:
    """One store, asked and written to with entities; everything is of the store's tenant."""

    store: Store
    schemas: Mapping[str, Schema] = attrs.field(repr=False)
    checker: Checker = attrs.field(repr=False)
    context: Context

    def schema(self, entity: type[Record]) -> Schema:
        """The schema of that entity."""
        return next(schema for schema in self.schemas.values() if schema.record is entity)

    def own(self, record: R) -> R:
        """*record* as this store takes it: of its tenant, and admitted.

        Raises:
            InvalidValue: a value does not fit its field.
        """
        schema = self.schema(type(record))
        owned: R = schema.admit(schema.evolve(record, {"tenant": self.store.tenant}))
        return owned

    # Writing.

    def add(self, *records: Record) -> None:
        """Inserts *records* in one write, neighbours of a kind together."""
        inserts: list[Insert] = []
        for record in map(self.own, records):
            schema = self.schema(type(record))
            if inserts and inserts[-1].schema is schema:
                inserts[-1] = Insert(schema, [*inserts[-1].records, record])
            else:
                inserts.append(Insert(schema, [record]))
        self.store.write(*inserts)

    def save(self, record: R, **changes: Any) -> R:
        """Replaces *record*, which is as it was read, by one with *changes* and the next version, and gives that."""
        saved = self.own(attrs.evolve(record, version=record.version + 1, **changes))
        self.store.write(Replace(self.schema(type(record)), saved, record.version))
        return saved

    def remove(self, record: Record) -> None:
        """Deletes *record*, which is as it was read."""
        self.store.write(Delete(self.schema(type(record)), record.id, record.version))

    def change(
        self,
        entity: type[R],
        where: Where,
        values: Mapping[str, Any],
        *,
        order: Sequence[Field | Order] = (),
        limit: int = 10_000,
        skip_locked: bool = True,
        beside: Sequence[Record] = (),
    ) -> list[R]:
        """`Store.change`; *values* by column name."""
        asked = self.asked(entity, where, order=order, limit=limit)
        inserts = [Insert(self.schema(type(one)), [self.own(one)]) for one in beside]
        return self.store.change(asked, values, skip_locked=skip_locked, beside=inserts)

    def hold(self, *records: Record) -> None:
        """`Store.hold` of *records*, which are of one entity."""
        self.store.hold(self.schema(type(records[0])), list(map(self.own, records)))

    def change_some(
        self, entity: type[Record], where: Where, values: Mapping[str, Any], *columns: Field | str
    ) -> list[tuple[Any, ...]]:
        """`Store.change` by a plan that projects *columns*; the id comes first."""
        query = Query(where=where, limit=10_000)
        operands = [operand_of(one) for one in ("id", *columns)]
        asked, finish = self.checker.select(self.schema(entity), operands, query, self.context)
        return finish(self.store.change(asked, values))

    # Reading.

    def get(self, entity: type[R], id: str) -> R | None:
        """The record, or None."""
        found: R | None = self.store.get(self.schema(entity), id)
        return found

    def find(
        self,
        entity: type[R],
        where: Where = EVERYTHING,
        *,
        order: Sequence[Field | Order] = (),
        limit: int = 10_000,
        after: str | None = None,
    ) -> list[R]:
        """The records that *where* holds for, in *order*."""
        return self.store.find(self.asked(entity, where, order=order, limit=limit, after=after))

    def ids(self, entity: type[Record], where: Where = EVERYTHING, **how: Any) -> list[str]:
        """The ids of what `find` finds."""
        return [record.id for record in self.find(entity, where, **how)]

    def pages(self, entity: type[R], *, order: Sequence[Field | Order], size: int) -> Iterator[list[R]]:
        """Every record, by keyset cursors, in pages of *size*; the last one may be empty."""
        schema, query = self.schema(entity), Query(order=_orders(order), limit=size)
        while True:
            page = self.store.find(self.checker.find(schema, query, self.context))
            yield page
            if len(page) < size:
                return
            query = attrs.evolve(query, after=self.checker.cursor(schema, query, page[-1]))

    def select(
        self,
        entity: type[Record],
        *columns: Field | SpanField,
        where: Where = EVERYTHING,
        order: Sequence[Field | Order] = (),
        limit: int = 10_000,
    ) -> list[tuple[Any, ...]]:
        """The values of *columns*, one tuple per record."""
        query = Query(where=where, order=_orders(order), limit=limit)
        operands = [column.__operand__ for column in columns]
        asked, finish = self.checker.select(self.schema(entity), operands, query, self.context)
        return finish(self.store.select(asked))

    def tally(
        self,
        entity: type[Record],
        *measures: Measure,
        by: Sequence[Any] = (),
        where: Where = EVERYTHING,
    ) -> list[tuple[Any, ...]]:
        """The rows of a tally, keys then numbers, in the order of their keys."""
        tally = Tally(by=tuple(by), measures=measures, where=where)
        asked, finish = self.checker.tally(self.schema(entity), tally, self.context)
        return finish(self.store.tally(asked))

    def stream(
        self,
        entity: type[R],
        where: Where = EVERYTHING,
        *,
        order: Sequence[Field | Order] = (),
        size: int = 100,
    ) -> Iterator[list[R]]:
        """Every record that *where* holds for, in lists of up to *size*."""
        asked = self.checker.all(self.schema(entity), where, _orders(order), self.context)
        return self.store.stream(asked, size=size)

    def asked(
        self,
        entity: type[Record],
        where: Where = EVERYTHING,
        *,
        order: Sequence[Field | Order] = (),
        limit: int = 10_000,
        after: str | None = None,
    ) -> Asked:
        """The plan of a question and its values."""
        query = Query(where=where, order=_orders(order), limit=limit, after=after)
        return self.checker.find(self.schema(entity), query, self.context)

    # The transaction.

    def commit(self) -> None:
        """`Store.commit`."""
        self.store.commit()

    def rollback(self) -> None:
        """`Store.rollback`."""
        self.store.rollback()

    def after_commit(self, effect: Callable[[], None]) -> None:
        """`Store.after_commit`."""
        self.store.after_commit(effect)


def _orders(order: Sequence[Field | Order]) -> tuple[Order, ...]:
    return Query(order=tuple(order)).order
