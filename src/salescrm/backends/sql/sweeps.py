"""
SQL of sweeps: records changed and rows written beside them without one of them leaving the engine.

PostgreSQL does it in one statement of data-modifying CTEs.  SQLite picks once into a temporary table what the rows tell of,
for each INSERT would else read the wide records again, and its WHERE would see what the one before has written.  JSON is
put together as text, from pieces: the constant ones go in as parameters, so that a shape's SQL is the same whatever they
say, and no JSON function copies an object once per key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias, assert_never

import attrs
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from salescrm.backends.sql.codecs import to_json
from salescrm.backends.sql.compile import Compilation
from salescrm.backends.sql.flavor import Expression, Flavor
from salescrm.backends.sql.statements import Statement, Statements, picked_ids
from salescrm.backends.sql.types import type_of
from salescrm.kinds import Kind
from salescrm.plans import FindPlan
from salescrm.schema import Column, Schema
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
    was_columns,
)

__all__ = ["PICKED", "sweeping"]

#: SQLite's temporary table; a connection has one sweep at a time.
PICKED: Final = "salescrm_picked"

Piece: TypeAlias = str | Expression


@attrs.define
class _Parameters:
    """The values that go beside a sweep's slots, in the order in which its SQL names them: `Bind` calls them *new*."""

    flavor: Flavor
    values: list[Any] = attrs.field(factory=list)
    named: dict[str, tuple[int, None]] = attrs.field(factory=dict)

    def column(self, column: Column, value: Any) -> sa.BindParameter[Any]:
        """A plain *value* as *column* holds it."""
        convert = self.flavor.write.get(column.kind)
        stored = value if value is None or convert is None else convert(value)
        return self._add(stored, type_of(column))

    def text(self, value: str) -> sa.BindParameter[Any]:
        """A piece of text."""
        return self._add(value, sa.Text())

    def _add(self, value: Any, type_: Any) -> sa.BindParameter[Any]:
        name = f"p{len(self.values)}_"
        self.named[name] = (len(self.values), None)
        self.values.append(value)
        return sa.bindparam(name, type_=type_)


def sweeping(
    statements: Statements,
    plan: FindPlan,
    values: Mapping[str, Any],
    rows: Sequence[RowTemplate],
    *,
    skip_locked: bool,
) -> tuple[tuple[Statement, ...], tuple[Any, ...]]:
    """
    The statements of a sweep in their order, and the parameters that go beside the tenant and the plan's values.

    The walk that writes the SQL lays the parameters out, so both are made anew each time: some milliseconds, beside the
    thousands of records that a sweep is for.  The last of SQLite's statements counts the records by what it meets,
    PostgreSQL's one by what it gives.
    """
    sweep = _Sweep(statements, plan, values, tuple(rows), skip_locked=skip_locked)
    made = sweep.in_one() if statements.flavor.name == "postgresql" else sweep.in_steps()
    return made, tuple(sweep.parameters.values)


