"""
SQL of writes: insert, replace and delete one record of a schema, and several of them in one statement of PostgreSQL's.

Parameters are rows as `Schema.writer` lays them out, so nothing is rearranged but where the WHERE of a replace asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

import attrs
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from salescrm.backends.sql.statements import Statements
from salescrm.schema import SEARCH, Schema
from salescrm.storage import Delete, Insert, Replace, Write

__all__ = ["Group", "Replacement", "SchemaWrites", "WriteStatements"]

#: Some of a row's values, or all of them rearranged.
Pick: TypeAlias = Callable[[Sequence[Any]], tuple[Any, ...]]
#: Groups of more shapes than any host has; more would mean that shapes are made of data.
_MOST_GROUPS: Final = 1_000
#: Written by every replace, whatever else is.
_STAMPS: Final = frozenset({"version", "updated_at", "updated_by"})


@attrs.frozen
class SchemaWrites:
    """The writes of one schema: *row* makes the parameters of *insert*; *delete* wants tenant, id and version."""

    row: Callable[[Any], tuple[Any, ...]]
    insert: str
    delete: str


@attrs.frozen
class Replacement:
    """An UPDATE of some columns: *row* makes them of a record, then come tenant, id and version."""

    text: str
    row: Callable[[Any], tuple[Any, ...]]


@attrs.frozen
class Group:
    """Several writes as one statement; its row tells for each replace and delete how many records it met."""

    text: str
    order: Pick | None


class WriteStatements:
    """Makes and keeps the statements of writes."""

    def __init__(self, statements: Statements) -> None:
        self._statements = statements
        self._by_schema: dict[Schema, SchemaWrites] = {}
        self._holdings: dict[Schema, str] = {}
        self._replacements: dict[tuple[Schema, tuple[str, ...] | None], Replacement] = {}
        self._groups: dict[tuple[Any, ...], Group] = {}

    def of(self, schema: Schema) -> SchemaWrites:
        """The writes of *schema*."""
        found = self._by_schema.get(schema)
        if found is None:
            table = self._table(schema)
            at_version = _at_version(table, "")
            found = self._by_schema[schema] = SchemaWrites(
                row=schema.writer(self._statements.flavor.write),
                insert=self._statements.text(
                    sa.insert(table).values(_binds(table, [column.name for column in schema.columns], ""))
                )[0],
                delete=self._statements.text(sa.delete(table).where(at_version))[0],
            )
        return found

    def holding(self, schema: Schema) -> str:
        """The insert of *schema*, or where the record is there already the rise of its version."""
        found = self._holdings.get(schema)
        if found is None:
            table = self._table(schema)
            values = _binds(table, [column.name for column in schema.columns], "")
            higher = {"version": table.c.version + sa.literal_column("1")}
            statement: sa.Insert
            if self._statements.flavor.name == "mysql":
                statement = mysql.insert(table).values(values).on_duplicate_key_update(higher)
            else:
                key = [table.c.tenant, table.c.id]
                inserting = postgresql.insert(table).values(values)
                statement = inserting.on_conflict_do_update(index_elements=key, set_=higher)
            found = self._holdings[schema] = self._statements.text(statement)[0]
        return found

    def replacement(self, schema: Schema, columns: tuple[str, ...] | None) -> Replacement:
        """Sets *columns* (None: all) and the stamps of a record."""
        found = self._replacements.get((schema, columns))
        if found is None:
            table = self._table(schema)
            names = _set_columns(schema, columns)
            update = sa.update(table).values(_binds(table, names, "")).where(_at_version(table, ""))
            text = self._statements.text(update)[0]
            found = self._replacements[schema, columns] = Replacement(
                text, schema.writer(self._statements.flavor.write, names)
            )
        return found

    def group(self, writes: Sequence[Write]) -> Group:
        """*writes* as one statement of PostgreSQL's."""
        shape = tuple(_shape(write) for write in writes)
        found = self._groups.get(shape)
        if found is None:
            if len(self._groups) >= _MOST_GROUPS:
                self._groups.clear()
            found = self._groups[shape] = self._group(writes)
        return found

    def _group(self, writes: Sequence[Write]) -> Group:
        """
        One CTE per record, in order.

        What follows a replace or delete is done only if that met its record: a stale write leaves nothing behind, not
        even in the transaction of a host who goes on.
        """
        ctes: list[Any] = []
        conditions: list[sa.CTE] = []
        laid_out: list[str] = []
        for write in writes:
            table = self._table(write.schema)
            for _ in write.records if isinstance(write, Insert) else (None,):
                mark = f"w{len(ctes)}_"
                if isinstance(write, Insert):
                    names = [column.name for column in write.schema.columns]
                    ctes.append(_insert(table, names, mark, conditions))
                    laid_out += [mark + name for name in names]
                    continue
                where = _at_version(table, mark)
                if conditions:
                    where = sa.and_(where, sa.exists(sa.select(conditions[-1])))
                if isinstance(write, Replace):
                    names = _set_columns(write.schema, write.columns)
                    made: Any = sa.update(table).values(_binds(table, names, mark))
                    laid_out += [mark + name for name in names]
                else:
                    made = sa.delete(table)
                laid_out += [f"{mark}at_{name}" for name in ("tenant", "id", "version")]
                condition = made.where(where).returning(table.c.id).cte(f"w{len(ctes)}")
                ctes.append(condition)
                conditions.append(condition)
        if conditions:
            counts = [sa.select(sa.func.count()).select_from(one).scalar_subquery() for one in conditions]
            inserts = [one.cte(f"w{at}") for at, one in enumerate(ctes) if one not in conditions]
            statement: Any = sa.select(*counts).add_cte(*inserts)
        else:
            *first, last = ctes
            statement = last.add_cte(*(one.cte(f"w{at}") for at, one in enumerate(first)))
        text, order, _constants = self._statements.text(statement)
        at = [laid_out.index(name) for name in order]
        return Group(text, None if at == list(range(len(laid_out))) else itemgetter(*at))

    def _table(self, schema: Schema) -> sa.Table:
        return self._statements.tables[schema.collection]


def _shape(write: Write) -> tuple[Any, ...]:
    match write:
        case Insert(schema, records):
            return ("insert", schema, len(records))
        case Replace(schema, _, _, columns):
            return ("replace", schema, columns)
        case Delete(schema):
            return ("delete", schema)


def _insert(table: sa.Table, names: Sequence[str], mark: str, conditions: Sequence[sa.CTE]) -> Any:
    if not conditions:
        return sa.insert(table).values(_binds(table, names, mark))
    values = sa.select(*_binds(table, names, mark).values()).select_from(conditions[-1])
    return sa.insert(table).from_select(list(names), values)


def _binds(table: sa.Table, names: Sequence[str], mark: str) -> dict[str, Any]:
    return {name: sa.bindparam(mark + name, type_=table.c[name].type) for name in names}


def _at_version(table: sa.Table, mark: str) -> sa.ColumnElement[bool]:
    def is_at(name: str) -> sa.ColumnElement[bool]:
        column = table.c[name]
        return column == sa.bindparam(f"{mark}at_{name}", type_=column.type)

    return sa.and_(is_at("tenant"), is_at("id"), is_at("version"))


def _set_columns(schema: Schema, columns: tuple[str, ...] | None) -> list[str]:
    """What a replace sets, in the order of the table."""
    if columns is None:
        return [column.name for column in schema.columns if column.name not in ("tenant", "id")]
    wanted = _STAMPS.union(columns)
    if not wanted.isdisjoint(schema.searchable):
        wanted |= {SEARCH}
    return [column.name for column in schema.columns if column.name in wanted]
