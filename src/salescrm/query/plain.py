"""
Questions as data: JSON and TOML can hold them, so segments, policies and permissions are stored questions.

A condition is an object with one form each::

    {"field": "industry", "eq": "制造业"}            also ne lt le gt ge one_of has starts_with contains
    {"field": "owner_id", "is_null": true}
    {"span": ["opened_at", "closed_at"], "gt": {"milliseconds": 86400000}}
    {"all": [...]}  {"any": [...]}  {"not": {...}}  {"search": "云帆"}  {"always": true}

Text, whole numbers and flags stand for themselves; other values name their type: ``{"moment": "2026-03-15T10:00:00+00:00"}``,
``{"day": "2026-03-15"}``, ``{"decimal": "1.5"}``, ``{"money": "12.30 CNY"}``, ``{"milliseconds": 1000}``,
``{"relative": {"unit": "month", "offset": -1}}`` and ``{"relative": {"milliseconds": -2592000000}}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, assert_never, get_args

from salescrm.errors import Invalid, InvalidQuestion, fact
from salescrm.query.nodes import (
    Always,
    And,
    Compare,
    Contains,
    Has,
    IsNull,
    Literal_,
    Not,
    OneOf,
    Operand,
    Operator,
    Or,
    Relative,
    Search,
    Span,
    StartsWith,
    Unit,
    Where,
)
from salescrm.values import Money

__all__ = ["dump", "load"]

_MILLISECOND: Final = timedelta(milliseconds=1)
_DEEPEST: Final = 100


def dump(where: Where) -> dict[str, Any]:
    """
    *where* as JSON-able data; `load` gives it back, equal (durations to the millisecond, which is all they count).

    Raises:
        InvalidQuestion: It is nested deeper than `load` takes, or holds a value that no question may.
    """
    return _dump(where, 0)


def _dump(where: Where, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise InvalidQuestion(f"it is nested deeper than {_DEEPEST} levels")
    match where:
        case Always(value):
            return {"always": value}
        case Compare(operand, operator, value):
            return {**_dump_operand(operand), operator: _dump_literal(value)}
        case OneOf(operand, values):
            return {**_dump_operand(operand), "one_of": [_dump_literal(one) for one in values]}
        case Has(operand, value):
            return {"field": operand, "has": value}
        case StartsWith(operand, value):
            return {"field": operand, "starts_with": value}
        case Contains(operand, value):
            return {"field": operand, "contains": value}
        case IsNull(operand):
            return {**_dump_operand(operand), "is_null": True}
        case Search(text):
            return {"search": text}
        case And(parts):
            return {"all": [_dump(part, depth + 1) for part in parts]}
        case Or(parts):
            return {"any": [_dump(part, depth + 1) for part in parts]}
        case Not(part):
            return {"not": _dump(part, depth + 1)}
    assert_never(where)


def _dump_operand(operand: Operand) -> dict[str, Any]:
    return {"span": [operand.start, operand.end]} if isinstance(operand, Span) else {"field": operand}


def _dump_literal(value: Literal_) -> Any:
    match value:
        case bool() | int() | str():
            return value
        case datetime():
            return {"moment": value.isoformat()}
        case date():
            return {"day": value.isoformat()}
        case Decimal():
            return {"decimal": str(value)}
        case Money():
            return {"money": f"{value.amount:f} {value.currency}"}
        case timedelta():
            return {"milliseconds": value // _MILLISECOND}
        case Relative(None, _, delta):
            return {"relative": {"milliseconds": delta // _MILLISECOND}}
        case Relative(unit, offset, _):
            return {"relative": {"unit": unit, "offset": offset}}
        case _:
            raise InvalidQuestion(f"{fact(value)} is no value that a question can hold")


def load(data: object) -> Where:
    """The condition that *data* holds; field names and types are checked when it meets a schema.

    Raises:
        InvalidQuestion: *data* is no condition; the error shows the part that isn't.
    """
    return _load(data, 0)


def _load(data: object, depth: int) -> Where:
    if depth > _DEEPEST:
        raise InvalidQuestion(f"it is nested deeper than {_DEEPEST} levels")
    if not isinstance(data, Mapping):
        raise _no_condition(data)
    rest = dict(data)
    if "field" in rest or "span" in rest:
        operand = _load_operand(rest)
        if len(rest) != 1:
            raise _no_condition(data)
        [(verb, value)] = rest.items()
        return _load_test(operand, verb, value)
    if len(rest) != 1:
        raise _no_condition(data)
    match rest:
        case {"always": bool(value)}:
            return Always(value)
        case {"search": str(text)}:
            return Search(text)
        case {"all": list(parts)}:
            return And(tuple(_load(part, depth + 1) for part in parts))
        case {"any": list(parts)}:
            return Or(tuple(_load(part, depth + 1) for part in parts))
        case {"not": part}:
            return Not(_load(part, depth + 1))
        case _:
            raise _no_condition(data)


def _load_operand(rest: dict[Any, Any]) -> Operand:
    match rest.pop("field", None), rest.pop("span", None):
        case str(path), None:
            return path
        case None, [str(start), str(end)]:
            return Span(start, end)
        case found:
            raise _no_condition(found)


def _load_test(operand: Operand, verb: object, value: object) -> Where:
    match verb, value:
        case str(operator), _ if operator in get_args(Operator):
            return Compare(operand, operator, _load_literal(value))  # type: ignore[arg-type]  # just looked up
        case "one_of", list(values):
            return OneOf(operand, tuple(_load_literal(one) for one in values))
        case "is_null", True:
            return IsNull(operand)
        case "is_null", False:
            return Not(IsNull(operand))
        case (("has" | "starts_with" | "contains"), str(text)) if isinstance(operand, str):
            if verb == "has":
                return Has(operand, text)
            return StartsWith(operand, text) if verb == "starts_with" else Contains(operand, text)
        case _:
            raise _no_condition({str(verb): value})


def _load_literal(data: object) -> Literal_:
    if isinstance(data, bool | int | str):
        return data
    try:
        match data:
            case {"moment": str(text), **rest} if not rest:
                return datetime.fromisoformat(text)
            case {"day": str(text), **rest} if not rest:
                return date.fromisoformat(text)
            case {"decimal": str(text), **rest} if not rest:
                return Decimal(text)
            case {"money": str(text), **rest} if not rest and len(text.split()) == 2:
                amount, currency = text.split()
                return Money.of(amount, currency)
            case {"milliseconds": int(count), **rest} if not rest:
                return count * _MILLISECOND
            case {"relative": {"milliseconds": int(count), **inner}, **rest} if not rest and not inner:
                return Relative(None, delta=count * _MILLISECOND)
            case {"relative": {"unit": str(unit), "offset": int(offset), **inner}, **rest} if (
                not rest and not inner and unit in get_args(Unit)
            ):
                return Relative(unit, offset)  # type: ignore[arg-type]  # just looked up
            case datetime() | date():  # TOML has moments and days of its own
                return data
            case _:
                raise _no_condition(data)
    except Invalid:
        raise
    except (ValueError, OverflowError, InvalidOperation) as problem:
        raise InvalidQuestion(f"{fact(data)} is no value: {problem}") from problem


def _no_condition(data: object) -> InvalidQuestion:
    return InvalidQuestion(f"{fact(data)} is no condition")
