"""What becomes of customers, asked of the store: each one's decision, and what falls when."""

from __future__ import annotations

from datetime import date, timedelta

from salescrm.calendars import day_of
from salescrm.entities import Customer
from salescrm.errors import InvalidValue
from salescrm.policy import Pool
from salescrm.query import F, Or, Where
from salescrm.rules.falling import FallDecision, decide
from salescrm.rules.recycling import will_fall
from salescrm.services.ownership import Ownership
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["Falls"]

_FARTHEST = 3_650


class Falls:
    """Decisions about customers under the policy in force, in one Work."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._ownership = Ownership(unit)

    def decide(self, customer: Customer) -> FallDecision:
        """What becomes of *customer*: today, or on the next day that changes something."""
        unit = self.unit
        if customer.owner_id is None and customer.pool_id is not None:
            known = {pool.key: pool for pool in unit.policy.pools}
            pools = [known[customer.pool_id]] if customer.pool_id in known else []
        else:
            pools = list(self._ownership.pools_of(customer))
        zone = unit.zone_of(pools[0]) if pools else unit.zone
        return decide(
            customer,
            pools,
            day_of(unit.now(), zone),
            zone=zone,
            calendars=unit.calendar,
            meets=unit.holds,
            policy_version=unit.policy.version,
        )

    def outlook(self, *, member: Id | None, pool: Pool | None, days: int) -> tuple[FallDecision, ...]:
        """What falls within *days*, soonest first, then by name."""
        if type(days) is not int or not 0 <= days <= _FARTHEST:
            raise InvalidValue("Pool", "days", days, f"a whole number from 0 to {_FARTHEST:,}")
        found: list[FallDecision] = []
        wanted = [pool] if pool is not None else list(self.unit.policy.ranked_pools)
        asked: list[Where] = []
        for one in wanted:
            if one.enabled and one.rules:
                day = self._day(one) + timedelta(days=days)
                asked.append(self._will_fall(one, day))
        if not asked:
            return ()
        where: Where = Or(tuple(asked))
        # As the member's own list is, so that the engine has no reason to walk through everybody's customers.
        order = () if member is None else (F.updated_at,)
        if member is not None:
            where &= F.owner_id == member
        for customer in self.unit.repository(Customer).stream(where, order=order):
            decision = self.decide(customer)
            if decision.falls_on is not None:
                found.append(decision)
        return tuple(sorted(found, key=lambda one: (one.falls_on or date.max, one.customer)))

    def _day(self, pool: Pool) -> date:
        return day_of(self.unit.now(), self.unit.zone_of(pool))

    def _will_fall(self, pool: Pool, day: date) -> Where:
        unit = self.unit
        return will_fall(
            unit.policy.ranked_pools, pool, day, zone=unit.zone_of(pool), calendars=unit.calendar
        )
