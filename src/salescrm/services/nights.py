"""Which nights of which pools are to be run, in which order, and how far each pool has come."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta, tzinfo
from typing import Final

import attrs

from salescrm.calendars import day_of
from salescrm.entities import PoolRun
from salescrm.policy import Policy, Pool
from salescrm.services.claimers import Claimers
from salescrm.unit import UnitOfWork
from salescrm.values import Id, Moment

__all__ = ["Night", "Nights"]

#: How many nights one run makes up for; who has missed more is not waiting for the rest.
_MOST: Final = 366
_DAY: Final = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Night:
    """One day's run of one pool, under the version of the policy that holds when that day begins."""

    policy: Policy
    pool: Pool
    day: date
    begin: Moment

    @property
    def zone(self) -> tzinfo:
        """The time zone in which the day begins."""
        return self.policy.zone_of(self.pool)


class Nights:
    """The runs of all pools, as one Work sees them."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._runs = unit.unscoped(PoolRun)

    def begin(self) -> None:
        """
        Notes of each pool that is new here how far it has come: all nights since the last tick are still to be run.

        Before the first tick of all nothing was missed: it runs the night that has begun last.
        """
        if not self._unknown():
            return
        self._wait("pools")
        runs = tuple(self._runs.stream())
        last_tick = max((run.updated_at for run in runs), default=None)
        for key in self._unknown():
            nights = list(self._of(key, self._today() - _MOST * _DAY))
            missed = [one for one in nights if last_tick is not None and one.begin > last_tick]
            first = next(iter(missed or nights[-1:]), None)
            if first is not None:
                self._runs.add(PoolRun(id=Id(key), through=first.day - _DAY))

    def due(self) -> list[Night]:
        """
        The nights that are to be run, in the order in which they begin: those that were missed, and the last one.

        In that order a customer that two versions of the policy give to two pools falls as it would have night by night.
        """
        found: list[Night] = []
        for run in self._runs.stream():
            found += self._of(run.id, max(run.through + _DAY, self._today() - _MOST * _DAY))
        return sorted(found, key=lambda night: (night.begin, night.policy.ranked_pools.index(night.pool)))

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

    def _of(self, key: str, first: date) -> Iterator[Night]:
        """The nights of the pool *key* from the day *first* on that have begun and in which it was open."""
        policies, now, day = self.unit.kit.policies, self.unit.now(), first

        def zone_of(version: Policy) -> tzinfo:
            pool = next((one for one in version.pools if one.key == key), None)
            return version.zone if pool is None else version.zone_of(pool)

        while True:
            policy, begin = policies.on(day, zone_of)
            if begin > now:
                return
            pool = next((one for one in policy.ranked_pools if one.key == key), None)
            if pool is not None:
                yield Night(policy=policy, pool=pool, day=day, begin=begin)
            day += _DAY

    def _unknown(self) -> list[str]:
        """The keys of the pools of any version of which no run is known, in the order of the policy."""
        keys = dict.fromkeys(pool.key for one in self.unit.kit.policies.versions for pool in one.pools)
        known = self._runs.many(map(Id, keys))
        return [key for key in keys if key not in known]

    def _today(self) -> date:
        return day_of(self.unit.now(), self.unit.zone)

    def _wait(self, what: str) -> None:
        Claimers(self.unit).take_turn(Id(f"pool:{what}"[:64]))
