"""
Claims by hand on PostgreSQL: one statement takes the customer that has been in the pool longest, and tells of it.

Or the same in a transaction that one may still give up; or, in one, with the checks that a claim of ours makes as well: nobody else counts for this member meanwhile, who
works here and has not too many; then it takes the customer that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg

from bench.handwritten.rows import iso
from bench.material import POOL, TENANT, Ids
from salescrm.policy import ClaimLimits

__all__ = ["CheckedClaims", "ClaimsInTransactions", "PostgresClaims"]

_ZONE: Final = ZoneInfo("Asia/Shanghai")
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
_CLAIM_BY_ID: Final = _CLAIM.replace(
    "ORDER BY entered_pool_at NULLS FIRST, id LIMIT 1 FOR UPDATE SKIP LOCKED", "AND id = %(id)s FOR UPDATE"
)
_TURN: Final = f"""
INSERT INTO turns ({_STAMPS}) VALUES (%(member)s, {_VALUES})
ON CONFLICT (tenant, id) DO UPDATE SET version = turns.version + 1
"""
_MEMBER: Final = "SELECT name, active, team_id FROM members WHERE tenant = %(tenant)s AND id = %(member)s"
_HOLDS: Final = "SELECT count(*) FROM customers WHERE tenant = %(tenant)s AND owner_id = %(member)s"
_TODAY: Final = """
SELECT count(*) FROM ownership
WHERE tenant = %(tenant)s AND to_id = %(member)s AND at >= %(today)s AND kind = 'claimed' AND pool = %(pool)s
"""
_OWNED: Final = """
SELECT max(at) FROM ownership WHERE tenant = %(tenant)s AND customer_id = %(id)s AND from_id = %(member)s
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
        self._take(_CLAIM, self._values(member))

    def _values(self, member: str) -> dict[str, Any]:
        now = self._clock()
        at = iso(now)
        moments = ("owned_since", "quiet_since", "stuck_since", "dealless_since")
        changes = ",".join(
            [f'"owner_id":[null,"{member}"]', *(f'"{name}":[null,"{at}"]' for name in moments)]
        )
        return {
            "tenant": TENANT, "pool": POOL, "member": member, "now": now, "entry": self._ids(now), "log": self._ids(now),
            "event": self._ids(now), "changes": changes + "}",
            "told": f'{{"owner_id":"{member}","previous_owner_id":null,"pool":"{POOL}"}}',
        }  # fmt: skip

    def _take(self, text: str, values: dict[str, Any]) -> None:
        if self._cursor.execute(text, values).rowcount != 1:
            raise LookupError(POOL)

    def close(self) -> None:
        """Frees the connection."""
        self._connection.close()


class ClaimsInTransactions(PostgresClaims):
    """The same statement, with a transaction around it."""

    def claim(self, member: str, _: str) -> None:
        """Gives *member* the customer that has been in the pool longest, whichever that is."""
        self._cursor.execute("BEGIN")
        super().claim(member, _)
        self._cursor.execute("COMMIT")


class CheckedClaims(PostgresClaims):
    """The customer that is asked for, in a pool with *limits*."""

    def __init__(self, url: str, clock: Callable[[], datetime], ids: Ids, limits: ClaimLimits) -> None:
        super().__init__(url, clock, ids)
        self._limits = limits

    def claim(self, member: str, id: str) -> None:
        """Gives *member* the customer *id* if they may have it."""
        values = self._values(member) | {"id": id}
        self._cursor.execute("BEGIN")
        self._cursor.execute(_TURN, values)
        known = self._cursor.execute(_MEMBER, values).fetchone()
        if known is not None and not known[1]:
            raise LookupError(member)
        if self._limits.cap is not None:
            self._check(values)
        self._take(_CLAIM_BY_ID, values)
        self._cursor.execute("COMMIT")

    def _check(self, values: dict[str, Any]) -> None:
        limits, now = self._limits, values["now"]
        today = now.astimezone(_ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
        [(held,)] = self._cursor.execute(_HOLDS, values)
        [(claimed,)] = self._cursor.execute(_TODAY, values | {"today": today})
        [(left,)] = self._cursor.execute(_OWNED, values)
        waits = left is not None and now < left + timedelta(days=limits.cool_down)
        if held >= (limits.cap or 0) or claimed >= (limits.daily or 0) or waits:
            raise LookupError(values["member"])
