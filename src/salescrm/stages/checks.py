"""What makes a pipeline a good one: each check names what is wrong, and a pipeline is built only when none does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Final, get_args

import attrs

from salescrm.entities.opportunities import Opportunity
from salescrm.labels import Label
from salescrm.schema import nearest
from salescrm.stages.pipeline import Pipeline, Stage, StageKind
from salescrm.stages.rules import refusal

__all__ = ["is_key", "problems_of"]

_CODE: Final = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")
_MILLISECOND: Final = timedelta(milliseconds=1)
#: Ages are counted back from now, and a calendar only reaches so far.
_LONGEST: Final = timedelta(days=36_500)
_FIELDS: Final = tuple(a.name for a in attrs.fields(Opportunity))


def is_key(key: object) -> bool:
    """Whether *key* can be stored as one: 1 to 64 characters that show, none of them a space at an end."""
    return type(key) is str and 0 < len(key) <= 64 and key.isprintable() and key == key.strip()


def problems_of(pipeline: Pipeline) -> Iterator[str]:
    """Everything that is wrong with *pipeline*; what can be told of sound stages only comes when they are."""
    found = [*_names(pipeline), *(problem for stage in pipeline.stages for problem in _values(stage))]
    found += _nexts(pipeline)
    if not found:
        found += _order(pipeline)
    if not found:
        found += _ways(pipeline)
    yield from found


def _names(pipeline: Pipeline) -> Iterator[str]:
    if not is_key(pipeline.key):
        yield f"{pipeline.key!r} is no key; 1 to 64 characters that show are wanted"
    if not _is_label(pipeline.label):
        yield "the pipeline needs a name in both languages"
    for key, times in Counter(stage.key for stage in pipeline.stages).items():
        if times > 1:
            yield f"{times} stages have the key {key}"
    marked = [stage.key for stage in pipeline.stages if stage.initial]
    if len(marked) > 1:
        yield f"more than one initial stage: {', '.join(marked)}"
    if not any(stage.kind == "open" for stage in pipeline.stages):
        yield "there is no open stage to start in"
    if not any(stage.kind == "won" for stage in pipeline.stages):
        yield "there is no won stage to end in"


def _values(stage: Stage) -> Iterator[str]:
    """What is wrong with one stage by itself."""
    key = stage.key
    if not is_key(key):
        yield f"{key!r} is no key; 1 to 64 characters that show are wanted"
    if not _is_label(stage.label):
        yield f"stage {key} needs a name in both languages"
    if stage.kind not in get_args(StageKind):
        yield f"stage {key} is of kind {stage.kind}; open, won or lost is wanted"
    if type(stage.probability) is not int or not 0 <= stage.probability <= 100:
        yield f"stage {key} has the probability {stage.probability}; 0 to 100 is wanted"
    elif stage.kind == "won" and stage.probability != 100:
        yield f"stage {key} is won, so its probability is 100, not {stage.probability}"
    elif stage.kind == "lost" and stage.probability != 0:
        yield f"stage {key} is lost, so its probability is 0, not {stage.probability}"
    if stage.initial and stage.kind != "open":
        yield f"stage {key} is {stage.kind}; only an open stage can be the initial one"
    if stage.reason_required and stage.kind != "lost":
        yield f"stage {key} asks for a lost reason, but is not lost"
    yield from _requirements(stage)
    if stage.stalled_after is not None:
        if stage.kind != "open":
            yield f"stage {key} is {stage.kind}; only an open stage can stall"
        if not timedelta(0) < stage.stalled_after <= _LONGEST or stage.stalled_after % _MILLISECOND:
            yield (
                f"stage {key} stalls after {stage.stalled_after}; "
                f"a time above zero, in whole milliseconds and up to {_LONGEST.days} days, is wanted"
            )


def _requirements(stage: Stage) -> Iterator[str]:
    key = stage.key
    for field in stage.requires:
        if field not in _FIELDS and not field.startswith("extra."):
            near = ", ".join(nearest(field, _FIELDS)) or "none"
            yield f"stage {key} requires {field}, which an opportunity does not have; nearest: {near}"
    for code in (*stage.evidence, *(one.code for one in stage.conditions)):
        if not _CODE.fullmatch(code):
            yield f"stage {key}: {code!r} is no code; small letters, digits and hyphens are wanted"
    for code, times in Counter(one.code for one in stage.conditions).items():
        if times > 1:
            yield f"stage {key} has {times} conditions with the code {code}"
    for one in stage.conditions:
        if not _is_label(one.label):
            yield f"stage {key}: condition {one.code} needs a name in both languages"
    for role in stage.roles:
        if not is_key(role):
            yield f"stage {key}: {role!r} is no role"


def _order(pipeline: Pipeline) -> Iterator[str]:
    """Open before won, and probabilities that do not fall."""
    for before, after in zip(pipeline.path, pipeline.path[1:], strict=False):
        if before.kind == "won" and after.kind == "open":
            yield f"stage {after.key} is open but stands after the won stage {before.key}"
        elif after.probability < before.probability:
            yield (
                f"the probability falls from {before.probability} in {before.key} "
                f"to {after.probability} in {after.key}"
            )


def _nexts(pipeline: Pipeline) -> Iterator[str]:
    for stage in pipeline.stages:
        for key in stage.next or ():
            to = pipeline.by_key.get(key)
            if to is None:
                near = ", ".join(nearest(key, pipeline.by_key)) or "none"
                yield f"stage {stage.key} leads to {key}, which is no stage; nearest: {near}"
            elif to is stage:
                yield f"stage {stage.key} leads to itself"
            elif stage.kind != "open" and to.kind not in {"open", stage.kind}:
                yield f"stage {stage.key} is {stage.kind} and leads to {key}, which is {to.kind}; reopen between them"
            elif stage.kind == to.kind == "lost":
                yield f"stage {stage.key} is lost and leads to {key}, which is lost too"


def _ways(pipeline: Pipeline) -> Iterator[str]:
    """Every stage can be reached, and from every open one there is a way to an end."""
    ways = {
        stage.key: [to.key for to in pipeline.stages if refusal(pipeline, stage, to) is None]
        for stage in pipeline.stages
    }
    reached = _reach(pipeline.initial.key, ways)
    for stage in pipeline.stages:
        if stage.key not in reached:
            yield f"stage {stage.key} can't be reached from {pipeline.initial.key}"
        elif stage.kind == "open" and not any(
            pipeline.by_key[key].kind != "open" for key in _reach(stage.key, ways)
        ):
            yield f"stage {stage.key} has no way to a won or lost stage"


def _reach(start: str, ways: dict[str, list[str]]) -> set[str]:
    seen, ahead = {start}, [start]
    while ahead:
        fresh = [key for key in ways[ahead.pop()] if key not in seen]
        seen.update(fresh)
        ahead += fresh
    return seen


def _is_label(label: object) -> bool:
    return isinstance(label, Label) and not label.is_blank
