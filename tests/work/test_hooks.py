"""Hooks in three tenses, and the outbox behind the last: at least once, by status and lease."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from salescrm import Crm, Customer, F, HookRefused, InvalidDefinition, OutboxEvent, Refuse, Work, hookimpl
from salescrm.outbox import LEASE, TRIES
from salescrm.testing import Clock
from salescrm.unit import UnitOfWork

Connect = Callable[..., Crm]


class Guard:
    """Refuses, and changes."""

    @hookimpl
    def adding_record(self, record: Any) -> Any:
        if isinstance(record, Customer):
            if record.name == "黑名单":
                raise Refuse("listed")
            return attrs.evolve(record, level=record.level or "C")
        return None

    @hookimpl
    def saving_record(self, before: Any, after: Any) -> Any:
        if isinstance(after, Customer) and before.level == "A" and after.level != "A":
            raise Refuse("once A, always A")
        return None

    @hookimpl
    def removing_record(self, record: Any) -> None:
        if isinstance(record, Customer) and record.level == "A":
            raise Refuse("A stays")

    @hookimpl
    def moving_opportunity(self, to: str) -> None:
        if to == "lost":
            raise Refuse("nobody loses")


def test_before_may_change_what_is_written(connect: Connect) -> None:
    crm = connect(plugins=[Guard()])
    made = crm.run(lambda work: work.customers.create(name="甲"), by="li")

    assert "C" == crm.run(lambda work: work.customers.get(made.id), by="li").level


class Meddler:
    """Saves what it should leave to use cases, once told to."""

    changes: dict[str, Any] = {}  # noqa: RUF012  # set by the test on its own instance

    @hookimpl
    def saving_record(self, after: Any) -> Any:
        return attrs.evolve(after, **self.changes) if self.changes else None


def test_before_may_not_change_what_a_ledger_tells_of(connect: Connect) -> None:
    """Nor what a history does: whoever had a customer, or moved a deal, would stand nowhere."""
    meddler = Meddler()
    crm = connect(plugins=[meddler])
    acme = crm.run(lambda work: work.customers.create(name="甲", owner_id="li"), by="li")
    deal = crm.run(lambda work: work.opportunities.create(name="乙", customer_id=acme.id), by="li")
    edits: list[tuple[dict[str, Any], str, Callable[[Work], object]]] = [
        ({"owner_id": "wu"}, "owner_id", lambda work: work.customers.edit(acme.id, level="A")),
        ({"pool_id": "x", "level": "B"}, "pool_id", lambda work: work.customers.edit(acme.id, level="A")),
        ({"stage": "paid"}, "stage", lambda work: work.opportunities.edit(deal, name="丙")),
    ]
    for changes, named, edit in edits:
        meddler.changes = changes
        with pytest.raises(InvalidDefinition, match=f"it can't change {named}: a use case does"):
            crm.run(edit, by="li")
    meddler.changes = {"level": "B"}
    assert "B" == crm.run(lambda work: work.customers.edit(acme.id, level="A"), by="li").level
    assert deal == crm.run(lambda work: work.opportunities.get(deal.id), by="li")


def test_before_may_refuse_and_then_nothing_is_written(connect: Connect) -> None:
    crm = connect(plugins=[Guard()])
    good = crm.run(lambda work: work.customers.create(name="甲", level="A"), by="li")

    def bad(work: Work) -> None:
        work.customers.create(name="乙")
        work.customers.create(name="黑名单")

    with pytest.raises(HookRefused) as refusal:
        crm.run(bad, by="li")
    assert ("adding_record", "listed") == (refusal.value.hook, refusal.value.reason)
    with pytest.raises(HookRefused):
        crm.run(lambda work: work.customers.edit(good.id, level="B"), by="li")
    with pytest.raises(HookRefused):
        crm.run(lambda work: work.customers.remove(good.id), by="li")
    assert 1 == crm.run(lambda work: work.customers.count(), by="li")


def test_after_runs_in_the_same_transaction(connect: Connect) -> None:
    seen: list[str] = []

    class After:
        @hookimpl
        def record_added(self, work: UnitOfWork, record: Any) -> None:
            if isinstance(record, Customer) and record.name == "甲":
                seen.append(record.name)
                work.repository(Customer).add(Customer(name="甲的分公司", number="X1"))

        @hookimpl
        def event_happened(self, event: Any) -> None:
            seen.append(event.name)

    crm = connect(plugins=[After()])
    with pytest.raises(RuntimeError), crm.begin(by="li") as work:
        work.customers.create(name="甲")
        assert 2 == work.customers.count()
        raise RuntimeError
    assert 0 == crm.run(lambda work: work.customers.count(), by="li")
    assert ["甲", "CustomerCreated"] == sorted(seen, reverse=True)


class Listener:
    """Hears what is committed, and fails as often as told."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []
        self.fail = 0

    @hookimpl
    def event_committed(self, event: OutboxEvent) -> None:
        if self.fail:
            self.fail -= 1
            raise RuntimeError("the mail server is down")
        self.heard.append((event.name, event.id))


