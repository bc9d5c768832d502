"""History: the change log and the outbox, to look at."""

from __future__ import annotations

from salescrm.entities import ChangeEntry, OutboxEvent, Record
from salescrm.page import Page
from salescrm.query import EVERYTHING, F, Where
from salescrm.reading import Reader
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["HistoryService"]


class HistoryService(Reader[ChangeEntry]):
    """Who changed what when, and which events came of it."""

    def __init__(self, work: UnitOfWork) -> None:
        super().__init__(work, ChangeEntry)

    def of(self, record: Record) -> tuple[ChangeEntry, ...]:
        """The change-log entries of *record*, oldest first."""
        collection = self.unit.kit.by_record[type(record)].collection
        where = (F.entity == collection) & (F.record_id == record.id)
        return tuple(self.stream(where, order=[F.record_version]))

    def events(
        self, where: Where = EVERYTHING, *, limit: int = 50, after: str | None = None
    ) -> Page[OutboxEvent]:
        """A page of the outbox, oldest first."""
        return self.unit.repository(OutboxEvent).find(where, order=[F.id], limit=limit, after=after)

    def event(self, id: Id) -> OutboxEvent:
        """One event of the outbox."""
        return self.unit.repository(OutboxEvent).get(id)
