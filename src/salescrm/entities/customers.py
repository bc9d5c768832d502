"""Customers and the people one reaches there, with the named questions about them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final, Literal, TypeAlias

import attrs

from salescrm.entities.base import Record
from salescrm.kinds import Extra, Key, Line, Text
from salescrm.query import F, Where, ago
from salescrm.values import CreditCode, Email, Id, Moment, Money, Phone, Region

__all__ = [
    "OWNING",
    "Collaborator",
    "Contact",
    "Customer",
    "CustomerKind",
    "DecisionRole",
    "KeyDate",
    "Lifecycle",
    "in_pool",
    "left_to",
    "owned_by",
    "quiet_for",
    "taken_by",
    "unowned",
]

CustomerKind: TypeAlias = Literal["company", "person"]
Lifecycle: TypeAlias = Literal["prospect", "active", "dormant", "lost"]
DecisionRole: TypeAlias = Literal["decides", "influences", "uses", "blocks"]
Access: TypeAlias = Literal["read", "write"]


#: The last moment that a store keeps: the end of what has none.
FOR_GOOD: Final = datetime(9998, 12, 31, tzinfo=UTC)


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
    last_deal_at: Moment | None = None
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
    last_follow_up_at: Moment | None = None
    follow_up_count: int = 0
    #: Its open opportunities.
    open_opportunities: int = 0
    #: The last day of the last approved contract.
    contract_ends_on: date | None = None
    #: Whether something that was approved is still to be paid.
    has_receivables: bool = False
    # Facts for the pool: what of them is set while somebody owns it, and what while nobody does.
    pool_id: Id | None = None
    entered_pool_at: Moment | None = None
    owned_since: Moment | None = None
    #: The later of the last effective follow-up and taking ownership.
    quiet_since: Moment | None = None
    #: The later of the last stage advance of any open opportunity and taking ownership.
    stuck_since: Moment | None = None
    #: The later of the end of the last open opportunity and taking ownership; None while there is an open one.
    dealless_since: Moment | None = None
    protected_until: Moment | None = None
    #: Until when the last of its collaborators may see it; the year 9998 for good.
    shared_until: Moment | None = None
    #: A transfer waits for approval.
    transfer_pending: bool = False
    # A person only.
    birth_date: date | None = None
    occupation: Line | None = None
    residence: Text | None = None
    emergency_contact: Line | None = None
    extra: Extra = Extra()

    def owned_by(self, member_id: Id, *, at: Moment) -> Customer:
        """This customer in *member_id*'s hands from *at*; out of any pool."""
        return attrs.evolve(self, **taken_by(member_id, at=at, dealing=self.open_opportunities > 0))

    def unowned_in(self, pool_id: str | None, *, at: Moment) -> Customer:
        """This customer in nobody's hands, in the pool *pool_id*, if any, from *at*."""
        return attrs.evolve(self, **left_to(pool_id, at=at))

    def shared(self) -> Customer:
        """This customer with the moment until which somebody else may see it, as its collaborators say."""
        ends = [one.until or FOR_GOOD for one in self.collaborators]
        return attrs.evolve(self, shared_until=max(ends, default=None))

    def followed_up(self, *, at: Moment, effective: bool) -> Customer:
        """This customer after a follow-up that ended *at*; an earlier one counts but does not turn the clock back."""
        last = max(at, self.last_follow_up_at) if self.last_follow_up_at else at
        first = min(at, self.first_contact_at) if self.first_contact_at else at
        quiet = max(at, self.quiet_since) if effective and self.quiet_since else self.quiet_since
        return attrs.evolve(
            self,
            last_follow_up_at=last,
            first_contact_at=first,
            follow_up_count=self.follow_up_count + 1,
            quiet_since=quiet,
        )

    def with_opportunities(
        self, *, open_ones: int, advanced_at: Moment | None, ended_at: Moment | None
    ) -> Customer:
        """
        This customer with its opportunities counted anew.

        *advanced_at* is the last stage advance of those that are open, *ended_at* when the last one was closed.
        """
        since = self.owned_since
        return attrs.evolve(
            self,
            open_opportunities=open_ones,
            stuck_since=None if since is None else max(since, advanced_at or since),
            dealless_since=None if since is None or open_ones else max(since, ended_at or since),
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


def taken_by(member_id: str, *, at: Moment, dealing: bool = False) -> dict[str, Any]:
    """What becomes of a customer's fields when *member_id* takes it at *at*; *dealing*: it has open opportunities."""
    return {
        "owner_id": member_id,
        "pool_id": None,
        "entered_pool_at": None,
        "owned_since": at,
        "quiet_since": at,
        "stuck_since": at,
        "dealless_since": None if dealing else at,
        "protected_until": None,
    }


def left_to(pool_id: str | None, *, at: Moment) -> dict[str, Any]:
    """What becomes of a customer's fields when nobody owns it any more and *pool_id*, if any, takes it at *at*."""
    return {
        "owner_id": None,
        "pool_id": pool_id,
        "entered_pool_at": None if pool_id is None else at,
        "owned_since": None,
        "quiet_since": None,
        "stuck_since": None,
        "dealless_since": None,
        "protected_until": None,
    }


#: The fields that `taken_by` and `left_to` set.
OWNING: Final = tuple(left_to(None, at=FOR_GOOD))


def owned_by(member_id: Id) -> Where:
    """What *member_id* owns."""
    return F.owner_id == member_id


def unowned() -> Where:
    """What nobody owns."""
    return F.owner_id.is_null()


def quiet_for(days: int) -> Where:
    """Owned, and without an effective follow-up for *days* days of 24 hours, counted from when it got its owner at the earliest."""
    return F.quiet_since < ago(days=days)


def in_pool(pool_id: str) -> Where:
    """What nobody owns and the pool *pool_id* holds."""
    return (F.pool_id == pool_id) & F.owner_id.is_null()
