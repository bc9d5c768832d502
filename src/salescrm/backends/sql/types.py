"""
Column types by kind: the same table means the right thing on each engine, also to a host who reads it with SQLAlchemy.

How a value travels on our own fast path is in ``codecs``; these types serve DDL, casts of parameters, and the host.
"""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import JSON, TIMESTAMP, BigInteger, Boolean, Date, DateTime, String, Text
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

from salescrm.kinds import Kind
from salescrm.schema import Column

__all__ = ["CodePointText", "DayType", "JsonType", "MomentType", "TextsType", "binary_collation", "type_of"]

#: Longer texts are TEXT on MySQL, where a row of VARCHARs may not pass 65,535 bytes.
_LONGEST_VARCHAR: Final = 255


def binary_collation(dialect: Dialect) -> str:
    """The collation that compares by code point and takes trailing blanks seriously (MySQL and MariaDB differ)."""
    return "utf8mb4_nopad_bin" if getattr(dialect, "is_mariadb", False) else "utf8mb4_0900_bin"


class CodePointText(TypeDecorator[str]):
    """Text of up to *limit* characters that compares and sorts by code point; None for any length."""

    impl = String
    cache_ok = True

    def __init__(self, limit: int | None = None) -> None:
        super().__init__(limit)
        self.limit = limit

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(String(self.limit, "C") if self.limit else Text(collation="C"))
        if dialect.name in ("mysql", "mariadb"):
            collation = binary_collation(dialect)
            if self.limit is None or self.limit > _LONGEST_VARCHAR:
                return dialect.type_descriptor(mysql.MEDIUMTEXT(charset="utf8mb4", collation=collation))
            return dialect.type_descriptor(mysql.VARCHAR(self.limit, charset="utf8mb4", collation=collation))
        return dialect.type_descriptor(String(self.limit) if self.limit else Text())


class MomentType(TypeDecorator[datetime]):
    """A moment in UTC to the millisecond. SQLite: ISO text of fixed width, ``2026-03-15T10:00:00.000+00:00``."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(29))
        if dialect.name in ("mysql", "mariadb"):
            return dialect.type_descriptor(mysql.DATETIME(fsp=3))
        return dialect.type_descriptor(TIMESTAMP(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        utc = value.astimezone(UTC)
        return (
            utc.isoformat(timespec="milliseconds") if dialect.name == "sqlite" else utc.replace(tzinfo=None)
        )

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        read: datetime = datetime.fromisoformat(value) if dialect.name == "sqlite" else value
        return read.astimezone(UTC) if read.tzinfo else read.replace(tzinfo=UTC)


class DayType(TypeDecorator[date]):
    """A calendar day. SQLite: ISO text, ``2026-03-15``."""

    impl = Date
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(String(10) if dialect.name == "sqlite" else Date())

    def process_bind_param(self, value: date | None, dialect: Dialect) -> Any:
        return value.isoformat() if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> date | None:
        return date.fromisoformat(value) if isinstance(value, str) else value


class JsonType(TypeDecorator[Any]):
    """JSON: jsonb on PostgreSQL, JSON on MySQL, text on SQLite."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.JSONB())
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else JSON())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return (
            json.dumps(value, ensure_ascii=False) if dialect.name == "sqlite" and value is not None else value
        )

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return json.loads(value) if dialect.name == "sqlite" and value is not None else value


class TextsType(JsonType):
    """A list of text: text[] on PostgreSQL, a JSON array elsewhere."""

    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(postgresql.ARRAY(Text()))
        return super().load_dialect_impl(dialect)


def type_of(column: Column) -> TypeEngine[Any]:
    """The type that holds *column*."""
    match column.kind:
        case Kind.WHOLE:
            return BigInteger()
        case Kind.FLAG:
            return Boolean()
        case Kind.MOMENT:
            return MomentType()
        case Kind.DAY:
            return DayType()
        case Kind.TEXTS:
            return TextsType()
        case Kind.NESTED | Kind.EXTRA:
            return JsonType()
        case _:
            return CodePointText(column.limit)
