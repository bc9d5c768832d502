"""Very many small results in little memory: kept by column, each made a value when it is looked at."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, Generic, TypeVar, overload

__all__ = ["Rows"]

T = TypeVar("T")


class Rows(Sequence[T], Generic[T]):
    """
    A sequence of what *make* makes of its columns: *own* ones, in which each row has a value of its own, then *shared* ones.

    Of a shared column every different value is kept once. Equal to a sequence of equal values.
    """

    __slots__ = ("_codes", "_make", "_own", "_places", "_values")

    def __init__(self, make: Callable[..., T], *, own: int, shared: int) -> None:
        self._make = make
        self._own: tuple[list[Any], ...] = tuple([] for _ in range(own))
        self._places = tuple(array("I") for _ in range(shared))
        self._values: tuple[list[Any], ...] = tuple([] for _ in range(shared))
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
        values = self._values[column]
        return {values[code]: many for code, many in Counter(self._places[column]).items()}

    def arranged(self, column: int, position: Callable[[Any], Any]) -> Rows[T]:
        """The rows by the *position* of their value of that shared *column*, else as they are; without those of None."""
        places = [position(value) for value in self._values[column]]
        buckets: dict[Any, array[int]] = {place: array("I") for place in places if place is not None}
        for row, code in enumerate(self._places[column]):
            place = places[code]
            if place is not None:
                buckets[place].append(row)
        arranged: Rows[T] = Rows(self._make, own=len(self._own), shared=len(self._places))
        order = [buckets[place] for place in sorted(buckets)]
        for old, new in zip(self._own, arranged._own, strict=True):  # of our own kind
            new.extend(old[row] for rows in order for row in rows)
        for codes, fresh in zip(self._places, arranged._places, strict=True):
            fresh.extend(codes[row] for rows in order for row in rows)
        arranged._values, arranged._codes = self._values, self._codes
        return arranged

    def __len__(self) -> int:
        return len(self._places[0])

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if isinstance(index, slice):
            return tuple(self[one] for one in range(*index.indices(len(self))))
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
