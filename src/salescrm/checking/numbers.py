"""Tables of numbers and projections: keys, measures and columns as plain sources, and the way back to typed values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeAlias, get_args

import attrs

from salescrm.checking.conditions import MOST_VALUES, Conditions
from salescrm.checking.literals import converter_for
from salescrm.checking.paths import Resolved
from salescrm.errors import InvalidQuestion, fact
from salescrm.jsonable import PLACES, unscaled
from salescrm.kinds import Kind
from salescrm.plans import CountIf, InBucket, Number, Ref, Source, SpanRef, WholeDays
from salescrm.query.nodes import EVERYTHING, Bucket, Days, Key, Measure, MeasureKind, Operand, Tally
from salescrm.values import Money

__all__ = ["Finish", "Numbers", "no_conversion"]

Edges: TypeAlias = "Sequence[Sequence[datetime | date] | None]"
#: Rows of plain values to rows of the asker's values; given each key's bucket edges.
Finish: TypeAlias = Callable[..., list[tuple[Any, ...]]]
#: From a whole plain row, and one key's edges, to one of the asker's values.
Cell: TypeAlias = Callable[[Sequence[Any], Any], Any]

_MILLISECOND = timedelta(milliseconds=1)


def no_conversion(rows: list[tuple[Any, ...]], edges: Edges = ()) -> list[tuple[Any, ...]]:
    """The rows as they are."""
    return rows


@attrs.define
class Numbers:
    """Makes keys, numbers and columns of one plan."""

    making: Conditions
    _sources: list[Any] = attrs.field(factory=list)
    _keys: tuple[Any, ...] = ()

    def columns(self, columns: Sequence[Operand]) -> tuple[tuple[Source, ...], Finish]:
        """The sources to project and what makes values of them: Money, Decimal and timedelta again."""
        if not columns:
            raise InvalidQuestion("no column was asked for")
        cells = [self._column(self.making.operand(column)) for column in columns]
        sources = tuple(self._sources)

        def finish(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
            return [tuple(cell(row, None) for cell in cells) for row in rows]

        return sources, finish

    def table(self, tally: Tally) -> tuple[tuple[Any, ...], tuple[Any, ...], Finish]:
        """Keys, numbers and the finish of *tally*; finished rows are in the order of their keys, null first."""
        if not tally.by and not tally.measures:
            raise InvalidQuestion("no key and no measure was asked for")
        key_cells = [self._key(key) for key in tally.by]
        keys = self._keys = tuple(self._sources)
        self._sources = []
        paths = {by for by in tally.by if isinstance(by, str)}
        number_cells = [self._measure(measure, paths, len(keys)) for measure in tally.measures]
        numbers = tuple(self._sources)

        def finish(rows: list[tuple[Any, ...]], edges: Edges) -> list[tuple[Any, ...]]:
            ordered = sorted(
                rows, key=lambda row: tuple((value is not None, value) for value in row[: len(keys)])
            )
            return [
                (
                    *(cell(row, edge) for cell, edge in zip(key_cells, edges, strict=True)),
                    *(cell(row, None) for cell in number_cells),
                )
                for row in ordered
            ]

        return keys, numbers, finish

    def _add(self, source: Any) -> int:
        self._sources.append(source)
        return len(self._sources) - 1

    def _column(self, resolved: Resolved) -> Cell:
        at = [self._add(source) for source in resolved.refs]
        return _cell(resolved, at)

    def _key(self, key: Key) -> Cell:
        if isinstance(key, Bucket):
            return self._bucket(key)
        if isinstance(key, Days):
            source = self.making.operand(key.span).ref
            if not isinstance(source, SpanRef):
                raise InvalidQuestion("days() wants the difference of two fields")
            at = self._add(WholeDays(source))
            return lambda row, _: row[at]
        resolved = self.making.operand(key)
        if resolved.kind is Kind.MONEY or resolved.kind in (Kind.TEXTS, Kind.NESTED) or resolved.is_span:
            raise InvalidQuestion(f"{resolved.path} can't be a key; for money take {resolved.path}.currency")
        return self._column(resolved)

    def _bucket(self, bucket: Bucket) -> Cell:
        resolved = self.making.operand(bucket.path)
        if resolved.kind not in (Kind.MOMENT, Kind.DAY):
            raise InvalidQuestion(f"{bucket.path} is no moment and no day; only time has buckets")
        if len(bucket.edges) < 2:
            raise InvalidQuestion(f"the buckets of {bucket.path} want at least two edges")
        if len(bucket.edges) > MOST_VALUES:
            raise InvalidQuestion(f"the buckets of {bucket.path} have more than {MOST_VALUES} edges")
        convert = converter_for(resolved)
        slots = tuple(self.making.slot(convert) for _ in bucket.edges)
        at = self._add(InBucket(resolved.plain_ref, slots))
        return lambda row, edges: None if row[at] is None else edges[row[at]]

    def _measure(self, measure: Measure, keys: set[str], offset: int) -> Cell:
        """One measure; *offset* is where the numbers start in a row."""
        if measure.kind not in get_args(MeasureKind):
            raise InvalidQuestion(f"{fact(measure.kind)} measures nothing")
        if measure.where is not None and measure.kind != "count":
            raise InvalidQuestion(f"{measure.kind} has no condition of its own; only count() has")
        if measure.kind == "count":
            condition = self.making.make(measure.where if measure.where is not None else EVERYTHING)
            at = offset + self._add(CountIf(condition))
            return lambda row, _: row[at]
        if measure.operand is None:
            raise InvalidQuestion(f"{measure.kind} of what? name a field")
        resolved = self.making.operand(measure.operand)
        if measure.kind == "distinct":
            if resolved.kind in (Kind.MONEY, Kind.TEXTS, Kind.NESTED):
                raise InvalidQuestion(f"{resolved.path} has no distinct; name a plain field")
            at = offset + self._add(Number("distinct", resolved.ref))
            return lambda row, _: row[at]
        if measure.kind in ("total", "mean") and resolved.kind not in (Kind.WHOLE, Kind.DECIMAL, Kind.MONEY):
            raise InvalidQuestion(
                f"{resolved.path} is of kind {resolved.kind.value}; it has no {measure.kind}"
            )
        if resolved.kind in (Kind.TEXTS, Kind.NESTED, Kind.FLAG):
            raise InvalidQuestion(
                f"{resolved.path} is of kind {resolved.kind.value}; it has no {measure.kind}"
            )
        value = self._value(measure, resolved, offset)
        if resolved.kind is not Kind.MONEY:
            return value
        return self._in_currency(resolved, value, keys, offset)

    def _value(self, measure: Measure, resolved: Resolved, offset: int) -> Cell:
        """The number itself: of money its minor units."""
        wrap = _wrap(resolved)
        if measure.kind == "mean":
            total = offset + self._add(Number("sum", resolved.ref))
            many = offset + self._add(Number("count", resolved.ref))
            return lambda row, _: wrap(Fraction(row[total], row[many])) if row[many] else None
        kind = "sum" if measure.kind == "total" else measure.kind
        at = offset + self._add(Number(kind, resolved.ref))
        return lambda row, _: None if row[at] is None else wrap(row[at])

    def _in_currency(self, resolved: Resolved, value: Cell, keys: set[str], offset: int) -> Cell:
        """*value* in the group's one currency; nothing extra is asked where the currency is a key."""
        path = resolved.path
        currency = f"{path}.currency"
        if currency in keys:
            position = self._keys.index(resolved.refs[1])
            return lambda row, _: _money(value(row, None), row[position])
        ref = resolved.refs[1]
        low = offset + self._add(Number("min", ref))
        high = offset + self._add(Number("max", ref))

        def cell(row: Sequence[Any], _: Any) -> Money | None:
            if row[low] != row[high]:
                raise InvalidQuestion(
                    f"{path} is in {row[low]} and {row[high]} in one group; add F.{currency} to by, or filter by it"
                )
            return _money(value(row, None), row[low])

        return cell


