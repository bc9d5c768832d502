"""Idempotency keys: what a receipt can hold, what it gives back, and keys that are none."""

from __future__ import annotations

from typing import Any

import pytest

from salescrm import Crm, Customer, F, InvalidValue, NotFound, Work


def create(work: Work) -> Customer:
    return work.customers.create(name="甲")


@pytest.mark.parametrize("key", ["", "  ", "x" * 65, "\0", "\ud800", 5, {"$ne": None}])
def test_a_key_that_is_none_is_refused_before_anything_happens(crm: Crm, key: Any) -> None:
    """A header that was not sent would else make one command of everybody's."""
    with pytest.raises(InvalidValue):
        crm.run(create, by="li", key=key)
    assert 0 == crm.run(lambda work: work.customers.count(), by="li")


def test_no_records_are_a_result_like_some(crm: Crm) -> None:
    def level_b(work: Work) -> tuple[Customer, ...]:
        return tuple(work.customers.find(F.level == "B"))

    assert () == crm.run(level_b, by="li", key="k")
    crm.run(lambda work: work.customers.create(name="甲", level="B"), by="li")
    assert () == crm.run(level_b, by="li", key="k")


def test_nobody_changes_a_receipt_by_changing_what_was_given_back(crm: Crm) -> None:
    made = {"numbers": [1, 2]}
    first = crm.run(lambda work: made, by="li", key="k")
    first["numbers"].append(3)
    again = crm.run(lambda work: made, by="li", key="k")
    again["numbers"].append(4)
    assert {"numbers": [1, 2]} == crm.run(lambda work: made, by="li", key="k")


DEEP: list[Any] = []
for _ in range(5_000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    "result",
    [1.5, float("nan"), 2**53, {1, 2}, (1, 2), {1: 2}, b"x", "\ud800", ["\0"], DEEP, object()],
    ids=lambda result: type(result).__name__,
)
def test_what_no_receipt_can_hold_is_refused_and_nothing_is_kept(crm: Crm, result: Any) -> None:
    def act(work: Work) -> Any:
        create(work)
        return result

    with pytest.raises(InvalidValue):
        crm.run(act, by="li", key="k")
    assert 0 == crm.run(lambda work: work.customers.count(), by="li")


def test_a_record_that_is_gone_is_not_found(crm: Crm) -> None:
    made = crm.run(create, by="li", key="k")
    crm.run(lambda work: work.customers.remove(made), by="li")
    with pytest.raises(NotFound):
        crm.run(create, by="li", key="k")


def test_a_key_is_each_tenants_own(crm: Crm) -> None:
    first = crm.run(create, by="li", key="k")
    other = crm.for_tenant("other").run(create, by="li", key="k")
    assert ("main", "other") == (first.tenant, other.tenant)
    assert first.id != other.id
