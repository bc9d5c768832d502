"""
SQL text, parameter order and row reader of each plan and kind of write: made once, kept, run ever after.

SQLAlchemy Core writes the SQL. Building and compiling a statement costs twenty times what running it on the driver's cursor
does, so nothing is built while a store works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast
from weakref import WeakKeyDictionary

import attrs
import sqlalchemy as sa
from sqlalchemy.sql.dml import Update

from salescrm.backends.sql.compile import Compilation
from salescrm.backends.sql.flavor import Converter, Expression, Flavor
from salescrm.backends.sql.segments import segments
from salescrm.backends.sql.values import TENANT, Value
from salescrm.kinds import Kind
from salescrm.plans import After, AllOf, FindPlan, SortKey, TallyPlan
from salescrm.schema import Schema

__all__ = ["Bind", "Read", "Statement", "Statements", "picked_ids"]

#: From the tenant, the slots' values and, for a change, the new values to the driver's parameters.
Bind: TypeAlias = Callable[[str, Sequence[Any], Sequence[Any]], tuple[Any, ...]]
#: From the driver's rows to what the store gives back.
Read: TypeAlias = Callable[[Iterable[Sequence[Any]]], list[Any]]

_SET: Final = "set_"


@attrs.frozen
class Statement:
    """SQL for one shape."""

    text: str
    bind: Bind
    read: Read


class Statements:
    """
    Every statement of one backend, by what it is for.

    Thread-safe as dicts are: two threads may make the same statement once each.
    """

    def __init__(self, flavor: Flavor, tables: Mapping[str, sa.Table], dialect: sa.Dialect) -> None:
        self.flavor = flavor
        self.tables = tables
        self._dialect = dialect
        # A plan lives as long as the checker keeps it, and so does its statement.
        self._plans: WeakKeyDictionary[FindPlan | TallyPlan, Statement] = WeakKeyDictionary()
        self._variants: WeakKeyDictionary[FindPlan | TallyPlan, dict[tuple[Any, ...], Statement]] = (
            WeakKeyDictionary()
        )
        self._gets: dict[Schema, Statement] = {}
        self._readers: dict[Schema, Read] = {}

    def get(self, schema: Schema) -> Statement:
        """A record by its id, the only slot."""
        found = self._gets.get(schema)
        if found is None:
            made = self.making(schema)
            query = sa.select(*self._columns(made)).where(
                made.table.c.tenant == made.tenant,
                made.table.c.id == made.slot(0, made.table.c.id.type, None),
            )
            found = self._gets[schema] = self.finish(made, query, self.reader(schema))
        return found

    def find(self, plan: FindPlan) -> Statement:
        """The plan's records, or its columns."""
        found = self._plans.get(plan)
        if found is None:
            found = self._plans[plan] = self._find(plan)
        return found

    def tally(self, plan: TallyPlan, *, big_sums: bool = False) -> Statement:
        """The plan's groups; with *big_sums* its sums may pass 64 bits."""
        if big_sums:
            return self._of_plan(plan, ("big",), lambda: self._tally(plan, big_sums=True))
        found = self._plans.get(plan)
        if found is None:
            found = self._plans[plan] = self._tally(plan)
        return found

    def locked(self, plan: FindPlan, *, skip_locked: bool) -> Statement:
        """The plan's records, locked for a change by this transaction."""
        return self._of_plan(plan, ("lock", skip_locked), lambda: self._locked(plan, skip_locked))

    def update_ids(self, plan: FindPlan, names: tuple[str, ...]) -> Statement:
        """Sets the columns *names* in the records whose ids are in slot 0."""
        return self._of_plan(plan, ("ids", names), lambda: self._update_ids(plan.schema, names))

    def change(
        self, plan: FindPlan, names: tuple[str, ...], kinds: tuple[Schema, ...] = (), *, skip_locked: bool
    ) -> Statement:
        """
        Sets the columns *names* in the plan's records and gives them as they were: one statement of PostgreSQL's.

        If these are as many as the plan's limit it inserts a record of each of *kinds*: the values of all their columns
        come behind those of *names*.
        """
        key = (skip_locked, names, kinds)
        return self._of_plan(plan, key, lambda: self._change(plan, names, kinds, skip_locked))

    def _of_plan(
        self, plan: FindPlan | TallyPlan, key: tuple[Any, ...], make: Callable[[], Statement]
    ) -> Statement:
        kept = self._variants.setdefault(plan, {})
        found = kept.get(key)
        if found is None:
            found = kept[key] = make()
        return found

    # Making.

    def making(self, schema: Schema) -> Compilation:
        """A fresh compilation over *schema*."""
        return Compilation(self.flavor, self.tables, schema)

    def reader(self, schema: Schema) -> Read:
        """From rows of *schema*'s columns to its records."""
        found = self._readers.get(schema)
        if found is None:
            found = self._readers[schema] = schema.reader(self.flavor.read)
        return found

    def _columns(self, made: Compilation) -> list[Expression]:
        return [self.flavor.shown(made.table.c[one.name], one.kind) for one in made.schema.read_columns]

    def _shown(self, made: Compilation, plan: FindPlan) -> tuple[list[Expression], Read]:
        """What a row of *plan* shows, and what reads it."""
        if plan.columns is None:
            return self._columns(made), self.reader(plan.schema)
        values = [made.value(source) for source in plan.columns]
        columns = [
            self.flavor.shown(value.expression, value.kind)
            if isinstance(value.expression, sa.Column)
            else value.expression
            for value in values
        ]
        return columns, _row_reader(values)

    def _find(self, plan: FindPlan) -> Statement:
        made = self.making(plan.schema)
        columns, read = self._shown(made, plan)
        wheres = _ranges(made, plan)
        if len(wheres) == 1:
            query: Any = self.ordered(made, sa.select(*columns), wheres[0], plan)
            return self.finish(made, query.select_from(made.source()), read)
        # Each range is read in order from where it starts, up to the limit; the few rows are then put together.
        labelled = [column.label(f"c{n}") for n, column in enumerate(columns)]
        labelled += [made.table.c[key.column.name].label(f"o{n}") for n, key in enumerate(plan.order)]
        source = made.source()
        parts = [
            sa.select(self.ordered(made, sa.select(*labelled), where, plan).select_from(source).subquery())
            for where in wheres
        ]
        union = sa.union_all(*parts).subquery()
        query = sa.select(*[union.c[f"c{n}"] for n in range(len(columns))])
        query = query.order_by(*[self._sorted(union.c[f"o{n}"], key) for n, key in enumerate(plan.order)])
        return self.finish(made, self._limited(made, query, plan), read)

    def ordered(self, made: Compilation, query: Any, where: Expression, plan: FindPlan) -> Any:
        query = query.where(made.table.c.tenant == made.tenant, where)
        query = query.order_by(*[self._sorted(made.table.c[key.column.name], key) for key in plan.order])
        return self._limited(made, query, plan)

    def _limited(self, made: Compilation, query: Any, plan: FindPlan) -> Any:
        return query if plan.limit_slot is None else query.limit(self._limit(made, plan))

    def _limit(self, made: Compilation, plan: FindPlan) -> Expression:
        if plan.limit_slot is None:
            return sa.null()
        return made.slot(plan.limit_slot, sa.BigInteger(), self.flavor.write.get(Kind.WHOLE))

    def _sorted(self, column: Expression, key: SortKey) -> Any:
        ordered = column.desc() if key.descending else column.asc()
        if self.flavor.explicit_nulls and key.column.nullable:
            return ordered.nulls_last() if key.descending else ordered.nulls_first()
        return ordered

    def _tally(self, plan: TallyPlan, *, big_sums: bool = False) -> Statement:
        made = self.making(plan.schema)
        made.big_sums = big_sums
        values = [made.key(key) for key in plan.keys] + [made.number(number) for number in plan.numbers]
        where = made.holds(plan.where)
        query = sa.select(*[value.expression.label(f"v{n}") for n, value in enumerate(values)])
        query = query.select_from(made.source()).where(made.table.c.tenant == made.tenant, where)
        # By position: an engine can't know that two expressions with parameters are the same.
        query = query.group_by(*[sa.literal_column(str(n + 1)) for n in range(len(plan.keys))])
        return self.finish(made, query, _row_reader(values))

    def _locked(self, plan: FindPlan, skip_locked: bool) -> Statement:
        made = self.making(plan.schema)
        columns, read = self._shown(made, plan)
        query = self.ordered(made, sa.select(*columns), made.holds(plan.where), plan)
        query = query.select_from(made.source())
        return self.finish(made, self.for_update(made, query, skip_locked), read)

    def for_update(self, made: Compilation, query: Any, skip_locked: bool) -> Any:
        of = made.table if self.flavor.names_locked else None
        return query.with_for_update(skip_locked=skip_locked, of=of)

    def _update_ids(self, schema: Schema, names: tuple[str, ...]) -> Statement:
        made = self.making(schema)
        ids = self.flavor.element_of(
            made.table.c.id, made.table.c.id.type, lambda type_, convert: made.slot(0, type_, convert), None
        )
        update = self._update(made, names).where(made.table.c.tenant == made.tenant, ids)
        return self.finish(made, update, _no_rows, self._changed(schema, names))

    def _change(
        self, plan: FindPlan, names: tuple[str, ...], kinds: tuple[Schema, ...], skip_locked: bool
    ) -> Statement:
        made = self.making(plan.schema)
        columns, read = self._shown(made, plan)
        query = self.ordered(made, sa.select(*columns), made.holds(plan.where), plan)
        picked = self.for_update(made, query.select_from(made.source()), skip_locked).cte("picked")
        # Not joined with what was picked: before the first ANALYZE the planner takes a tenant for a handful of records, and
        # reads all of them again for each one picked.  All of those are locked, so what they were is what was changed.
        update = self._update(made, names).where(
            made.table.c.tenant == made.tenant, made.table.c.id == picked_ids(picked)
        )
        changing = sa.select(*picked.c).add_cte(update.cte("changed"))
        bound = self._changed(plan.schema, names)
        if kinds:
            counted: Any = sa.select(sa.literal_column("1")).select_from(picked)
            all_of_them = counted.having(sa.func.count() == self._limit(made, plan)).cte("all_of_them")
            for at, schema in enumerate(kinds):
                table, filled = self.tables[schema.collection], [column.name for column in schema.columns]
                cells = [sa.bindparam(f"w{at}_{name}", type_=table.c[name].type) for name in filled]
                insert = sa.insert(table).from_select(filled, sa.select(*cells).select_from(all_of_them))
                changing = changing.add_cte(insert.cte(f"w{at}"))
                bound |= {f"w{at}_{name}": (len(bound) + n, None) for n, name in enumerate(filled)}
        return self.finish(made, changing, read, bound)

    def _update(self, made: Compilation, names: tuple[str, ...]) -> Update:
        table = made.table
        new = {name: sa.bindparam(f"{_SET}{name}", type_=table.c[name].type) for name in names}
        return sa.update(table).values(**new, version=table.c.version + sa.literal_column("1"))

    def _changed(self, schema: Schema, names: tuple[str, ...]) -> dict[str, tuple[int, Converter | None]]:
        kinds = schema.by_column
        return {
            f"{_SET}{name}": (at, self.flavor.write.get(kinds[name].kind)) for at, name in enumerate(names)
        }

    def finish(
        self,
        made: Compilation,
        statement: sa.ClauseElement,
        read: Read,
        changed: Mapping[str, tuple[int, Converter | None]] | None = None,
    ) -> Statement:
        """*statement* as text, with what binds its parameters."""
        text, order, constants = self.text(statement)
        return Statement(text, _binder(order, made.slots, changed or {}, constants), read)

    def text(self, statement: sa.ClauseElement) -> tuple[str, Sequence[str], Mapping[str, Any]]:
        """*statement* as the driver takes it, the names of its parameters in order, and those that SQLAlchemy gave a value."""
        compiled: Any = statement.compile(dialect=self._dialect)
        return str(compiled), compiled.positiontup or (), compiled.params


