"""MySQL's and MariaDB's ways: client-side lists, JSON functions, error numbers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from salescrm.backends.sql import codecs
from salescrm.backends.sql.errors import Outdated, Taken
from salescrm.backends.sql.flavor import Converter, Expression, Flavor, MakeBind
from salescrm.backends.sql.types import DayType, MomentType, binary_collation
from salescrm.errors import Transient
from salescrm.kinds import Kind

__all__ = ["MysqlFlavor"]

_NEVER_STORED: Final[Mapping[type, Any]] = {
    sa.BigInteger: 2**62,
    sa.Boolean: 2,
    MomentType: datetime(9999, 12, 31),  # noqa: DTZ001  # as DATETIME holds it
    DayType: date(9999, 12, 31),
}
_JSON_TYPES: Final[Mapping[Kind, str]] = {Kind.WHOLE: "INTEGER", Kind.FLAG: "BOOLEAN"}
#: Lock wait timeout, deadlock, "record has changed since last read" (MariaDB), too many connections, query interrupted
#: by shutdown.
_TRY_AGAIN: Final = frozenset({1205, 1213, 1020, 1040, 1053, 3572})
#: Server gone, lost, unreachable, connection killed.
_LOST: Final = frozenset({2002, 2003, 2006, 2013, 2014, 2045, 2055, 1053, 1927, 4031})
#: Unknown table, unknown column, unknown database.
_OUTDATED: Final = frozenset({1146, 1054, 1049})


class MysqlFlavor(Flavor):
    """MariaDB 10.6 and MySQL 8.0 and later, through PyMySQL or asyncmy."""

    name = "mysql"
    drivers = frozenset({"pymysql", "asyncmy"})
    begin = "BEGIN"
    # Our sessions read what is committed by now; the pages of a stream must be of one moment.
    begin_reading = (
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT",
    )
    write = codecs.MYSQL_WRITE
    read = codecs.MYSQL_READ
    paramstyle = "format"

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect

    def shown(self, column: sa.Column[Any], kind: Kind) -> Expression:
        return column

    def element_of(
        self, value: Expression, type_: TypeEngine[Any], bind: MakeBind, convert: Converter | None
    ) -> Expression:
        def as_tuple(values: tuple[Any, ...]) -> tuple[Any, ...]:
            if not values:
                return (nothing,)
            return tuple(values) if convert is None else tuple(convert(one) for one in values)

        # No list may be empty, and a null in one would make NOT IN null: so a value that is never stored.
        nothing = _NEVER_STORED.get(type(type_), "\0")

        # Both drivers write a tuple out as a list in parentheses.
        return value.op("IN", is_comparison=True)(bind(sa.types.NullType(), as_tuple))

    def lists(self, texts: Expression, bind: MakeBind) -> Expression:
        return sa.func.json_contains(texts, bind(sa.Text(), codecs.to_json)) == sa.literal_column("1")

    def includes(self, value: Expression, text: Expression) -> Expression:
        return sa.func.locate(text, value) > sa.literal_column("0")

    def milliseconds(self, start: Expression, end: Expression, kind: Kind) -> Expression:
        if kind is Kind.DAY:
            return sa.func.datediff(end, start) * sa.literal_column("86400000", sa.BigInteger)
        span = sa.func.timestampdiff(sa.literal_column("MICROSECOND"), start, end)
        return span.op("DIV", return_type=sa.BigInteger())(sa.literal_column("1000"))

    def custom(self, column: Expression, key: str, kind: Kind) -> Expression:
        found = sa.func.json_extract(column, sa.literal_column(f"'$.\"{key}\"'"))
        text = sa.func.json_unquote(found, type_=sa.Text())
        value: Expression = sa.collate(text, binary_collation(self._dialect))
        if kind is Kind.WHOLE:
            value = sa.cast(text, sa.BigInteger)
        elif kind is Kind.FLAG:
            value = text == sa.literal_column("'true'")
        is_kind = sa.func.json_type(found) == sa.literal_column(f"'{_JSON_TYPES.get(kind, 'STRING')}'")
        return sa.case((is_kind, value))

    def fault(self, error: Exception) -> Exception | None:
        number = _number(error)
        if number == 1062:
            return Taken(None)  # which key is in the message only: whoever caught it asks the table
        if number in _OUTDATED:
            return Outdated()
        if number in _TRY_AGAIN or number in _LOST:
            return Transient(f"MySQL: {number}")
        return None

    def is_lost(self, error: Exception) -> bool:
        return _number(error) in _LOST


def _number(error: Exception) -> int | None:
    number = error.args[0] if error.args else None
    return number if isinstance(number, int) else None
