"""
A night of recycling by hand: who has been quiet for too long falls, and five rows tell of each.

One transaction, nothing leaves the engine: what falls is picked once, then every table has its ``INSERT … SELECT``.
JSON is put together as text, which both engines do faster than their own functions build an object.
"""

from __future__ import annotations

import re
import sqlite3
from datetime import date, datetime
from typing import Any, Final

import psycopg

from bench.handwritten.rows import iso
from bench.material import POOL, RULE, TENANT

__all__ = ["PostgresNight", "SqliteNight"]

_WORKER: Final = "pools"

_STAMPS: Final = "id, tenant, version, created_at, created_by, updated_at, updated_by"
_LEDGER: Final = (
    f"INSERT INTO ownership ({_STAMPS}, customer_id, kind, at, from_id, pool, rule, rules, policy_version) "
)
_LOG: Final = f"INSERT INTO change_log ({_STAMPS}, entity, record_id, kind, record_version, changes) "
_EVENT: Final = f"INSERT INTO events ({_STAMPS}, name, entity, record_id, data, status, due_at, attempts) "
_NOTICE: Final = f"INSERT INTO notices ({_STAMPS}, member_id, kind, entity, record_id, data) "
_RUN: Final = (
    f"INSERT INTO pool_runs ({_STAMPS}, through) VALUES (:pool, :tenant, 1, :now, :worker, :now, :worker, :day) "
    "ON CONFLICT (tenant, id) DO UPDATE SET through = excluded.through, version = pool_runs.version + 1, "
    "updated_at = excluded.updated_at, updated_by = excluded.updated_by"
)
_QUIET: Final = (
    "tenant = :tenant AND owner_id IS NOT NULL AND quiet_since < :before "
    "AND (protected_until IS NULL OR protected_until <= :begin) AND NOT transfer_pending"
)
_LEFT: Final = (
    "owner_id = NULL, pool_id = :pool, entered_pool_at = :begin, owned_since = NULL, quiet_since = NULL, "
    "stuck_since = NULL, dealless_since = NULL, protected_until = NULL, version = version + 1, "
    "updated_at = :now, updated_by = :worker"
)
#: What differs in every customer that falls, and what only in some.
_MOMENTS: Final = ("owned_since", "quiet_since", "stuck_since", "dealless_since", "protected_until")

_SQLITE_CHANGES: Final = (
    """'{"owner_id":["' || owner_id || '",null],"pool_id":[' || coalesce('"' || pool_id || '"', 'null') || ',"' || :pool """
    """|| '"],"entered_pool_at":[' || coalesce('"' || entered_pool_at || '"', 'null') || ',"' || :begin || '"]' || """
    + " || ".join(f"""coalesce(',"{name}":["' || {name} || '",null]', '')""" for name in _MOMENTS)
    + " || '}'"
)
_SQLITE: Final = (
    (
        "CREATE TEMP TABLE fallen AS SELECT row_number() OVER () AS n, id, version, owner_id, "
        f"{_SQLITE_CHANGES} AS changes FROM customers WHERE {_QUIET}"
    ),
    _LEDGER
    + "SELECT :ids || printf('1-%012x', n), :tenant, 1, :now, :worker, :now, :worker, id, 'recycled', :begin, "
    "owner_id, :pool, :rule, :rules, 1 FROM fallen",
    _LOG
    + "SELECT :ids || printf('2-%012x', n), :tenant, 1, :now, :worker, :now, :worker, 'customers', id, 'saved', "
    "version + 1, changes FROM fallen",
    _EVENT
    + "SELECT :ids || printf('3-%012x', n), :tenant, 1, :now, :worker, :now, :worker, 'CustomerRecycled', "
    "'customers', id, :told || owner_id || '\"}', 'pending', :now, 0 FROM fallen",
    _NOTICE
    + "SELECT :ids || printf('4-%012x', n), :tenant, 1, :now, :worker, :now, :worker, owner_id, 'recycled', "
    "'customers', id, :notice FROM fallen",
    f"UPDATE customers SET {_LEFT} WHERE tenant = :tenant AND id IN (SELECT id FROM fallen)",
    _RUN,
    "DROP TABLE temp.fallen",
)

