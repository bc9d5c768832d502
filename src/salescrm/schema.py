"""
Schema: one attrs class described for storage.

Everything a backend needs to know about an entity, and no more: columns by kind, indexes, unique keys, references.
Derived from the class by `describe`; the functions that make rows of records and records of rows are in `codegen`.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, Final, Literal, NewType, Union, get_args, get_origin

import attrs

from salescrm import codegen
from salescrm.errors import UnknownField
from salescrm.kinds import Extra, Kind, Limit
from salescrm.values import Id, Money

__all__ = ["SEARCH", "Column", "Index", "Schema", "SchemaField", "describe", "nearest"]

#: The shadow column that caseless search looks into.
SEARCH: Final = "search_text"
#: Texts without a stated limit, and ids.
_DEFAULT_LIMIT: Final = 255
_ID_LIMIT: Final = 64


@attrs.frozen
class Column:
    """
    One value of a record as a backend holds it.

    Attributes:
        name: A safe identifier, ours and never from outside.
        kind: A plain kind; composite ones have been spread.
        path: The attributes that lead from the record to the value; empty for the search shadow.
        limit: The most characters of a text.
    """

    name: str
    kind: Kind
    nullable: bool
    path: tuple[str, ...]
    limit: int | None = None
    #: Choice only: what it may be.
    choices: tuple[str, ...] = ()
    #: Text only: it stands on a single line.
    one_line: bool = False


@attrs.frozen
class SchemaField:
    """
    One attribute of the entity as questions and people see it.

    Attributes:
        columns: Where it is stored: one column, or several for a composite kind.
        type: The Python type, without ``None``.
        required: Has no default; a text must then have a character that shows.
    """

    name: str
    kind: Kind
    nullable: bool
    columns: tuple[Column, ...]
    type: Any
    required: bool = False


@attrs.frozen
class Index:
    """
    Columns that a list is read by; the tenant leads and the id ends every index without being named.

    Attributes:
        covering: Columns carried along so that a tally needs no look at the record.
    """

    columns: tuple[str, ...]
    unique: bool = False
    covering: tuple[str, ...] = ()


@attrs.frozen(eq=False)
class Schema:
    """
    An entity described for storage.

    Attributes:
        name: The entity's name, ``Customer``.
        collection: Where its records are kept, ``customers``.
        record: The attrs class.
        references: Field to the collection it points to.
        searchable: Fields whose text the caseless search looks into.
        extra_kinds: The host's declared custom fields by name.
        settled: Fields that only use cases change, with a line of a ledger or a history: no plugin may on the way.
    """

    name: str
    collection: str
    record: type[Any]
    fields: Mapping[str, SchemaField]
    indexes: tuple[Index, ...] = ()
    references: Mapping[str, str] = attrs.field(factory=dict)
    searchable: tuple[str, ...] = ()
    extra_kinds: Mapping[str, Kind] = attrs.field(factory=dict)
    settled: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Every stored column, in the order of the class; the search shadow, where there is one, last."""
        plain = tuple(column for field in self.fields.values() for column in field.columns)
        shadow = (Column(SEARCH, Kind.TEXT, False, ()),) if self.searchable else ()
        return plain + shadow

    @cached_property
    def read_columns(self) -> tuple[Column, ...]:
        """The columns that a record is made of again: all but the shadow."""
        return tuple(column for column in self.columns if column.path)

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The fields that have no default."""
        return tuple(field.name for field in self.fields.values() if field.required)

    @cached_property
    def blank(self) -> Any:
        """A record of nothing but defaults, None where there is none."""
        return self.record(**dict.fromkeys(self.required))

    @cached_property
    def by_column(self) -> Mapping[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}

    @cached_property
    def unique(self) -> tuple[Index, ...]:
        """The unique keys among the indexes."""
        return tuple(index for index in self.indexes if index.unique)

    def field(self, name: str) -> SchemaField:
        """The field called *name*.

        Raises:
            UnknownField: There is none; the error offers the nearest names.
        """
        try:
            return self.fields[name]
        except KeyError:
            raise UnknownField(self.name, name, nearest(name, self.fields)) from None

    # What follows is generated once per entity; see `codegen`.

    def writer(
        self, codec: codegen.Codec, columns: Iterable[str] | None = None
    ) -> Callable[[Any], tuple[Any, ...]]:
        """A function from a record to its row by *codec*: one value per column of `columns`, or of those named *columns*."""
        return codegen.writer(self, codec, columns)

    def reader(self, codec: codegen.Codec) -> Callable[[Iterable[Sequence[Any]]], list[Any]]:
        """A function from rows of `read_columns` to records; it trusts the rows and runs no validator."""
        return codegen.reader(self, codec)

    @cached_property
    def getters(self) -> Mapping[str, Callable[[Any], Any]]:
        """By column name, a function from a record to that column's plain value."""
        return codegen.getters(self)

    @cached_property
    def make(self) -> Callable[..., Any]:
        """A new record of fields by name, as its class takes them; unchecked, and in half the time or less."""
        return codegen.maker(self)

    @cached_property
    def evolve(self) -> Callable[[Any, Mapping[str, Any]], Any]:
        """A copy of a record with some attributes changed; unchecked, and by far faster than `attrs.evolve`."""
        return codegen.evolver(self)

    @cached_property
    def admit(self) -> Callable[..., Any]:
        """
        The record itself if every value fits its field, with moments cut; raises InvalidValue otherwise.

        A second record, the one it takes the place of, excuses custom fields as they stood there: their declaration may
        be gone by now.
        """
        return codegen.admitter(self)

    @cached_property
    def diff(self) -> Callable[[Any, Any], dict[str, list[Any]]]:
        """By column name ``[from, to]`` as JSON values, for the columns in which two records differ."""
        return codegen.differ(self)

    @cached_property
    def filled(self) -> Callable[[Any], dict[str, list[Any]]]:
        """By column name ``[None, value]`` as JSON values, for the columns that a new record fills."""
        return codegen.filler(self)

    def admitted(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Attributes' *values* in the form that is stored.

        Raises:
            UnknownField, InvalidValue: No such attribute, or no such value.
        """
        from salescrm import admission

        return {name: admission.admit_value(self, self.field(name), value) for name, value in values.items()}

    def spread(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Attributes' *values* as the plain values of their columns, checked as by `admitted`."""
        return self.laid_out(self.admitted(values))

    def laid_out(self, admitted: Mapping[str, Any]) -> dict[str, Any]:
        """What `admitted` gave, as the plain values of its columns."""
        plain: dict[str, Any] = {}
        for name, value in admitted.items():
            plain |= codegen.spread(self.fields[name], value)
        return plain

    @cached_property
    def to_document(self) -> Callable[[Any], dict[str, Any]]:
        """The record as a JSON-able dict by column name; `from_document` is its inverse."""
        write = codegen.writer(self, codegen.JSON_WRITE)
        names = tuple(column.name for column in self.columns)
        return lambda record: dict(zip(names, write(record), strict=True))

    @cached_property
    def from_document(self) -> Callable[[Mapping[str, Any]], Any]:
        """The record that `to_document` gave this dict for."""
        read = codegen.reader(self, codegen.JSON_READ)
        names = tuple(column.name for column in self.read_columns)
        return lambda document: read([tuple(document[name] for name in names)])[0]


def nearest(name: str, names: Iterable[str]) -> tuple[str, ...]:
    """Up to three of *names* that *name* may have been meant for."""
    import difflib

    return tuple(difflib.get_close_matches(name, list(names), n=3, cutoff=0.5))


def describe(
    record: type[Any],
    collection: str,
    *,
    indexes: Iterable[Index] = (),
    references: Mapping[str, str] | None = None,
    searchable: Iterable[str] = (),
    extra_kinds: Mapping[str, Kind] | None = None,
    settled: Iterable[str] = (),
) -> Schema:
    """The schema of the attrs class *record*, its kinds derived from the annotations."""
    if hasattr(record, "__attrs_post_init__"):
        raise TypeError(
            f"{record.__name__}: rows are built without __attrs_post_init__, so it may not have one"
        )
    refs = dict(references or {})
    hints = typing.get_type_hints(record, include_extras=True)
    fields = {
        a.name: _field(a.name, hints[a.name], reference=a.name in refs, required=a.default is attrs.NOTHING)
        for a in attrs.fields(record)
    }
    return Schema(
        name=record.__name__,
        collection=collection,
        record=record,
        fields=types.MappingProxyType(fields),
        indexes=tuple(indexes),
        references=types.MappingProxyType(refs),
        searchable=tuple(searchable),
        extra_kinds=types.MappingProxyType(dict(extra_kinds or {})),
        settled=tuple(settled),
    )


def _field(name: str, hint: Any, *, reference: bool, required: bool) -> SchemaField:
    """One attribute, its columns named after it."""
    hint, nullable = _without_none(hint)
    kind, limit, python = _kind(name, hint, reference=reference)
    if kind is Kind.MONEY:
        columns: tuple[Column, ...] = (
            Column(name, Kind.WHOLE, nullable, (name, "minor")),
            Column(f"{name}_currency", Kind.TEXT, nullable, (name, "currency"), 3),
        )
    elif kind is Kind.EMBEDDED:
        hints = typing.get_type_hints(python, include_extras=True)
        parts = [_field(a.name, hints[a.name], reference=False, required=False) for a in attrs.fields(python)]
        columns = tuple(
            attrs.evolve(column, name=f"{name}_{column.name}", path=(name, *column.path), nullable=True)
            for part in parts
            for column in part.columns
        )
    else:
        plain = Kind.WHOLE if kind is Kind.DECIMAL else kind
        choices = tuple(get_args(python)) if kind is Kind.CHOICE else ()
        one_line = _is_line(kind, limit, hint)
        columns = (Column(name, plain, nullable, (name,), limit, choices, one_line),)
    return SchemaField(name, kind, nullable, columns, python, required)


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) in (Union, types.UnionType):
        rest = [one for one in get_args(hint) if one is not types.NoneType]
        if len(rest) == 1 and len(rest) < len(get_args(hint)):
            return rest[0], True
    return hint, False


