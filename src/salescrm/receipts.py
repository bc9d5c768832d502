"""Receipts: a command under an idempotency key is carried out once, and its result given again to whoever repeats it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar, cast

from salescrm.entities import Receipt, Record
from salescrm.errors import Duplicate, InvalidValue
from salescrm.storage import Insert
from salescrm.unit import UnitOfWork
from salescrm.values import Id, clean_text

__all__ = ["Raced", "once"]

T = TypeVar("T")
U = TypeVar("U", bound=UnitOfWork)


class Raced(Exception):  # not an error: a signal to look for the other's receipt
    """Somebody else carried out the same command at the same moment."""


def once(work: U, key: str, function: Callable[[U], T]) -> T:
    """
    What *function* returns, or what it returned when *key* was first used.

    The receipt is written in the Work's own transaction: there is one exactly when the command was committed.

    Raises:
        InvalidValue: The result is neither None, JSON-able data, a record nor a tuple of records.
        Raced: Somebody else committed the same key first; nothing of this call may be committed.
    """
    id = Id(clean_text(key, entity="Receipt", field="key", limit=64))
    schema = work.kit.by_record[Receipt]
    found: Receipt | None = work.reading().get(schema, id)
    if found is not None:
        return cast(T, _read(work, found.result))
    result = function(work)
    now, member = work.now(), work.member
    receipt = Receipt(
        id=id,
        tenant=work.tenant,
        version=1,
        created_at=now,
        created_by=member,
        updated_at=now,
        updated_by=member,
        result=_write(work, result),
    )
    try:
        work.write(Insert(schema, [schema.admit(receipt)]))
    except Duplicate as problem:
        raise Raced from problem
    return result


def _write(work: UnitOfWork, result: object) -> dict[str, Any]:
    """*result* as JSON: records by entity and id."""
    if isinstance(result, Record):
        return {"record": _name(work, result)}
    if isinstance(result, tuple) and result and all(isinstance(one, Record) for one in result):
        return {"records": [_name(work, one) for one in result]}
    try:
        plain = json.loads(json.dumps(result, allow_nan=False))
    except (TypeError, ValueError):
        plain = not result
    if plain != result:
        raise InvalidValue("run", "result", result, "None, JSON-able data, a record, or a tuple of records")
    return {"value": result}


def _name(work: UnitOfWork, record: Record) -> list[str]:
    return [work.kit.by_record[type(record)].collection, record.id]


def _read(work: UnitOfWork, result: Any) -> object:
    if "record" in result:
        return _record(work, result["record"])
    if "records" in result:
        return tuple(_record(work, one) for one in result["records"])
    return result["value"]


def _record(work: UnitOfWork, name: list[str]) -> Record:
    collection, id = name
    entity = cast("type[Record]", work.kit.schemas[collection].record)
    return work.repository(entity).get(Id(id))