_POSTGRES_MOMENT: Final = """to_char({0} AT TIME ZONE 'UTC', '"\\""YYYY-MM-DD"T"HH24:MI:SS.MS"+00:00\\""')"""
_POSTGRES_CHANGES: Final = (
    """'{"owner_id":["' || owner_id || '",null],"pool_id":[' || coalesce('"' || pool_id || '"', 'null') || ',"' || """
    """:pool::text || '"],"entered_pool_at":[' || coalesce("""
    + _POSTGRES_MOMENT.format("entered_pool_at")
    + """, 'null') || ',"' || :begin_text::text || '"]' || """
    + " || ".join(
        f"""coalesce(',"{name}":[' || {_POSTGRES_MOMENT.format(name)} || ',null]', '')""" for name in _MOMENTS
    )
    + " || '}'"
)
_POSTGRES: Final = (
    (
        f"WITH fallen AS (SELECT id, version, owner_id, {_POSTGRES_CHANGES} AS changes FROM customers WHERE {_QUIET} FOR UPDATE), "
        f"changed AS (UPDATE customers c SET {_LEFT.replace('version + 1', 'c.version + 1')} FROM fallen f "
        "WHERE c.tenant = :tenant AND c.id = f.id RETURNING f.*), "
        "n AS (SELECT lpad(to_hex(row_number() OVER ()), 12, '0') AS n, changed.* FROM changed), "
        f"w1 AS ({_LEDGER} SELECT :ids::text || '1-' || n, :tenant, 1, :now, :worker, :now, :worker, id, 'recycled', :begin, "
        "owner_id, :pool, :rule, :rules, 1 FROM n), "
        f"w2 AS ({_LOG} SELECT :ids::text || '2-' || n, :tenant, 1, :now, :worker, :now, :worker, 'customers', id, 'saved', "
        "version + 1, changes::jsonb FROM n), "
        f"w3 AS ({_EVENT} SELECT :ids::text || '3-' || n, :tenant, 1, :now, :worker, :now, :worker, 'CustomerRecycled', "
        "'customers', id, (:told::text || owner_id || '\"}')::jsonb, 'pending', :now, 0 FROM n), "
        f"w4 AS ({_NOTICE} SELECT :ids::text || '4-' || n, :tenant, 1, :now, :worker, :now, :worker, owner_id, 'recycled', "
        "'customers', id, :notice::jsonb FROM n) SELECT count(*) FROM n"
    ),
    _RUN,
)


def _values(now: datetime, begin: datetime, before: datetime, day: date) -> dict[str, Any]:
    data = f'"pool":"{POOL}","rule":"{RULE}"'
    return {
        "tenant": TENANT, "pool": POOL, "rule": RULE, "worker": _WORKER, "now": now, "begin": begin, "before": before,
        "begin_text": iso(begin), "day": day, "ids": f"{day:%Y%m%d}-0000-7000-8000-", "rules": [RULE],
        "notice": f'{{{data},"day":"{day}"}}',
        "told": f'{{{data},"rules":["{RULE}"],"day":"{day}","policy_version":1,"previous_owner_id":"',
    }  # fmt: skip


class SqliteNight:
    """On the sqlite3 module."""

    name = "driver"

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")

    def run(self, now: datetime, begin: datetime, before: datetime, day: date) -> None:
        """The night that *begin*s *day*; what has been quiet since *before* falls."""
        values = _values(now, begin, before, day) | {"day": day.isoformat(), "rules": f'["{RULE}"]'}
        values |= {name: iso(values[name]) for name in ("now", "begin", "before")}
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        for text in _SQLITE:
            execute(text, values)
        execute("COMMIT")

    def close(self) -> None:
        """Frees the connection."""
        self._connection.close()


class PostgresNight:
    """On psycopg 3."""

    name = "driver"

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("SET TIME ZONE 'UTC'")

    def run(self, now: datetime, begin: datetime, before: datetime, day: date) -> None:
        """As `SqliteNight.run`."""
        values = _values(now, begin, before, day)
        with self._connection.transaction():
            for text in _POSTGRES:
                self._connection.execute(_named(text), values)

    def close(self) -> None:
        """Frees the connection."""
        self._connection.close()


def _named(text: str) -> str:
    """*text* with parameters as psycopg spells them; a cast has two colons, and to_char's pattern some as well."""
    return re.sub(r"(?<![:\w\"]):([a-z_]+)", r"%(\1)s", text.replace("%", "%%"))
