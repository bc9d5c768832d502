"""
What SQLite's planner assumes about our tables until somebody measures them. No other engine needs telling.

Without statistics SQLite takes ``tenant = ?``, which leads every index of ours, for a condition that leaves ten records,
and so walks through a whole tenant by id to find a customer by its number.  A database that was ever analyzed keeps what
was measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import sqlalchemy as sa

__all__ = ["assume_sizes"]

#: A tenant's records of one kind, and what each further column of an index divides them by.
_RECORDS: Final = 200_000
_NARROWING: Final = 2_000


def assume_sizes(connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
    """Tells SQLite's planner about each index that it knows nothing of; safe to call again."""
    wanted = [(table, name, stat) for table in tables for name, stat in _stats(table)]
    if _known(connection) >= {name for _, name, _ in wanted}:
        return
    driver: Any = connection.connection.driver_connection
    ours = not driver.in_transaction
    if ours:
        # In one transaction: other connections look at the statistics anew when they see the table made.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    connection.exec_driver_sql(f"ANALYZE {connection.dialect.identifier_preparer.format_table(wanted[0][0])}")
    known = _known(connection)
    for table, name, stat in wanted:
        if name not in known:
            insert = "INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)"
            connection.exec_driver_sql(insert, (table.name, name, stat))
    if ours:
        connection.exec_driver_sql("COMMIT")
    connection.exec_driver_sql("ANALYZE sqlite_schema")


def _known(connection: sa.Connection) -> set[str]:
    is_there = "SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'"
    if not connection.exec_driver_sql(is_there).scalar():
        return set()
    return {name for (name,) in connection.exec_driver_sql("SELECT idx FROM sqlite_stat1")}


def _stats(table: sa.Table) -> Iterable[tuple[str, str]]:
    """Each index's name and how many records it has, then how many its first column leaves, its first two, …"""
    # SQLite calls the primary key of a table WITHOUT ROWID by the table's name.
    yield table.name, f"{_RECORDS} {_RECORDS} 1"
    seen: set[str] = set()
    for index in table.indexes:
        name = str(index.name)
        if name in seen:
            continue
        seen.add(name)
        left, numbers = _RECORDS, [_RECORDS, _RECORDS]
        for column in list(index.columns)[1:]:
            left = max(left // _NARROWING, 1 if column.name == "id" or index.unique else 2)
            numbers.append(1 if column.name == "id" else left)
        if index.unique:
            numbers[-1] = 1
        yield name, " ".join(map(str, numbers))
