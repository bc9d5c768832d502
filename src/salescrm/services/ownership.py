"""
Who owns a customer: the one way in which owners change, each time with its line in the ledger and its event.

Whoever calls it has decided that it may be; here is what then happens, in one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from salescrm.entities import Customer, Opportunity, OwnershipEntry, Record
from salescrm.entities.customers import left_to, taken_by
from salescrm.entities.pools import OwnershipKind
from salescrm.errors import InvalidValue, StateRefused
from salescrm.events import (
    CustomerAssigned,
    CustomerClaimed,
    CustomerReleased,
    CustomerTransferred,
    Event,
    OpportunityEdited,
)
from salescrm.policy import Pool
from salescrm.query import EVERYTHING, F, Where
from salescrm.query.nodes import all_of
from salescrm.unit import UnitOfWork
from salescrm.values import Id
from salescrm.whole import whole

__all__ = ["Ownership"]

#: How many customers one statement changes.
_AT_ONCE = 500


class Ownership:
    """Takes customers from one owner, or pool, to another."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._customers = unit.unscoped(Customer)

    def pool_of(self, customer: Customer) -> Pool | None:
        """The pool that *customer* belongs to: the first, by rank, whose question holds for it."""
        return next((pool for pool in self.pools_of(customer)), None)

    def pools_of(self, customer: Customer) -> Iterator[Pool]:
        """The open pools whose questions hold for *customer*, by rank."""
        return (pool for pool in self.unit.policy.ranked_pools if self.unit.holds(customer, pool.where))

    def begun(self, customer: Customer) -> Customer:
        """A new *customer*, with what follows from whether somebody owns it."""
        evolve, now = self._customers.schema.evolve, self.unit.now()
        made: Customer
        if customer.owner_id is not None:
            made = evolve(customer, taken_by(customer.owner_id, at=customer.owned_since or now))
        elif self.unit.policy.pools or customer.owned_since is not None:
            pool = self.pool_of(customer)
            made = evolve(customer, left_to(pool.key if pool else None, at=now))
        else:
            return customer
        return made

    def edited(
        self, before: Customer, after: Customer
    ) -> tuple[Customer, tuple[Event, ...], tuple[Record, ...]]:
        """*after*, an edit of *before* with another owner, with what follows from that, and what is told of it."""
        unit, schema = self.unit, self._customers.schema
        if before.pool_id is not None and before.owner_id is None:
            raise StateRefused(
                "Customer", before.number, f"in the pool {before.pool_id}", "be edited to have an owner"
            )
        self._not_past_approval(before)
        if after.owner_id is None:
            if unit.policy.pools:
                raise InvalidValue(
                    "Customer", "owner_id", None, "a member; pools.release takes a customer from its owner"
                )
            fields = left_to(None, at=unit.now())
        else:
            fields = taken_by(after.owner_id, at=unit.now(), dealing=after.open_opportunities > 0)
        owned: Customer = schema.evolve(after, fields)
        entry = OwnershipEntry(
            customer_id=before.id,
            kind="released" if after.owner_id is None else "assigned",
            at=unit.now(),
            from_id=before.owner_id,
            to_id=after.owner_id,
            policy_version=unit.policy.version,
        )
        if after.owner_id is None:
            return owned, (), (entry,)
        told = CustomerAssigned(
            record_id=before.id, owner_id=after.owner_id, previous_owner_id=before.owner_id
        )
        return owned, (told,), (entry,)

    def _not_past_approval(self, customer: Customer) -> None:
        """Refuses an edit that would be a transfer that nobody approved, or would take from under one that is asked for.

        Raises:
            StateRefused: A transfer of *customer* waits for approval, or would have to.
        """
        state = None
        if customer.transfer_pending:
            state = "waiting for the approval of a transfer"
        flows = self.unit.policy.flows_of("transfer")
        if customer.owner_id is not None and any(self.unit.holds(customer, flow.where) for flow in flows):
            state = state or "to be transferred with an approval"
        if state is not None:
            raise StateRefused("Customer", customer.number, state, "be edited to have another owner")

    @whole
    def give(
        self,
        customers: Sequence[Customer],
        to: Id,
        *,
        kind: OwnershipKind,
        reason: str | None = None,
        reasons: Mapping[Id, str] = MappingProxyType({}),
        rule: str | None = None,
        also: Callable[[Customer], Mapping[str, Any]] | None = None,
        still: Where = EVERYTHING,
        decisive: Sequence[str] = (),
    ) -> list[Customer]:
        """
        *customers*, as they were read, in the hands of *to*; those that somebody else was faster with are missing.

        Open opportunities of theirs that nobody owns come along.  The ledger has *reason*, or one for each customer, and
        the *rule* that decided.  *also* gives further fields that change with the owner.  Where *still* does not hold any
        more, a customer is taken for one that somebody else was faster with.

        Raises:
            StaleWrite: One of them has changed since it was read, but not its owner; or a field that is *decisive* is made up.
        """
        given: list[Customer] = []
        told = self._told(kind, to, lambda one: reasons.get(one, reason), rule)
        alike: dict[tuple[bool, tuple[tuple[str, Any], ...]], list[Customer]] = {}
        for one in customers:
            more = tuple(also(one).items()) if also else ()
            alike.setdefault((one.open_opportunities > 0, more), []).append(one)
        for (dealing, more), part in alike.items():
            values = {**taken_by(to, at=self.unit.now(), dealing=dealing), **dict(more)}
            for start in range(0, len(part), _AT_ONCE):
                some = self._change(part[start : start + _AT_ONCE], values, told, still, decisive)
                given += some
                if dealing:
                    self._take_deals([one.id for one in some], to)
        order = {one.id: place for place, one in enumerate(customers)}
        return sorted(given, key=lambda one: order[one.id])

    @whole
    def release(self, customer: Customer, pool: Pool, *, reason: str) -> Customer | None:
        """*customer*, as it was read, in nobody's hands and in *pool*; None if somebody else was faster."""
        values = left_to(pool.key, at=self.unit.now())
        released = self._change([customer], values, self._left(pool, reason))
        if released and pool.opportunities == "follow":
            self._leave_deals(F.customer_id == customer.id)
        return released[0] if released else None

    def _change(
        self,
        customers: Sequence[Customer],
        values: dict[str, object],
        follow: Callable[[Customer, Customer], Iterable[Event | Record]],
        still: Where = EVERYTHING,
        decisive: Sequence[str] = (),
    ) -> list[Customer]:
        if not customers:
            return []
        owners = {one.owner_id for one in customers}
        # Compare and set: the owner is still who it was, and nothing else has happened either.
        if len(owners) == 1:
            still = all_of([still, F.owner_id == customers[0].owner_id])
        return self._customers.change(
            still, values, known=customers, decisive=decisive, follow=follow, skip_locked=False
        )

    def _told(
        self, kind: OwnershipKind, to: Id, reason: Callable[[Id], str | None], rule: str | None
    ) -> Callable[[Customer, Customer], Iterable[Event | Record]]:
        event: type[CustomerClaimed | CustomerAssigned | CustomerTransferred]
        match kind:
            case "claimed":
                event = CustomerClaimed
            case "transferred":
                event = CustomerTransferred
            case _:
                event = CustomerAssigned

        def follow(before: Customer, after: Customer) -> tuple[Event | Record, ...]:
            entry = OwnershipEntry(
                customer_id=before.id,
                kind=kind,
                at=self.unit.now(),
                from_id=before.owner_id,
                to_id=to,
                pool=before.pool_id,
                reason=reason(before.id),
                rule=rule,
                policy_version=self.unit.policy.version,
            )
            told = event(
                record_id=before.id, owner_id=to, previous_owner_id=before.owner_id, pool=before.pool_id
            )
            return entry, told

        return follow

    def _left(self, pool: Pool, reason: str) -> Callable[[Customer, Customer], Iterable[Event | Record]]:
        def follow(before: Customer, after: Customer) -> tuple[Event | Record, ...]:
            entry = OwnershipEntry(
                customer_id=before.id,
                kind="released",
                at=self.unit.now(),
                from_id=before.owner_id,
                pool=pool.key,
                reason=reason,
                policy_version=self.unit.policy.version,
            )
            told = CustomerReleased(
                record_id=before.id, previous_owner_id=before.owner_id, pool=pool.key, reason=reason
            )
            return entry, told

        return follow

    def _take_deals(self, customer_ids: Sequence[Id], to: Id) -> None:
        """Open opportunities that were left with their customers get its new owner."""
        if customer_ids:
            self._change_deals(F.customer_id.one_of(customer_ids) & F.owner_id.is_null(), to)

    def _leave_deals(self, where: Where) -> None:
        self._change_deals(where & F.owner_id.is_set(), None)

    def _change_deals(self, where: Where, owner_id: Id | None) -> None:
        deals = self.unit.unscoped(Opportunity)
        still = where & (F.status == "open")
        while deals.change(still, {"owner_id": owner_id}, limit=_AT_ONCE, follow=_edited, skip_locked=False):
            pass


def _edited(before: Opportunity, after: Opportunity) -> tuple[Event, ...]:
    return (OpportunityEdited(record_id=after.id, fields=("owner_id",)),)
