"""Random questions: conditions, pages, projections, tables of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final, get_args

import attrs
from hypothesis import strategies as st

from salescrm.entities import Customer, Opportunity, OpportunityLine, Record
from salescrm.query import (
    EVERYTHING,
    NOTHING,
    And,
    Bucket,
    Compare,
    Contains,
    Days,
    Has,
    IsNull,
    Measure,
    Not,
    OneOf,
    Or,
    Order,
    Query,
    Relative,
    Search,
    StartsWith,
    Tally,
    Where,
)
from salescrm.query.nodes import Operator
from salescrm.testing.clock import START
from salescrm.testing.strategies.fields import KEY, MS, PROSE, SORTABLE, SPANS, TAGS, TEXT, kept, paths

__all__ = ["ENTITIES", "Question", "columns", "conditions", "queries", "questions", "tallies"]

#: What questions are about.
ENTITIES: Final[tuple[type[Record], ...]] = (Customer, Opportunity, OpportunityLine)

_OPERATOR: Final[st.SearchStrategy[Operator]] = st.sampled_from(get_args(Operator))
_RELATIVE: Final = st.one_of(
    st.builds(Relative, st.sampled_from(["day", "week", "month", "quarter", "year"]), st.integers(-3, 3)),
    st.integers(-5, 5).map(lambda n: Relative(None, delta=n * MS)),
)
_LENGTH: Final = st.builds(
    lambda count, unit: count * unit,
    st.integers(-2, 2),
    st.sampled_from([MS, timedelta(hours=7), timedelta(days=1)]),
)
_TIMES: Final = ("_at", "purchase_deadline", "expected_close", "renewal")
_TEXTS: Final = ("name", "industry", "level", "city", "stage", "notes", "segment", "owner_id")
_MONEY: Final = ("amount", "price")
_NUMBERS: Final = ("year", "count", "seats", "quantity", "probability", "minor", "version")


@kept
def conditions(entity: type[Record]) -> st.SearchStrategy[Where]:
    """Conditions about *entity*: any kind of field, reference, span and list, joined and negated."""
    leaves = st.one_of(
        st.sampled_from(sorted(paths(entity))).flatmap(lambda path: _test(entity, path)),
        st.builds(Has, st.sampled_from(TAGS[entity]), KEY),
        st.builds(Compare, st.sampled_from(SPANS[entity]), _OPERATOR, _LENGTH),
        st.builds(IsNull, st.sampled_from(SPANS[entity])),
        st.sampled_from([EVERYTHING, NOTHING]),
        *([] if entity is OpportunityLine else [st.builds(Search, TEXT)]),
    )

    def joined(inner: st.SearchStrategy[Where]) -> st.SearchStrategy[Where]:
        parts = st.lists(inner, max_size=3).map(tuple)
        return st.one_of(st.builds(And, parts), st.builds(Or, parts), st.builds(Not, inner))

    return st.recursive(leaves, joined, max_leaves=6)


@kept
def _test(entity: type[Record], path: str) -> st.SearchStrategy[Where]:
    """Conditions on one field."""
    here, values = st.just(path), paths(entity)[path]
    literal = st.one_of(values, _RELATIVE) if path.endswith(_TIMES) else values
    tests: list[st.SearchStrategy[Where]] = [
        st.builds(Compare, here, _OPERATOR, literal),
        st.builds(IsNull, here),
    ]
    if not path.endswith(_MONEY):
        tests.append(st.builds(OneOf, here, st.lists(values, max_size=3).map(tuple)))
    if path.endswith(_TEXTS):
        tests.append(st.builds(StartsWith, here, PROSE.filter(bool)))
        tests.append(st.builds(Contains, here, PROSE))
    return st.one_of(tests)


@kept
def queries(entity: type[Record]) -> st.SearchStrategy[Query]:
    """Pages of *entity* by a random condition, in a random order, of a random size."""
    order = st.lists(
        st.builds(Order, st.sampled_from(SORTABLE[entity]), st.booleans()),
        max_size=3,
        unique_by=lambda one: one.path,
    )
    limits = st.one_of(st.integers(0, 5), st.just(10_000))
    return st.builds(Query, where=conditions(entity), order=order.map(tuple), limit=limits)


@kept
def columns(entity: type[Record]) -> st.SearchStrategy[Sequence[Any]]:
    """What to project of *entity*: fields, values across a hop, lists, spans."""
    some = [*sorted(paths(entity)), *TAGS[entity], *SPANS[entity]]
    return st.lists(st.sampled_from(some), min_size=1, max_size=4)


@kept
def tallies(entity: type[Record]) -> st.SearchStrategy[Tally]:
    """Tables of numbers about *entity*; money is measured where its currency is a key."""
    money = sorted(path for path in paths(entity) if path.endswith(_MONEY))
    keys = st.lists(_key(entity), max_size=3)
    measures = st.lists(_measure(entity), min_size=1, max_size=4)
    amounts = st.builds(Measure, st.sampled_from(["total", "min", "max", "mean"]), st.sampled_from(money))

    def table(by: list[Any], numbers: list[Measure], amount: Measure | None, where: Where) -> Tally:
        if amount is not None:
            by, numbers = [*by, f"{amount.operand}.currency"], [*numbers, amount]
        return Tally(by=tuple(by), measures=tuple(numbers), where=where)

    return st.builds(table, keys, measures, st.one_of(st.none(), amounts), conditions(entity))


def _key(entity: type[Record]) -> st.SearchStrategy[Any]:
    plain = sorted(path for path in paths(entity) if not path.endswith(_MONEY))
    moments = [path for path in plain if path.endswith("_at")]
    days = [path for path in plain if path.endswith(_TIMES) and path not in moments]
    edges = st.sets(st.integers(-9, 9), min_size=2, max_size=4).map(
        lambda numbers: tuple(START + timedelta(hours=7 * n) for n in sorted(numbers))
    )
    ides = (date(2026, 3, 14), date(2026, 3, 15), date(2026, 3, 17))
    return st.one_of(
        st.sampled_from(plain),
        st.builds(Bucket, st.sampled_from(moments), edges),
        *([st.builds(Bucket, st.sampled_from(days), st.just(ides))] if days else []),
        st.builds(Days, st.sampled_from(SPANS[entity])),
    )


def _measure(entity: type[Record]) -> st.SearchStrategy[Measure]:
    plain = sorted(path for path in paths(entity) if not path.endswith(_MONEY))
    numbers = [path for path in plain if path.endswith(_NUMBERS)]
    ordered = [path for path in plain if not path.endswith(("vip", "overridden"))]
    return st.one_of(
        st.just(Measure("count")),
        st.builds(Measure, st.just("count"), where=conditions(entity)),
        st.builds(Measure, st.sampled_from(["total", "mean"]), st.sampled_from(numbers)),
        st.builds(Measure, st.sampled_from(["total", "mean", "min", "max"]), st.sampled_from(SPANS[entity])),
        st.builds(Measure, st.sampled_from(["min", "max"]), st.sampled_from(ordered)),
        st.builds(Measure, st.just("distinct"), st.sampled_from(plain)),
    )  # fmt: skip


@attrs.frozen
class Question:
    """One question of any kind about *entity*: a page, with *columns* a projection, or a tally."""

    entity: type[Record]
    asked: Query | Tally
    columns: tuple[Any, ...] = ()


@kept
def questions() -> st.SearchStrategy[Question]:
    """A page, a projection or a tally."""
    return st.sampled_from(ENTITIES).flatmap(_about)


@kept
def _about(entity: type[Record]) -> st.SearchStrategy[Question]:
    here = st.just(entity)
    return st.one_of(
        st.builds(Question, here, queries(entity)),
        st.builds(Question, here, queries(entity), columns(entity).map(tuple)),
        st.builds(Question, here, tallies(entity)),
    )
