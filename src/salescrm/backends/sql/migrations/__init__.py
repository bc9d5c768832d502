"""How a database comes to its tables, revision by revision; Alembic runs them, on a connection that is handed in."""

from __future__ import annotations