class _Sweep:
    """One sweep while it is put together."""

    def __init__(
        self,
        statements: Statements,
        plan: FindPlan,
        values: Mapping[str, Any],
        rows: tuple[RowTemplate, ...],
        *,
        skip_locked: bool,
    ) -> None:
        self._statements = statements
        self._flavor = statements.flavor
        self._json = _JSON_TEXT[self._flavor.name]
        self._plan = plan
        self._schema: Schema = plan.schema
        self._values = values
        self._rows = rows
        self._skip_locked = skip_locked
        self.parameters = _Parameters(self._flavor)
        sources = [one for row in rows for one in _flat(row.columns)]
        self._tells_changes = any(isinstance(one, Changes) for one in sources)
        self._fired = tuple(dict.fromkeys(one for one in sources if isinstance(one, Fired)))

    # PostgreSQL.

    def in_one(self) -> tuple[Statement, ...]:
        made = self._statements.making(self._schema)
        query = self._picking(made)
        picked = self._statements.for_update(made, query, self._skip_locked).cte("picked")
        table = made.table
        update = self._update(made).where(table.c.tenant == made.tenant, table.c.id == picked_ids(picked))
        number = sa.func.row_number().over().label("n_")
        numbered = sa.select(number, *picked.c).cte("numbered")
        counting: Any = sa.select(sa.func.count()).select_from(numbered)
        counting = counting.add_cte(update.cte("changed"))
        for at, row in enumerate(self._rows):
            counting = counting.add_cte(self._insert(row, numbered).cte(f"row{at}"))
        return (self._finish(made, counting),)

    # SQLite.

    def in_steps(self) -> tuple[Statement, ...]:
        made = self._statements.making(self._schema)
        inner = self._picking(made).subquery()
        number = sa.func.row_number().over().label("n_")
        picking = self._finish(made, sa.select(number, *inner.c))
        picking = attrs.evolve(picking, text=f"CREATE TEMP TABLE {PICKED} AS {picking.text}")
        picked = sa.table(PICKED, *[sa.column(one.name, one.type) for one in inner.c], sa.column("n_"))
        inserts = []
        for row in self._rows:
            inserting = self._statements.making(self._schema)
            inserts.append(self._finish(inserting, self._insert(row, picked)))
        updating = self._statements.making(self._schema)
        table = updating.table
        update = self._update(updating).where(
            table.c.tenant == updating.tenant, table.c.id.in_(sa.select(picked.c.id))
        )
        return (picking, *inserts, self._finish(updating, update))

    # Their parts.

    def _finish(self, made: Compilation, statement: Any) -> Statement:
        return self._statements.finish(made, statement, list, self.parameters.named)

    def _picking(self, made: Compilation) -> Any:
        """What the rows tell of, of each record that the plan holds for."""
        table = made.table
        names = tuple(dict.fromkeys(("id", "version", *was_columns(self._rows))))
        columns: list[Expression] = [table.c[name] for name in names]
        if self._tells_changes:
            columns.append(self._changes(table).label("changes_"))
        for at, fired in enumerate(self._fired):
            columns.append(self._held(made, fired).label(f"fired{at}_"))
        where = made.holds(self._plan.where)
        query = self._statements.ordered(made, sa.select(*columns), where, self._plan)
        return query.select_from(made.source())

    def _update(self, made: Compilation) -> Any:
        kinds = self._schema.by_column
        table = made.table
        new = {name: self.parameters.column(kinds[name], value) for name, value in self._values.items()}
        return sa.update(table).values(**new, version=table.c.version + sa.literal_column("1"))

    def _insert(self, row: RowTemplate, picked: Any) -> Any:
        table = self._statements.tables[row.schema.collection]
        names = [column.name for column in row.schema.columns]
        cells = [self._cell(column, row.columns[column.name], picked) for column in row.schema.columns]
        return sa.insert(table).from_select(names, sa.select(*cells).select_from(picked))

    def _cell(self, column: Column, source: RowSource, picked: Any) -> Expression:
        """What fills *column*."""
        match source:
            case Constant(value):
                return self.parameters.column(column, value)
            case Was(name):
                return picked.c[name]  # type: ignore[no-any-return]  # a column
            case NewVersion():
                return picked.c.version + sa.literal_column("1")  # type: ignore[no-any-return]  # as said
            case RunningId(prefix):
                return self._numbered(prefix, picked)
            case Fired() if column.kind is Kind.TEXTS:
                return picked.c[self._name(source)]  # type: ignore[no-any-return]  # as said
            case Fired() | Changes() | Object():
                return self._json.stored(self._text(self._pieces(source, picked)))
            case _:
                assert_never(source)

    def _numbered(self, prefix: str, picked: Any) -> Expression:
        return self._text([f"{prefix}-", self._json.number(picked.c.n_)])

    def _pieces(self, source: RowSource, picked: Any) -> list[Piece]:
        """*source* as JSON text, in pieces."""
        match source:
            case Constant(value):
                return [to_json(value)]
            case Was(name):
                return [self._as_text(picked.c[name], self._schema.by_column[name].kind)]
            case NewVersion():
                return [sa.cast(picked.c.version + sa.literal_column("1"), sa.Text())]
            case RunningId(prefix):
                return ['"', self._numbered(prefix, picked), '"']
            case Fired():
                return [self._json.of(picked.c[self._name(source)], Kind.TEXTS)]
            case Changes():
                return [picked.c.changes_]
            case Object(parts):
                pieces: list[Piece] = ["{"]
                for at, (key, part) in enumerate(parts.items()):
                    pieces += [("," if at else "") + to_json(key) + ":", *self._pieces(part, picked)]
                return [*pieces, "}"]
            case _:
                assert_never(source)

    def _name(self, fired: Fired) -> str:
        return f"fired{self._fired.index(fired)}_"

    def _as_text(self, column: Expression, kind: Kind) -> Expression:
        return sa.func.coalesce(self._json.of(column, kind), _as_is("null"))

    def _changes(self, table: sa.Table) -> Expression:
        """The JSON object of what differs, as text."""
        parts: list[Piece] = []
        for column in told_columns(self._schema, self._values):
            stored, value = table.c[column.name], self._values[column.name]
            was = self._as_text(stored, column.kind)
            told = self._text(
                [f",{to_json(column.name)}:[", was, f",{to_json(as_json(column.kind, value))}]"]
            )
            differs = stored.is_distinct_from(self.parameters.column(column, value))
            parts.append(sa.case((differs, told), else_=_as_is("")))
        return self._listed("{", parts, "}")

    def _held(self, made: Compilation, fired: Fired) -> Expression:
        """The keys whose flags hold, as a column holds a list of text."""
        text = self.parameters.text
        cases = [(key, made.holds(flag)) for key, flag in zip(fired.keys, self._plan.flags, strict=True)]
        if self._flavor.name == "postgresql":
            elements = [sa.case((holds, text(key))) for key, holds in cases]
            listed = sa.cast(postgresql.array(elements), postgresql.ARRAY(sa.Text()))
            return sa.func.array_remove(listed, sa.null(), type_=postgresql.ARRAY(sa.Text()))
        parts = [sa.case((holds, text("," + to_json(key))), else_=_as_is("")) for key, holds in cases]
        return self._listed("[", parts, "]")

    def _listed(self, opening: str, parts: Sequence[Piece], closing: str) -> Expression:
        """*parts*, each of which has a comma before it if it is there, without the first comma."""
        inside = sa.func.ltrim(self._text(parts or [""]), _as_is(","))
        return self._text([opening, inside, closing])

    def _text(self, pieces: Sequence[Piece]) -> Expression:
        """*pieces* as one text; neighbours that are constant are one parameter."""
        merged: list[Piece] = []
        for piece in pieces:
            if isinstance(piece, str) and merged and isinstance(merged[-1], str):
                merged[-1] += piece
            else:
                merged.append(piece)
        whole: Any = None
        for piece in merged:
            part = self.parameters.text(piece) if isinstance(piece, str) else piece
            whole = part if whole is None else whole.op("||", return_type=sa.Text())(part)
        return whole  # type: ignore[no-any-return]  # an expression


