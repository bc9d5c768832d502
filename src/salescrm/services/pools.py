"""The public pools: claiming, assigning, releasing, protecting, and why a customer falls; the nightly run is in `recycling`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Literal

import attrs

from salescrm.calendars import start_of_day
from salescrm.entities import Contact, Customer, OwnershipEntry
from salescrm.entities.customers import in_pool
from salescrm.errors import (
    ClaimRefused,
    Forbidden,
    InvalidDefinition,
    InvalidValue,
    NotFound,
    ProtectionRefused,
    StateRefused,
)
from salescrm.events import CustomerProtected
from salescrm.labels import Label
from salescrm.page import Page
from salescrm.policy import Policy, Pool
from salescrm.query import EVERYTHING, F, Tally, Where, count
from salescrm.query.fields import OrderLike
from salescrm.rules.claiming import ClaimDecision, Claimer, may_be_assigned, may_claim
from salescrm.rules.falling import FallDecision
from salescrm.services.claimers import Claimers
from salescrm.services.falls import Falls
from salescrm.services.hiding import hidden_from
from salescrm.services.ownership import Ownership
from salescrm.unit import UnitOfWork
from salescrm.values import Id, clean_text
from salescrm.whole import whole

__all__ = ["PoolService", "Taken"]


@attrs.frozen(kw_only=True)
class Taken:
    """What came of a claim or an assignment: the *customers* as they now are, and why others were *refused*."""

    customers: tuple[Customer, ...]
    refused: tuple[ClaimDecision, ...] = ()


class PoolService:
    """The customers that nobody owns, and how they come and go."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._customers = unit.repository(Customer)
        self._ownership = Ownership(unit)
        self._claimers = Claimers(unit)
        self._falls = Falls(unit)

    def find(
        self,
        pool: str,
        where: Where = EVERYTHING,
        *,
        order: Iterable[OrderLike | str] = (F.entered_pool_at,),
        limit: int = 50,
        after: str | None = None,
    ) -> Page[Customer]:
        """
        A page of the customers in *pool*, longest there first, without the fields that the pool hides.

        The pool's admins see those too.

        Raises:
            InvalidValue: There is no such pool.
        """
        found = self._pool(pool)
        page = self._customers.find(in_pool(found.key) & where, order=order, limit=limit, after=after)
        if self._is_admin(found) or not found.hidden_fields:
            return page
        hide = hidden_from(self.unit, found, Customer)
        return page.map(hide)

    def contacts(self, customer: Customer | Id) -> tuple[Contact, ...]:
        """The people one reaches at *customer*, by name; in a pool, without the fields that it hides."""
        read = self._read(customer)
        found = self.unit.repository(Contact).stream(F.customer_id == read.id, order=[F.name])
        if read.owner_id is not None or read.pool_id is None:
            return tuple(found)
        pool = self._pool(read.pool_id)
        if self._is_admin(pool):
            return tuple(found)
        return tuple(map(hidden_from(self.unit, pool, Contact), found))

    @whole
    def claim(
        self,
        customers: Iterable[Customer | Id],
        *,
        pool: str | None = None,
        by: str | None = None,
        partial: bool = False,
    ) -> Taken:
        """
        *customers* in the hands of the member *by*, the acting one where it is None: all of them, or none.

        With *partial* those that they may have; the others are told with the reason.  Customers are taken from *pool*, or
        from whichever they are in.  What is checked, in this order: still in the pool; a member of it, and active; the
        cap on what they own; claims a day and a week; how long ago they owned it; how new it is in the pool.

        Raises:
            ClaimRefused: They may not have one of them; every such customer is named with the reason. Nobody pays for it.
            NotFound: There is no such customer.
            InvalidValue: There is no such pool.
        """
        unit = self.unit
        member_id = self._claimers.known_as(unit.member if by is None else by)
        self._claimers.take_turn(member_id)

        def decide(customer: Customer, at: Pool, claimer: Claimer) -> ClaimDecision:
            return may_claim(
                customer, at, claimer,
                now=unit.now(), zone=unit.zone_of(at), policy_version=unit.policy.version,
            )  # fmt: skip

        return self._take(customers, pool, member_id, "claimed", None, partial, decide)

    @whole
    def assign(
        self,
        customers: Iterable[Customer | Id],
        *,
        to: str,
        pool: str | None = None,
        partial: bool = False,
        reason: str | None = None,
    ) -> Taken:
        """
        *customers* of a pool that the acting member is an admin of, in the hands of *to*; otherwise as `claim`.

        Limits on how many a day, how soon again and how new do not bind an admin.

        Raises:
            Forbidden: The acting member is no admin of the pool.
            ClaimRefused: *to* may not have one of them.
        """
        unit = self.unit
        member_id = self._claimers.known_as(to)
        self._claimers.take_turn(member_id)

        def decide(customer: Customer, at: Pool, claimer: Claimer) -> ClaimDecision:
            if not self._is_admin(at):
                raise Forbidden(unit.member, "assign", "Customer", customer.id)
            return may_be_assigned(customer, at, claimer, policy_version=unit.policy.version)

        return self._take(customers, pool, member_id, "assigned", reason, partial, decide)

    @whole
    def release(self, customer: Customer | Id, *, reason: str, pool: str | None = None) -> Customer:
        """
        *customer* given back, because of *reason*: to *pool*, or to the one that it belongs to.

        Whoever does it, its owner is the one who had it.

        Raises:
            StateRefused: Nobody owns it, or no pool takes it.
            InvalidValue: No reason is given, or there is no such pool, or it is closed.
        """
        before = self._read(customer)
        why = clean_text(reason, entity="OwnershipEntry", field="reason", limit=20_000)
        if not why.strip():
            raise InvalidValue("OwnershipEntry", "reason", reason, "why it is given back")
        if before.owner_id is None:
            raise StateRefused("Customer", before.number, "without an owner", "be released")
        target = self._ownership.pool_of(before) if pool is None else self._open(pool)
        if target is None:
            raise StateRefused("Customer", before.number, "of no pool", "be released")
        released = self._ownership.release(before, target, reason=why)
        if released is None:
            self.unit.fail()
            raise StateRefused("Customer", before.number, "in other hands", "be released")
        return released

    @whole
    def protect(self, customer: Customer | Id, *, until: date) -> Customer:
        """
        *customer* kept from falling through the day *until*, where its pool's rules honour that.

        Raises:
            StateRefused: Nobody owns it, or it belongs to no pool.
            InvalidValue: *until* is past, or later than the pool allows.
            ProtectionRefused: Its owner protects as many as they may.
        """
        unit = self.unit
        before = self._read(customer)
        pool = self._ownership.pool_of(before)
        if before.owner_id is None or pool is None:
            state = "without an owner" if before.owner_id is None else "of no pool"
            raise StateRefused("Customer", before.number, state, "be protected")
        zone = unit.zone_of(pool)
        today, rules = unit.now().astimezone(zone).date(), pool.protection
        if type(until) is not date or not today <= until <= today + timedelta(days=rules.days):
            latest = (today + timedelta(days=rules.days)).isoformat()
            raise InvalidValue("Customer", "protected_until", until, f"a day from today to {latest}")
        if rules.cap is not None:
            self._claimers.take_turn(before.owner_id)
            mine = (F.owner_id == before.owner_id) & (F.protected_until > unit.now())
            held = unit.unscoped(Customer).count(mine & (F.id != before.id))
            if held >= rules.cap:
                raise ProtectionRefused(before.owner_id, rules.cap)
        end = start_of_day(until + timedelta(days=1), zone)
        after = self._customers.schema.evolve(before, {"protected_until": end})
        return self._customers.save(before, after, CustomerProtected(record_id=before.id, until=end))

    @whole
    def unprotect(self, customer: Customer | Id) -> Customer:
        """*customer* no longer protected."""
        before = self._read(customer)
        if before.protected_until is None:
            return before
        after = self._customers.schema.evolve(before, {"protected_until": None})
        return self._customers.save(before, after, CustomerProtected(record_id=before.id))

    def why(self, customer: Customer | Id) -> FallDecision:
        """Whether *customer* falls today, or when, into which pool and by which rule: ``why(...).explain("zh")``."""
        return self._falls.decide(self._read(customer))

    def ledger(self, customer: Customer | Id) -> tuple[OwnershipEntry, ...]:
        """Who had *customer* and why they no longer do, oldest first."""
        id = self._read(customer).id
        entries = self.unit.unscoped(OwnershipEntry)
        return tuple(entries.stream(F.customer_id == id, order=[F.at]))

    def outlook(
        self, *, member: str | None = None, pool: str | None = None, days: int = 30
    ) -> tuple[FallDecision, ...]:
        """
        What will fall within *days*, soonest first: of one *member*'s customers, into one *pool*, or all.

        Raises:
            InvalidValue: No such pool, or *days* is no whole number from 0 to 3,650.
        """
        found = None if pool is None else self._pool(pool)
        return self._falls.outlook(member=None if member is None else Id(member), pool=found, days=days)

    def check(self, policy: Policy) -> None:
        """
        Nothing, if *policy* may take the place of the one in force.

        Raises:
            InvalidDefinition: It closes a pool, or has none of that name, that still holds customers.
        """
        held = self.unit.unscoped(Customer).tally(
            Tally(by=[F.pool_id], measures=[count()], where=F.pool_id.is_set() & F.owner_id.is_null())
        )
        open_ones = {pool.key for pool in policy.ranked_pools}
        problems: list[str] = []
        for key, many in sorted(held):
            if key not in open_ones:
                problems.append(f"the pool {key} can't be closed: it holds {many} customers")
        if problems:
            raise InvalidDefinition("Policy", tuple(problems))

    def _take(
        self,
        customers: Iterable[Customer | Id],
        pool: str | None,
        to: Id,
        kind: Literal["claimed", "assigned"],
        reason: str | None,
        partial: bool,
        decide: Callable[[Customer, Pool, Claimer], ClaimDecision],
    ) -> Taken:
        wanted = self._wanted(customers, pool)
        decisions = list(self._decisions(wanted, to, decide))
        refused = [one for one in decisions if not one.allowed]
        if refused and not partial:
            raise ClaimRefused(to, tuple(refused))
        allowed = [customer for (customer, _), one in zip(wanted, decisions, strict=True) if one.allowed]
        taken = self._ownership.give(allowed, to, kind=kind, reason=reason)
        there = {one.id for one in taken}
        late = [
            attrs.evolve(one, verdict="already-owned", inputs=(), next_change=None)
            for one in decisions
            if one.allowed and one.customer_id not in there
        ]
        if late and not partial:
            raise ClaimRefused(to, tuple(late))
        return Taken(customers=tuple(taken), refused=(*refused, *late))

    def _wanted(
        self, customers: Iterable[Customer | Id], pool: str | None
    ) -> list[tuple[Customer, Pool | None]]:
        """What is wanted as it is now, each once, with the pool that it is to come from."""
        chosen = None if pool is None else self._pool(pool)
        ids = list(dict.fromkeys(one.id if isinstance(one, Customer) else one for one in customers))
        read = self._customers.many(ids)
        for id in ids:
            if id not in read:
                raise NotFound("Customer", id if isinstance(id, str) else repr(id)[:80])
        known = {one.key: one for one in self.unit.policy.pools}
        return [(read[id], chosen or known.get(read[id].pool_id or "")) for id in ids]

    def _decisions(
        self,
        wanted: Sequence[tuple[Customer, Pool | None]],
        to: Id,
        decide: Callable[[Customer, Pool, Claimer], ClaimDecision],
    ) -> Iterator[ClaimDecision]:
        claimers: dict[str, Claimer] = {}
        for customer, found in wanted:
            pool = found or self._nowhere()
            claimer = claimers.get(pool.key)
            if claimer is None:
                mine = [one.id for one, at in wanted if (at or pool).key == pool.key]
                claimer = self._claimers.claimer(to, pool, mine)
            decision = decide(customer, pool, claimer)
            yield decision
            if decision.allowed:
                counts = self.unit.holds(customer.owned_by(to, at=self.unit.now()), pool.claims.counted)
                claimer = claimer.after_one(counts=counts)
            claimers[pool.key] = claimer

    def _nowhere(self) -> Pool:
        """Stands for the pool of a customer that is in none."""
        return Pool(key="", label=Label("the pool", "公海"))

    def _read(self, customer: Customer | Id) -> Customer:
        return customer if isinstance(customer, Customer) else self._customers.get(customer)

    def _pool(self, key: str) -> Pool:
        return self.unit.policy.pool(key)

    def _open(self, key: str) -> Pool:
        pool = self._pool(key)
        if not pool.enabled:
            raise InvalidValue("Customer", "pool_id", key, "a pool that is open")
        return pool

    def _is_admin(self, pool: Pool) -> bool:
        return self.unit.member in pool.admins
