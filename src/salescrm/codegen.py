"""
The functions between records and rows, generated once per schema and codec.

A written-out function is what makes rows cheap: no loop over columns, no constructor, no validator.  On a customer of some
fifty fields (CPython 3.11, timeit) reading takes a sixth of the frozen constructor's time, evolving a thirteenth of
`attrs.evolve`'s.  Rows are trusted: validation runs where data enters (`admitter`), never on what our own tables hold.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from salescrm import jsonable
from salescrm.kinds import Extra, Kind
from salescrm.values import fold

if TYPE_CHECKING:
    from salescrm.schema import Column, Schema, SchemaField

__all__ = [
    "JSON_READ",
    "JSON_WRITE",
    "STAMPED",
    "Codec",
    "differ",
    "evolver",
    "filler",
    "getters",
    "iso",
    "keyer",
    "maker",
    "reader",
    "spread",
    "twin",
    "writer",
]

#: By plain kind, how one backend converts a non-null value; a kind left out passes as it is.
Codec: TypeAlias = Mapping[Kind, Callable[[Any], Any]]


def iso(value: datetime) -> str:
    """A moment as fixed-width text that sorts as time does: ``2026-03-15T10:00:00.000+00:00``."""
    return value.isoformat(timespec="milliseconds")


JSON_WRITE: Final[Codec] = MappingProxyType(
    {Kind.MOMENT: iso, Kind.DAY: date.isoformat, Kind.TEXTS: list, Kind.EXTRA: dict}
)
JSON_READ: Final[Codec] = MappingProxyType(
    {
        Kind.MOMENT: datetime.fromisoformat,
        Kind.DAY: date.fromisoformat,
        Kind.TEXTS: tuple,
        Kind.EXTRA: Extra,
    }
)


def twin(record: type[Any]) -> type[Any]:
    """
    A subclass of *record* with the same layout that lets its slots be set; an instance turns into *record* by class.

    A sibling class of the same slots is refused by CPython when there is a ``__weakref__`` slot; a subclass is not.
    """
    body = {
        "__slots__": (),
        "__setattr__": object.__setattr__,
        "__delattr__": object.__delattr__,
        "__init__": object.__init__,
    }
    return type(f"_{record.__name__}", (record,), body)


def _compile(name: str, source: list[str], names: dict[str, Any]) -> Any:
    text = "\n".join(source)
    exec(compile(text, f"<salescrm {name}>", "exec"), names)  # noqa: S102  # made of our own attribute names only
    return names[name]


def writer(
    schema: Schema, codec: Codec, columns: Iterable[str] | None = None
) -> Callable[[Any], tuple[Any, ...]]:
    """A function from a record to one value per column of ``schema.columns``, or of those named *columns*, in that order."""
    names: dict[str, Any] = {"fold": fold}
    cells: dict[str, str] = {}
    for field in schema.fields.values():
        written = _write_cells(field, codec, names)
        cells |= zip((column.name for column in field.columns), written, strict=True)
    if schema.searchable:
        parts = " ".join(f"r.{name} or ''," for name in schema.searchable)
        cells["search_text"] = f"fold('\\n'.join(({parts})))"
    wanted = ", ".join(cells[name] for name in (cells if columns is None else columns))
    source = ["def write(r):", f"    return ({wanted},)"]
    return typing.cast(Callable[[Any], tuple[Any, ...]], _compile("write", source, names))


def _write_cells(field: SchemaField, codec: Codec, names: dict[str, Any]) -> list[str]:
    cells = []
    for column in field.columns:
        root = f"r.{column.path[0]}"
        value = ".".join(("r", *column.path))
        if field.kind is Kind.DECIMAL:
            names["scaled"] = jsonable.scaled
            value = f"scaled({value})"
        elif field.kind is Kind.NESTED:
            names["plain"] = jsonable.unstructure
            value = f"plain({value})"
        convert = codec.get(column.kind)
        if convert is not None:
            names[f"w_{column.kind.name}"] = convert
            value = f"w_{column.kind.name}({value})"
        guarded = field.nullable or (column.nullable and len(column.path) > 1)
        bare = value == f"{root}"
        if guarded and not bare:
            probe = ".".join(("r", *column.path)) if not field.nullable else root
            value = f"(None if {probe} is None else {value})"
        cells.append(value)
    return cells


def reader(schema: Schema, codec: Codec) -> Callable[[Iterable[Sequence[Any]]], list[Any]]:
    """A function from rows of ``schema.read_columns`` to records."""
    names: dict[str, Any] = {
        "new": object.__new__,
        "Twin": twin(schema.record),
        "Record": schema.record,
    }
    targets: list[str] = []
    after: list[str] = []
    for field in schema.fields.values():
        if len(field.columns) == 1 and _read_cell(field, codec, names) == "{}":
            targets.append(f"o.{field.name}")
        else:
            locals_ = [f"c_{column.name}" for column in field.columns]
            targets += locals_
            after.append(f"o.{field.name} = {_read_value(field, locals_, codec, names)}")
    body = [f"        {line}" for line in after]
    source = [
        "def read(rows):",
        "    records = []",
        "    append = records.append",
        "    for row in rows:",
        "        o = new(Twin)",
        f"        {', '.join(targets)}, = row",
        *body,
        "        o.__class__ = Record",
        "        append(o)",
        "    return records",
    ]
    return typing.cast(Callable[[Iterable[Sequence[Any]]], list[Any]], _compile("read", source, names))


def _read_cell(field: SchemaField, codec: Codec, names: dict[str, Any]) -> str:
    """How one stored value becomes an attribute's value: an expression over ``{}``."""
    cell = "{}"
    column = field.columns[0]
    convert = codec.get(column.kind)
    if convert is not None:
        names[f"r_{column.kind.name}"] = convert
        cell = f"r_{column.kind.name}({cell})"
    if field.kind is Kind.DECIMAL:
        names["unscaled"] = jsonable.unscaled
        cell = f"unscaled({cell})"
    elif field.kind is Kind.NESTED:
        names[f"n_{field.name}"] = jsonable.structurer(field.type)
        cell = f"n_{field.name}({cell})"
    return cell


