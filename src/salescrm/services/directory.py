"""Who works here, as the approval machine asks: names, roles, superiors, deputies; each looked up once in a Work."""

from __future__ import annotations

from salescrm.entities import Member, Team
from salescrm.query import F
from salescrm.unit import UnitOfWork
from salescrm.values import Id

__all__ = ["Directory"]


class Directory:
    """The members as they are at the moment of the Work; see `salescrm.rules.approvers.People`."""

    def __init__(self, unit: UnitOfWork) -> None:
        self.unit = unit
        self._members = unit.unscoped(Member)
        self._known: dict[str, Member | None] = {}

    def member(self, member_id: str) -> Member | None:
        """The member, if there is one."""
        if member_id not in self._known:
            self._known[member_id] = self._members.peek(Id(member_id))
        return self._known[member_id]

    def name(self, member_id: str) -> str:
        """What they are called; the id of one who is not known."""
        member = self.member(member_id)
        return member_id if member is None else member.name

    def is_active(self, member_id: str) -> bool:
        """Whether they work here."""
        member = self.member(member_id)
        return member is not None and member.active

    def holding(self, role: str) -> tuple[Id, ...]:
        """The active members who have *role*, by id."""
        active = F.active == True  # noqa: E712  # a condition, not a truth value
        return tuple(one.id for one in self._members.stream(F.roles.has(role) & active, order=[F.id]))

    def superior(self, member_id: str) -> Id | None:
        """Their manager; without one, who leads their team, or, where they lead it themselves, the next team above."""
        member = self.member(member_id)
        if member is None:
            return None
        if member.manager_id is not None:
            return member.manager_id
        seen: set[Id] = set()
        team_id = member.team_id
        while team_id is not None and team_id not in seen:
            seen.add(team_id)
            team = self.unit.unscoped(Team).peek(team_id)
            if team is None:
                return None
            if team.leader_id not in (None, member.id):
                return team.leader_id
            team_id = team.parent_id
        return None

    def deputy(self, member_id: str) -> Id | None:
        """Who stands in for them today, if that is somebody who works here."""
        member = self.member(member_id)
        found = None if member is None else member.deputy_on(self.unit.today)
        return found if found is not None and self.is_active(found) else None
