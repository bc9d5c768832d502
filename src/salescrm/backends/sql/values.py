"""
What a plan's sources are in SQL: columns, columns of a followed record, custom fields, spans; and the slots beside them.

Conditions over them are in `compile`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final, assert_never

import attrs
import sqlalchemy as sa
from sqlalchemy.sql.selectable import FromClause
from sqlalchemy.types import TypeEngine

from salescrm.backends.sql.flavor import Converter, Expression, Flavor
from salescrm.backends.sql.types import type_of
from salescrm.kinds import Kind
from salescrm.plans import Follow, Ref, Source, SpanRef
from salescrm.schema import Schema

__all__ = ["TENANT", "Value", "Values", "whole"]

#: The bound parameter that every statement has.
TENANT: Final = "tenant"
#: A custom field is kept in JSON: days as text there, on every engine.
_EXTRA_OUT: Final[Mapping[Kind, Converter]] = {Kind.DAY: date.fromisoformat, Kind.FLAG: bool}
_EXTRA_TYPES: Final[Mapping[Kind, TypeEngine[Any]]] = {Kind.WHOLE: sa.BigInteger(), Kind.FLAG: sa.Boolean()}


@attrs.frozen
class Value:
    """A source as SQL: its type for parameters that stand beside it, and how values go in and come out."""

    expression: Expression
    kind: Kind
    nullable: bool
    type: TypeEngine[Any]
    into: Converter | None
    out: Converter | None


@attrs.define
class Values:
    """What one statement over *schema* needs while it is made: its table, its joins, its slots."""

    flavor: Flavor
    tables: Mapping[str, sa.Table]
    schema: Schema
    #: By the name of a bound parameter: the slot, and what makes the parameter of its value.
    slots: dict[str, tuple[int, Converter | None]] = attrs.field(factory=dict)
    _joins: dict[str, tuple[Follow, FromClause]] = attrs.field(factory=dict)

    @property
    def table(self) -> sa.Table:
        """The table of the records themselves."""
        return self.tables[self.schema.collection]

    @property
    def tenant(self) -> sa.BindParameter[str]:
        """The store's tenant."""
        return sa.bindparam(TENANT, type_=self.table.c.tenant.type)

    def source(self) -> FromClause:
        """The table, joined to each record that was followed; ask when everything else has been compiled."""
        joined: FromClause = self.table
        for follow, target in self._joins.values():
            here = sa.and_(target.c.tenant == self.tenant, target.c.id == self.table.c[follow.column.name])
            joined = joined.outerjoin(target, here)
        return joined

    def slot(
        self, slot: int, type_: TypeEngine[Any], convert: Converter | None, part: str = ""
    ) -> sa.BindParameter[Any]:
        """The parameter that *slot*'s value goes into, through *convert*; *part* tells two of one slot apart."""
        name = f"s{slot}{part}"
        self.slots[name] = (slot, convert)
        return sa.bindparam(name, type_=type_)

    def value(self, source: Source) -> Value:
        """*source* as SQL."""
        match source:
            case Ref():
                return self._ref(source)
            case SpanRef(start, end):
                first, last = self._ref(start), self._ref(end)
                kind = Kind.DAY if first.kind is Kind.DAY else Kind.MOMENT
                span = self.flavor.milliseconds(first.expression, last.expression, kind)
                nullable, into = first.nullable or last.nullable, self.flavor.write.get(Kind.WHOLE)
                return Value(span, Kind.WHOLE, nullable, sa.BigInteger(), into, whole)
            case _:
                assert_never(source)

    def _ref(self, ref: Ref) -> Value:
        flavor, column = self.flavor, ref.column
        if ref.follow is None:
            stored: Expression = self.table.c[column.name]
        else:
            stored = self._followed(ref.follow).c[column.name]
        if ref.key is not None:
            expression = flavor.custom(stored, ref.key, ref.kind)
            into = date.isoformat if ref.kind is Kind.DAY else flavor.write.get(ref.kind)
            out = _EXTRA_OUT.get(ref.kind)
            return Value(expression, ref.kind, True, _EXTRA_TYPES.get(ref.kind, sa.Text()), into, out)
        kind = column.kind
        nullable = column.nullable or ref.follow is not None
        return Value(stored, kind, nullable, type_of(column), flavor.write.get(kind), flavor.read.get(kind))

    def _followed(self, follow: Follow) -> FromClause:
        if follow.name not in self._joins:
            target = self.tables[follow.schema.collection].alias(f"{follow.name}_")
            self._joins[follow.name] = (follow, target)
        return self._joins[follow.name][1]


def whole(value: Any) -> int:
    return int(value)
