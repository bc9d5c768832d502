"""A use case that fails half-way leaves no half behind, even where its caller swallows the error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from salescrm import (
    Crm,
    Customer,
    F,
    HookRefused,
    InvalidQuestion,
    InvalidValue,
    Refuse,
    Work,
    WorkEnded,
    hookimpl,
)


def nothing(crm: Crm) -> bool:
    """Whether neither record, log nor event is there."""

    def look(work: Work) -> bool:
        return not (work.customers.count() or work.history.count() or work.history.events())

    return crm.run(look, by="witness")


def test_a_bad_contact_takes_its_customer_along(crm: Crm) -> None:
    with pytest.raises(WorkEnded), crm.begin(by="li") as work, pytest.raises(InvalidValue):
        work.customers.create(name="甲", contacts=[{"name": "王芳", "mobile": "not a number"}])
    assert nothing(crm)


def test_a_use_case_that_is_refused_before_it_wrote_leaves_the_work_usable(crm: Crm) -> None:
    with crm.begin(by="li") as work:
        with pytest.raises(InvalidValue):
            work.customers.create(name="")
        work.customers.create(name="甲")
    assert 1 == crm.run(lambda work: work.customers.count(), by="li")


def test_an_after_hook_that_fails_takes_the_record_along(connect: Callable[..., Crm]) -> None:
    class Late:
        @hookimpl
        def record_added(self, record: Any) -> None:
            raise Refuse("too late to refuse, not too late to fail")

    crm = connect(plugins=[Late()])
    with pytest.raises(WorkEnded), crm.begin(by="li") as work:
        with pytest.raises(HookRefused) as refusal:
            work.customers.create(name="甲")
        assert "Late" == refusal.value.plugin
    assert nothing(crm)


def test_what_every_record_has_for_itself_is_not_changed_in_many(crm: Crm) -> None:
    """Neither identity nor stamps, nor what the search shadow is made of."""
    crm.run(lambda work: work.customers.create(name="甲"), by="li")
    for values in ({"name": "乙"}, {"id": "x"}, {"tenant": "other"}, {"version": 9}):
        with pytest.raises(InvalidQuestion), crm.begin(by="li") as work:
            work.repository(Customer).change(F.name == "甲", values)
