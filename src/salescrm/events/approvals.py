"""What happens to requests for approval."""

from __future__ import annotations

from typing import ClassVar

import attrs

from salescrm.events.base import Edited, Event
from salescrm.values import Id

__all__ = [
    "ApprovalDelegated",
    "ApprovalEdited",
    "ApprovalGiven",
    "ApprovalGranted",
    "ApprovalRejected",
    "ApprovalRequested",
    "ApprovalResubmitted",
    "ApprovalWithdrawn",
]


@attrs.frozen(kw_only=True)
class ApprovalRequested(Event):
    entity: ClassVar[str] = "approvals"
    act: str
    flow: str
    requester_id: Id


@attrs.frozen(kw_only=True)
class ApprovalResubmitted(ApprovalRequested):
    pass


@attrs.frozen(kw_only=True)
class ApprovalGiven(Event):
    """One of those who are asked in *step* approved, in the place of *for_id* where they stand in for somebody."""

    entity: ClassVar[str] = "approvals"
    act: str
    step: str
    by: Id
    for_id: Id | None = None


@attrs.frozen(kw_only=True)
class ApprovalDelegated(Event):
    entity: ClassVar[str] = "approvals"
    act: str
    step: str
    from_id: Id
    to_id: Id


@attrs.frozen(kw_only=True)
class ApprovalGranted(Event):
    """All steps are done, and so is what was asked for, in the same transaction."""

    entity: ClassVar[str] = "approvals"
    act: str
    requester_id: Id


@attrs.frozen(kw_only=True)
class ApprovalRejected(Event):
    entity: ClassVar[str] = "approvals"
    act: str
    requester_id: Id
    reason: str


@attrs.frozen(kw_only=True)
class ApprovalEdited(Edited):
    """It has another requester: the one who asked for it has left."""

    entity: ClassVar[str] = "approvals"


@attrs.frozen(kw_only=True)
class ApprovalWithdrawn(Event):
    entity: ClassVar[str] = "approvals"
    act: str
    requester_id: Id
    reason: str | None = None
