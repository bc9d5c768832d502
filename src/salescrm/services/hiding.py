"""Customers and contacts as those see them from whom a pool hides some fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from salescrm.entities import Contact, Customer
from salescrm.entities.base import RecordT
from salescrm.policy import Pool
from salescrm.unit import UnitOfWork

__all__ = ["hidden_from"]

#: What a pool's hidden fields of a contact are called by.
_OF_CONTACTS = "contact."


def hidden_from(unit: UnitOfWork, pool: Pool, entity: type[RecordT]) -> Callable[[RecordT], RecordT]:
    """
    What makes of a record in *pool* what others than its admins see: hidden fields say nothing.

    Such a record is for showing: its version is 0, so it can't be saved over the whole one by mistake.
    """
    schema = unit.kit.by_record[entity]
    prefix = {Customer: "", Contact: _OF_CONTACTS}[entity]
    names = [
        name.removeprefix(prefix)
        for name in pool.hidden_fields
        if name.startswith(_OF_CONTACTS) == bool(prefix)
    ]
    blank = {name: getattr(schema.blank, name) for name in names}
    return lambda record: cast(RecordT, schema.evolve(record, {**blank, "version": 0}))
