"""SqlStore: the contract of `storage.Store` over one channel. How SQL is made, sent and bound is elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

import attrs

from salescrm import meaning
from salescrm.backends.sql.channels import Channel
from salescrm.backends.sql.errors import Taken
from salescrm.backends.sql.statements import Statement, Statements
from salescrm.backends.sql.sweeps import PICKED, sweeping
from salescrm.backends.sql.writing import Writing
from salescrm.errors import Duplicate, EngineError
from salescrm.plans import After, AllOf, Asked, AskedTally, FindPlan, SortKey
from salescrm.schema import Schema
from salescrm.storage import Insert, Write
from salescrm.sweeps import RowTemplate

__all__ = ["SqlStore"]


class SqlStore:
    """One transaction on the records of one tenant, in tables."""

    def __init__(self, channel: Channel, statements: Statements, writing: Writing, tenant: str) -> None:
        self.tenant = tenant
        self._channel = channel
        self._statements = statements
        self._writing = writing
        self._cursor_names = count(1)

    def get(self, schema: Schema, id: str) -> Any | None:
        """The record, or None."""
        statement = self._statements.get(schema)
        found = statement.read(self._channel.rows(statement.text, (self.tenant, id)))
        return found[0] if found else None

    def find(self, asked: Asked) -> list[Any]:
        """The records in the plan's order, at most as many as its limit."""
        return self._read(self._statements.find(asked.plan), asked)

    def select(self, asked: Asked) -> list[tuple[Any, ...]]:
        """The values of the plan's columns, one tuple per record, in the plan's order."""
        return self._read(self._statements.find(asked.plan), asked)

    def tally(self, asked: AskedTally) -> list[tuple[Any, ...]]:
        """One row per group, keys then numbers, in any order."""
        try:
            return self._read(self._statements.tally(asked.plan), asked)
        except EngineError:
            if self._statements.flavor.name != "sqlite":
                raise
            # A sum beyond 64 bits is the one thing that SQLite may refuse here; its code for that says nothing.
            return self._read(self._statements.tally(asked.plan, big_sums=True), asked)

    def _read(self, statement: Statement, asked: Asked | AskedTally) -> list[Any]:
        rows = self._channel.rows(statement.text, statement.bind(self.tenant, asked.values, ()))
        return statement.read(rows)

    def stream(self, asked: Asked, *, size: int) -> Iterator[list[Any]]:
        """The records in the plan's order in lists of up to *size*."""
        match self._statements.flavor.name:
            case "sqlite":
                return self._fetched(asked, size)
            case "postgresql":
                return self._declared(asked, size)
            case _:
                return self._in_pages(asked, size)

    def _fetched(self, asked: Asked, size: int) -> Iterator[list[Any]]:
        """As the driver steps through the one SELECT."""
        statement = self._statements.find(asked.plan)
        parameters = statement.bind(self.tenant, asked.values, ())
        for rows in self._channel.lists(statement.text, parameters, size):
            yield statement.read(rows)

    def _declared(self, asked: Asked, size: int) -> Iterator[list[Any]]:
        """By a cursor of the server's, which lives in a transaction: the one that is open, or one for this alone."""
        channel, statement = self._channel, self._statements.find(asked.plan)
        name = f"salescrm_{next(self._cursor_names)}"
        with channel.reading():
            parameters = statement.bind(self.tenant, asked.values, ())
            channel.count(f"DECLARE {name} NO SCROLL CURSOR FOR {statement.text}", parameters)
            while rows := channel.rows(f"FETCH {size} FROM {name}", ()):
                yield statement.read(rows)
            channel.run(f"CLOSE {name}")

    def _in_pages(self, asked: Asked, size: int) -> Iterator[list[Any]]:
        """Page by page in one snapshot: PyMySQL can't do two things at once."""
        with self._channel.reading():
            yield from self._pages(asked, size)

    def _pages(self, asked: Asked, size: int) -> Iterator[list[Any]]:
        """Pages, each behind the last record of the one before."""
        plan = asked.plan
        order = plan.order or (SortKey(plan.schema.by_column["id"], descending=False),)
        getters = [plan.schema.getters[key.column.name] for key in order]
        base = len(asked.values)
        slots = tuple(range(base, base + len(order)))
        left = asked.values[plan.limit_slot] if plan.limit_slot is not None else None
        plans: dict[tuple[bool, ...] | None, FindPlan] = {}
        last: tuple[Any, ...] | None = None
        while left is None or left > 0:
            nulls = None if last is None else tuple(value is None for value in last)
            if nulls not in plans:
                where = plan.where if nulls is None else AllOf((plan.where, After(order, slots, nulls)))
                plans[nulls] = attrs.evolve(plan, where=where, order=order, limit_slot=base + len(order))
            limit = size if left is None else min(size, left)
            values = (*asked.values, *(last or (None,) * len(order)), limit)
            records = self.find(Asked(plans[nulls], values))
            if records:
                yield records
            if len(records) < limit:
                return
            left = None if left is None else left - len(records)
            last = tuple(get(records[-1]) for get in getters)

    def write(self, *writes: Write) -> None:
        """Does all of *writes*, in order, or raises."""
        self._channel.begin()
        self._writing.write(self._channel, self.tenant, writes)

    def hold(self, schema: Schema, records: Sequence[Any]) -> None:
        """Nobody else holds one of *records* until this transaction ends."""
        self._channel.begin()
        # SQLite's transaction is the only one that writes.
        if self._statements.flavor.name != "sqlite":
            self._writing.hold(self._channel, self.tenant, schema, records)

    def change(
        self,
        asked: Asked,
        values: Mapping[str, Any],
        *,
        skip_locked: bool = True,
        beside: Sequence[Insert] = (),
    ) -> list[Any]:
        """Sets *values* in the records that match, with what goes *beside* all of them; the records as they were before."""
        self._channel.begin()
        if self._statements.flavor.name == "postgresql":
            return self._change_at_once(asked, values, beside, skip_locked=skip_locked)
        before = self._change(asked, values, skip_locked=skip_locked)
        if beside and len(before) == asked.limit:
            self.write(*beside)
        return before

    def _change_at_once(
        self, asked: Asked, values: Mapping[str, Any], beside: Sequence[Insert], *, skip_locked: bool
    ) -> list[Any]:
        """PostgreSQL's way: one statement, as long as what goes beside it is a few records."""
        channel, plan, writing = self._channel, asked.plan, self._writing
        along = beside if writing.are_few(beside) else ()
        kinds = tuple(one.schema for one in along for _ in one.records)
        statement = self._statements.change(plan, tuple(values), kinds, skip_locked=skip_locked)
        new = (*values.values(), *writing.rows(self.tenant, along))
        before = statement.read(channel.rows(statement.text, statement.bind(self.tenant, asked.values, new)))
        if beside and not along and len(before) == asked.limit:
            self.write(*beside)
        return before

    def _change(self, asked: Asked, values: Mapping[str, Any], *, skip_locked: bool) -> list[Any]:
        """The other engines' way: what is to be changed is read first."""
        channel, plan = self._channel, asked.plan
        names, new = tuple(values), tuple(values.values())
        try:
            # SQLite's transaction holds the one write lock; MySQL locks what it reads here.
            locked = self._statements.locked(plan, skip_locked=skip_locked)
            before = self._read(locked, asked)
            if before:
                update = self._statements.update_ids(plan, names)
                ids = tuple(one.id if plan.columns is None else one[0] for one in before)
                channel.count(update.text, update.bind(self.tenant, (ids,), new))
            return before
        except Taken as taken:
            raise self._changed_into(plan.schema, values) from taken.__cause__

    def sweep(
        self,
        asked: Asked,
        values: Mapping[str, Any],
        rows: Sequence[RowTemplate],
        *,
        skip_locked: bool = True,
    ) -> int:
        """Sets *values* in the records that match and inserts a record per template for each; how many were changed."""
        flavor = self._statements.flavor.name
        if flavor == "mysql":
            # MySQL has no statement that both changes and gives what it changed, so its rows are made here.
            changed = self.change(asked, values, skip_locked=skip_locked)
            self.write(*meaning.swept_rows(asked, values, rows, changed, self.get))
            return len(changed)
        channel = self._channel
        made, new = sweeping(self._statements, asked.plan, values, rows, skip_locked=skip_locked)
        channel.begin()
        try:
            if flavor == "postgresql":
                counted: int = channel.rows(made[0].text, made[0].bind(self.tenant, asked.values, new))[0][0]
                return counted
            swept = 0
            for statement in made:
                swept = channel.count(statement.text, statement.bind(self.tenant, asked.values, new))
            channel.run(f"DROP TABLE temp.{PICKED}")
        except Taken as taken:
            raise self._changed_into(asked.plan.schema, values) from taken.__cause__
        return swept

    def _changed_into(self, schema: Schema, values: Mapping[str, Any]) -> Exception:
        """The unique key that a change ran into: the one whose column it sets."""
        for index in schema.unique:
            if not values.keys().isdisjoint(index.columns):
                return Duplicate(schema.name, index.columns)
        return EngineError(f"a unique key of {schema.name}")

    def commit(self) -> None:
        """What was written is there for all; nothing to do where the transaction is the host's."""
        self._channel.commit()

    def rollback(self) -> None:
        """What was written is gone; nothing to do where the transaction is the host's."""
        self._channel.rollback()

    def after_commit(self, effect: Callable[[], None]) -> None:
        """Runs *effect* after the commit, the host's where the transaction is the host's."""
        self._channel.after_commit(effect)
