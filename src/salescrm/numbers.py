"""
Running numbers such as C20240315001: unique under any concurrency, in blocks, so that no counter row is hot.

A process takes a block of numbers at a time from the counter's record and hands them out without asking again.  Where
several transactions may write at once, the block is taken in a short transaction of its own, so that nobody waits for
a long Work; elsewhere in the Work's own, and it stays the Work's until that is committed.  A process that ends leaves
the rest of its block as a gap; a rolled-back Work that took its own block leaves none.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from datetime import date, datetime
from typing import TYPE_CHECKING, Final

import attrs

from salescrm.entities import Counter
from salescrm.errors import Duplicate, StaleWrite, Transient
from salescrm.storage import Insert, Replace, Store, Write
from salescrm.values import Id

if TYPE_CHECKING:
    from salescrm.policy import Numbering
    from salescrm.unit import UnitOfWork

__all__ = ["Numbers"]

#: How often a block is tried for before the engine is called too busy.
_TRIES: Final = 100


class Numbers:
    """The blocks that one process holds; thread-safe. No lock is held while a store is asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: By tenant and prefix, the series of the last day that was numbered, and what is left of it.
        self._blocks: dict[tuple[str, str], tuple[str, deque[range]]] = {}
        #: By pattern, the last day that was numbered and its series: spelled out once a day, not once a record.
        self._days: dict[tuple[str, str], tuple[date, str]] = {}

    def take(self, unit: UnitOfWork, numbering: Numbering, count: int = 1) -> list[str]:
        """The next *count* numbers of *numbering*, dated today in the policy's time zone."""
        series = self._series(numbering, unit.today)
        taken = _from(unit.blocks[series], count) if series in unit.blocks else []
        if len(taken) < count:
            taken += self._held((unit.tenant, numbering.prefix), series, count - len(taken))
        if len(taken) < count:
            wanted = count - len(taken)
            block = self._block(unit, series, max(numbering.block, wanted))
            taken += block[:wanted]
            self._keep(unit, numbering, series, block[wanted:])
        return [f"{series}{running:0{numbering.digits}}" for running in taken]

    def _series(self, numbering: Numbering, today: date) -> str:
        pattern = (numbering.prefix, numbering.day)
        known = self._days.get(pattern)
        if known is None or known[0] != today:
            known = self._days[pattern] = (today, numbering.series(today))
        return known[1]

    def _held(self, owner: tuple[str, str], series: str, count: int) -> list[int]:
        with self._lock:
            held = self._blocks.get(owner)
            return _from(held[1], count) if held is not None and held[0] == series else []

    def _keep(self, unit: UnitOfWork, numbering: Numbering, series: str, rest: range) -> None:
        """*rest* is this process's: at once if its counter is committed, else the Work's until that is."""
        owner = (unit.tenant, numbering.prefix)
        if unit.kit.backend.capabilities.concurrent_writers:
            self._publish(owner, series, deque([rest]))
            return
        own = unit.blocks.setdefault(series, deque())
        own.append(rest)
        # What the Work has not used by then; it is the Work's own until the very end.
        unit.after_commit(lambda: self._publish(owner, series, own))

    def _publish(self, owner: tuple[str, str], series: str, blocks: deque[range]) -> None:
        with self._lock:
            held = self._blocks.get(owner)
            if held is None or held[0] != series:  # a new day has begun; what is left of the old one is a gap
                held = self._blocks[owner] = (series, deque())
            held[1].extend(block for block in blocks if block)
            blocks.clear()

    def _block(self, unit: UnitOfWork, series: str, size: int) -> range:
        if not unit.kit.backend.capabilities.concurrent_writers:
            unit.write()  # our turn to write has come: nobody moves the counter between our look at it and our write
            store = unit.reading()
            write, block = _advance(unit, store, series, size)
            try:
                store.write(write)  # not by the unit: numbers alone are no half of anything
            except BaseException:
                unit.fail()
                raise
            return block
        for pause in _pauses():
            store = unit.kit.backend.open(unit.tenant)
            try:
                write, block = _advance(unit, store, series, size)
                store.write(write)
                store.commit()
            except (StaleWrite, Duplicate, Transient):
                store.rollback()
                unit.kit.sleep(pause)
                continue
            except BaseException:
                store.rollback()
                raise
            return block
        raise Transient(f"the counter {series} is contended")


def _from(blocks: deque[range], count: int) -> list[int]:
    """Up to *count* numbers off the front of *blocks*."""
    taken: list[int] = []
    while blocks and len(taken) < count:
        block = blocks.popleft()
        wanted = count - len(taken)
        taken += block[:wanted]
        if len(block) > wanted:
            blocks.appendleft(block[wanted:])
    return taken


def _pauses() -> Iterator[float]:
    """How long to wait between tries, in seconds: a little more each time, up to a twentieth."""
    for attempt in range(_TRIES):
        yield min(0.001 * (attempt + 1), 0.05)


def _advance(unit: UnitOfWork, store: Store, series: str, size: int) -> tuple[Write, range]:
    """What moves the counter of *series* on by *size* from where *store* has it, and the numbers that this frees."""
    schema = unit.kit.by_record[Counter]
    now: datetime = unit.now()
    found: Counter | None = store.get(schema, series)
    if found is None:
        counter = Counter(
            id=Id(series),
            tenant=unit.tenant,
            version=1,
            created_at=now,
            created_by=unit.member,
            updated_at=now,
            updated_by=unit.member,
            upcoming=1 + size,
        )
        return Insert(schema, [counter]), range(1, 1 + size)
    moved = attrs.evolve(
        found,
        upcoming=found.upcoming + size,
        version=found.version + 1,
        updated_at=now,
        updated_by=unit.member,
    )
    return Replace(schema, moved, found.version), range(found.upcoming, moved.upcoming)
