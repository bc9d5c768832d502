"""The checker: question in, plan with values out; plans are made once per shape of question and kept."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from threading import Lock
from typing import Any, Final, TypeVar, cast

import attrs

from salescrm.checking.conditions import Conditions, Slot
from salescrm.checking.cursors import Cursors
from salescrm.checking.literals import Context
from salescrm.checking.numbers import Finish, Numbers, no_conversion
from salescrm.errors import InvalidQuestion, fact
from salescrm.kinds import Kind
from salescrm.plans import After, AllOf, Asked, AskedTally, FindPlan, InBucket, SortKey, TallyPlan
from salescrm.query.nodes import Bucket, Measure, Operand, Order, Query, Shape, Tally, Where, shape
from salescrm.schema import Schema

__all__ = ["Checker", "Limits"]

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Limits:
    """How much one question may ask for; *plans* is how many shapes are kept."""

    page: int = 10_000
    plans: int = 2_000


@attrs.frozen
class _Kept:
    """A plan, how its slots are filled, and how its rows are finished."""

    plan: Any
    slots: tuple[Slot, ...]
    finish: Finish = no_conversion


class Checker:
    """
    Checks questions against *schemas* (by collection) and keeps a plan per shape.

    Thread-safe: two threads may make the same plan once each; the later one is kept.
    """

    def __init__(
        self, schemas: Mapping[str, Schema], cursors: Cursors, limits: Limits = Limits()
    ) -> None:  # frozen
        self._schemas = schemas
        self._cursors = cursors
        self._limits = limits
        self._plans: dict[Hashable, _Kept] = {}
        self._keeping = Lock()

    def find(
        self, schema: Schema, query: Query, context: Context, *, scope: Where | None = None, more: int = 0
    ) -> Asked:
        """The plan and values of *query*, within *scope*; its limit is *more* than asked, to see if a page follows."""
        literals: list[object] = []
        asked = self._shape(query.where, literals)
        scoped = self._shape(scope, literals) if scope is not None else None
        if type(query.limit) is not int or not 0 <= query.limit <= self._limits.page:
            raise InvalidQuestion(
                f"limit is {fact(query.limit)}; a whole number from 0 to {self._limits.page} is wanted"
            )
        after: tuple[Any, ...] | None = None
        if query.after is not None:
            after = self._cursors.read(schema, query, self._sorted(schema, query.order))
        nulls = tuple(value is None for value in after) if after is not None else None
        key = ("find", schema.collection, asked, scoped, query.order, nulls)
        kept = self._kept(key)
        if kept is None:
            kept = self._keep(key, self._find_plan(schema, query, scope, nulls))
        values = [slot.convert(literals[slot.literal], context) for slot in kept.slots]
        if after is not None:
            values += after
        values.append(query.limit + more)
        return Asked(kept.plan, values)

    def all(
        self,
        schema: Schema,
        where: Where,
        order: Sequence[Order],
        context: Context,
        *,
        scope: Where | None = None,
    ) -> Asked:
        """The plan and values for every record that *where* holds for, without a limit."""
        literals: list[object] = []
        key = (
            "all",
            schema.collection,
            self._shape(where, literals),
            self._shape(scope, literals) if scope is not None else None,
            tuple(order),
        )
        kept = self._kept(key)
        if kept is None:
            making = Conditions(schema, self._schemas)
            condition = self._where(making, where, scope)
            plan = FindPlan(schema, condition, self._order(schema, order))
            kept = self._keep(key, _Kept(plan, tuple(making.slots)))
        return Asked(kept.plan, [slot.convert(literals[slot.literal], context) for slot in kept.slots])

    def sweep(
        self,
        schema: Schema,
        where: Where,
        flags: Sequence[Where],
        order: Sequence[Order],
        limit: int | None,
        context: Context,
        *,
        scope: Where | None = None,
    ) -> Asked:
        """
        The plan and values for a sweep of up to *limit* records (None: all), of each of which *flags* are asked.

        Without an *order* they are any of those that match: an engine then stops as soon as it has found so many.
        """
        literals: list[object] = []
        if limit is not None and (type(limit) is not int or limit < 0):
            raise InvalidQuestion(f"limit is {fact(limit)}; a whole number from 0 is wanted")
        key = (
            "sweep",
            schema.collection,
            self._shape(where, literals),
            self._shape(scope, literals) if scope is not None else None,
            tuple(self._shape(flag, literals) for flag in flags),
            tuple(order),
            limit is None,
        )
        kept = self._kept(key)
        if kept is None:
            making = Conditions(schema, self._schemas)
            condition = self._where(making, where, scope)
            asks = tuple(making.make(flag) for flag in flags)
            keys = self._order(schema, order) if order else ()
            slot = None if limit is None else len(making.slots)
            plan = FindPlan(schema, condition, keys, limit_slot=slot, flags=asks)
            kept = self._keep(key, _Kept(plan, tuple(making.slots)))
        values = [one.convert(literals[one.literal], context) for one in kept.slots]
        return Asked(kept.plan, values if limit is None else [*values, limit])

    def select(
        self,
        schema: Schema,
        columns: Sequence[Operand],
        query: Query,
        context: Context,
        *,
        scope: Where | None = None,
    ) -> tuple[Asked, Finish]:
        """The plan that projects *columns*, and what makes the asker's values of its rows."""
        asked = self.find(schema, query, context, scope=scope)
        # By the plan itself, not its id(): while it is a key it lives, and no other plan can take its place.
        key = ("select", asked.plan, tuple(columns))
        kept = self._kept(key)
        if kept is None:
            numbers = Numbers(Conditions(schema, self._schemas))
            sources, finish = numbers.columns(columns)
            kept = self._keep(key, _Kept(attrs.evolve(asked.plan, columns=sources), (), finish))
        return Asked(kept.plan, asked.values), kept.finish

    def tally(
        self, schema: Schema, tally: Tally, context: Context, *, scope: Where | None = None
    ) -> tuple[AskedTally, Finish]:
        """The plan and values of *tally*, and what makes the asker's values of its rows."""
        literals: list[object] = []
        parts: list[object] = ["tally", schema.collection, self._shape(tally.where, literals)]
        parts.append(self._shape(scope, literals) if scope is not None else None)
        for by in tally.by:
            if isinstance(by, Bucket):
                literals += by.edges
                parts.append((by.path, len(by.edges)))
            else:
                parts.append(by)
        for measure in tally.measures:
            if not isinstance(measure, Measure):
                raise InvalidQuestion(
                    f"{fact(measure)} is no measure; write count(), total(F.name) and so on"
                )
            where = self._shape(measure.where, literals) if measure.where is not None else None
            parts.append((measure.kind, measure.operand, where))
        key = tuple(parts)
        kept = self._kept(key)
        if kept is None:
            kept = self._keep(key, self._tally_plan(schema, tally, scope))
        values = [slot.convert(literals[slot.literal], context) for slot in kept.slots]
        for one in kept.plan.keys:
            if isinstance(one, InBucket) and not _ascend([values[slot] for slot in one.slots]):
                raise InvalidQuestion(f"the edges of the buckets of {one.source.column.name} must ascend")
        edges = tuple(by.edges if isinstance(by, Bucket) else None for by in tally.by)
        finish = kept.finish
        return AskedTally(kept.plan, values), lambda rows: finish(rows, edges)

    def _shape(self, where: Where, literals: list[object]) -> Shape:
        try:
            return shape(where, literals)
        except RecursionError:
            raise InvalidQuestion("it is nested too deep") from None

    def _kept(self, key: Hashable) -> _Kept | None:
        try:
            return self._plans.get(key)
        except TypeError:  # a list where the name of a field should stand
            raise InvalidQuestion("it names what is no field") from None

    def _keep(self, key: Hashable, kept: _Kept) -> _Kept:
        with self._keeping:
            if len(self._plans) >= self._limits.plans:
                # Oldest first; a host that builds ever new shapes must not grow without end.
                self._plans.pop(next(iter(self._plans)))
            self._plans[key] = kept
        return kept

    def _where(self, making: Conditions, where: Where, scope: Where | None) -> Any:
        asked = making.make(where)
        return asked if scope is None else AllOf((asked, making.make(scope)))

    def _find_plan(
        self, schema: Schema, query: Query, scope: Where | None, nulls: tuple[bool, ...] | None
    ) -> _Kept:
        making = Conditions(schema, self._schemas)
        condition = self._where(making, query.where, scope)
        order = self._order(schema, query.order)
        filled = len(making.slots)
        if nulls is not None:
            after = After(order, tuple(range(filled, filled + len(order))), nulls)
            condition = AllOf((condition, after))
            filled += len(order)
        return _Kept(FindPlan(schema, condition, order, limit_slot=filled), tuple(making.slots))

    def _tally_plan(self, schema: Schema, tally: Tally, scope: Where | None) -> _Kept:
        making = Conditions(schema, self._schemas)
        condition = self._where(making, tally.where, scope)
        keys, numbers, finish = Numbers(making).table(tally)
        return _Kept(TallyPlan(schema, condition, keys, numbers), tuple(making.slots), finish)

    def _order(self, schema: Schema, order: Sequence[Order]) -> tuple[SortKey, ...]:
        """The sort keys, id last in the direction of the one before it."""
        keys: list[SortKey] = []
        making = Conditions(schema, self._schemas)
        for one in order:
            if not isinstance(one, Order):
                raise InvalidQuestion(f"{fact(one)} is no order; write F.name or -F.name")
            ref = making.operand(one.path).plain_ref
            if ref.follow is not None or ref.key is not None or ref.kind in _UNSORTABLE:
                raise InvalidQuestion(f"{one.path} can't be sorted by; take a field of {schema.name} itself")
            # Named again, a field decides nothing any more; MongoDB would take the last one.
            if all(key.column is not ref.column for key in keys):
                keys.append(SortKey(ref.column, one.descending))
        if not any(key.column.name == "id" for key in keys):
            keys.append(SortKey(schema.by_column["id"], keys[-1].descending if keys else False))
        return tuple(keys)

    def cursor(self, schema: Schema, query: Query, record: Any) -> str:
        """The cursor of the page that follows *record* in *query*."""
        return self._cursors.write(schema, query, self._sorted(schema, query.order), record)

    def _sorted(self, schema: Schema, order: tuple[Order, ...]) -> tuple[SortKey, ...]:
        """As `_order`, kept as a plan is: a cursor wants it for each page, and to make it takes a tenth of a page's time."""
        key = ("order", schema.collection, order)
        kept = self._kept(key) or self._keep(key, _Kept(self._order(schema, order), ()))
        return cast("tuple[SortKey, ...]", kept.plan)


def _ascend(edges: Sequence[Any]) -> bool:
    return all(edge < following for edge, following in pairwise(edges))


_UNSORTABLE: Final = frozenset({Kind.TEXTS, Kind.NESTED, Kind.EXTRA})
