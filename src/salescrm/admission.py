"""
Letting a record in: every value checked against its field, once, where it enters.

`quick_check` writes out the common case for `codegen.admitter`; `admit_value` is the thorough path that names what is
wrong or cuts a moment that came with microseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, get_args

import attrs

from salescrm.errors import InvalidValue
from salescrm.jsonable import EXACT, PLACES, structurer, unscaled, unstructure
from salescrm.kinds import Extra, Kind
from salescrm.values import Money, clean_line, clean_text, day, moment

if TYPE_CHECKING:
    from salescrm.schema import Schema, SchemaField

__all__ = ["MOST_DECIMAL", "MOST_WHOLE", "admit_value", "is_exact", "quick_check"]

#: Whole numbers reach this far on every engine and in JSON.
MOST_WHOLE: Final = 2**53 - 1
#: And exact decimals this far.
MOST_DECIMAL: Final = unscaled(MOST_WHOLE)
_LAST_PLACE: Final = Decimal(1).scaleb(-PLACES)

#: The deepest JSON that is taken in.
_DEEPEST: Final = 32


def quick_check(field: SchemaField, names: dict[str, Any]) -> str:
    """An expression over ``r`` that is true of most good values of *field*; an empty text where there is none."""
    v = f"r.{field.name}"
    column = field.columns[0]
    match field.kind:
        case Kind.TEXT | Kind.ID | Kind.REFERENCE:
            return _text_check(v, column.limit) + (f" and {v}.strip()" if field.required else "")
        case Kind.CHOICE:
            names[f"choices_{field.name}"] = frozenset(column.choices)
            return f"type({v}) is str and {v} in choices_{field.name}"
        case Kind.WHOLE:
            return f"type({v}) is int and -{MOST_WHOLE} <= {v} <= {MOST_WHOLE}"
        case Kind.FLAG:
            return f"type({v}) is bool"
        case Kind.MOMENT:
            return (
                f"type({v}) is datetime and {v}.tzinfo is UTC "
                f"and not {v}.microsecond % 1000 and 1000 <= {v}.year <= 9998"
            )
        case Kind.DAY:
            return f"type({v}) is date and 1000 <= {v}.year <= 9998"
        case Kind.MONEY:
            names["Money"] = Money
            return f"type({v}) is Money"
        case Kind.EMBEDDED:
            names[f"type_{field.name}"] = field.type
            parts = [(f"{v}.{part.path[-1]}", part.limit) for part in field.columns]
            checks = [f"({part} is None or {_text_check(part, limit)})" for part, limit in parts]
            return " and ".join([f"type({v}) is type_{field.name}", *checks])
        case Kind.TEXTS:
            return f"type({v}) is tuple and all([{_text_check('one', column.limit)} for one in {v}])"
        case Kind.NESTED:
            return f"{v} == ()" if get_args(field.type)[-1:] == (Ellipsis,) else ""
        case Kind.EXTRA:
            return f"type({v}) is Extra and not {v}"
        case _:
            return ""


def _text_check(text: str, limit: int | None) -> str:
    """Printable text has no NUL and no lone surrogate; what has a line break or a mark is looked at more closely."""
    return f"type({text}) is str and len({text}) <= {limit or 255} and {text}.isprintable()"


def admit_value(schema: Schema, field: SchemaField, value: Any) -> Any:
    """*value* as *field* of *schema* stores it.

    Raises:
        InvalidValue: It does not fit; the error says what would.
    """

    def wrong(expected: str) -> InvalidValue:
        return InvalidValue(schema.name, field.name, value, expected)

    if value is None:
        if field.nullable:
            return None
        raise wrong("a value")
    column = field.columns[0]
    match field.kind:
        case Kind.TEXT | Kind.ID | Kind.REFERENCE:
            clean = clean_line if column.one_line else clean_text
            text = clean(value, entity=schema.name, field=field.name, limit=column.limit or MOST_WHOLE)
            if field.required and not text.strip():
                raise wrong("a text that is not blank")
            return value
        case Kind.CHOICE:
            if type(value) is not str or value not in column.choices:
                raise wrong("one of " + ", ".join(column.choices))
            return value
        case Kind.WHOLE:
            if type(value) is not int or abs(value) > MOST_WHOLE:
                raise wrong("a whole number between -(2**53 - 1) and 2**53 - 1")
            return value
        case Kind.FLAG:
            if type(value) is not bool:
                raise wrong("True or False")
            return value
        case Kind.MOMENT:
            if not isinstance(value, datetime):
                raise wrong("a datetime with a time zone")
            cut = moment(value, entity=schema.name, field=field.name)
            return value if cut == value and value.tzinfo is UTC else cut
        case Kind.DAY:
            if not isinstance(value, date) or isinstance(value, datetime):
                raise wrong("a date")
            return day(value, entity=schema.name, field=field.name)
        case Kind.DECIMAL:
            return _decimal(value, wrong)
        case Kind.MONEY:
            if type(value) is not Money:
                raise wrong("Money")
            return value
        case Kind.TEXTS:
            if type(value) is not tuple:
                raise wrong("a tuple of texts")
            clean = clean_line if column.one_line else clean_text
            for one in value:
                clean(one, entity=schema.name, field=field.name, limit=column.limit or 255)
            return value
        case Kind.EMBEDDED:
            return _embedded(schema, field, value, wrong)
        case Kind.NESTED:
            return _nested(schema, field, value, wrong)
        case Kind.EXTRA:
            return _extra(schema, field, value)


def _decimal(value: Any, wrong: Callable[[str], InvalidValue]) -> Decimal:
    expected = f"a finite Decimal of up to {PLACES} places, at most {MOST_DECIMAL} from zero"
    if type(value) is not Decimal or not is_exact(value):
        raise wrong(expected)
    return value


def is_exact(value: Decimal) -> bool:
    """Whether a DECIMAL field keeps *value* to the last place, whatever the caller's decimal context."""
    if not value.is_finite() or value.copy_abs() > MOST_DECIMAL:
        return False
    return value == EXACT.quantize(value, _LAST_PLACE)