def test_committed_events_are_told_after_the_commit_and_not_after_a_rollback(connect: Connect) -> None:
    listener = Listener()
    crm = connect(plugins=[listener])
    with crm.begin(by="li") as work:
        work.customers.create(name="甲")
        assert [] == listener.heard
    assert ["CustomerCreated"] == [name for name, _ in listener.heard]

    with pytest.raises(RuntimeError), crm.begin(by="li") as work:
        work.customers.create(name="乙")
        raise RuntimeError
    assert 1 == len(listener.heard)
    assert 0 == crm.dispatch()


def test_what_was_written_without_us_is_picked_up(connect: Connect) -> None:
    """A Crm without plugins writes; a worker with plugins finds it."""
    connect().run(lambda work: work.customers.create(name="甲"), by="li")
    listener = Listener()
    worker = connect(plugins=[listener])

    assert 1 == worker.dispatch()
    assert ["CustomerCreated"] == [name for name, _ in listener.heard]
    assert 0 == worker.dispatch()


def test_a_failing_delivery_is_kept_tried_again_later_and_parked_at_last(
    connect: Connect, clock: Clock
) -> None:
    listener = Listener()
    listener.fail = 1
    crm = connect(plugins=[listener])
    crm.run(lambda work: work.customers.create(name="甲"), by="li")

    [event] = crm.run(lambda work: work.history.events(), by="li")
    assert ("pending", 1, None) == (event.status, event.attempts, event.lease)
    assert "the mail server is down" in (event.error or "")
    assert 0 == crm.dispatch()  # it backs off first

    listener.fail = TRIES - 1
    for _ in range(TRIES - 1):
        clock.tick(days=1)
        assert 1 == crm.dispatch()
    [parked] = crm.run(lambda work: work.history.events(F.status == "parked"), by="li")
    assert (TRIES, []) == (parked.attempts, listener.heard)
    clock.tick(days=1)
    assert 0 == crm.dispatch()


def test_a_worker_that_dies_is_replaced_when_its_lease_runs_out(connect: Connect, clock: Clock) -> None:
    from salescrm.outbox import lease

    connect().run(lambda work: work.customers.create(name="甲"), by="li")
    listener = Listener()
    crm = connect(plugins=[listener])
    held = crm.run(lambda work: lease(work, limit=10), by="dying worker")
    assert 1 == len(held)

    assert 0 == crm.dispatch()
    clock.set(clock() + LEASE)
    assert 1 == crm.dispatch()
    assert 1 == len(listener.heard)


def test_a_plugin_that_names_what_is_not_there_is_refused(connect: Connect) -> None:
    class Typo:
        @hookimpl
        def adding_recrod(self, record: Any) -> None: ...

    with pytest.raises(InvalidDefinition):
        connect(plugins=[Typo()])


def test_two_crms_do_not_hear_each_others_plugins(connect: Connect) -> None:
    one, other = Listener(), Listener()
    first = connect(plugins=[one])
    connect(plugins=[other])
    first.run(lambda work: work.customers.create(name="甲"), by="li")

    assert (1, 0) == (len(one.heard), len(other.heard))


def test_before_may_refuse_what_is_changed_many_at_a_time(connect: Connect) -> None:
    crm = connect(plugins=[Guard()])
    crm.run(lambda work: work.customers.create(name="甲", level="A"), by="li")

    with pytest.raises(HookRefused):
        crm.run(lambda work: work.repository(Customer).change(F.level == "A", {"level": "B"}), by="li")
    assert 1 == crm.run(lambda work: work.customers.count(F.level == "A"), by="li")


def test_after_hears_of_what_was_changed_many_at_a_time(connect: Connect) -> None:
    heard: list[tuple[str, str]] = []

    class Ear:
        @hookimpl
        def record_saved(self, before: Any, after: Any) -> None:
            heard.append((before.level, after.level))

    crm = connect(plugins=[Ear()])
    crm.run(lambda work: work.customers.create(name="甲", level="A"), by="li")
    crm.run(lambda work: work.repository(Customer).change(F.level == "A", {"level": "B"}), by="li")

    assert [("A", "B")] == heard
