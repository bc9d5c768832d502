"""Requests for approval: what is to be done, who has said what about it, and whom it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import attrs

from salescrm.entities.base import Record
from salescrm.kinds import Key, Text
from salescrm.query import F, Where
from salescrm.values import Id, Moment

__all__ = [
    "ApprovalEntry",
    "ApprovalEntryKind",
    "ApprovalRequest",
    "ApprovalStatus",
    "ApprovalSubject",
    "pending",
    "waiting_for",
]

ApprovalStatus: TypeAlias = Literal["pending", "approved", "rejected", "withdrawn"]
ApprovalEntryKind: TypeAlias = Literal[
    "requested", "approved", "rejected", "delegated", "passed", "withdrawn", "resubmitted"
]


@attrs.frozen(kw_only=True)
class ApprovalEntry:
    """One thing that happened to a request; *passed*: a step that nobody fitted was passed over."""

    kind: ApprovalEntryKind
    at: Moment
    by: str
    #: Counts the times that it was submitted.
    round: int = 1
    step: str | None = None
    #: In whose place *by* acted, as their deputy or successor.
    for_id: str | None = None
    #: Whom it was delegated to.
    to_id: str | None = None
    note: str | None = None


@attrs.frozen(kw_only=True)
class ApprovalRequest(Record):
    """
    Something that is to be done once it is approved.

    What happened to it is its *history*, which is only ever added to.
    """

    #: What is to be done, and with what: the act's own arguments.
    act: Key
    data: Mapping[str, Any]
    #: The approval of the policy that says who is asked, and which version of it.
    flow: Key
    policy_version: int
    #: The collection of the records that it is about; which they are stands in `ApprovalSubject`.
    entity: Key
    #: Who owned them when it was asked for.
    owner_ids: tuple[Id, ...] = ()
    #: Why it is asked for.
    reason: Text | None = None
    requester_id: Id
    requested_at: Moment
    status: ApprovalStatus = "pending"
    round: int = 1
    #: The step that it is at, while it is pending, and who has still to say something there.
    step: Key | None = None
    waiting_for: tuple[Id, ...] = ()
    decided_at: Moment | None = None
    #: Why it was rejected or withdrawn.
    outcome: Text | None = None
    history: tuple[ApprovalEntry, ...] = ()


@attrs.frozen(kw_only=True)
class ApprovalSubject(Record):
    """One record that a request is about."""

    request_id: Id
    entity: Key
    record_id: Id


def pending() -> Where:
    """What is still to be decided."""
    return F.status == "pending"


def waiting_for(member_id: Id) -> Where:
    """What *member_id* has still to say something about."""
    return pending() & F.waiting_for.has(member_id)
