"""
The nightly run: whoever has let a customer lie loses it to the pool, a day at a time, after being warned.

Each run of a pool's day is one question per rule, changed in batches inside the engine.  Runs are remembered by day, so
that a run after missed nights does what those nights would have done, and two runs at once do nothing twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

import attrs

from salescrm.checking import Context
from salescrm.entities import Customer, Member, Notice, Opportunity, OwnershipEntry, PoolRun, Record
from salescrm.entities.customers import left_to
from salescrm.events import CustomerFallsSoon, CustomerRecycled, Event, OpportunityEdited
from salescrm.policy import Pool, RecycleRule
from salescrm.policy.pools import PoolWarning
from salescrm.query import F, Not, Order, Query, Tally, Where, count
from salescrm.query.nodes import all_of
from salescrm.rules.nights import Night, due, nights
from salescrm.rules.recycling import belongs, falls, fires
from salescrm.services.claimers import Claimers
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["BATCH", "WORKER", "Ran", "Recycling", "Told"]

#: How many customers one transaction takes; locks last as long as it does.
BATCH: Final = 20_000
#: Who the runs are signed by.
WORKER: Final = Id("pools")
_DAY: Final = timedelta(days=1)
_AT_ONCE: Final = 500


@attrs.frozen(kw_only=True)
class Ran:
    """What the runs came to: how many customers fell, and how many warnings were given."""

    recycled: int = 0
    warned: int = 0
    nights: int = 0

    def __add__(self, other: Ran) -> Ran:
        return Ran(
            recycled=self.recycled + other.recycled,
            warned=self.warned + other.warned,
            nights=self.nights + other.nights,
        )


class Recycling:
    """The runs of one Work; who calls it opens a Work for each step, so that each is committed by itself."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._customers = unit.unscoped(Customer)

    def nights(self) -> list[Night]:
        """The nights that are to be run now, in order: those that were missed, and today's, of the pools that are open."""
        unit = self.unit
        open_ones = {pool.key for pool in unit.policy.ranked_pools}
        found = nights(due(unit.kit.policies, self.through(), now=unit.now()))
        return [night for night in found if night.pool.key in open_ones]

    def through(self) -> dict[str, date]:
        """By pool, the last day whose run was finished."""
        return {run.id: run.through for run in self.unit.unscoped(PoolRun).stream()}

    def held(self) -> dict[str, int]:
        """By pool, how many customers it holds."""
        in_pools = Tally(by=[F.pool_id], measures=[count()], where=F.pool_id.is_set() & F.owner_id.is_null())
        return dict(self.unit.unscoped(Customer).tally(in_pools))

    def recycle(self, night: Night, *, kept: set[Id], batch: int = BATCH) -> int:
        """
        Lets up to *batch* customers fall whose day has come, in this transaction; how many. 0: there is none left.

        Those that a plugin keeps are added to *kept*, and are not asked about again.
        """
        found = self._falls(night)
        for place, (rule, where) in enumerate(found):
            # The first rule that fires decides: the customers of those before this one are gone by now.
            flags = {one.key: also for one, also in found[place:]}
            wanted = where
            if self.unit.kit.hooks.listens_to_recycling:
                chosen = self._chosen(night, rule, where, kept, batch)
                if not chosen:
                    continue
                wanted = where & F.id.one_of(chosen)
            if done := self._sweep(night, rule, wanted, flags, batch):
                return done
        return 0

    def _chosen(self, night: Night, rule: RecycleRule, where: Where, kept: set[Id], batch: int) -> list[Id]:
        """Up to *batch* of those that fall by *rule* and that no plugin keeps."""
        hooks, chosen = self.unit.kit.hooks, list[Id]()
        for customers in self._chunks(where, self._context(night)):
            for customer in customers:
                if customer.id in kept:
                    continue
                if hooks.recycling(self.unit, customer, night.pool.key, rule.key):
                    chosen.append(customer.id)
                else:
                    kept.add(customer.id)
            if len(chosen) >= min(batch, _AT_ONCE):
                break
        return chosen

    def warn(self, night: Night) -> int:
        """Gives the warnings of the night, each once; how many."""
        given = 0
        for rule in night.pool.rules:
            for warning in rule.warnings:
                given += self._warn(night, rule, warning)
        return given

    def finish(self, night: Night) -> None:
        """Remembers that the night's run is done."""
        runs = self.unit.unscoped(PoolRun)
        before = runs.peek(Id(night.pool.key))
        if before is None:
            runs.add(PoolRun(id=Id(night.pool.key), through=night.day))
        elif before.through < night.day:
            runs.save(before, runs.schema.evolve(before, {"through": night.day}))

    def take_turn(self, night: Night) -> bool:
        """Waits until nobody else runs this night; whether it is still to be run."""
        Claimers(self.unit).take_turn(Id(f"pool:{night.pool.key}"[:64]))
        last = self.unit.unscoped(PoolRun).peek(Id(night.pool.key))
        return last is None or last.through < night.day

    def _falls(self, night: Night) -> list[tuple[RecycleRule, Where]]:
        return falls(
            night.policy.ranked_pools, night.pool, night.day, zone=night.zone, calendars=self.unit.calendar
        )

    def _context(self, night: Night) -> Context:
        return Context(night.begin, night.zone)

    def _sweep(
        self, night: Night, rule: RecycleRule, where: Where, flags: dict[str, Where], batch: int
    ) -> int:
        pool, version = night.pool, night.policy.version

        def follow(customer: Customer, fired: tuple[str, ...]) -> tuple[Event | Record, ...]:
            entry = OwnershipEntry(
                customer_id=customer.id,
                kind="recycled",
                at=night.begin,
                from_id=customer.owner_id,
                pool=pool.key,
                rule=rule.key,
                rules=fired,
                policy_version=version,
            )
            told = CustomerRecycled(
                record_id=customer.id,
                pool=pool.key,
                rule=rule.key,
                rules=fired,
                day=night.day,
                previous_owner_id=customer.owner_id,
                policy_version=version,
            )
            notice = Notice(
                member_id=customer.owner_id,  # type: ignore[arg-type]  # who is asked for has an owner
                kind="recycled",
                entity="customers",
                record_id=customer.id,
                data={"pool": pool.key, "rule": rule.key, "day": night.day.isoformat()},
            )
            return entry, told, notice

        done = self._customers.sweep(
            where,
            left_to(pool.key, at=night.begin),
            follow=follow,
            flags=flags,
            order=[F.id],
            limit=batch,
            context=self._context(night),
        )
        if done and pool.opportunities == "follow":
            self._leave_deals(pool)
        return done

    def _leave_deals(self, pool: Pool) -> None:
        """Open opportunities of customers in the pool have no owner either."""
        left = (F.status == "open") & F.owner_id.is_set()
        left &= (F.customer.pool_id == pool.key) & F.customer.owner_id.is_null()

        def follow(deal: Opportunity, fired: tuple[str, ...]) -> tuple[Event, ...]:
            return (OpportunityEdited(record_id=deal.id, fields=("owner_id",)),)

        self.unit.unscoped(Opportunity).sweep(left, {"owner_id": None}, follow=follow)

    def _warn(self, night: Night, rule: RecycleRule, warning: PoolWarning) -> int:
        """One rung of one rule's ladder: who falls on that very day and not before."""
        unit, pool = self.unit, night.pool
        zone, falls_on = night.zone, night.day + warning.days * _DAY
        then = fires(pool, rule, falls_on, zone=zone, calendars=unit.calendar)
        before = fires(pool, rule, falls_on - _DAY, zone=zone, calendars=unit.calendar)
        if then is None or before is None:
            return 0
        mine = belongs(night.policy.ranked_pools, pool)
        given = 0
        told = Told(unit)
        for customers in self._chunks(all_of([then, Not(before), mine]), self._context(night)):
            events = [
                CustomerFallsSoon(
                    record_id=customer.id, pool=pool.key, rule=rule.key, falls_on=falls_on,
                    days_left=warning.days, told=told.whom(customer.owner_id, pool, warning),
                )
                for customer in customers
            ]  # fmt: skip
            self._customers.tell(events, [notice for event in events for notice in _notices(event)])
            given += len(customers)
        return given

    def _chunks(self, where: Where, context: Context) -> Iterator[list[Customer]]:
        """The customers in lists that are read before the next is asked for, so that one may write in between."""
        unit, schema, after = self.unit, self._customers.schema, Id("")
        while True:
            query = Query(where=(F.id > after) & where, order=[Order("id")], limit=_AT_ONCE)
            found: list[Customer] = unit.reading().find(unit.kit.checker.find(schema, query, context))
            if not found:
                return
            yield found
            after = found[-1].id


