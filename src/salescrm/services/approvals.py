"""Approvals: asking for one, giving, rejecting, withdrawing and delegating it; what is approved is done in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final, cast

import attrs

from salescrm.entities import ApprovalRequest, ApprovalSubject, Member, Notice, Record
from salescrm.entities.approvals import pending, waiting_for
from salescrm.entities.people import deputising
from salescrm.errors import ApprovalRefused, InvalidValue
from salescrm.events import (
    ApprovalDelegated,
    ApprovalGiven,
    ApprovalGranted,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalResubmitted,
    ApprovalWithdrawn,
    Event,
)
from salescrm.labels import Label
from salescrm.policy import ApprovalFlow, ApprovedAct
from salescrm.query import F
from salescrm.rules import approving
from salescrm.rules.approval_verdicts import ApprovalDecision
from salescrm.services.acts import ACTS, Act
from salescrm.services.base import Service
from salescrm.services.claimers import Claimers
from salescrm.services.directory import Directory
from salescrm.services.members import MemberService
from salescrm.unit import UnitOfWork
from salescrm.values import Id, clean_text
from salescrm.whole import whole

__all__ = ["ApprovalService"]

_LONGEST: Final = 20_000


class ApprovalService(Service[ApprovalRequest]):
    """What waits for somebody's approval, and what became of what did."""

    def __init__(self, work: UnitOfWork) -> None:
        super().__init__(work, ApprovalRequest)
        self._people = Directory(work)

    def read(self, record: ApprovalRequest | Id) -> ApprovalRequest:
        """*record* as the caller read it, or read now where only its id is given."""
        if isinstance(record, ApprovalRequest) and record.tenant != self.unit.tenant:
            raise InvalidValue(self.schema.name, "tenant", record.tenant, f"a record of {self.unit.tenant}")
        return super().read(record)

    def flow_for(self, act: ApprovedAct, records: Iterable[Record]) -> ApprovalFlow | None:
        """The approval that *act* needs for *records*, all at once: the policy's first that holds for any of them."""
        flows, about = self.unit.policy.flows_of(act), tuple(records)
        return next(
            (flow for flow in flows if any(self.unit.holds(record, flow.where) for record in about)), None
        )

    @whole
    def request(
        self,
        flow: ApprovalFlow,
        data: Mapping[str, Any],
        *,
        about: Sequence[Record],
        owners: Sequence[Id] = (),
        reason: str | None = None,
    ) -> ApprovalRequest:
        """
        A request of the acting member, at its first step: for services whose act has to be approved.

        *data* is what the act is to be done with, *about* the records of one kind that it is done to.  Where nobody has
        anything to say the act is done at once, and the request comes back approved.

        Raises:
            ApprovalRefused: A step has nobody to ask, or the requester may not ask for this.
            Refused: The act could not be done as it is.
        """
        unit = self.unit
        draft = ApprovalRequest(
            id=unit.new_id(),
            act=flow.act,
            data=data,
            flow=flow.key,
            policy_version=unit.policy.version,
            entity=unit.kit.by_record[type(about[0])].collection,
            owner_ids=tuple(dict.fromkeys(owners)),
            reason=reason,
            requester_id=unit.member,
            requested_at=unit.now(),
        )
        decision = self._agreed(approving.begin(draft, flow, self._people, at=unit.now()))
        asked = ApprovalRequested(
            record_id=draft.id, act=flow.act, flow=flow.key, requester_id=draft.requester_id
        )
        events = self._granted(decision)
        added = self.records.add(decision.request, asked, *events)
        lines: list[Record] = [
            ApprovalSubject(request_id=added.id, entity=added.entity, record_id=one.id) for one in about
        ]
        self.records.tell([], [*lines, *self._notices(draft, added)])
        self._begun(added)
        return added

    @whole
    def approve(self, request: ApprovalRequest | Id, *, note: str | None = None) -> ApprovalRequest:
        """
        *request* with the acting member's approval; with the last one it is done, in this very transaction.

        Raises:
            ApprovalRefused: They are not asked, have voted already, or it is not pending.
            Refused: What was asked for can't be done any more; the approval is then not recorded either.
            StaleWrite: Somebody else voted since *request* was read.
        """
        known = self.read(request)
        # What is then read of the request, and of what it is about, is of one moment, whoever else votes just now.
        Claimers(self.unit).take_turn(Id(f"approval:{known.id}"[:64]))
        before = known if isinstance(request, ApprovalRequest) else self.get(known.id)
        decision = self._agreed(
            approving.approve(
                before, self._flow(before), self._people,
                by=self.unit.member, at=self.unit.now(), note=self._note(note),
            )
        )  # fmt: skip
        after, entry = decision.request, decision.request.history[len(before.history)]
        deed = self._act(before).prepare(self.unit, before) if after.status == "approved" else None
        given = ApprovalGiven(
            record_id=before.id,
            act=before.act,
            step=before.step or "",
            by=self.unit.member,
            for_id=None if entry.for_id is None else Id(entry.for_id),
        )
        saved = self._save(before, decision, given, *self._granted(decision))
        if deed is not None:
            deed()
        return saved

    @whole
    def reject(self, request: ApprovalRequest | Id, *, reason: str) -> ApprovalRequest:
        """
        *request* rejected by the acting member, because of *reason*; nothing will be done unless it is resubmitted.

        Raises:
            ApprovalRefused: They are not asked, have voted already, or it is not pending.
            InvalidValue: No reason is given.
        """
        before = self.read(request)
        decision = self._agreed(
            approving.reject(
                before, self._flow(before), self._people,
                by=self.unit.member, at=self.unit.now(), reason=self._reason(reason),
            )
        )  # fmt: skip
        told = ApprovalRejected(
            record_id=before.id, act=before.act, requester_id=before.requester_id, reason=decision.reason
        )
        saved = self._save(before, decision, told)
        self._act(before).drop(self.unit, before)
        return saved

    def withdraw(self, request: ApprovalRequest | Id, *, note: str | None = None) -> ApprovalRequest:
        """
        *request* withdrawn by the acting member, who asked for it.

        Raises:
            ApprovalRefused: They did not ask for it, or it is not pending.
        """
        return self.overrule(request, note=note, overruled=False)

    @whole
    def overrule(
        self, request: ApprovalRequest | Id, *, note: str | None, overruled: bool = True
    ) -> ApprovalRequest:
        """*request* withdrawn because of what happens elsewhere, whoever asked for it: for services."""
        before = self.read(request)
        decision = self._agreed(
            approving.withdraw(
                before, self._flow(before), self._people,
                by=self.unit.member, at=self.unit.now(), note=self._note(note), overruled=overruled,
            )
        )  # fmt: skip
        told = ApprovalWithdrawn(
            record_id=before.id, act=before.act, requester_id=before.requester_id, reason=note
        )
        saved = self._save(before, decision, told)
        self._act(before).drop(self.unit, before)
        return saved

    @whole
    def resubmit(self, request: ApprovalRequest | Id, *, note: str | None = None) -> ApprovalRequest:
        """
        *request*, which was rejected, from its first step on again, by the policy in force now; its history is kept.

        Raises:
            ApprovalRefused: The acting member did not ask for it, it was not rejected, or a step has nobody to ask.
            Refused: What was asked for can't be done any more.
        """
        before = self.read(request)
        flow = self.unit.policy.flow(before.flow)
        renewed = attrs.evolve(before, policy_version=self.unit.policy.version)
        decision = self._agreed(
            approving.resubmit(
                renewed, flow, self._people, by=self.unit.member, at=self.unit.now(), note=self._note(note)
            )
        )
        told = ApprovalResubmitted(
            record_id=before.id, act=before.act, flow=flow.key, requester_id=before.requester_id
        )
        saved = self._save(before, decision, told, *self._granted(decision))
        self._begun(saved)
        return saved

    @whole
    def delegate(
        self, request: ApprovalRequest | Id, *, to: str, note: str | None = None, seat: Id | None = None
    ) -> ApprovalRequest:
        """
        *request* waiting for *to* in place of the acting member; *seat*, for services, says whose place it is.

        Raises:
            ApprovalRefused: The acting member is not asked; *to* does not work here, asked for it, or is asked anyway.
        """
        before = self.read(request)
        heir = Id(clean_text(to, entity="Member", field="id", limit=64))
        decision = self._agreed(
            approving.delegate(
                before, self._flow(before), self._people,
                by=self.unit.member, to=heir, at=self.unit.now(), note=self._note(note), seat=seat,
            )
        )  # fmt: skip
        entry = decision.request.history[-1]
        told = ApprovalDelegated(
            record_id=before.id,
            act=before.act,
            step=before.step or "",
            from_id=Id(entry.for_id or entry.by),
            to_id=heir,
        )
        return self._save(before, decision, told)

    def name_deputy(self, deputy: str | None, *, through: date | None = None) -> Member:
        """
        The acting member, with *deputy* voting in their place as well *through* that day; with None, nobody.

        Raises:
            NotFound: The acting member is not among the members.
            InvalidValue: There is no such deputy, it is themselves, or the day is missing or past.
        """
        if (deputy is None) != (through is None):
            raise InvalidValue("Member", "deputy_through", through, "a day, together with a deputy")
        if through is not None and (type(through) is not date or through < self.unit.today):
            raise InvalidValue("Member", "deputy_through", through, "a day that is not past")
        return MemberService(self.unit).edit(self.unit.member, deputy_id=deputy, deputy_through=through)

    def waiting_for(self, member: str | None = None) -> tuple[ApprovalRequest, ...]:
        """What *member*, the acting one where it is None, may vote on now, also as a deputy; longest waiting first."""
        me = self.unit.member if member is None else Id(member)
        asked = waiting_for(me)
        for one in self.unit.unscoped(Member).stream(deputising(me)):
            if self._people.deputy(one.id) == me:
                asked |= waiting_for(one.id) & (F.requester_id != me)
        return tuple(self.stream(asked, order=[F.requested_at]))

    def of(self, record: Record) -> tuple[ApprovalRequest, ...]:
        """What was asked for about *record*, newest first."""
        collection = self.unit.kit.by_record[type(record)].collection
        about = (F.entity == collection) & (F.record_id == record.id)
        found = self.many(one.request_id for one in self.unit.unscoped(ApprovalSubject).stream(about))
        return tuple(sorted(found.values(), key=lambda one: (one.requested_at, one.id), reverse=True))

    def pending(self) -> tuple[ApprovalRequest, ...]:
        """Everything that is still to be decided, longest waiting first."""
        return tuple(self.stream(pending(), order=[F.requested_at]))

    def _begun(self, request: ApprovalRequest) -> None:
        """What *request* is about waits from here on; where nobody has anything to say, it is done."""
        act = self._act(request)
        act.hold(self.unit, request)
        if request.status == "approved":
            act.prepare(self.unit, request)()

    def _save(self, before: ApprovalRequest, decision: ApprovalDecision, *events: Event) -> ApprovalRequest:
        after = decision.request
        return self.records.save(before, after, *events, lines=self._notices(before, after))

    def _granted(self, decision: ApprovalDecision) -> tuple[Event, ...]:
        request = decision.request
        if decision.verdict != "approved":
            return ()
        return (ApprovalGranted(record_id=request.id, act=request.act, requester_id=request.requester_id),)

    def _notices(self, before: ApprovalRequest, after: ApprovalRequest) -> list[Notice]:
        """Who is asked from now on is told, and their deputies; whoever asked is told what became of it."""
        told: dict[tuple[Id, str], None] = {}
        same = (before.step, before.round, before.status) == (after.step, after.round, after.status)
        for holder in after.waiting_for:
            if not (same and holder in before.waiting_for):
                told[holder, "approval-asked"] = None
                if (deputy := self._people.deputy(holder)) is not None and deputy != after.requester_id:
                    told[deputy, "approval-asked"] = None
        if after.status != "pending":
            told[after.requester_id, f"approval-{after.status}"] = None
        if after.status == "withdrawn":
            told |= dict.fromkeys((holder, "approval-withdrawn") for holder in before.waiting_for)
        data = {
            "act": after.act,
            "flow": after.flow,
            "requester": after.requester_id,
            "reason": after.outcome if after.outcome is not None else after.reason,
        }
        return [
            Notice(member_id=member, kind=kind, entity="approvals", record_id=after.id, data=data)
            for member, kind in told
            if member != self.unit.member
        ]

    def _flow(self, request: ApprovalRequest) -> ApprovalFlow:
        """The approval by which *request* was begun, in the version that it was begun under while that is known."""
        versions = self.unit.kit.policies.versions
        policy = next((one for one in versions if one.version == request.policy_version), self.unit.policy)
        found = next((flow for flow in policy.approvals if flow.key == request.flow), None)
        if found is not None:
            return found
        # Nobody can vote on it any more, but it can be withdrawn.
        act, label = cast(ApprovedAct, request.act), Label(request.flow, request.flow)
        return ApprovalFlow(key=request.flow, label=label, act=act)

    def _act(self, request: ApprovalRequest) -> Act:
        return ACTS[cast(ApprovedAct, request.act)]

    def _agreed(self, decision: ApprovalDecision) -> ApprovalDecision:
        if decision.refused:
            raise ApprovalRefused(decision.request.id, decision)
        return decision

    def _note(self, note: str | None) -> str | None:
        if note is None:
            return None
        return clean_text(note, entity="ApprovalEntry", field="note", limit=_LONGEST)

    def _reason(self, reason: str) -> str:
        why = clean_text(reason, entity="ApprovalRequest", field="outcome", limit=_LONGEST)
        if not why.strip():
            raise InvalidValue("ApprovalRequest", "outcome", reason, "why it is rejected")
        return why
