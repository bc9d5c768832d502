"""The memory store: one tenant's records as one transaction sees them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from types import MappingProxyType
from typing import Any, Final, assert_never

from salescrm import meaning
from salescrm.backends.memory.table import Overlay
from salescrm.backends.memory.transaction import Transaction
from salescrm.kinds import Extra, Kind
from salescrm.plans import Asked, AskedTally, FindPlan, TallyPlan
from salescrm.schema import Schema
from salescrm.storage import Delete, Insert, Replace, Write
from salescrm.sweeps import RowTemplate

__all__ = ["MemoryStore"]


class MemoryStore:
    """
    A `storage.Store` on a `MemoryBackend`; get one from there.

    Records are given back as they were put in, not copied: they are frozen.
    """

    __slots__ = ("_overlays", "_owned", "tenant", "transaction")

    def __init__(self, transaction: Transaction, tenant: str, *, owned: bool) -> None:
        self.tenant = tenant
        self.transaction = transaction
        self._owned = owned
        self._overlays = transaction.overlays.setdefault(tenant, {})

    def get(self, schema: Schema, id: str) -> Any | None:
        """As `storage.Store.get`."""
        self.transaction.check()
        with self.transaction.committed.mutex:
            return self._look(schema, id)

    def find(self, asked: Asked) -> list[Any]:
        """As `storage.Store.find`."""
        self.transaction.check()
        with self.transaction.committed.mutex:
            return self._matching(asked.plan, asked.values)

    def select(self, asked: Asked) -> list[tuple[Any, ...]]:
        """As `storage.Store.select`."""
        self.transaction.check()
        with self.transaction.committed.mutex:
            return meaning.shown(asked.plan, self._matching(asked.plan, asked.values), self._look)

    def tally(self, asked: AskedTally) -> list[tuple[Any, ...]]:
        """As `storage.Store.tally`."""
        self.transaction.check()
        tabulate = meaning.tabulator(asked.plan)
        with self.transaction.committed.mutex:
            return tabulate(self._matching(asked.plan, asked.values), asked.values, self._look)

    def stream(self, asked: Asked, *, size: int) -> Iterator[list[Any]]:
        """As `storage.Store.stream`: of the records as they are now, whoever writes meanwhile."""
        # The list holds eight bytes per record, which is in memory anyway.
        found = iter(self.find(asked))
        return iter(lambda: list(islice(found, size)), [])

    def write(self, *writes: Write) -> None:
        """As `storage.Store.write`."""
        self.transaction.write()
        try:
            for one in writes:
                overlay = self._overlay(one.schema)
                match one:
                    case Insert():
                        overlay.insert(one.records)
                    case Replace():
                        overlay.replace(one.record, one.expected_version)
                    case Delete():
                        overlay.delete(one.id, one.expected_version)
                    case _:
                        assert_never(one)
        except BaseException:
            self.transaction.fail()
            raise

    def hold(self, schema: Schema, records: Sequence[Any]) -> None:
        """As `storage.Store.hold`: there is one writer at a time."""
        self.transaction.write()

    def change(
        self,
        asked: Asked,
        values: Mapping[str, Any],
        *,
        skip_locked: bool = True,
        beside: Sequence[Insert] = (),
    ) -> list[Any]:
        """As `storage.Store.change`; there is one writer at a time, so no record is ever held by another."""
        self.transaction.write()
        try:
            schema = asked.plan.schema
            with self.transaction.committed.mutex:
                found = self._matching(asked.plan, asked.values)
            changed, overlay = _changer(schema, values), self._overlay(schema)
            for record in found:
                overlay.replace(changed(record), record.version)
        except BaseException:
            self.transaction.fail()
            raise
        if beside and len(found) == asked.limit:
            self.write(*beside)
        return meaning.shown(asked.plan, found, self._look)

    def sweep(
        self,
        asked: Asked,
        values: Mapping[str, Any],
        rows: Sequence[RowTemplate],
        *,
        skip_locked: bool = True,
    ) -> int:
        """As `storage.Store.sweep`."""
        found = self.change(asked, values)
        self.write(*self._made(lambda: meaning.swept_rows(asked, values, rows, found, self.get)))
        return len(found)

    def _made(self, make: Callable[[], list[Insert]]) -> list[Insert]:
        try:
            return make()
        except BaseException:
            self.transaction.fail()
            raise

    def commit(self) -> None:
        """As `storage.Store.commit`."""
        if self._owned:
            self.transaction.commit()

    def rollback(self) -> None:
        """As `storage.Store.rollback`."""
        if self._owned:
            self.transaction.rollback()

    def after_commit(self, effect: Callable[[], None]) -> None:
        """As `storage.Store.after_commit`."""
        self.transaction.check()
        self.transaction.effects.append(effect)

    def _look(self, schema: Schema, id: str) -> Any | None:
        """The record as this transaction sees it; call it under the mutex."""
        overlay = self._overlays.get(schema.collection)
        if overlay is not None:
            return overlay.get(id)
        return self.transaction.committed.table(self.tenant, schema).records.get(id)

    def _matching(self, plan: FindPlan | TallyPlan, values: Sequence[Any]) -> list[Any]:
        """The records of *plan* in its order, committed ones and this transaction's; call it under the mutex."""
        committed = self.transaction.committed
        route = committed.route(plan)
        limit = None if isinstance(plan, TallyPlan) or plan.limit_slot is None else values[plan.limit_slot]
        overlay = self._overlays.get(plan.schema.collection)
        if overlay is None:
            return committed.table(self.tenant, plan.schema).find(route, values, self._look, limit)
        found = overlay.base.find(route, values, self._look, limit, overlay.hidden)
        written = overlay.find(route, values, self._look, limit)
        if not written:
            return found
        found += written
        return found[:limit] if route.sort is None else route.sort(found, limit)

    def _overlay(self, schema: Schema) -> Overlay:
        overlay = self._overlays.get(schema.collection)
        if overlay is None:
            base = self.transaction.committed.table(self.tenant, schema)
            overlay = self._overlays[schema.collection] = Overlay(schema, base)
        return overlay


#: Kinds whose attribute is not the column's plain value: they are set by making the record anew from its row.
_MADE_OF_COLUMNS: Final = frozenset({Kind.DECIMAL, Kind.MONEY, Kind.EMBEDDED, Kind.NESTED})
_AS_ATTRIBUTE: Final[Mapping[Kind, Callable[[Any], Any]]] = MappingProxyType(
    {Kind.TEXTS: tuple, Kind.EXTRA: Extra}
)


def _changer(schema: Schema, values: Mapping[str, Any]) -> Callable[[Any], Any]:
    """A function from a record to the next version of it with *values* set."""
    # The search shadow is no part of a record: it follows from the fields that are.
    set_ = {name: value for name, value in values.items() if schema.by_column[name].path}
    kinds = {schema.fields[schema.by_column[name].path[0]].kind for name in set_}
    if kinds.isdisjoint(_MADE_OF_COLUMNS):
        attributes = {
            name: value if value is None else _AS_ATTRIBUTE.get(schema.by_column[name].kind, _same)(value)
            for name, value in set_.items()
        }
        evolve = schema.evolve
        return lambda record: evolve(record, {**attributes, "version": record.version + 1})
    write, read = schema.writer({}), schema.reader({})
    names = [column.name for column in schema.columns]

    def changed(record: Any) -> Any:
        row = {**dict(zip(names, write(record), strict=True)), **set_, "version": record.version + 1}
        return read([[row[column.name] for column in schema.read_columns]])[0]

    return changed


def _same(value: Any) -> Any:
    return value
