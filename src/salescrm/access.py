"""
The seam for access: per entity and action, the question of which records a member may act on.

A Work adds it to every read, count, tally and change, and checks it on every single record.  The policy that ships here
allows everything; roles bring their own.
"""

from __future__ import annotations

from typing import Literal, Protocol, TypeAlias

from salescrm.query import Where
from salescrm.values import Id

__all__ = ["Access", "Action", "Everyone"]

Action: TypeAlias = Literal["read", "add", "save", "remove"]


class Access(Protocol):
    """Who may do what to which records."""

    def scope(self, member: Id, entity: str, action: Action) -> Where | None:
        """
        The records of *entity* (``Customer``) that *member* may *action*; None for all of them.

        It bounds the records that are asked for.  A question that follows a reference (``F.customer.industry``) reads the
        field of the record it leads to, whoever may see that one; the change log and the outbox are asked for under their
        own names, ``ChangeEntry`` and ``OutboxEvent``, and tell of every record.
        """


class Everyone:
    """Everybody may do everything."""

    __slots__ = ()

    def scope(self, member: Id, entity: str, action: Action) -> Where | None:
        """All records."""
        return None
