"""Values in questions: each checked against the kind it is compared with, and made plain, at the moment of asking."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal
from typing import Final, TypeAlias

import attrs

from salescrm.admission import MOST_DECIMAL, MOST_WHOLE, is_exact
from salescrm.checking.paths import Resolved
from salescrm.errors import InvalidQuestion, InvalidValue, fact
from salescrm.jsonable import PLACES, scaled
from salescrm.kinds import Kind
from salescrm.query.nodes import Relative
from salescrm.values import Money, clean_text, day, moment

__all__ = ["MOST_TEXT", "Context", "Convert", "converter_for", "money_currency", "money_minor", "text_for"]

#: The longest text that a question may carry, in characters.
MOST_TEXT: Final = 20_000


@attrs.frozen
class Context:
    """What relative moments count from: the Work's *now*, and the time *zone* in which its days begin."""

    now: datetime
    zone: tzinfo


#: From a literal, and the context, to a plain value.
Convert: TypeAlias = Callable[[object, Context], object]


def converter_for(operand: Resolved) -> Convert:
    """The check and conversion for a literal that stands beside *operand*.

    Raises:
        InvalidQuestion: Nothing can be compared with this kind of field.
    """
    entity, path, kind = operand.owner.name, operand.path, operand.kind

    def wrong(value: object, expected: str) -> InvalidValue:
        return InvalidValue(entity, path, value, expected)

    def text(value: object, _: Context) -> object:
        return clean_text(value, entity=entity, field=path, limit=MOST_TEXT)

    def choice(value: object, _: Context) -> object:
        if type(value) is not str or value not in operand.choices:
            raise wrong(value, "one of " + ", ".join(operand.choices))
        return value

    def whole(value: object, _: Context) -> object:
        if type(value) is not int or abs(value) > MOST_WHOLE:
            raise wrong(value, "a whole number between -(2**53 - 1) and 2**53 - 1")
        return value

    def flag(value: object, _: Context) -> object:
        if type(value) is not bool:
            raise wrong(value, "True or False")
        return value

    def decimal(value: object, _: Context) -> object:
        exact = Decimal(value) if type(value) is int else value
        if type(exact) is not Decimal or not is_exact(exact):
            raise wrong(value, f"a finite Decimal of up to {PLACES} places, at most {MOST_DECIMAL} from zero")
        return scaled(exact)

    def a_moment(value: object, context: Context) -> object:
        if type(value) is Relative:
            return relative_moment(value, context)
        if not isinstance(value, datetime):
            raise wrong(value, "a datetime with a time zone, or a relative moment")
        return moment(value, entity=entity, field=path)

    def a_day(value: object, context: Context) -> object:
        if type(value) is Relative:
            value = relative_day(value, context)
        if type(value) is not date:
            raise wrong(value, "a date, or a relative day")
        return day(value, entity=entity, field=path)

    def span(value: object, _: Context) -> object:
        if not isinstance(value, timedelta):
            raise wrong(value, "a timedelta")
        return value // timedelta(milliseconds=1)

    match kind:
        case _ if operand.is_span:
            return span
        case Kind.TEXT | Kind.ID | Kind.REFERENCE:
            return text
        case Kind.CHOICE:
            return choice
        case Kind.WHOLE:
            return whole
        case Kind.FLAG:
            return flag
        case Kind.DECIMAL:
            return decimal
        case Kind.MOMENT:
            return a_moment
        case Kind.DAY:
            return a_day
        case _:
            raise InvalidQuestion(
                f"{entity}.{path} is of kind {kind.value}; it can't be compared with a value"
            )


def text_for(operand: Resolved) -> Convert:
    """The check for a text that is looked for inside *operand*, whatever choices it has."""
    entity, path = operand.owner.name, operand.path

    def text(value: object, _: Context) -> object:
        return clean_text(value, entity=entity, field=path, limit=MOST_TEXT)

    return text


def money_minor(operand: Resolved) -> Convert:
    """The minor units of a Money literal."""

    def minor(value: object, _: Context) -> object:
        if type(value) is not Money:
            raise InvalidValue(operand.owner.name, operand.path, value, "Money")
        return value.minor

    return minor


def money_currency(value: object, _: Context) -> object:
    """The currency of a Money literal; `money_minor` has checked that it is one."""
    return value.currency if isinstance(value, Money) else None


def relative_moment(value: Relative, context: Context) -> datetime:
    """The moment that *value* means: a delta from now, or the start of a unit of local days."""
    _check(value)
    try:
        if value.unit is None:
            return moment(context.now + value.delta, entity="question", field="moment")
        local = datetime.combine(relative_day(value, context), time(), context.zone)
        return moment(local.astimezone(UTC), entity="question", field="moment")
    except OverflowError:
        raise InvalidQuestion(f"{fact(value)} is outside the calendar") from None


def relative_day(value: Relative, context: Context) -> date:
    """The local day that *value* means."""
    _check(value)
    today = context.now.astimezone(context.zone).date()
    try:
        match value.unit:
            case None:
                return (context.now + value.delta).astimezone(context.zone).date()
            case "day":
                return today + timedelta(days=value.offset)
            case "week":
                return today - timedelta(days=today.weekday()) + timedelta(weeks=value.offset)
            case "month":
                return _first_of_month(today.year, today.month - 1 + value.offset)
            case "quarter":
                return _first_of_month(today.year, (today.month - 1) // 3 * 3 + 3 * value.offset)
            case "year":
                return date(today.year + value.offset, 1, 1)
            case _:
                raise InvalidQuestion(f"{fact(value.unit)} is no unit of the calendar")
    except (OverflowError, ValueError):
        raise InvalidQuestion(f"{fact(value)} is outside the calendar") from None


def _check(value: Relative) -> None:
    """Refuses a relative moment that was not counted in whole units and a timedelta."""
    if type(value.offset) is not int or not isinstance(value.delta, timedelta):
        raise InvalidQuestion(f"{fact(value)} is no relative moment")


def _first_of_month(year: int, months: int) -> date:
    """The first day of the month that lies *months* after January of *year*."""
    return date(year + months // 12, months % 12 + 1, 1)