_BY_TYPE: Final[Mapping[Any, Kind]] = types.MappingProxyType(
    {
        str: Kind.TEXT,
        int: Kind.WHOLE,
        bool: Kind.FLAG,
        datetime: Kind.MOMENT,
        date: Kind.DAY,
        Decimal: Kind.DECIMAL,
        Money: Kind.MONEY,
        Extra: Kind.EXTRA,
    }
)


def _kind(name: str, hint: Any, *, reference: bool) -> tuple[Kind, int | None, Any]:
    """The kind, the limit in characters, and the bare Python type of one annotation."""
    limit: int | None = None
    if get_origin(hint) is typing.Annotated:
        limit = next((mark.characters for mark in hint.__metadata__ if isinstance(mark, Limit)), None)
        hint = get_args(hint)[0]
    if hint is Id:
        kind = Kind.ID if name == "id" else Kind.REFERENCE if reference else Kind.TEXT
        return kind, limit or _ID_LIMIT, str
    if isinstance(hint, NewType):
        hint = hint.__supertype__
    if get_origin(hint) is Literal:
        return Kind.CHOICE, _ID_LIMIT, hint
    if hint in _BY_TYPE:
        kind = _BY_TYPE[hint]
        if kind is Kind.TEXT and reference:
            kind = Kind.REFERENCE
        return kind, (limit or _DEFAULT_LIMIT) if kind.is_textual else None, hint
    if get_origin(hint) is tuple and get_args(hint)[1:] == (Ellipsis,):
        return (Kind.TEXTS if _is_text(get_args(hint)[0]) else Kind.NESTED), limit, hint
    if get_origin(hint) is not None and issubclass(get_origin(hint), Mapping):
        return Kind.NESTED, None, hint
    if attrs.has(hint):
        parts = typing.get_type_hints(hint, include_extras=True).values()
        texts = all(_is_text(_without_none(part)[0]) for part in parts)
        return (Kind.EMBEDDED if texts else Kind.NESTED), None, hint
    raise TypeError(f"{name}: no kind of value is stored for {hint!r}")


def _is_line(kind: Kind, limit: int | None, hint: Any) -> bool:
    """Whether it is a text, or a list of them, that may have no line breaks."""
    own = get_args(hint)[0] if kind is Kind.TEXTS else hint
    return kind in (Kind.TEXT, Kind.TEXTS) and own is not Id and (limit or _DEFAULT_LIMIT) <= _DEFAULT_LIMIT


def _is_text(hint: Any) -> bool:
    if get_origin(hint) is typing.Annotated:
        hint = get_args(hint)[0]
    return hint is str or (isinstance(hint, NewType) and hint.__supertype__ is str)
