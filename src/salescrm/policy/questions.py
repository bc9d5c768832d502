"""What a policy's questions come to before anybody asks them: whether they can be asked, and whether they can ever hold."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Final

from salescrm.catalog import schemas
from salescrm.checking import Context
from salescrm.checking.conditions import Conditions
from salescrm.errors import Invalid
from salescrm.kinds import Kind
from salescrm.meaning import possible
from salescrm.query.nodes import Always, And, Not, Or, Relative, Search, Span, Where, shape
from salescrm.schema import Schema

__all__ = ["can_hold", "fields_of", "implies", "schemas_of", "unaskable"]

_TODAY: Final = datetime(2026, 1, 1, tzinfo=UTC)


def schemas_of(extra_kinds: Mapping[str, Mapping[str, Kind]]) -> Mapping[str, Schema]:
    """The schemas of all entities with these custom fields; made once where there are none."""
    return schemas(extra_kinds) if extra_kinds else _plain_schemas()


@cache
def _plain_schemas() -> Mapping[str, Schema]:
    return schemas({})


def unaskable(where: Where, known: Mapping[str, Schema], collection: str) -> str | None:
    """Why *where* can't be asked of the records of *collection*; None where it can."""
    making, literals = Conditions(known[collection], known), list[object]()
    try:
        making.make(where)
        shape(where, literals)
        for slot in making.slots:
            # Relative moments are within the calendar today, or the question is of no use.
            slot.convert(literals[slot.literal], Context(_TODAY, UTC))
    except Invalid as problem:
        return str(problem)
    return None


def can_hold(where: Where, known: Mapping[str, Schema]) -> bool:
    """
    Whether *where* can hold for any customer at all.

    False is certain; True is said too where it can't be told: of moments counted from now, and of what is too long.
    """
    making, literals = Conditions(known["customers"], known), list[object]()
    try:
        condition = making.make(where)
        shape(where, literals)
        values = [
            None
            if _moves(literals[slot.literal])
            else slot.convert(literals[slot.literal], Context(_TODAY, UTC))
            for slot in making.slots
        ]
    except Invalid:  # two questions that can be asked may be too long as one
        return True
    return possible(condition, values)


def implies(one: Where, other: Where, known: Mapping[str, Schema]) -> bool:
    """Whether *other* certainly holds for every customer that *one* holds for."""
    return not can_hold(And((one, Not(other))), known)


def _moves(literal: object) -> bool:
    """Whether *literal* is another value on another day."""
    if isinstance(literal, tuple):
        return any(map(_moves, literal))
    return isinstance(literal, Relative)


def fields_of(where: Where) -> frozenset[str]:
    """The names of the fields that *where* asks about, as it writes them."""
    match where:
        case And(parts) | Or(parts):
            return frozenset().union(*map(fields_of, parts))
        case Not(part):
            return fields_of(part)
        case Always() | Search():
            return frozenset()
        case _:
            operand = where.operand
            return frozenset({operand.start, operand.end} if isinstance(operand, Span) else {operand})
