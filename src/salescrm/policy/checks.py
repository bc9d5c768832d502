"""What makes a policy a sound one: each check names what is wrong, and a policy is built only when none does."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Final, get_args

import attrs

from salescrm.labels import Label, Language
from salescrm.policy.approval_checks import approval_problems
from salescrm.policy.assignments import problems_of as assignment_problems
from salescrm.policy.parts import ExtraEntity, ExtraKind, NumberedEntity, Numbering
from salescrm.policy.pool_checks import is_zone, pool_problems, work_calendar_problems
from salescrm.policy.questions import schemas_of, unaskable
from salescrm.policy.vocabulary import ChosenField
from salescrm.schema import nearest
from salescrm.stages.checks import is_key
from salescrm.values import CURRENCIES

if TYPE_CHECKING:
    from salescrm.policy.policy import Policy

__all__ = ["problems_of"]

_EXTRA_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
_DAY_PATTERN: Final = re.compile(r"(?:%[Yymd]|[-/._])*")


def problems_of(policy: Policy) -> Iterator[str]:
    """Everything that is wrong with *policy*."""
    yield from _locale(policy)
    yield from _pipelines(policy)
    yield from _numbering(policy)
    yield from _extra(policy)
    yield from _windows(policy)
    yield from _choices(policy)
    yield from work_calendar_problems(policy)
    yield from pool_problems(policy)
    yield from _assignments(policy)
    yield from approval_problems(policy.approvals, policy.extra_kinds)


def _locale(policy: Policy) -> Iterator[str]:
    if type(policy.version) is not int or policy.version < 1:
        yield f"version is {policy.version!r}; a whole number from 1 is wanted"
    since = policy.effective_from
    if since is not None and (not isinstance(since, datetime) or since.utcoffset() is None):
        yield f"effective_from is {since!r}; a moment with a time zone is wanted, such as 2026-04-01T00:00:00+08:00"
    if policy.language not in get_args(Language):
        yield f"language is {policy.language!r}; en or zh is wanted"
    if not is_zone(policy.time_zone):
        yield f"time_zone is {policy.time_zone!r}; an IANA name such as Asia/Shanghai is wanted"
    if policy.currency not in CURRENCIES:
        yield f"currency is {policy.currency!r}; an active ISO 4217 code such as CNY is wanted"
    if not re.fullmatch(r"[A-Z]{2}", str(policy.phone_region)):
        yield f"phone_region is {policy.phone_region!r}; two capitals such as CN are wanted"


def _pipelines(policy: Policy) -> Iterator[str]:
    keys = [pipeline.key for pipeline in policy.pipelines]
    yield from _twice("pipelines", keys)
    if policy.default_pipeline not in keys:
        near = ", ".join(nearest(str(policy.default_pipeline), keys)) or "none"
        yield f"default_pipeline is {policy.default_pipeline!r}, which is no pipeline; nearest: {near}"
    declared = {field.name for field in policy.extra_fields if field.entity == "Opportunity"}
    for pipeline in policy.pipelines:
        for stage in pipeline.stages:
            for field in stage.requires:
                name = field.removeprefix("extra.")
                if field != name and name not in declared:
                    near = ", ".join(nearest(name, declared)) or "none"
                    yield (
                        f"stage {stage.key} of {pipeline.key} requires {field}, "
                        f"which is not declared; nearest: {near}"
                    )
    yield from _conditions(policy)


def _conditions(policy: Policy) -> Iterator[str]:
    """Whether the questions of the stages can be asked of an opportunity at all."""
    asked = [
        (pipeline.key, stage.key, one)
        for pipeline in policy.pipelines
        for stage in pipeline.stages
        for one in stage.conditions
    ]
    if not asked:
        return
    known = schemas_of(policy.extra_kinds)
    for pipeline, stage, one in asked:
        if (why := unaskable(one.where, known, "opportunities")) is not None:
            yield f"stage {stage} of {pipeline}, condition {one.code}: {why}"


def _numbering(policy: Policy) -> Iterator[str]:
    entities = [numbering.entity for numbering in policy.numbering]
    yield from _twice("numbering", entities)
    for entity in get_args(NumberedEntity):
        if entity not in entities:
            yield f"numbering of {entity} is missing"
    for numbering in policy.numbering:
        for problem in _number_problems(numbering):
            yield f"numbering of {numbering.entity}: {problem}"


def _number_problems(numbering: Numbering) -> Iterator[str]:
    if numbering.entity not in get_args(NumberedEntity):
        yield f"no such entity has numbers; one of {', '.join(get_args(NumberedEntity))} is wanted"
    if not re.fullmatch(r"[^\s%]{0,20}", str(numbering.prefix)) or not numbering.prefix.isprintable():
        yield f"prefix is {numbering.prefix!r}; up to 20 characters without spaces or % are wanted"
    if not _DAY_PATTERN.fullmatch(numbering.day) or len(numbering.day) > 20:
        yield f"day is {numbering.day!r}; %Y %y %m %d with - / . _ between them are wanted"
    if type(numbering.digits) is not int or not 1 <= numbering.digits <= 12:
        yield f"digits is {numbering.digits!r}; 1 to 12 is wanted"
    if type(numbering.block) is not int or not 1 <= numbering.block <= 10_000:
        yield f"block is {numbering.block!r}; 1 to 10000 is wanted"


def _extra(policy: Policy) -> Iterator[str]:
    yield from _twice("extra fields", [f"{field.entity}.{field.name}" for field in policy.extra_fields])
    for field in policy.extra_fields:
        if field.entity not in get_args(ExtraEntity):
            near = ", ".join(nearest(str(field.entity), get_args(ExtraEntity))) or "none"
            yield f"extra field {field.name}: {field.entity} takes no custom fields; nearest: {near}"
        if not _EXTRA_NAME.fullmatch(field.name):
            yield (
                f"extra field {field.name!r} of {field.entity}: "
                "small letters, digits and underscores are wanted, a letter first, 63 at most"
            )
        if field.kind not in get_args(ExtraKind):
            yield f"extra field {field.name} is of kind {field.kind!r}; text, whole, flag or day is wanted"
        if _is_unnamed(field.label):
            yield f"extra field {field.name} of {field.entity} needs a name in both languages"


def _windows(policy: Policy) -> Iterator[str]:
    windows = attrs.asdict(policy.follow_up_days)
    for priority, days in windows.items():
        if type(days) is not int or not 1 <= days <= 366:
            yield f"follow_up_days of priority {priority} is {days!r}; 1 to 366 is wanted"
            return
    if not windows["high"] <= windows["medium"] <= windows["low"]:
        yield "follow_up_days: a higher priority may not wait longer than a lower one"


def _choices(policy: Policy) -> Iterator[str]:
    yield from _twice("choices", [choices.field for choices in policy.choices])
    for choices in policy.choices:
        if choices.field not in get_args(ChosenField):
            near = ", ".join(nearest(str(choices.field), get_args(ChosenField))) or "none"
            yield f"choices of {choices.field}: there is no such list; nearest: {near}"
        yield from _twice(f"choices of {choices.field}", [choice.key for choice in choices.options])
        for choice in choices.options:
            if not is_key(choice.key):
                yield f"choices of {choices.field}: {choice.key!r} is no key; 1 to 64 characters that show are wanted"
            if _is_unnamed(choice.label):
                yield f"choices of {choices.field}: {choice.key} needs a name in both languages"


def _assignments(policy: Policy) -> Iterator[str]:
    if policy.assignments:
        yield from _twice("assignments", [rule.key for rule in policy.assignments])
        yield from assignment_problems(policy.assignments, schemas_of(policy.extra_kinds))


def _twice(where: str, keys: Iterable[str]) -> Iterator[str]:
    for key, times in Counter(keys).items():
        if times > 1:
            yield f"{where}: {key} is there {times} times"


def _is_unnamed(label: object) -> bool:
    return not isinstance(label, Label) or label.is_blank
