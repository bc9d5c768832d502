"""What imported deals say of their customers: won so far, since when, of which products; counted anew, page by page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from salescrm.crm import Crm, Work
from salescrm.entities import Customer, Opportunity, OpportunityLine
from salescrm.events import CustomerEdited
from salescrm.query import F, Tally, count
from salescrm.values import Id, Moment, Money

__all__ = ["recount"]

#: How many customers, and how many of their deals, are counted at a time.
_PAGE: Final = 200


@attrs.define
class _Won:
    """What one customer's won deals add up to."""

    first: Moment | None = None
    amounts: dict[str, Money] = attrs.field(factory=dict)
    products: set[Id] = attrs.field(factory=set)

    def add(self, deal: Opportunity) -> None:
        if deal.closed_at is not None:
            self.first = min(self.first or deal.closed_at, deal.closed_at)
        if deal.amount is not None:
            code = deal.amount.currency
            self.amounts[code] = self.amounts.get(code, Money.zero(code)) + deal.amount


def recount(crm: Crm, *, by: str) -> None:
    """Brings the customers' first deal, won amount and products bought to what their won deals say; a page at a time."""
    after: Id | None = Id("")
    while after is not None:
        after = crm.run(_page, after, by=by)


def _page(work: Work, after: Id) -> Id | None:
    """The customers that follow *after*; the last of them, None where there is none."""
    customers = work.repository(Customer).find(F.id > after, order=[F.id], limit=_PAGE)
    if not customers:
        return None
    won = _won(work, [customer.id for customer in customers])
    for customer in customers:
        if customer.id in won:
            _save(work, customer, won[customer.id])
    return customers[-1].id


def _won(work: Work, ids: Sequence[Id]) -> dict[Id, _Won]:
    """By customer; deals come and go in chunks, since a single customer may have any number of them."""
    found: defaultdict[Id, _Won] = defaultdict(_Won)
    chunk: dict[Id, Id] = {}
    for deal in work.repository(Opportunity).stream(F.customer_id.one_of(ids) & (F.status == "won")):
        if deal.customer_id is not None:
            found[deal.customer_id].add(deal)
            chunk[deal.id] = deal.customer_id
        if len(chunk) == _PAGE:
            _products(work, chunk, found)
            chunk.clear()
    _products(work, chunk, found)
    return found


def _products(work: Work, customers: Mapping[Id, Id], found: Mapping[Id, _Won]) -> None:
    """Adds the products on the lines of some deals, given with their customers."""
    where = F.opportunity_id.one_of(customers)
    bought = Tally(by=[F.opportunity_id, F.product_id], measures=[count()], where=where)
    for deal, product, _ in work.repository(OpportunityLine).tally(bought):
        found[customers[deal]].products.add(product)


def _save(work: Work, customer: Customer, won: _Won) -> None:
    """As when a deal is won: deals in several currencies don't add up, then the policy's own is counted."""
    only = next(iter(won.amounts.values())) if len(won.amounts) == 1 else None
    firsts = [first for first in (customer.first_deal_at, won.first) if first is not None]
    values: dict[str, Any] = {
        "first_deal_at": min(firsts, default=None),
        "lifecycle": "active",
        "won_amount": only or won.amounts.get(work.policy.currency),
        "products_bought": (
            *customer.products_bought,
            *sorted(won.products.difference(customer.products_bought)),
        ),
    }
    customers = work.repository(Customer)
    customers.save(customer, customers.schema.evolve(customer, values), edited=CustomerEdited)
