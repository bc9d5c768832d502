"""
Facts that have happened, each a frozen value with the few things a listener needs; who hears of them is elsewhere.

An event tells of one record: *entity* is its collection, *record_id* its id.  Who and when stand on the outbox entry
that carries the event.  `to_plain` and `from_plain` are how it gets into one and out again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, ClassVar

import attrs

from salescrm import jsonable
from salescrm.entities.opportunities import MoveKind
from salescrm.errors import InvalidValue
from salescrm.events.approvals import (
    ApprovalDelegated,
    ApprovalEdited,
    ApprovalGiven,
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalResubmitted,
    ApprovalWithdrawn,
)
from salescrm.events.base import Edited, Event
from salescrm.values import Id, Moment, Money

__all__ = [
    "ApprovalDelegated",
    "ApprovalEdited",
    "ApprovalGiven",
    "ApprovalGranted",
    "ApprovalRejected",
    "ApprovalRequested",
    "ApprovalResubmitted",
    "ApprovalWithdrawn",
    "ContactAdded",
    "ContactEdited",
    "ContactRemoved",
    "CustomerAssigned",
    "CustomerClaimed",
    "CustomerCreated",
    "CustomerEdited",
    "CustomerFallsSoon",
    "CustomerOwned",
    "CustomerProtected",
    "CustomerRecycled",
    "CustomerReleased",
    "CustomerRemoved",
    "CustomerTransferred",
    "Edited",
    "Event",
    "FollowUpCancelled",
    "FollowUpCompleted",
    "FollowUpEdited",
    "FollowUpPlanned",
    "FollowUpPostponed",
    "LineAdded",
    "LineEdited",
    "LineRemoved",
    "MemberAdded",
    "MemberEdited",
    "MemberHandedOver",
    "OpportunityEdited",
    "OpportunityLost",
    "OpportunityMoved",
    "OpportunityOpened",
    "OpportunityReopened",
    "OpportunityWon",
    "ProductAdded",
    "ProductEdited",
    "TeamAdded",
    "TeamEdited",
    "from_plain",
    "to_plain",
]


# Customers and their contacts.


@attrs.frozen(kw_only=True)
class CustomerCreated(Event):
    entity: ClassVar[str] = "customers"
    number: str
    customer_name: str
    owner_id: Id | None = None


@attrs.frozen(kw_only=True)
class CustomerEdited(Edited):
    entity: ClassVar[str] = "customers"


@attrs.frozen(kw_only=True)
class CustomerRemoved(Event):
    entity: ClassVar[str] = "customers"


@attrs.frozen(kw_only=True)
class CustomerOwned(Event):
    """The customer has a new owner; *pool* is the one that it came from."""

    entity: ClassVar[str] = "customers"
    owner_id: Id
    previous_owner_id: Id | None = None
    pool: str | None = None


@attrs.frozen(kw_only=True)
class CustomerClaimed(CustomerOwned):
    pass


@attrs.frozen(kw_only=True)
class CustomerAssigned(CustomerOwned):
    pass


@attrs.frozen(kw_only=True)
class CustomerTransferred(CustomerOwned):
    pass


@attrs.frozen(kw_only=True)
class CustomerReleased(Event):
    """Given back to a *pool* by hand, for a *reason*."""

    entity: ClassVar[str] = "customers"
    pool: str
    reason: str
    previous_owner_id: Id | None = None


@attrs.frozen(kw_only=True)
class CustomerRecycled(Event):
    """Fallen into a *pool* by *rule*, which decided, with the other *rules* that fired, on a day of that pool's zone."""

    entity: ClassVar[str] = "customers"
    pool: str
    rule: str
    rules: tuple[str, ...]
    day: date
    previous_owner_id: Id | None = None
    policy_version: int = 1


@attrs.frozen(kw_only=True)
class CustomerFallsSoon(Event):
    """It will fall into *pool* on the day *falls_on* by *rule*, unless something happens; *told* are warned of it."""

    entity: ClassVar[str] = "customers"
    pool: str
    rule: str
    falls_on: date
    days_left: int
    told: tuple[Id, ...] = ()


@attrs.frozen(kw_only=True)
class CustomerProtected(Event):
    """Kept from falling until a moment; None: no longer protected."""

    entity: ClassVar[str] = "customers"
    until: Moment | None = None


@attrs.frozen(kw_only=True)
class ContactAdded(Event):
    entity: ClassVar[str] = "contacts"
    customer_id: Id


@attrs.frozen(kw_only=True)
class ContactEdited(Edited):
    entity: ClassVar[str] = "contacts"


@attrs.frozen(kw_only=True)
class ContactRemoved(Event):
    entity: ClassVar[str] = "contacts"
    customer_id: Id


