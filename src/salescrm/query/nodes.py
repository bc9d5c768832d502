"""
The closed union of question nodes: what a condition, a page and a table of numbers are made of.

Nodes are inert frozen values over field *names*; `fields.F` is the pleasant way to write them, `plans` checks them
against a schema, and what they then mean is told in `meaning`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, Protocol, TypeAlias

import attrs

from salescrm.errors import InvalidQuestion, fact
from salescrm.values import Money

__all__ = [
    "EVERYTHING",
    "NOTHING",
    "Always",
    "And",
    "Bucket",
    "Compare",
    "Contains",
    "Days",
    "Has",
    "IsNull",
    "Key",
    "Literal_",
    "Measure",
    "MeasureKind",
    "Named",
    "Not",
    "OneOf",
    "Operand",
    "Operator",
    "Or",
    "Order",
    "Query",
    "Relative",
    "Search",
    "Shape",
    "Span",
    "StartsWith",
    "Tally",
    "Unit",
    "Where",
    "operand_of",
]

Operator: TypeAlias = Literal["eq", "ne", "lt", "le", "gt", "ge"]
Unit: TypeAlias = Literal["day", "week", "month", "quarter", "year"]
#: What a question is without its values: hashable; a plan is kept under it.
Shape: TypeAlias = tuple[object, ...]


@attrs.frozen
class Relative:
    """A moment or day counted from now: *offset* units from the start of the current *unit* (None: from now itself)."""

    unit: Unit | None
    offset: int = 0
    delta: timedelta = timedelta(0)


Literal_: TypeAlias = str | int | bool | Decimal | Money | datetime | date | timedelta | Relative


@attrs.frozen
class Span:
    """The time from one field to another, both moments or both days."""

    start: str
    end: str


Operand: TypeAlias = str | Span


class Named(Protocol):
    """What stands for an operand where one is wanted: ``F.name``."""

    @property
    def __operand__(self) -> Operand: ...


class _Condition:
    """What every condition can do: be joined with others."""

    __slots__ = ()

    def __and__(self, other: Where) -> Where:
        return And((*_parts(self, And), *_parts(other, And)))

    def __or__(self, other: Where) -> Where:
        return Or((*_parts(self, Or), *_parts(other, Or)))

    def __invert__(self) -> Where:
        return Not(self)  # type: ignore[arg-type]  # every subclass is in the union

    def __bool__(self) -> bool:
        raise TypeError("a condition is no truth value: join conditions with & | ~, not with and, or, not")


def _parts(where: object, kind: type[And | Or]) -> tuple[Where, ...]:
    return where.parts if isinstance(where, kind) else (where,)  # type: ignore[return-value]  # a Where by contract


@attrs.frozen
class Always(_Condition):
    """True of every record, or of none."""

    value: bool


@attrs.frozen
class Compare(_Condition):
    """*operand* compared with *value*; false where the operand is null, for every operator."""

    operand: Operand
    operator: Operator
    value: Literal_


@attrs.frozen
class OneOf(_Condition):
    """*operand* equals one of *values*; of no values: never."""

    operand: Operand
    values: tuple[Literal_, ...]


@attrs.frozen
class Has(_Condition):
    """The list of text *operand* has *value* as an element."""

    operand: str
    value: str


@attrs.frozen
class StartsWith(_Condition):
    """The text *operand* starts with *value*, by code point."""

    operand: str
    value: str


@attrs.frozen
class Contains(_Condition):
    """The text *operand* has *value* inside, by code point; of no text: every non-null operand."""

    operand: str
    value: str


@attrs.frozen
class IsNull(_Condition):
    """*operand* has no value."""

    operand: Operand


@attrs.frozen
class Search(_Condition):
    """One of the entity's searchable fields has *text* inside, caseless and width-blind (NFKC, casefold)."""

    text: str


@attrs.frozen
class And(_Condition):
    """All of *parts*; of no parts: everything."""

    parts: tuple[Where, ...]


@attrs.frozen
class Or(_Condition):
    """At least one of *parts*; of no parts: nothing."""

    parts: tuple[Where, ...]


@attrs.frozen
class Not(_Condition):
    """Every record that *part* does not hold for: true negation, there is no third answer."""

    part: Where


