"""Records in SQL tables: SQLite, PostgreSQL, MySQL and MariaDB, through SQLAlchemy Core and the driver's cursor."""

from __future__ import annotations

from salescrm.backends.sql.backend import SqlBackend
from salescrm.backends.sql.schema_version import include_object, migrate
from salescrm.backends.sql.tables import tables

__all__ = ["SqlBackend", "include_object", "migrate", "tables"]
