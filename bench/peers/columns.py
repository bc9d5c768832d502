"""
What each peer has to write, as plain values by column: a customer, its log entry, its event.

The same for all of them, and in the shape that a mapper takes.  They count their numbers in the process, without a counter
row: a little less work than the driver and salescrm do.
"""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from bench.material import MEMBER, SCHEMAS, TENANT, ZONE, Fields, Ids, owned
from salescrm.kinds import Kind
from salescrm.money import Money
from salescrm.values import Region

__all__ = ["Columns", "Row", "Writer"]

Row = dict[str, Any]
Columns = Mapping[str, Any]

_EMPTY: Final = {Kind.TEXTS: list, Kind.NESTED: list, Kind.EXTRA: dict}
_BLANK: Final = {
    column.name: _EMPTY.get(column.kind, lambda: None)
    for column in SCHEMAS["customers"].columns
    if column.path
}
_STAMPS: Final = frozenset(
    ["id", "tenant", "version", "created_at", "created_by", "updated_at", "updated_by", "search_text"]
)


class Writer:
    """Makes rows."""

    def __init__(self, clock: Callable[[], datetime], ids: Ids) -> None:
        self.clock = clock
        self._ids = ids
        self._running = itertools.count(1)

    def customer(self, now: datetime, fields: Fields) -> Row:
        """The row of a new customer."""
        row = {name: blank() for name, blank in _BLANK.items()}
        row |= self._stamps(now) | {
            "number": f"C{now.astimezone(ZONE):%Y%m%d}{next(self._running):03}",
            "kind": "company",
            "lifecycle": "prospect",
            "follow_up_count": 0,
            "open_opportunities": 0,
            "has_receivables": False,
            "transfer_pending": False,
            **owned(now, fields),
        }
        for name, value in fields.items():
            if isinstance(value, Money):
                row[name], row[f"{name}_currency"] = value.minor, value.currency
            elif isinstance(value, Region):
                row["region_province"], row["region_city"] = value.province, value.city
                row["region_district"] = value.district
            else:
                row[name] = list(value) if isinstance(value, tuple) else value
        text = f"{row['name']}\n{row['number']}\n{row['credit_code'] or ''}"
        row["search_text"] = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        return row

    def _stamps(self, now: datetime) -> Row:
        return {
            "id": self._ids(now),
            "tenant": TENANT,
            "version": 1,
            "created_at": now,
            "created_by": MEMBER,
            "updated_at": now,
            "updated_by": MEMBER,
        }

    def added(self, now: datetime, row: Columns) -> Row:
        """The log entry of a new customer."""
        filled = {
            name: [None, _plain(value)]
            for name, value in row.items()
            if name not in _STAMPS and value not in (None, [], {})
        }
        return self.entry(now, row["id"], "added", 1, filled)

    def entry(self, now: datetime, id: str, kind: str, version: int, changes: Columns) -> Row:
        """A log entry."""
        about = {"entity": "customers", "record_id": id, "kind": kind, "record_version": version}
        return self._stamps(now) | about | {"changes": changes}

    def created(self, now: datetime, row: Columns) -> Row:
        """The event of a new customer."""
        data = {"number": row["number"], "customer_name": row["name"], "owner_id": row["owner_id"]}
        return self.event(now, row["id"], "CustomerCreated", data)

    def event(self, now: datetime, id: str, name: str, data: Columns) -> Row:
        """An event."""
        about = {"name": name, "entity": "customers", "record_id": id, "data": data}
        return self._stamps(now) | about | {"status": "pending", "due_at": now, "attempts": 0}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat(timespec="milliseconds")
        case date():
            return value.isoformat()
        case _:
            return value
