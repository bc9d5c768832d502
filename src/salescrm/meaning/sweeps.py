"""
What a sweep's templates mean: the new records that go with each record swept, made in Python.

The reference that every engine must agree with, and what backends run that have nothing faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, assert_never

from salescrm.codegen import Codec
from salescrm.errors import EngineError
from salescrm.kinds import Extra, Kind
from salescrm.meaning.conditions import Lookup, condition
from salescrm.plans import Asked
from salescrm.schema import Schema
from salescrm.storage import Insert
from salescrm.sweeps import (
    Changes,
    Constant,
    Fired,
    NewVersion,
    Object,
    RowSource,
    RowTemplate,
    RunningId,
    Was,
    as_json,
    told_columns,
)

__all__ = ["swept_rows"]

#: From the record as it was, whether each flag held, and the row's number, to a value.
_Make = Callable[[Any, Sequence[bool], int], Any]

_FROM_PLAIN: Final[Codec] = MappingProxyType({Kind.TEXTS: tuple, Kind.EXTRA: Extra})


def swept_rows(
    asked: Asked,
    values: Mapping[str, Any],
    rows: Sequence[RowTemplate],
    records: Sequence[Any],
    look: Lookup,
) -> list[Insert]:
    """
    What goes with the sweep of *records*, given as they were, in which *values* were set.

    *look* finds other records for flags that follow a reference; a swept one is seen as it was.
    """
    if not records:
        return []
    schema = asked.plan.schema
    were = {record.id: record for record in records}

    def as_it_was(of: Schema, id: str) -> Any | None:
        found = were.get(id) if of is schema else None
        return found if found is not None else look(of, id)

    tests = [condition(schema, flag) for flag in asked.plan.flags]
    held = [[test(record, asked.values, as_it_was) for test in tests] for record in records]
    inserts = []
    for row in rows:
        cells = [
            (column, _maker(schema, row.columns[column.name], values)) for column in row.schema.read_columns
        ]
        made = []
        for number, (record, flags) in enumerate(zip(records, held, strict=True), start=1):
            cell = [make(record, flags, number) for _, make in cells]
            for (column, _), value in zip(cells, cell, strict=True):
                if value is None and not column.nullable:
                    raise EngineError(f"{row.schema.name}.{column.name} would be empty")
            made.append(cell)
        inserts.append(Insert(row.schema, row.schema.reader(_FROM_PLAIN)(made)))
    return inserts


def _maker(schema: Schema, source: RowSource, values: Mapping[str, Any], *, json: bool = False) -> _Make:
    match source:
        case Constant(value):
            return lambda record, flags, number: value
        case Was(name):
            get, kind = schema.getters[name], schema.by_column[name].kind
            if json:
                return lambda record, flags, number: as_json(kind, get(record))
            return lambda record, flags, number: get(record)
        case NewVersion():
            return lambda record, flags, number: record.version + 1
        case RunningId(prefix):
            return lambda record, flags, number: f"{prefix}-{number:012x}"
        case Fired(keys):
            return lambda record, flags, number: [
                key for key, holds in zip(keys, flags, strict=True) if holds
            ]
        case Changes():
            told = [(one.name, one.kind, schema.getters[one.name]) for one in told_columns(schema, values)]
            return lambda record, flags, number: {
                name: [as_json(kind, get(record)), as_json(kind, values[name])]
                for name, kind, get in told
                if get(record) != values[name]
            }
        case Object(parts):
            makers = {key: _maker(schema, part, values, json=True) for key, part in parts.items()}
            return lambda record, flags, number: {
                key: make(record, flags, number) for key, make in makers.items()
            }
        case _:
            assert_never(source)
