"""PostgreSQL's ways: arrays, jsonb, exact numeric epochs, SQLSTATE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.types import TypeEngine

from salescrm.backends.sql import codecs
from salescrm.backends.sql.errors import Outdated, Taken
from salescrm.backends.sql.flavor import Converter, Expression, Flavor, MakeBind
from salescrm.bridge import wait
from salescrm.errors import InvalidQuestion, Transient
from salescrm.kinds import Kind

__all__ = ["PostgresFlavor"]

_JSON_TYPES: Final[Mapping[Kind, str]] = {Kind.WHOLE: "number", Kind.FLAG: "boolean"}
#: Serialization failure, deadlock, lock not available; too many connections; shutdown, crash, not yet started.
_TRY_AGAIN: Final = frozenset({"40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03", "25P03"})
#: Undefined table, column, schema.
_OUTDATED: Final = frozenset({"42P01", "42703", "3F000"})


class PostgresFlavor(Flavor):
    """PostgreSQL 13 and later, through psycopg 3, sync or async."""

    name = "postgresql"
    drivers = frozenset({"psycopg", "psycopg_async"})
    begin = "BEGIN"
    begin_reading = ("BEGIN",)
    write = codecs.POSTGRES_WRITE
    read = codecs.POSTGRES_READ
    paramstyle = "numeric_dollar"
    explicit_nulls = True
    names_locked = True

    def cursor(self, fairy: PoolProxiedConnection, *, is_async: bool) -> Any:
        """
        psycopg's raw cursor, which takes the server's own ``$1``.

        The others translate ``%s``, and keep what they translated only for statements of up to 50 parameters; an insert
        of ours has more, and translating it takes as long as the insert itself.
        """
        from psycopg import AsyncRawCursor, RawCursor
        from psycopg.rows import tuple_row

        driver: Any = fairy.driver_connection
        if is_async:
            return _WaitingCursor(AsyncRawCursor(driver, row_factory=tuple_row))
        return RawCursor(driver, row_factory=tuple_row)

    def shown(self, column: sa.Column[Any], kind: Kind) -> Expression:
        # As text: our scanner reads it, whatever JSON loader a host has set on the connection.
        return sa.cast(column, sa.Text).label(column.name) if kind in (Kind.NESTED, Kind.EXTRA) else column

    def element_of(
        self, value: Expression, type_: TypeEngine[Any], bind: MakeBind, convert: Converter | None
    ) -> Expression:
        def as_array(values: tuple[Any, ...]) -> str:
            return codecs.array_literal(values if convert is None else map(convert, values))

        return value == sa.any_(bind(ARRAY(type_), as_array))

    def lists(self, texts: Expression, bind: MakeBind) -> Expression:
        return bind(sa.Text(), None) == sa.any_(sa.type_coerce(texts, ARRAY(sa.Text())))

    def includes(self, value: Expression, text: Expression) -> Expression:
        return sa.func.strpos(value, text) > sa.literal_column("0")

    def milliseconds(self, start: Expression, end: Expression, kind: Kind) -> Expression:
        if kind is Kind.DAY:
            days = sa.cast(end, sa.Date).op("-")(sa.cast(start, sa.Date))
            return sa.cast(days, sa.BigInteger) * sa.literal_column("86400000", sa.BigInteger)
        span = end.op("-")(start)
        return sa.cast(sa.extract("epoch", span) * sa.literal_column("1000"), sa.BigInteger)

    def custom(self, column: Expression, key: str, kind: Kind) -> Expression:
        name: Expression = sa.literal_column(f"'{key}'")
        text = column.op("->>", return_type=sa.Text())(name)
        value: Expression = sa.collate(text, "C")
        if kind is Kind.WHOLE:
            value = sa.cast(text, sa.BigInteger)
        elif kind is Kind.FLAG:
            value = sa.cast(text, sa.Boolean)
        found = sa.func.jsonb_typeof(column.op("->")(name))
        return sa.case((found == sa.literal_column(f"'{_JSON_TYPES.get(kind, 'string')}'"), value))

    def comparable(self, value: Expression, kind: Kind) -> Expression:
        return sa.cast(value, sa.Integer) if kind is Kind.FLAG else value

    def fault(self, error: Exception) -> Exception | None:
        import psycopg

        if not isinstance(error, psycopg.Error):
            return None
        state = error.sqlstate
        if state is None and isinstance(error, psycopg.DataError):
            return InvalidQuestion(
                "a value in it is none that PostgreSQL can hold"
            )  # psycopg refused it: a NUL
        if state == "23505":
            return Taken(error.diag.constraint_name)
        if state in _OUTDATED:
            return Outdated()
        if state in _TRY_AGAIN or self.is_lost(error):
            return Transient(f"PostgreSQL: {state or type(error).__name__}")
        return None

    def is_lost(self, error: Exception) -> bool:
        import psycopg

        if not isinstance(error, psycopg.OperationalError):
            return False
        # libpq's own connection errors carry no state; the server's are of class 08, or say that it goes down.
        state = error.sqlstate
        return state is None or state.startswith("08") or state in ("57P01", "57P02", "57P03", "25P03")


class _WaitingCursor:
    """An asynchronous cursor of psycopg's as a plain one, for use in a greenlet."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount  # type: ignore[no-any-return]  # psycopg's number

    def execute(self, text: str, parameters: Sequence[Any] = ()) -> None:
        wait(self._cursor.execute(text, parameters or None))

    def executemany(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        wait(self._cursor.executemany(text, rows))

    def fetchall(self) -> list[Any]:
        return wait(self._cursor.fetchall())
