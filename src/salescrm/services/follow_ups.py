"""Follow-ups: plan, do, record, next; postpone and cancel with a reason."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, TypedDict, Unpack

from salescrm.entities import Attachment, Contact, Customer, FollowUp, Opportunity, Place, Postponement
from salescrm.errors import InvalidValue, StateRefused, UnknownField
from salescrm.events import (
    CustomerEdited,
    FollowUpCancelled,
    FollowUpCompleted,
    FollowUpEdited,
    FollowUpPlanned,
    FollowUpPostponed,
    OpportunityEdited,
)
from salescrm.schema import nearest
from salescrm.services.base import Service
from salescrm.services.fields import FollowUpFields
from salescrm.unit import UnitOfWork
from salescrm.values import Id, Moment, clean_text, moment
from salescrm.whole import whole

__all__ = ["FollowUpService", "Outcome"]


class Outcome(TypedDict, total=False):
    """What came of a follow-up."""

    feedback: str | None
    effective: bool | None
    next_action: str | None
    attachments: Sequence[Attachment]
    place: Place | None


class FollowUpService(Service[FollowUp]):
    """What is planned with customers, and what became of it."""

    #: These change by completing, postponing and cancelling only.
    computed: ClassVar[frozenset[str]] = frozenset(
        {
            "status",
            "assigned_by",
            "postponements",
            "done_at",
            "result",
            "feedback",
            "effective",
            "next_action",
            "next_id",
            "cancelled_reason",
        }
    )

    def __init__(self, work: UnitOfWork) -> None:
        super().__init__(work, FollowUp)

    def plan(self, **fields: Unpack[FollowUpFields]) -> FollowUp:
        """
        A new planned follow-up; the acting member's own unless ``assignee_id`` says whose.

        With an opportunity, the customer is the opportunity's.

        Raises:
            InvalidValue: Neither a customer nor an opportunity nor a subject, or a reference to nothing.
        """
        unit = self.unit
        customer_id = self._customer(fields)
        assignee = Id(fields.get("assignee_id") or unit.member)
        follow_up = self.build(
            fields,
            id=self.given_id(fields),
            number=self.given_number(fields),
            customer_id=customer_id,
            assignee_id=assignee,
            assigned_by=unit.member if assignee != unit.member else None,
        )
        return self.records.add(follow_up, _planned)

    def edit(self, follow_up: FollowUp | Id, **changes: Unpack[FollowUpFields]) -> FollowUp:
        """*follow_up*, still planned, with *changes*; its time is moved by `postpone`.

        Raises:
            StateRefused: It is done or cancelled.
        """
        before = self._planned(follow_up, "be edited")
        if "planned_at" in changes:
            raise InvalidValue(
                "FollowUp", "planned_at", changes["planned_at"], "postpone(), which keeps the reason"
            )
        after = self.evolve(before, changes)
        if {"customer_id", "opportunity_id", "contact_id", "subject"} & changes.keys():
            refs: FollowUpFields = {
                "customer_id": after.customer_id,
                "opportunity_id": after.opportunity_id,
                "contact_id": after.contact_id if "contact_id" in changes else None,
                "subject": after.subject,
            }
            after = self.schema.evolve(after, {"customer_id": self._customer(refs)})
            self.must_reach(after.contact_id, after.customer_id, given=False)
        return self.records.save(before, after, edited=FollowUpEdited)

    @whole
    def complete(
        self,
        follow_up: FollowUp | Id,
        *,
        result: str,
        done_at: datetime | None = None,
        next: FollowUpFields | None = None,  # the field's word
        **outcome: Unpack[Outcome],
    ) -> FollowUp:
        """
        *follow_up* done: now, or at *done_at* in the past; *next* plans the one that follows from it.

        The customer's and the opportunity's last-follow-up facts move in the same transaction.

        Raises:
            StateRefused: It is done or cancelled already.
        """
        before = self._planned(follow_up, "be completed")
        at = self._past(done_at)
        return self._done(before, at, result, next, outcome)

    @whole
    def record(
        self,
        *,
        result: str,
        done_at: datetime | None = None,
        next: FollowUpFields | None = None,  # the field's word
        outcome: Outcome | None = None,
        **fields: Unpack[FollowUpFields],
    ) -> FollowUp:
        """A follow-up that was not planned and is done: a call that came in, say. As `plan` and `complete` at once."""
        at = self._past(done_at)
        fields.setdefault("planned_at", at)
        planned = self.plan(**fields)
        return self._done(planned, at, result, next, outcome or {})

    def postpone(self, follow_up: FollowUp | Id, *, to: datetime, reason: str) -> FollowUp:
        """*follow_up* at another time, because of *reason*; the times it had are kept.

        Raises:
            StateRefused: It is done or cancelled.
            InvalidValue: *to* is past, or no reason is given.
        """
        before = self._planned(follow_up, "be postponed")
        why = self._reason(reason, "postponements")
        moved = moment(to, entity="FollowUp", field="planned_at")
        if moved <= self.unit.now() or moved == before.planned_at:
            raise InvalidValue("FollowUp", "planned_at", to, "another moment that is still to come")
        step = Postponement(
            was=before.planned_at, to=moved, reason=why, at=self.unit.now(), by=self.unit.member
        )
        after = self.schema.evolve(
            before, {"planned_at": moved, "postponements": (*before.postponements, step)}
        )
        event = FollowUpPostponed(record_id=before.id, was=before.planned_at, to=moved, reason=why)
        return self.records.save(before, after, event)

    def cancel(self, follow_up: FollowUp | Id, *, reason: str) -> FollowUp:
        """*follow_up* will not take place, because of *reason*.

        Raises:
            StateRefused: It is done or cancelled already.
        """
        before = self._planned(follow_up, "be cancelled")
        why = self._reason(reason, "cancelled_reason")
        after = self.schema.evolve(before, {"status": "cancelled", "cancelled_reason": why})
        return self.records.save(before, after, FollowUpCancelled(record_id=before.id, reason=why))

    def _done(
        self,
        before: FollowUp,
        at: Moment,
        result: str,
        following: FollowUpFields | None,
        outcome: Outcome,
    ) -> FollowUp:
        given = {**self._came_of(outcome), "status": "done", "done_at": at}
        given["result"] = self._reason(result, "result")
        given["next_id"] = self._plan_next(before, following) if following is not None else None
        after = self.schema.evolve(before, given)
        event = FollowUpCompleted(
            record_id=before.id,
            done_at=at,
            customer_id=after.customer_id,
            opportunity_id=after.opportunity_id,
            effective=after.effective,
        )
        saved = self.records.save(before, after, event)
        if after.customer_id is not None:
            # Whoever has done it has done it, however little of the customer or the deal is for them to see.
            customers = self.unit.unscoped(Customer)
            customer = customers.get(after.customer_id)
            followed = customer.followed_up(at=at, effective=after.effective is not False)
            customers.save(customer, followed, edited=CustomerEdited)
        if after.opportunity_id is not None:
            deals = self.unit.unscoped(Opportunity)
            deal = deals.get(after.opportunity_id)
            deals.save(deal, deal.followed_up(at=at), edited=OpportunityEdited)
        return saved

    def _came_of(self, outcome: Outcome) -> dict[str, Any]:
        """*outcome* in the form that is stored."""
        for name in outcome:
            if name not in Outcome.__annotations__:
                raise UnknownField("FollowUp", name, nearest(name[:80], Outcome.__annotations__))
        facts = {name: value for name, value in outcome.items() if name in self.computed}
        return facts | self.clean({name: value for name, value in outcome.items() if name not in facts})

    def _plan_next(self, before: FollowUp, fields: FollowUpFields) -> Id:
        # A contact may be gone or elsewhere by now; who takes their place is not for us to say.
        contact = before.contact_id and self.unit.repository(Contact).peek(before.contact_id)
        same = not {"customer_id", "opportunity_id"} & fields.keys()
        there = contact and same and before.customer_id in {None, contact.customer_id}
        planned: FollowUpFields = {
            "customer_id": before.customer_id,
            "opportunity_id": before.opportunity_id,
            "contact_id": before.contact_id if there else None,
            "assignee_id": before.assignee_id,
            "subject": before.subject,
        }
        planned.update(fields)
        return self.plan(**planned).id

    def _planned(self, follow_up: FollowUp | Id, action: str) -> FollowUp:
        found = self.read(follow_up)
        if found.status != "planned":
            raise StateRefused("FollowUp", found.number, found.status, action)
        return found

    def _past(self, at: datetime | None) -> Moment:
        """*at*, or now."""
        if at is None:
            return self.unit.now()
        done = moment(at, entity="FollowUp", field="done_at")
        if done > self.unit.now():
            raise InvalidValue("FollowUp", "done_at", at, "a moment that is not still to come")
        return done

    def _reason(self, text: str, field: str) -> str:
        reason = clean_text(text, entity="FollowUp", field=field, limit=20_000)
        if not reason.strip():
            raise InvalidValue("FollowUp", field, text, "a text that is not blank")
        return reason

    def _customer(self, fields: FollowUpFields) -> Id | None:
        """The customer that *fields* are about, after a look at every reference.

        Raises:
            InvalidValue: Neither a customer nor an opportunity nor a subject, or a reference to nothing.
        """
        customer_id = fields.get("customer_id")
        opportunity_id = fields.get("opportunity_id")
        if customer_id is None and opportunity_id is None and fields.get("subject") is None:
            raise InvalidValue("FollowUp", "customer_id", None, "a customer, an opportunity, or a subject")
        self.must_exist(Customer, [customer_id], "customer_id")
        if opportunity_id is not None:
            self.must_exist(Opportunity, [opportunity_id], "opportunity_id")
            deal = self.unit.repository(Opportunity).get(Id(opportunity_id))
            if customer_id is not None and deal.customer_id not in (None, customer_id):
                raise InvalidValue("FollowUp", "customer_id", customer_id, "the customer of the opportunity")
            customer_id = deal.customer_id or customer_id
        self.must_reach(fields.get("contact_id"), customer_id)
        return None if customer_id is None else Id(customer_id)


def _planned(follow_up: FollowUp) -> FollowUpPlanned:
    return FollowUpPlanned(
        record_id=follow_up.id,
        planned_at=follow_up.planned_at,
        assignee_id=follow_up.assignee_id,
        customer_id=follow_up.customer_id,
        opportunity_id=follow_up.opportunity_id,
    )
