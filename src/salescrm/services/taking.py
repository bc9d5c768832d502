"""Taking customers out of pools, whoever decides that one may: each asked about in turn, then all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, Literal, TypeAlias

import attrs

from salescrm.entities import Customer
from salescrm.entities.customers import OWNING
from salescrm.errors import ClaimRefused, InvalidValue, NotFound
from salescrm.labels import Label
from salescrm.policy import Pool
from salescrm.query import EVERYTHING, F
from salescrm.reading import is_storable
from salescrm.rules.claiming import ClaimDecision, Claimer
from salescrm.services.claimers import Claimers
from salescrm.services.ownership import Ownership
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["Taken", "Taking", "id_of", "pool_named"]

#: Whether somebody may have a customer of a pool.
Decide: TypeAlias = Callable[[Customer, Pool, Claimer], ClaimDecision]

#: What a claim hangs on, or changes and logs, or takes along.
_DECISIVE: Final = (*OWNING, "open_opportunities")


@attrs.frozen(kw_only=True)
class Taken:
    """What came of a claim or an assignment: the *customers* as they now are, and why others were *refused*."""

    customers: tuple[Customer, ...]
    refused: tuple[ClaimDecision, ...] = ()


class Taking:
    """How customers come out of pools, in one Work."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._customers = unit.repository(Customer)
        self._ownership = Ownership(unit)
        self._claimers = Claimers(unit)

    def take(
        self,
        customers: Iterable[Customer | Id],
        pool: str | None,
        to: Id,
        kind: Literal["claimed", "assigned"],
        reason: str | None,
        decide: Decide,
        *,
        partial: bool,
    ) -> Taken:
        """
        *customers* in the hands of *to*, as far as *decide* allows it: all, or none of them unless *partial*.

        Raises:
            ClaimRefused: *to* may not have one of them, or somebody else was faster; every such customer is named.
        """
        chosen = None if pool is None else pool_named(self.unit, pool)
        if (in_hand := self._in_hand(customers, chosen)) is not None:
            [decision] = self._decisions([in_hand], to, decide)
            if decision.allowed and (given := self._give_as_read(in_hand[0], to, kind, reason)):
                return Taken(customers=tuple(given))
        wanted = self._wanted(customers, chosen)
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

    def _give_as_read(
        self, customer: Customer, to: Id, kind: Literal["claimed", "assigned"], reason: str | None
    ) -> list[Customer]:
        """*customer*, given to *to* if it is still as it stands in the caller's hands; else nothing has happened."""
        still = F.version == customer.version
        return self._ownership.give([customer], to, kind=kind, reason=reason, still=still, decisive=_DECISIVE)

    def _in_hand(
        self, customers: Iterable[Customer | Id], chosen: Pool | None
    ) -> tuple[Customer, Pool] | None:
        """A single customer that the caller has read and that need not be read again, with the pool that it is to come from."""
        if not (isinstance(customers, Sequence) and len(customers) == 1 and self._customers.sees_all):
            return None
        # That it is made up shows when it has been written.
        if not self.unit.takes_back:
            return None
        [customer] = customers
        if not (isinstance(customer, Customer) and is_storable(id_of(self.unit, customer))):
            return None
        pool = self._pool_of(customer, chosen)
        # Were it made up, its other fields could say what they like to the question of a cap, or to a plugin.
        if pool is None or self.unit.kit.hooks.listens_to_records:
            return None
        counts_some = pool.claims.cap is not None and pool.claims.counted is not EVERYTHING
        return None if counts_some else (customer, pool)

    def _pool_of(self, customer: Customer, chosen: Pool | None) -> Pool | None:
        """The pool that *customer* is to come from: the one that was *chosen*, or the one it is in."""
        return chosen or next((one for one in self.unit.policy.pools if one.key == customer.pool_id), None)

    def _wanted(
        self, customers: Iterable[Customer | Id], chosen: Pool | None
    ) -> list[tuple[Customer, Pool | None]]:
        """What is wanted as it is now, each once, with the pool that it is to come from."""
        if isinstance(customers, str | Customer):
            raise InvalidValue("Customer", "id", customers, "a list of customers or of their ids")
        ids = list(dict.fromkeys(id_of(self.unit, one) for one in customers))
        read = self._customers.many(ids)
        for id in ids:
            if id not in read:
                raise NotFound("Customer", id[:80])
        return [(read[id], self._pool_of(read[id], chosen)) for id in ids]

    def _decisions(
        self,
        wanted: Sequence[tuple[Customer, Pool | None]],
        to: Id,
        decide: Decide,
    ) -> Iterator[ClaimDecision]:
        claimers: dict[str, tuple[Pool, Claimer]] = {}
        allowed: list[Customer] = []
        for customer, found in wanted:
            pool = found or self._nowhere()
            if pool.key not in claimers:
                mine = [one.id for one, at in wanted if (at or pool).key == pool.key]
                claimer = self._claimers.claimer(to, pool, mine)
                # What is theirs of this very batch counts for the cap as if it were stored, whichever pool it was in.
                more = sum(self.counts(one, pool, to) for one in allowed)
                claimers[pool.key] = pool, claimer.holding(more)
            decision = decide(customer, pool, claimers[pool.key][1])
            yield decision
            if not decision.allowed:
                continue
            allowed.append(customer)
            for key, (other, claimer) in claimers.items():
                counts = self.counts(customer, other, to)
                after = claimer.after_one(counts=counts) if key == pool.key else claimer.holding(counts)
                claimers[key] = other, after

    def _nowhere(self) -> Pool:
        """Stands for the pool of a customer that is in none."""
        return Pool(key="", label=Label("the pool", "公海"))

    def counts(self, customer: Customer, pool: Pool, to: Id) -> bool:
        """Whether *customer* would count for the cap of *pool*."""
        if pool.claims.cap is None:
            return False
        owned = customer.owned_by(to, at=self.unit.now())
        return self.unit.holds(owned, pool.claims.counted)


def id_of(unit: UnitOfWork, customer: Customer | Id) -> Id:
    """The id of *customer*, which is one of this tenant's."""
    if isinstance(customer, Customer):
        if customer.tenant != unit.tenant:
            raise InvalidValue("Customer", "tenant", customer.tenant, f"a record of {unit.tenant}")
        return customer.id
    if type(customer) is not str:
        raise InvalidValue("Customer", "id", customer, "the id of a customer")
    return customer


def pool_named(unit: UnitOfWork, key: str) -> Pool:
    """The pool of the policy in force called *key*, open or not."""
    if type(key) is not str:
        raise InvalidValue("Customer", "pool_id", key, "the key of a pool")
    return unit.policy.pool(key)
