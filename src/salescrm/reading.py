"""
The reading half of a repository: questions about the records of one entity, within what the acting member may see.

Services inherit it, so that every one of them is asked in the same way.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, cast

from salescrm.access import Action
from salescrm.checking import Context
from salescrm.entities.base import RecordT
from salescrm.errors import InvalidQuestion, NotFound, StoreError, fact
from salescrm.page import Page
from salescrm.plans import Asked
from salescrm.query import EVERYTHING, F, Order, Query, Tally, Where, count
from salescrm.query.fields import Field, OrderLike, SpanField
from salescrm.query.nodes import operand_of
from salescrm.values import Id
from salescrm.whole import asking

if TYPE_CHECKING:
    from salescrm.storage import Store
    from salescrm.unit import UnitOfWork

__all__ = ["Reader", "is_storable", "orders"]

#: How many ids one question asks for.
_IDS_AT_ONCE = 500
_LONGEST_ID = 64


def orders(order: Iterable[OrderLike | str]) -> tuple[Order, ...]:
    """*order* as the question holds it: ``F.name`` ascending, ``-F.name`` descending."""
    return tuple(one if isinstance(one, Order) else Order(_name(one)) for one in order)


def _name(field: Field | str) -> str:
    path = operand_of(field)
    if not isinstance(path, str):
        raise InvalidQuestion(f"{fact(field)} is no field; write F.name or -F.name")
    return path


def is_storable(id: object) -> bool:
    """Whether a record may have this *id*; asked for any other, engines answer in different ways."""
    if type(id) is not str or not 0 < len(id) <= _LONGEST_ID:
        return False
    return id.isprintable() or ("\0" not in id and id == id.encode(errors="ignore").decode())


class Reader(Generic[RecordT]):
    """The records of one entity, as the acting member of *unit* may see them; all of them where it is not *scoped*."""

    def __init__(self, unit: UnitOfWork, entity: type[RecordT], *, scoped: bool = True) -> None:
        self.unit = unit
        self.entity = entity
        kit = unit.kit
        if entity not in kit.by_record:
            raise TypeError(f"{fact(entity)} is no entity of salescrm")
        self.schema = kit.by_record[entity]
        self._checker = kit.checker
        self._scoped = scoped

    def _scope(self, action: Action) -> Where | None:
        if not self._scoped:
            return None
        return self.unit.kit.access.scope(self.unit.member, self.schema.name, action)

    @asking
    def peek(self, id: Id) -> RecordT | None:
        """The record, or None if there is none that the member may see."""
        store = self.unit.reading()
        if not is_storable(id):
            return None
        scope = self._scope("read")
        if scope is None:
            return cast("RecordT | None", store.get(self.schema, id))
        found = store.find(self._ask(F.id == id, limit=1, scope=scope))
        return found[0] if found else None

    def get(self, id: Id) -> RecordT:
        """The record.

        Raises:
            NotFound: There is none that the member may see.
        """
        found = self.peek(id)
        if found is None:
            raise NotFound(self.schema.name, id[:80] if isinstance(id, str) else fact(id))
        return found

    def many(self, ids: Iterable[Id]) -> dict[Id, RecordT]:
        """By id, those of *ids* that there are and that the member may see."""
        return self._many(ids, "read")

    def allowed(self, ids: Iterable[Id], action: Action) -> frozenset[Id]:
        """Those of *ids* that there are and that the member may *action*."""
        return frozenset(self._many(ids, action))

    @asking
    def _many(self, ids: Iterable[Id], action: Action) -> dict[Id, RecordT]:
        """By id, those of *ids* that the member may *action*."""
        wanted = list(dict.fromkeys(id for id in ids if is_storable(id)))
        found: dict[Id, RecordT] = {}
        for start in range(0, len(wanted), _IDS_AT_ONCE):
            part = wanted[start : start + _IDS_AT_ONCE]
            page = self.unit.reading().find(
                self._ask(F.id.one_of(part), limit=len(part), scope=self._scope(action))
            )
            found.update((record.id, record) for record in page)
        return found

    @asking
    def find(
        self,
        where: Where = EVERYTHING,
        *,
        order: Iterable[OrderLike | str] = (),
        limit: int = 50,
        after: str | None = None,
    ) -> Page[RecordT]:
        """
        A page of the records that *where* holds for, in *order*, behind the cursor *after*.

        The order ends in id; ``-F.name`` is descending. At most *limit* (up to 10,000) records.

        Raises:
            Invalid: The question or the cursor can't be used; nothing was asked of the engine.
        """
        query = Query(where=where, order=orders(order), limit=limit, after=after)
        store = self.unit.reading()
        asked = self._checker.find(self.schema, query, self.unit.context, scope=self._scope("read"), more=1)
        found = store.find(asked) if limit else []
        return Page(found, query, lambda last: self._checker.cursor(self.schema, query, last))

    def _ask(self, where: Where, *, limit: int, scope: Where | None) -> Asked:
        return self._checker.find(
            self.schema, Query(where=where, limit=limit), self.unit.context, scope=scope
        )

    def count(self, where: Where = EVERYTHING) -> int:
        """How many records *where* holds for."""
        return cast(int, self.tally(Tally(measures=[count()], where=where))[0][0])

    @asking
    def tally(self, tally: Tally) -> list[tuple[Any, ...]]:
        """One row per group, its keys then its measures, in the order of the keys, null first."""
        store = self.unit.reading()
        asked, finish = self._checker.tally(self.schema, tally, self.unit.context, scope=self._scope("read"))
        return finish(store.tally(asked))

    @asking
    def select(
        self,
        columns: Sequence[Field | SpanField | str],
        where: Where = EVERYTHING,
        *,
        order: Iterable[OrderLike | str] = (),
        limit: int = 50,
        after: str | None = None,
    ) -> list[tuple[Any, ...]]:
        """Just the values of *columns*, one tuple per record, as `find` would order and limit them."""
        query = Query(where=where, order=orders(order), limit=limit, after=after)
        store = self.unit.reading()
        operands = [operand_of(one) for one in columns]
        asked, finish = self._checker.select(
            self.schema, operands, query, self.unit.context, scope=self._scope("read")
        )
        return finish(store.select(asked))

    def stream(
        self,
        where: Where = EVERYTHING,
        *,
        order: Iterable[OrderLike | str] = (),
        size: int = 1_000,
        context: Context | None = None,
    ) -> Iterator[RecordT]:
        """
        Every record that *where* holds for, in *order*, in memory that does not grow; read, don't write meanwhile.

        *size* records are fetched at a time, as long as this Work lasts.  Relative moments are those of *context*, if given.
        """
        store = self.unit.reading()
        if type(size) is not int or size < 1:
            raise InvalidQuestion(f"size is {fact(size)}; a whole number from 1 is wanted")
        asked = self._checker.all(
            self.schema, where, orders(order), context or self.unit.context, scope=self._scope("read")
        )
        chunks = self._chunks(store, asked, size)
        self.unit.streams.add(chunks)  # which closes it, if we are left half-way
        return self._flat(chunks)

    def _chunks(self, store: Store, asked: Asked, size: int) -> Generator[list[Any]]:
        try:
            yield from store.stream(asked, size=size)
        except StoreError:  # as by `asking`
            if self.unit.written:
                self.unit.fail()
            raise

    def _flat(self, chunks: Iterator[list[RecordT]]) -> Iterator[RecordT]:
        for chunk in chunks:
            yield from chunk
            self.unit.reading()
        self.unit.reading()
