"""Our own engines from an address, and which flavor and dialect an engine speaks."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event

from salescrm.backends.sql.flavor import Flavor
from salescrm.backends.sql.mysql import MysqlFlavor
from salescrm.backends.sql.postgresql import PostgresFlavor
from salescrm.backends.sql.sqlite import SqliteFlavor
from salescrm.errors import Misconfigured

__all__ = ["compiling_dialect", "flavor_of", "own_engine"]

#: Addresses that name no driver get the one that we know.
_DRIVERS: Final[Mapping[str, str]] = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}

#: Seconds that a SQLite connection waits for another's lock.
_SQLITE_PATIENCE: Final = 5


def own_engine(address: str) -> sa.Engine:
    """
    An engine for *address* whose transactions are ours alone to begin and end.

    SQLite: write-ahead log, ``synchronous=NORMAL``: what was committed survives the death of the process at any moment;
    a loss of power may take the last commits, never the file.  A host who wants more hands in an engine of his own.
    """
    url = _url(address)
    options: dict[str, Any] = {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}
    name = url.get_backend_name()
    if name == "sqlite":
        if url.database in (None, "", ":memory:"):
            raise Misconfigured(
                "a SQLite database in memory belongs to one connection", "use memory://, or a file"
            )
        options["connect_args"] = {"cached_statements": 512}
    if url.get_dialect().is_async:
        from sqlalchemy.ext.asyncio import create_async_engine

        engine = create_async_engine(url, **options).sync_engine
    else:
        engine = sa.create_engine(url, **options)
    event.listen(engine, "connect", {"sqlite": _on_sqlite, "postgresql": _on_postgres}.get(name, _on_mysql))
    return engine


def _url(address: str) -> sa.URL:
    try:
        url = sa.make_url(address)
        if url.drivername in _DRIVERS:
            url = url.set(drivername=_DRIVERS[url.drivername])
        url.get_dialect()
    except sa.exc.ArgumentError as wrong:
        raise Misconfigured(
            "this is no address of a database", "see salescrm.connect for examples"
        ) from wrong
    return url


def _on_sqlite(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_SQLITE_PATIENCE * 1_000}")
    _log_ahead(cursor)
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _log_ahead(cursor: Any) -> None:
    """
    The file in write-ahead mode.

    A new file is turned once, alone; whoever comes meanwhile is refused at once, whatever the busy timeout,
    since SQLite calls no busy handler for a lock that is raised.  So the waiting is ours.
    """
    until = time.monotonic() + _SQLITE_PATIENCE
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.005)
        else:
            return


def _on_postgres(connection: Any, record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("SET TIME ZONE 'UTC'")
    cursor.close()
    # Each shape of question is prepared once; psycopg keeps 100 unless told.
    record.driver_connection.prepared_max = 1_000


def _on_mysql(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    # As everywhere else: a claim that waits for another must see what that one committed.
    cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
    cursor.close()


def flavor_of(dialect: sa.Dialect) -> Flavor:
    """The flavor that speaks *dialect*.

    Raises:
        Misconfigured: An engine or a driver that we don't know.
    """
    flavors: dict[str, Callable[[], Flavor]] = {
        "sqlite": SqliteFlavor,
        "postgresql": PostgresFlavor,
        "mysql": lambda: MysqlFlavor(dialect),
        "mariadb": lambda: MysqlFlavor(dialect),
    }
    if dialect.name not in flavors:
        raise Misconfigured(f"no SQL is known for {dialect.name}", f"use one of {', '.join(flavors)}")
    flavor = flavors[dialect.name]()
    if dialect.driver not in flavor.drivers:
        raise Misconfigured(
            f"the driver {dialect.driver} is not known", f"use one of {', '.join(sorted(flavor.drivers))}"
        )
    return flavor


def compiling_dialect(dialect: sa.Dialect, flavor: Flavor) -> sa.Dialect:
    """*dialect* as our statements are compiled for: parameters by position, everything else as the server was found."""
    if dialect.paramstyle == flavor.paramstyle:
        return dialect
    ours = type(dialect)(paramstyle=flavor.paramstyle)  # type: ignore[call-arg]  # every dialect of SQLAlchemy's takes it
    ours.identifier_preparer = ours.preparer(ours)
    return ours
