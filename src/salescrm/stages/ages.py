"""How long opportunities stay in their stages, and which have stayed too long; exact to the millisecond."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

import attrs

from salescrm.entities.opportunities import MoveKind, Opportunity, StageChange
from salescrm.query import NOTHING, F, Or, Relative, Where
from salescrm.stages.pipeline import Pipeline
from salescrm.values import Id, Moment

__all__ = ["StageStay", "history", "is_stalled", "stalled", "time_by_stage", "time_in_stage"]


@attrs.frozen(kw_only=True)
class StageStay:
    """One stay of an opportunity in a stage; *left_at* is None while it lasts."""

    stage: str
    #: How it came here, and by whom.
    kind: MoveKind
    by: Id
    entered_at: Moment
    left_at: Moment | None
    duration: timedelta


def history(changes: Iterable[StageChange], *, until: Moment) -> tuple[StageStay, ...]:
    """
    The stays that the *changes* of one opportunity make, the earliest first, as they stood at *until*.

    Later changes are left out; the last stay lasts until then, so the durations add up to the whole time.
    Changes of one moment keep the order in which they come.
    """
    known = sorted((change for change in changes if change.at <= until), key=lambda change: change.at)
    ends: Sequence[Moment | None] = [*(change.at for change in known[1:]), None]
    return tuple(
        StageStay(
            stage=change.to_stage,
            kind=change.kind,
            by=change.by,
            entered_at=change.at,
            left_at=left,
            duration=(until if left is None else left) - change.at,
        )
        for change, left in zip(known, ends, strict=False)
    )


def time_by_stage(stays: Iterable[StageStay]) -> dict[str, timedelta]:
    """The whole time in each stage, however often it was entered; in the order of first entry."""
    times: dict[str, timedelta] = {}
    for stay in stays:
        times[stay.stage] = times.get(stay.stage, timedelta(0)) + stay.duration
    return times


def time_in_stage(opportunity: Opportunity, *, now: Moment) -> timedelta:
    """How long *opportunity* has been in the stage that it is in."""
    return now - opportunity.stage_entered_at


def is_stalled(opportunity: Opportunity, *, pipeline: Pipeline, now: Moment) -> bool:
    """Whether it has been in its stage for as long as the stage allows, or longer; `stalled` asks the same of a store."""
    stage = pipeline.by_key.get(opportunity.stage)
    if opportunity.pipeline != pipeline.key or stage is None or stage.stalled_after is None:
        return False
    return time_in_stage(opportunity, now=now) >= stage.stalled_after


def stalled(pipeline: Pipeline) -> Where:
    """The question of which opportunities of *pipeline* have been in their stage for as long as it allows, or longer."""
    limits = tuple(
        (F.stage == stage.key) & (F.stage_entered_at <= Relative(None, delta=-stage.stalled_after))
        for stage in pipeline.stages
        if stage.stalled_after is not None
    )
    return (F.pipeline == pipeline.key) & Or(limits) if limits else NOTHING
