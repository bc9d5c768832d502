"""
The approval machine: a request, what somebody says about it and the policy go in, the request as it then is comes out.

Steps are gone through in order.  Whoever is asked in a step is settled when it begins; each of them holds one seat, and
a seat is voted for once: by its holder, their deputy, or whom they delegated it to.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import attrs

from salescrm.entities import ApprovalEntry, ApprovalRequest
from salescrm.entities.approvals import ApprovalEntryKind
from salescrm.labels import Label
from salescrm.policy.approvals import ApprovalFlow, ApprovalStep
from salescrm.rules.approval_verdicts import ApprovalCode, ApprovalDecision
from salescrm.rules.approvers import Asked, People, asked
from salescrm.rules.decisions import Input
from salescrm.values import Id, Moment

__all__ = ["approve", "begin", "delegate", "reject", "resubmit", "withdraw"]

_GIVEN: Final = Label("approvals given in this step", "本步骤已同意人数")


def begin(request: ApprovalRequest, flow: ApprovalFlow, people: People, *, at: Moment) -> ApprovalDecision:
    """A new *request*, at its first step; approved at once where every step is passed over or the requester's own."""
    return _Machine(flow, people, at).start(request, "requested", note=None)


def approve(
    request: ApprovalRequest,
    flow: ApprovalFlow,
    people: People,
    *,
    by: Id,
    at: Moment,
    note: str | None = None,
) -> ApprovalDecision:
    """*request* after *by* approved it; in its next step, or approved, where that was all that the step needs."""
    return _Machine(flow, people, at).approve(request, by, note)


def reject(
    request: ApprovalRequest, flow: ApprovalFlow, people: People, *, by: Id, at: Moment, reason: str
) -> ApprovalDecision:
    """*request* after *by* rejected it: one rejection ends it, whatever the others said."""
    machine = _Machine(flow, people, at)
    seat = machine.seat(request, by)
    if isinstance(seat, ApprovalDecision):
        return seat
    return machine.ended(request, "rejected", by=by, note=reason, for_id=seat if seat != by else None)


def withdraw(
    request: ApprovalRequest,
    flow: ApprovalFlow,
    people: People,
    *,
    by: Id,
    at: Moment,
    note: str | None = None,
    overruled: bool = False,
) -> ApprovalDecision:
    """*request* withdrawn by who asked for it; by anybody where it is *overruled* by what happens elsewhere."""
    machine = _Machine(flow, people, at)
    if request.status != "pending":
        return machine.refused(request, "wrong-state", by)
    if by != request.requester_id and not overruled:
        return machine.refused(request, "not-the-requester", by)
    return machine.ended(request, "withdrawn", by=by, note=note)


def resubmit(
    request: ApprovalRequest,
    flow: ApprovalFlow,
    people: People,
    *,
    by: Id,
    at: Moment,
    note: str | None = None,
) -> ApprovalDecision:
    """*request*, which was rejected, at its first step again; its history goes on."""
    machine = _Machine(flow, people, at)
    if request.status != "rejected":
        return machine.refused(request, "wrong-state", by)
    if by != request.requester_id:
        return machine.refused(request, "not-the-requester", by)
    fresh = attrs.evolve(request, status="pending", round=request.round + 1, decided_at=None, outcome=None)
    told = machine.start(fresh, "resubmitted", note=note)
    return attrs.evolve(told, request=request) if told.refused else told


def delegate(
    request: ApprovalRequest,
    flow: ApprovalFlow,
    people: People,
    *,
    by: Id,
    to: Id,
    at: Moment,
    note: str | None = None,
    seat: Id | None = None,
) -> ApprovalDecision:
    """
    *request* waiting for *to* in the place of *by*, or of the holder of *seat*, who has left it to them.

    Where *to* holds a seat already, as the successor of somebody who leaves may, that one is enough.
    """
    machine = _Machine(flow, people, at)
    held = machine.seat(request, by) if seat is None else machine.taken(request, seat)
    if isinstance(held, ApprovalDecision):
        return held
    if not people.is_active(to):
        return machine.refused(request, "unknown-member", to)
    if to == request.requester_id:
        return machine.refused(request, "own-request", to)
    if seat is None and (to in request.waiting_for or machine.voted(request, to)):
        return machine.refused(request, "already-asked", to)
    entry = machine.entry(
        request, "delegated", by=by, to_id=to, note=note, for_id=held if held != by else None
    )
    left = tuple(dict.fromkeys(to if one == held else one for one in request.waiting_for))
    return machine.waiting(attrs.evolve(request, waiting_for=left, history=(*request.history, entry)))


