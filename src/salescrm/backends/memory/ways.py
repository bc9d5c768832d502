"""The ways to the records that a question asks for: by id, by unique key, along an index; which one is `routes`' choice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain, product
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from salescrm import meaning
from salescrm.backends.memory.ordered import TOP, Entry
from salescrm.plans import After, Cmp, Condition, InSlot, Negated, Null, Starts
from salescrm.schema import Column

if TYPE_CHECKING:
    from salescrm.backends.memory.table import Table

__all__ = ["ById", "ByKey", "On", "Walk", "Way"]

#: A condition on a column of the record itself.
On: TypeAlias = tuple[Column, Condition]


@attrs.frozen(eq=False)
class ById:
    """The records whose ids stand in a slot."""

    part: Cmp | InSlot
    rest: meaning.Test | None
    in_order: bool = False

    def candidates(self, table: Table, values: Sequence[Any]) -> Iterable[Any]:
        """The records of *table* with these ids."""
        wanted = values[self.part.slot]
        ids = (wanted,) if isinstance(self.part, Cmp) else dict.fromkeys(wanted)
        return [table.records[id] for id in ids if id in table.records]


@attrs.frozen(eq=False)
class ByKey:
    """The one record that holds a unique key, the *number*-th of the schema."""

    number: int
    slots: tuple[int, ...]
    rest: meaning.Test | None
    in_order: bool = True

    def candidates(self, table: Table, values: Sequence[Any]) -> Iterable[Any]:
        """The record of *table* with this key, if there is one."""
        key = values[self.slots[0]] if len(self.slots) == 1 else tuple(values[slot] for slot in self.slots)
        id = table.holders[self.number].get(key)
        return () if id is None else (table.records[id],)


@attrs.frozen(eq=False)
class Walk:
    """
    One or more ranges of an index.

    Attributes:
        key: From a record to its entry.
        bound: Conditions that fix the leading columns; several entries' worth where one is a choice among values.
        narrowing: Conditions on the column behind.
        after: Where the last page ended, where the order is the index's.
        in_order: The records come in the order that was asked for.
    """

    columns: tuple[str, ...]
    key: Callable[[Any], Entry]
    bound: tuple[On, ...]
    narrowing: tuple[On, ...]
    after: After | None
    rest: meaning.Test | None
    in_order: bool
    descending: bool

    def candidates(self, table: Table, values: Sequence[Any]) -> Iterable[Any]:
        """The records of *table* in these ranges, lazily."""
        entries = table.index(self.columns, self.key)
        low, high = self._bounds(values)
        ranges = [
            entries.parts((*prefix, *low), (*prefix, *high), descending=self.descending)
            for prefix in self._prefixes(values)
        ]
        found: Iterable[Entry] = chain.from_iterable(chain.from_iterable(ranges))
        if len(ranges) > 1 and self.in_order:
            depth = sum(2 if column.nullable else 1 for column, _ in self.bound)
            streams = [chain.from_iterable(parts) for parts in ranges]
            found = merge(*streams, key=itemgetter(slice(depth, None)), reverse=self.descending)
        return map(table.records.__getitem__, map(itemgetter(-1), found))

    def _prefixes(self, values: Sequence[Any]) -> Iterator[Entry]:
        choices = [_places(on, values) for on in self.bound]
        return (tuple(chain.from_iterable(places)) for places in product(*choices))

    def _bounds(self, values: Sequence[Any]) -> tuple[Entry, Entry]:
        """Where the ranges begin and end behind each prefix."""
        low: Entry = ()
        high: Entry = (TOP,)
        for on in self.narrowing:
            first, end = _between(on, values)
            low, high = max(low, first), min(high, end)
        if self.after is not None:
            pairs = zip(self.after.keys, self.after.slots, strict=True)
            last = tuple(chain.from_iterable(_place(key.column, values[slot]) for key, slot in pairs))
            if self.descending:
                high = min(high, last)
            else:
                low = max(low, (*last, TOP))
        return low, high


Way: TypeAlias = ById | ByKey | Walk


def _place(column: Column, value: Any) -> Entry:
    """What `codegen.keyer` makes of a value of *column*."""
    return (value is not None, value) if column.nullable else (value,)


def _places(on: On, values: Sequence[Any]) -> list[Entry]:
    """The places that an entry may have on a fixed column."""
    column, part = on
    match part:
        case Null():
            return [_place(column, None)]
        case Cmp():
            return [_place(column, values[part.slot])]
        case InSlot():
            return [_place(column, value) for value in dict.fromkeys(values[part.slot])]
        case _:
            raise TypeError(f"{part!r} fixes no column")


def _between(on: On, values: Sequence[Any]) -> tuple[Entry, Entry]:
    """From where up to where an entry may be on a narrowed column; nulls are never in between."""
    column, part = on
    known: Entry = (True,) if column.nullable else ()
    end: Entry = (*known, TOP)
    match part:
        case Negated():
            return known, end
        case Starts():
            text = values[part.slot]
            return (*known, text), (*known, _behind(text))
        case Cmp():
            place = _place(column, values[part.slot])
            match part.operator:
                case "lt":
                    return known, place
                case "le":
                    return known, (*place, TOP)
                case "gt":
                    return (*place, TOP), end
                case _:
                    return place, end
        case _:
            raise TypeError(f"{part!r} narrows no column")


def _behind(text: str) -> Any:
    """The least text behind all that start with *text*."""
    head = text.rstrip("\U0010ffff")
    return head[:-1] + chr(ord(head[-1]) + 1) if head else TOP
