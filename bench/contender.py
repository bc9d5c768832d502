"""What a contender can do: the same work, whichever way it goes about it. How it is timed is in `measuring`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from bench.material import Fields

__all__ = ["Contender"]


class Contender(Protocol):
    """
    A way to keep customers in a database.

    Everything that writes also writes a change-log entry and an event, in one transaction.  A record is whatever this
    contender makes of a row.
    """

    name: str

    def create(self, fields: Fields) -> Any:
        """The new customer."""

    def create_many(self, drafts: Sequence[Fields]) -> None:
        """New customers in bulk, in one transaction."""

    def get(self, id: str) -> Any:
        """The customer, in a unit of work of its own."""

    def reading(self) -> AbstractContextManager[Callable[[str], Any]]:
        """An open unit of work, and its way to get a customer."""

    def pages(self, owner: str) -> Iterator[Sequence[Any]]:
        """The customers of *owner*, last changed first, in pages of 50, each asked for behind the last of the one before."""

    def edit(self, customer: Any, level: str) -> Any:
        """*customer*, as it was read, in another level; refused if somebody saved it since."""

    def funnel(self) -> list[tuple[Any, ...]]:
        """Per stage and currency of the pipeline: how many deals, worth how much."""

    def close(self) -> None:
        """Frees its connections."""
