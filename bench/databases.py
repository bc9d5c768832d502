"""
Databases with our tables, made by `Crm.migrate`: empty ones to write into, loaded ones to read from.

Loading goes past everything that is measured: straight into the tables, secondary indexes put on afterwards.
"""

from __future__ import annotations

import shutil
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final
from uuid import uuid4

import psycopg

import salescrm
from bench.contender import Contender
from bench.handwritten import postgres, sqlite
from bench.handwritten.rows import CUSTOMER_COLUMNS
from bench.material import MEMBER, PIPELINE, POOL, SCHEMAS, START, TENANT, Ids, customers, deals
from salescrm.kinds import Kind
from tests import servers

__all__ = ["Database", "PostgresDatabase", "SqliteDatabase"]

#: What differs from deal to deal, in the order of `material.Deal`.
_DEAL: Final = ("id", "number", "stage", "status", "amount", "amount_currency", "owner_id", "customer_id")
_STAMP: Final = START.isoformat(timespec="milliseconds")


class Database(ABC):
    """One database of one engine."""

    engine: ClassVar[str]

    def __init__(self, url: str) -> None:
        #: As `salescrm.connect` takes it.
        self.url = url

    def migrate(self) -> None:
        """Gives it our tables."""
        with salescrm.connect(self.url) as crm:
            crm.migrate()

    @abstractmethod
    def driver(self, clock: Callable[[], datetime], ids: Ids) -> Contender:
        """The hand-written contender on it."""

    @abstractmethod
    def copy(self) -> Database:
        """Another one with the same content."""

    @abstractmethod
    def copy_for_peers(self) -> Database:
        """Another one whose moments are written as other libraries write them."""

    @abstractmethod
    def backends(self) -> list[int]:
        """The server's processes that serve it, by process id; it serves itself where there is no server."""

    @abstractmethod
    def execute(self, *statements: str) -> list[Any]:
        """The rows of the last of *statements*."""

    @abstractmethod
    def insert(self, table: str, columns: Sequence[str], made: Iterable[Sequence[Any]]) -> None:
        """Puts rows in."""

    @abstractmethod
    def indexes(self, table: str) -> list[tuple[str, str]]:
        """Name and definition of every secondary index of *table*."""

    @abstractmethod
    def settle(self) -> None:
        """Lets the engine learn what is in its tables, as it would overnight."""

    def rows(self, table: str, *, where: str = "", order: str = "id") -> list[dict[str, Any]]:
        """The rows of *table* by column name, all or those of a *where* clause, in *order*."""
        names = [row[0] for row in self.execute(self._columns_of(table))]
        found = self.execute(f"SELECT * FROM {table} {where} ORDER BY {order}")
        return [dict(zip(names, row, strict=True)) for row in found]

    @abstractmethod
    def _columns_of(self, table: str) -> str: ...

    def clear(self) -> None:
        """Takes out what contenders write."""
        self.execute(*[f"DELETE FROM {table}" for table in ("customers", "change_log", "events")])

    def load_customers(self, count: int) -> None:
        """Puts in *count* customers."""
        row = sqlite.customer_row if self.engine == "sqlite" else postgres.customer_row
        with self._unindexed("customers"):
            self.insert("customers", CUSTOMER_COLUMNS, map(row, customers(count)))
        self.settle()

    def load_quiet(self, count: int, since: datetime, days: int) -> None:
        """
        Puts in *count* customers that have been quiet since any moment of the *days* days from *since*.

        A tenth of them has an open deal, and a few were protected once.
        """
        base = min(count, 20_000)
        row = sqlite.customer_row if self.engine == "sqlite" else postgres.customer_row
        anywhere = self._anywhere(since, days)
        new = {
            "id": f"substr(c.id, 1, 24) || {self._hex}",
            "number": "k.n || '-' || c.number",
            "quiet_since": anywhere,
        }
        copied = [new.get(name, f"c.{name}") for name in CUSTOMER_COLUMNS]
        with self._unindexed("customers"):
            self.insert("customers", CUSTOMER_COLUMNS, map(row, customers(base)))
            self.execute(
                "UPDATE customers SET open_opportunities = 1, dealless_since = NULL WHERE number LIKE '%7'",
                "UPDATE customers SET protected_until = owned_since WHERE number LIKE '%13'",
                f"UPDATE customers SET quiet_since = {anywhere}",
                # The rest are copies, made in the engine: a million would take Python a minute.
                f"INSERT INTO customers ({', '.join(CUSTOMER_COLUMNS)}) SELECT {', '.join(copied)} FROM customers AS c, "
                f"(WITH RECURSIVE k(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM k WHERE n < {count // base - 1}) "
                f"SELECT n FROM k WHERE n < {count // base}) AS k",
            )
        self.settle()

    #: The number n of a copy, as twelve hexadecimal digits.
    _hex: ClassVar[str]

    @abstractmethod
    def _anywhere(self, since: datetime, days: int) -> str:
        """SQL of any moment of the *days* days from *since*."""

    def load_pooled(self, count: int) -> None:
        """Puts in *count* customers that nobody owns, in the pool since they were created."""
        row = sqlite.customer_row if self.engine == "sqlite" else postgres.customer_row
        pooled = (one.unowned_in(POOL, at=one.created_at) for one in customers(count))
        with self._unindexed("customers"):
            self.insert("customers", CUSTOMER_COLUMNS, map(row, pooled))
        self.settle()

    def load_deals(self, count: int) -> None:
        """Puts in *count* opportunities."""
        with self._unindexed("opportunities"):
            self.execute("CREATE TABLE deals (" + ", ".join(f"{name} TEXT" for name in _DEAL) + ")")
            self.insert("deals", _DEAL, deals(count))
            texts = "'[]'" if self.engine == "sqlite" else "'{}'"
            constants = {
                "tenant": f"'{TENANT}'", "version": "1", "created_at": f"'{_STAMP}'", "created_by": f"'{MEMBER}'",
                "updated_at": f"'{_STAMP}'", "updated_by": f"'{MEMBER}'", "name": "'五轴机床'",
                "pipeline": f"'{PIPELINE}'", "furthest_stage": "stage", "probability": "50",
                "probability_overridden": "false", "competitors": "'[]'", "collaborators": "'[]'",
                "opened_at": f"'{_STAMP}'", "stage_entered_at": f"'{_STAMP}'", "follow_up_count": "0",
                "tags": texts, "extra": "'{}'", "search_text": "number", "amount": "CAST(amount AS BIGINT)",
            }  # fmt: skip
            given = [name for name in _DEAL if name != "amount"]
            self.execute(
                f"INSERT INTO opportunities ({', '.join([*given, *constants])}) "
                f"SELECT {', '.join([*given, *constants.values()])} FROM deals",
                "DROP TABLE deals",
            )
        self.settle()

    @contextmanager
    def _unindexed(self, table: str) -> Iterator[None]:
        indexes = self.indexes(table)
        self.execute(*[f"DROP INDEX {name}" for name, _ in indexes])
        yield
        self.execute(*[definition for _, definition in indexes])


