"""Who works with the CRM: members and the tree of their teams."""

from __future__ import annotations

from datetime import date

import attrs

from salescrm.entities.base import Record
from salescrm.errors import InvalidValue
from salescrm.kinds import Extra, Key, Line
from salescrm.query import F, Where
from salescrm.values import Email, Id

__all__ = ["Leave", "Member", "Team", "deputising", "in_team"]


@attrs.frozen(kw_only=True)
class Leave:
    """
    Days on which a member is away: from *first* through *last*, in the member's time zone.

    Raises:
        InvalidValue: It ends before it begins.
    """

    first: date
    last: date

    def __attrs_post_init__(self) -> None:
        # What is no day at all is refused when it is stored, and said so.
        if isinstance(self.first, date) and isinstance(self.last, date) and self.last < self.first:
            raise InvalidValue("Leave", "last", self.last, "a day that is not before the first one")

    def covers(self, day: date) -> bool:
        """Whether they are away on *day*."""
        return self.first <= day <= self.last


@attrs.frozen(kw_only=True)
class Team(Record):
    """A team; *parent_id* makes the teams a tree."""

    name: Line
    parent_id: Id | None = None
    leader_id: Id | None = None
    extra: Extra = Extra()


@attrs.frozen(kw_only=True)
class Member(Record):
    """A person who acts; the id is the host's own user id."""

    name: Line
    team_id: Id | None = None
    manager_id: Id | None = None
    roles: tuple[Key, ...] = ()
    active: bool = True
    #: How many new customers or leads a week; None for no limit.
    weekly_capacity: int | None = None
    leave: tuple[Leave, ...] = ()
    #: Product lines and whatever else a customer may ask for, as customers' interests spell it.
    skills: tuple[Key, ...] = ()
    #: Provinces, cities, districts, as customers' regions spell them; ``辽宁省/朝阳市`` says which 朝阳市.
    territories: tuple[Key, ...] = ()
    email: Email | None = None
    #: IANA name; the policy's zone where it is None.
    time_zone: Key | None = None
    #: Who may give approvals in their place, and through which day, in the policy's time zone.
    deputy_id: Id | None = None
    deputy_through: date | None = None
    extra: Extra = Extra()

    def deputy_on(self, day: date) -> Id | None:
        """Who stands in for them on *day*."""
        through = self.deputy_through
        return self.deputy_id if through is not None and day <= through else None


def in_team(team_id: Id) -> Where:
    """The active members of one team, without the teams below it."""
    return (F.team_id == team_id) & (F.active == True)  # noqa: E712  # a condition, not a truth value


def deputising(member_id: Id) -> Where:
    """Those who have named *member_id* their deputy, also for a time that is over."""
    return F.deputy_id == member_id
