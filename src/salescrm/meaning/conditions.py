"""Conditions, values and orders, computed on records in memory: the reference meaning of a plan's parts."""

from __future__ import annotations

import heapq
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final, TypeAlias, assert_never

from salescrm import codegen
from salescrm.kinds import Kind
from salescrm.plans import (
    After,
    AllOf,
    AnyOf,
    Cmp,
    Condition,
    Const,
    FindPlan,
    Includes,
    InSlot,
    ListHas,
    Negated,
    Null,
    Ref,
    SortKey,
    Source,
    SpanRef,
    Starts,
    after_as_conditions,
)
from salescrm.query.nodes import Operator
from salescrm.schema import Schema

__all__ = ["Getter", "Lookup", "Sort", "Test", "condition", "shown", "sorted_by", "source"]

#: The record of that schema and id, or None: how a reference is followed.
Lookup: TypeAlias = Callable[[Schema, str], Any | None]
#: A record's value; a reference on the way is followed by the lookup.
Getter: TypeAlias = Callable[[Any, Lookup], Any]
#: Whether a condition holds for a record, given the values of its slots.
Test: TypeAlias = Callable[[Any, Sequence[Any], Lookup], bool]
#: Records in an order, the first so many of them, or all for None.
Sort: TypeAlias = Callable[[Iterable[Any], int | None], list[Any]]

_OPERATORS: Final[Mapping[Operator, Callable[[Any, Any], bool]]] = MappingProxyType(
    {
        "eq": operator.eq,
        "ne": operator.ne,
        "lt": operator.lt,
        "le": operator.le,
        "gt": operator.gt,
        "ge": operator.ge,
    }
)
_MILLISECOND: Final = timedelta(milliseconds=1)


def shown(plan: FindPlan, records: list[Any], look: Lookup) -> list[Any]:
    """What *plan* asks of *records*: them, or of each the plain values of the plan's columns, as a tuple."""
    if plan.columns is None:
        return records
    getters = [source(plan.schema, column) for column in plan.columns]
    return [tuple([get(record, look) for get in getters]) for record in records]


def source(schema: Schema, what: Source) -> Getter:
    """A function from a record of *schema* to the plain value of *what*; None where a reference leads nowhere."""
    match what:
        case SpanRef():
            return _span(source(schema, what.start), source(schema, what.end))
        case Ref():
            target = what.follow.schema if what.follow is not None else schema
            get = target.getters[what.column.name]
            if what.key is not None:
                get = _custom(get, what.key, what.kind)
            if what.follow is None:
                return lambda record, _: get(record)
            return _followed(schema.getters[what.follow.column.name], target, get)
        case _:
            assert_never(what)


def _span(start: Getter, end: Getter) -> Getter:
    def get(record: Any, lookup: Lookup) -> int | None:
        since, until = start(record, lookup), end(record, lookup)
        return None if since is None or until is None else (until - since) // _MILLISECOND

    return get


def _followed(reference: Callable[[Any], Any], target: Schema, get: Callable[[Any], Any]) -> Getter:
    def follow(record: Any, lookup: Lookup) -> Any:
        id = reference(record)
        found = lookup(target, id) if id is not None else None
        return None if found is None else get(found)

    return follow


def _custom(extra: Callable[[Any], Mapping[str, Any]], key: str, kind: Kind) -> Callable[[Any], Any]:
    def get(record: Any) -> Any:
        return extra(record).get(key)

    def get_day(record: Any) -> date | None:
        text = extra(record).get(key)
        return None if text is None else date.fromisoformat(text)

    return get_day if kind is Kind.DAY else get


def condition(schema: Schema, where: Condition) -> Test:
    """
    A function that tells whether *where* holds for a record of *schema*.

    Two-valued: where a source is null every condition but `Null` is false, and `Negated` is true negation.  Text
    compares by code point, false comes before true.
    """
    match where:
        case Const(value):
            return lambda record, values, lookup: value
        case Cmp():
            return _holds(source(schema, where.source), _OPERATORS[where.operator], where.slot)
        case InSlot():
            return _holds(source(schema, where.source), _among, where.slot)
        case ListHas() | Includes():
            return _holds(source(schema, where.source), operator.contains, where.slot)
        case Starts():
            return _holds(source(schema, where.source), str.startswith, where.slot)
        case Null():
            get = source(schema, where.source)
            return lambda record, values, lookup: get(record, lookup) is None
        case AllOf(parts):
            return _all([condition(schema, part) for part in parts])
        case AnyOf(parts):
            return _any([condition(schema, part) for part in parts])
        case Negated(part):
            test = condition(schema, part)
            return lambda record, values, lookup: not test(record, values, lookup)
        case After():
            return condition(schema, after_as_conditions(where))
        case _:
            assert_never(where)


def _holds(get: Getter, relation: Callable[[Any, Any], bool], slot: int) -> Test:
    def test(record: Any, values: Sequence[Any], lookup: Lookup) -> bool:
        value = get(record, lookup)
        return value is not None and relation(value, values[slot])

    return test


def _among(value: Any, values: tuple[Any, ...]) -> bool:
    return value in values


def _all(tests: Sequence[Test]) -> Test:
    # Written out: all() over a generator takes three times as long, and scans are made of this.
    def test(record: Any, values: Sequence[Any], lookup: Lookup) -> bool:
        for one in tests:  # noqa: SIM110  # written out on purpose, as said in _all
            if not one(record, values, lookup):
                return False
        return True

    return test


def _any(tests: Sequence[Test]) -> Test:
    def test(record: Any, values: Sequence[Any], lookup: Lookup) -> bool:
        for one in tests:  # noqa: SIM110  # written out on purpose, as said in _all
            if one(record, values, lookup):
                return True
        return False

    return test


def sorted_by(schema: Schema, order: Sequence[SortKey]) -> Sort:
    """A function that puts records of *schema* in *order*: nulls first ascending, last descending."""
    # Sorting is stable, so keys of one direction make one pass, and the passes go from the last to the first.
    passes = [
        (codegen.keyer(schema, [key.column.name for key in keys]), descending)
        for descending, keys in groupby(order, lambda key: key.descending)
    ]
    if len(passes) == 1:
        return _sort_once(*passes[0])

    def sort(records: Iterable[Any], limit: int | None) -> list[Any]:
        ordered = list(records)
        for key, descending in reversed(passes):
            ordered.sort(key=key, reverse=descending)
        return ordered[:limit]

    return sort


def _sort_once(key: Callable[[Any], tuple[Any, ...]], descending: bool) -> Sort:
    first = heapq.nlargest if descending else heapq.nsmallest

    def sort(records: Iterable[Any], limit: int | None) -> list[Any]:
        if limit is None:
            return sorted(records, key=key, reverse=descending)
        return first(limit, records, key)

    return sort
