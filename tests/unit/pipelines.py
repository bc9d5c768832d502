"""Small pipelines and deals for the tests of the stage machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import attrs

from salescrm.catalog import schemas
from salescrm.checking import Checker, Context
from salescrm.checking.cursors import Cursors
from salescrm.entities import Opportunity
from salescrm.labels import Label
from salescrm.meaning import condition
from salescrm.query import Query, Where
from salescrm.schema import Schema
from salescrm.stages import Move, Pipeline, Stage, StageKind, move
from salescrm.values import Id

NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
LI = Id("li")


def label(text: str) -> Label:
    return Label(text, f"{text}（中）")


def stage(key: str, kind: StageKind = "open", **more: object) -> Stage:
    return Stage(key=key, label=label(key.title()), kind=kind, **more)  # type: ignore[arg-type]  # a short hand


def pipeline(*stages: Stage, **more: bool) -> Pipeline:
    return Pipeline(key="p", label=label("P"), stages=stages, **more)


STRICT = pipeline(stage("a"), stage("b"), stage("c"), stage("won", "won"), stage("lost", "lost"))
LOOSE = attrs.evolve(STRICT, may_skip=True, may_go_back=True, may_reopen=True)


@cache
def asking() -> tuple[Schema, Checker]:
    """The schema of opportunities and a checker, made once."""
    known = schemas()
    return known["opportunities"], Checker(known, Cursors())


def answers(opportunity: Opportunity, where: Where, now: datetime = NOON) -> bool:
    """The reference meaning of *where*."""
    schema, checker = asking()
    asked = checker.find(schema, Query(where=where), Context(now, UTC))
    return condition(schema, asked.plan.where)(opportunity, asked.values, lambda _, __: None)


def deal(**more: object) -> Opportunity:
    facts: dict[str, object] = {
        "id": Id("o1"),
        "name": "Servers",
        "pipeline": "p",
        "stage": "a",
        "furthest_stage": "a",
        "opened_at": NOON,
        "stage_entered_at": NOON,
    }
    return Opportunity(**(facts | more))  # type: ignore[arg-type]  # a short hand


def go(opportunity: Opportunity, to: str, where: Pipeline = LOOSE, **more: object) -> Move:
    facts: dict[str, object] = {"at": NOON + DAY, "by": LI, "meets": answers}
    return move(opportunity, to, pipeline=where, **(facts | more))  # type: ignore[arg-type]  # a short hand
