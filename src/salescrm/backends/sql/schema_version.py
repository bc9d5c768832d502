"""
Which version a database's tables are of, and bringing them to this one; what the versions are is in ``migrations``.

The look at an up-to-date database is one cheap question; Alembic is loaded only when there is something to do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy.schema import CreateSchema, SchemaItem

from salescrm.backends.sql.migrations.names import table_names, version_table
from salescrm.errors import Misconfigured, SchemaOutdated, Transient

__all__ = ["VERSION", "include_object", "migrate", "verify"]

#: The newest revision.
VERSION: Final = "0001"

#: As Alembic calls it: the object, its name, its type, whether it was reflected, what it is compared to.
IncludeObject: TypeAlias = Callable[[SchemaItem, str | None, Any, bool, SchemaItem | None], bool]

#: Whoever migrates holds it, on PostgreSQL: "salescrm" as a number.
_ADVISORY_LOCK: Final = int.from_bytes(b"salescrm", "big") >> 1
#: For how many seconds a process waits for another one that migrates, on MySQL.
_LONGEST_WAIT: Final = 600


def migrate(connection: sa.Connection, *, prefix: str = "", schema: str | None = None) -> None:
    """
    Brings our tables and indexes on *connection* to this version; safe to call again, and by several processes at once.

    Everything happens inside the transaction that is open on *connection*, which is the caller's to commit; on a
    connection in autocommit, in one of our own.  MySQL and MariaDB commit with each table, whoever asks; a run that was
    cut short there is continued by the next one.  On PostgreSQL a missing *schema* is created.

    Raises:
        Misconfigured: The tables are of a version that this one does not know, or there is no *schema*.
        Transient: Another process migrates, and takes too long.
    """
    if _found(connection, prefix, schema) == VERSION:
        return
    with _alone(connection):
        found = _found(connection, prefix, schema, locked=True)
        if found == VERSION:
            return
        # Loading Alembic takes longer than anything that it does here.
        from salescrm.backends.sql.migrations import running

        if found is not None and found not in running.revisions():
            raise Misconfigured(
                f"the tables are at {found}, which salescrm with {VERSION} does not know",
                "use the version of salescrm that brought them there, or a later one",
            )
        if schema is not None:
            _see_to_schema(connection, schema)
        running.upgrade(connection, prefix=prefix, schema=schema)


def verify(connection: sa.Connection, *, prefix: str = "", schema: str | None = None) -> None:
    """Raises SchemaOutdated unless our tables on *connection* are of this version."""
    found = _found(connection, prefix, schema)
    if found != VERSION:
        raise SchemaOutdated(found, VERSION)


def include_object(
    other: IncludeObject | None = None, *, prefix: str = "", schema: str | None = None
) -> IncludeObject:
    """
    A hook for ``context.configure(include_object=…)`` of a host's Alembic, which then leaves our tables alone.

    What is not ours is decided by *other*, the host's own hook, if any.  *prefix* and *schema* as migrated with.
    """
    ours = table_names(prefix)

    def include(
        item: SchemaItem, name: str | None, type_: Any, reflected: bool, compare_to: SchemaItem | None
    ) -> bool:
        table = item if isinstance(item, sa.Table) else getattr(item, "table", None)
        if isinstance(table, sa.Table) and table.name in ours and table.schema == schema:
            return False
        return other is None or other(item, name, type_, reflected, compare_to)

    return include


def _found(connection: sa.Connection, prefix: str, schema: str | None, *, locked: bool = False) -> str | None:
    """The version of the tables, None where there are none; *locked*, as it is now, whatever this transaction saw before."""
    name = version_table(prefix)
    if not sa.inspect(connection).has_table(name, schema=schema):
        return None
    versions = sa.table(name, sa.column("version_num", sa.String()), schema=schema)
    query = sa.select(versions.c.version_num)
    found: str | None = connection.scalar(query.with_for_update(read=True) if locked else query)
    return found


def _see_to_schema(connection: sa.Connection, schema: str) -> None:
    if sa.inspect(connection).has_schema(schema):
        return
    if connection.dialect.name != "postgresql":
        # There it is a whole database.
        raise Misconfigured(f"there is no {schema}", "create it, or attach it on each connection")
    connection.execute(CreateSchema(schema))


@contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    """In a transaction, and the only process that migrates this database."""
    match connection.dialect.name:
        case "sqlite":
            with _transaction(connection, "BEGIN IMMEDIATE", lambda driver: not driver.in_transaction):
                yield
        case "postgresql":
            with _transaction(connection, "BEGIN", _is_idle):
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_ADVISORY_LOCK)))
                yield
        case _:
            # There a lock is the whole server's, and each statement about tables commits.
            lock = connection.scalar(sa.text("SELECT SHA2(CONCAT('salescrm ', DATABASE()), 256)"))
            if not connection.scalar(sa.select(sa.func.get_lock(lock, _LONGEST_WAIT))):
                raise Transient("another process has been migrating this database for minutes")
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.release_lock(lock)))


@contextmanager
def _transaction(
    connection: sa.Connection, begin: str, none_is_open: Callable[[Any], bool]
) -> Iterator[None]:
    """The transaction that is open on *connection*, or will be by itself; in autocommit one of our own."""
    pooled: Any = connection.connection
    if not none_is_open(pooled.driver_connection):
        yield
        return
    ours = connection.dialect.detect_autocommit_setting(pooled.dbapi_connection)
    connection.exec_driver_sql(begin)
    try:
        yield
    except BaseException:
        if ours:
            connection.exec_driver_sql("ROLLBACK")
        raise
    if ours:
        connection.exec_driver_sql("COMMIT")


def _is_idle(driver: Any) -> bool:
    # Outside of autocommit the driver begins by itself.
    return bool(driver.autocommit) and driver.info.transaction_status.name == "IDLE"
