"""Receipts: a command under an idempotency key is carried out once, and its result given again to whoever repeats it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
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
        InvalidValue: The key is blank or longer than 64 characters, or no receipt can hold the result.
        NotFound: A record that was the result is gone by now, or not for this member to see.
        Raced: Somebody else committed the same key first; nothing of this call may be committed.
    """
    id = Id(clean_text(key, entity="Receipt", field="key", limit=64))
    if not id.strip():  # a header that was not sent would make one command of everybody's
        raise InvalidValue("Receipt", "key", key, "a text that is not blank")
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
    """*result* as JSON of its own: records by entity and id."""
    known = work.kit.by_record
    if type(result) in known:
        return {"record": _name(work, cast(Record, result))}
    if isinstance(result, tuple) and all(type(one) in known for one in result):
        return {"records": [_name(work, one) for one in result]}
    with suppress(TypeError, ValueError, RecursionError):
        plain = json.loads(json.dumps(result, allow_nan=False))
        if plain == result:
            return {"value": plain}
    raise InvalidValue("run", "result", result, "None, JSON-able data, a record, or a tuple of records")


def _name(work: UnitOfWork, record: Record) -> list[str]:
    return [work.kit.by_record[type(record)].collection, record.id]


def _read(work: UnitOfWork, result: Any) -> object:
    if "record" in result:
        return _record(work, result["record"])
    if "records" in result:
        return tuple(_record(work, one) for one in result["records"])
    return deepcopy(result["value"])  # a store in memory gives what it holds


def _record(work: UnitOfWork, name: list[str]) -> Record:
    collection, id = name
    entity = cast("type[Record]", work.kit.schemas[collection].record)
    return work.repository(entity).get(Id(id))
