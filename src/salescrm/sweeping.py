"""
`Repository.sweep`: many records changed at once, with what goes with each, inside the engine where nobody listens.

The domain says once what goes with a change: a function from a record as it was to entities and events.  Called with a
record of symbols it gives the templates that `Store.sweep` takes; where a plugin listens, it is called with each record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeAlias, cast

import attrs

from salescrm import jsonable
from salescrm.checking import Context
from salescrm.codegen import STAMPED
from salescrm.entities import ChangeEntry, OutboxEvent, Record
from salescrm.entities.base import RecordT
from salescrm.errors import InvalidQuestion
from salescrm.events import Event
from salescrm.kinds import Kind
from salescrm.meaning import condition
from salescrm.plans import Asked
from salescrm.query import F, Where
from salescrm.query.fields import OrderLike
from salescrm.reading import Reader, orders
from salescrm.schema import Column, Schema
from salescrm.sweeps import (
    UNSWEPT,
    Changes,
    Constant,
    Fired,
    NewVersion,
    Object,
    RowSource,
    RowTemplate,
    RunningId,
    Was,
)
from salescrm.whole import whole

if TYPE_CHECKING:
    from salescrm.repository import Repository

__all__ = ["Going", "Sweeping", "templates"]

#: What goes with the change of a record as it was, and the keys of the flags that held for it.
Going: TypeAlias = Callable[[RecordT, tuple[str, ...]], Iterable[Event | Record]]

#: Records changed at a time where plugins are told of each.
_BATCH: Final = 1_000


class Sweeping(Reader[RecordT]):
    """The part of a repository that changes any number of records at once."""

    @whole
    def sweep(
        self,
        where: Where,
        values: Mapping[str, Any],
        *,
        follow: Going[RecordT],
        flags: Mapping[str, Where] = MappingProxyType({}),
        order: Iterable[OrderLike | str] = (),
        limit: int | None = None,
        context: Context | None = None,
        skip_locked: bool = True,
    ) -> int:
        """
        As `change`, for any number of records and inside the engine where no plugin listens; how many were changed.

        Of more than *limit* the first in *order* are; any of them, without an order.

        *follow* gives what goes with the change of a record as it was, and with the keys of those *flags* that held:
        events, and lines of a ledger.  It may only pass on what it is given, for it is called with what stands for the
        values of every record.  Relative moments are those of *context*, if given.  With *skip_locked* false it waits for
        records that others hold just now.

        Raises:
            TypeError: *follow* looks into a value.
        """
        unit, schema = self.unit, self.schema
        store = unit.reading()
        fixed = values.keys() & {*schema.searchable, *STAMPED}
        if fixed:
            raise InvalidQuestion(
                f"{', '.join(sorted(fixed))} can't be changed in many records at once; save each"
            )
        context = context or unit.context
        hooks, scope = unit.kit.hooks, self._scope("save")
        asked = self._checker.sweep(
            schema, where, (*flags.values(),), orders(order), limit, context, scope=scope
        )
        columns = schema.spread({**values, "updated_at": unit.context.now, "updated_by": unit.member})
        whole_repository = cast("Repository[RecordT]", self)
        # Made even where plugins listen: what can't go inside the engine must not depend on who is plugged in.
        rows = templates(whole_repository, follow, (*flags,))
        if (
            hooks.listens
            or scope is not None
            or any(schema.by_column[name].kind in UNSWEPT for name in columns)
        ):
            return _one_by_one(
                whole_repository, where, values, follow, (*flags,), asked, context, skip_locked=skip_locked
            )
        unit.wrote()
        return store.sweep(asked, columns, rows, skip_locked=skip_locked)


def _one_by_one(
    repository: Repository[RecordT],
    where: Where,
    values: Mapping[str, Any],
    follow: Going[RecordT],
    keys: tuple[str, ...],
    asked: Asked,
    context: Context,
    *,
    skip_locked: bool,
) -> int:
    """The same by `change`, which tells plugins of each record and asks whether the member may save it."""
    schema, store = repository.schema, repository.unit.reading()
    tests = [(key, condition(schema, flag)) for key, flag in zip(keys, asked.plan.flags, strict=True)]

    def going(old: RecordT, new: RecordT) -> Iterable[Event | Record]:
        return follow(old, tuple(key for key, holds in tests if holds(old, asked.values, store.get)))

    # By id: what was changed may match again, and is not to be changed again.
    ids = [record.id for part in store.stream(asked, size=_BATCH) for record in part]
    changed = 0
    for start in range(0, len(ids), _BATCH):
        some = where & F.id.one_of(ids[start : start + _BATCH])
        changed += len(
            repository.change(
                some, values, limit=_BATCH, follow=going, context=context, skip_locked=skip_locked
            )
        )
    return changed


def templates(
    repository: Repository[RecordT], follow: Going[RecordT], keys: tuple[str, ...]
) -> tuple[RowTemplate, ...]:
    """
    The rows that go with each record swept: what *follow* gives, and its entry in the change log.

    Raises:
        TypeError: *follow* does something with a value of the record that only a known value can do.
    """
    unit, schema = repository.unit, repository.schema
    fired = cast("tuple[str, ...]", _Symbol("the fired flags", Fired(keys), None))
    symbolic = _SymbolicRecord(schema, None)
    gone = [*follow(cast(RecordT, symbolic), fired)]
    # "is None" asks nothing of a symbol, so it can't refuse: what is said of nothing must be what is said of anything.
    for name in symbolic.nullable:
        of_none = [*follow(cast(RecordT, _SymbolicRecord(schema, name)), fired)]
        if not _same(gone, of_none, Was(name)):
            raise TypeError(
                f"{schema.name}.{name} is not known while a sweep is prepared, so nothing may depend on it"
            )
    now, member = unit.context.now, unit.member
    entry = ChangeEntry(
        id=unit.new_id(),
        tenant=unit.tenant,
        version=1,
        created_at=now,
        created_by=member,
        updated_at=now,
        updated_by=member,
        entity=schema.collection,
        record_id=_symbol(schema, "id"),
        kind="saved",
        record_version=cast(int, _Symbol("version", NewVersion(), None)),
        changes=cast("Mapping[str, Any]", _Symbol("the changes", Changes(), None)),
    )
    told = [_told(repository, one) if isinstance(one, Event) else one for one in gone]
    return tuple(_template(repository, one) for one in (entry, *told))


class _Symbol:
    """Stands for a value that is not known yet: it can be put into a field, and nothing else."""

    __slots__ = ("column", "name", "source")

    def __init__(self, name: str, source: RowSource, column: Column | None) -> None:
        self.name = name
        self.source = source
        self.column = column

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError(f"{self.name} is not known while a sweep is prepared; it can only be passed on")

    __bool__ = __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __hash__ = _refuse
    __str__ = __repr__ = __format__ = __len__ = __iter__ = __getitem__ = __contains__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _refuse
    __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = __or__ = __ror__ = __and__ = __rand__ = _refuse
    __neg__ = __abs__ = __int__ = __float__ = __index__ = __call__ = _refuse
    __getattr__ = _refuse


class _SymbolicRecord:
    """A record of symbols, but None under one *name*; *nullable* are the fields read from it that may be missing."""

    def __init__(self, schema: Schema, none: str | None) -> None:
        self._schema = schema
        self._none = none
        self.nullable: dict[str, None] = {}

    def __getattr__(self, name: str) -> Any:
        field = self._schema.fields.get(name)
        if field is None:
            raise TypeError(f"{self._schema.name}.{name} can't be used while a sweep is prepared")
        if name == self._none:
            return None
        if field.nullable:
            self.nullable[name] = None
        return _symbol(self._schema, name)


def _symbol(schema: Schema, name: str) -> Any:
    field = schema.fields[name]
    column = field.columns[0]
    if column.kind is not field.kind:
        raise TypeError(
            f"{schema.name}.{name} can't be passed on in a sweep: it is kept as {column.kind.value}"
        )
    return _Symbol(f"{schema.name}.{name}", Was(name), column)


def _same(one: Any, other: Any, none: Was) -> bool:
    """Whether two answers of a follow function are the same, but that *none* is None in the *other*."""
    if isinstance(one, _Symbol):
        if isinstance(other, _Symbol):
            return one.source == other.source
        return other is None and one.source == none
    if isinstance(other, _Symbol) or type(one) is not type(other):
        return False
    if attrs.has(type(one)):
        names = [field.name for field in attrs.fields(type(one))]
        return all(_same(getattr(one, name), getattr(other, name), none) for name in names)
    if isinstance(one, Mapping):
        return [*one] == [*other] and all(_same(value, other[key], none) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(
            _same(left, right, none) for left, right in zip(one, other, strict=True)
        )
    return bool(one == other)


def _told(repository: Repository[Any], event: Event) -> OutboxEvent:
    """The outbox row of *event*, whose data may hold symbols."""
    data = {field.name: getattr(event, field.name) for field in attrs.fields(type(event))}
    record_id = data.pop("record_id")
    unit = repository.unit
    return OutboxEvent(
        id=unit.new_id(),
        **repository.stamps,
        name=event.name,
        entity=event.entity,
        record_id=record_id,
        data=data,
        due_at=unit.context.now,
    )


def _template(repository: Repository[Any], record: Record) -> RowTemplate:
    """*record*, stamped, as a source for each column of its row."""
    unit = repository.unit
    schema = unit.kit.by_record[type(record)]
    if schema.searchable:
        raise TypeError(f"{schema.name} records can be searched for, so each must be added by itself")
    columns: dict[str, RowSource] = {}
    stamps = {"id": None, **repository.stamps}
    for name, field in schema.fields.items():
        value = stamps[name] if name in stamps else getattr(record, name)
        if name == "id":
            columns[name] = RunningId(unit.new_id())
        elif isinstance(value, _Symbol):
            _check_fits(schema, field.columns[0], field.kind, value)
            columns[name] = value.source
        elif field.kind is Kind.NESTED and _has_symbols(value):
            columns[name] = _json(value)
        else:
            columns |= {key: Constant(plain) for key, plain in schema.spread({name: value}).items()}
    return RowTemplate(schema, columns)


def _check_fits(schema: Schema, into: Column, kind: Kind, symbol: _Symbol) -> None:
    came = symbol.column
    match symbol.source:
        case Was() if came is not None:
            alike = came.kind is kind or (came.kind.is_textual and kind.is_textual)
            fits = alike and (into.limit is None or (came.limit is not None and came.limit <= into.limit))
            fits = fits and (kind is not Kind.CHOICE or {*came.choices} <= {*into.choices} != set())
        case Fired():
            fits = kind in (Kind.TEXTS, Kind.NESTED)
        case NewVersion():
            fits = kind is Kind.WHOLE
        case _:
            fits = kind is Kind.NESTED
    if not fits:
        raise TypeError(f"{symbol.name} does not fit {schema.name}.{into.name}")


def _has_symbols(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_has_symbols(one) for one in value.values())
    if isinstance(value, list | tuple):
        return any(_has_symbols(one) for one in value)
    return isinstance(value, _Symbol)


def _json(value: Any) -> RowSource:
    """*value* as JSON, with sources where it has symbols."""
    if isinstance(value, _Symbol):
        return value.source
    if isinstance(value, Mapping):
        return Object({str(key): _json(one) for key, one in value.items()})
    if _has_symbols(value):
        raise TypeError("a list can't hold values that are not known while a sweep is prepared")
    return Constant(jsonable.unstructure(value))
