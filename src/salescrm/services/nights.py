"""How far the runs of each pool have come, which nights are still to be run, and whose turn it is to run one."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from salescrm.entities import PoolRun
from salescrm.rules.nights import Night, due, nights
from salescrm.services.claimers import Claimers
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["Nights"]

_DAY: Final = timedelta(days=1)


class Nights:
    """The runs of all pools, as one Work sees them."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._runs = unit.unscoped(PoolRun)

    def through(self) -> dict[str, date]:
        """By pool, the last day whose run was finished."""
        return {run.id: run.through for run in self._runs.stream()}

    def begin(self) -> None:
        """
        Notes of each pool that is new here from which night on it is to be run, before any night is.

        Else a run that is cut off would forget the nights of those it had not come to, when others have come further.
        """
        if not self._new():
            return
        self._wait("pools")
        for key, first in self._new().items():
            self._runs.add(PoolRun(id=Id(key), through=first - _DAY))

    def due(self) -> list[Night]:
        """The nights that are to be run now, in order: those that were missed, and today's, of the pools that are open."""
        unit = self.unit
        open_ones = {pool.key for pool in unit.policy.ranked_pools}
        found = nights(due(unit.kit.policies, self.through(), now=unit.now()))
        return [night for night in found if night.pool.key in open_ones]

    def take_turn(self, night: Night) -> bool:
        """Waits until nobody else runs this night; whether it is still to be run."""
        self._wait(night.pool.key)
        last = self._runs.peek(Id(night.pool.key))
        return last is None or last.through < night.day

    def finish(self, night: Night) -> None:
        """Remembers that the night's run is done."""
        before = self._runs.peek(Id(night.pool.key))
        if before is None:
            self._runs.add(PoolRun(id=Id(night.pool.key), through=night.day))
        elif before.through < night.day:
            self._runs.save(before, self._runs.schema.evolve(before, {"through": night.day}))

    def _new(self) -> dict[str, date]:
        """By pool of which no run is known, the first day that is to be run."""
        known, found = self.through(), dict[str, date]()
        for stretch in due(self.unit.kit.policies, known, now=self.unit.now()):
            if stretch.pool.key not in known:
                found.setdefault(stretch.pool.key, stretch.first)
        return found

    def _wait(self, what: str) -> None:
        Claimers(self.unit).take_turn(Id(f"pool:{what}"[:64]))