def _money(minor: int | Fraction | None, currency: str | None) -> Money | None:
    """Money again; a mean is rounded half to even on the minor unit."""
    return None if minor is None or currency is None else Money(round(minor), currency)


def _wrap(resolved: Resolved) -> Callable[[Any], Any]:
    """From an engine's number to the asker's: a whole sum stays whole, a mean is a Decimal of six places at least."""
    if resolved.is_span:
        return lambda number: (
            number * _MILLISECOND if isinstance(number, int) else round(number) * _MILLISECOND
        )
    if resolved.kind is Kind.DECIMAL:
        return lambda number: unscaled(number) if isinstance(number, int) else _decimal(number / 10**PLACES)
    if resolved.kind is Kind.MONEY:
        return lambda number: number
    return lambda number: _decimal(number) if isinstance(number, Fraction) else number


def _decimal(number: Fraction) -> Decimal:
    return Decimal(number.numerator) / Decimal(number.denominator)


def _cell(resolved: Resolved, at: list[int]) -> Cell:
    """One projected or key value as its entity would show it."""
    first = at[0]
    if resolved.kind is Kind.MONEY:
        return lambda row, _: _money(row[first], row[at[1]])
    if resolved.is_span:
        return lambda row, _: None if row[first] is None else row[first] * _MILLISECOND
    if resolved.kind is Kind.DECIMAL:
        return lambda row, _: None if row[first] is None else unscaled(row[first])
    if resolved.kind is Kind.NESTED or (isinstance(resolved.ref, Ref) and resolved.ref.kind is Kind.EXTRA):
        raise InvalidQuestion(f"{resolved.path} is nested; read the record instead")
    if isinstance(resolved.ref, Ref) and resolved.kind is Kind.TEXTS:
        return lambda row, _: None if row[first] is None else tuple(row[first])  # a hop may lead nowhere
    return lambda row, _: row[first]
