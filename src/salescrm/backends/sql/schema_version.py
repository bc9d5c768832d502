"""Bringing a database's tables to this version, and telling whether they are; for now all are made at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import sqlalchemy as sa

from salescrm.errors import SchemaOutdated

__all__ = ["VERSION", "migrate", "verify"]

#: What `SchemaOutdated` calls the tables of this version.
VERSION: Final = "1"


def migrate(connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
    """Makes what is missing of *tables*; several processes at once wait for each other where the engine lets them."""
    wanted = list(tables)
    if connection.dialect.name == "postgresql":
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(7305718)"))
    wanted[0].metadata.create_all(connection, tables=wanted)


def verify(connection: sa.Connection, tables: Iterable[sa.Table]) -> None:
    """Raises SchemaOutdated unless all of *tables* are there."""
    inspector = sa.inspect(connection)
    if not all(inspector.has_table(table.name, schema=table.schema) for table in tables):
        raise SchemaOutdated(None, VERSION)
