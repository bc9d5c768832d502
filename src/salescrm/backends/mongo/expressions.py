"""
What is computed from a document, as aggregation expressions: values, conditions, keys and numbers of a tally.

In expressions null and missing are below every value, so ``<`` and ``!=`` hold for them; conditions guard against it.
Values from outside stand under ``$literal``, else a text that starts with ``$`` would be read as a field.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, TypeAlias, assert_never

from salescrm.backends.mongo.documents import encode
from salescrm.kinds import Kind
from salescrm.plans import (
    After,
    AllOf,
    AnyOf,
    Cmp,
    Condition,
    Const,
    CountIf,
    InBucket,
    Includes,
    InSlot,
    ListHas,
    Negated,
    Null,
    Number,
    Ref,
    Source,
    SpanRef,
    Starts,
    WholeDays,
    after_as_conditions,
)

__all__ = ["Expression", "holds", "key_of", "kind_of", "next_text", "number", "path", "present", "value"]

Expression: TypeAlias = Any

_OPERATORS: Final = MappingProxyType(
    {"eq": "$eq", "ne": "$ne", "lt": "$lt", "le": "$lte", "gt": "$gt", "ge": "$gte"}
)
#: Operators that null would satisfy.
_TRUE_OF_NULL: Final = frozenset({"ne", "lt", "le"})
_DAY: Final = 86_400_000  # milliseconds


def path(ref: Ref) -> str:
    """Where *ref* stands in a document; a followed record is a subdocument under its hop's name."""
    hop = f"_{ref.follow.name}." if ref.follow else ""
    inside = f".{ref.key}" if ref.key else ""
    return f"{hop}{ref.column.name}{inside}"


def kind_of(source: Source) -> Kind:
    """The kind of *source*'s values; spans are whole milliseconds."""
    return Kind.WHOLE if isinstance(source, SpanRef) else source.kind


def value(source: Source) -> Expression:
    """The value of *source*; null or missing where it has none."""
    if isinstance(source, SpanRef):
        return {"$subtract": [_instant(source.end), _instant(source.start)]}
    return f"${path(source)}"


def _instant(ref: Ref) -> Expression:
    if ref.kind is Kind.DAY:
        return {"$dateFromString": {"dateString": value(ref), "format": "%Y-%m-%d"}}
    return value(ref)


def present(expression: Expression) -> Expression:
    """Whether *expression* is neither null nor missing."""
    return {"$gt": [expression, None]}


def _literal(source: Source, plain: Any) -> Expression:
    return {"$literal": encode(kind_of(source), plain)}


def holds(condition: Condition, values: Sequence[Any]) -> Expression:
    """Whether *condition* holds, true or false."""
    match condition:
        case Const(value=certain):
            return certain
        case Cmp(source=source, operator=operator, slot=slot):
            compared = {_OPERATORS[operator]: [value(source), _literal(source, values[slot])]}
            return {"$and": [present(value(source)), compared]} if operator in _TRUE_OF_NULL else compared
        case InSlot(source=source, slot=slot):
            kind = kind_of(source)
            return {"$in": [value(source), {"$literal": [encode(kind, one) for one in values[slot]]}]}
        case ListHas(source=source, slot=slot):
            return {"$in": [{"$literal": values[slot]}, {"$ifNull": [value(source), []]}]}
        case Starts(source=source, slot=slot):
            bounds = [{"$gte": [value(source), {"$literal": values[slot]}]}]
            if (end := next_text(values[slot])) is not None:
                bounds.append({"$lt": [value(source), {"$literal": end}]})
            return {"$and": bounds}
        case Includes(source=source, slot=slot):
            # By bytes: UTF-8 finds the same as code points do, and a text of any length is taken, unlike by $regex.
            return {"$gte": [{"$indexOfBytes": [value(source), {"$literal": values[slot]}]}, 0]}
        case Null(source=source):
            return {"$not": [present(value(source))]}
        case AllOf(parts=parts):
            return {"$and": [holds(part, values) for part in parts]}
        case AnyOf(parts=parts):
            return {"$or": [holds(part, values) for part in parts]}
        case Negated(part=part):
            return {"$not": [holds(part, values)]}
        case After():
            return holds(after_as_conditions(condition), values)
        case _:
            assert_never(condition)


def next_text(prefix: str) -> str | None:
    """The least text above all that start with *prefix*; None where there is none."""
    for end in range(len(prefix) - 1, -1, -1):
        point = ord(prefix[end]) + 1
        if point <= 0x10FFFF:
            return prefix[:end] + chr(0xE000 if point == 0xD800 else point)  # no text has a lone surrogate
    return None


def key_of(key: Source | InBucket | WholeDays, values: Sequence[Any]) -> Expression:
    """The value that records are grouped by; null where there is none."""
    match key:
        case Ref() | SpanRef():
            # A group's key would keep missing and null apart.
            return {"$ifNull": [value(key), None]}
        case WholeDays(span=span):
            # Exact: the quotient stays far below what a double can tell apart.
            return {"$toLong": {"$floor": {"$divide": [value(span), _DAY]}}}
        case InBucket(source=source, slots=slots):
            at = value(source)
            edges = [_literal(source, values[slot]) for slot in slots]
            branches = [
                {"case": {"$and": [{"$gte": [at, start]}, {"$lt": [at, end]}]}, "then": index}
                for index, (start, end) in enumerate(pairwise(edges))
            ]
            return {"$switch": {"branches": branches, "default": None}} if branches else None
        case _:
            assert_never(key)


def number(measure: CountIf | Number, values: Sequence[Any]) -> dict[str, Expression]:
    """The accumulator of *measure*; that of ``distinct`` collects a set, with a null in it where one was met."""
    if isinstance(measure, CountIf):
        return {"$sum": {"$cond": [holds(measure.where, values), 1, 0]}}
    source = value(measure.source)
    match measure.kind:
        case "count":
            return {"$sum": {"$cond": [present(source), 1, 0]}}
        case "sum":
            # Whole numbers of 64 bits would turn into doubles where they no longer fit.
            return {"$sum": {"$toDecimal": source}}
        case "min":
            return {"$min": source}
        case "max":
            return {"$max": source}
        case "distinct":
            return {"$addToSet": source}
        case _:
            assert_never(measure.kind)
