"""Opportunities: opening, moving through the stages, winning, losing, reopening."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar, TypedDict, Unpack

import attrs

from salescrm.entities import (
    Competitor,
    Customer,
    FollowUp,
    Opportunity,
    OpportunityLine,
    StageChange,
)
from salescrm.entities.opportunities import MOVING
from salescrm.errors import InvalidValue, StateRefused, UnknownField
from salescrm.events import OpportunityEdited, OpportunityMoved, OpportunityOpened
from salescrm.query import F, Where
from salescrm.schema import nearest
from salescrm.services.base import Service
from salescrm.services.customers import CustomerService
from salescrm.services.fields import OpportunityFields
from salescrm.services.lines import LineService
from salescrm.stages import Move, Pipeline, StageStay, enter, evidence_of, history, move, stalled
from salescrm.unit import UnitOfWork
from salescrm.values import Id, Moment, Money, clean_text, moment
from salescrm.whole import whole

__all__ = ["LineFields", "OpportunityService"]


class LineFields(TypedDict, total=False):
    """One product line of a new opportunity."""

    product_id: str
    quantity: int
    price: Money | None
    amount: Money | None
    notes: str | None


class OpportunityService(Service[Opportunity]):
    """Deals and their stages."""

    #: These change by moving only, or follow from follow-ups.
    computed: ClassVar[frozenset[str]] = frozenset(
        {
            *MOVING,
            "probability",
            "probability_overridden",
            "lost_reason",
            "last_follow_up_at",
            "follow_up_count",
        }
    )

    def __init__(self, work: UnitOfWork) -> None:
        super().__init__(work, Opportunity)

    @cached_property
    def lines(self) -> LineService:
        """The product lines."""
        return LineService(self.unit)

    @whole
    def create(
        self,
        *,
        pipeline: str | None = None,
        stage: str | None = None,
        opened_at: datetime | None = None,
        note: str | None = None,
        lines: Sequence[LineFields] = (),
        **fields: Unpack[OpportunityFields],
    ) -> Opportunity:
        """
        A new opportunity in the first stage of *pipeline* (the policy's default), or in *stage* where it may skip.

        The acting member owns it unless ``owner_id`` says who; without an amount, it is worth what its lines come to.

        Raises:
            MoveRefused: The stage asks for something that is missing; all of it is named.
            InvalidValue: A value that its field can't take, or a reference to nothing.
        """
        unit = self.unit
        process = unit.policy.pipeline(pipeline)
        first = process.initial if stage is None else process.stage(stage)
        self._references(fields)
        at = unit.now() if opened_at is None else self._past(opened_at, "opened_at")
        said = self._said(note=note)
        draft = self.build(
            {"owner_id": unit.member, **fields},
            id=self.given_id(fields),
            number=self.given_number(fields),
            pipeline=process.key,
            stage=process.initial.key,
            furthest_stage=process.initial.key,
            opened_at=at,
            stage_entered_at=at,
        )
        entered = enter(
            self.schema.admit(draft), pipeline=process, at=at, by=unit.member, meets=self._meets, stage=first.key,
            facts=self._facts(draft, process, first.key, lines), roles=self._roles(), **said,
        )  # fmt: skip
        added = self.records.add(entered.opportunity, _opened)
        self._remember(entered)
        if added.customer_id is not None:
            CustomerService(unit).recount_deals(added.customer_id)
        for line in lines:
            for name in line:
                if name not in LineFields.__annotations__:
                    raise UnknownField(
                        "OpportunityLine", name, nearest(name[:80], LineFields.__annotations__)
                    )
            self.lines.add(
                added.id,
                Id(line.get("product_id", "")),
                quantity=line.get("quantity", 1),
                price=line.get("price"),
                amount=line.get("amount"),
                notes=line.get("notes"),
            )
        return self.get(added.id) if lines else added

    @whole
    def edit(self, opportunity: Opportunity | Id, **changes: Unpack[OpportunityFields]) -> Opportunity:
        """*opportunity* with *changes*; its stage changes by `move` only."""
        before = self.read(opportunity)
        self._references(changes, before)
        after = self.records.save(before, self.evolve(before, changes), edited=OpportunityEdited)
        if after.customer_id != before.customer_id:
            for customer_id in (before.customer_id, after.customer_id):
                if customer_id is not None:
                    CustomerService(self.unit).recount_deals(customer_id)
        return after

    @whole
    def move(
        self,
        opportunity: Opportunity | Id,
        to: str,
        *,
        note: str | None = None,
        reason: str | None = None,
        amount: Money | None = None,
        at: datetime | None = None,
    ) -> Opportunity:
        """
        *opportunity* in the stage *to*, now or *at* a moment in the past; the move is a line of its history.

        Raises:
            MoveRefused: The pipeline does not allow it, or something is missing; all of it is named at once.
        """
        unit = self.unit
        before = self.read(opportunity)
        process = self._pipeline(before.pipeline)
        stage = process.stage(to)
        said = self._said(note=note, reason=reason)
        if amount is not None and type(amount) is not Money:
            raise InvalidValue("Opportunity", "amount", amount, "Money")
        unit.kit.hooks.moving(unit, before, stage.key, note)
        moved = move(
            before, stage.key, pipeline=process,
            at=unit.now() if at is None else self._past(at, "stage_entered_at"),
            by=unit.member, meets=self._meets, amount=amount,
            facts=self._facts(before, process, stage.key, ()), roles=self._roles(), **said,
        )  # fmt: skip
        saved = self.records.save(before, moved.opportunity, moved.event)
        self._remember(moved)
        self._tell_customer(moved)
        return saved

    def win(
        self, opportunity: Opportunity | Id, *, note: str | None = None, at: datetime | None = None
    ) -> Opportunity:
        """*opportunity* won: moved to the first won stage of its pipeline."""
        before = self.read(opportunity)
        return self.move(before, self._pipeline(before.pipeline).of_kind("won")[0].key, note=note, at=at)

    def lose(
        self,
        opportunity: Opportunity | Id,
        *,
        reason: str,
        note: str | None = None,
        at: datetime | None = None,
    ) -> Opportunity:
        """*opportunity* lost because of *reason*: moved to the lost stage of its pipeline."""
        before = self.read(opportunity)
        if not isinstance(reason, str) or not reason.strip():
            raise InvalidValue("Opportunity", "lost_reason", reason, "why it was lost")
        lost = self._pipeline(before.pipeline).of_kind("lost")
        if not lost:
            raise StateRefused("Opportunity", before.number, f"in the pipeline {before.pipeline}", "be lost")
        return self.move(before, lost[0].key, reason=reason, note=note, at=at)

    def reopen(
        self, opportunity: Opportunity | Id, *, to: str | None = None, note: str | None = None
    ) -> Opportunity:
        """
        *opportunity* open again, in the open stage it had last or in *to*, where its pipeline allows it.

        Raises:
            StateRefused: It is open.
        """
        before = self.read(opportunity)
        if before.status == "open":
            raise StateRefused("Opportunity", before.number, "open", "be reopened")
        return self.move(before, to or self._last_open(before), note=note)

    def set_probability(self, opportunity: Opportunity | Id, percent: int | None) -> Opportunity:
        """*opportunity* with a probability by hand, flagged as such; with None, the stage's again."""
        before = self.read(opportunity)
        if before.status != "open":
            raise StateRefused("Opportunity", before.number, before.status, "have another probability")
        if percent is not None and (type(percent) is not int or not 0 <= percent <= 100):
            raise InvalidValue("Opportunity", "probability", percent, "a whole percentage from 0 to 100")
        stage = self._pipeline(before.pipeline).stage(before.stage)
        changes = {
            "probability": stage.probability if percent is None else percent,
            "probability_overridden": percent is not None,
        }
        return self.records.save(before, self.schema.evolve(before, changes), edited=OpportunityEdited)

    def name_competitor(self, opportunity: Opportunity | Id, competitor: Competitor) -> Opportunity:
        """*opportunity* with *competitor* named, in place of an earlier note on the same one."""
        before = self.read(opportunity)
        others = tuple(one for one in before.competitors if one.name != competitor.name)
        return self.edit(before, competitors=(*others, competitor))

    def history(self, opportunity: Opportunity | Id) -> tuple[StageStay, ...]:
        """The stages it has been in, oldest first, with exact durations; the last one lasts until now."""
        id = opportunity.id if isinstance(opportunity, Opportunity) else opportunity
        changes = self.unit.repository(StageChange).stream(F.opportunity_id == id, order=[F.at])
        return history(tuple(changes), until=self.unit.now())

    def stalled(self, pipeline: str) -> Where:
        """The question for the opportunities of *pipeline* that have been in their stage for too long."""
        return stalled(self._pipeline(pipeline))

    def _pipeline(self, key: str) -> Pipeline:
        return self.unit.policy.pipeline(key)

    def _references(self, fields: OpportunityFields, before: Opportunity | None = None) -> None:
        """Looks at what *fields* refer to, and whether it goes with what stays of *before*."""
        customer_id = fields.get("customer_id")
        self.must_exist(Customer, [customer_id], "customer_id")
        if before is not None and "customer_id" not in fields:
            customer_id = before.customer_id
        if "contact_id" in fields:
            self.must_reach(fields["contact_id"], customer_id)
        elif before is not None and customer_id != before.customer_id:
            self.must_reach(before.contact_id, customer_id, given=False)

    def _past(self, at: datetime, field: str) -> Moment:
        when = moment(at, entity="Opportunity", field=field)
        if when > self.unit.now():
            raise InvalidValue("Opportunity", field, at, "a moment that is not still to come")
        return when

    def _said(self, **texts: str | None) -> dict[str, Any]:
        """What is given in words, known to be text."""
        for name, text in texts.items():
            if text is not None:
                clean_text(text, entity="Opportunity", field=name, limit=20_000)
        return texts

    def _roles(self) -> frozenset[str]:
        from salescrm.entities import Member

        member = self.unit.unscoped(Member).peek(self.unit.member)
        return frozenset(member.roles) if member is not None else frozenset()

    def _meets(self, opportunity: Opportunity, where: Where) -> bool:
        return self.unit.holds(opportunity, where)

    def _facts(
        self, opportunity: Opportunity, process: Pipeline, to: str, lines: Sequence[LineFields]
    ) -> frozenset[str]:
        """The evidence that the stage *to* asks for and that holds; nothing is looked up that nobody asks for."""
        wanted = process.by_key[to].evidence if to in process.by_key else ()
        facts = set(evidence_of(opportunity))
        if "product-lines" in wanted and (lines or self._has(OpportunityLine, opportunity)):
            facts.add("product-lines")
        if "follow-up-since-last-move" in wanted and "follow-up-since-last-move" not in facts:
            since = (F.status == "done") & (F.done_at >= opportunity.stage_entered_at)
            if self.unit.unscoped(FollowUp).count((F.opportunity_id == opportunity.id) & since):
                facts.add("follow-up-since-last-move")
        return frozenset(facts)

    def _has(self, entity: type[OpportunityLine], opportunity: Opportunity) -> bool:
        return bool(self.unit.unscoped(entity).find(F.opportunity_id == opportunity.id, limit=1))

    def _remember(self, moved: Move) -> None:
        unit = self.unit
        unit.unscoped(StageChange).add(attrs.evolve(moved.change, id=unit.new_id()))

    def _tell_customer(self, moved: Move) -> None:
        """A deal that moves is progress with its customer; won, or no longer won, it changes what they have bought."""
        deal, event = moved.opportunity, moved.event
        if deal.customer_id is None or not isinstance(event, OpportunityMoved):
            return
        CustomerService(self.unit).recount_deals(deal.customer_id)
        was_won = self._pipeline(deal.pipeline).stage(event.from_stage).kind == "won"
        if (deal.status == "won") == was_won:
            return
        won = deal.status == "won"
        lines = self.unit.unscoped(OpportunityLine).stream(F.opportunity_id == deal.id)
        CustomerService(self.unit).recount_won(
            deal.customer_id,
            first_deal_at=deal.closed_at if won else None,
            products=[line.product_id for line in lines] if won else [],
        )

    def _last_open(self, opportunity: Opportunity) -> str:
        process = self._pipeline(opportunity.pipeline)
        stays = self.history(opportunity)
        open_keys = [stay.stage for stay in stays if process.stage(stay.stage).kind == "open"]
        return open_keys[-1] if open_keys else process.initial.key


def _opened(deal: Opportunity) -> OpportunityOpened:
    return OpportunityOpened(
        record_id=deal.id,
        pipeline=deal.pipeline,
        stage=deal.stage,
        customer_id=deal.customer_id,
        owner_id=deal.owner_id,
        amount=deal.amount,
    )