def _ranges(made: Compilation, plan: FindPlan) -> list[Expression]:
    """The plan's condition, once for each range in which its page goes on (see `segments`)."""
    parts = plan.where.parts if isinstance(plan.where, AllOf) else (plan.where,)
    afters = [part for part in parts if isinstance(part, After)]
    if len(afters) != 1 or plan.limit_slot is None:
        return [made.holds(plan.where)]
    rest = made.holds(AllOf(tuple(part for part in parts if part is not afters[0])))
    return [sa.and_(rest, made.within(one)) for one in segments(afters[0])]


def picked_ids(picked: sa.CTE) -> Expression:
    """The ids of the records *picked*, as PostgreSQL's array: gathered once, then each is looked up by its key."""
    return sa.func.any(sa.func.array(sa.select(picked.c.id).scalar_subquery()))


def _no_rows(rows: Iterable[Sequence[Any]]) -> list[Any]:
    return []


def _binder(
    order: Sequence[str],
    slots: Mapping[str, tuple[int, Converter | None]],
    changed: Mapping[str, tuple[int, Converter | None]],
    constants: Mapping[str, Any],
) -> Bind:
    """One expression that lays the parameters out: no loop and no lookup by name while a store works."""
    names: dict[str, Any] = {}
    cells = []
    for at, name in enumerate(order):
        if name == TENANT:
            cells.append("tenant")
            continue
        if name in slots or name in changed:
            origin, (index, convert) = ("values", slots[name]) if name in slots else ("new", changed[name])
            cell = f"{origin}[{index}]"
            if convert is not None:
                names[f"to{at}"] = convert
                none_guard = f"None if {cell} is None else " if origin == "new" else ""
                cell = f"({none_guard}to{at}({cell}))"
        else:
            names[f"constant{at}"] = constants[name]
            cell = f"constant{at}"
        cells.append(cell)
    source = f"lambda tenant, values, new: ({''.join(cell + ', ' for cell in cells)})"
    return cast(Bind, eval(source, names))  # noqa: S307 - made of our own names


def _row_reader(values: Sequence[Value]) -> Read:
    """From rows to tuples of plain values."""
    converted = [(at, value.out, value.nullable) for at, value in enumerate(values) if value.out is not None]
    if not converted:
        return lambda rows: list(map(tuple, rows))
    names = {f"from{at}": out for at, out, _ in converted}
    cells = [f"r[{at}]" for at in range(len(values))]
    for at, _, nullable in converted:
        cell = f"from{at}(r[{at}])"
        cells[at] = f"(None if r[{at}] is None else {cell})" if nullable else cell
    source = f"lambda rows: [({', '.join(cells)},) for r in rows]"
    return cast(Read, eval(source, names))  # noqa: S307 - made of our own names
