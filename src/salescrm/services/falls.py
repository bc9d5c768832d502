"""What becomes of customers, asked of the store: each one's decision, and what falls when."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta, tzinfo
from typing import Final

import attrs

from salescrm.calendars import day_of, first_day_from, start_of_day
from salescrm.checking import Context
from salescrm.entities import Customer
from salescrm.errors import InvalidValue
from salescrm.policy import Policy, Pool
from salescrm.query import F
from salescrm.rules.falling import FallDecision, decide
from salescrm.rules.recycling import will_fall
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["Falls"]

_FARTHEST: Final = 3_650
_DAY: Final = timedelta(days=1)


@attrs.frozen
class _Span:
    """The days from *first* to the one before *end* (None: for good), about which *policy* decides; its *pools* by rank."""

    policy: Policy
    pools: list[Pool]
    first: date
    end: date | None


class Falls:
    """Decisions about customers under the policy in force, in one Work."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._contexts: dict[tuple[date, tzinfo], Context] = {}

    def decide(self, customer: Customer) -> FallDecision:
        """
        What becomes of *customer*: today, or on the next day that changes something, by the version that then holds.

        Questions of the policy with relative moments are asked as of the first day that it could be.
        """
        if customer.owner_id is None and customer.pool_id is not None:
            known = {pool.key: pool for pool in self.unit.policy.pools}
            pools = [known[customer.pool_id]] if customer.pool_id in known else []
            return self._decide(customer, self.unit.policy, pools, None)
        decisions: list[FallDecision] = []
        for span in self._spans(customer):
            decision = self._decide(customer, span.policy, span.pools, span.first)
            if decision.falls_on is not None and (span.end is None or decision.falls_on < span.end):
                return decision
            decisions.append(decision)
        # Nothing takes it from its owner: the version that decides today says why.
        return decisions[0].staying()

    def _decide(
        self, customer: Customer, policy: Policy, pools: Sequence[Pool], day: date | None
    ) -> FallDecision:
        """By *policy*, on *day* or later; on the day of this moment where that is None, or past."""
        unit = self.unit
        zone = policy.zone_of(pools[0]) if pools else policy.zone
        today = day_of(unit.now(), zone)
        first = today if day is None else max(day, today)
        context = self._context(first, zone)
        return decide(
            customer,
            pools,
            first,
            zone=zone,
            calendars=unit.calendars_of(policy),
            meets=lambda one, where: unit.holds(one, where, context=context),
            policy_version=policy.version,
            ahead=first > today,
        )

    def _spans(self, customer: Customer) -> list[_Span]:
        """The versions of the policy that decide about *customer* today or later, in that order."""
        unit, end = self.unit, None
        versions, found = unit.kit.policies.versions, list[_Span]()
        for policy in reversed(versions):
            pools = self._pools(customer, policy)
            zone = policy.zone_of(pools[0]) if pools else policy.zone
            start, today = policy.effective_from, day_of(unit.now(), zone)
            first = today if start is None or policy is versions[0] else first_day_from(start, zone)
            if end is None or max(first, today) < end:
                found.append(_Span(policy, pools, max(first, today), end))
                end = first
            if first <= today:
                break
        return found[::-1]

    def _pools(self, customer: Customer, policy: Policy) -> list[Pool]:
        """The open pools of *policy* whose questions hold for *customer* when its day begins, by rank."""
        unit = self.unit

        def takes(pool: Pool) -> bool:
            zone = policy.zone_of(pool)
            return unit.holds(customer, pool.where, context=self._context(day_of(unit.now(), zone), zone))

        return list(filter(takes, policy.ranked_pools))

    def outlook(
        self, *, customer: Id | None, member: Id | None, pool: Pool | None, days: int
    ) -> tuple[FallDecision, ...]:
        """What falls within *days*, soonest first, then by name."""
        if type(days) is not int or not 0 <= days <= _FARTHEST:
            raise InvalidValue("Pool", "days", days, f"a whole number from 0 to {_FARTHEST:,}")
        found: dict[Id, FallDecision] = {}
        for policy in self._deciding(days):
            for one in policy.ranked_pools:
                if pool is not None and one.key != pool.key:
                    continue
                for falling in self._falling(policy, one, customer, member, days):
                    if falling.id not in found:
                        found[falling.id] = self.decide(falling)
        return tuple(
            sorted(
                (one for one in found.values() if self._within(one, pool, days)),
                key=lambda one: (one.falls_on or date.max, one.customer, one.customer_id),
            )
        )

    def _deciding(self, days: int) -> Iterator[Policy]:
        """The versions that decide about a day from today to *days* ahead, wherever that day is."""
        now, policies = self.unit.now(), self.unit.kit.policies
        since, until = now - 2 * _DAY, now + timedelta(days=days + 2)
        for policy in policies.versions:
            start = policy.effective_from
            later = start is not None and since < start <= until
            if later or policy is policies.at(since):
                yield policy

    def _falling(
        self, policy: Policy, pool: Pool, customer: Id | None, member: Id | None, days: int
    ) -> Iterator[Customer]:
        """Whoever falls into *pool* by *policy* within *days*, if it decides."""
        unit, zone = self.unit, policy.zone_of(pool)
        today = day_of(unit.now(), zone)
        calendars, last = unit.calendars_of(policy), today + timedelta(days=days)
        where = will_fall(policy.ranked_pools, pool, last, zone=zone, calendars=calendars)
        # As the member's own list is, so that the engine has no reason to walk through everybody's customers.
        order = () if member is None else (F.updated_at,)
        if member is not None:
            where &= F.owner_id == member
        if customer is not None:
            where &= F.id == customer
        return unit.repository(Customer).stream(where, order=order, context=self._context(today, zone))

    def _context(self, day: date, zone: tzinfo) -> Context:
        """The moment at which *day* begins: the same one for all customers, by which the Work knows what it has checked."""
        found = self._contexts.get((day, zone))
        if found is None:
            found = self._contexts[day, zone] = Context(start_of_day(day, zone), zone)
        return found

    def _within(self, decision: FallDecision, pool: Pool | None, days: int) -> bool:
        unit, into = self.unit, decision.pool
        if decision.falls_on is None or into is None or (pool is not None and into.key != pool.key):
            return False
        policy = next(one for one in unit.kit.policies.versions if one.version == decision.policy_version)
        return decision.falls_on <= day_of(unit.now(), policy.zone_of(into)) + timedelta(days=days)
