"""The trail that writes leave, in the same transaction: stamps, the change-log entry, outbox rows of events, lines of ledgers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from salescrm.entities import ChangeEntry, OutboxEvent, Record
from salescrm.entities.base import RecordT
from salescrm.entities.history import ChangeKind
from salescrm.events import Event, to_plain
from salescrm.storage import Insert
from salescrm.sweeping import Sweeping

__all__ = ["Trail"]


class Trail(Sweeping[RecordT]):
    """The part of a repository that makes what goes with a write."""

    @cached_property
    def stamps(self) -> Mapping[str, Any]:
        """What every record that is added in this Work bears, beside its id."""
        now, member = self.unit.context.now, self.unit.member
        return {
            "tenant": self.unit.tenant,
            "version": 1,
            "created_at": now,
            "created_by": member,
            "updated_at": now,
            "updated_by": member,
        }

    def _rows(
        self, entries: Sequence[ChangeEntry], events: Sequence[Event], lines: Sequence[Record]
    ) -> list[Insert]:
        """*lines* of ledgers, log entries and the outbox rows of *events*, those last."""
        rows = self._lines(lines)
        if entries:
            rows.append(Insert(self.unit.kit.by_record[ChangeEntry], entries))
        if events:
            told = [self._told(event) for event in events]
            rows.append(Insert(self.unit.kit.by_record[OutboxEvent], told))
        return rows

    def _entry(self, kind: ChangeKind, record: RecordT, changes: dict[str, list[Any]]) -> ChangeEntry:
        entry: ChangeEntry = self.unit.kit.by_record[ChangeEntry].make(
            id=self.unit.new_id(),
            **self.stamps,
            entity=self.schema.collection,
            record_id=record.id,
            kind=kind,
            record_version=record.version,
            changes=changes,
        )
        return entry

    def _lines(self, lines: Iterable[Record]) -> list[Insert]:
        """What adds *lines* to their ledgers: stamped, and logged nowhere, for a ledger is its own log."""
        unit, kinds = self.unit, dict[type[Record], list[Record]]()
        for line in lines:
            schema = unit.kit.by_record[type(line)]
            stamped = schema.evolve(line, {"id": line.id or unit.new_id(), **self.stamps})
            kinds.setdefault(type(line), []).append(schema.admit(stamped))
        return [Insert(unit.kit.by_record[kind], found) for kind, found in kinds.items()]

    def _told(self, event: Event) -> OutboxEvent:
        unit = self.unit
        row: OutboxEvent = unit.kit.by_record[OutboxEvent].make(
            id=unit.new_id(),
            **self.stamps,
            name=event.name,
            entity=event.entity,
            record_id=event.record_id,
            data=to_plain(event),
            due_at=unit.now(),
        )
        return row
