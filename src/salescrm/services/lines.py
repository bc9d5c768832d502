"""The product lines of an opportunity, and the amount that follows from them."""

from __future__ import annotations

from decimal import Decimal
from functools import partial

from salescrm.admission import is_exact
from salescrm.entities import Opportunity, OpportunityLine, Product
from salescrm.errors import InvalidValue, StateRefused
from salescrm.events import LineAdded, LineEdited, LineRemoved, OpportunityEdited
from salescrm.query import F
from salescrm.services.base import Service
from salescrm.unit import UnitOfWork
from salescrm.values import Id, Money
from salescrm.whole import whole

__all__ = ["LineService"]


class LineService(Service[OpportunityLine]):
    """
    What an opportunity is about, line by line.

    As long as the opportunity's amount is the sum of its lines (or there is none), it follows them; one that was set to
    something else by hand stays.
    """

    def __init__(self, work: UnitOfWork) -> None:
        super().__init__(work, OpportunityLine)

    def of(self, opportunity_id: Id) -> tuple[OpportunityLine, ...]:
        """The lines of an opportunity, in the order they came."""
        return tuple(self.stream(F.opportunity_id == opportunity_id))

    @whole
    def add(
        self,
        opportunity_id: Id,
        product_id: Id,
        *,
        quantity: Decimal | int = 1,
        price: Money | None = None,
        amount: Money | None = None,
        notes: str | None = None,
    ) -> OpportunityLine:
        """
        A new line; the price is the product's list price and the amount quantity times price, unless given.

        An amount is rounded half to even on the minor unit.

        Raises:
            StateRefused: The deal is closed, or the product is retired.
        """
        deal = self._open(opportunity_id)
        product = self.unit.repository(Product).peek(product_id)
        if product is None:
            raise InvalidValue("OpportunityLine", "product_id", product_id, "the id of a Product")
        if product.status == "retired":
            raise StateRefused("Product", product.name, product.status, "be sold any more")
        many = self._quantity(quantity)
        each = self._price(price) if price is not None else product.list_price
        lines = self._all(deal.id)
        line = self.build(
            {},
            id=self.unit.new_id(),
            opportunity_id=opportunity_id,
            product_id=product_id,
            quantity=many,
            price=each,
            amount=amount if amount is not None or each is None else each.times(many),
            notes=notes,
        )
        added = self.records.add(
            line, LineAdded(record_id=line.id, opportunity_id=opportunity_id, product_id=product_id)
        )
        self._follow(deal, lines, (*lines, added))
        return added

    @whole
    def edit(
        self,
        line: OpportunityLine | Id,
        *,
        quantity: Decimal | int | None = None,
        price: Money | None = None,
        amount: Money | None = None,
    ) -> OpportunityLine:
        """*line* with what is given changed; its amount is quantity times price again unless *amount* says otherwise."""
        before = self.read(line)
        deal = self._open(before.opportunity_id)
        many = before.quantity if quantity is None else self._quantity(quantity)
        each = before.price if price is None else self._price(price)
        new = amount if amount is not None else (before.amount if each is None else each.times(many))
        lines = self._all(deal.id)
        after = self.schema.evolve(before, {"quantity": many, "price": each, "amount": new})
        saved = self.records.save(before, after, edited=partial(LineEdited, opportunity_id=deal.id))
        self._follow(deal, lines, tuple(saved if one.id == saved.id else one for one in lines))
        return saved

    @whole
    def remove(self, line: OpportunityLine | Id) -> None:
        """*line* is gone; the change log keeps what it held."""
        before = self.read(line)
        deal = self._open(before.opportunity_id)
        lines = self._all(deal.id)
        event = LineRemoved(record_id=before.id, opportunity_id=deal.id, product_id=before.product_id)
        self.records.remove(before, event)
        self._follow(deal, lines, tuple(one for one in lines if one.id != before.id))

    def _open(self, opportunity_id: Id) -> Opportunity:
        deal = self.unit.repository(Opportunity).get(opportunity_id)
        if deal.status != "open":
            raise StateRefused("Opportunity", deal.number, deal.status, "have its lines changed")
        return deal

    def _all(self, opportunity_id: Id) -> tuple[OpportunityLine, ...]:
        """Its lines, whoever may see them: the amount is the sum of all."""
        return tuple(self.unit.unscoped(OpportunityLine).stream(F.opportunity_id == opportunity_id))

    def _quantity(self, quantity: Decimal | int) -> Decimal:
        exact = Decimal(quantity) if type(quantity) is int else quantity
        if type(exact) is not Decimal or not is_exact(exact) or exact <= 0:
            expected = "a Decimal of up to four places, or a whole number, above 0"
            raise InvalidValue("OpportunityLine", "quantity", quantity, expected)
        return exact

    def _price(self, price: Money) -> Money:
        if type(price) is not Money:
            raise InvalidValue("OpportunityLine", "price", price, "Money")
        return price

    def _follow(
        self, deal: Opportunity, before: tuple[OpportunityLine, ...], after: tuple[OpportunityLine, ...]
    ) -> None:
        if deal.amount is None or deal.amount == _sum(before):
            deals = self.unit.repository(Opportunity)
            deals.save(deal, deals.schema.evolve(deal, {"amount": _sum(after)}), edited=OpportunityEdited)


def _sum(lines: tuple[OpportunityLine, ...]) -> Money | None:
    """What the lines come to; None where there is none, or where currencies are mixed."""
    amounts = [line.amount for line in lines if line.amount is not None]
    if not amounts or len({amount.currency for amount in amounts}) > 1:
        return None
    return sum(amounts[1:], amounts[0])