Where: TypeAlias = Always | Compare | OneOf | Has | StartsWith | Contains | IsNull | Search | And | Or | Not

EVERYTHING: Final = Always(True)
NOTHING: Final = Always(False)


@attrs.frozen
class Order:
    """One sort key; nulls come first ascending and last descending."""

    path: str
    descending: bool = False


def _orders(order: Iterable[Order | Named]) -> tuple[Order, ...]:
    # What is neither is left for the checker to refuse, which can name the entity.
    return tuple(Order(_path(one)) if hasattr(one, "__operand__") else one for one in order)


@attrs.frozen(kw_only=True)
class Query:
    """
    A page of records: those that *where* holds for, in *order*, after the cursor *after*, *limit* at most.

    Every order ends in id, in the direction of its last key, so it is total.
    """

    where: Where = EVERYTHING
    order: tuple[Order, ...] = attrs.field(default=(), converter=_orders)
    limit: int = 50
    after: str | None = None


@attrs.frozen
class Bucket:
    """The time bucket that *path* falls in: between two of the ascending *edges*, the first one included."""

    path: str
    edges: tuple[datetime, ...] | tuple[date, ...]


@attrs.frozen
class Days:
    """The whole days of a span, rounded down."""

    span: Span


Key: TypeAlias = str | Bucket | Days


def _keys(keys: Iterable[Key | Named]) -> tuple[Key, ...]:
    return tuple(key if isinstance(key, str | Bucket | Days) else _path(key) for key in keys)


def operand_of(named: Named | str) -> Operand:
    """What *named* stands for.

    Raises:
        TypeError: It is no field.
    """
    if isinstance(named, str):
        return named
    try:
        return named.__operand__
    except AttributeError:
        raise TypeError(f"{fact(named)} is no field; write F.name") from None


def _path(named: Named) -> str:
    operand = operand_of(named)
    if isinstance(operand, Span):
        raise TypeError("a span is no key; write days(F.closed_at - F.opened_at)")
    return operand


MeasureKind: TypeAlias = Literal["count", "total", "mean", "min", "max", "distinct"]


@attrs.frozen
class Measure:
    """One number per group. Of nothing, a count is 0 and any other measure None; only a count has a condition *where*."""

    kind: MeasureKind
    operand: Operand | None = None
    where: Where | None = None


@attrs.frozen(kw_only=True)
class Tally:
    """A table of numbers: *measures* for each group of equal keys *by*, of the records that *where* holds for."""

    measures: tuple[Measure, ...] = attrs.field(converter=tuple[Measure, ...])
    by: tuple[Key, ...] = attrs.field(default=(), converter=_keys)
    where: Where = EVERYTHING


def shape(where: Where, values: list[object]) -> Shape:
    """*where* without its literals, which are appended to *values* in the order they stand."""
    match where:
        case Compare():
            values.append(where.value)
            return ("compare", where.operator, where.operand)
        case And():
            return ("and", *[shape(part, values) for part in where.parts])
        case Or():
            return ("or", *[shape(part, values) for part in where.parts])
        case Not():
            return ("not", shape(where.part, values))
        case OneOf():
            values.append(where.values)
            return ("one_of", where.operand)
        case IsNull():
            return ("null", where.operand)
        case Has():
            values.append(where.value)
            return ("has", where.operand)
        case StartsWith():
            values.append(where.value)
            return ("starts", where.operand)
        case Contains():
            values.append(where.value)
            return ("contains", where.operand)
        case Search():
            values.append(where.text)
            return ("search",)
        case Always():
            return ("always", where.value)
        case _:
            raise InvalidQuestion(f"{type(where).__name__} is no condition")


def all_of(conditions: Iterable[Where]) -> Where:
    """The conjunction of *conditions*, without those that always hold."""
    parts = tuple(one for one in conditions if one is not EVERYTHING)
    return parts[0] if len(parts) == 1 else And(parts) if parts else EVERYTHING


def leaves(where: Where) -> Iterator[Where]:
    """The conditions that *where* is made of, without what joins them."""
    match where:
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Not(part):
            yield from leaves(part)
        case _:
            yield where
