"""Random questions about random records: every engine answers as the reference meaning does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from salescrm import meaning
from salescrm.checking import Checker, Context
from salescrm.connecting import backend_for
from salescrm.entities import Record
from salescrm.query import Tally
from salescrm.schema import Schema
from salescrm.storage import Backend
from salescrm.testing import START, Asking
from salescrm.testing.strategies import Question, questions, records

CONTEXT = Context(START, ZoneInfo("Asia/Shanghai"))
#: An example is a set of records and several questions; over the wire each costs more.
EXAMPLES = {"memory": 200, "sqlite": 200, "postgresql": 150, "mongodb": 60, "mariadb": 100}


@pytest.fixture
def backend(engine_url: str, salescrm_schemas: Mapping[str, Schema]) -> Iterator[Backend]:
    backend = backend_for(engine_url, tuple(salescrm_schemas.values()), {})
    backend.migrate()
    yield backend
    backend.close()


def test_engines_answer_as_is_meant(
    backend: Backend,
    engine: str,
    examples: Callable[[int], settings],
    salescrm_schemas: Mapping[str, Schema],
    salescrm_checker: Checker,
) -> None:
    """Pages, projections and tallies, to the value, the order and the type."""
    tenants = count()

    @examples(EXAMPLES[engine])
    @given(records(), st.lists(questions(), min_size=1, max_size=8))
    def agree(found: list[Record], asked: list[Question]) -> None:
        asking = Asking(backend.open(f"t{next(tenants)}"), salescrm_schemas, salescrm_checker, CONTEXT)
        owned = [asking.own(one) for one in found]
        asking.store.write()
        asking.add(*owned)
        try:
            for question in asked:
                expected, answer = _meant(asking, owned, question), _answered(asking, question)
                note(f"{question}")
                assert expected == answer
                assert _types(expected) == _types(answer), "equal, but of other types"
        finally:
            asking.rollback()

    agree()


def _answered(asking: Asking, question: Question) -> list[Any]:
    schema = asking.schema(question.entity)
    if isinstance(question.asked, Tally):
        tally, _ = asking.checker.tally(schema, question.asked, asking.context)
        return sorted(asking.store.tally(tally), key=repr)
    if question.columns:
        plan, _ = asking.checker.select(schema, question.columns, question.asked, asking.context)
        return asking.store.select(plan)
    return asking.store.find(asking.checker.find(schema, question.asked, asking.context))


def _meant(asking: Asking, records: list[Record], question: Question) -> list[Any]:
    """The answer by the reference meaning, which knows neither stores nor indexes."""
    schema = asking.schema(question.entity)
    by_id = {(type(one), one.id): one for one in records}

    def lookup(target: Schema, id: str) -> Any:
        return by_id.get((target.record, id))  # type: ignore[arg-type]  # an id is a text

    mine = [one for one in records if type(one) is question.entity]
    if isinstance(question.asked, Tally):
        tally, _ = asking.checker.tally(schema, question.asked, asking.context)
        return sorted(meaning.tally(tally.plan, tally.values, mine, lookup), key=repr)
    if question.columns:
        asked, _ = asking.checker.select(schema, question.columns, question.asked, asking.context)
    else:
        asked = asking.checker.find(schema, question.asked, asking.context)
    plan, values = asked.plan, asked.values
    holds = meaning.condition(schema, plan.where)
    matching = [one for one in mine if holds(one, values, lookup)]
    assert plan.limit_slot is not None
    page = meaning.sorted_by(schema, plan.order)(matching, values[plan.limit_slot])
    if plan.columns is None:
        return page
    sources = [meaning.source(schema, column) for column in plan.columns]
    return [tuple(source(one, lookup) for source in sources) for one in page]


def _types(value: Any) -> Any:
    """The types of *value* and all inside: 1 equals True and Decimal(1), and is neither."""
    if attrs.has(type(value)):
        return type(value), [_types(getattr(value, a.name)) for a in attrs.fields(type(value))]
    if isinstance(value, Mapping):
        return type(value), {name: _types(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value), [_types(one) for one in value]
    return type(value)
