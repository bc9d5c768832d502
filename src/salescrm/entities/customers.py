"""Customers and the people one reaches there, with the named questions about them."""

from __future__ import annotations

from datetime import date
from typing import Literal, TypeAlias

import attrs

from salescrm.entities.base import Record
from salescrm.kinds import Extra, Key, Line, Text
from salescrm.query import F, Where, ago
from salescrm.values import CreditCode, Email, Id, Moment, Money, Phone, Region

__all__ = [
    "Collaborator",
    "Contact",
    "Customer",
    "CustomerKind",
    "DecisionRole",
    "KeyDate",
    "Lifecycle",
    "owned_by",
    "quiet_for",
    "unowned",
]

CustomerKind: TypeAlias = Literal["company", "person"]
Lifecycle: TypeAlias = Literal["prospect", "active", "dormant", "lost"]
DecisionRole: TypeAlias = Literal["decides", "influences", "uses", "blocks"]
Access: TypeAlias = Literal["read", "write"]


@attrs.frozen(kw_only=True)
class KeyDate:
    """A day that matters: a birthday, an anniversary, the end of a contract."""

    name: str
    on: date
    yearly: bool = False


@attrs.frozen(kw_only=True)
class Collaborator:
    """A colleague with whom a record is shared, until a moment or for good."""

    member_id: str
    access: Access = "read"
    until: Moment | None = None


@attrs.frozen(kw_only=True)
class Customer(Record):
    """A company or person that buys or may buy."""

    #: C20240315001: prefix, day, running number; the format is policy.
    number: Key = ""
    kind: CustomerKind = "company"
    name: Line
    industry: Key | None = None
    #: A band of head-count: 1-9, 10-49, …
    size: Key | None = None
    annual_revenue: Money | None = None
    founded_year: int | None = None
    region: Region = Region()
    address: Text | None = None
    website: Line | None = None
    main_business: Text | None = None
    #: GB 32100-2015, check digit verified.
    credit_code: CreditCode | None = None
    parent_id: Id | None = None
    #: Where it came from: online, referral, exhibition, cold call, …
    source: Key | None = None
    #: How it buys: direct, distributor, e-commerce.
    channel: Key | None = None
    level: Key | None = None
    lifecycle: Lifecycle = "prospect"
    tags: tuple[Key, ...] = ()
    owner_id: Id | None = None
    collaborators: tuple[Collaborator, ...] = ()
    first_contact_at: Moment | None = None
    first_contact_by: Id | None = None
    first_deal_at: Moment | None = None
    won_amount: Money | None = None
    products_bought: tuple[Id, ...] = ()
    interests: tuple[Key, ...] = ()
    preferences: Text | None = None
    core_needs: Text | None = None
    budget_low: Money | None = None
    budget_high: Money | None = None
    purchase_deadline: date | None = None
    key_dates: tuple[KeyDate, ...] = ()
    notes: Text | None = None
    # Facts for the pool.
    pool_id: Id | None = None
    owned_since: Moment | None = None
    protected_until: Moment | None = None
    last_follow_up_at: Moment | None = None
    follow_up_count: int = 0
    # A person only.
    birth_date: date | None = None
    occupation: Line | None = None
    residence: Text | None = None
    emergency_contact: Line | None = None
    extra: Extra = Extra()

    def owned_by(self, member_id: Id, *, at: Moment) -> Customer:
        """This customer in *member_id*'s hands from *at*; out of any pool."""
        return attrs.evolve(self, owner_id=member_id, pool_id=None, owned_since=at)

    def followed_up(self, *, at: Moment) -> Customer:
        """This customer after a follow-up that ended *at*; an earlier one counts but does not turn the clock back."""
        last = max(at, self.last_follow_up_at) if self.last_follow_up_at else at
        first = min(at, self.first_contact_at) if self.first_contact_at else at
        return attrs.evolve(
            self, last_follow_up_at=last, first_contact_at=first, follow_up_count=self.follow_up_count + 1
        )


@attrs.frozen(kw_only=True)
class Contact(Record):
    """A person at a customer, and how to reach them."""

    customer_id: Id
    name: Line
    title: Line | None = None
    #: E.164.
    mobile: Phone | None = None
    phone: Phone | None = None
    email: Email | None = None
    wechat: Key | None = None
    birthday: date | None = None
    decision_role: DecisionRole | None = None
    primary: bool = False
    notes: Text | None = None
    extra: Extra = Extra()


def owned_by(member_id: Id) -> Where:
    """What *member_id* owns."""
    return F.owner_id == member_id


def unowned() -> Where:
    """What nobody owns."""
    return F.owner_id.is_null()


def quiet_for(days: int) -> Where:
    """Owned, and not followed up for *days* days of 24 hours; one never followed up counts from when it got its owner."""
    since = ago(days=days)
    never = F.last_follow_up_at.is_null() & (F.owned_since < since)
    return F.owner_id.is_set() & ((F.last_follow_up_at < since) | never)
