"""
How a question is answered with the least looking: which way leads to the records, and what is left to test on it.

Chosen once per plan from the conditions that must all hold; there are no statistics.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

import attrs

from salescrm import codegen, meaning
from salescrm.backends.memory.ways import ById, ByKey, On, Walk, Way
from salescrm.plans import After, AllOf, Cmp, Condition, Const, InSlot, Negated, Null, Ref, SortKey, Starts
from salescrm.schema import Schema

__all__ = ["Route", "route"]


@attrs.frozen(eq=False)
class Route:
    """
    How one plan is answered.

    Attributes:
        way: None to look at every record.
        test: All that must hold; None where nothing must.
        sort: None where no order was asked.
    """

    way: Way | None
    test: meaning.Test | None
    sort: meaning.Sort | None


def route(schema: Schema, where: Condition, order: Sequence[SortKey] = (), *, limited: bool = False) -> Route:
    """The way to the records of *schema* that *where* holds for, in *order*; *limited* if not all are wanted."""
    parts = list(_parts(where))
    return Route(
        _way(schema, parts, order, limited=limited),
        _test(schema, parts),
        meaning.sorted_by(schema, order) if order else None,
    )


def _parts(where: Condition) -> Iterator[Condition]:
    """The conditions that must all hold for *where* to hold."""
    match where:
        case AllOf(parts):
            for part in parts:
                yield from _parts(part)
        case Const(True):
            return
        case _:
            yield where


def _test(schema: Schema, parts: Sequence[Condition], done: Sequence[Condition] = ()) -> meaning.Test | None:
    left = tuple(part for part in parts if not any(part is one for one in done))
    if not left:
        return None
    return meaning.condition(schema, left[0] if len(left) == 1 else AllOf(left))


def _way(
    schema: Schema, parts: Sequence[Condition], order: Sequence[SortKey], *, limited: bool
) -> Way | None:
    fixing: dict[str, On] = {}
    narrowing: dict[str, list[On]] = {}
    for part in parts:
        match part:
            case Cmp(Ref(column, None, None), "eq"):
                fixing[column.name] = column, part
            case InSlot(Ref(column, None, None)):
                fixing.setdefault(column.name, (column, part))
            case Null(Ref(column, None, None)) if column.nullable:
                fixing.setdefault(column.name, (column, part))
            case (
                Cmp(Ref(column, None, None), "lt" | "le" | "gt" | "ge")
                | Starts(Ref(column, None, None))
                | Negated(Null(Ref(column, None, None)))
            ):
                narrowing.setdefault(column.name, []).append((column, part))
            case _:
                pass
    if "id" in fixing and isinstance(by_id := fixing["id"][1], Cmp | InSlot):
        return ById(by_id, _test(schema, parts, [by_id]))
    for number, unique in enumerate(schema.unique):
        held = [fixing[name][1] for name in unique.columns if name in fixing]
        equal = [part for part in held if isinstance(part, Cmp)]
        if len(equal) == len(unique.columns):
            return ByKey(number, tuple(part.slot for part in equal), _test(schema, parts, equal))
    return _walk(schema, parts, order, fixing, narrowing, limited=limited)


def _walk(
    schema: Schema,
    parts: Sequence[Condition],
    order: Sequence[SortKey],
    fixing: Mapping[str, On],
    narrowing: Mapping[str, Sequence[On]],
    *,
    limited: bool,
) -> Walk | None:
    """The best range of an index: leading columns that are fixed, then the order or a narrower range of the next."""
    best, most = None, 0.0
    for index in schema.indexes:
        fixed = [fixing[name] for name in takewhile(fixing.__contains__, index.columns)]
        for depth in range(len(fixed) + 1):
            bound, behind = fixed[:depth], index.columns[depth:]
            if sum(isinstance(part, InSlot) for _, part in bound) > 1:
                # Two choices among a thousand would be a million ranges.
                break
            narrow = narrowing.get(behind[0], ()) if behind else ()
            same = {column.name for column, part in bound if not isinstance(part, InSlot)}
            kept = [key for key in order if key.column.name not in same]
            in_order = not kept or _runs_along(kept, behind)
            # Fewer records first, then no sorting; but a whole index only where the first few records will do.
            score = depth + 0.5 * bool(narrow)
            if order and in_order:
                score += 1.5 if score else 0.25 * limited
            if score <= most:
                continue
            most = score
            after = _after(parts, kept) if in_order else None
            done = [part for _, part in (*bound, *narrow)] + ([after] if after else [])
            best = Walk(
                columns=index.columns,
                key=codegen.keyer(schema, (*index.columns, "id")),
                bound=tuple(bound),
                narrowing=tuple(narrow),
                after=after,
                rest=_test(schema, parts, done),
                in_order=in_order,
                descending=bool(kept) and in_order and kept[0].descending,
            )
    return best


def _runs_along(order: Sequence[SortKey], columns: tuple[str, ...]) -> bool:
    """Whether *order* is that of *columns* and the id, one way or the other."""
    names = tuple(key.column.name for key in order)
    return names == (*columns, "id") and len({key.descending for key in order}) == 1


def _after(parts: Sequence[Condition], order: Sequence[SortKey]) -> After | None:
    """The condition that the records lie behind an earlier page in this very *order*."""
    # Where a key of the order is fixed the test stays: the page's value of it need not be the fixed one.
    return next((part for part in parts if isinstance(part, After) and list(part.keys) == list(order)), None)
