"""Approvals as data: what needs one, who gives it in which order, and what happens where nobody can; the machine is in `salescrm.rules.approving`."""

from __future__ import annotations

from typing import Literal, TypeAlias

import attrs

from salescrm.labels import Label
from salescrm.query import EVERYTHING, Where

__all__ = ["ApprovalFlow", "ApprovalStep", "ApprovedAct", "IfNobody", "IfRequester", "Needs", "Superior"]

#: What can be made to wait for approval; the code that does each of them is in `salescrm.services.acts`.
ApprovedAct: TypeAlias = Literal["transfer"]
#: Whether one of a step's approvers is enough.
Needs: TypeAlias = Literal["any", "all"]
#: What to do where a step has no approvers: refuse the request, pass the step over, or ask those named for it.
IfNobody: TypeAlias = Literal["refuse", "skip", "fallback"]
#: What to do where the requester is one of the approvers: ask their superior instead, take the request for their
#: approval, or refuse it.
IfRequester: TypeAlias = Literal["superior", "approve", "refuse"]


@attrs.frozen(kw_only=True)
class Superior:
    """Who stands *levels* above the requester, or above the owner of what it is about; above each of several owners."""

    of: Literal["requester", "owner"] = "requester"
    levels: int = 1


@attrs.frozen(kw_only=True)
class ApprovalStep:
    """
    Who is asked in one step: all who are named in any way, each once, as far as they are active when the step begins.

    Attributes:
        members: By id.
        roles: All who have one of them.
        superiors: By their place above somebody.
        needs: Whether any one of them is enough, or all have to approve.
        if_nobody: What to do where that is nobody.
        fallback: Who is asked then, by id.
        if_requester: What to do where the requester is among them; a superior is the next one up who is active. Where
            the requester has none, the others decide.
    """

    key: str
    label: Label
    members: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    superiors: tuple[Superior, ...] = attrs.field(default=(), converter=tuple[Superior, ...])
    needs: Needs = "any"
    if_nobody: IfNobody = "refuse"
    fallback: tuple[str, ...] = ()
    if_requester: IfRequester = "superior"


@attrs.frozen(kw_only=True)
class ApprovalFlow:
    """
    What is asked of whom before an act may be done: *steps*, one after another.

    Attributes:
        act: What it is for.
        where: The records for which it is needed; of several flows for an act the first decides that holds for any
            record that the act is about.
    """

    key: str
    label: Label
    act: ApprovedAct
    where: Where = EVERYTHING
    steps: tuple[ApprovalStep, ...] = attrs.field(default=(), converter=tuple[ApprovalStep, ...])

    def step(self, key: str) -> ApprovalStep | None:
        """The step called *key*; None where there is none of that name."""
        return next((one for one in self.steps if one.key == key), None)
