"""Whether the questions of a policy can be asked at all."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from salescrm.checking import Context
from salescrm.checking.conditions import Conditions
from salescrm.errors import Invalid
from salescrm.query.nodes import Where, shape
from salescrm.schema import Schema

__all__ = ["unaskable"]

_TODAY: Final = datetime(2026, 1, 1, tzinfo=UTC)


def unaskable(where: Where, collection: str, known: Mapping[str, Schema]) -> str | None:
    """Why *where* can't be asked of the records of *collection*; None if it can."""
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
