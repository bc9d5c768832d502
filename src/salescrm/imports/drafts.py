"""From a row to a draft: the fields of a record to be, the records it refers to, its history and lines; nothing is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import attrs

from salescrm.entities import StageChange
from salescrm.errors import CrmError, InvalidValue
from salescrm.imports.cells import Convert
from salescrm.imports.plan import Cell, Records
from salescrm.imports.results import RefusedRow
from salescrm.imports.rows import BadRow, Row
from salescrm.schema import Schema
from salescrm.values import Id

__all__ = ["Bound", "Draft", "FieldSource", "Reference", "Refusal", "Stays"]

#: The root of all derived ids; it must never change, or no second run would know the first.
_ROOT: Final = bytes.fromhex("8e0c1f8a6a545d0b9c395d1f0a5e2b77")
_BETWEEN: Final = "\x1f"
_NO_FACTS: Final[Mapping[str, Any]] = MappingProxyType({})


class Refusal(Exception):  # not an error: a signal that one row goes no further
    """One row can't be taken in; *column* and *value* say where it lies."""

    def __init__(self, problem: InvalidValue, column: str | None = None, value: str | None = None) -> None:
        super().__init__(problem)
        self.problem, self.column, self.value = problem, column, value


@attrs.frozen
class Reference:
    """A field that holds the id of another record, which must be there."""

    field: str
    id: Id
    #: The entity's name, and where its records are kept.
    entity: str
    collection: str
    #: To a record of the same file, which may stand further down.
    own: bool


@attrs.frozen(eq=False)
class FieldSource:
    """How one field is read from a row; made once per file."""

    field: str
    cell: Cell
    positions: tuple[int, ...]
    map: Mapping[str, str]
    convert: Convert
    #: The records whose key it is, if any.
    target: Bound | None = None
    own: bool = False

    @property
    def column(self) -> str | None:
        """The column to name where something is wrong."""
        return self.cell.sources[0] if self.cell.sources else None

    def text(self, row: Row) -> str:
        """What the row says, after maps and defaults; blank for nothing."""
        cell = self.cell
        if cell.value is not None:
            return cell.value
        parts = [self.map.get(one, one) for position in self.positions if (one := row.cells[position])]
        text = parts[0] if len(parts) == 1 else cell.join.join(parts)
        return text or cell.default or ""

    def key(self, row: Row) -> tuple[str, ...]:
        """As `text`, for a reference: one text per column of the key."""
        if len(self.positions) < 2:
            return (self.text(row),)
        return tuple(self.map.get(row.cells[position], row.cells[position]) for position in self.positions)

    def value(self, row: Row) -> Any:
        """The field's value, None for blank.

        Raises:
            Refusal: The text can't be read.
        """
        text = self.text(row)
        if not text:
            return None
        try:
            return self.convert(text)
        except InvalidValue as problem:
            raise Refusal(problem, self.column, text) from problem


@attrs.frozen(kw_only=True)
class Draft:
    """A record to be: *fields* as one would give them to a service, *facts* that only a history can tell."""

    row: Row
    sources: Sequence[FieldSource]
    id: Id
    fields: dict[str, Any]
    references: Sequence[Reference]
    facts: Mapping[str, Any] = _NO_FACTS
    changes: Sequence[StageChange] = ()
    lines: Sequence[Draft] = ()

    def origin(self, field: str) -> tuple[str | None, str | None]:
        """The column and the text that *field* came from."""
        for source in self.sources:
            if source.field == field:
                return source.column, source.text(self.row)
        return None, None


@attrs.frozen(kw_only=True)
class Stays:
    """What a row tells of an opportunity's way: the facts of where it stands, and the lines of its history."""

    facts: dict[str, Any]
    changes: tuple[StageChange, ...]


