"""Members and teams: who works here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final, Unpack
from zoneinfo import ZoneInfo

from salescrm.entities import Member, Team
from salescrm.errors import InvalidValue
from salescrm.events import MemberAdded, MemberEdited, TeamAdded, TeamEdited
from salescrm.query import F
from salescrm.services.base import Service
from salescrm.services.fields import MemberFields, TeamFields
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["MemberService", "TeamService", "zone_of"]

_ZONE: Final = "an IANA name such as Asia/Shanghai"


def zone_of(unit: UnitOfWork, member: Member) -> tzinfo:
    """The time zone of *member*, in which their days begin.

    Raises:
        InvalidValue: A zone that there was when it was stored is none on this machine.
    """
    if member.time_zone is None:
        return unit.zone
    if not _is_zone(member.time_zone):
        raise InvalidValue("Member", "time_zone", member.time_zone, _ZONE)
    return ZoneInfo(member.time_zone)


class TeamService(Service[Team]):
    """The tree of teams."""

    def __init__(self, work: UnitOfWork) -> None:
        super().__init__(work, Team)

    def add(self, id: str, **fields: Unpack[TeamFields]) -> Team:
        """A new team under the host's own *id*."""
        self.must_exist(Team, [fields.get("parent_id")], "parent_id")
        team = self.build(fields, id=self.own_id(id))
        return self.records.add(team, TeamAdded(record_id=team.id))

    def edit(self, team: Team | Id, **changes: Unpack[TeamFields]) -> Team:
        """*team* with *changes*; a team can't come to stand below itself."""
        before = self.read(team)
        after = self.evolve(before, changes)
        self.must_exist(Team, [after.parent_id], "parent_id")
        if after.parent_id is not None and after.parent_id in self.below(before.id):
            raise InvalidValue("Team", "parent_id", after.parent_id, "a team that is not below this one")
        return self.records.save(before, after, edited=TeamEdited)

    def below(self, team_id: Id) -> frozenset[Id]:
        """The ids of *team_id* and all teams below it."""
        children: dict[str | None, list[Id]] = {}
        for team in self.unit.unscoped(Team).stream():
            children.setdefault(team.parent_id, []).append(team.id)
        found: set[Id] = set()
        waiting = [self.own_id(team_id)]
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += children.get(one, [])
        return frozenset(found)


class MemberService(Service[Member]):
    """Who works here, under the host's own user ids."""

    def __init__(self, work: UnitOfWork) -> None:
        super().__init__(work, Member)

    def add(self, id: str, **fields: Unpack[MemberFields]) -> Member:
        """A new member under the host's own user *id*."""
        self.must_exist(Team, [fields.get("team_id")], "team_id")
        self.must_exist(Member, [fields.get("manager_id")], "manager_id")
        self.must_exist(Member, [fields.get("deputy_id")], "deputy_id")
        member = self.build(fields, id=self.own_id(id))
        return self.records.add(member, MemberAdded(record_id=member.id))

    def edit(self, member: Member | Id, **changes: Unpack[MemberFields]) -> Member:
        """*member* with *changes*; nobody can come to manage their own manager, or those above."""
        before = self.read(member)
        after = self.evolve(before, changes)
        self.must_exist(Team, [after.team_id], "team_id")
        self.must_exist(Member, [after.manager_id], "manager_id")
        self.must_exist(Member, [after.deputy_id], "deputy_id")
        for field in ("manager_id", "deputy_id"):
            if getattr(after, field) == before.id:
                raise InvalidValue("Member", field, before.id, "somebody else")
        if after.manager_id != before.manager_id:
            self._above(after)
        return self.records.save(before, after, edited=MemberEdited)

    def deactivate(self, member: Member | Id) -> Member:
        """*member* no longer works here; what they own stays theirs until it is handed over."""
        return self.edit(member, active=False)

    def _above(self, member: Member) -> None:
        """Refuses a manager who stands below *member*."""
        above, seen = member.manager_id, set[Id]()
        while above is not None and above not in seen:
            if above == member.id:
                expected = "a member who is not below this one"
                raise InvalidValue("Member", "manager_id", member.manager_id, expected)
            seen.add(above)
            found = self.unit.unscoped(Member).peek(above)
            above = None if found is None else found.manager_id

    def of_team(self, team_id: Id, *, below: bool = False) -> tuple[Member, ...]:
        """The members of a team, by name; of all teams *below* it too, if asked."""
        if below:
            teams = TeamService(self.unit).below(team_id)
            return tuple(self.stream(F.team_id.one_of(sorted(teams)), order=[F.name]))
        return tuple(self.stream(F.team_id == team_id, order=[F.name]))

    def clean(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """*fields* in the form that is stored; a time zone is one that there is, a capacity a number of customers."""
        cleaned = super().clean(fields)
        zone, capacity = cleaned.get("time_zone"), cleaned.get("weekly_capacity")
        if zone is not None and not _is_zone(zone):
            raise InvalidValue("Member", "time_zone", zone, _ZONE)
        if isinstance(capacity, int) and capacity < 0:
            raise InvalidValue("Member", "weekly_capacity", capacity, "a whole number from 0")
        return cleaned


def _is_zone(name: object) -> bool:
    try:
        return isinstance(name, str) and ZoneInfo(name).key == name
    except (OSError, ValueError, LookupError):
        return False
