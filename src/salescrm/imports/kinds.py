"""What an import must know of each entity that the schema doesn't say: its service, its number, the event of its coming."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs

from salescrm.crm import Work
from salescrm.entities import Contact, Customer, Opportunity
from salescrm.events import (
    ContactAdded,
    ContactEdited,
    CustomerCreated,
    CustomerEdited,
    Edited,
    Event,
    MemberAdded,
    MemberEdited,
    OpportunityEdited,
    OpportunityOpened,
    ProductAdded,
    ProductEdited,
    TeamAdded,
    TeamEdited,
)
from salescrm.imports.plan import ImportEntity
from salescrm.services.base import Service

__all__ = ["KINDS", "Kind"]


@attrs.frozen(kw_only=True)
class Kind:
    """One entity, as an import meets it."""

    service: Callable[[Work], Service[Any]]
    #: The event that tells of a new one; what it was before the import is no event.
    added: Callable[[Any], Event]
    edited: type[Edited]
    numbered: bool = False


def _customer(customer: Customer) -> Event:
    return CustomerCreated(
        record_id=customer.id,
        number=customer.number,
        customer_name=customer.name,
        owner_id=customer.owner_id,
    )


def _opportunity(deal: Opportunity) -> Event:
    return OpportunityOpened(
        record_id=deal.id,
        pipeline=deal.pipeline,
        stage=deal.stage,
        customer_id=deal.customer_id,
        owner_id=deal.owner_id,
        amount=deal.amount,
    )


def _contact(contact: Contact) -> Event:
    return ContactAdded(record_id=contact.id, customer_id=contact.customer_id)


KINDS: Final[Mapping[ImportEntity, Kind]] = MappingProxyType(
    {
        "Team": Kind(
            service=lambda work: work.teams,
            added=lambda team: TeamAdded(record_id=team.id),
            edited=TeamEdited,
        ),
        "Member": Kind(
            service=lambda work: work.members,
            added=lambda member: MemberAdded(record_id=member.id),
            edited=MemberEdited,
        ),
        "Product": Kind(
            service=lambda work: work.products,
            added=lambda product: ProductAdded(record_id=product.id),
            edited=ProductEdited,
        ),
        "Customer": Kind(
            service=lambda work: work.customers, added=_customer, edited=CustomerEdited, numbered=True
        ),
        "Contact": Kind(service=lambda work: work.contacts, added=_contact, edited=ContactEdited),
        "Opportunity": Kind(
            service=lambda work: work.opportunities,
            added=_opportunity,
            edited=OpportunityEdited,
            numbered=True,
        ),
    }
)
