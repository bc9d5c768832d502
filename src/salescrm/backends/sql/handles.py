"""From what a host lends (a Session, a Connection, their asynchronous twins) to the Connection whose transaction it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import sqlalchemy as sa

from salescrm.errors import Misconfigured

__all__ = ["Lent", "lent_by"]

_HINT = "join a SQLAlchemy Session or Connection of the same database, inside its transaction"


@attrs.frozen(eq=False)
class Lent:
    """A host's connection, the transaction that is open on it, and what to call before each write to it."""

    connection: sa.Connection
    transaction: sa.RootTransaction
    renew: Callable[[], object]


def lent_by(handle: Any, engine: sa.Engine) -> Lent:
    """What *handle* lends, its transaction begun, what a Session had pending flushed.

    Raises:
        Misconfigured: *handle* is of no such type, of another database than *engine*, or in autocommit.
    """
    for twin in ("sync_session", "sync_connection"):
        handle = getattr(handle, twin, None) or handle
    renew: Callable[[], object] = _nothing
    if isinstance(handle, sa.Connection):
        connection = handle
    elif callable(getattr(handle, "flush", None)) and callable(getattr(handle, "connection", None)):
        handle.flush()
        try:
            connection = handle.connection()
            renew = handle.connection
        except sa.exc.UnboundExecutionError as unbound:
            raise Misconfigured("this Session has no one engine", "join one of its Connections") from unbound
    else:
        raise Misconfigured(f"a {type(handle).__name__} can't be joined", _HINT)
    if connection.closed:
        raise Misconfigured("the host's connection is closed", _HINT)
    _check_same(connection, engine)
    # As SQLAlchemy itself begins one at the first statement.
    transaction = connection.get_transaction() or connection.begin()
    _check_transactional(connection)
    return Lent(connection, transaction, renew)


def _nothing() -> None:
    pass


def _check_same(connection: sa.Connection, engine: sa.Engine) -> None:
    theirs, ours = connection.engine, engine
    if theirs.dialect.name != ours.dialect.name:
        raise Misconfigured(
            f"the host's transaction is on {theirs.dialect.name}, ours on {ours.dialect.name}", _HINT
        )
    if theirs.pool is ours.pool:
        return
    if _place(theirs.url) != _place(ours.url):
        raise Misconfigured("the host's transaction is on another database", _HINT)


def _place(url: sa.URL) -> tuple[object, ...]:
    if url.get_backend_name() == "sqlite" and url.database:
        return (str(Path(url.database).resolve()),)
    return (url.host, url.port, url.database)


def _check_transactional(connection: sa.Connection) -> None:
    """A driver in autocommit, with no BEGIN sent by hand, would keep what we write whatever the host decides."""
    driver: Any = connection.connection.driver_connection
    match connection.dialect.name:
        case "sqlite":
            alone = driver.isolation_level is None and not driver.in_transaction
        case "postgresql":
            alone = driver.autocommit and driver.info.transaction_status.name == "IDLE"
        case _:
            alone = bool(driver.get_autocommit())
    if alone:
        raise Misconfigured(
            "the host's connection commits each statement by itself", "begin a transaction first"
        )
