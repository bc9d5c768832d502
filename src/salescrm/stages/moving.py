"""The machine itself: an opportunity enters its first stage, and moves, or is refused with all that is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias, TypeVar

import attrs

from salescrm.entities.opportunities import MoveKind, Opportunity, StageChange
from salescrm.errors import InvalidValue, MoveRefused, Unmet
from salescrm.events import (
    OpportunityLost,
    OpportunityMoved,
    OpportunityOpened,
    OpportunityReopened,
    OpportunityWon,
)
from salescrm.query import Where
from salescrm.stages.pipeline import EVIDENCE, Pipeline, Stage
from salescrm.stages.rules import kind_of, refusal
from salescrm.values import Id, Moment, Money, moment

__all__ = ["Meets", "Move", "enter", "evidence_of", "move"]

#: Whether a question holds for this opportunity, which is not stored like this yet.
Meets: TypeAlias = Callable[[Opportunity, Where], bool]
MovedT = TypeVar("MovedT", bound=OpportunityMoved)
#: The moves that count as progress.
_ADVANCES: Final = frozenset({"advanced", "skipped", "reopened"})


@attrs.frozen(kw_only=True)
class Move:
    """What became of it: the opportunity as it is to be saved, the line of its history (without an id), the event."""

    opportunity: Opportunity
    change: StageChange
    event: OpportunityOpened | OpportunityMoved


def enter(
    opportunity: Opportunity,
    *,
    pipeline: Pipeline,
    at: Moment,
    by: Id,
    meets: Meets,
    stage: str | None = None,
    note: str | None = None,
    facts: frozenset[str] = frozenset(),
    roles: frozenset[str] = frozenset(),
) -> Move:
    """
    *opportunity* opened at *at* in the first stage of *pipeline*, or in a later open *stage* where it may skip.

    What it said about stage, status and probability before is overwritten, a probability given by hand excepted.

    Raises:
        MoveRefused: Something that the stage requires is missing; all of it is named.
        InvalidValue: The pipeline has no such stage, or *at* is no moment.
    """
    at = moment(at, entity="Opportunity", field="opened_at")
    to = pipeline.initial if stage is None else pipeline.stage(stage)
    unmet = [*_start(pipeline, to), *_requirements(opportunity, to, note, None, facts, roles, meets)]
    if unmet:
        raise MoveRefused(opportunity.id, to.key, tuple(unmet), to.label, opportunity.number)
    opened = attrs.evolve(
        opportunity,
        pipeline=pipeline.key,
        stage=to.key,
        status="open",
        furthest_stage=to.key,
        probability=opportunity.probability if opportunity.probability_overridden else to.probability,
        lost_reason=None,
        opened_at=at,
        closed_at=None,
        stage_entered_at=at,
        advanced_at=at,
    )
    change = StageChange(
        opportunity_id=opened.id,
        pipeline=pipeline.key,
        kind="entered",
        to_stage=to.key,
        at=at,
        by=by,
        note=_given(note),
        amount=opened.amount,
    )
    event = OpportunityOpened(
        record_id=opened.id,
        pipeline=pipeline.key,
        stage=to.key,
        customer_id=opened.customer_id,
        owner_id=opened.owner_id,
        amount=opened.amount,
    )
    return Move(opportunity=opened, change=change, event=event)


def move(
    opportunity: Opportunity,
    to: str,
    *,
    pipeline: Pipeline,
    at: Moment,
    by: Id,
    meets: Meets,
    note: str | None = None,
    reason: str | None = None,
    facts: frozenset[str] = frozenset(),
    roles: frozenset[str] = frozenset(),
    amount: Money | None = None,
) -> Move:
    """
    *opportunity* in the stage *to* from *at*, the line of its history, and the event.

    *amount*, where given, is its amount from now on, and what the requirements look at.  *reason* is why it was lost.
    *facts* are codes of evidence that holds beside what the opportunity itself shows; *roles* those of *by*.

    Raises:
        MoveRefused: The pipeline does not allow it, or something is missing; all of it is named.
        InvalidValue: No such stage, a reason for what is not lost, or another pipeline's opportunity.
    """
    at = moment(at, entity="StageChange", field="at")
    if opportunity.pipeline != pipeline.key:
        raise InvalidValue("Opportunity", "pipeline", opportunity.pipeline, f"the pipeline {pipeline.key}")
    target, stage = pipeline.stage(to), pipeline.stage(opportunity.stage)
    if target.kind != "lost" and reason is not None:
        raise InvalidValue("Opportunity", "lost_reason", reason, "no reason: only a lost stage takes one")
    asked = opportunity if amount is None else attrs.evolve(opportunity, amount=amount)
    unmet = [*_way(pipeline, stage, target), *_time(opportunity, at)]
    if stage is not target:
        unmet += _requirements(asked, target, note, reason, facts, roles, meets)
    if unmet:
        raise MoveRefused(opportunity.id, to, tuple(unmet), target.label, opportunity.number)
    kind = kind_of(pipeline, stage, target)
    moved = _moved(asked, pipeline, target, kind, at, _given(reason))
    change = StageChange(
        opportunity_id=moved.id,
        pipeline=pipeline.key,
        kind=kind,
        from_stage=stage.key,
        to_stage=target.key,
        at=at,
        by=by,
        note=_given(note),
        amount=moved.amount,
    )
    return Move(opportunity=moved, change=change, event=_event(change, stage.key, moved))


def evidence_of(opportunity: Opportunity) -> frozenset[str]:
    """The evidence that the opportunity itself shows; a follow-up at the very moment of the last move counts."""
    last = opportunity.last_follow_up_at
    followed = last is not None and last >= opportunity.stage_entered_at
    shown = {"follow-up-since-last-move": followed, "competitor-named": bool(opportunity.competitors)}
    return frozenset(code for code, holds in shown.items() if holds)


def _start(pipeline: Pipeline, to: Stage) -> Iterator[Unmet]:
    if to is pipeline.initial:
        return
    if to.kind != "open":
        yield Unmet("not-open", to.key, "nothing starts in {subject}: it is won or lost there", to.label)
    elif (why := refusal(pipeline, pipeline.initial, to)) is not None:
        yield why


def _way(pipeline: Pipeline, stage: Stage, to: Stage) -> Iterator[Unmet]:
    if (why := refusal(pipeline, stage, to)) is not None:
        yield why


def _time(opportunity: Opportunity, at: Moment) -> Iterator[Unmet]:
    if at < opportunity.stage_entered_at:
        entered = opportunity.stage_entered_at.isoformat(timespec="milliseconds")
        yield Unmet("too-early", entered, "it entered the stage it is in only at {subject}")


def _requirements(
    opportunity: Opportunity,
    to: Stage,
    note: str | None,
    reason: str | None,
    facts: frozenset[str],
    roles: frozenset[str],
    meets: Meets,
) -> Iterator[Unmet]:
    """What *to* asks for and is not there."""
    for field in to.requires:
        if not _is_set(opportunity, field):
            yield Unmet("field-missing", field, "{subject} must be filled in")
    if to.note_required and _given(note) is None:
        yield Unmet("note-missing", "note", "a note must be given")
    if to.reason_required and _given(reason) is None:
        yield Unmet("reason-missing", "lost_reason", "a reason must be given")
    shown = facts | evidence_of(opportunity) if to.evidence else facts
    for code in to.evidence:
        if code not in shown:
            yield Unmet("evidence-missing", code, "this is missing: {subject}", EVIDENCE.get(code))
    for one in to.conditions:
        if not meets(opportunity, one.where):
            yield Unmet("condition-unmet", one.code, "this does not hold: {subject}", one.label)
    if to.roles and roles.isdisjoint(to.roles):
        yield Unmet("role-missing", ", ".join(to.roles), "only these roles may do this: {subject}")


def _is_set(opportunity: Opportunity, field: str) -> bool:
    """Whether *field* says something; blank text and empty lists don't, zero and False do."""
    value = (
        opportunity.extra.get(field.removeprefix("extra."))
        if field.startswith("extra.")
        else getattr(opportunity, field)
    )
    return bool(value.strip()) if isinstance(value, str) else value is not None and value != ()


