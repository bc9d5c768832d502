"""Customers: creating, editing, tagging, sharing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, ClassVar, Unpack

from salescrm.entities import Collaborator, Contact, Customer, FollowUp, Opportunity
from salescrm.entities.customers import OWNING, Access, taken_by
from salescrm.errors import InvalidValue, StateRefused
from salescrm.events import CustomerCreated, CustomerEdited, CustomerRemoved, Event
from salescrm.query import F, Tally, count, highest, total
from salescrm.services.assigning import Assigning
from salescrm.services.base import Service
from salescrm.services.contacts import ContactService
from salescrm.services.fields import ContactFields, CustomerFields
from salescrm.services.ownership import Ownership
from salescrm.unit import UnitOfWork
from salescrm.values import Id, Money, moment
from salescrm.whole import whole

__all__ = ["CustomerService"]

#: How many customers of a bulk load get their numbers at a time.
_BATCH = 5_000
_BUDGET = frozenset({"budget_low", "budget_high"})


class CustomerService(Service[Customer]):
    """Companies and persons who buy or may buy."""

    #: These follow from what happens: follow-ups, deals, pools.
    computed: ClassVar[frozenset[str]] = frozenset(
        {
            "first_contact_at",
            "first_contact_by",
            "first_deal_at",
            "last_deal_at",
            "won_amount",
            "products_bought",
            "last_follow_up_at",
            "follow_up_count",
            "open_opportunities",
            "shared_until",
            "transfer_pending",
            *OWNING,
        }
    ) - {"owner_id"}

    def __init__(self, work: UnitOfWork) -> None:
        super().__init__(work, Customer)

    @whole
    def create(self, *, contacts: Sequence[ContactFields] = (), **fields: Unpack[CustomerFields]) -> Customer:
        """
        A new customer, numbered by policy, with its contacts, the first of them primary.

        Without ``owner_id`` nobody owns it yet: it is in the pool that it belongs to, if the policy has one for it; unless
        the policy's rule of assignment for it says ``on_create`` and somebody can take it, who then owns it at once.

        Raises:
            InvalidValue: A value that its field can't take, or a reference to nothing.
            Duplicate: The id or number is taken.
        """
        unit = self.unit
        self._references(fields)
        id, number = self.given_id(fields), self.given_number(fields)
        owner = fields.get("owner_id")
        # With the rest, not by `begun`: so the record is made once.
        owned = {} if owner is None else taken_by(owner, at=unit.now())
        customer = self.build(fields, id=id, number=number, **owned)
        added = self.records.add(
            self._begun(customer) if owner is None else customer, _created, settle=self._begun
        )
        if contacts:
            service = ContactService(unit)
            for position, contact in enumerate(contacts):
                service.add_to(added.id, contact, first=position == 0)
        if not unit.policy.assigns_on_create:
            return added
        return Assigning(unit).created([added]).get(added.id, added)

    @whole
    def create_many(self, drafts: Iterable[Customer]) -> int:
        """
        Adds *drafts* in bulk, logged like single ones; how many.

        A draft without id or number is given one. References are not looked up: the caller has them from us.
        Rules of assignment give owners as in `create`, many at a time, in the order of the drafts.
        """
        made = self._drafts(drafts)
        if not self.unit.policy.assigns_on_create:
            return self.records.add_many(made, events=_tell_created, settle=self._begun)
        added, assigning = 0, Assigning(self.unit)
        while batch := list(islice(made, _BATCH)):
            named = [one if one.id else self.schema.evolve(one, {"id": self.unit.new_id()}) for one in batch]
            added += self.records.add_many(named, events=_tell_created, settle=self._begun)
            free = [one.id for one in named if one.owner_id is None]
            # As they are stored: plugins may have changed them on the way.
            stored = self.unit.unscoped(Customer).many(free)
            assigning.created(stored[id] for id in free)
        return added

    def _drafts(self, drafts: Iterable[Customer]) -> Iterator[Customer]:
        evolve, begun = self.schema.evolve, self.unit.service(Ownership).begun
        batch: list[Customer] = []

        def numbered() -> Iterator[Customer]:
            numbers = iter(self.numbered(sum(not one.number for one in batch)))
            for one in batch:
                yield begun(one if one.number else evolve(one, {"number": next(numbers)}))

        for draft in drafts:
            batch.append(draft)
            if len(batch) == _BATCH:
                yield from numbered()
                batch.clear()
        if batch:
            yield from numbered()

    @whole
    def edit(self, customer: Customer | Id, **changes: Unpack[CustomerFields]) -> Customer:
        """
        *customer* with *changes*, each logged with its old and new value.

        Given the record that was read, it is refused with StaleWrite if somebody saved it since.
        Another ``owner_id`` is an assignment, and a line in the ownership ledger.

        Raises:
            StateRefused: It is in a pool, whose rules say who gets it: claim or assign it there.  Or a transfer of it has
                to be approved, or is waiting to be: `transfers.transfer` asks for that.
            InvalidValue: No owner, where there are pools: `pools.release` says why.  A parent that stands below it.
        """
        before = self.read(customer)
        self._references(changes)
        after = self.evolve(before, changes)
        if after.parent_id != before.parent_id:
            self._above(after)
        if after.owner_id == before.owner_id:
            return self.records.save(before, after, edited=CustomerEdited)
        after, events, lines = self.unit.service(Ownership).edited(before, after)
        return self.records.save(before, after, *events, edited=CustomerEdited, lines=lines)

    def tag(self, customer: Customer | Id, *tags: str) -> Customer:
        """*customer* with *tags* added, each once, in the order they came."""
        before = self.read(customer)
        fresh = [tag for n, tag in enumerate(tags) if tag not in (*before.tags, *tags[:n])]
        return self.edit(before, tags=(*before.tags, *fresh))

    def untag(self, customer: Customer | Id, *tags: str) -> Customer:
        """*customer* without *tags*."""
        before = self.read(customer)
        return self.edit(before, tags=tuple(tag for tag in before.tags if tag not in tags))

    def share(
        self,
        customer: Customer | Id,
        member_id: Id,
        *,
        access: Access = "read",
        until: datetime | None = None,
    ) -> Customer:
        """*customer* shared with a colleague, for reading or writing, for good or *until* a moment."""
        before = self.read(customer)
        ends = None if until is None else moment(until, entity="Customer", field="collaborators")
        if ends is not None and ends <= self.unit.now():
            raise InvalidValue("Customer", "collaborators", until, "a moment that is still to come")
        others = tuple(one for one in before.collaborators if one.member_id != member_id)
        return self.edit(
            before, collaborators=(*others, Collaborator(member_id=member_id, access=access, until=ends))
        )

    def unshare(self, customer: Customer | Id, member_id: Id) -> Customer:
        """*customer* no longer shared with that colleague."""
        before = self.read(customer)
        return self.edit(
            before, collaborators=tuple(one for one in before.collaborators if one.member_id != member_id)
        )

    def evolve(self, record: Customer, changes: Mapping[str, Any]) -> Customer:
        """*record* with cleaned *changes*, and what follows from them."""
        after = super().evolve(record, changes)
        if _BUDGET & changes.keys():
            _check_budget(after)
        return _shared(after) if "collaborators" in changes else after

    def build(self, fields: Mapping[str, Any], **more: Any) -> Customer:
        """A new customer of *fields* and *more*, and what follows from them."""
        customer = super().build(fields, **more)
        _check_budget(customer)
        return _shared(customer) if customer.collaborators else customer

    @whole
    def remove(self, customer: Customer | Id) -> None:
        """
        *customer* and its contacts are gone; the change log keeps what they held.

        Raises:
            StateRefused: It has opportunities or follow-ups; those are history that must not lose its customer.
        """
        before = self.read(customer)
        for entity in (Opportunity, FollowUp):
            many = self.unit.unscoped(entity).count(F.customer_id == before.id)
            if many:
                held = f"the customer of {many} {self.unit.kit.by_record[entity].collection}"
                raise StateRefused("Customer", before.number, held, "be removed")
        contacts = ContactService(self.unit)
        for contact in tuple(self.unit.unscoped(Contact).stream(F.customer_id == before.id)):
            contacts.remove(contact)
        self.records.remove(before, CustomerRemoved(record_id=before.id))

    def contacts(self, customer: Customer | Id) -> tuple[Contact, ...]:
        """The people one reaches at *customer*, by name."""
        return ContactService(self.unit).of(customer.id if isinstance(customer, Customer) else customer)

    def recount_deals(self, customer_id: Id) -> Customer:
        """The customer after one of its opportunities came, moved or went: how many are open, and what they were up to."""
        customers = self.unit.unscoped(Customer)
        before = customers.get(customer_id)
        table = Tally(
            by=[F.status],
            measures=[count(), highest(F.advanced_at), highest(F.closed_at)],
            where=F.customer_id == customer_id,
        )
        rows = {status: rest for status, *rest in self.unit.unscoped(Opportunity).tally(table)}
        open_ones, advanced_at, _ = rows.get("open", (0, None, None))
        ends = [end for status, (_, _, end) in rows.items() if status != "open" and end is not None]
        after = before.with_opportunities(
            open_ones=open_ones, advanced_at=advanced_at, ended_at=max(ends, default=None)
        )
        return customers.save(before, after, edited=CustomerEdited)

    def recount_won(
        self, customer_id: Id, *, first_deal_at: datetime | None, products: Iterable[Id]
    ) -> Customer:
        """
        The customer after a deal was won or reopened: the won amount, counted anew from all of its won deals.

        First deal and products bought only ever grow: a deal that is reopened was made all the same.
        """
        # Whoever moves a deal moves these facts too, however little of the customer is for them to see.
        customers = self.unit.unscoped(Customer)
        before = customers.get(customer_id)
        won = (F.customer_id == customer_id) & (F.status == "won")
        table = Tally(by=[F.amount.currency], measures=[total(F.amount), highest(F.closed_at)], where=won)
        rows = self.unit.unscoped(Opportunity).tally(table)
        totals = {currency: amount for currency, amount, _ in rows}
        amounts = [amount for amount in totals.values() if amount is not None]
        # Deals in several currencies don't add up: only the policy's own currency is then counted.
        amount = amounts[0] if len(amounts) == 1 else totals.get(self.unit.policy.currency)
        first = min((at for at in (before.first_deal_at, first_deal_at) if at is not None), default=None)
        after = self.schema.evolve(
            before,
            {
                "won_amount": amount,
                "first_deal_at": first,
                "last_deal_at": max(
                    (last for *_, last in rows if last is not None), default=before.last_deal_at
                ),
                "products_bought": tuple(dict.fromkeys((*before.products_bought, *products))),
                "lifecycle": "active" if totals or first_deal_at else before.lifecycle,
            },
        )
        return customers.save(before, after, edited=CustomerEdited)

    def _begun(self, customer: Customer) -> Customer:
        """A new *customer*, with what follows from whether somebody owns it."""
        return self.unit.service(Ownership).begun(customer)

    def _above(self, customer: Customer) -> None:
        """Refuses a customer that would come to stand below itself."""
        above, seen = customer.parent_id, set[Id]()
        while above is not None and above not in seen:
            if above == customer.id:
                expected = "a customer that is not below this one"
                raise InvalidValue("Customer", "parent_id", customer.parent_id, expected)
            seen.add(above)
            found = self.unit.unscoped(Customer).peek(above)
            above = None if found is None else found.parent_id

    def _references(self, fields: CustomerFields) -> None:
        self.must_exist(Customer, [fields.get("parent_id")], "parent_id")


def _check_budget(customer: Customer) -> None:
    """Refuses one from more to less; two currencies can't be compared, and what is no amount is refused when it is stored."""
    low, high = customer.budget_low, customer.budget_high
    if type(low) is Money and type(high) is Money and low.currency == high.currency and low > high:
        raise InvalidValue("Customer", "budget_high", high, "an amount that is not below budget_low")


def _shared(customer: Customer) -> Customer:
    """What is no collaborator is refused when it is stored, and said so."""
    people = customer.collaborators
    sound = type(people) is tuple and all(type(one) is Collaborator for one in people)
    return customer.shared() if sound else customer


def _created(customer: Customer) -> CustomerCreated:
    return CustomerCreated(
        record_id=customer.id,
        number=customer.number,
        customer_name=customer.name,
        owner_id=customer.owner_id,
    )


def _tell_created(customer: Customer) -> tuple[Event, ...]:
    return (_created(customer),)
