"""One tick: everything that is due by the calendar, each step committed by itself, whoever else ticks at the same time."""

from __future__ import annotations

from typing import Final

from salescrm.rules.nights import Night
from salescrm.running import repeat
from salescrm.services.nights import Nights
from salescrm.services.pools import PoolService
from salescrm.services.recycling import BATCH, WORKER, Progress, Ran, Recycling
from salescrm.unit import Kit, UnitOfWork
from salescrm.values import Id

__all__ = ["tick"]

#: A tick among many waits for its turn again and again.
_ATTEMPTS: Final = 50


def tick(kit: Kit, tenant: Id, *, batch: int = BATCH) -> Ran:
    """
    Runs every pool's day, and the days that were missed since its last run; what that came to.

    Raises:
        InvalidDefinition: A pool that is closed, or gone from the policy, still holds customers; nothing was run.
    """

    def begin() -> UnitOfWork:
        return UnitOfWork(kit, kit.backend.open(tenant), member=WORKER, owned=True)

    def begun(work: UnitOfWork) -> list[Night]:
        PoolService(work).check(work.policy)
        nights = Nights(work)
        nights.begin()
        return nights.due()

    total = Ran()
    # One after the other as they began, across the pools: what one pool took on an earlier night is not another's.
    for night in repeat(kit, begin, begun, attempts=_ATTEMPTS):
        progress = Progress()
        while True:
            done = repeat(
                kit,
                begin,
                lambda work, night=night, progress=progress: _step(work, night, progress, batch),  # type: ignore[misc]  # bound now
                attempts=_ATTEMPTS,
            )
            total += done
            if not done.recycled:
                break
    return total


def _step(work: UnitOfWork, night: Night, progress: Progress, batch: int) -> Ran:
    """A batch that falls; where none is left, the warnings, and the night is done."""
    nights, recycling = Nights(work), Recycling(work)
    if not nights.take_turn(night):
        return Ran()
    if fallen := recycling.recycle(night, progress=progress, batch=batch):
        return Ran(recycled=fallen)
    warned = recycling.warn(night)
    nights.finish(night)
    return Ran(warned=warned, nights=1)
