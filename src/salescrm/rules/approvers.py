"""Who is asked in a step of an approval: members, holders of roles, superiors, as far as they work here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, TypeAlias

import attrs

from salescrm.entities import ApprovalRequest
from salescrm.policy.approvals import ApprovalStep, Superior
from salescrm.values import Id

__all__ = ["Asked", "CannotAsk", "People", "asked"]

#: Why a step can't be gone through.
CannotAsk: TypeAlias = Literal["nobody-fits", "own-request"]


class People(Protocol):
    """What the machine asks about members, at the moment of the decision."""

    def name(self, member_id: str) -> str:
        """What they are called; the id of one who is not known."""

    def is_active(self, member_id: str) -> bool:
        """Whether they work here."""

    def holding(self, role: str) -> Sequence[Id]:
        """The active members who have *role*."""

    def superior(self, member_id: str) -> Id | None:
        """Who stands directly above them, active or not."""

    def deputy(self, member_id: str) -> Id | None:
        """Who votes in their place these days."""


@attrs.frozen
class Asked:
    """Who is asked in a step; *own*: the request counts for the approval of the requester, who is one of them."""

    seats: tuple[Id, ...] = ()
    own: bool = False


def asked(request: ApprovalRequest, step: ApprovalStep, people: People) -> Asked | CannotAsk:
    """Whom *step* asks about *request*; nobody where it is passed over, and the reason where it can't be gone through."""
    requester = request.requester_id
    found = dict.fromkeys(_named(request, step, people))
    own = requester in found
    if own:
        match step.if_requester:
            case "refuse":
                return "own-request"
            case "superior":
                above = _above(requester, 1, people)
                others = [above if one == requester else one for one in found]
                found, own = dict.fromkeys(one for one in others if one is not None), False
            case "approve":
                del found[requester]
    if found or own:
        return Asked(tuple(found), own)
    match step.if_nobody:
        case "skip":
            return Asked()
        case "fallback":
            named = [Id(one) for one in step.fallback if people.is_active(one) and one != requester]
            return Asked(tuple(named)) if named else "nobody-fits"
        case "refuse":
            return "nobody-fits"


def _named(request: ApprovalRequest, step: ApprovalStep, people: People) -> Iterator[Id]:
    """Everybody whom *step* names and who works here."""
    for member in step.members:
        if people.is_active(member):
            yield Id(member)
    for role in step.roles:
        yield from people.holding(role)
    for superior in step.superiors:
        yield from _superiors(request, superior, people)


def _superiors(request: ApprovalRequest, superior: Superior, people: People) -> Iterator[Id]:
    below = (request.requester_id,) if superior.of == "requester" else request.owner_ids
    for one in below:
        if (found := _above(one, superior.levels, people)) is not None:
            yield found


def _above(member_id: Id, levels: int, people: People) -> Id | None:
    """Who stands so many *levels* above; those who no longer work here don't count."""
    seen, current = {member_id}, people.superior(member_id)
    while current is not None and current not in seen:
        seen.add(current)
        levels -= people.is_active(current)
        if not levels:
            return current
        current = people.superior(current)
    return None
