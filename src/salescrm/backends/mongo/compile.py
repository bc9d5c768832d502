"""
Checked questions as MongoDB's filters, sorts and pipelines; running them is the store's.

What is no plain scalar stands under an operator of ours, so that no value can be taken for one.  Conditions on different fields
are kept flat in one document: that is what a planner looks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, TypeAlias, assert_never

import attrs

from salescrm.backends.mongo.documents import PROJECTION, encode
from salescrm.backends.mongo.expressions import (
    holds,
    next_text,
    path,
    value,
)
from salescrm.kinds import Kind
from salescrm.plans import (
    After,
    AllOf,
    AnyOf,
    Cmp,
    Condition,
    Const,
    CountIf,
    Follow,
    InBucket,
    Includes,
    InSlot,
    ListHas,
    Negated,
    Null,
    Number,
    Ref,
    SortKey,
    Source,
    SpanRef,
    Starts,
    WholeDays,
    after_as_conditions,
)

__all__ = [
    "Filter",
    "Pipeline",
    "Reading",
    "every",
    "followed",
    "hops_of",
    "joins",
    "matching",
    "ordering",
    "reading",
    "split",
]

Filter: TypeAlias = dict[str, Any]
Pipeline: TypeAlias = list[dict[str, Any]]

_OPERATORS: Final = MappingProxyType({"lt": "$lt", "gt": "$gt", "ge": "$gte"})
_SCALARS: Final = frozenset({str, int, bool, datetime})


def matching(condition: Condition, values: Sequence[Any]) -> Filter:
    """The filter for *condition*."""
    match condition:
        case Const(value=certain):
            return {} if certain else _nothing()
        case Cmp(source=Ref() as ref, operator="ne", slot=slot):
            return {path(ref): {"$nin": [encode(ref.kind, values[slot]), None]}}
        case Cmp(source=Ref() as ref, operator="eq", slot=slot):
            return {path(ref): _equal(encode(ref.kind, values[slot]))}
        case Cmp(source=Ref() as ref, operator="le", slot=slot):
            return {path(ref): _at_most(ref.kind, encode(ref.kind, values[slot]))}
        case Cmp(source=Ref() as ref, operator=operator, slot=slot):
            # MongoDB compares within one type, so null is neither less nor more.
            return {path(ref): {_OPERATORS[operator]: encode(ref.kind, values[slot])}}
        case InSlot(source=Ref() as ref, slot=slot):
            return {path(ref): {"$in": [encode(ref.kind, one) for one in values[slot]]}}
        case ListHas(source=ref, slot=slot):
            return {path(ref): {"$elemMatch": {"$eq": values[slot]}}}
        case Starts(source=ref, slot=slot):
            end = next_text(values[slot])
            return {path(ref): {"$gte": values[slot]} | ({} if end is None else {"$lt": end})}
        case Null(source=Ref() as ref):
            return {path(ref): None}
        case Includes() | Cmp() | InSlot() | Null():
            return {"$expr": holds(condition, values)}
        case AllOf(parts=parts):
            return every(matching(part, values) for part in parts)
        case AnyOf(parts=parts):
            return _any([matching(part, values) for part in parts])
        case Negated(part=part):
            return {"$nor": [matching(part, values)]}
        case After():
            return every([_least(condition, values), matching(after_as_conditions(condition), values)])
        case _:
            assert_never(condition)


def every(filters: Iterable[Filter]) -> Filter:
    """The filter that holds where all of *filters* do, flat as far as it can be."""
    merged: Filter = {}
    rest: list[Filter] = []
    for one in filters:
        for name, test in one.items():
            if name == "$and":
                rest += test
            elif name not in merged:
                merged[name] = test
            elif _mergeable(name, merged[name]) and not merged[name].keys() & test.keys():
                merged[name] = merged[name] | test
            else:
                rest.append({name: test})
    return merged | {"$and": rest} if rest else merged


def _mergeable(name: str, test: Any) -> bool:
    """Whether *test* is operators on a field, not a logical operator's conditions or a plain value."""
    return isinstance(test, dict) and not name.startswith("$")


def _any(filters: Sequence[Filter]) -> Filter:
    """The filter that holds where one of *filters* does; MongoDB refuses an empty $or, and a needless one costs a plan."""
    if len(filters) > 1:
        return {"$or": filters}
    return filters[0] if filters else _nothing()


def _nothing() -> Filter:
    return {"_id": {"$in": []}}


def _least(after: After, values: Sequence[Any]) -> Filter:
    """What all records behind the cursor share on the first key: it lets an index be entered at the cursor."""
    if len(after.keys) == 1:
        return {}  # the condition itself says it
    first, at = after.keys[0], encode(after.keys[0].column.kind, values[after.slots[0]])
    if after.nulls[0]:
        return {first.column.name: None} if first.descending else {}
    if not first.descending:
        return {first.column.name: {"$gte": at}}
    # Null is behind every value, and a comparison would not let it through.
    test = {"$not": {"$gt": at}} if first.column.nullable else _at_most(first.column.kind, at)
    return {first.column.name: test}


