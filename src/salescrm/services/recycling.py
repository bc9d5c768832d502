"""
The nightly run: whoever has let a customer lie loses it to the pool, a day at a time, after being warned.

Each run of a pool's day is one question per rule, changed in batches inside the engine.  Runs are remembered by day, so
that a run after missed nights does what those nights would have done, and two runs at once do nothing twice.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from typing import Final, cast

import attrs

from salescrm.checking import Context
from salescrm.entities import Customer, Member, Notice, Opportunity, OwnershipEntry, Record
from salescrm.entities.customers import left_to
from salescrm.events import CustomerFallsSoon, CustomerRecycled, Event, OpportunityEdited
from salescrm.policy import Pool, RecycleRule
from salescrm.policy.pools import PoolWarning
from salescrm.query import F, Or, Order, Query, Tally, Where, count
from salescrm.query.nodes import all_of, operand_of
from salescrm.rules.nights import Night
from salescrm.rules.recycling import belongs, falls, warned
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["BATCH", "WORKER", "Progress", "Ran", "Recycling", "Told"]

#: How many customers one transaction takes; locks last as long as it does.
BATCH: Final = 25_000
#: Who the runs are signed by.
WORKER: Final = Id("pools")
_DAY: Final = timedelta(days=1)
#: How many customers are read at a time, and the ids of how many.
_AT_ONCE: Final = 500
_IDS: Final = 10_000


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


@attrs.define
class Progress:
    """How far one night has come: which rules have anybody, once that was asked, and whom plugins have *kept*."""

    places: list[int] | None = None
    kept: set[Id] = attrs.field(factory=set)


class Recycling:
    """The runs of one Work; who calls it opens a Work for each step, so that each is committed by itself."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._customers = unit.unscoped(Customer)

    def held(self, *, besides: Collection[str] = ()) -> dict[str, int]:
        """By pool, how many customers it holds, for those pools that are none of *besides*."""
        held: dict[str, int] = {}
        # Not a condition: by an index by owner engines would count all that nobody owns.
        free = count(where=F.owner_id.is_null())
        for where in _none_of(besides):
            held |= dict(
                self.unit.unscoped(Customer).tally(Tally(by=[F.pool_id], measures=[free], where=where))
            )
        return held

    def recycle(self, night: Night, *, progress: Progress, batch: int = BATCH) -> int:
        """
        Lets up to *batch* customers fall whose day has come, in this transaction; how many. 0: there is none left.

        Those that a plugin keeps are added to *progress*, and are not asked about again.
        """
        found = self._falls(night)
        if progress.places is None:
            progress.places = self._places(found, night)
        shared = self.unit.kit.backend.capabilities.concurrent_writers
        # Whom somebody else just holds is left for the end: they may let go, or have made of it what does not fall.
        for waiting in (False, True) if shared else (True,):
            for place in progress.places:
                if done := self._recycle(night, found, place, progress.kept, batch, waiting=waiting):
                    return done
        return 0

    def _places(self, found: list[tuple[RecycleRule, Where]], night: Night) -> list[int]:
        """Which of those that are *found* have anybody: most nights and rules have nobody, and a sweep has to be put together."""
        if not self._many(Or(tuple(where for _, where in found)), night):
            return []
        return [
            place for place, (_, where) in enumerate(found) if len(found) == 1 or self._many(where, night)
        ]

    def _recycle(
        self,
        night: Night,
        found: list[tuple[RecycleRule, Where]],
        place: int,
        kept: set[Id],
        batch: int,
        *,
        waiting: bool,
    ) -> int:
        """Up to *batch* of those that fall by the rule at *place* of those that are *found*."""
        rule, where = found[place]
        # The first rule that fires decides: the customers of those before this one are gone by now, but for those that
        # somebody held, who may have let go in between.
        if place and self.unit.kit.backend.capabilities.concurrent_writers:
            where &= ~Or(tuple(earlier for _, earlier in found[:place]))
        if self.unit.kit.hooks.listens_to_recycling:
            chosen = self._chosen(night, rule, where, kept, batch)
            if not chosen:
                return 0
            where &= F.id.one_of(chosen)
        flags = {one.key: also for one, also in found[place:]}
        return self._sweep(night, rule, where, flags, batch, waiting=waiting)

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

    def _falls(self, night: Night) -> list[tuple[RecycleRule, Where]]:
        calendars = self.unit.calendars_of(night.policy)
        return falls(night.policy.ranked_pools, night.pool, night.day, zone=night.zone, calendars=calendars)

    def _context(self, night: Night) -> Context:
        return Context(night.begin, night.zone)

    def _sweep(
        self,
        night: Night,
        rule: RecycleRule,
        where: Where,
        flags: dict[str, Where],
        batch: int,
        *,
        waiting: bool,
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
            # In no order: the first that an index leads to, else all that fall would be found for each batch of them.
            limit=batch,
            context=self._context(night),
            skip_locked=not waiting,
        )
        if done and pool.opportunities == "follow":
            self._leave_deals(night)
        return done

    def _leave_deals(self, night: Night) -> None:
        """Open opportunities of the customers that fell this night have no owner either."""
        left = (F.status == "open") & F.owner_id.is_set() & F.customer.owner_id.is_null()
        left &= (F.customer.pool_id == night.pool.key) & (F.customer.entered_pool_at == night.begin)

        def follow(deal: Opportunity, fired: tuple[str, ...]) -> tuple[Event, ...]:
            return (OpportunityEdited(record_id=deal.id, fields=("owner_id",)),)

        self.unit.unscoped(Opportunity).sweep(left, {"owner_id": None}, follow=follow, skip_locked=False)

    def _warn(self, night: Night, rule: RecycleRule, warning: PoolWarning) -> int:
        """One rung of one rule's ladder: who falls on that very day and not before."""
        unit, pool = self.unit, night.pool
        falls_on, calendars = night.day + warning.days * _DAY, unit.calendars_of(night.policy)
        asked = warned(pool, rule, falls_on, begin=night.begin, zone=night.zone, calendars=calendars)
        if asked is None:
            return 0
        mine = belongs(night.policy.ranked_pools, pool)
        given = 0
        told = Told(unit)
        for customers in self._chunks(all_of([asked, mine]), self._context(night)):
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

    def _many(self, where: Where, night: Night) -> int:
        """How many customers *where* holds for."""
        unit, asked = self.unit, Tally(measures=[count()], where=where)
        plan, finish = unit.kit.checker.tally(self._customers.schema, asked, self._context(night))
        (many,) = finish(unit.reading().tally(plan))[0]
        return cast(int, many)

    def _chunks(self, where: Where, context: Context) -> Iterator[list[Customer]]:
        """The customers in lists that are read before the next is asked for, so that one may write in between."""
        unit, schema, after = self.unit, self._customers.schema, Id("")
        kit, store = unit.kit, unit.reading()
        while True:
            # Ids first, many at a time: what fits is found by an index that is in another order, and found as a whole
            # for each question, however few are wanted of it.
            query = Query(where=(F.id > after) & where, order=[Order("id")], limit=_IDS)
            asked, finish = kit.checker.select(schema, [operand_of(F.id)], query, context)
            ids = [id for (id,) in finish(store.select(asked))]
            for start in range(0, len(ids), _AT_ONCE):
                part = F.id.one_of(ids[start : start + _AT_ONCE])
                query = Query(where=part & where, order=[Order("id")], limit=_AT_ONCE)
                found: list[Customer] = store.find(kit.checker.find(schema, query, context))
                if found:
                    yield found
            if len(ids) < _IDS:
                return
            after = ids[-1]


def _none_of(keys: Collection[str]) -> Iterator[Where]:
    """The ranges between *keys*, each a question of its own: an index then jumps over all that those pools hold."""
    last: str | None = None
    for key in sorted(keys):
        yield F.pool_id < key if last is None else (F.pool_id > last) & (F.pool_id < key)
        last = key
    yield F.pool_id.is_set() if last is None else F.pool_id > last


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
