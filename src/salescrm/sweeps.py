"""
What a sweep writes beside the records that it changes: templates of rows, each value with the source it comes from.

`Store.sweep` takes them; `meaning.sweeps` is what they mean, engines say the same in their own words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from salescrm.codegen import JSON_WRITE, STAMPED
from salescrm.kinds import Kind
from salescrm.schema import Column, Schema

__all__ = [
    "UNSWEPT",
    "Changes",
    "Constant",
    "Fired",
    "NewVersion",
    "Object",
    "RowSource",
    "RowTemplate",
    "RunningId",
    "Was",
    "as_json",
    "told_columns",
    "was_columns",
]

#: What can't be set by a sweep: equal objects may be spelled in different ways, so no engine could tell what differs.
UNSWEPT: Final = frozenset({Kind.NESTED, Kind.EXTRA})


@attrs.frozen
class Constant:
    """The same in every row: plain where it fills a column, JSON inside an `Object`."""

    value: Any


@attrs.frozen
class Was:
    """The value of *column* of the swept record, as it was."""

    column: str


@attrs.frozen
class NewVersion:
    """The version of the swept record, as it now is."""


@attrs.frozen
class RunningId:
    """*prefix*, a hyphen and a number of twelve hexadecimal digits that counts the rows of this template from 1."""

    prefix: str


@attrs.frozen
class Fired:
    """The list of those *keys* whose flags held for the record as it was; one key for each of the plan's flags."""

    keys: tuple[str, ...]


@attrs.frozen
class Changes:
    """``{column: [was, is]}`` in JSON values, for what the sweep changed in the record; as `Schema.diff` gives it."""


@attrs.frozen
class Object:
    """A JSON object."""

    parts: Mapping[str, RowSource]


RowSource: TypeAlias = Constant | Was | NewVersion | RunningId | Fired | Changes | Object


@attrs.frozen
class RowTemplate:
    """One new record of *schema* for each record that is swept: a source for every column."""

    schema: Schema
    columns: Mapping[str, RowSource]


def was_columns(templates: tuple[RowTemplate, ...]) -> tuple[str, ...]:
    """The columns of the swept record that *templates* tell of, each once."""
    found = (one.column for row in templates for one in _sources(row.columns) if isinstance(one, Was))
    return tuple(dict.fromkeys(found))


def _sources(parts: Mapping[str, RowSource]) -> Iterator[RowSource]:
    for one in parts.values():
        yield one
        if isinstance(one, Object):
            yield from _sources(one.parts)


def told_columns(schema: Schema, names: Mapping[str, Any]) -> list[Column]:
    """Those of the columns *names* that `Changes` tells of, in the order of the schema."""
    return [column for column in schema.read_columns if column.name in names and column.name not in STAMPED]


def as_json(kind: Kind, value: Any) -> Any:
    """A plain value of a column as JSON."""
    return JSON_WRITE[kind](value) if value is not None and kind in JSON_WRITE else value