def _read_value(field: SchemaField, cells: list[str], codec: Codec, names: dict[str, Any]) -> str:
    if field.kind not in (Kind.MONEY, Kind.EMBEDDED):
        value = _read_cell(field, codec, names).format(cells[0])
        return f"None if {cells[0]} is None else {value}" if field.nullable else value
    names[f"b_{field.name}"] = _builder(field)
    parts = [
        _read_part(column, cell, codec, names) for column, cell in zip(field.columns, cells, strict=True)
    ]
    value = f"b_{field.name}({', '.join(parts)})"
    return (
        f"None if {cells[0]} is None else {value}" if field.nullable and field.kind is Kind.MONEY else value
    )


def _read_part(column: Column, cell: str, codec: Codec, names: dict[str, Any]) -> str:
    """One stored value of a composite field as the attribute of its value class."""
    convert = codec.get(column.kind)
    if convert is None:
        return cell
    names[f"r_{column.kind.name}"] = convert
    return f"(None if {cell} is None else r_{column.kind.name}({cell}))"


def _builder(field: SchemaField) -> Any:
    """A positional constructor of a small value class, without its validators."""
    names = {"new": object.__new__, "Twin": twin(field.type), "Value": field.type}
    attributes = [a.name for a in attrs.fields(field.type)]
    source = [
        f"def build({', '.join(attributes)}):",
        "    o = new(Twin)",
        *[f"    o.{name} = {name}" for name in attributes],
        "    o.__class__ = Value",
        "    return o",
    ]
    return _compile("build", source, names)


def getters(schema: Schema) -> Mapping[str, Callable[[Any], Any]]:
    """By column name, a function from a record to the column's plain value."""
    made: dict[str, Callable[[Any], Any]] = {}
    for field in schema.fields.values():
        names: dict[str, Any] = {}
        for column, cell in zip(field.columns, _write_cells(field, {}, names), strict=True):
            made[column.name] = _compile("get", ["def get(r):", f"    return {cell}"], dict(names))
    if schema.searchable:
        parts = " ".join(f"r.{name} or ''," for name in schema.searchable)
        made["search_text"] = _compile(
            "get", ["def get(r):", f"    return fold('\\n'.join(({parts})))"], {"fold": fold}
        )
    return MappingProxyType(made)


def keyer(schema: Schema, columns: Iterable[str]) -> Callable[[Any], tuple[Any, ...]]:
    """
    A function from a record to the tuple it sorts by on *columns*, ascending, nulls first.

    A nullable column takes two places, whether it has a value and the value: None itself compares with nothing.
    """
    names: dict[str, Any] = {}
    cells = {}
    for field in schema.fields.values():
        for column, cell in zip(field.columns, _write_cells(field, {}, names), strict=True):
            cells[column.name] = f"(x := {cell}) is not None, x" if column.nullable else cell
    places = ", ".join(cells[name] for name in columns)
    return typing.cast(
        Callable[[Any], tuple[Any, ...]], _compile("key", ["def key(r):", f"    return ({places},)"], names)
    )


def spread(field: SchemaField, value: Any) -> dict[str, Any]:
    """One attribute's *value* as the plain values of its columns."""
    if field.kind is Kind.DECIMAL and value is not None:
        value = jsonable.scaled(value)
    elif field.kind is Kind.NESTED:
        value = jsonable.unstructure(value)
    cells: dict[str, Any] = {}
    for column in field.columns:
        cell = value
        for attribute in column.path[1:]:
            cell = None if cell is None else getattr(cell, attribute)
        cells[column.name] = cell
    return cells