def _flat(parts: Mapping[str, RowSource]) -> list[RowSource]:
    return [
        one for part in parts.values() for one in (_flat(part.parts) if isinstance(part, Object) else [part])
    ]


@attrs.frozen
class _JsonText:
    """How an engine writes JSON: *of* a column as text (null of a null), text as it is *stored*; and a running *number*."""

    of: Callable[[Expression, Kind], Expression]
    stored: Callable[[Expression], Expression]
    number: Callable[[Expression], Expression]


def _sqlite_of(column: Expression, kind: Kind) -> Expression:
    match kind:
        case Kind.FLAG:
            return sa.case((column.is_(None), sa.null()), (column, _as_is("true")), else_=_as_is("false"))
        case Kind.TEXTS | Kind.NESTED | Kind.EXTRA:
            return column  # which is JSON text
        case _:
            return sa.func.json_quote(column)


def _postgres_of(column: Expression, kind: Kind) -> Expression:
    match kind:
        case Kind.MOMENT:
            in_utc = sa.func.timezone(_as_is("UTC"), column)
            return sa.func.to_char(in_utc, _as_is(r'"\""YYYY-MM-DD"T"HH24:MI:SS.MS"+00:00\""'))
        case Kind.DAY:
            return sa.func.to_char(column, _as_is(r'"\""YYYY-MM-DD"\""'))
        case Kind.WHOLE | Kind.FLAG | Kind.NESTED | Kind.EXTRA:
            return sa.cast(column, sa.Text())
        case _:
            return sa.cast(sa.func.to_json(column), sa.Text())


def _as_is(text: str) -> Expression:
    """*text*, which is ours and has no quote, as a literal."""
    return sa.literal_column(f"'{text}'", sa.Text())


_JSON_TEXT: Final[Mapping[str, _JsonText]] = MappingProxyType(
    {
        "sqlite": _JsonText(
            _sqlite_of, lambda text: text, lambda number: sa.func.printf(_as_is("%012x"), number)
        ),
        "postgresql": _JsonText(
            _postgres_of,
            lambda text: sa.cast(text, postgresql.JSONB()),
            lambda number: sa.func.lpad(sa.func.to_hex(number), sa.literal_column("12"), _as_is("0")),
        ),
    }
)
