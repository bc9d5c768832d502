"""Customers as something to be given out: who had them, who looks after their group, what they ask for; asked for many at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from salescrm.entities import Customer, Opportunity, OwnershipEntry, Product
from salescrm.policy import AssignmentRule
from salescrm.query import F, Tally, Where, count, highest
from salescrm.query.nodes import Always
from salescrm.rules.assigning import Item
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["Items", "chunked"]

#: How many ids one question asks for.
_AT_ONCE = 500

T = TypeVar("T")


def chunked(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """*values* as many at a time as one question asks for."""
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))


class Items:
    """What a rule of assignment asks about customers, in one Work."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._customers = unit.unscoped(Customer)

    def of(
        self,
        customers: Sequence[Customer],
        rule: AssignmentRule,
        counted: Sequence[Where],
        deals: Mapping[Id, int],
    ) -> Iterator[Item]:
        """
        *customers* as items, in their order; each counts for a cap where one of *counted* holds for it.

        *deals* is what `deals` says of them.
        """
        narrows = rule.strategy.narrows
        previous = self._previous(customers) if "sticky" in narrows else {}
        group = self._group(customers) if "sticky" in narrows else {}
        lines = self._lines(customers) if "skill" in narrows else {}
        for one in customers:
            region = one.region
            yield Item(
                id=one.id,
                name=one.name,
                region=tuple(part for part in (region.province, region.city, region.district) if part),
                skills=frozenset((*one.interests, *(lines[id] for id in one.products_bought if id in lines))),
                previous=tuple(previous.get(one.id, ())),
                group=tuple(group.get(one.id, ())),
                work=rule.load.customers + rule.load.opportunities * deals.get(one.id, 0),
                counts=any(self._counts(one, where) for where in counted),
            )

    def _counts(self, customer: Customer, where: Where) -> bool:
        if isinstance(where, Always):
            return where.value
        owned = customer.owned_by(self.unit.member, at=self.unit.now())
        return self.unit.holds(owned, where)

    def _previous(self, customers: Sequence[Customer]) -> dict[Id, list[Id]]:
        """By customer, who had it, the latest first."""
        ledger, found = self.unit.unscoped(OwnershipEntry), dict[Id, list[Id]]()
        for part in chunked([one.id for one in customers]):
            table = Tally(
                by=[F.customer_id, F.from_id],
                measures=[highest(F.at)],
                where=F.customer_id.one_of(part) & F.from_id.is_set(),
            )
            rows = ledger.tally(table)
            for customer_id, owner_id, _ in sorted(rows, key=lambda row: row[2], reverse=True):
                found.setdefault(customer_id, []).append(owner_id)
        return found

    def _group(self, customers: Sequence[Customer]) -> dict[Id, list[Id]]:
        """By customer, who owns its parent, then its daughters, then its sisters: whoever has the most of them first."""
        parents = {one.parent_id for one in customers if one.parent_id is not None}
        mothers = {id: mother.owner_id for id, mother in self._customers.many(sorted(parents)).items()}
        owners: dict[Id, list[tuple[int, Id]]] = {}
        for part in chunked(sorted({*parents, *(one.id for one in customers)})):
            table = Tally(
                by=[F.parent_id, F.owner_id],
                measures=[count()],
                where=F.parent_id.one_of(part) & F.owner_id.is_set(),
            )
            for parent_id, owner_id, many in self._customers.tally(table):
                owners.setdefault(parent_id, []).append((-many, owner_id))
        found: dict[Id, list[Id]] = {}
        for one in customers:
            near = [] if one.parent_id is None else [mothers.get(one.parent_id)]
            near += [id for _, id in sorted(owners.get(one.id, ()))]
            near += [id for _, id in sorted(owners.get(one.parent_id or Id(""), ()))]
            if known := list(dict.fromkeys(id for id in near if id is not None)):
                found[one.id] = known
        return found

    def _lines(self, customers: Sequence[Customer]) -> dict[Id, str]:
        """By product that one of them bought, its product line."""
        bought = {id for one in customers for id in one.products_bought}
        products = self.unit.unscoped(Product).many(sorted(bought))
        return {id: one.series for id, one in products.items() if one.series is not None}

    def deals(self, customers: Sequence[Customer]) -> dict[Id, int]:
        """By customer, how many open opportunities come along: those that nobody owns."""
        dealing, found = [one.id for one in customers if one.open_opportunities], dict[Id, int]()
        for part in chunked(dealing):
            left = F.customer_id.one_of(part) & (F.status == "open") & F.owner_id.is_null()
            found.update(
                self.unit.unscoped(Opportunity).tally(
                    Tally(by=[F.customer_id], measures=[count()], where=left)
                )
            )
        return found