def _equal(value: Any) -> Any:
    """The test for *value*: a scalar as it is, for SecantusDB 0.7 knows only that as the start of an index's key."""
    return value if type(value) in _SCALARS else {"$eq": value}


def _at_most(kind: Kind, limit: Any) -> Filter:
    """
    The test for values up to *limit*, said as below the next one.

    SecantusDB 0.7, which our tests run on, leaves *limit* itself out of an ``$lte`` that a compound index answers.
    """
    match kind:
        case Kind.FLAG:
            return {"$in": [False, limit]}
        case Kind.WHOLE:
            return {"$lt": limit + 1}
        case Kind.MOMENT:
            return {"$lt": limit + timedelta(milliseconds=1)}
        case _:
            return {"$lt": f"{limit}\0"}


def ordering(order: Sequence[SortKey]) -> list[tuple[str, int]]:
    """The sort; null is MongoDB's least value too."""
    return [(one.column.name, -1 if one.descending else 1) for one in order]


@attrs.frozen
class Reading:
    """
    How to read what was asked: a plain find by *filter*, or *pipeline* where records are joined or values computed.

    Attributes:
        most: The most documents to read; None for all.
    """

    filter: Filter
    sort: list[tuple[str, int]]
    most: int | None
    projection: dict[str, int]
    pipeline: Pipeline | None = None


def reading(
    tenant: str,
    where: Condition,
    values: Sequence[Any],
    *,
    order: Sequence[SortKey] = (),
    most: int | None = None,
    columns: Sequence[Source] | None = None,
    collection: Callable[[Follow], str],
) -> Reading:
    """The way to the records of *tenant*, whole or only their *columns*, the latter as fields ``c0``, ``c1`` …"""
    local, joined = split(where)
    filter_, sort = every([{"tenant": tenant}, matching(local, values)]), ordering(order)
    plain = Reading(filter_, sort, most, dict(PROJECTION))
    hops = tuple(dict.fromkeys(followed(joined)))
    if columns is None and not hops:
        return plain
    shown = [one for one in dict.fromkeys(hops_of(columns or ())) if one not in hops]
    pipeline: Pipeline = [{"$match": filter_}]
    # Sorted before the join: an index may do it, and the join may then stop at the limit.
    pipeline += [{"$sort": dict(sort)}] if sort else []
    pipeline += joins(tenant, hops, collection)
    pipeline += [{"$match": matching(joined, values)}] if hops else []
    pipeline += [{"$limit": most}] if most else []
    pipeline += joins(tenant, shown, collection)
    if columns is None:
        pipeline.append({"$project": {**PROJECTION, **{f"_{hop.name}": 0 for hop in hops}}})
    else:
        cells = {f"c{index}": {"$ifNull": [value(one), None]} for index, one in enumerate(columns)}
        pipeline.append({"$project": {"_id": 0, **cells}})
    return attrs.evolve(plain, pipeline=pipeline)


def split(where: Condition) -> tuple[Condition, Condition]:
    """*where* as what the record alone answers and what takes a joined one."""
    alone: list[Condition] = []
    joined: list[Condition] = []
    for part in _conjuncts(where):
        (joined if any(followed(part)) else alone).append(part)
    return AllOf(tuple(alone)), AllOf(tuple(joined))


def _conjuncts(where: Condition) -> Iterator[Condition]:
    if isinstance(where, AllOf):
        for part in where.parts:
            yield from _conjuncts(part)
    else:
        yield where


def joins(tenant: str, hops: Iterable[Follow], collection: Callable[[Follow], str]) -> Pipeline:
    """Stages that put each followed record where `path` looks for it; nothing is there where it leads nowhere."""
    stages: Pipeline = []
    for hop in hops:
        name = f"_{hop.name}"
        stages += [
            # The key as `documents.key` makes it; null where the reference is.
            {"$set": {name: {"$concat": [{"$literal": f"{tenant}/"}, f"${hop.column.name}"]}}},
            {"$lookup": {"from": collection(hop), "localField": name, "foreignField": "_id", "as": name}},
            {"$unwind": {"path": f"${name}", "preserveNullAndEmptyArrays": True}},
        ]
    return stages


def followed(condition: Condition) -> Iterator[Follow]:
    """The hops that *condition* takes."""
    match condition:
        case AllOf(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from followed(part)
        case Negated(part=part):
            yield from followed(part)
        case Cmp() | InSlot() | ListHas() | Starts() | Includes() | Null():
            yield from hops_of([condition.source])
        case Const() | After():
            return
        case _:
            assert_never(condition)


def hops_of(parts: Iterable[Source | InBucket | WholeDays | Number | CountIf]) -> Iterator[Follow]:
    """The hops that keys, numbers and columns take."""
    for part in parts:
        match part:
            case Ref(follow=follow):
                yield from (follow,) if follow else ()
            case SpanRef(start=start, end=end) | WholeDays(span=SpanRef(start=start, end=end)):
                yield from hops_of([start, end])
            case InBucket(source=source) | Number(source=source):
                yield from hops_of([source])
            case CountIf(where=where):
                yield from followed(where)
            case _:
                assert_never(part)
