"""Questions as data, and plans that are kept: neither changes what is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from salescrm.checking import Checker, Context
from salescrm.checking.cursors import Cursors
from salescrm.errors import Invalid
from salescrm.query import Tally, Where, dump, load
from salescrm.schema import Schema
from salescrm.testing import START
from salescrm.testing.strategies import ENTITIES, Question, conditions, questions

CONTEXT = Context(START, ZoneInfo("America/New_York"))
WHERE: st.SearchStrategy[Where] = st.sampled_from(ENTITIES).flatmap(conditions)
#: Data that looks somewhat like a stored condition.
ALMOST: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("name")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["field", "span", "eq", "lt", "one_of", "has", "is_null", "all", "any", "not", "search", "always",
                 "moment", "day", "decimal", "money", "milliseconds", "relative", "unit", "offset", "$ne"]
            ),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=8,
)  # fmt: skip


def test_condition_survives_json(examples: Callable[[int], settings]) -> None:
    """Dumped, written as JSON, read and loaded: equal, and dumped to the same again."""

    @examples(300)
    @given(WHERE)
    def survives(where: Where) -> None:
        text = json.dumps(dump(where))
        again = load(json.loads(text))
        assert where == again
        assert text == json.dumps(dump(again))

    survives()


def test_load_takes_conditions_only(examples: Callable[[int], settings]) -> None:
    """Whatever the data, either a condition comes out that dumps to data again, or an error of ours."""

    @examples(500)
    @given(ALMOST)
    def takes(data: Any) -> None:
        try:
            where = load(data)
        except Invalid as refused:
            assert str(refused)  # noqa: PT017  # either outcome is fine
        else:
            assert where == load(dump(where))

    takes()


def test_kept_plan_is_the_plan(
    examples: Callable[[int], settings], salescrm_schemas: Mapping[str, Schema]
) -> None:
    """A checker that has seen thousands of questions plans the next as a new one would."""
    # Few plans are kept, so that they are thrown out and made anew all the time.
    from salescrm.checking import Limits

    seasoned = Checker(salescrm_schemas, Cursors(), Limits(plans=20))

    @examples(100)
    @given(st.lists(questions(), min_size=1, max_size=10))
    def same(asked: list[Question]) -> None:
        for question in asked:
            fresh = Checker(salescrm_schemas, Cursors())
            assert _planned(fresh, salescrm_schemas, question) == _planned(
                seasoned, salescrm_schemas, question
            )

    same()


def _planned(checker: Checker, schemas: Mapping[str, Schema], question: Question) -> tuple[Any, ...]:
    schema = next(schema for schema in schemas.values() if schema.record is question.entity)
    if isinstance(question.asked, Tally):
        tally, _ = checker.tally(schema, question.asked, CONTEXT)
        return tally.plan.where, tally.plan.keys, tally.plan.numbers, list(tally.values)
    if question.columns:
        asked, _ = checker.select(schema, question.columns, question.asked, CONTEXT)
    else:
        asked = checker.find(schema, question.asked, CONTEXT)
    plan = asked.plan
    return plan.where, plan.order, plan.limit_slot, plan.columns, list(asked.values)
