"""A claim by hand on PostgreSQL: one statement takes the customer that has been in the pool longest, and tells of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

import psycopg

from bench.handwritten.rows import iso
from bench.material import POOL, TENANT, Ids

__all__ = ["PostgresClaims"]

_STAMPS: Final = "id, tenant, version, created_at, created_by, updated_at, updated_by"
_MOMENT: Final = """to_char({0} AT TIME ZONE 'UTC', '"\\""YYYY-MM-DD"T"HH24:MI:SS.MS"+00:00\\""')"""
_VALUES: Final = "%(tenant)s, 1, %(now)s, %(member)s, %(now)s, %(member)s"
_CLAIM: Final = f"""
WITH picked AS (
  SELECT id, version, owner_id, pool_id, {_MOMENT.format("entered_pool_at")} AS entered FROM customers
  WHERE tenant = %(tenant)s AND pool_id = %(pool)s AND owner_id IS NULL
  ORDER BY entered_pool_at NULLS FIRST, id LIMIT 1 FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE customers c SET owner_id = %(member)s, pool_id = NULL, entered_pool_at = NULL, owned_since = %(now)s,
    quiet_since = %(now)s, stuck_since = %(now)s, dealless_since = %(now)s, protected_until = NULL,
    version = c.version + 1, updated_at = %(now)s, updated_by = %(member)s
  FROM picked p WHERE c.tenant = %(tenant)s AND c.id = p.id RETURNING p.*
), entry AS (
  INSERT INTO ownership ({_STAMPS}, customer_id, kind, at, from_id, to_id, pool, rules, policy_version)
  SELECT %(entry)s, {_VALUES}, id, 'claimed', %(now)s, owner_id, %(member)s, pool_id, '{{}}', 1 FROM claimed
), log AS (
  INSERT INTO change_log ({_STAMPS}, entity, record_id, kind, record_version, changes)
  SELECT %(log)s, {_VALUES}, 'customers', id, 'saved', version + 1,
    ('{{"pool_id":["' || pool_id || '",null],"entered_pool_at":[' || entered || ',null],' || %(changes)s::text)::jsonb
  FROM claimed
), event AS (
  INSERT INTO events ({_STAMPS}, name, entity, record_id, data, status, due_at, attempts)
  SELECT %(event)s, {_VALUES}, 'CustomerClaimed', 'customers', id, %(told)s::jsonb, 'pending', %(now)s, 0 FROM claimed
)
SELECT id FROM claimed
"""


class PostgresClaims:
    """On psycopg 3."""

    def __init__(self, url: str, clock: Callable[[], datetime], ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("SET TIME ZONE 'UTC'")
        self._cursor = self._connection.cursor()

    def claim(self, member: str, _: str) -> None:
        """Gives *member* the customer that has been in the pool longest, whichever that is."""
        now = self._clock()
        at = iso(now)
        moments = ("owned_since", "quiet_since", "stuck_since", "dealless_since")
        changes = ",".join(
            [f'"owner_id":[null,"{member}"]', *(f'"{name}":[null,"{at}"]' for name in moments)]
        )
        values = {
            "tenant": TENANT, "pool": POOL, "member": member, "now": now, "entry": self._ids(now), "log": self._ids(now),
            "event": self._ids(now), "changes": changes + "}",
            "told": f'{{"owner_id":"{member}","previous_owner_id":null,"pool":"{POOL}"}}',
        }  # fmt: skip
        if self._cursor.execute(_CLAIM, values).rowcount != 1:
            raise LookupError(POOL)

    def close(self) -> None:
        """Frees the connection."""
        self._connection.close()
