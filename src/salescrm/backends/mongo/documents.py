"""
Records as MongoDB documents and back, and single values of each kind; conditions and commands are elsewhere.

A document has one field per schema column, nulls included, and ``_id`` ``tenant/id``: text, since a subdocument as
``_id`` can't be joined to, and unique per tenant without another index.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final

from bson.int64 import Int64

from salescrm.codegen import Codec
from salescrm.kinds import Extra, Kind
from salescrm.schema import SEARCH, Schema

__all__ = ["PROJECTION", "Documents", "decoder", "encode", "key"]

#: What of a document a record needs no part of.
PROJECTION: Final[Mapping[str, int]] = MappingProxyType({"_id": 0, SEARCH: 0})


def key(tenant: str, id: str) -> str:
    """The ``_id`` of the record *id* of *tenant*; a tenant's name has no slash, so no two records share one."""
    return f"{tenant}/{id}"


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _aware(value: datetime) -> datetime:
    # The driver's own aware decoding takes four times as long.
    return value.replace(tzinfo=UTC)


def _extra(value: Mapping[str, Any]) -> Extra:
    # The driver gives large numbers a type of its own, which no field would take back.
    return Extra((name, int(one) if type(one) is Int64 else one) for name, one in value.items())


# A nested value is kept as JSON text: no question looks into it, and its keys may be what MongoDB keeps for itself
# ("$ref" would come back as a reference, "a.b" as a path).
_WRITE: Final[Codec] = MappingProxyType(
    {Kind.DAY: date.isoformat, Kind.TEXTS: list, Kind.NESTED: _to_json, Kind.EXTRA: dict}
)
_READ: Final[Codec] = MappingProxyType(
    {
        Kind.WHOLE: int,
        Kind.MOMENT: _aware,
        Kind.DAY: date.fromisoformat,
        Kind.TEXTS: tuple,
        Kind.NESTED: json.loads,
        Kind.EXTRA: _extra,
    }
)


def encode(kind: Kind, value: Any) -> Any:
    """One plain value of *kind* as it stands in a document; None stays None."""
    convert = _WRITE.get(kind)
    return value if convert is None or value is None else convert(value)


def decoder(kind: Kind) -> Callable[[Any], Any]:
    """A function from a document's value of *kind* to the plain one; None stays None."""
    convert = _READ.get(kind)
    if convert is None:
        return lambda value: value
    return lambda value: None if value is None else convert(value)


class Documents:
    """The documents of one schema."""

    def __init__(self, schema: Schema) -> None:
        self._names = ("_id", *(column.name for column in schema.columns))
        self._row = schema.writer(_WRITE)
        self._cells = itemgetter(*(column.name for column in schema.read_columns))
        self._records = schema.reader(_READ)

    def write(self, tenant: str, record: Any) -> dict[str, Any]:
        """The document of *record*."""
        return dict(zip(self._names, (key(tenant, record.id), *self._row(record)), strict=True))

    def read(self, documents: Iterable[Mapping[str, Any]]) -> list[Any]:
        """The records of *documents*, in their order."""
        return self._records(map(self._cells, documents))
