"""The sales funnel: how many deals stand in each stage, how many have come that far, and how many of them are won."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final

import attrs

from salescrm.entities import Opportunity
from salescrm.entities.opportunities import OpportunityStatus
from salescrm.labels import Label, Language
from salescrm.query import F, Tally, count, days, total
from salescrm.query.fields import Field
from salescrm.reports.figures import CycleDays, Period, common_currency, number, rate, sums
from salescrm.reports.sheet import Bar, Column, Sheet, heading, moneys, percent, plain_days, whole
from salescrm.reports.words import WORDS, period_note
from salescrm.stages import Pipeline
from salescrm.stages.pipeline import StageKind
from salescrm.unit import UnitOfWork
from salescrm.values import Moment, Money

__all__ = ["Funnel", "FunnelStage", "funnel"]

#: What each rate is of, in every result.
_DENOMINATORS: Final = (
    ("conversion_to_next", "reached the next stage / reached this stage"),
    ("conversion_to_won", "won, of those that reached this stage / reached this stage"),
    ("win_rate_closed", "won / (won + lost)"),
    ("win_rate_all", "won / all deals of the pipeline in the period"),
    ("cycle_days", "won deals: whole days of 24 hours from opened_at to closed_at"),
)


@attrs.frozen(kw_only=True)
class FunnelStage:
    """
    One stage of the funnel.

    Attributes:
        count: The deals that stand in it.
        amounts: What they come to, one sum per currency.
        reached: The deals that ever got this far, those included that were lost later; None for a lost stage.
        conversion_to_next: Of those, the share that got to the next stage; None for the last one.
        conversion_to_won: Of those, the share that is won.
    """

    stage: str
    label: Label
    kind: StageKind
    count: int
    amounts: tuple[Money, ...]
    reached: int | None
    conversion_to_next: float | None
    conversion_to_won: float | None


@attrs.frozen(kw_only=True)
class Funnel:
    """
    A pipeline's funnel as it stands: its stages in order, the lost ones too, and how its deals ended.

    Attributes:
        cycle_days: Of the won deals, from opening to closing.
        currency: The one that all amounts are in; None where there are several, which are never added up.
        as_of: When it was asked.
        time_zone: In which the days of the period begin.
    """

    pipeline: str
    label: Label
    stages: tuple[FunnelStage, ...]
    total: int
    open: int
    won: int
    lost: int
    win_rate_closed: float | None
    win_rate_all: float | None
    cycle_days: CycleDays
    currency: str | None
    period: Period
    time_zone: str
    as_of: Moment
    language: Language

    def to_plain(self) -> dict[str, Any]:
        """The funnel as JSON-able data; amounts are in major units, rates and days unrounded."""
        return {
            "report": "funnel",
            "pipeline": self.pipeline,
            "stages": [self._plain_stage(stage) for stage in self.stages],
            "total": self.total,
            "open": self.open,
            "won": self.won,
            "lost": self.lost,
            "win_rate_closed": self.win_rate_closed,
            "win_rate_all": self.win_rate_all,
            "cycle_days": attrs.asdict(self.cycle_days),
            "currency": self.currency,
            "period": self.period.to_plain(),
            "time_zone": self.time_zone,
            "as_of": self.as_of.isoformat(timespec="milliseconds"),
            "denominators": dict(_DENOMINATORS),
        }

    def _plain_stage(self, stage: FunnelStage) -> dict[str, Any]:
        amounts = {amount.currency: number(amount) for amount in stage.amounts}
        return {
            "stage": stage.stage,
            "label": attrs.asdict(stage.label),
            "kind": stage.kind,
            "count": stage.count,
            "amount": None if self.currency is None else amounts.get(self.currency, 0),
            "amounts": amounts,
            "reached": stage.reached,
            "conversion_to_next": stage.conversion_to_next,
            "conversion_to_won": stage.conversion_to_won,
        }

    def sheet(self, lang: Language | None = None) -> Sheet:
        """The funnel as a table of text with bars, in *lang* or the policy's language."""
        lang = lang or self.language
        said = {name: label.text(lang) for name, label in WORDS.items()}
        widest = max((stage.reached or 0 for stage in self.stages), default=0)
        columns = (
            Column(said["stage"], number=False),
            Column("", number=False),
            Column(said["reached"]),
            Column(said["to_next"]),
            Column(said["to_won"]),
            Column(said["count"]),
            Column(heading(WORDS["amount"], lang, self.currency)),
        )
        amounts = moneys((stage.amounts for stage in self.stages), self.currency)
        rows = tuple(
            (
                stage.label.text(lang),
                Bar((stage.reached or 0) / widest if widest else 0.0),
                whole(stage.reached),
                percent(stage.conversion_to_next),
                percent(stage.conversion_to_won),
                whole(stage.count),
                amount,
            )
            for stage, amount in zip(self.stages, amounts, strict=True)
        )
        ended = said["ended"].format(
            total=whole(self.total),
            open=whole(self.open),
            won=whole(self.won),
            lost=whole(self.lost),
            closed=percent(self.win_rate_closed),
            all=percent(self.win_rate_all),
        )
        cycle = said["cycle"].format(
            mean=plain_days(self.cycle_days.mean), median=plain_days(self.cycle_days.median)
        )
        return Sheet(
            title=f"{said['funnel']} · {self.label.text(lang)}",
            columns=columns,
            rows=rows,
            notes=(ended, cycle, period_note(self.period, self.as_of, self.time_zone, lang)),
        )

    def _repr_html_(self) -> str:
        return self.sheet().to_html()