class SqliteDatabase(Database):
    """A file."""

    engine = "sqlite"
    _hex = "printf('%012x', k.n)"

    def _anywhere(self, since: datetime, days: int) -> str:
        milliseconds = f"abs(random()) % {days * 86_400_000}"
        return f"strftime('%Y-%m-%dT%H:%M:%f+00:00', {since.timestamp():.0f} + ({milliseconds}) / 1000.0, 'unixepoch')"

    def __init__(self, path: Path) -> None:
        super().__init__(f"sqlite:///{path}")
        self.path = path

    def driver(self, clock: Callable[[], datetime], ids: Ids) -> Contender:
        return sqlite.SqliteDriver(str(self.path), clock, ids)

    def copy(self) -> SqliteDatabase:
        path = self.path.with_name(f"{uuid4().hex}.db")
        self.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(self.path, path)
        return SqliteDatabase(path)

    def copy_for_peers(self) -> SqliteDatabase:
        made = self.copy()
        for table in ("customers", "opportunities"):
            moments = [c.name for c in SCHEMAS[table].columns if c.kind is Kind.MOMENT]
            as_theirs = [f"{name} = replace(substr({name}, 1, 23), 'T', ' ') || '000'" for name in moments]
            with made._unindexed(table):
                made.execute(f"UPDATE {table} SET {', '.join(as_theirs)}")
        made.settle()
        return made

    def backends(self) -> list[int]:
        return []

    def execute(self, *statements: str) -> list[Any]:
        connection = sqlite3.connect(self.path)
        try:
            found: list[Any] = []
            for statement in statements:
                found = connection.execute(statement).fetchall()
            connection.commit()
            return found
        finally:
            connection.close()

    def insert(self, table: str, columns: Sequence[str], made: Iterable[Sequence[Any]]) -> None:
        connection = sqlite3.connect(self.path)
        marks = ", ".join("?" for _ in columns)
        connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", made)
        connection.commit()
        connection.close()

    def indexes(self, table: str) -> list[tuple[str, str]]:
        return self.execute(
            f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = '{table}' AND sql IS NOT NULL"
        )

    def _columns_of(self, table: str) -> str:
        return f"SELECT name FROM pragma_table_info('{table}')"

    def settle(self) -> None:
        self.execute("ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)")


class PostgresDatabase(Database):
    """A database of a private server."""

    engine = "postgresql"
    _hex = "lpad(to_hex(k.n), 12, '0')"

    def _anywhere(self, since: datetime, days: int) -> str:
        anywhere = f"timestamptz '{since.isoformat()}' + random() * interval '{days} days'"
        return f"date_trunc('milliseconds', {anywhere})"

    @property
    def _dsn(self) -> str:
        return servers.driver_url(self.url)

    def driver(self, clock: Callable[[], datetime], ids: Ids) -> Contender:
        return postgres.PostgresDriver(self._dsn, clock, ids)

    def copy(self) -> PostgresDatabase:
        name = f"bench_{uuid4().hex}"
        head, _, old = self.url.partition("?")[0].rpartition("/")
        query = self.url.partition("?")[2]
        admin = psycopg.connect(servers.driver_url(f"{head}/postgres?{query}"), autocommit=True)
        with admin:
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{old}" STRATEGY FILE_COPY')
        return PostgresDatabase(f"{head}/{name}?{query}")

    def copy_for_peers(self) -> PostgresDatabase:
        return self.copy()

    def backends(self) -> list[int]:
        # Clients only: what the server starts by itself (autovacuum, parallel workers) comes and goes.
        me = "datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        return [pid for (pid,) in self.execute(f"SELECT pid FROM pg_stat_activity WHERE {me}")]

    def execute(self, *statements: str) -> list[Any]:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            found: list[Any] = []
            for statement in statements:
                cursor = connection.execute(statement)
                found = cursor.fetchall() if cursor.description else []
            return found

    def insert(self, table: str, columns: Sequence[str], made: Iterable[Sequence[Any]]) -> None:
        text = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with psycopg.connect(self._dsn) as connection, connection.cursor().copy(text) as copy:
            for row in made:
                copy.write_row(row)

    def indexes(self, table: str) -> list[tuple[str, str]]:
        return self.execute(
            f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename = '{table}' AND indexname NOT LIKE 'pk_%'"
        )

    def _columns_of(self, table: str) -> str:
        return f"SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY ordinal_position"

    def settle(self) -> None:
        self.execute("VACUUM ANALYZE")
