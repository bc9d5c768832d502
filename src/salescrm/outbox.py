"""
The outbox: events that are committed, delivered at least once, by status and lease and never by ``id > last``.

A worker leases what is due (`lease`), tells the plugins (`deliver`), and marks it delivered; one that dies lets its
lease run out, and another takes over.  A failing delivery backs off, and is parked after the last try, visible.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Final

from salescrm.entities import OutboxEvent
from salescrm.errors import Conflict, StoreError
from salescrm.query import F, Where, now
from salescrm.running import repeat
from salescrm.storage import Replace
from salescrm.unit import Kit, UnitOfWork
from salescrm.values import Id

__all__ = ["LEASE", "TRIES", "deliver", "due", "lease", "tell"]

#: How long a worker may take before another tries.
LEASE: Final = timedelta(minutes=5)
#: After so many failed deliveries an event is parked.
TRIES: Final = 8
#: How many events that were just committed are leased at a time.
_AT_ONCE: Final = 500
#: Who the change of an event's status is signed by.
_WORKER: Final = Id("outbox")


def due() -> Where:
    """Pending, not held by a living worker, and not backing off."""
    return (F.status == "pending") & (F.due_at <= now())


def lease(work: UnitOfWork, *, limit: int, ids: Iterable[Id] | None = None) -> list[OutboxEvent]:
    """Up to *limit* due events, oldest first, held by this worker for `LEASE`; nobody else gets them meanwhile."""
    where = due() if ids is None else due() & F.id.one_of(ids)
    holder = work.new_id()
    events = work.unscoped(OutboxEvent)
    found = events.change_quietly(
        where, {"lease": holder, "due_at": work.now() + LEASE}, order=[F.due_at], limit=limit
    )
    return sorted(found, key=lambda event: event.id)


def deliver(kit: Kit, tenant: Id, *, limit: int, ids: Iterable[Id] | None = None) -> int:
    """
    Leases up to *limit* due events of *tenant* and tells the plugins of each; how many there were.

    What a plugin raises is kept with the event, which is then tried again later.  Where no plugin listens, the events
    are left to a process in which one does.
    """
    if not kit.hooks.listens_to_commits:
        return 0

    def begin() -> UnitOfWork:
        return UnitOfWork(kit, kit.backend.open(tenant), member=_WORKER, owned=True)

    wanted = None if ids is None else tuple(ids)
    leased = repeat(kit, begin, lambda work: lease(work, limit=limit, ids=wanted))
    for event in leased:
        problem: str | None = None
        try:
            kit.hooks.committed(event)
        except Exception as raised:  # noqa: BLE001  # whatever a plugin raises is kept with the event, not lost
            problem = f"{type(raised).__name__}: {raised}"
        outcome = _settled(event) if problem is None else _given_back(event, problem)
        repeat(kit, begin, lambda work, event=event, outcome=outcome: _replace(work, event, outcome))  # type: ignore[misc]  # bound now
    return len(leased)


def tell(kit: Kit, tenant: Id, ids: Sequence[Id]) -> None:
    """
    Delivers the events *ids*, which were just committed, as far as the store allows.

    What it does not allow is no error of those who committed: the events are in the outbox, due at the next dispatch.
    """
    with suppress(StoreError, Conflict):
        for start in range(0, len(ids), _AT_ONCE):
            deliver(kit, tenant, limit=_AT_ONCE, ids=ids[start : start + _AT_ONCE])


def _settled(event: OutboxEvent) -> dict[str, object]:
    """What changes in an event that was delivered."""
    return {"status": "delivered", "lease": None, "attempts": event.attempts + 1, "error": None}


def _given_back(event: OutboxEvent, problem: str) -> dict[str, object]:
    """What changes in an event that was not: due again after a pause that doubles, or parked after the last try."""
    attempts = event.attempts + 1
    pause = timedelta(seconds=min(2.0**attempts, 3600.0))
    return {
        "status": "parked" if attempts >= TRIES else "pending",
        "lease": None,
        "attempts": attempts,
        "error": problem[:2000].encode("utf-8", "replace").decode().replace("\0", " "),
        "due_at": event.updated_at + pause,
    }


def _replace(work: UnitOfWork, event: OutboxEvent, changes: dict[str, object]) -> None:
    """Saves *changes* in *event*, unless its lease ran out and another worker has it by now."""
    schema = work.kit.by_record[OutboxEvent]
    held: OutboxEvent | None = work.reading().get(schema, event.id)
    if held is None or held.lease != event.lease:
        return
    stamps = {"version": held.version + 1, "updated_at": work.now(), "updated_by": work.member}
    work.write(Replace(schema, schema.admit(schema.evolve(held, {**changes, **stamps})), held.version))
