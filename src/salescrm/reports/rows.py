"""Very many small results in little memory: kept by column, each made a value when it is looked at."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from copy import copy
from typing import Any, Generic, TypeVar, overload

__all__ = ["Rows"]

T = TypeVar("T")


class Rows(Sequence[T], Generic[T]):
    """
    A sequence of what *make* makes of its columns: *own* ones, in which each row has a value of its own, then *shared* ones.

    Of a shared column every different value is kept once. Equal to a sequence of equal values.
    """

    __slots__ = ("_codes", "_make", "_order", "_own", "_places", "_values")

    def __init__(self, make: Callable[..., T], *, own: int, shared: int) -> None:
        self._make = make
        self._own: tuple[list[Any], ...] = tuple([] for _ in range(own))
        self._places = tuple(array("I") for _ in range(shared))
        self._values: tuple[list[Any], ...] = tuple([] for _ in range(shared))
        #: Which row comes where, once they are arranged.
        self._order: array[int] | None = None
        self._codes: tuple[dict[Hashable, int], ...] = tuple({} for _ in range(shared))

    def add(self, own: Sequence[Any], shared: Sequence[Hashable]) -> None:
        """One row more."""
        for column, value in zip(self._own, own, strict=True):
            column.append(value)
        for places, values, codes, value in zip(self._places, self._values, self._codes, shared, strict=True):
            code = codes.setdefault(value, len(values))
            if code == len(values):
                values.append(value)
            places.append(code)

    def count(self, value: object) -> int:
        """How many rows equal *value*."""
        return sum(row == value for row in self)

    def counts(self, column: int) -> dict[Any, int]:
        """How many rows have each value of that shared *column*, as they first come."""
        values, places = self._values[column], self._places[column]
        codes = places if self._order is None else (places[row] for row in self._order)
        return {values[code]: many for code, many in Counter(codes).items()}

    def arranged(self, column: int, position: Callable[[Any], Any]) -> Rows[T]:
        """These rows by the *position* of their value of that shared *column*, else as they came; without those of None."""
        places = [position(value) for value in self._values[column]]
        buckets: dict[Any, array[int]] = {place: array("I") for place in places if place is not None}
        for row, code in enumerate(self._places[column]):
            place = places[code]
            if place is not None:
                buckets[place].append(row)
        order = array("I")
        for place in sorted(buckets):
            order.extend(buckets.pop(place))
        arranged = copy(self)
        arranged._order = order  # noqa: SLF001  # of our own kind
        return arranged

    def __len__(self) -> int:
        return len(self._places[0] if self._order is None else self._order)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if isinstance(index, slice):
            return tuple(self[one] for one in range(*index.indices(len(self))))
        if self._order is not None:
            index = self._order[index]
        own = (column[index] for column in self._own)
        shared = (values[places[index]] for places, values in zip(self._places, self._values, strict=True))
        return self._make(*own, *shared)

    def __iter__(self) -> Iterator[T]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Rows | tuple):
            return NotImplemented
        return len(self) == len(other) and all(
            mine == theirs for mine, theirs in zip(self, other, strict=True)
        )

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"<{len(self):,} rows>"
