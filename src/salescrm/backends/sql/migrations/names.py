"""What the tables that revisions make are called, without loading Alembic to say so."""

from __future__ import annotations

import hashlib
from typing import Final

__all__ = ["COLLECTIONS", "short", "table_names", "version_table"]

#: Every table that a revision makes, before the host's prefix.
COLLECTIONS: Final = (
    "teams",
    "members",
    "customers",
    "contacts",
    "products",
    "opportunities",
    "opportunity_lines",
    "stage_changes",
    "follow_ups",
    "ownership",
    "notices",
    "approvals",
    "approval_subjects",
    "turns",
    "pool_runs",
    "fair_shares",
    "change_log",
    "events",
    "counters",
    "receipts",
)
#: PostgreSQL's; SQLite and MySQL take 64.
_LONGEST_NAME: Final = 63
#: What Alembic puts behind the version table's name to name its key.
_KEY_SUFFIX: Final = "_pkc"


def table_names(prefix: str) -> frozenset[str]:
    """All our tables behind *prefix*, the one that keeps the version included."""
    return frozenset({version_table(prefix), *(short(f"{prefix}{name}") for name in COLLECTIONS)})


def version_table(prefix: str) -> str:
    """The table that keeps the version."""
    return short(f"{prefix}salescrm_version", room=len(_KEY_SUFFIX))


def short(name: str, *, room: int = 0) -> str:
    """*name*, cut and told apart by a hash where it would not fit with *room* characters behind it."""
    longest = _LONGEST_NAME - room
    if len(name) <= longest:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{name[: longest - 9]}_{digest}"