def _given(text: str | None) -> str | None:
    """*text*, or None where it shows nothing."""
    return text if text is not None and text.strip() else None


def _moved(
    opportunity: Opportunity, pipeline: Pipeline, to: Stage, kind: MoveKind, at: Moment, reason: str | None
) -> Opportunity:
    """*opportunity* in the stage *to*, with all that follows from it."""
    further = pipeline.position(to.key) > pipeline.position(opportunity.furthest_stage)
    # A probability given by hand is a guess about an open deal: it ends with the deal.
    by_hand = opportunity.probability_overridden and opportunity.status == to.kind == "open"
    ended = opportunity.closed_at if opportunity.status == to.kind else at
    return attrs.evolve(
        opportunity,
        stage=to.key,
        status=to.kind,
        furthest_stage=to.key if further else opportunity.furthest_stage,
        probability=opportunity.probability if by_hand else to.probability,
        probability_overridden=by_hand,
        lost_reason=reason,
        closed_at=None if to.kind == "open" else ended,
        stage_entered_at=at,
        advanced_at=at if kind in _ADVANCES else opportunity.advanced_at,
    )


def _event(change: StageChange, from_stage: str, moved: Opportunity) -> OpportunityMoved:
    def told(kind: Callable[..., MovedT]) -> MovedT:
        return kind(
            record_id=moved.id,
            pipeline=change.pipeline,
            from_stage=from_stage,
            to_stage=change.to_stage,
            kind=change.kind,
            amount=change.amount,
        )

    match change.kind:
        case "won":
            return told(OpportunityWon)
        case "lost":
            return attrs.evolve(told(OpportunityLost), reason=moved.lost_reason)
        case "reopened":
            return told(OpportunityReopened)
        case _:
            return told(OpportunityMoved)
