"""The records of one tenant and collection with their keys and indexes, and what one transaction makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

from salescrm import meaning
from salescrm.backends.memory.ordered import Entry, Ordered
from salescrm.backends.memory.routes import Route
from salescrm.backends.memory.ways import Walk
from salescrm.errors import Duplicate, StaleWrite
from salescrm.schema import Schema

__all__ = ["Overlay", "Table", "unique_keys"]

#: So few records are looked at one by one sooner than an index is made of them.
_FEW = 64


class Table:
    """
    Records by id, unique keys, and the sorted indexes that questions have needed so far.

    Attributes:
        holders: For each unique key of the schema, who holds which.
    """

    __slots__ = ("_indexes", "holders", "records", "unique")

    def __init__(self, unique: Sequence[Callable[[Any], Any]]) -> None:
        self.records: dict[str, Any] = {}
        self.unique = unique
        self.holders: list[dict[Any, str]] = [{} for _ in unique]
        self._indexes: dict[tuple[str, ...], tuple[Callable[[Any], Entry], Ordered]] = {}

    def index(self, columns: tuple[str, ...], key: Callable[[Any], Entry]) -> Ordered:
        """The index on *columns*, made when it is first asked for and kept current from then on."""
        made = self._indexes.get(columns)
        if made is None:
            made = self._indexes[columns] = key, Ordered(map(key, self.records.values()))
        return made[1]

    def find(
        self,
        route: Route,
        values: Sequence[Any],
        lookup: meaning.Lookup,
        limit: int | None,
        hidden: AbstractSet[str] = frozenset(),
    ) -> list[Any]:
        """The records that match and are not *hidden*, in the order asked for, the first *limit* of them."""
        way, test, in_order = route.way, route.test, route.sort is None
        found: Iterable[Any]
        if way is None or (isinstance(way, Walk) and len(self.records) <= _FEW):
            found = self.records.values()
        else:
            found, test, in_order = way.candidates(self, values), way.rest, in_order or way.in_order
        if hidden:
            found = (record for record in found if record.id not in hidden)
        if test is not None:
            found = (record for record in found if test(record, values, lookup))
        return list(islice(found, limit)) if in_order or route.sort is None else route.sort(found, limit)

    def put(self, record: Any) -> None:
        """*record*, in place of the one with its id, which is there."""
        id = record.id
        old = self.records[id]
        self.records[id] = record
        for holders, key in zip(self.holders, self.unique, strict=True):
            was, now = key(old), key(record)
            if was != now:
                holders.pop(was, None)
                if now is not None:
                    holders[now] = id
        for key, entries in self._indexes.values():
            was, now = key(old), key(record)
            if was != now:
                entries.remove(was)
                entries.add(now)

    def add(self, records: Mapping[str, Any], holders: Sequence[Mapping[Any, str]]) -> None:
        """*records*, whose ids are new, with the unique keys that they hold."""
        self.records.update(records)
        for held, more in zip(self.holders, holders, strict=True):
            held.update(more)
        if len(records) == 1:  # as a rule: without lists of one, an eighth to two fifths less time
            (record,) = records.values()
            for key, entries in self._indexes.values():
                entries.add(key(record))
            return
        for key, entries in self._indexes.values():
            entries.update([key(record) for record in records.values()])

    def remove(self, id: str) -> None:
        """Without the record *id*, which is there."""
        old = self.records.pop(id)
        for holders, key in zip(self.holders, self.unique, strict=True):
            holders.pop(key(old), None)
        for key, entries in self._indexes.values():
            entries.remove(key(old))


class Overlay(Table):
    """
    What one transaction has made of the table *base*, seen by nobody else until it is applied.

    Attributes:
        hidden: The ids of *base* that this transaction has replaced or deleted.
    """

    __slots__ = ("base", "hidden", "schema")

    def __init__(self, schema: Schema, base: Table) -> None:
        super().__init__(base.unique)
        self.schema = schema
        self.base = base
        self.hidden: set[str] = set()

    def get(self, id: str) -> Any | None:
        """The record as this transaction sees it."""
        found = self.records.get(id)
        return found if found is not None or id in self.hidden else self.base.records.get(id)

    def insert(self, records: Sequence[Any]) -> None:
        """
        *records*, as far as the first that can't be.

        Raises:
            Duplicate: An id or a unique key is taken, be it by another of them.
        """
        mine, theirs, hidden = self.records, self.base.records, self.hidden
        for record in records:
            id = record.id
            if id in mine or (id in theirs and id not in hidden):
                raise Duplicate(self.schema.name, ("id",))
            if self.unique:
                self._claim(record)
            mine[id] = record
        for key, entries in self._indexes.values():
            entries.update([key(record) for record in records])

    def replace(self, record: Any, expected_version: int) -> None:
        """
        *record* in place of the one with its id.

        Raises:
            StaleWrite: There is none, or not at *expected_version*.
            Duplicate: A unique key is taken.
        """
        self._hide(record.id, expected_version)
        self._claim(record)
        if record.id in self.records:
            self.put(record)
        else:
            self.add({record.id: record}, ({},) * len(self.unique))

    def delete(self, id: str, expected_version: int) -> None:
        """
        Without the record *id*.

        Raises:
            StaleWrite: There is none, or not at *expected_version*.
        """
        self._hide(id, expected_version)
        if id in self.records:
            self.remove(id)

    def _hide(self, id: str, expected_version: int) -> None:
        old = self.get(id)
        if old is None or old.version != expected_version:
            raise StaleWrite(self.schema.name, id, expected_version)
        if id in self.base.records:
            self.hidden.add(id)

    def _claim(self, record: Any) -> None:
        """Notes what *record* holds, if nobody else holds it."""
        id = record.id
        for number, key in enumerate(self.unique):
            held = key(record)
            if held is None:
                continue
            holder = self.holders[number].get(held)
            if holder is None:
                holder = self.base.holders[number].get(held)
                # What a hidden record holds now stands in our own holders.
                if holder in self.hidden:
                    holder = None
            if holder is not None and holder != id:
                raise Duplicate(self.schema.name, self.schema.unique[number].columns)
            self.holders[number][held] = id

    def apply(self) -> None:
        """Makes *base* what this transaction has made of it."""
        fresh = self.records
        if self.hidden:
            for id in self.hidden:
                if id in self.records:
                    self.base.put(self.records[id])
                else:
                    self.base.remove(id)
            # Keys that went from hand to hand may be noted wrongly by now; what is added last sets them right.
            fresh = {id: record for id, record in self.records.items() if id not in self.hidden}
        self.base.add(fresh, self.holders)


def unique_keys(schema: Schema) -> list[Callable[[Any], Any]]:
    """For each unique key of *schema*, a function from a record to what it holds; None exempts it, as nulls do in SQL."""
    return [_unique_key([schema.getters[name] for name in index.columns]) for index in schema.unique]


def _unique_key(getters: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
    if len(getters) == 1:
        return getters[0]

    def key(record: Any) -> tuple[Any, ...] | None:
        values = tuple(get(record) for get in getters)
        return None if None in values else values

    return key
