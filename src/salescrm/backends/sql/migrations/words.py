"""
The words that revisions are written in: columns and indexes in the terms of a DBA, rendered for each engine.

What a word means never changes, for databases out there were made by it; a new meaning is a new word.

===========  =========================  ==========================================  ============
word         PostgreSQL                 MySQL and MariaDB, all text utf8mb4         SQLite
===========  =========================  ==========================================  ============
text (≤ 255) varchar(n) COLLATE "C"     varchar(n), binary no-pad collation         VARCHAR(n)
text (more)  varchar(n) COLLATE "C"     mediumtext, binary no-pad collation         VARCHAR(n)
folded       varchar COLLATE "C"        mediumtext, binary no-pad collation         TEXT
whole        bigint                     bigint                                      BIGINT
flag         boolean                    bool                                        BOOLEAN
moment       timestamptz                datetime(3)                                 VARCHAR(29)
day          date                       date                                        VARCHAR(10)
texts        text[]                     json                                        TEXT
nested       jsonb                      json                                        TEXT
===========  =========================  ==========================================  ============
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Literal, TypeAlias

import attrs
import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.types import TypeEngine

from salescrm.backends.sql.migrations.names import short

__all__ = [
    "Column", "Index", "Tables", "choice", "day", "decimal", "extra", "flag", "folded", "index", "moment", "money",
    "nested", "reference", "stamps", "text", "texts", "unique", "whole",
]  # fmt: skip

Kind: TypeAlias = Literal["text", "whole", "flag", "moment", "day", "texts", "nested"]

#: Of MySQL's VARCHAR: a row of longer ones would pass 65,535 bytes.
_LONGEST_VARCHAR: Final = 255


@attrs.frozen
class Column:
    """One column as a revision names it."""

    name: str
    kind: Kind
    limit: int | None = None
    null: bool = False
    comment: str | None = None


@attrs.frozen
class Index:
    """Columns that a list is read by; the tenant leads, and the id ends it unless it is unique."""

    columns: tuple[str, ...]
    is_unique: bool = False
    covering: tuple[str, ...] = ()


def text(name: str, limit: int, *, null: bool = False) -> Column:
    """Text of up to *limit* characters, compared by code point."""
    return Column(name, "text", limit, null)


def stamps() -> tuple[Column, ...]:
    """What every record opens with; tenant and id are the key."""
    return (
        text("id", 64),
        text("tenant", 64),
        whole("version"),
        moment("created_at"),
        text("created_by", 64),
        moment("updated_at"),
        text("updated_by", 64),
    )


def choice(name: str, *choices: str, null: bool = False) -> Column:
    """One of *choices*, as text."""
    return Column(name, "text", 64, null, "one of " + ", ".join(choices))


def reference(name: str, *, null: bool = False) -> Column:
    """The id of another record of the same tenant."""
    return Column(name, "text", 64, null, "an id of the same tenant")


def folded(name: str) -> Column:
    """The folded text of the searched fields, of any length."""
    return Column(name, "text", None, False, "folded text that caseless search looks into")


def whole(name: str, *, null: bool = False) -> Column:
    """A whole number of 64 bits."""
    return Column(name, "whole", None, null)


def decimal(name: str) -> Column:
    """An exact decimal, as whole ten-thousandths."""
    return Column(name, "whole", None, False, "whole ten-thousandths")


def money(name: str) -> tuple[Column, Column]:
    """An amount, or none: two columns."""
    comment = f"{name}: whole minor units, and the ISO 4217 currency beside it"
    return Column(name, "whole", None, True, comment), Column(f"{name}_currency", "text", 3, True, comment)


def flag(name: str, *, null: bool = False) -> Column:
    """Yes or no."""
    return Column(name, "flag", None, null)


def moment(name: str, *, null: bool = False) -> Column:
    """A moment; on SQLite ISO text of fixed width."""
    return Column(name, "moment", None, null, "UTC, to the millisecond")


def day(name: str, *, null: bool = False) -> Column:
    """A calendar day; on SQLite ISO text."""
    return Column(name, "day", None, null)


def texts(name: str) -> Column:
    """A list of text."""
    return Column(name, "texts")


def nested(name: str, *, null: bool = False) -> Column:
    """JSON."""
    return Column(name, "nested", None, null)


def extra() -> Column:
    """JSON of the host's own declared fields."""
    return Column("extra", "nested", None, False, "the host's own declared fields")


def index(*columns: str, covering: tuple[str, ...] = ()) -> Index:
    """Over the tenant, *columns* and the id; nulls stand first on every engine. PostgreSQL carries *covering* beside the key."""
    return Index(columns, covering=covering)


