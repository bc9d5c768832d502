"""SqlBackend: tables, statements and connections of one database, from which stores are opened."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from salescrm.backends.sql import schema_version
from salescrm.backends.sql.channels import Channel, OwnChannel, Patience
from salescrm.backends.sql.engines import compiling_dialect, flavor_of, own_engine
from salescrm.backends.sql.errors import Translator
from salescrm.backends.sql.handles import lent_by
from salescrm.backends.sql.joined import JoinedChannel
from salescrm.backends.sql.lending import HostLender, Lender, OwnLender
from salescrm.backends.sql.statements import Statements
from salescrm.backends.sql.statistics import assume_sizes
from salescrm.backends.sql.store import SqlStore
from salescrm.backends.sql.tables import index_name, key_name, tables
from salescrm.backends.sql.writing import Writing
from salescrm.bridge import wait
from salescrm.schema import Schema
from salescrm.storage import Capabilities

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["SqlBackend"]


class SqlBackend:
    """
    Records of *schemas* in tables of SQLite, PostgreSQL, MySQL or MariaDB.

    *engine* is an address (then the engine is ours), or a host's Engine or AsyncEngine, whatever its settings. Tables are
    called *prefix* + collection and lie in the database schema *schema*.  On an asynchronous engine every call must
    run inside `bridge.run_plain` or SQLAlchemy's ``run_sync``.

    Raises:
        Misconfigured: An engine or driver that is not known.
    """

    def __init__(
        self,
        engine: sa.Engine | AsyncEngine | str,
        schemas: Sequence[Schema],
        *,
        prefix: str = "",
        schema: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = random.random,
    ) -> None:
        self._owned = isinstance(engine, str)
        self.engine: sa.Engine = (
            own_engine(engine)
            if isinstance(engine, str)
            else engine
            if isinstance(engine, sa.Engine)
            else engine.sync_engine
        )
        self.tables: Mapping[str, sa.Table] = tables(schemas, prefix=prefix, schema=schema)
        self.is_async = self.engine.dialect.is_async
        self.capabilities = Capabilities(
            concurrent_writers=self.engine.dialect.name != "sqlite",
            joinable=("Session", "Connection", "AsyncSession", "AsyncConnection"),
        )
        self._schemas = tuple(schemas)
        self._prefix = prefix
        self._schema = schema
        self._patience = Patience(_sleep_async if self.is_async else sleep, random)
        self._flavor = flavor_of(self.engine.dialect)
        self._lender: Lender = (OwnLender if self._owned else HostLender)(self.engine)
        dialect = compiling_dialect(self.engine.dialect, self._flavor)
        self._statements = Statements(self._flavor, self.tables, dialect)
        self._writing = Writing(self._statements, dialect)
        self._translate = Translator(
            self._flavor,
            dict(self._unique_keys()),
            frozenset(table.name for table in self.tables.values()),
            expected=schema_version.VERSION,
        )

    def _unique_keys(self) -> Any:
        for schema in self._schemas:
            yield key_name(schema, self._prefix), (schema.name, ("id",))
            for index in schema.unique:
                yield index_name(schema, index, self._prefix), (schema.name, index.columns)

    def open(self, tenant: str) -> SqlStore:
        """A store in a transaction of its own."""
        channel = OwnChannel(
            self._flavor, self._translate, self._lender, self._patience, is_async=self.is_async
        )
        return self._store(channel, tenant)

    def join(self, handle: object, tenant: str) -> SqlStore:
        """
        A store inside the open transaction of a SQLAlchemy Session or Connection, or their asynchronous twins.

        A Session is flushed first, so that what the host has added is there.

        Raises:
            Misconfigured: *handle* is none of these, is of another database, or commits each statement by itself.
        """
        channel = JoinedChannel(self._flavor, self._translate, lent_by(handle, self.engine))
        return self._store(channel, tenant)

    def _store(self, channel: Channel, tenant: str) -> SqlStore:
        if self._flavor.name == "mysql" and self.engine.dialect.server_version_info is None:
            # Whether this is MySQL or MariaDB, whose collations differ, shows at the first connection.
            channel.guard(lambda: self.engine.connect().close())
        return SqlStore(channel, self._statements, self._writing, tenant)

    def migrate(self) -> None:
        """Brings tables and indexes to this version; safe to call again, and by several processes at once."""
        with self._connected() as connection:
            schema_version.migrate(connection, prefix=self._prefix, schema=self._schema)
            if self._flavor.name == "sqlite" and self._schema is None:
                assume_sizes(connection, self.tables.values())

    def verify(self) -> None:
        """Raises SchemaOutdated unless `migrate` has nothing to do."""
        with self._connected() as connection:
            schema_version.verify(connection, prefix=self._prefix, schema=self._schema)

    @contextmanager
    def _connected(self) -> Iterator[sa.Connection]:
        """A connection in autocommit; what the driver raises meanwhile comes out as ours."""
        engine = self.engine.execution_options(isolation_level="AUTOCOMMIT")

        def ask(text: str) -> list[Any]:
            with engine.connect() as other:
                return list(other.exec_driver_sql(text))

        try:
            with engine.connect() as connection:
                yield connection
        except Exception as error:
            ours = self._translate(error, ask)
            if ours is error:
                raise
            raise ours from error

    def close(self) -> None:
        """Closes the pool if the engine is ours; a host's stays open."""
        self._lender.close()


def _sleep_async(seconds: float) -> None:
    import asyncio

    wait(asyncio.sleep(seconds))