# What is sold, and who sells it.


@attrs.frozen(kw_only=True)
class ProductAdded(Event):
    entity: ClassVar[str] = "products"


@attrs.frozen(kw_only=True)
class ProductEdited(Edited):
    entity: ClassVar[str] = "products"


@attrs.frozen(kw_only=True)
class MemberAdded(Event):
    entity: ClassVar[str] = "members"


@attrs.frozen(kw_only=True)
class MemberEdited(Edited):
    entity: ClassVar[str] = "members"


@attrs.frozen(kw_only=True)
class MemberHandedOver(Event):
    """They no longer work here, and what was theirs is with *heirs*, the first of whom has what can't be divided."""

    entity: ClassVar[str] = "members"
    heirs: tuple[Id, ...]
    reason: str | None = None


@attrs.frozen(kw_only=True)
class TeamAdded(Event):
    entity: ClassVar[str] = "teams"


@attrs.frozen(kw_only=True)
class TeamEdited(Edited):
    entity: ClassVar[str] = "teams"


# Opportunities.


@attrs.frozen(kw_only=True)
class OpportunityOpened(Event):
    entity: ClassVar[str] = "opportunities"
    pipeline: str
    stage: str
    customer_id: Id | None = None
    owner_id: Id | None = None
    amount: Money | None = None


@attrs.frozen(kw_only=True)
class OpportunityEdited(Edited):
    entity: ClassVar[str] = "opportunities"


@attrs.frozen(kw_only=True)
class OpportunityMoved(Event):
    """From one stage to another; the events of closing and reopening are moves too."""

    entity: ClassVar[str] = "opportunities"
    pipeline: str
    from_stage: str
    to_stage: str
    kind: MoveKind
    #: The amount at that time.
    amount: Money | None = None


@attrs.frozen(kw_only=True)
class OpportunityWon(OpportunityMoved):
    pass


@attrs.frozen(kw_only=True)
class OpportunityLost(OpportunityMoved):
    reason: str | None = None


@attrs.frozen(kw_only=True)
class OpportunityReopened(OpportunityMoved):
    pass


@attrs.frozen(kw_only=True)
class LineAdded(Event):
    entity: ClassVar[str] = "opportunity_lines"
    opportunity_id: Id
    product_id: Id


@attrs.frozen(kw_only=True)
class LineEdited(Edited):
    entity: ClassVar[str] = "opportunity_lines"
    opportunity_id: Id


@attrs.frozen(kw_only=True)
class LineRemoved(Event):
    entity: ClassVar[str] = "opportunity_lines"
    opportunity_id: Id
    product_id: Id


# Follow-ups.


@attrs.frozen(kw_only=True)
class FollowUpPlanned(Event):
    entity: ClassVar[str] = "follow_ups"
    planned_at: Moment
    assignee_id: Id
    customer_id: Id | None = None
    opportunity_id: Id | None = None


@attrs.frozen(kw_only=True)
class FollowUpEdited(Edited):
    entity: ClassVar[str] = "follow_ups"


@attrs.frozen(kw_only=True)
class FollowUpCompleted(Event):
    entity: ClassVar[str] = "follow_ups"
    done_at: Moment
    customer_id: Id | None = None
    opportunity_id: Id | None = None
    effective: bool | None = None


@attrs.frozen(kw_only=True)
class FollowUpPostponed(Event):
    entity: ClassVar[str] = "follow_ups"
    was: Moment
    to: Moment
    reason: str


@attrs.frozen(kw_only=True)
class FollowUpCancelled(Event):
    entity: ClassVar[str] = "follow_ups"
    reason: str


def to_plain(event: Event) -> dict[str, Any]:
    """What *event* tells beside its name and record, as JSON-able data."""
    data: dict[str, Any] = jsonable.unstructure(event)
    del data["record_id"]
    return data


def from_plain(
    name: str, record_id: Id, data: Mapping[str, Any], *, own: Iterable[type[Event]] = ()
) -> Event:
    """
    The event that `to_plain` gave *data* for; *own* are a host's own kinds of event.

    Raises:
        InvalidValue: There is no event called *name*, or *data* is not its.
    """
    kind = _kinds(own).get(name)
    if kind is None:
        raise InvalidValue("Event", "name", name, "the name of an event")
    try:
        event: Event = jsonable.structure({**data, "record_id": record_id}, kind)
    except Exception as problem:  # cattrs raises groups of whatever went wrong inside
        raise InvalidValue("Event", "data", data, f"the data of {name}") from problem
    return event


def _kinds(own: Iterable[type[Event]]) -> dict[str, type[Event]]:
    ours = [globals()[name] for name in __all__ if name[0].isupper()]
    return {kind.__name__: kind for kind in (*ours, *own)}
