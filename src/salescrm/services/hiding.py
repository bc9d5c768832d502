"""
Customers and contacts as those see them from whom a pool hides some fields.

Fields are hidden by what `PoolService` shows.  What a host's `Access` lets a member read elsewhere, by
``work.customers`` or ``work.contacts``, is shown there whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import cast

from salescrm.entities import Contact, Customer, Record
from salescrm.entities.base import RecordT
from salescrm.errors import InvalidQuestion
from salescrm.policy import Pool
from salescrm.query import Order, Where
from salescrm.query.nodes import Always, Search, Span, leaves
from salescrm.unit import UnitOfWork

__all__ = ["hidden_from", "refuse_hidden"]

#: What a pool's hidden fields of a contact are called by.
_OF_CONTACTS = "contact."


def hidden_from(unit: UnitOfWork, pool: Pool, entity: type[RecordT]) -> Callable[[RecordT], RecordT]:
    """
    What makes of a record in *pool* what others than its admins see: hidden fields say nothing.

    Such a record is for showing: its version is 0, so it can't be saved over the whole one by mistake.
    """
    schema = unit.kit.by_record[entity]
    blank = {name: getattr(schema.blank, name) for name in _hidden(pool, entity)}
    return lambda record: cast(RecordT, schema.evolve(record, {**blank, "version": 0}))


def refuse_hidden(unit: UnitOfWork, pool: Pool, where: Where, order: Iterable[Order]) -> None:
    """
    Nothing, if *where* and *order* ask for customers by what *pool* shows: an answer to the rest would tell what is hidden.

    Raises:
        InvalidQuestion: They ask by a field that the pool hides.
    """
    hidden = frozenset(_hidden(pool, Customer))
    for path in (*_paths(unit, where), *(one.path for one in order)):
        for name in path.split("."):
            # The first is the customer's own; behind a reference it is that of another, who may be in the pool too.
            if name in hidden:
                raise InvalidQuestion(f"{path} is hidden in the pool {pool.key}; its admins may ask by it")


def _hidden(pool: Pool, entity: type[Record]) -> list[str]:
    prefix = {Customer: "", Contact: _OF_CONTACTS}[entity]
    return [
        name.removeprefix(prefix)
        for name in pool.hidden_fields
        if name.startswith(_OF_CONTACTS) == bool(prefix)
    ]


def _paths(unit: UnitOfWork, where: Where) -> Iterator[str]:
    """The fields that *where* looks at; what is no condition is left for the checker to refuse."""
    for one in leaves(where):
        match one:
            case Search():
                yield from unit.kit.by_record[Customer].searchable
            case Always():
                pass
            case _:
                operand = getattr(one, "operand", "")
                if isinstance(operand, Span):
                    yield operand.start
                    yield operand.end
                elif isinstance(operand, str):
                    yield operand
