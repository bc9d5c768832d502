"""Random histories of writes, commits and rollbacks: every engine ends where a plain dictionary does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import count
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from salescrm.checking import Checker, Context
from salescrm.connecting import backend_for
from salescrm.entities import Customer
from salescrm.errors import Duplicate, StaleWrite
from salescrm.query import EVERYTHING, F, Where
from salescrm.schema import Schema
from salescrm.storage import Backend
from salescrm.testing import START, Asking, Maker

CONTEXT: Final = Context(START, ZoneInfo("Asia/Shanghai"))
EXAMPLES: Final = {"memory": 200, "sqlite": 150, "postgresql": 100, "mongodb": 40, "mariadb": 60}

#: What to do, to which of the records, with which value.
Step: TypeAlias = tuple[str, int, str]

STEPS: Final = st.tuples(
    st.sampled_from(
        ["add", "add", "add", "save", "save", "stale save", "change", "claim", "remove", "stale remove", "add taken",
         "take number", "commit", "commit", "rollback"]
    ),
    st.integers(0, 7),
    st.sampled_from("ABC"),
)  # fmt: skip


@attrs.define
class Model:
    """What a store should hold: customers by id, as committed and as the open transaction sees them."""

    committed: dict[str, Customer] = attrs.field(factory=dict)
    now: dict[str, Customer] = attrs.field(factory=dict)

    def pick(self, number: int) -> Customer | None:
        ids = sorted(self.now)
        return self.now[ids[number % len(ids)]] if ids else None

    def commit(self) -> None:
        self.committed = dict(self.now)

    def rollback(self) -> None:
        self.now = dict(self.committed)


@pytest.fixture
def backend(engine_url: str, salescrm_schemas: Mapping[str, Schema]) -> Iterator[Backend]:
    backend = backend_for(engine_url, tuple(salescrm_schemas.values()), {})
    backend.migrate()
    yield backend
    backend.close()


def test_histories_end_as_they_should(
    backend: Backend,
    engine: str,
    examples: Callable[[int], settings],
    salescrm_schemas: Mapping[str, Schema],
    salescrm_checker: Checker,
) -> None:
    """After each step the store sees what the model sees; at the end others see what was committed."""
    tenants = count()

    @examples(EXAMPLES[engine])
    @given(st.lists(STEPS, max_size=25))
    def agree(steps: list[Step]) -> None:
        tenant, model, make = f"h{next(tenants)}", Model(), Maker()

        def opened() -> Asking:
            return Asking(backend.open(tenant), salescrm_schemas, salescrm_checker, CONTEXT)

        asking = opened()
        for step in steps:
            note(f"{step}")
            if not _done(asking, model, make, step):
                asking = opened()
            assert model.now == {one.id: one for one in asking.find(Customer)}
        asking.rollback()
        asking = opened()
        assert model.committed == {one.id: one for one in asking.find(Customer)}
        asking.rollback()

    agree()


def _done(asking: Asking, model: Model, make: Maker, step: Step) -> bool:
    """Does *step* in both; False when the transaction is over by it."""
    verb, number, value = step
    one = model.pick(number)
    match verb:
        case "add":
            new = asking.own(make.customer(level=value))
            asking.add(new)
            model.now[new.id] = new
        case "save" if one is not None:
            model.now[one.id] = asking.save(one, level=value)
        case "remove" if one is not None:
            asking.remove(one)
            del model.now[one.id]
        case "stale save" if one is not None:
            return _refused(asking, model, StaleWrite, lambda: asking.save(_aged(one), level=value))
        case "stale remove" if one is not None:
            return _refused(asking, model, StaleWrite, lambda: asking.remove(_aged(one)))
        case "add taken" if one is not None:
            twins = [make.customer(), make.customer(id=one.id)]
            return _refused(asking, model, Duplicate, lambda: asking.add(*twins))
        case "take number" if one is not None and len(model.now) > 1:
            other = next(c for c in model.now.values() if c.id != one.id)
            return _refused(asking, model, Duplicate, lambda: asking.save(one, number=other.number))
        case "change":
            _changed(asking, model, EVERYTHING, lambda _: True, number, value)
        case "claim":
            _changed(asking, model, F.level == value, lambda c: c.level == value, number, "A")
        case "commit":
            asking.commit()
            model.commit()
            return False
        case "rollback":
            asking.rollback()
            model.rollback()
            return False
        case _:
            pass  # there is no record to do it to
    return True


def _aged(customer: Customer) -> Customer:
    """As somebody read it before the last save."""
    return attrs.evolve(customer, version=customer.version - 1)


def _refused(asking: Asking, model: Model, error: type[Exception], attempt: Callable[[], Any]) -> bool:
    with pytest.raises(error):
        attempt()
    asking.rollback()
    model.rollback()
    return False


def _changed(
    asking: Asking, model: Model, where: Where, matches: Callable[[Customer], bool], limit: int, value: str
) -> None:
    expected = [model.now[id] for id in sorted(model.now) if matches(model.now[id])][:limit]
    before = asking.change(Customer, where, {"level": value}, limit=limit)
    assert expected == sorted(before, key=lambda one: one.id)
    for one in expected:
        model.now[one.id] = attrs.evolve(one, level=value, version=one.version + 1)
