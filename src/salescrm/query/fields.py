"""How a person writes a question: ``F.owner_id == "li"``, ``ago(days=30)``, ``total(F.amount)``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import TypeAlias

from salescrm.errors import InvalidQuestion, fact
from salescrm.query.nodes import (
    Bucket,
    Compare,
    Contains,
    Days,
    Has,
    IsNull,
    Literal_,
    Measure,
    Not,
    OneOf,
    Operand,
    Order,
    Relative,
    Search,
    Span,
    StartsWith,
    Unit,
    Where,
    operand_of,
)

__all__ = [
    "F",
    "Field",
    "OrderLike",
    "SpanField",
    "ago",
    "bucket",
    "contains_text",
    "count",
    "days",
    "distinct",
    "highest",
    "lowest",
    "mean",
    "now",
    "start_of",
    "today",
    "total",
]


class _Comparable:
    """Operators that make conditions. Equality is one of them, so fields have no hash and can't be dict keys."""

    __slots__ = ("_operand",)
    _operand: Operand

    @property
    def __operand__(self) -> Operand:
        return self._operand

    __hash__ = None  # type: ignore[assignment]  # __eq__ builds a condition

    def __eq__(self, value: Literal_ | None) -> Where:  # type: ignore[override]  # a condition, not a truth value
        return IsNull(self._operand) if value is None else Compare(self._operand, "eq", value)

    def __ne__(self, value: Literal_ | None) -> Where:  # type: ignore[override]  # a condition, not a truth value
        return Not(IsNull(self._operand)) if value is None else Compare(self._operand, "ne", value)

    def __lt__(self, value: Literal_) -> Where:
        return Compare(self._operand, "lt", value)

    def __le__(self, value: Literal_) -> Where:
        return Compare(self._operand, "le", value)

    def __gt__(self, value: Literal_) -> Where:
        return Compare(self._operand, "gt", value)

    def __ge__(self, value: Literal_) -> Where:
        return Compare(self._operand, "ge", value)

    def one_of(self, values: Iterable[Literal_]) -> Where:
        """Equal to one of *values*; of no values: never.

        Raises:
            InvalidQuestion: One text, whose characters nobody means, or nothing that holds values.
        """
        if isinstance(values, str | bytes) or not isinstance(values, Iterable):
            raise InvalidQuestion(f"one_of wants values, such as a list of them, not {fact(values)}")
        return OneOf(self._operand, tuple(values))

    def is_null(self) -> Where:
        """Has no value."""
        return IsNull(self._operand)

    def is_set(self) -> Where:
        """Has a value."""
        return Not(IsNull(self._operand))


class SpanField(_Comparable):
    """The time between two fields: ``F.closed_at - F.opened_at``; compare it with a timedelta."""

    __slots__ = ()

    def __init__(self, span: Span) -> None:
        self._operand = span


class Field(_Comparable):
    """A field by name; attributes follow a reference, look into a value or a custom field: ``F.customer.industry``."""

    __slots__ = ()
    _operand: str

    def __init__(self, path: str) -> None:
        self._operand = path

    def __getattr__(self, name: str) -> Field:
        if name.startswith("__"):
            raise AttributeError(name)
        return Field(f"{self._operand}.{name}")

    def __sub__(self, start: Field) -> SpanField:
        if not isinstance(start, Field):
            return NotImplemented
        return SpanField(Span(start._operand, self._operand))

    def __neg__(self) -> Order:
        return Order(self._operand, descending=True)

    def __repr__(self) -> str:
        return f"F.{self._operand}"

    def has(self, value: str) -> Where:
        """This list of text has *value*."""
        return Has(self._operand, value)

    def starts_with(self, value: str) -> Where:
        """This text starts with *value*, by code point."""
        return StartsWith(self._operand, value)

    def contains(self, value: str) -> Where:
        """This text has *value* inside, by code point; `contains_text` is the caseless search."""
        return Contains(self._operand, value)


class _Fields:
    """``F``: any attribute is a field of that name."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Field:
        if name.startswith("__"):
            raise AttributeError(name)
        return Field(name)


F = _Fields()

OrderLike: TypeAlias = Field | Order


def ago(*, days: float = 0, hours: float = 0, minutes: float = 0) -> Relative:
    """The moment that long before the Work's now."""
    return Relative(None, delta=-_duration(days, hours, minutes))


def now(*, days: float = 0, hours: float = 0, minutes: float = 0) -> Relative:
    """The Work's now, or that long after it."""
    return Relative(None, delta=_duration(days, hours, minutes))


def _duration(days: float, hours: float, minutes: float) -> timedelta:
    try:
        return timedelta(days=days, hours=hours, minutes=minutes)
    except (OverflowError, TypeError, ValueError):  # beyond the calendar, or not a number
        raise InvalidQuestion(
            f"{fact(days)} days, {fact(hours)} hours, {fact(minutes)} minutes are no duration"
        ) from None


def today(offset: int = 0) -> Relative:
    """The start of today in the policy's time zone, *offset* days later; for a day field, that day."""
    return Relative("day", offset)


def start_of(unit: Unit, offset: int = 0) -> Relative:
    """The start of the current day, week (Monday), month, quarter or year, *offset* units later, in the policy's time zone."""
    return Relative(unit, offset)


def contains_text(text: str) -> Where:
    """One of the entity's searchable fields has *text* inside, caseless and width-blind."""
    return Search(text)


def count(where: Where | None = None) -> Measure:
    """How many records, or how many of them *where* holds for."""
    return Measure("count", where=where)


def total(field: Field | SpanField) -> Measure:
    """The sum, exact; None of nothing. Money of several currencies in one group is refused."""
    return Measure("total", operand_of(field))


def mean(field: Field | SpanField) -> Measure:
    """The arithmetic mean of the non-null values; None of nothing."""
    return Measure("mean", operand_of(field))


def lowest(field: Field | SpanField) -> Measure:
    """The least non-null value."""
    return Measure("min", operand_of(field))


def highest(field: Field | SpanField) -> Measure:
    """The greatest non-null value."""
    return Measure("max", operand_of(field))


def distinct(field: Field) -> Measure:
    """How many different non-null values."""
    return Measure("distinct", operand_of(field))


def bucket(field: Field, edges: Iterable[datetime] | Iterable[date]) -> Bucket:
    """A key: the start of the time bucket that *field* falls in, between two of the ascending *edges*; None outside."""
    operand = operand_of(field)
    if not isinstance(operand, str):
        raise TypeError("bucket() wants a field")
    return Bucket(operand, tuple(edges))


def days(span: SpanField) -> Days:
    """A key: the whole days of *span*, rounded down."""
    operand = operand_of(span)
    if not isinstance(operand, Span):
        raise TypeError("days() wants the difference of two fields: days(F.closed_at - F.opened_at)")
    return Days(operand)
