"""Tables of numbers, computed on records in memory: the reference meaning of a `TallyPlan`."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias, assert_never

from salescrm.meaning.conditions import Getter, Lookup, condition, source
from salescrm.plans import Const, CountIf, InBucket, Number, Ref, Source, SpanRef, TallyPlan, WholeDays
from salescrm.schema import Schema

__all__ = ["Tabulate", "tabulator", "tally"]

#: Rows of keys and numbers, of records that are known to match.
Tabulate: TypeAlias = Callable[[Iterable[Any], Sequence[Any], Lookup], list[tuple[Any, ...]]]

_DAY_MS: Final = 24 * 60 * 60 * 1000


def tally(
    plan: TallyPlan, values: Sequence[Any], records: Iterable[Any], lookup: Lookup
) -> list[tuple[Any, ...]]:
    """The rows of *plan* over those of *records* that its condition holds for."""
    test = condition(plan.schema, plan.where)
    return tabulator(plan)((record for record in records if test(record, values, lookup)), values, lookup)


def tabulator(plan: TallyPlan) -> Tabulate:
    """A function that makes the rows of *plan* of the records that match: keys, then numbers, in no order."""
    keys = [_key(plan.schema, key) for key in plan.keys]
    numbers = [_number(plan.schema, number) for number in plan.numbers]

    def rows(records: Iterable[Any], values: Sequence[Any], lookup: Lookup) -> list[tuple[Any, ...]]:
        groups: dict[tuple[Any, ...], list[Any]] = {}
        if keys:
            getters = [key(values) for key in keys]
            for record in records:
                groups.setdefault(tuple([get(record, lookup) for get in getters]), []).append(record)
        else:
            groups[()] = list(records)
        return [
            (*key, *[number(group, values, lookup) for number in numbers]) for key, group in groups.items()
        ]

    return rows


def _key(schema: Schema, key: Source | InBucket | WholeDays) -> Callable[[Sequence[Any]], Getter]:
    """A function from the values of the slots to the getter of one key."""
    match key:
        case InBucket():
            moment, slots = source(schema, key.source), key.slots
            return lambda values: _bucket(moment, [values[slot] for slot in slots])
        case WholeDays():
            days = _days(source(schema, key.span))
            return lambda values: days
        case Ref() | SpanRef():
            get = source(schema, key)
            return lambda values: get
        case _:
            assert_never(key)


def _bucket(get: Getter, edges: Sequence[Any]) -> Getter:
    def index(record: Any, lookup: Lookup) -> int | None:
        value = get(record, lookup)
        if value is None or not edges[0] <= value < edges[-1]:
            return None
        return bisect_right(edges, value) - 1

    return index


def _days(span: Getter) -> Getter:
    def days(record: Any, lookup: Lookup) -> int | None:
        milliseconds = span(record, lookup)
        return None if milliseconds is None else milliseconds // _DAY_MS

    return days


def _number(
    schema: Schema, number: CountIf | Number
) -> Callable[[Sequence[Any], Sequence[Any], Lookup], Any]:
    """A function from the records of one group to one number."""
    match number:
        case CountIf(Const(True)):
            return lambda group, values, lookup: len(group)
        case CountIf(where):
            test = condition(schema, where)
            return lambda group, values, lookup: sum(test(record, values, lookup) for record in group)
        case Number(kind, of):
            get, measure = source(schema, of), _MEASURES[kind]
            return lambda group, values, lookup: measure(
                [value for record in group if (value := get(record, lookup)) is not None]
            )
        case _:
            assert_never(number)


_MEASURES: Final[Mapping[str, Callable[[Sequence[Any]], Any]]] = MappingProxyType(
    {
        "count": len,
        "sum": lambda values: sum(values) if values else None,
        "min": lambda values: min(values, default=None),
        "max": lambda values: max(values, default=None),
        "distinct": lambda values: len(set(values)),
    }
)
