"""Whether a condition can ever hold: never denied to one that holds for a record, and exact where records can be counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, Final
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from salescrm.checking import Checker, Context
from salescrm.entities import Customer, Record
from salescrm.meaning import condition
from salescrm.policy.questions import can_hold, implies
from salescrm.query import EVERYTHING, NOTHING, And, F, Not, Or, Where
from salescrm.schema import Schema
from salescrm.testing import START
from salescrm.testing.strategies import conditions, records
from salescrm.values import Id

CONTEXT: Final = Context(START, ZoneInfo("Asia/Shanghai"))
#: Every record that conditions of the fields below can tell apart.
SMALL: Final = [
    Customer(id=Id("c"), name="c", level=level, open_opportunities=count, transfer_pending=pending)
    for level, count, pending in product((None, "A", "B", "other"), range(-1, 5), (False, True))
]
LEAVES: Final = st.one_of(
    st.sampled_from([F.level == "A", F.level == "B", F.level != "A", F.level.is_null(), F.level.is_set()]),
    st.sets(st.sampled_from("AB")).map(lambda some: F.level.one_of(sorted(some))),
    st.integers(0, 3).flatmap(
        lambda n: st.sampled_from(
            [
                F.open_opportunities == n,
                F.open_opportunities != n,
                F.open_opportunities < n,
                F.open_opportunities <= n,
                F.open_opportunities > n,
                F.open_opportunities >= n,
            ]
        )
    ),
    st.booleans().map(lambda flag: F.transfer_pending == flag),
    st.sampled_from([EVERYTHING, NOTHING, F.open_opportunities.is_null()]),
)


def joined(inner: st.SearchStrategy[Where]) -> st.SearchStrategy[Where]:
    parts = st.lists(inner, max_size=3).map(tuple)
    return st.one_of(st.builds(And, parts), st.builds(Or, parts), st.builds(Not, inner))


COUNTABLE: Final = st.recursive(LEAVES, joined, max_leaves=8)


def test_what_holds_is_never_called_impossible(
    examples: Callable[[int], settings], salescrm_schemas: Mapping[str, Schema], salescrm_checker: Checker
) -> None:
    """All that is true of one record, of any fields, together: that record is the proof that it can hold."""
    schema = salescrm_schemas["customers"]

    @examples(300)
    @given(records(most=2), st.lists(conditions(Customer), min_size=1, max_size=6))
    def check(found: list[Record], asked: list[Where]) -> None:
        by_id = {(type(one), one.id): one for one in found}

        def lookup(target: Schema, id: str) -> Any:
            return by_id.get((target.record, id))  # type: ignore[arg-type]  # an id is a text

        for one in found:
            if isinstance(one, Customer):
                true = []
                for where in asked:
                    ready = salescrm_checker.all(schema, where, (), CONTEXT)
                    holds = condition(schema, ready.plan.where)(one, ready.values, lookup)
                    true.append(where if holds else Not(where))
                assert can_hold(And(tuple(true)), salescrm_schemas)

    check()


def test_what_can_be_counted_is_told_exactly(
    examples: Callable[[int], settings], salescrm_schemas: Mapping[str, Schema], salescrm_checker: Checker
) -> None:
    """Of keys, small numbers and flags: it can hold when a record of all that there may be says so, and not otherwise."""
    schema = salescrm_schemas["customers"]

    def of(where: Where) -> list[bool]:
        ready = salescrm_checker.all(schema, where, (), CONTEXT)
        test = condition(schema, ready.plan.where)
        return [test(one, ready.values, lambda _, __: None) for one in SMALL]

    @examples(500)
    @given(COUNTABLE, COUNTABLE)
    def check(one: Where, other: Where) -> None:
        ones, others = of(one), of(other)

        assert any(ones) == can_hold(one, salescrm_schemas)
        assert all(b for a, b in zip(ones, others, strict=True) if a) == implies(one, other, salescrm_schemas)

    check()
