"""What the white-box tests of the SQL backend share: a backend on a URL, questions asked, statements overheard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from zoneinfo import ZoneInfo

import attrs
import sqlalchemy as sa

from salescrm.backends.sql import SqlBackend
from salescrm.backends.sql.channels import Channel
from salescrm.backends.sql.statements import Statement
from salescrm.backends.sql.sweeps import sweeping
from salescrm.catalog import schemas
from salescrm.checking import Checker, Context
from salescrm.checking.cursors import Cursors
from salescrm.plans import Asked, AskedTally
from salescrm.query import EVERYTHING, Order, Query, Tally, Where
from salescrm.schema import Schema
from salescrm.storage import Insert, Store
from salescrm.testing import START, Maker

TENANT = "acme"
SCHEMAS: Final = schemas()


@attrs.define(eq=False)
class Lab:
    """A migrated backend, and the way to ask it."""

    backend: SqlBackend
    make: Maker = attrs.field(factory=Maker)
    checker: Checker = attrs.field(factory=lambda: Checker(SCHEMAS, Cursors()))
    context: Context = attrs.field(factory=lambda: Context(START, ZoneInfo("Asia/Shanghai")))

    _opened: list[Store] = attrs.field(factory=list)

    def open(self) -> Store:
        """A store that is rolled back at the end, unless it ended before."""
        store = self.backend.open(TENANT)
        self._opened.append(store)
        return store

    def close(self) -> None:
        while self._opened:
            self._opened.pop().rollback()
        self.backend.close()

    def asked(
        self,
        schema: Schema,
        where: Where = EVERYTHING,
        order: tuple[Order, ...] = (),
        *,
        limit: int = 50,
        behind: Any = None,
    ) -> Asked:
        query = Query(where=where, order=order, limit=limit)
        if behind is not None:
            query = attrs.evolve(query, after=self.checker.cursor(schema, query, behind))
        return self.checker.find(schema, query, self.context)

    def tallied(self, schema: Schema, tally: Tally) -> AskedTally:
        return self.checker.tally(schema, tally, self.context)[0]

    def seed(self, schema: Schema, *records: Any) -> None:
        store = self.open()
        store.write(Insert(schema, [own(schema, record) for record in records]))
        store.commit()

    def explain(self, asked: Asked | AskedTally) -> str:
        """The engine's plan for that question, as the engine says it."""
        statements = self.backend._statements
        made = statements.find(asked.plan) if isinstance(asked, Asked) else statements.tally(asked.plan)
        return self._explained(made, asked.values, ())

    def explain_change(self, asked: Asked, values: Mapping[str, Any]) -> str:
        """PostgreSQL's plan for a change, as it says it."""
        made = self.backend._statements.change(asked.plan, tuple(values), skip_locked=False)
        return self._explained(made, asked.values, tuple(values.values()))

    def explain_sweep(self, asked: Asked, values: Mapping[str, Any]) -> str:
        """PostgreSQL's plan for a sweep that writes no rows, as it says it."""
        (made,), new = sweeping(self.backend._statements, asked.plan, values, (), skip_locked=False)
        return self._explained(made, asked.values, new)

    def _explained(self, made: Statement, values: Sequence[Any], new: Sequence[Any]) -> str:
        word = "EXPLAIN QUERY PLAN" if self.backend.engine.dialect.name == "sqlite" else "EXPLAIN"
        channel = self.backend.open(TENANT)._channel
        try:
            rows = channel.rows(f"{word} {made.text}", made.bind(TENANT, values, new))
        finally:
            channel.rollback()
        return "\n".join(str(row[-1]) for row in rows)


def own(schema: Schema, record: Any) -> Any:
    return schema.evolve(record, {"tenant": TENANT})


@contextmanager
def lab(url: str | sa.Engine, **options: Any) -> Iterator[Lab]:
    """A lab on a new database."""
    backend = SqlBackend(url, tuple(SCHEMAS.values()), **options)
    backend.migrate()
    made = Lab(backend)
    try:
        yield made
    finally:
        made.close()


class Overheard:
    """A cursor that notes what goes through it; every other word is the driver's."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.said: list[str] = []

    def execute(self, text: str, *parameters: Any) -> Any:
        self.said.append(text.lstrip().split(None, 1)[0].upper())
        return self._cursor.execute(text, *parameters)

    def executemany(self, text: str, rows: Any) -> Any:
        self.said.append(f"{text.lstrip().split(None, 1)[0].upper()} many")
        return self._cursor.executemany(text, rows)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cursor, name)


@contextmanager
def overhearing(backend: SqlBackend) -> Iterator[list[str]]:
    """The first word of each statement that the backend's one idle connection runs meanwhile."""
    channel: Channel = backend.open(TENANT)._channel
    channel.run("SELECT 1")
    info: dict[str, Any] = channel.fairy.info
    cursor = Overheard(info["salescrm.cursor"])
    info["salescrm.cursor"] = cursor
    channel.commit()
    try:
        yield cursor.said
    finally:
        info["salescrm.cursor"] = cursor._cursor
