"""What the rules refuse, each with the facts of why."""

from __future__ import annotations

from typing import ClassVar, Protocol

import attrs

from salescrm.errors.base import CrmError, Unmet
from salescrm.labels import Label, Language

__all__ = [
    "ApprovalRefused",
    "AssignmentRefused",
    "ClaimRefused",
    "Explained",
    "Forbidden",
    "HookRefused",
    "LeftBehind",
    "LeftOver",
    "MoveRefused",
    "ProtectionRefused",
    "Refused",
    "StateRefused",
    "TransferRefused",
]


class Refused(CrmError):
    """The rules say no; *code* is stable, for a host to branch on."""

    code: ClassVar[str]


@attrs.frozen
class Forbidden(Refused):
    """This member may not do this to that record."""

    member: str
    action: str
    entity: str
    id: str | None = None

    code: ClassVar[str] = "forbidden"
    template = "{member} may not {action} {entity} {id}"


@attrs.frozen
class MoveRefused(Refused):
    """The opportunity stays where it is; *unmet* names everything that is missing, at once."""

    id: str
    to: str
    unmet: tuple[Unmet, ...]
    #: What people call the stage.
    name: Label | None = None
    #: What people call the opportunity; before it has a number, the id has to do.
    number: str = ""

    code: ClassVar[str] = "move-refused"
    template = "Opportunity {id} can't move to {to}: {unmet}"

    def fact(self, name: str) -> str:
        match name:
            case "unmet":
                return "; ".join(map(str, self.unmet))
            case "to" if self.name:
                return self.name.en
            case "id" if self.number:
                return super().fact("number")
            case _:
                return super().fact(name)


@attrs.frozen
class StateRefused(Refused):
    """The record is not in a state in which this can be done."""

    entity: str
    id: str
    state: str
    action: str

    code: ClassVar[str] = "wrong-state"
    template = "{entity} {id} is {state}; it can't {action}"


class Explained(Protocol):
    """A decision that can be told; see `salescrm.rules.decisions`."""

    @property
    def verdict(self) -> str:
        """A stable word."""

    def explain(self, lang: Language) -> str:
        """A sentence."""


@attrs.frozen
class ClaimRefused(Refused):
    """The pool does not give these customers to this member; *decisions* say why, customer by customer."""

    member: str
    decisions: tuple[Explained, ...]

    template = "{member} can't have this: {decisions}"

    @property
    def code(self) -> str:  # type: ignore[override]  # each refusal has its own
        """Why the first of them is refused: ``already-owned``, ``not-a-member``, ``cap``, …"""
        return self.decisions[0].verdict

    def fact(self, name: str) -> str:
        if name == "decisions":
            return "; ".join(one.explain("en") for one in self.decisions[:20])
        return super().fact(name)


@attrs.frozen
class AssignmentRefused(Refused):
    """These customers can't be given out; *decisions* say why, customer by customer."""

    decisions: tuple[Explained, ...]

    template = "this can't be assigned: {decisions}"

    @property
    def code(self) -> str:  # type: ignore[override]  # each refusal has its own
        """Why the first of them can't: ``nobody``, ``already-owned`` or ``no-rule``."""
        return self.decisions[0].verdict

    def fact(self, name: str) -> str:
        if name == "decisions":
            return "; ".join(one.explain("en") for one in self.decisions[:20])
        return super().fact(name)


@attrs.frozen
class ProtectionRefused(Refused):
    """This member protects as many customers as they may."""

    member: str
    cap: int

    code: ClassVar[str] = "protection-cap"
    template = "{member} protects {cap} customers already, which is the most"


@attrs.frozen
class HookRefused(Refused):
    """A plugin of the host said no; everything of this Work is rolled back."""

    hook: str
    plugin: str
    reason: str

    code: ClassVar[str] = "hook-refused"
    template = "{plugin} refused in {hook}: {reason}"


@attrs.frozen
class ApprovalRefused(Refused):
    """This can't be said about that request; *decision* tells why."""

    id: str
    decision: Explained

    template = "This approval can't go on: {decision}"

    @property
    def code(self) -> str:  # type: ignore[override]  # each refusal has its own
        """Why: ``not-an-approver``, ``already-voted``, ``wrong-state``, ``not-the-requester``, ``nobody-fits``, …"""
        return self.decision.verdict

    def fact(self, name: str) -> str:
        return self.decision.explain("en") if name == "decision" else super().fact(name)


@attrs.frozen
class TransferRefused(Refused):
    """These customers can't be given to those members; *unmet* names every reason, at once. Nothing was changed."""

    unmet: tuple[Unmet, ...]

    template = "This can't be transferred: {unmet}"

    @property
    def code(self) -> str:  # type: ignore[override]  # each refusal has its own
        """The first reason: ``unknown-customer``, ``not-owned``, ``pending``, ``unknown-member``, ``inactive``, …"""
        return self.unmet[0].code

    def fact(self, name: str) -> str:
        if name == "unmet":
            return "; ".join(map(str, self.unmet[:20]))
        return super().fact(name)


@attrs.frozen
class LeftOver:
    """So many records of *entity* whose *field* still names somebody."""

    entity: str
    field: str
    count: int


@attrs.frozen
class LeftBehind(Refused):
    """A member who leaves would leave this behind; everything of the handover is rolled back."""

    member: str
    left: tuple[LeftOver, ...]

    code: ClassVar[str] = "left-behind"
    template = "{member} can't leave yet, for this would still be theirs: {left}"

    def fact(self, name: str) -> str:
        if name == "left":
            return ", ".join(f"{one.entity}.{one.field} ({one.count})" for one in self.left)
        return super().fact(name)
