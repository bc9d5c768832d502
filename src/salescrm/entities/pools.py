"""What the pools keep: who owned what when and why, what members are told, and whose turn it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal, TypeAlias

import attrs

from salescrm.entities.base import Record
from salescrm.kinds import Key, Text
from salescrm.query import F, Where
from salescrm.values import Id, Moment

__all__ = [
    "FairShares",
    "Notice",
    "OwnershipEntry",
    "OwnershipKind",
    "PoolRun",
    "Turn",
    "entries_of",
    "unseen_by",
]

OwnershipKind: TypeAlias = Literal["claimed", "assigned", "transferred", "released", "recycled"]


@attrs.frozen(kw_only=True)
class OwnershipEntry(Record):
    """
    One change of a customer's owner: a line of the ownership ledger, which is only ever added to.

    Whoever did it is *created_by*.  A first owner who was given with a new customer stands in its change log, and the
    ledger begins with what became of it then; one whom a rule of assignment chose stands here.
    """

    customer_id: Id
    kind: OwnershipKind
    #: When it took effect; a customer falls when a day begins, whenever that day's run finds it.
    at: Moment
    from_id: Id | None = None
    to_id: Id | None = None
    #: The pool that it left, or came into.
    pool: Key | None = None
    reason: Text | None = None
    #: The rule of recycling or assignment that decided, and all of recycling that fired.
    rule: Key | None = None
    rules: tuple[Key, ...] = ()
    policy_version: int = 1


@attrs.frozen(kw_only=True)
class Notice(Record):
    """Something that a member is told; *kind* says what, *data* the facts of it."""

    member_id: Id
    kind: Key
    entity: Key
    record_id: Id
    data: Mapping[str, Any]
    seen_at: Moment | None = None


@attrs.frozen(kw_only=True)
class Turn(Record):
    """Whoever counts what a member has, to give them more, holds this record first; the id says whose and what."""


@attrs.frozen(kw_only=True)
class PoolRun(Record):
    """How far the recycling of one pool has come; the id is the pool's key."""

    #: The last day whose run was finished, in the pool's time zone.
    through: date


@attrs.frozen(kw_only=True)
class FairShares(Record):
    """How everybody stands whom a rule of assignment gives to; the id is the rule's key, *data* what its `Shares` dump."""

    data: Mapping[str, Any]


def entries_of(customer_id: Id) -> Where:
    """The lines of the ownership ledger about one customer."""
    return F.customer_id == customer_id


def unseen_by(member_id: Id) -> Where:
    """What *member_id* was told and has not seen yet."""
    return (F.member_id == member_id) & F.seen_at.is_null()