def maker(schema: Schema) -> Callable[..., Any]:
    """A function from attributes by name to a record; what is not given is at its default."""
    names = {"new": object.__new__, "Twin": twin(schema.record), "Record": schema.record}
    attributes = [a.name for a in attrs.fields(schema.record)]
    names |= {f"default_{name}": getattr(schema.blank, name) for name in attributes}
    given = [name if name in schema.required else f"{name}=default_{name}" for name in attributes]
    source = [
        f"def make(*, {', '.join(given)}):",
        "    o = new(Twin)",
        *[f"    o.{name} = {name}" for name in attributes],
        "    o.__class__ = Record",
        "    return o",
    ]
    return typing.cast(Callable[..., Any], _compile("make", source, names))


def evolver(schema: Schema) -> Callable[[Any, Mapping[str, Any]], Any]:
    """A function that copies a record with some attributes changed."""
    attributes = [a.name for a in attrs.fields(schema.record)]
    source = [
        "def evolve(r, changes):",
        "    o = new(Twin)",
        *[f"    o.{name} = r.{name}" for name in attributes],
        "    for name, value in changes.items():",
        "        setattr(o, name, value)",
        "    o.__class__ = Record",
        "    return o",
    ]
    names = {"new": object.__new__, "Twin": twin(schema.record), "Record": schema.record}
    return typing.cast(Callable[[Any, Mapping[str, Any]], Any], _compile("evolve", source, names))


#: The record's name in a cell; a plain replace would also meet the end of ``r.offer.minor``.
_RECORD: Final = re.compile(r"\br\.")


def differ(schema: Schema) -> Callable[[Any, Any], dict[str, list[Any]]]:
    """A function from two records to ``{column: [from, to]}`` in JSON values."""
    names: dict[str, Any] = {}
    source = ["def diff(a, b):", "    d = {}"]
    for field in schema.fields.values():
        if field.name in STAMPED:
            continue
        cells = _write_cells(field, JSON_WRITE, names)
        source.append(f"    if a.{field.name} is not b.{field.name} and a.{field.name} != b.{field.name}:")
        for column, cell in zip(field.columns, cells, strict=True):
            before, after = _RECORD.sub("a.", cell), _RECORD.sub("b.", cell)
            source.append(f"        x, y = {before}, {after}")
            source.append(f"        if x != y: d[{column.name!r}] = [x, y]")
    source.append("    return d")
    return typing.cast(Callable[[Any, Any], dict[str, list[Any]]], _compile("diff", source, names))


def filler(schema: Schema) -> Callable[[Any], dict[str, list[Any]]]:
    """A function from a new record to ``{column: [None, value]}`` for what it fills."""
    names: dict[str, Any] = {}
    source = ["def fill(r):", "    d = {}"]
    for field in schema.fields.values():
        if field.name in STAMPED:
            continue
        cells = _write_cells(field, JSON_WRITE, names)
        for column, cell in zip(field.columns, cells, strict=True):
            empty = "x" if column.kind in (Kind.TEXTS, Kind.NESTED, Kind.EXTRA) else "x is not None"
            source.append(f"    x = {cell}")
            source.append(f"    if {empty}: d[{column.name!r}] = [None, x]")
    source.append("    return d")
    return typing.cast(Callable[[Any], dict[str, list[Any]]], _compile("fill", source, names))


#: What every write stamps; the log entry itself says who, when and which version.
STAMPED: Final = frozenset(
    {"id", "tenant", "version", "created_at", "created_by", "updated_at", "updated_by"}
)


def admitter(schema: Schema) -> Callable[..., Any]:
    """A function that lets a record in: the quick check of each value written out, anything unusual left to `admission`."""
    from salescrm import admission
    from salescrm.errors import InvalidValue

    def refuse(record: Any) -> Any:
        raise InvalidValue(schema.name, "record", record, f"a {schema.name}")

    def look(name: str, value: Any, changes: dict[str, Any], before: Any) -> None:
        if before is not None and schema.fields[name].kind is Kind.EXTRA and value == getattr(before, name):
            return
        admitted = admission.admit_value(schema, schema.fields[name], value)
        if admitted is not value:
            changes[name] = admitted

    names: dict[str, Any] = {
        "datetime": datetime,
        "date": date,
        "UTC": UTC,
        "Extra": Extra,
        "Record": schema.record,
        "evolve": schema.evolve,
        "refuse": refuse,
        "look": look,
    }
    source = ["def admit(r, b=None):", "    if type(r) is not Record: refuse(r)", "    changes = {}"]
    for field in schema.fields.values():
        check = admission.quick_check(field, names)
        nothing = f"r.{field.name} is None or " if field.nullable else ""
        look_closer = f"look({field.name!r}, r.{field.name}, changes, b)"
        source.append(f"    if not ({nothing}{check or 'False'}): {look_closer}")
    source.append("    return evolve(r, changes) if changes else r")
    return typing.cast(Callable[..., Any], _compile("admit", source, names))