class _Machine:
    """One flow, who works here, and the moment."""

    def __init__(self, flow: ApprovalFlow, people: People, at: Moment) -> None:
        self._flow, self._people, self._at = flow, people, at

    def start(
        self, request: ApprovalRequest, kind: Literal["requested", "resubmitted"], *, note: str | None
    ) -> ApprovalDecision:
        entry = self.entry(request, kind, by=request.requester_id, note=note)
        begun = attrs.evolve(request, history=(*request.history, entry))
        for step in self._flow.steps:
            # Said now, rather than to those who have approved by then.
            found = asked(request, step, self._people)
            if not isinstance(found, Asked):
                return self.refused(request, found, request.requester_id, step=step)
        return self._enter(begun, 0)

    def approve(self, request: ApprovalRequest, by: Id, note: str | None) -> ApprovalDecision:
        seat = self.seat(request, by)
        if isinstance(seat, ApprovalDecision):
            return seat
        entry = self.entry(request, "approved", by=by, note=note, for_id=seat if seat != by else None)
        left = tuple(one for one in request.waiting_for if one != seat)
        after = attrs.evolve(request, waiting_for=left, history=(*request.history, entry))
        place = next(n for n, one in enumerate(self._flow.steps) if one.key == request.step)
        if left and self._flow.steps[place].needs == "all":
            return self.waiting(after)
        told = self._enter(after, place + 1)
        return attrs.evolve(told, request=request) if told.refused else told

    def seat(self, request: ApprovalRequest, by: Id) -> Id | ApprovalDecision:
        """Whose seat *by* votes for: their own, or that of somebody they stand in for; or why they may not."""
        if (problem := self._closed(request, by)) is not None:
            return problem
        if by in request.waiting_for:
            return by
        if by != request.requester_id:
            for holder in request.waiting_for:
                if self._people.deputy(holder) == by:
                    return holder
        return self.refused(request, "already-voted" if self.voted(request, by) else "not-an-approver", by)

    def taken(self, request: ApprovalRequest, seat: Id) -> Id | ApprovalDecision:
        """*seat*, if it is still to be voted for, in whatever step."""
        if request.status != "pending":
            return self.refused(request, "wrong-state", seat)
        return seat if seat in request.waiting_for else self.refused(request, "not-an-approver", seat)

    def _closed(self, request: ApprovalRequest, by: Id) -> ApprovalDecision | None:
        if request.status != "pending":
            return self.refused(request, "wrong-state", by)
        if request.step is None or self._flow.step(request.step) is None:
            return self.refused(request, "step-gone", by)
        return None

    def voted(self, request: ApprovalRequest, member_id: Id) -> bool:
        """Whether they, or somebody in their place, have voted in the step that *request* is at."""
        return any(
            one.kind == "approved"
            and (one.round, one.step) == (request.round, request.step)
            and member_id in (one.by, one.for_id)
            for one in request.history
        )

    def waiting(self, request: ApprovalRequest) -> ApprovalDecision:
        """What is told of a *request* that waits."""
        step = self._flow.step(request.step or "")
        given = sum(
            one.kind == "approved" and (one.round, one.step) == (request.round, request.step)
            for one in request.history
        )
        needed = 1 if step is None or step.needs == "any" else given + len(request.waiting_for)
        return self._told(
            request,
            "waiting",
            who=request.waiting_for,
            step=step,
            inputs=(Input(name=_GIVEN, value=given, threshold=needed),),
        )

    def ended(
        self,
        request: ApprovalRequest,
        status: Literal["rejected", "withdrawn"],
        *,
        by: Id,
        note: str | None,
        for_id: Id | None = None,
    ) -> ApprovalDecision:
        """*request*, with which nothing will be done."""
        entry = self.entry(request, status, by=by, note=note, for_id=for_id)
        after = attrs.evolve(
            request,
            status=status,
            step=None,
            waiting_for=(),
            decided_at=self._at,
            outcome=note,
            history=(*request.history, entry),
        )
        return self._told(after, status, who=(by,), reason=note or "")

    def refused(
        self, request: ApprovalRequest, code: ApprovalCode, who: Id, *, step: ApprovalStep | None = None
    ) -> ApprovalDecision:
        """*request* as it is, and why."""
        return self._told(request, code, who=(who,), step=step or self._flow.step(request.step or ""))

    def entry(
        self,
        request: ApprovalRequest,
        kind: ApprovalEntryKind,
        *,
        by: Id,
        step: str | None = None,
        for_id: Id | None = None,
        to_id: Id | None = None,
        note: str | None = None,
    ) -> ApprovalEntry:
        """A line of the history of *request*."""
        return ApprovalEntry(
            kind=kind,
            at=self._at,
            by=by,
            round=request.round,
            step=step or request.step,
            for_id=for_id,
            to_id=to_id,
            note=note,
        )

    def _told(
        self,
        request: ApprovalRequest,
        verdict: ApprovalCode,
        *,
        who: Sequence[Id] = (),
        step: ApprovalStep | None = None,
        reason: str = "",
        inputs: tuple[Input, ...] = (),
    ) -> ApprovalDecision:
        return ApprovalDecision(
            verdict=verdict,
            rule=self._flow.key,
            policy_version=request.policy_version,
            inputs=inputs,
            request=request,
            flow=self._flow.label,
            step=None if step is None else step.label,
            who=tuple(map(self._people.name, who)),
            reason=reason,
        )

    def _enter(self, request: ApprovalRequest, place: int) -> ApprovalDecision:
        """*request* in the first step from *place* on in which somebody has something to say; else it is approved."""
        history = list(request.history)
        for step in self._flow.steps[place:]:
            found = asked(request, step, self._people)
            if not isinstance(found, Asked):
                return self.refused(request, found, request.requester_id, step=step)
            if found.own or not found.seats:
                kind: ApprovalEntryKind = "approved" if found.own else "passed"
                history.append(self.entry(request, kind, by=request.requester_id, step=step.key))
            if found.seats and not (found.own and step.needs == "any"):
                return self.waiting(
                    attrs.evolve(request, step=step.key, waiting_for=found.seats, history=tuple(history))
                )
        approved = attrs.evolve(
            request, status="approved", step=None, waiting_for=(), decided_at=self._at, history=tuple(history)
        )
        return self._told(approved, "approved")
