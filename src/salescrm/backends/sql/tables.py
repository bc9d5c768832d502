"""
Tables of schemas, by kind: the public shape that a DBA reads and a host's MetaData may hold. No entity is known here.

Names are stable: a table is its collection behind the host's prefix, an index says what it is over, and whatever would
pass PostgreSQL's 63 bytes is cut and told apart by a hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import sqlalchemy as sa

from salescrm.backends.sql.types import type_of
from salescrm.kinds import Kind
from salescrm.schema import SEARCH, Index, Schema, SchemaField

__all__ = ["index_name", "key_name", "table_name", "tables"]

#: PostgreSQL cuts a longer name, SQLite and MySQL take 64.
_LONGEST_NAME: Final = 63


def tables(
    schemas: Iterable[Schema],
    metadata: sa.MetaData | None = None,
    *,
    prefix: str = "",
    schema: str | None = None,
) -> Mapping[str, sa.Table]:
    """The table of each schema by collection, in *metadata* (a new one if None), named *prefix* + collection."""
    meta = sa.MetaData() if metadata is None else metadata
    return {one.collection: _table(one, meta, prefix, schema) for one in schemas}


def table_name(entity: Schema, prefix: str) -> str:
    """What the table of *entity* is called."""
    return _short(f"{prefix}{entity.collection}")


def key_name(entity: Schema, prefix: str) -> str:
    """What the primary key of *entity* is called."""
    return _short(f"pk_{prefix}{entity.collection}")


def index_name(entity: Schema, index: Index, prefix: str) -> str:
    """What *index* of *entity* is called."""
    kind = "uq" if index.unique else "ix"
    return _short("_".join((kind, f"{prefix}{entity.collection}", *index.columns)))


def _short(name: str) -> str:
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 9]}_{digest}"


def _table(entity: Schema, metadata: sa.MetaData, prefix: str, schema: str | None) -> sa.Table:
    comments = {column.name: _comment(field) for field in entity.fields.values() for column in field.columns}
    comments[SEARCH] = "folded text that caseless search looks into"
    columns = [
        sa.Column(
            column.name,
            type_of(column),
            primary_key=column.name in ("tenant", "id"),
            nullable=column.nullable,
            comment=comments[column.name],
        )
        for column in entity.columns
    ]
    table = sa.Table(
        table_name(entity, prefix),
        metadata,
        *columns,
        sa.PrimaryKeyConstraint("tenant", "id", name=key_name(entity, prefix)),
        schema=schema,
        comment=f"{entity.name} records of all tenants; written by salescrm, free to read",
        # Records are found by (tenant, id) and by indexes that end in id: a row number would be one more lookup.
        sqlite_with_rowid=False,
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
        mariadb_charset="utf8mb4",
        mariadb_engine="InnoDB",
    )
    for index in entity.indexes:
        _index(entity, index, table, prefix)
    return table


def _index(entity: Schema, index: Index, table: sa.Table, prefix: str) -> None:
    """*index* on *table*: tenant first, id last, so that it gives a page in order whichever way it is read."""
    name = index_name(entity, index, prefix)
    key = ["tenant", *index.columns]
    if index.unique:
        sa.Index(name, *[table.c[one] for one in key], unique=True)
        return
    if "id" not in index.columns:
        key.append("id")
    # PostgreSQL alone puts nulls last unless told, and alone carries columns beside the key.
    of_postgres = [
        table.c[one].asc().nulls_first() if entity.by_column[one].nullable else table.c[one] for one in key
    ]
    include = [one for one in index.covering if one not in key]
    sa.Index(name, *of_postgres, postgresql_include=include).ddl_if(dialect="postgresql")
    sa.Index(name, *[table.c[one] for one in (*key, *include)]).ddl_if(callable_=_elsewhere)  # type: ignore[arg-type]  # it is called by name


def _elsewhere(ddl: Any, target: Any, bind: Any, *, dialect: sa.Dialect | None = None, **_: Any) -> bool:
    return dialect is None or dialect.name != "postgresql"


def _comment(field: SchemaField) -> str | None:
    match field.kind:
        case Kind.MONEY:
            return f"{field.name}: whole minor units, and the ISO 4217 currency beside it"
        case Kind.DECIMAL:
            return "whole ten-thousandths"
        case Kind.MOMENT:
            return "UTC, to the millisecond"
        case Kind.CHOICE:
            return "one of " + ", ".join(field.columns[0].choices)
        case Kind.REFERENCE:
            return "an id of the same tenant"
        case Kind.EXTRA:
            return "the host's own declared fields"
        case _:
            return None
