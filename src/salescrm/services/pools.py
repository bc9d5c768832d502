"""The public pools: claiming, assigning, releasing, protecting, and why a customer falls; the nightly run is in `recycling`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from salescrm.calendars import start_of_day
from salescrm.entities import Contact, Customer, OwnershipEntry
from salescrm.entities.customers import in_pool
from salescrm.entities.pools import entries_of
from salescrm.errors import (
    Forbidden,
    InvalidDefinition,
    InvalidValue,
    ProtectionRefused,
    StateRefused,
)
from salescrm.events import CustomerProtected
from salescrm.page import Page
from salescrm.policy import Policies, Policy, Pool
from salescrm.query import EVERYTHING, F, Where
from salescrm.query.fields import OrderLike
from salescrm.reading import orders
from salescrm.reports.backtest import Backtest
from salescrm.reports.simulation import Simulation
from salescrm.rules.claiming import ClaimDecision, Claimer, may_be_assigned, may_claim
from salescrm.rules.falling import FallDecision
from salescrm.rules.nights import stranded
from salescrm.services.backtesting import backtest
from salescrm.services.claimers import Claimers
from salescrm.services.falls import Falls
from salescrm.services.hiding import hidden_from, refuse_hidden
from salescrm.services.ownership import Ownership
from salescrm.services.recycling import Recycling
from salescrm.services.simulating import simulate
from salescrm.services.taking import Taken, Taking, id_of, pool_named
from salescrm.unit import UnitOfWork
from salescrm.values import Id, clean_text
from salescrm.whole import whole

__all__ = ["PoolService"]


class PoolService:
    """The customers that nobody owns, and how they come and go."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._customers = unit.repository(Customer)
        self._ownership = Ownership(unit)
        self._claimers = Claimers(unit)
        self._falls = Falls(unit)
        self._taking = Taking(unit)

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

        The pool's admins see those too, and may ask by them.

        Raises:
            InvalidValue: There is no such pool.
            InvalidQuestion: It asks by a field that the pool hides.
        """
        found = pool_named(self.unit, pool)
        sorting = orders(order)
        plain = self._is_admin(found) or not found.hidden_fields
        if not plain:
            refuse_hidden(self.unit, found, where, sorting)
        page = self._customers.find(in_pool(found.key) & where, order=sorting, limit=limit, after=after)
        if plain:
            return page
        hide = hidden_from(self.unit, found, Customer)
        return page.map(hide)

    def contacts(self, customer: Customer | Id) -> tuple[Contact, ...]:
        """The people one reaches at *customer*, by name; in a pool, without the fields that it hides."""
        read = self._now(customer)
        found = self.unit.repository(Contact).stream(F.customer_id == read.id, order=[F.name])
        if read.owner_id is not None or read.pool_id is None:
            return tuple(found)
        pool = pool_named(self.unit, read.pool_id)
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

        A single customer that the caller has read and that is still the same need not be read again; a made-up one gains nothing.

        Raises:
            ClaimRefused: They may not have one of them; every such customer is named with the reason. Nobody pays for it.
            StaleWrite: A customer in hand was made up.
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
                counts=self._taking.counts(customer, at, member_id),
            )  # fmt: skip

        return self._taking.take(customers, pool, member_id, "claimed", None, decide, partial=partial)

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
            # Of a customer that is in no pool any more an admin of some pool is told just that.
            of = (at,) if at.key else unit.policy.pools
            if not any(map(self._is_admin, of)):
                raise Forbidden(unit.member, "assign", "Customer", customer.id)
            return may_be_assigned(
                customer, at, claimer,
                policy_version=unit.policy.version, counts=self._taking.counts(customer, at, member_id),
            )  # fmt: skip

        return self._taking.take(customers, pool, member_id, "assigned", reason, decide, partial=partial)

    @whole
    def release(self, customer: Customer | Id, *, reason: str, pool: str | None = None) -> Customer:
        """
        *customer* given back, because of *reason*: to *pool*, or to the one that it belongs to.

        Whoever does it, its owner is the one who had it.

        Raises:
            StateRefused: Nobody owns it, or no pool takes it.
            InvalidValue: No reason is given, or there is no such pool, or it is closed.
            Forbidden: The acting member may not save it.
        """
        before = self._read(customer)
        self._customers.require("save", before.id)
        why = clean_text(reason, entity="OwnershipEntry", field="reason", limit=20_000)
        if not why.strip():
            raise InvalidValue("OwnershipEntry", "reason", reason, "why it is given back")
        if before.owner_id is None:
            raise StateRefused("Customer", before.number, "without an owner", "be released")
        if before.transfer_pending:
            raise StateRefused(
                "Customer", before.number, "waiting for the approval of a transfer", "be released"
            )
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
        id = self._now(customer).id
        entries = self.unit.unscoped(OwnershipEntry)
        return tuple(entries.stream(entries_of(id), order=[F.at]))

    def outlook(
        self,
        customer: Customer | Id | None = None,
        *,
        member: str | None = None,
        pool: str | None = None,
        days: int = 30,
    ) -> tuple[FallDecision, ...]:
        """
        What will fall within *days*, soonest first: one *customer*, of one *member*'s customers, into one *pool*, or all.

        Questions of the policy that count from now are asked as of today; `simulate` asks them anew for each night.

        Raises:
            InvalidValue: No such pool, or *days* is no whole number from 0 to 3,650.
        """
        return self._falls.outlook(
            customer=None if customer is None else id_of(self.unit, customer),
            member=None if member is None else Id(member),
            pool=None if pool is None else pool_named(self.unit, pool),
            days=days,
        )

    def simulate(self, *, at: datetime, policy: Policy | Policies | None = None) -> Simulation:
        """
        What the nightly runs will do from now to the moment *at*, if nothing else happens; nothing is written.

        By the versions of the policy as they come to be in force, or by *policy*: one alone holds throughout.  Missed
        nights are made up for first.  Of the customers that the acting member may see.  Plugins are not asked whether
        they keep one: they may write.

        Raises:
            InvalidValue: *at* is past or has no time zone, or *policy* is none.
            InvalidDefinition: A pool that is closed, or not in the policy, holds customers: no run would start.
        """
        return simulate(self.unit, at=at, policy=policy)

    def backtest(
        self,
        policy_a: Policy | Policies,
        policy_b: Policy | Policies,
        *,
        since: datetime,
        until: datetime | None = None,
    ) -> Backtest:
        """
        What would have become of the customers from *since* to *until* (None: now) under either policy; nothing is written.

        History is taken as it really was, from the ledger, the change log and the opportunities of the customers that
        are there still and that the acting member may see; how, is told in `salescrm.rules.backtesting`.

        Raises:
            InvalidValue: A moment without a time zone, a time that ends before it begins, or in the future; no policy.
        """
        return backtest(self.unit, policy_a, policy_b, since=since, until=until)

    def check(self, policy: Policy) -> None:
        """
        Nothing, if *policy* may take the place of the one in force.

        Raises:
            InvalidDefinition: It closes a pool, or has none of that name, that still holds customers.
        """
        problems = stranded(
            policy, Recycling(self.unit).held(besides=[pool.key for pool in policy.ranked_pools])
        )
        if problems:
            raise InvalidDefinition("Policy", problems)

    def _read(self, customer: Customer | Id) -> Customer:
        """*customer* as the caller read it, or read now where only its id is given."""
        id = id_of(self.unit, customer)
        return customer if isinstance(customer, Customer) else self._customers.get(id)

    def _now(self, customer: Customer | Id) -> Customer:
        """*customer* as it is now, if the member may see it, whatever the caller has in hand."""
        return self._customers.get(id_of(self.unit, customer))

    def _open(self, key: str) -> Pool:
        pool = pool_named(self.unit, key)
        if not pool.enabled:
            raise InvalidValue("Customer", "pool_id", key, "a pool that is open")
        return pool

    def _is_admin(self, pool: Pool) -> bool:
        return self.unit.member in pool.admins