class Told:
    """Who is warned."""

    def __init__(self, unit: UnitOfWork) -> None:
        self._unit = unit
        self._managers: dict[Id, Id | None] = {}

    def whom(self, owner_id: Id | None, pool: Pool, warning: PoolWarning) -> tuple[Id, ...]:
        """The ids of the members who get *warning* of a customer of *owner_id*."""
        if owner_id is None:
            return ()
        match warning.to:
            case "owner":
                return (owner_id,)
            case "admins":
                return tuple(map(Id, pool.admins))
            case "manager":
                manager = self._manager(owner_id)
                return (owner_id,) if manager is None else (manager,)

    def _manager(self, member_id: Id) -> Id | None:
        if member_id not in self._managers:
            member = self._unit.unscoped(Member).peek(member_id)
            self._managers[member_id] = None if member is None else member.manager_id
        return self._managers[member_id]


def _notices(event: CustomerFallsSoon) -> Iterator[Notice]:
    """What each of those who are told is told."""
    for member_id in event.told:
        yield Notice(
            member_id=Id(member_id),
            kind="falls-soon",
            entity="customers",
            record_id=event.record_id,
            data={
                "pool": event.pool,
                "rule": event.rule,
                "falls_on": event.falls_on.isoformat(),
                "days_left": event.days_left,
            },
        )