def funnel(unit: UnitOfWork, pipeline: Pipeline, period: Period) -> Funnel:
    """The funnel of *pipeline*, of the deals in *period* that the acting member may see."""
    deals = unit.repository(Opportunity)
    where = period.within(F.pipeline == pipeline.key, Field, unit.zone)
    standing = deals.tally(
        Tally(by=[F.stage, F.amount.currency], measures=[count(), total(F.amount)], where=where)
    )
    furthest = deals.tally(Tally(by=[F.furthest_stage, F.status], measures=[count()], where=where))
    took = deals.tally(
        Tally(by=[days(F.closed_at - F.opened_at)], measures=[count()], where=where & (F.status == "won"))
    )
    counts: Counter[str] = Counter()
    amounts: defaultdict[str, list[Money | None]] = defaultdict(list)
    for stage, _, many, amount in standing:
        counts[stage] += many
        amounts[stage].append(amount)
    by_stage = {stage: sums(found) for stage, found in amounts.items()}
    statuses: Counter[OpportunityStatus] = Counter()
    for _, status, many in furthest:
        statuses[status] += many
    closed = statuses["won"] + statuses["lost"]
    return Funnel(
        pipeline=pipeline.key,
        label=pipeline.label,
        stages=tuple(_stages(pipeline, counts, by_stage, furthest)),
        total=statuses.total(),
        open=statuses["open"],
        won=statuses["won"],
        lost=statuses["lost"],
        win_rate_closed=rate(statuses["won"], closed),
        win_rate_all=rate(statuses["won"], statuses.total()),
        cycle_days=CycleDays.of({length: many for length, many in took if length is not None}),
        currency=common_currency(by_stage.values(), unit.policy.currency),
        period=period,
        time_zone=unit.policy.time_zone,
        as_of=unit.now(),
        language=unit.policy.language,
    )


def _stages(
    pipeline: Pipeline,
    counts: Counter[str],
    amounts: dict[str, tuple[Money, ...]],
    furthest: Iterable[tuple[str, str, int]],
) -> Iterable[FunnelStage]:
    """The stages in the pipeline's order; those it does not have any more, but deals stand in, come last."""
    reached, won = Counter[int](), Counter[int]()
    for far, status, many in furthest:
        # Whatever the furthest stage was once called, a deal that is there has reached the first one.
        for position in range(max(pipeline.position(far), 0) + 1):
            reached[position] += many
            won[position] += many if status == "won" else 0
    for stage in pipeline.stages:
        position = pipeline.position(stage.key)
        on_path, last = position >= 0, position == len(pipeline.path) - 1
        yield FunnelStage(
            stage=stage.key,
            label=stage.label,
            kind=stage.kind,
            count=counts[stage.key],
            amounts=amounts.get(stage.key, ()),
            reached=reached[position] if on_path else None,
            conversion_to_next=rate(reached[position + 1], reached[position])
            if on_path and not last
            else None,
            conversion_to_won=rate(won[position], reached[position]) if on_path else None,
        )
    for key in sorted(counts.keys() - pipeline.by_key.keys()):
        yield FunnelStage(
            stage=key,
            label=Label(key, key),
            kind="open",
            count=counts[key],
            amounts=amounts[key],
            reached=None,
            conversion_to_next=None,
            conversion_to_won=None,
        )
