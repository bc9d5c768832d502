"""
What a backend is: the protocols `Backend` and `Store`, and their contract in words.

A store moves *records*: instances of ``schema.record``, which it need not understand.  What it stores of one is what
the schema makes of it (`Schema.writer`, `Schema.to_document`), what it gives back is what the schema makes of that.
It knows no domain: no entity, no rule, no permission, no clock.  Questions arrive as plans (`plans`), checked and reduced.
The contract suite in ``salescrm.testing`` holds every promise made here against an implementation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import attrs

from salescrm.plans import Asked, AskedTally
from salescrm.schema import Schema
from salescrm.sweeps import RowTemplate

__all__ = ["Backend", "Capabilities", "Delete", "Insert", "Replace", "Store", "Write"]


@attrs.frozen(kw_only=True)
class Capabilities:
    """
    What a backend can do beyond the contract, or can't.

    Attributes:
        transactions: What a Work writes is there together or not at all. Without it (a standalone MongoDB) each
            single write is atomic, and a rollback can't take back what was written.
        concurrent_writers: Two transactions may write at the same moment; without it a second one waits.
        durable: What was committed survives the process.
        joinable: Types of a host's own transaction handle that `Backend.join` takes, by name.
    """

    transactions: bool = True
    concurrent_writers: bool = True
    durable: bool = True
    joinable: tuple[str, ...] = ()


@attrs.frozen
class Insert:
    """New records. All of *records* or none; an id or unique key that is taken is `Duplicate`."""

    schema: Schema
    records: Sequence[Any]


@attrs.frozen
class Replace:
    """
    *record* in place of the stored one, which must be at *expected_version*; otherwise, or if gone, `StaleWrite`.

    *columns*, where given, are those in which the two differ beside version and updated_at/by: a store may write these
    alone (SQLite renews every index of a column that is set, changed or not).
    """

    schema: Schema
    record: Any
    expected_version: int
    columns: tuple[str, ...] | None = None


@attrs.frozen
class Delete:
    """The record *id*, which must be at *expected_version*, is gone; otherwise `StaleWrite`."""

    schema: Schema
    id: str
    expected_version: int


Write: TypeAlias = Insert | Replace | Delete


class Store(Protocol):
    """
    One open transaction on the records of one tenant.

    The tenant is the store's: no method can reach, count, change or overwrite another tenant's record, and two tenants
    may use the same id.  Reads see what this store has written and what others have committed (read committed at
    least), never what others have not.  A transaction begins with the first write (reading alone holds nothing
    open that could block a writer), lasts until `commit` or `rollback`, and is used by one thread or task at a time.
    After a write raised, the only call allowed is `rollback`.

    Errors: engine errors come as `Transient` (deadlock, serialisation failure, lock timeout, lost connection: the whole
    function may be tried again), `Duplicate`, `StaleWrite` or another `StoreError`, never as the driver's own.
    """

    @property
    def tenant(self) -> str:
        """Whose records these are."""

    def get(self, schema: Schema, id: str) -> Any | None:
        """The record, or None."""

    def find(self, asked: Asked) -> list[Any]:
        """The records in the plan's order, at most as many as its limit; ties can't be, for every order ends in id."""

    def select(self, asked: Asked) -> list[tuple[Any, ...]]:
        """The values of the plan's columns, plain, one tuple per record, in the plan's order."""

    def tally(self, asked: AskedTally) -> list[tuple[Any, ...]]:
        """One row per group, keys then numbers, plain, in any order. Sums are exact whole numbers."""

    def stream(self, asked: Asked, *, size: int) -> Iterator[list[Any]]:
        """
        The records in the plan's order in lists of up to *size*, in memory that does not grow with their number.

        Each record that matches throughout comes once; one written meanwhile may or may not. The store may be read,
        not written, while the iterator is open.
        """

    def write(self, *writes: Write) -> None:
        """
        Does all of *writes*, in order, or raises; one round trip where the engine can.

        Several records of a kind go by the fastest way in. Each record's ``tenant`` is this store's tenant.
        Of no writes it only begins the transaction: where one writer has to wait for another (no `concurrent_writers`),
        it waits here, and nobody else commits between what is then read and what is then written.
        """

    def hold(self, schema: Schema, records: Sequence[Any]) -> None:
        """
        Waits until nobody else holds one of *records*, by id; from here until the transaction ends nobody else does.

        What is read from here on is what those who held them before have left, or somebody waits in vain and this is
        `Transient`.  *records* stand for what is held and are there as they come, so that there is something to hold; where
        one writer waits for another (no `concurrent_writers`) nothing need be written.  Where there are no transactions
        nothing can be held.  In an order that is always the same, two who hold several don't wait for each other.
        """

    def change(
        self,
        asked: Asked,
        values: Mapping[str, Any],
        *,
        skip_locked: bool = True,
        beside: Sequence[Insert] = (),
    ) -> list[Any]:
        """
        Sets *values* (by column name, plain) in the records that match, at most the plan's limit, taken in its order.

        Atomic per record against any number of simultaneous calls: a record that two calls match is changed by one
        of them as it was, and is matched anew, as it then is, by the other, or skipped. Each changed record's version
        goes up by one.  No searchable column is among *values*: the search shadow is made of whole records, and the
        repository sees to it.  Returns the records *as they were before*, in no order, or of a plan that projects its columns,
        which are the record's own, the id first. With *skip_locked* false it waits for records that others hold.

        Does *beside* too if it changed as many records as the plan's limit, and else nothing of it: one who knows which
        records these are has what goes with them ready, and saves a round trip where the engine can do both at once.
        """

    def sweep(
        self,
        asked: Asked,
        values: Mapping[str, Any],
        rows: Sequence[RowTemplate],
        *,
        skip_locked: bool = True,
    ) -> int:
        """
        Changes what matches as `change` does, and inserts for each changed record one new record per template of *rows*.

        Inside the engine where it can: nothing but the number of changed records comes back.  The templates' sources see
        the record, and the plan's flags hold or fail, as it was before; `meaning.swept_rows` says what they mean.  Of a
        plan with a limit and no order it takes any that match, as many as the limit.  No
        column of kind NESTED or EXTRA is among *values*.  A value missing where a column needs one is `EngineError`.
        """

    def commit(self) -> None:
        """What was written is there for all; nothing to do where the transaction is the host's."""

    def rollback(self) -> None:
        """What was written is gone; nothing to do where the transaction is the host's."""

    def after_commit(self, effect: Callable[[], None]) -> None:
        """Runs *effect* after the commit, the host's commit where the transaction is the host's; never after a rollback."""


class Backend(Protocol):
    """An engine with its tables: opens stores, owns connections."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond the contract, or can't."""

    def open(self, tenant: str) -> Store:
        """A store in a transaction of its own."""

    def join(self, handle: object, tenant: str) -> Store:
        """
        A store inside the host's open transaction *handle*; never commits, rolls back or closes it.

        Raises:
            Misconfigured: *handle* is of no type that this backend joins, or belongs to another engine.
        """

    def migrate(self) -> None:
        """Brings tables and indexes to this version; safe to call again, and by several processes at once."""

    def verify(self) -> None:
        """Raises SchemaOutdated unless `migrate` has nothing to do."""

    def close(self) -> None:
        """Frees what this backend opened itself; a host's engine or client stays open."""
