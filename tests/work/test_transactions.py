"""Committing, rolling back, running again, joining: all or nothing, once."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from salescrm import (
    Crm,
    Customer,
    Duplicate,
    F,
    InvalidValue,
    StaleWrite,
    TenantRequired,
    Transient,
    Work,
    WorkEnded,
)

Connect = Callable[..., Crm]


def everything(work: Work) -> tuple[int, int, int]:
    """How many customers, log entries and events there are."""
    return work.customers.count(), work.history.count(), len(work.history.events())


def test_record_log_and_event_are_there_together(crm: Crm) -> None:
    with crm.begin(by="li") as work:
        work.customers.create(name="甲")
    with crm.begin(by="li") as work:
        assert (1, 1, 1) == everything(work)


def test_an_error_takes_all_of_it_back(crm: Crm) -> None:
    with pytest.raises(RuntimeError), crm.begin(by="li") as work:
        work.customers.create(name="甲")
        raise RuntimeError
    with crm.begin(by="li") as work:
        assert (0, 0, 0) == everything(work)


def test_a_work_sees_what_it_wrote_and_nobody_else_does(crm: Crm) -> None:
    with crm.begin(by="li") as work:
        made = work.customers.create(name="甲")
        assert made == work.customers.get(made.id)
        with crm.begin(by="wang") as other:
            assert other.customers.peek(made.id) is None


def test_after_a_failed_write_nothing_is_committed_even_if_it_was_swallowed(crm: Crm) -> None:
    with pytest.raises(WorkEnded), crm.begin(by="li") as work:
        work.customers.create(name="甲", number="X1")
        with pytest.raises(Duplicate):
            work.customers.create(name="乙", number="X1")
        with pytest.raises(WorkEnded):
            work.customers.count()
    with crm.begin(by="li") as work:
        assert (0, 0, 0) == everything(work)


def test_a_finished_work_is_over(crm: Crm) -> None:
    with crm.begin(by="li") as work:
        pass
    with pytest.raises(WorkEnded):
        work.customers.count()


def test_run_repeats_the_whole_function_when_somebody_was_first(crm: Crm) -> None:
    with crm.begin(by="li") as work:
        customer = work.customers.create(name="甲", level="C")
    tries = []

    def raise_level(work: Work) -> Customer:
        read = work.customers.get(customer.id)
        tries.append(read.version)
        if len(tries) == 1:  # somebody else saves between our reading and our writing
            thread = threading.Thread(
                target=lambda: crm.run(lambda other: other.customers.edit(customer.id, level="B"), by="wang")
            )
            thread.start()
            thread.join()
        return work.customers.edit(read, level="A")

    result = crm.run(raise_level, by="li")

    assert ([1, 2], "A", 3) == (tries, result.level, result.version)


def test_run_gives_up_with_the_reason_it_failed_for(crm: Crm) -> None:
    def never(work: Work) -> None:
        raise StaleWrite("Customer", "x", 1)

    with pytest.raises(StaleWrite):
        crm.run(never, by="li", attempts=3)


def test_a_key_carries_a_command_out_once(crm: Crm) -> None:
    def create(work: Work, name: str) -> Customer:
        return work.customers.create(name=name)

    first = crm.run(create, "甲", by="li", key="order-1")
    again = crm.run(create, "甲", by="li", key="order-1")

    assert first.id == again.id
    assert (1, 1, 1) == crm.run(everything, by="li")


def test_a_key_gives_data_back_as_it_was(crm: Crm) -> None:
    assert {"n": [1, 2]} == crm.run(lambda _: {"n": [1, 2]}, by="li", key="a")
    assert {"n": [1, 2]} == crm.run(lambda _: {"n": [3]}, by="li", key="a")
    assert None is crm.run(lambda _: None, by="li", key="b")
    assert None is crm.run(lambda _: None, by="li", key="b")


def test_a_result_that_no_receipt_can_hold_is_refused_and_nothing_is_written(crm: Crm) -> None:
    def create(work: Work) -> object:
        work.customers.create(name="甲")
        return object()

    with pytest.raises(InvalidValue):
        crm.run(create, by="li", key="a")
    assert (0, 0, 0) == crm.run(everything, by="li")


def test_the_same_key_at_the_same_moment_is_carried_out_once(crm: Crm) -> None:
    made: list[str] = []

    def command() -> None:
        made.append(crm.run(lambda work: work.customers.create(name="甲"), by="li", key="k", attempts=50).id)

    threads = [threading.Thread(target=command) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (6, 1) == (len(made), len(set(made)))
    assert (1, 1, 1) == crm.run(everything, by="li")


def test_a_joined_work_is_part_of_the_one_it_joined(crm: Crm) -> None:
    with pytest.raises(RuntimeError), crm.begin(by="li") as work:
        crm.join(work, by="wang").customers.create(name="甲")
        assert 1 == work.customers.count()
        raise RuntimeError
    assert (0, 0, 0) == crm.run(everything, by="li")

    with crm.begin(by="li") as work, crm.join(work, by="wang") as inner:
        made = inner.customers.create(name="甲")
    assert "wang" == crm.run(lambda work: work.customers.get(made.id), by="li").created_by


def test_effects_wait_for_the_commit(crm: Crm) -> None:
    heard: list[str] = []
    with crm.begin(by="li") as work:
        work.customers.create(name="甲")
        work.after_commit(lambda: heard.append("committed"))
        assert [] == heard
    assert ["committed"] == heard

    with pytest.raises(RuntimeError), crm.begin(by="li") as work:
        work.customers.create(name="乙")
        work.after_commit(lambda: heard.append("never"))
        raise RuntimeError
    assert ["committed"] == heard


def test_sixteen_threads_number_without_doubles(crm: Crm) -> None:
    numbers: list[str] = []

    def create() -> None:
        numbers.extend(
            crm.run(lambda work: work.customers.create(name="甲"), by="li", attempts=60).number
            for _ in range(5)
        )

    threads = [threading.Thread(target=create) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (80, 80) == (len(numbers), len(set(numbers)))


def test_bulk_writes_are_logged_in_the_same_transaction(crm: Crm) -> None:
    drafts = [Customer(name=f"客户{n}", number=f"N{n}") for n in range(150)]
    with pytest.raises(Duplicate), crm.begin(by="li") as work:
        work.customers.create_many([*drafts, Customer(name="double", number="N7")])
    assert (0, 0, 0) == crm.run(everything, by="li")

    with crm.begin(by="li") as work:
        work.customers.create_many(drafts)
    assert (150, 150, 50) == crm.run(everything, by="li")


def test_a_change_logs_each_record_with_what_it_was(crm: Crm) -> None:
    with crm.begin(by="li") as work:
        for level in ("A", "B", "B"):
            work.customers.create(name="甲", level=level)
    with crm.begin(by="wang") as work:
        changed = work.repository(Customer).change(F.level == "B", {"level": "C"})
    with crm.begin(by="li") as work:
        assert 2 == len(changed) == work.customers.count(F.level == "C")
        for customer in changed:
            assert customer == work.customers.get(customer.id)
            assert {"level": ["B", "C"]} == work.history.of(customer)[-1].changes


class TestTenants:
    """A multi-tenant Crm sees one tenant, and none before it is told which."""

    def test_nothing_is_seen_before_one_is_chosen(self, connect: Connect) -> None:
        crm = connect(multi_tenant=True)
        with pytest.raises(TenantRequired):
            crm.begin(by="li")
        with pytest.raises(TenantRequired):
            crm.run(everything, by="li")

    def test_each_sees_its_own(self, connect: Connect) -> None:
        crm = connect(multi_tenant=True)
        north, south = crm.for_tenant("north"), crm.for_tenant("south")
        made = north.run(lambda work: work.customers.create(name="甲", id="same", number="C1"), by="li")
        south.run(lambda work: work.customers.create(name="乙", id="same", number="C1"), by="li")

        assert "甲" == north.run(lambda work: work.customers.get(made.id).name, by="li")
        assert ["乙"] == [one.name for one in south.run(lambda work: work.customers.find(), by="li")]
        assert (1, 1, 1) == south.run(everything, by="li")

    def test_one_tenants_record_can_not_be_saved_by_another(self, connect: Connect) -> None:
        crm = connect(multi_tenant=True)
        made = crm.for_tenant("north").run(lambda work: work.customers.create(name="甲"), by="li")

        with pytest.raises(InvalidValue):
            crm.for_tenant("south").run(
                lambda work: work.customers.edit(made, level="A"), by="li", attempts=1
            )

    @pytest.mark.parametrize("name", ["", "a/b", "a b", "x" * 65, "北", None])
    def test_a_name_that_no_key_could_hold_is_refused(self, connect: Connect, name: str) -> None:
        with pytest.raises(InvalidValue):
            connect(multi_tenant=True).for_tenant(name)


def test_who_acts_must_be_said(crm: Crm) -> None:
    with pytest.raises(InvalidValue):
        crm.begin(by=" ")


def test_transient_errors_are_not_repeated_when_the_outcome_is_unknown(crm: Crm) -> None:
    """Only an idempotency key makes a second try safe: the first commit may have happened."""

    class Lost(Work):
        def finish(self, *, commit: bool) -> None:
            super().finish(commit=False)
            if commit:
                raise Transient("the connection was lost while committing", outcome_unknown=True)

    from salescrm.running import repeat

    tries: list[int] = []

    def begin() -> Lost:
        tries.append(1)
        return Lost(crm.kit, crm.kit.backend.open("main"), member=crm.begin(by="li").member, owned=True)

    with pytest.raises(Transient):
        repeat(crm.kit, begin, lambda work: None)
    assert 1 == len(tries)
    with pytest.raises(Transient):
        repeat(crm.kit, begin, lambda work: None, key="k", attempts=3)
    assert 4 == len(tries)