def unique(*columns: str) -> Index:
    """No two records of a tenant have the same *columns*."""
    return Index(columns, is_unique=True)


class Tables:
    """Makes what a revision names on one connection: tables behind *prefix*, in the database schema *schema*."""

    def __init__(self, operations: Operations, *, prefix: str, schema: str | None) -> None:
        self._op = operations
        self._prefix = prefix
        self._schema = schema
        self._dialect: sa.Dialect = operations.get_context().dialect

    def create(self, name: str, of: str, *columns: Column, indexes: Iterable[Index] = ()) -> None:
        """The table *name*, of the records called *of*, its key being tenant and id, with its *indexes*."""
        full = short(f"{self._prefix}{name}")
        made = self._there(full)
        if made is None:
            self._op.create_table(
                full,
                *[sa.Column(c.name, self._type(c), nullable=c.null, comment=c.comment) for c in columns],
                sa.PrimaryKeyConstraint("tenant", "id", name=short(f"pk_{self._prefix}{name}")),
                schema=self._schema,
                comment=f"{of} records of all tenants; written by salescrm, free to read",
                sqlite_with_rowid=False,
                mysql_charset="utf8mb4",
                mysql_engine="InnoDB",
                mariadb_charset="utf8mb4",
                mariadb_engine="InnoDB",
            )
        nullable = {column.name for column in columns if column.null}
        for one in indexes:
            kind = "uq" if one.is_unique else "ix"
            index_name = short("_".join((kind, f"{self._prefix}{name}", *one.columns)))
            if made is None or index_name not in made:
                self._index(index_name, full, one, nullable)

    def _index(self, name: str, table: str, index: Index, nullable: set[str]) -> None:
        columns, include = ["tenant", *index.columns], list(index.covering)
        if not index.is_unique:
            columns.append("id")
        keys: list[Any] = list(columns)
        if self._dialect.name != "postgresql":
            # Only PostgreSQL carries columns beside the key.
            keys += include
        elif not index.is_unique:
            # Only PostgreSQL puts nulls last unless told.
            keys = [sa.column(c).asc().nulls_first() if c in nullable else c for c in columns]
        self._op.create_index(
            name,
            table,
            keys,
            schema=self._schema,
            unique=index.is_unique,
            postgresql_include=include,
        )

    def _there(self, table: str) -> set[str | None] | None:
        """The indexes that *table* has, or None if there is no such table."""
        if self._dialect.name not in ("mysql", "mariadb"):
            return None
        # Each statement is committed by itself here, so an earlier run may have stopped half-way.
        inspector = sa.inspect(self._op.get_bind())
        if not inspector.has_table(table, schema=self._schema):
            return None
        return {one["name"] for one in inspector.get_indexes(table, schema=self._schema)}

    def _type(self, column: Column) -> TypeEngine[Any]:
        match self._dialect.name:
            case "postgresql":
                return _of_postgresql(column)
            case "sqlite":
                return _of_sqlite(column)
            case _:
                return _of_mysql(column, is_mariadb=getattr(self._dialect, "is_mariadb", False))


def _of_postgresql(column: Column) -> TypeEngine[Any]:
    match column.kind:
        case "text":
            return sa.String(column.limit, "C")
        case "whole":
            return sa.BigInteger()
        case "flag":
            return sa.Boolean()
        case "moment":
            return sa.TIMESTAMP(timezone=True)
        case "day":
            return sa.Date()
        case "texts":
            return postgresql.ARRAY(sa.Text())
        case "nested":
            return postgresql.JSONB()


def _of_sqlite(column: Column) -> TypeEngine[Any]:
    match column.kind:
        case "text":
            return sa.String(column.limit) if column.limit else sa.Text()
        case "whole":
            return sa.BigInteger()
        case "flag":
            return sa.Boolean()
        case "moment":
            return sa.String(29)
        case "day":
            return sa.String(10)
        case "texts" | "nested":
            return sa.Text()


def _of_mysql(column: Column, *, is_mariadb: bool) -> TypeEngine[Any]:
    match column.kind:
        case "text":
            collation = "utf8mb4_nopad_bin" if is_mariadb else "utf8mb4_0900_bin"
            if column.limit is None or column.limit > _LONGEST_VARCHAR:
                return mysql.MEDIUMTEXT(charset="utf8mb4", collation=collation)
            return mysql.VARCHAR(column.limit, charset="utf8mb4", collation=collation)
        case "whole":
            return sa.BigInteger()
        case "flag":
            return sa.Boolean()
        case "moment":
            return mysql.DATETIME(fsp=3)
        case "day":
            return sa.Date()
        case "texts" | "nested":
            return sa.JSON()
