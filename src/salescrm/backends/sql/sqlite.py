"""SQLite's ways: JSON functions for lists and custom fields, text arithmetic for time, extended error codes."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from salescrm.backends.sql import codecs
from salescrm.backends.sql.errors import Outdated, Taken
from salescrm.backends.sql.flavor import Converter, Expression, Flavor, MakeBind
from salescrm.errors import Misconfigured, Transient
from salescrm.kinds import Kind

__all__ = ["SqliteFlavor"]

_JSON_TYPES: Final[Mapping[Kind, tuple[str, ...]]] = {Kind.WHOLE: ("integer",), Kind.FLAG: ("true", "false")}


class SqliteFlavor(Flavor):
    """SQLite 3.40 and later, through sqlite3 or aiosqlite."""

    name = "sqlite"
    drivers = frozenset({"pysqlite", "aiosqlite"})
    # A transaction that reads first and then writes fails at once when another has written meanwhile, whatever the
    # busy timeout; one that takes the lock first waits.
    begin = "BEGIN IMMEDIATE"
    write = codecs.SQLITE_WRITE
    read = codecs.SQLITE_READ
    paramstyle = "qmark"

    def shown(self, column: sa.Column[Any], kind: Kind) -> Expression:
        return column

    def element_of(
        self, value: Expression, type_: TypeEngine[Any], bind: MakeBind, convert: Converter | None
    ) -> Expression:
        return value.in_(sa.select(_elements(bind(sa.Text(), _json_list(convert))).c.value))

    def lists(self, texts: Expression, bind: MakeBind) -> Expression:
        element = _elements(texts).c.value
        return sa.exists(sa.select(sa.literal_column("1")).where(element == bind(sa.Text(), None)))

    def includes(self, value: Expression, text: Expression) -> Expression:
        return sa.func.instr(value, text) > sa.literal_column("0")

    def milliseconds(self, start: Expression, end: Expression, kind: Kind) -> Expression:
        if kind is Kind.DAY:
            return _times_1000(sa.func.unixepoch(end) - sa.func.unixepoch(start))
        # Seconds from the text before the point, milliseconds from the text behind it: no float comes near.
        seconds = _times_1000(sa.func.unixepoch(_part(end, 1, 19)) - sa.func.unixepoch(_part(start, 1, 19)))
        return seconds + sa.cast(_part(end, 21, 3), sa.Integer) - sa.cast(_part(start, 21, 3), sa.Integer)

    def custom(self, column: Expression, key: str, kind: Kind) -> Expression:
        path: Expression = sa.literal_column(f"'$.\"{key}\"'")
        found = sa.func.json_type(column, path)
        value = sa.func.json_extract(column, path)
        return sa.case(
            *((found == sa.literal_column(f"'{name}'"), value) for name in _JSON_TYPES.get(kind, ("text",)))
        )

    def big_sum(self, value: Expression) -> tuple[Expression, Converter]:
        # SQLite's own sum ends in an error beyond 64 bits; those of the halves stay far below.
        high = sa.func.sum(value.op(">>")(sa.literal_column("32")))
        low = sa.func.sum(value.op("&")(sa.literal_column("4294967295")))
        return high.op("||")(sa.literal_column("' '")).op("||")(low), _halves

    def fault(self, error: Exception) -> Exception | None:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            return None
        match code & 0xFF:
            case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED | sqlite3.SQLITE_PROTOCOL:
                return Transient(f"SQLite: {getattr(error, 'sqlite_errorname', code)}")
            case sqlite3.SQLITE_CONSTRAINT if code in (
                sqlite3.SQLITE_CONSTRAINT_UNIQUE,
                sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
            ):
                return Taken(None)
            case sqlite3.SQLITE_ERROR:
                return Outdated()  # or any other misuse of SQL: whoever caught it looks for the tables
            case sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_READONLY | sqlite3.SQLITE_NOTADB:
                return Misconfigured(
                    f"SQLite can't use this file ({getattr(error, 'sqlite_errorname', code)})",
                    "check the path, its folder and who may write there",
                )
            case _:
                return None

    def is_lost(self, error: Exception) -> bool:
        return False


def _halves(text: str) -> int:
    high, low = text.split()
    return (int(high) << 32) + int(low)


def _elements(texts: Expression) -> sa.TableValuedAlias:
    return sa.func.json_each(texts).table_valued("value")


def _json_list(convert: Converter | None) -> Converter:
    if convert is None:
        return codecs.to_json
    return lambda values: codecs.to_json([convert(value) for value in values])


def _part(text: Expression, start: int, length: int) -> Expression:
    return sa.func.substr(text, sa.literal_column(str(start)), sa.literal_column(str(length)))


def _times_1000(value: Expression) -> Expression:
    return value * sa.literal_column("1000", sa.BigInteger)
