"""From the text of a cell to the value of a field, by the field's kind; whether a record may hold it is checked later."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, tzinfo
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import attrs

from salescrm.errors import InvalidValue
from salescrm.imports.plan import Cell
from salescrm.kinds import Kind
from salescrm.values import Money, moment

__all__ = ["Convert", "Target", "converter", "day_reader"]

#: From the text of a cell, which is not blank, to a value; InvalidValue says what would be fine.
Convert: TypeAlias = Callable[[str], Any]

_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,20}|\d{1,3}(?:,\d{3}){1,6})(?:\.\d{1,20})?", re.ASCII)
_FLAGS: Final[Mapping[str, bool]] = MappingProxyType(
    dict.fromkeys(("true", "yes", "y", "1", "是"), True)
    | dict.fromkeys(("false", "no", "n", "0", "否"), False)
)


@attrs.frozen(kw_only=True)
class Target:
    """The field that a cell is for, and what its text leaves open."""

    entity: str
    field: str
    kind: Kind
    #: The amounts' currency.
    currency: str
    #: In which dates without a time begin.
    zone: tzinfo

    def wrong(self, text: str, expected: str) -> InvalidValue:
        """The error for *text*."""
        return InvalidValue(self.entity, self.field, text, expected)


def converter(target: Target, cell: Cell) -> Convert | None:
    """What reads the cells of *target*; None where no cell can hold such a value."""
    if cell.bands:
        return _bands(target, cell)
    match target.kind:
        case Kind.ID | Kind.TEXT | Kind.REFERENCE | Kind.CHOICE:
            return lambda text: text
        case Kind.WHOLE:
            return lambda text: _whole(target, cell, text)
        case Kind.DECIMAL:
            return lambda text: _number(target, cell, text)
        case Kind.MONEY:
            return lambda text: _money(target, cell, text)
        case Kind.FLAG:
            return lambda text: _flag(target, text)
        case Kind.DAY:
            return day_reader(target, cell.formats)
        case Kind.MOMENT:
            return _moments(target, cell)
        case Kind.TEXTS:
            return lambda text: _texts(text, cell.split)
        case _:
            return None


def _number(target: Target, cell: Cell, text: str) -> Decimal:
    plain = unicodedata.normalize("NFKC", text).replace(" ", "")
    if not _NUMBER.fullmatch(plain):
        raise target.wrong(text, "a number, such as 1234.5 or 1,234.5")
    return Decimal(plain.replace(",", "")) * cell.times


def _whole(target: Target, cell: Cell, text: str) -> int:
    number = _number(target, cell, text)
    if number != number.to_integral_value():
        raise target.wrong(text, "a whole number")
    return int(number)


def _money(target: Target, cell: Cell, text: str) -> Money:
    currency = cell.currency or target.currency
    try:
        return Money.of(_number(target, cell, text), currency)
    except InvalidValue as problem:
        raise target.wrong(text, problem.expected) from problem


def _flag(target: Target, text: str) -> bool:
    flag = _FLAGS.get(text.casefold())
    if flag is None:
        raise target.wrong(text, "yes or no (" + ", ".join(_FLAGS) + ")")
    return flag


def _texts(text: str, split: str | None) -> tuple[str, ...]:
    parts = text.split(split) if split else [text]
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _bands(target: Target, cell: Cell) -> Convert:
    """The name of the band that a number falls into."""
    descending = sorted(cell.bands.items(), key=lambda band: -band[1])

    def band(text: str) -> str:
        number = _number(target, cell, text)
        for name, least in descending:
            if number >= least:
                return name
        raise target.wrong(text, f"at least {descending[-1][1]}")

    return band


def day_reader(target: Target, formats: Sequence[str]) -> Callable[[str], date]:
    """What reads a day: a plain date, or the date of a day and time as it stands there."""

    def day(text: str) -> date:
        return _written(target, formats, text).date()

    return day


def _moments(target: Target, cell: Cell) -> Convert:
    """A moment; a date alone is the start of that day, and what names no zone is in the target's."""

    def at(text: str) -> datetime:
        written = _written(target, cell.formats, text)
        if written.tzinfo is None:
            written = written.replace(tzinfo=target.zone)
        return moment(written, entity=target.entity, field=target.field)

    return at


def _written(target: Target, formats: Sequence[str], text: str) -> datetime:
    for form in formats:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007  # a zone is added where none is written
        except ValueError:
            continue
    if not formats:
        try:
            return datetime.combine(date.fromisoformat(text), time())
        except ValueError:
            pass
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    shown = " or ".join(formats) if formats else "2026-03-15 or 2026-03-15T10:30"
    raise target.wrong(text, f"a date written as {shown}")
