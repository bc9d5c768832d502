"""
From a plan's conditions, keys and numbers to SQL expressions; what statement they stand in is `statements`' matter.

Two-valued logic on engines that have three: an expression is only ever asked to be *true exactly when* a condition holds,
or when it fails.  WHERE, AND and OR take a null as "not true", so a comparison stays bare, for an index to serve it, and a
negation is pushed down to the leaves, where "it fails" is written out with the nulls that belong to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, assert_never

import attrs
import sqlalchemy as sa
from sqlalchemy.types import TypeEngine

from salescrm.backends.sql.flavor import Converter, Expression
from salescrm.backends.sql.segments import Segment, segments
from salescrm.backends.sql.values import Value, Values, whole
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
from salescrm.query.nodes import Operator

__all__ = ["Compilation"]

_OPERATORS: Final[Mapping[Operator, Callable[[Any, Any], Any]]] = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
}
_OPPOSITE: Final[Mapping[Operator, Operator]] = {
    "eq": "ne",
    "ne": "eq",
    "lt": "ge",
    "ge": "lt",
    "gt": "le",
    "le": "gt",
}
_DAY: Final = 86_400_000
#: More whole days than any span between two moments has: added before a division that cuts towards zero, taken off after.
_DAYS: Final = 4_000_000
#: Stands behind every text of the longest that can be stored.
_BEHIND_ALL: Final = "\U0010ffff" * 20_001


@attrs.define
class Compilation(Values):
    """One statement over a schema while it is made: conditions, keys and numbers as expressions over its sources."""

    #: Whether sums may pass 64 bits.
    big_sums: bool = False

    # Conditions.

    def holds(self, condition: Condition) -> Expression:
        """True exactly when *condition* holds; false or null otherwise."""
        match condition:
            case AllOf(parts):
                return sa.and_(sa.true(), *map(self.holds, parts))
            case AnyOf(parts):
                return sa.or_(sa.false(), *map(self.holds, parts))
            case Negated(part):
                return self.fails(part)
            case Const(true):
                return sa.true() if true else sa.false()
            case Null(source):
                return self.value(source).expression.is_(None)
            case After():
                return sa.or_(sa.false(), *map(self.within, segments(condition)))
            case Cmp(source, operator, _):
                value = self.value(source)
                return _OPERATORS[operator](value.expression, self._beside(value, condition))  # type: ignore[no-any-return]  # an expression
            case InSlot() | ListHas() | Starts() | Includes():
                return self._test(condition, self.value(condition.source))
            case _:
                assert_never(condition)

    def fails(self, condition: Condition) -> Expression:
        """True exactly when *condition* does not hold; false or null otherwise."""
        match condition:
            case AllOf(parts):
                return sa.or_(sa.false(), *map(self.fails, parts))
            case AnyOf(parts):
                return sa.and_(sa.true(), *map(self.fails, parts))
            case Negated(part):
                return self.holds(part)
            case Const(true):
                return sa.false() if true else sa.true()
            case Null(source):
                return self.value(source).expression.is_not(None)
            case After():
                return self.fails(after_as_conditions(condition))
            case Cmp(source, operator, _):
                value = self.value(source)
                opposite = _OPERATORS[_OPPOSITE[operator]](value.expression, self._beside(value, condition))
                return _or_null(opposite, value)
            case InSlot() | ListHas() | Starts() | Includes():
                value = self.value(condition.source)
                return _or_null(sa.not_(self._test(condition, value)), value)
            case _:
                assert_never(condition)

    def _beside(self, value: Value, condition: Cmp) -> sa.BindParameter[Any]:
        return self.slot(condition.slot, value.type, value.into)

    def _test(self, condition: InSlot | ListHas | Starts | Includes, value: Value) -> Expression:
        """The bare test: null, or by engine false, where *value* is null."""

        def bind(type_: TypeEngine[Any], convert: Converter | None) -> sa.BindParameter[Any]:
            return self.slot(condition.slot, type_, convert)

        match condition:
            case InSlot():
                return self.flavor.element_of(value.expression, value.type, bind, value.into)
            case ListHas():
                return self.flavor.lists(value.expression, bind)
            case Includes():
                return self.flavor.includes(value.expression, bind(value.type, None))
            case Starts(_, slot):
                # A range, which an index serves.
                behind = self.slot(slot, value.type, _next_prefix, "next")
                return sa.and_(value.expression >= bind(value.type, None), value.expression < behind)
            case _:
                assert_never(condition)

    def within(self, segment: Segment) -> Expression:
        """True exactly in the range *segment*."""
        conditions = map(self.holds, segment.conditions)
        if not segment.keys:
            return sa.and_(sa.true(), *conditions)
        values = [self.value(Ref(key.column)) for key in segment.keys]
        here = [value.expression for value in values]
        there = [
            self.slot(slot, value.type, value.into) for slot, value in zip(segment.slots, values, strict=True)
        ]
        left: Any = here[0] if len(here) == 1 else sa.tuple_(*here)
        right: Any = there[0] if len(there) == 1 else sa.tuple_(*there)
        return sa.and_(*conditions, left < right if segment.keys[0].descending else left > right)

    # Keys and numbers of a tally.

    def key(self, key: Source | InBucket | WholeDays) -> Value:
        """One key of a tally."""
        match key:
            case InBucket(source, slots):
                value = self.value(source)
                edges = [self.slot(slot, value.type, value.into) for slot in slots]
                if len(edges) < 2:
                    return _number(sa.cast(sa.null(), sa.BigInteger))
                whens: list[tuple[Expression, Any]] = [(value.expression < edges[0], sa.null())]
                whens += [(value.expression < edge, _literal(n)) for n, edge in enumerate(edges[1:])]
                return _number(sa.case(*whens))
            case WholeDays(span):
                value = self.value(span)
                return _number(
                    (value.expression + _literal(_DAYS * _DAY)) // _literal(_DAY) - _literal(_DAYS)
                )
            case Ref() | SpanRef():
                return self.value(key)
            case _:
                assert_never(key)

    def number(self, number: CountIf | Number) -> Value:
        """One number of a tally."""
        match number:
            case CountIf(Const(True)):
                return _number(sa.func.count())
            case CountIf(where):
                return _number(sa.func.count(sa.case((self.holds(where), _literal(1)))))
            case Number(kind, source):
                value = self.value(source)
                match kind:
                    case "count":
                        # count(*) where nothing can be null: count(column) would look into each record for it.
                        counted = sa.func.count(value.expression) if value.nullable else sa.func.count()
                        return _number(counted)
                    case "distinct":
                        return _number(sa.func.count(value.expression.distinct()))
                    case "sum" if self.big_sums:
                        expression, out_of = self.flavor.big_sum(value.expression)
                        return attrs.evolve(_number(expression), out=out_of)
                    case "sum":
                        return _number(sa.func.sum(value.expression))
                    case "min" | "max":
                        aggregate = sa.func.min if kind == "min" else sa.func.max
                        comparable = self.flavor.comparable(value.expression, value.kind)
                        out: Converter | None = bool if value.kind is Kind.FLAG else value.out
                        return attrs.evolve(value, expression=aggregate(comparable), nullable=True, out=out)
                    case _:
                        assert_never(kind)
            case _:
                assert_never(number)


def _or_null(condition: Expression, value: Value) -> Expression:
    return sa.or_(condition, value.expression.is_(None)) if value.nullable else condition


def _literal(number: int) -> Expression:
    return sa.literal_column(str(number), sa.BigInteger)


def _number(expression: Any) -> Value:
    # Sums come as Decimal from PostgreSQL and MySQL, whose sums of big numbers are bigger numbers.
    return Value(expression, Kind.WHOLE, True, sa.BigInteger(), None, whole)


def _next_prefix(prefix: str) -> str:
    """The first text, by code point, behind every text that starts with *prefix*."""
    head = prefix.rstrip("\U0010ffff")
    if not head:
        return _BEHIND_ALL
    last = ord(head[-1]) + 1
    # No text holds a surrogate.
    return head[:-1] + chr(0xE000 if last == 0xD800 else last)
