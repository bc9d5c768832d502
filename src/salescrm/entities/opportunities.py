"""Opportunities, their lines and competitors, and the history of their stages."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Final, Literal, TypeAlias

import attrs

from salescrm.entities.base import Record
from salescrm.entities.customers import Collaborator
from salescrm.kinds import Extra, Key, Line, Text
from salescrm.query import F, Where
from salescrm.values import Id, Moment, Money

__all__ = [
    "MOVING",
    "Competitor",
    "MoveKind",
    "Opportunity",
    "OpportunityLine",
    "OpportunityStatus",
    "StageChange",
    "closed",
    "of_customer",
    "open_ones",
]

OpportunityStatus: TypeAlias = Literal["open", "won", "lost"]
MoveKind: TypeAlias = Literal["entered", "advanced", "skipped", "went_back", "won", "lost", "reopened"]
#: The fields of a deal that its moves change, and its history tells of.
MOVING: Final = (
    *("pipeline", "stage", "status", "furthest_stage"),
    *("opened_at", "closed_at", "stage_entered_at", "advanced_at"),
)


@attrs.frozen(kw_only=True)
class Competitor:
    """Somebody else who wants this deal."""

    name: str
    price: Money | None = None
    #: What the customer worries about with them, or likes.
    concern: str | None = None


@attrs.frozen(kw_only=True)
class Opportunity(Record):
    """A deal that may come about, in a stage of a pipeline."""

    number: Key = ""
    name: Line
    customer_id: Id | None = None
    contact_id: Id | None = None
    pipeline: Key
    stage: Key
    #: The stage's kind: won exactly in a won stage, lost exactly in a lost one.
    status: OpportunityStatus = "open"
    #: The furthest stage it ever reached, for the funnel; going back and losing leave it.
    furthest_stage: Key
    amount: Money | None = None
    expected_close: date | None = None
    #: Percent; the stage's, unless *probability_overridden*.
    probability: int = 0
    probability_overridden: bool = False
    level: Key | None = None
    source: Key | None = None
    competitors: tuple[Competitor, ...] = ()
    needs: Text | None = None
    next_step: Text | None = None
    owner_id: Id | None = None
    collaborators: tuple[Collaborator, ...] = ()
    lost_reason: Text | None = None
    opened_at: Moment
    #: When it was won or lost.
    closed_at: Moment | None = None
    stage_entered_at: Moment
    #: When it was opened, advanced, or reopened last; going back is no advance.
    advanced_at: Moment | None = None
    last_follow_up_at: Moment | None = None
    follow_up_count: int = 0
    tags: tuple[Key, ...] = ()
    extra: Extra = Extra()

    def followed_up(self, *, at: Moment) -> Opportunity:
        """This opportunity after a follow-up that ended *at*."""
        last = max(at, self.last_follow_up_at) if self.last_follow_up_at else at
        return attrs.evolve(self, last_follow_up_at=last, follow_up_count=self.follow_up_count + 1)


@attrs.frozen(kw_only=True)
class OpportunityLine(Record):
    """A product in an opportunity."""

    opportunity_id: Id
    product_id: Id
    quantity: Decimal = Decimal(1)
    price: Money | None = None
    #: Quantity times price, less any discount, as agreed.
    amount: Money | None = None
    notes: Text | None = None


@attrs.frozen(kw_only=True)
class StageChange(Record):
    """One move of an opportunity: a line of its stage history."""

    opportunity_id: Id
    pipeline: Key
    kind: MoveKind
    #: None for the first stage.
    from_stage: Key | None = None
    to_stage: Key
    at: Moment
    by: Id
    note: Text | None = None
    #: The amount at that time.
    amount: Money | None = None


def open_ones() -> Where:
    """Neither won nor lost."""
    return F.status == "open"


def closed() -> Where:
    """Won or lost."""
    return F.status.one_of(["won", "lost"])


def of_customer(customer_id: Id) -> Where:
    """Of one customer."""
    return F.customer_id == customer_id
