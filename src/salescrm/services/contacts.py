"""Contacts: the people one reaches at a customer."""

from __future__ import annotations

from typing import Unpack

from salescrm.entities import Contact, Customer
from salescrm.errors import InvalidValue
from salescrm.events import ContactAdded, ContactEdited, ContactRemoved
from salescrm.query import F
from salescrm.services.base import Service
from salescrm.services.fields import ContactFields
from salescrm.unit import UnitOfWork
from salescrm.values import Id
from salescrm.whole import whole

__all__ = ["ContactService"]


class ContactService(Service[Contact]):
    """The people one reaches at a customer; at most one of each customer is primary."""

    def __init__(self, work: UnitOfWork) -> None:
        super().__init__(work, Contact)

    @whole
    def create(self, **fields: Unpack[ContactFields]) -> Contact:
        """A new contact of ``customer_id``; the first one of a customer is primary.

        Raises:
            InvalidValue: No such customer, or no mobile number where the policy wants one.
        """
        self.must_exist(Customer, [fields.get("customer_id")], "customer_id")
        return self.add_to(Id(fields.get("customer_id", "")), fields)

    @whole
    def add_to(self, customer_id: Id, fields: ContactFields, *, first: bool | None = None) -> Contact:
        """A new contact of a customer that is known to exist; *first* says whether it has none yet."""
        contact = self.build({"primary": False, **fields}, customer_id=customer_id, id=self.given_id(fields))
        self._reachable(contact)
        # Of all there are: one that this member may not see can be the primary one.
        others = self.unit.unscoped(Contact)
        alone = first if first is not None else not others.count(F.customer_id == customer_id)
        if alone:
            contact = self.schema.evolve(contact, {"primary": True})
        added = self.records.add(contact, ContactAdded(record_id=contact.id, customer_id=customer_id))
        if added.primary and not alone:
            self._only_primary(added)
        return added

    @whole
    def edit(self, contact: Contact | Id, **changes: Unpack[ContactFields]) -> Contact:
        """*contact* with *changes*; making it primary makes the others of the customer not."""
        before = self.read(contact)
        after = self.evolve(before, changes)
        self._reachable(after)
        if after.customer_id != before.customer_id:
            self.must_exist(Customer, [after.customer_id], "customer_id")
        saved = self.records.save(before, after, edited=ContactEdited)
        if saved.primary and (not before.primary or saved.customer_id != before.customer_id):
            self._only_primary(saved)
        return saved

    def remove(self, contact: Contact | Id) -> None:
        """*contact* is gone; the change log keeps what it held."""
        before = self.read(contact)
        self.records.remove(before, ContactRemoved(record_id=before.id, customer_id=before.customer_id))

    def of(self, customer_id: Id) -> tuple[Contact, ...]:
        """The contacts of a customer, by name."""
        return tuple(self.stream(F.customer_id == customer_id, order=[F.name]))

    def _reachable(self, contact: Contact) -> None:
        if contact.mobile is None and self.unit.policy.mobile_required:
            raise InvalidValue("Contact", "mobile", None, "a mobile number (policy: mobile_required)")

    def _only_primary(self, contact: Contact) -> None:
        others = (F.customer_id == contact.customer_id) & (F.primary == True) & (F.id != contact.id)  # noqa: E712  # a condition, not a truth value
        self.unit.unscoped(Contact).change(others, {"primary": False}, follow=_no_longer_primary)


def _no_longer_primary(before: Contact, contact: Contact) -> tuple[ContactEdited, ...]:
    return (ContactEdited(record_id=contact.id, fields=("primary",)),)
