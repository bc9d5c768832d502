"""What may be given when a record is created or edited: the entity's own fields, without stamps and computed facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypedDict

from salescrm.entities.customers import Collaborator, CustomerKind, DecisionRole, KeyDate, Lifecycle
from salescrm.entities.follow_ups import Attachment, FollowUpKind, Place, Priority, RemindBefore
from salescrm.entities.opportunities import Competitor
from salescrm.entities.people import Leave
from salescrm.entities.products import ProductStatus
from salescrm.values import Money, Region

__all__ = [
    "ContactFields",
    "CustomerFields",
    "FollowUpFields",
    "MemberFields",
    "OpportunityFields",
    "ProductFields",
    "TeamFields",
]


class TeamFields(TypedDict, total=False):
    """Of a `Team`."""

    name: str
    parent_id: str | None
    leader_id: str | None
    extra: Mapping[str, Any]


class MemberFields(TypedDict, total=False):
    """Of a `Member`."""

    name: str
    team_id: str | None
    manager_id: str | None
    roles: Sequence[str]
    active: bool
    weekly_capacity: int | None
    leave: Sequence[Leave]
    skills: Sequence[str]
    territories: Sequence[str]
    email: str | None
    time_zone: str | None
    deputy_id: str | None
    deputy_through: date | None
    extra: Mapping[str, Any]


class CustomerFields(TypedDict, total=False):
    """Of a `Customer`."""

    id: str
    number: str
    kind: CustomerKind
    name: str
    industry: str | None
    size: str | None
    annual_revenue: Money | None
    founded_year: int | None
    region: Region
    address: str | None
    website: str | None
    main_business: str | None
    credit_code: str | None
    parent_id: str | None
    source: str | None
    channel: str | None
    level: str | None
    lifecycle: Lifecycle
    tags: Sequence[str]
    owner_id: str | None
    collaborators: Sequence[Collaborator]
    interests: Sequence[str]
    preferences: str | None
    core_needs: str | None
    budget_low: Money | None
    budget_high: Money | None
    purchase_deadline: date | None
    key_dates: Sequence[KeyDate]
    notes: str | None
    birth_date: date | None
    occupation: str | None
    residence: str | None
    emergency_contact: str | None
    extra: Mapping[str, Any]


class ContactFields(TypedDict, total=False):
    """Of a `Contact`; a mobile number is read in the policy's region and kept in E.164."""

    id: str
    customer_id: str
    name: str
    title: str | None
    mobile: str | None
    phone: str | None
    email: str | None
    wechat: str | None
    birthday: date | None
    decision_role: DecisionRole | None
    primary: bool
    notes: str | None
    extra: Mapping[str, Any]


class ProductFields(TypedDict, total=False):
    """Of a `Product`."""

    id: str
    name: str
    code: str | None
    series: str | None
    unit: str | None
    list_price: Money | None
    cost: Money | None
    status: ProductStatus
    description: str | None
    extra: Mapping[str, Any]


class OpportunityFields(TypedDict, total=False):
    """Of an `Opportunity`; its stage and what follows from it change by `move` only."""

    id: str
    number: str
    name: str
    customer_id: str | None
    contact_id: str | None
    amount: Money | None
    expected_close: date | None
    level: str | None
    source: str | None
    competitors: Sequence[Competitor]
    needs: str | None
    next_step: str | None
    owner_id: str | None
    collaborators: Sequence[Collaborator]
    tags: Sequence[str]
    extra: Mapping[str, Any]


class FollowUpFields(TypedDict, total=False):
    """Of a `FollowUp`, as far as it can be planned; the outcome is given when it is completed."""

    id: str
    number: str
    customer_id: str | None
    opportunity_id: str | None
    contact_id: str | None
    kind: FollowUpKind
    planned_at: datetime
    purpose: str | None
    priority: Priority
    remind_before: Sequence[RemindBefore]
    assignee_id: str
    subject: str | None
    attachments: Sequence[Attachment]
    place: Place | None
    extra: Mapping[str, Any]
