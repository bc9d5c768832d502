"""A page of records, and the way to the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar, overload

from salescrm.query import Query

__all__ = ["Page"]

T = TypeVar("T")


class Page(Sequence[T], Generic[T]):
    """
    Records in the order that was asked for.

    Attributes:
        next: The cursor for the page that follows (``find(…, after=page.next)``), or None on the last page.
    """

    __slots__ = ("_cursor", "_last", "_more", "_query", "_records")

    def __init__(self, found: Sequence[T], query: Query, cursor: Callable[[T], str]) -> None:
        # One record more than asked was looked for: it is not shown, but tells that a page follows.
        self._more = len(found) > query.limit
        self._records = tuple(found[: query.limit])
        self._cursor, self._query = cursor, query
        self._last = self._records[-1] if self._records else None

    def map(self, change: Callable[[T], T]) -> Page[T]:
        """The same page with *change* made to what it shows; its cursors stay what they are."""
        page = Page[T]((), self._query, self._cursor)
        page._records, page._more = tuple(map(change, self._records)), self._more
        page._last = self._last
        return page

    @property
    def next(self) -> str | None:
        """The cursor for the page that follows, or None."""
        return self._cursor(self._last) if self._more and self._last is not None else None

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        return self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[T]:
        return iter(self._records)

    def __repr__(self) -> str:
        return f"Page({list(self._records)!r}, next={self.next!r})"
