"""Follow-ups: what is planned with a customer, and what became of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, TypeAlias

import attrs

from salescrm.entities.base import Record
from salescrm.errors import InvalidValue
from salescrm.kinds import Extra, Key, Line, Text
from salescrm.query import F, Where, now
from salescrm.values import Id, Moment

__all__ = [
    "Attachment",
    "FollowUp",
    "FollowUpKind",
    "FollowUpStatus",
    "Place",
    "Postponement",
    "Priority",
    "RemindBefore",
    "overdue",
    "planned_for",
]

FollowUpKind: TypeAlias = Literal["call", "visit", "email", "meeting", "online_meeting", "message", "task"]
FollowUpStatus: TypeAlias = Literal["planned", "done", "cancelled"]
Priority: TypeAlias = Literal["high", "medium", "low"]


@attrs.frozen(kw_only=True)
class RemindBefore:
    """
    How long before the planned time to remind.

    Raises:
        InvalidValue: It would be after it.
    """

    minutes: int

    def __attrs_post_init__(self) -> None:
        # What is no number is refused when it is stored, and said so.
        if isinstance(self.minutes, int) and self.minutes < 0:
            raise InvalidValue("RemindBefore", "minutes", self.minutes, "a whole number from 0")


@attrs.frozen(kw_only=True)
class Postponement:
    """One postponement: from when to when, why, and who did it when."""

    was: Moment
    to: Moment
    reason: str
    at: Moment
    by: str


@attrs.frozen(kw_only=True)
class Attachment:
    """A file kept elsewhere; *location* is the host's own key for it."""

    name: str
    location: str


@attrs.frozen(kw_only=True)
class Place:
    """
    Where a field visit took place; degrees WGS 84.

    Raises:
        InvalidValue: There is no such place on earth.
    """

    latitude: Decimal
    longitude: Decimal
    address: str | None = None
    checked_in_at: Moment | None = None

    def __attrs_post_init__(self) -> None:
        # What is no number is refused when it is stored, and said so.
        for field, degrees, most in (("latitude", self.latitude, 90), ("longitude", self.longitude, 180)):
            if isinstance(degrees, Decimal) and degrees.is_finite() and abs(degrees) > most:
                raise InvalidValue("Place", field, degrees, f"degrees from -{most} to {most}")


@attrs.frozen(kw_only=True)
class FollowUp(Record):
    """A contact with a customer: planned, and done or not; a task is one of kind ``task``."""

    number: Key = ""
    customer_id: Id | None = None
    opportunity_id: Id | None = None
    contact_id: Id | None = None
    kind: FollowUpKind = "call"
    status: FollowUpStatus = "planned"
    planned_at: Moment
    purpose: Text | None = None
    priority: Priority = "medium"
    remind_before: tuple[RemindBefore, ...] = ()
    assignee_id: Id
    assigned_by: Id | None = None
    postponements: tuple[Postponement, ...] = ()
    # The outcome.
    done_at: Moment | None = None
    result: Text | None = None
    feedback: Text | None = None
    effective: bool | None = None
    next_action: Text | None = None
    #: The follow-up that the next action became.
    next_id: Id | None = None
    cancelled_reason: Text | None = None
    attachments: tuple[Attachment, ...] = ()
    place: Place | None = None
    subject: Line | None = None
    extra: Extra = Extra()


def planned_for(member_id: Id) -> Where:
    """What *member_id* still has to do."""
    return (F.assignee_id == member_id) & (F.status == "planned")


def overdue() -> Where:
    """Planned, and its time has passed; computed, never stored."""
    return (F.status == "planned") & (F.planned_at < now())
