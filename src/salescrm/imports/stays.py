"""From a row's stage and dates to where a deal stands and how it got there: history, written as it was."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from itertools import pairwise

import attrs

from salescrm.entities import StageChange
from salescrm.errors import InvalidValue
from salescrm.imports.drafts import Bound, FieldSource, Refusal, Stays
from salescrm.imports.rows import Row
from salescrm.stages import Pipeline, Stage
from salescrm.stages.rules import kind_of
from salescrm.values import Id, Moment

__all__ = ["Ways"]


@attrs.frozen(kw_only=True, eq=False)
class Ways:
    """
    How the rows of one file tell of their deals' stages.

    Attributes:
        stage: What reads the stage.
        dates: By stage, what reads the moment it was entered.
        undated: When a deal without any date was opened.
    """

    pipeline: Pipeline
    stage: FieldSource
    dates: Mapping[str, FieldSource]
    undated: Moment | None
    #: In which dates are told.
    zone: tzinfo

    def __call__(self, row: Row, bound: Bound, key: tuple[str, ...]) -> Stays:
        """
        Where the deal of *row* stands, and the lines of its history.

        Raises:
            Refusal: No such stage, a date that is missing, out of order, or of a stage that the deal never got to.
        """
        stage = self._stage(row)
        way = self._way(row, stage)
        furthest = max((self.pipeline.initial, *(one for one, _ in way)), key=self._position)
        changes, before = [], None
        for entered, at in way:
            change = StageChange(
                id=bound.derived(*key, "entered", entered.key),
                opportunity_id=bound.id_of(key),
                pipeline=self.pipeline.key,
                kind="entered" if before is None else kind_of(self.pipeline, before, entered),
                from_stage=before.key if before is not None else None,
                to_stage=entered.key,
                at=at,
                by=Id(""),
            )
            changes.append(change)
            before = entered
        facts = {
            "pipeline": self.pipeline.key,
            "stage": stage.key,
            "status": stage.kind,
            "furthest_stage": furthest.key,
            "probability": stage.probability,
            "opened_at": way[0][1],
            "closed_at": None if stage.kind == "open" else way[-1][1],
            "stage_entered_at": way[-1][1],
            "advanced_at": [at for one, at in way if one.kind == "open" or one is way[0][0]][-1],
        }
        if stage.kind != "lost":
            facts["lost_reason"] = None
        return Stays(facts=facts, changes=tuple(changes))

    def _stage(self, row: Row) -> Stage:
        key = self.stage.text(row)
        stage = self.pipeline.by_key.get(key)
        if stage is None:
            raise self._refused("stage", self.stage, key, "one of " + ", ".join(self.pipeline.by_key))
        return stage

    def _way(self, row: Row, stage: Stage) -> list[tuple[Stage, Moment]]:
        """The stages that the deal entered, *stage* last, each with when."""
        position = self._position(stage)
        # A lost deal was in open stages only; which of them, its dates tell.
        before = [one for one in self.pipeline.path if one.kind == "open" or stage.kind == "won"]
        before = [one for one in before if position < 0 or self._position(one) < position]
        way = [(one, at) for one in before if (at := self._date(row, one)) is not None]
        self._never(row, stage, before)
        at = self._date(row, stage)
        if at is None and stage.kind == "open":
            at = way[-1][1] if way else self.undated
        if at is None:
            source = self.dates.get(stage.key)
            expected = (
                f"a date: when it was {stage.kind}" if stage.kind != "open" else "a date: when it was opened"
            )
            raise self._refused("opened_at" if stage.kind == "open" else "closed_at", source, "", expected)
        way.append((stage, at))
        for (_, earlier), (one, later) in pairwise(way):
            if later < earlier:
                source = self.dates.get(one.key)
                text = source.text(row) if source else ""
                raise self._refused(
                    "stage_entered_at",
                    source,
                    text,
                    f"a date not before {earlier.astimezone(self.zone).date()}",
                )
        return way

    def _position(self, stage: Stage) -> int:
        return self.pipeline.position(stage.key)

    def _never(self, row: Row, stage: Stage, before: list[Stage]) -> None:
        """Refuses a date in a column that tells only of stages that the deal has not got to."""
        met = {*(one.key for one in before), stage.key}
        told = {column for key in met if (source := self.dates.get(key)) for column in source.cell.sources}
        for key, source in self.dates.items():
            if key not in met and not told.intersection(source.cell.sources) and (text := source.text(row)):
                expected = f"nothing: it stands in {stage.key} and has not got to {key}"
                raise self._refused("stage_entered_at", source, text, expected)

    def _date(self, row: Row, stage: Stage) -> Moment | None:
        source = self.dates.get(stage.key)
        at: Moment | None = source.value(row) if source is not None else None
        return at

    def _refused(self, field: str, source: FieldSource | None, text: str, expected: str) -> Refusal:
        return Refusal(
            InvalidValue("Opportunity", field, text, expected), source.column if source else None, text
        )
