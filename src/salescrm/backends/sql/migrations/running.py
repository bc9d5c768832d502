"""
Runs the revisions that a database lacks, through Alembic's own machinery and without its globals.

``alembic.op`` and ``alembic.context`` belong to whoever runs a migration environment, which may be the host, this moment,
around us: so a revision is handed what it works with.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from salescrm.backends.sql.migrations.names import version_table
from salescrm.backends.sql.migrations.words import Tables

__all__ = ["revisions", "upgrade"]


def upgrade(connection: sa.Connection, *, prefix: str, schema: str | None) -> None:
    """Brings the tables on *connection* to the newest revision, inside its open transaction."""
    scripts = _scripts()

    def lacking(heads: Any, context: MigrationContext) -> Iterable[Any]:
        return scripts._upgrade_revs("head", heads)  # noqa: SLF001  # what Alembic's own cookbook calls here

    context = MigrationContext.configure(
        connection,
        opts={"version_table": version_table(prefix), "version_table_schema": schema, "fn": lacking},
    )
    context.run_migrations(tables=Tables(Operations(context), prefix=prefix, schema=schema))


def revisions() -> tuple[str, ...]:
    """The revisions that there are, newest first."""
    return tuple(script.revision for script in _scripts().walk_revisions())


def _scripts() -> ScriptDirectory:
    return ScriptDirectory(Path(__file__).parent)
