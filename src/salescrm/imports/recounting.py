"""What imported deals say of their customers: won so far, since when, of which products; counted anew, page by page."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

import attrs

from salescrm.crm import Crm, Work
from salescrm.entities import Customer, Opportunity, OpportunityLine
from salescrm.events import CustomerEdited
from salescrm.query import F, Tally, count, highest
from salescrm.values import Id, Moment, Money

__all__ = ["recount"]

#: How many customers, and how many of their deals, are counted at a time.
_PAGE: Final = 200


class _Dealing(TypedDict):
    """What `Customer.with_opportunities` takes."""

    open_ones: int
    advanced_at: Moment | None
    ended_at: Moment | None


@attrs.define
class _Won:
    """What one customer's won deals add up to."""

    first: Moment | None = None
    last: Moment | None = None
    amounts: dict[str, Money] = attrs.field(factory=dict)
    products: set[Id] = attrs.field(factory=set)

    def add(self, deal: Opportunity) -> None:
        if deal.closed_at is not None:
            self.first = min(self.first or deal.closed_at, deal.closed_at)
            self.last = max(self.last or deal.closed_at, deal.closed_at)
        if deal.amount is not None:
            code = deal.amount.currency
            self.amounts[code] = self.amounts.get(code, Money.zero(code)) + deal.amount


def recount(crm: Crm, *, by: str) -> None:
    """Brings what customers say of their deals to what the deals themselves say; a page at a time."""
    after: Id | None = Id("")
    while after is not None:
        after = crm.run(_page, after, by=by)


def _page(work: Work, after: Id) -> Id | None:
    """The customers that follow *after*; the last of them, None where there is none."""
    customers = work.repository(Customer).find(F.id > after, order=[F.id], limit=_PAGE)
    if not customers:
        return None
    ids = [customer.id for customer in customers]
    won, dealing = _won(work, ids), _dealing(work, ids)
    for customer in customers:
        if customer.id in dealing:
            counted = customer.with_opportunities(**dealing[customer.id])
            _save(work, customer, counted, won.get(customer.id))
    return customers[-1].id


def _dealing(work: Work, ids: Sequence[Id]) -> dict[Id, _Dealing]:
    """By customer, those who have deals at all: how many are open, and what they were up to."""
    table = Tally(
        by=[F.customer_id, F.status],
        measures=[count(), highest(F.advanced_at), highest(F.closed_at)],
        where=F.customer_id.one_of(ids),
    )
    found: dict[Id, _Dealing] = {}
    for customer_id, status, many, advanced_at, ended_at in work.repository(Opportunity).tally(table):
        dealing = found.setdefault(customer_id, {"open_ones": 0, "advanced_at": None, "ended_at": None})
        if status == "open":
            dealing |= {"open_ones": many, "advanced_at": advanced_at}
        elif ended_at is not None:
            dealing["ended_at"] = max(ended_at, dealing["ended_at"] or ended_at)
    return found


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


def _save(work: Work, before: Customer, customer: Customer, won: _Won | None) -> None:
    """As when a deal is won: deals in several currencies don't add up, then the policy's own is counted."""
    customers = work.repository(Customer)
    if won is None:
        customers.save(before, customer, edited=CustomerEdited)
        return
    only = next(iter(won.amounts.values())) if len(won.amounts) == 1 else None
    lasts = [last for last in (customer.last_deal_at, won.last) if last is not None]
    firsts = [first for first in (customer.first_deal_at, won.first) if first is not None]
    values: dict[str, Any] = {
        "first_deal_at": min(firsts, default=None),
        "last_deal_at": max(lasts, default=None),
        "lifecycle": "active",
        "won_amount": only or won.amounts.get(work.policy.currency),
        "products_bought": (
            *customer.products_bought,
            *sorted(won.products.difference(customer.products_bought)),
        ),
    }
    customers.save(before, customers.schema.evolve(customer, values), edited=CustomerEdited)