@attrs.frozen(kw_only=True, eq=False)
class Bound:
    """The plan's *records*, tied to a schema and to the columns of an open file."""

    plan: str
    records: Records
    schema: Schema
    key_positions: tuple[int, ...] = ()
    sources: tuple[FieldSource, ...] = ()
    stays: Callable[[Row, Bound, tuple[str, ...]], Stays] | None = None
    #: Per product line, how its fields are read, and the line's schema.
    lines: tuple[tuple[Schema, tuple[FieldSource, ...]], ...] = ()

    def id_of(self, key: Sequence[str]) -> Id:
        """The id of the record with that source key."""
        if self.records.id == "key":
            return Id(" ".join(key))
        return self.derived(*key)

    def derived(self, *key: str) -> Id:
        """The id that is made of *key*: the same in every run (UUID, version 5)."""
        name = _BETWEEN.join((self.plan, self.records.name, *key)).encode("utf-8", "surrogatepass")
        # As uuid.uuid5 does it, without the object in between: there are half a dozen in each row.
        digest = hashlib.sha1(_ROOT + name, usedforsecurity=False).hexdigest()
        variant = "89ab"[int(digest[16], 16) & 3]
        return Id(f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}-{variant}{digest[17:20]}-{digest[20:32]}")

    def refused(self, line: int, problem: CrmError, column: str | None, value: str | None) -> RefusedRow:
        """A refused row of this file."""
        return RefusedRow(
            records=self.records.name,
            file=self.records.file,
            line=line,
            column=column,
            value=value,
            problem=problem,
        )

    def key_of(self, row: Row) -> tuple[str, str]:
        """The key's first column, and the whole key of *row* as the file has it."""
        return self.records.key[0], ", ".join(row.cells[position] for position in self.key_positions)

    def read(self, row: Row | BadRow) -> Draft | RefusedRow | None:
        """What *row* holds: a draft, a refusal, or nothing where it may be blank."""
        if isinstance(row, BadRow):
            return self.refused(row.line, row.problem, None, None)
        key = tuple(row.cells[position] for position in self.key_positions)
        if not any(key):
            if self.records.optional:
                return None
            problem = InvalidValue(self.schema.name, "key", "", "a key")
            return self.refused(row.line, problem, self.records.key[0], "")
        try:
            return self._draft(row, key)
        except Refusal as refusal:
            return self.refused(row.line, refusal.problem, refusal.column, refusal.value)

    def _draft(self, row: Row, key: tuple[str, ...]) -> Draft:
        id = self.id_of(key)
        fields, references = _read(row, self.sources, self.schema)
        stays = self.stays(row, self, key) if self.stays else None
        return Draft(
            row=row,
            sources=self.sources,
            id=id,
            fields=fields,
            references=references,
            facts=stays.facts if stays else _NO_FACTS,
            changes=stays.changes if stays else (),
            lines=[line for n in range(len(self.lines)) if (line := self._line(row, id, key, n)) is not None],
        )

    def _line(self, row: Row, id: Id, key: tuple[str, ...], number: int) -> Draft | None:
        """A product line; none where the row names no product."""
        schema, sources = self.lines[number]
        fields, references = _read(row, sources, schema)
        if fields.get("product_id") is None:
            return None
        fields["opportunity_id"] = id
        line = self.derived(*key, "line", str(number))
        return Draft(row=row, sources=sources, id=line, fields=fields, references=references)


def _read(
    row: Row, sources: Sequence[FieldSource], schema: Schema
) -> tuple[dict[str, Any], Sequence[Reference]]:
    """The fields that *sources* read from *row*, and the references among them."""
    fields: dict[str, Any] = {}
    nested: dict[str, dict[str, Any]] = {}
    references: list[Reference] = []
    for source in sources:
        value = source.value(row)
        if source.target is not None and value is not None:
            value = source.target.id_of(source.key(row))
            to = source.target.schema
            references.append(Reference(source.field, value, to.name, to.collection, source.own))
        head, _, part = source.field.partition(".")
        if part:
            nested.setdefault(head, {})[part] = value
        elif value is not None or schema.fields[head].nullable:
            fields[head] = value
    for head, parts in nested.items():
        kind = schema.fields[head].type
        fields[head] = kind(**parts) if attrs.has(kind) else {n: v for n, v in parts.items() if v is not None}
    return fields, references