def _embedded(schema: Schema, field: SchemaField, value: Any, wrong: Callable[[str], InvalidValue]) -> Any:
    if type(value) is not field.type:
        raise wrong(f"a {field.type.__name__}")
    for column in field.columns:
        part = getattr(value, column.path[-1])
        if part is not None:
            clean = clean_line if column.one_line else clean_text
            clean(part, entity=schema.name, field=column.name, limit=column.limit or 255)
    return value


def _nested(schema: Schema, field: SchemaField, value: Any, wrong: Callable[[str], InvalidValue]) -> Any:
    """*value* as its own JSON gives it back: what a store returns is equal to what was let in."""
    if not attrs.has(field.type) and get_args(field.type)[-1:] != (Ellipsis,):
        if not isinstance(value, Mapping):
            raise wrong("a mapping of JSON values")
        plain = _json(schema, field, value)
        return value if plain == value else plain
    if attrs.has(field.type):
        if type(value) is not field.type:
            raise wrong(f"a {field.type.__name__}")
    else:
        item = get_args(field.type)[0]
        if type(value) is not tuple or not all(type(one) is item for one in value):
            raise wrong(f"a tuple of {item.__name__}")
    try:
        data = unstructure(value)
        kept = structurer(field.type)(data)
    except InvalidValue as problem:
        raise wrong(problem.expected) from problem
    except (AttributeError, TypeError, ValueError, ArithmeticError, ExceptionGroup) as problem:
        raise wrong("values of the declared types") from problem
    _json(schema, field, data)
    return value if kept == value else kept


def _json(schema: Schema, field: SchemaField, data: Any, depth: int = 0) -> Any:
    """*data* as JSON keeps it on every engine: encodable text, exact whole numbers, lists for tuples."""
    if depth > _DEEPEST:
        raise InvalidValue(schema.name, field.name, "...", f"at most {_DEEPEST} levels")
    match data:
        case None | bool():
            return data
        case str():
            return clean_text(data, entity=schema.name, field=field.name, limit=20_000)
        case int() if abs(data) <= MOST_WHOLE:
            return data
        case list() | tuple():
            return [_json(schema, field, one, depth + 1) for one in data]
        case Mapping():
            return {
                clean_text(name, entity=schema.name, field=field.name, limit=255): _json(
                    schema, field, one, depth + 1
                )
                for name, one in data.items()
            }
        case _:
            expected = "text, whole numbers within 2**53, flags, lists and mappings of them"
            raise InvalidValue(schema.name, field.name, data, expected)


def _extra(schema: Schema, field: SchemaField, value: Any) -> Any:
    """Only declared custom fields, each of its declared kind."""
    if not isinstance(value, Mapping):
        raise InvalidValue(schema.name, field.name, value, "a mapping of declared custom fields")
    admitted: dict[str, Any] = {}
    for name, one in value.items():
        kind = schema.extra_kinds.get(name) if isinstance(name, str) else None
        if kind is None:
            declared = ", ".join(schema.extra_kinds) or "none"
            raise InvalidValue(
                schema.name, f"{field.name}.{name}", one, f"a declared custom field ({declared})"
            )
        if one is not None:
            admitted[name] = _extra_value(schema, f"{field.name}.{name}", kind, one)
    return value if type(value) is Extra and admitted == value else Extra(admitted)


def _extra_value(schema: Schema, name: str, kind: Kind, value: Any) -> Any:
    """One custom value in the JSON form it is kept in: moments and days as text."""
    match kind:
        case Kind.TEXT:
            return clean_text(value, entity=schema.name, field=name, limit=20_000)
        case Kind.WHOLE if type(value) is int and abs(value) <= MOST_WHOLE:
            return value
        case Kind.FLAG if type(value) is bool:
            return value
        case Kind.DAY if type(value) is date:
            return day(value, entity=schema.name, field=name).isoformat()
        case Kind.DAY if type(value) is str and _is_day(value):
            return day(date.fromisoformat(value), entity=schema.name, field=name).isoformat()
        case _:
            raise InvalidValue(schema.name, name, value, f"a value of kind {kind.value}")


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False
