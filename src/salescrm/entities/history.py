"""What the library itself keeps beside the records: change log, event outbox, number counters, receipts of commands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import attrs

from salescrm.entities.base import Record
from salescrm.kinds import Key, Text
from salescrm.values import Id, Moment

__all__ = ["ChangeEntry", "ChangeKind", "Counter", "OutboxEvent", "OutboxStatus", "Receipt"]

ChangeKind: TypeAlias = Literal["added", "saved", "removed"]
OutboxStatus: TypeAlias = Literal["pending", "delivered", "parked"]


@attrs.frozen(kw_only=True)
class ChangeEntry(Record):
    """
    One record touched by one Work: who (*created_by*), when (*created_at*), which columns, from, to.

    Added records list what they fill, removed ones what they held, so that any past state can be told.
    """

    entity: Key
    record_id: Id
    kind: ChangeKind
    record_version: int
    #: By column name, ``[from, to]`` as JSON values.
    changes: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class OutboxEvent(Record):
    """A fact that has happened, waiting to be delivered to those who listen; written with what it tells of."""

    #: The event's class: ``CustomerCreated``.
    name: Key
    entity: Key
    record_id: Id
    data: Mapping[str, Any]
    status: OutboxStatus = "pending"
    #: Not to be delivered before; set ahead while a worker holds it.
    due_at: Moment
    #: Who holds it, if anybody.
    lease: Id | None = None
    attempts: int = 0
    error: Text | None = None


@attrs.frozen(kw_only=True)
class Counter(Record):
    """How far one running number has got; the id is what its numbers have in common (``C20240315``)."""

    #: The next number that nobody has.
    upcoming: int = 1


@attrs.frozen(kw_only=True)
class Receipt(Record):
    """A command that was carried out once under an idempotency key, the id, and what it returned."""

    result: Mapping[str, Any]
