"""How a Work ends when something goes wrong at its edges: in a hook, in the commit, behind it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from salescrm import (
    Crm,
    Customer,
    F,
    HookRefused,
    Id,
    Invalid,
    InvalidDefinition,
    InvalidValue,
    OutboxEvent,
    Refuse,
    Transient,
    Work,
    WorkEnded,
    hookimpl,
)
from salescrm.errors import EngineError
from salescrm.testing import Clock
from salescrm.unit import UnitOfWork

Connect = Callable[..., Crm]


def create(work: Work) -> Customer:
    return work.customers.create(name="甲")


def customers(crm: Crm) -> int:
    return crm.run(lambda work: work.customers.count(), by="li")


class Strict:
    """Refuses one name before it is added, breaks at another after."""

    @hookimpl
    def adding_record(self, record: Any) -> None:
        if isinstance(record, Customer) and record.name == "黑名单":
            raise Refuse("listed")

    @hookimpl
    def record_added(self, record: Any) -> None:
        if isinstance(record, Customer) and record.name == "坏":
            raise RuntimeError("a bug of the plugin's")

    @hookimpl
    def moving_opportunity(self) -> None:
        raise Refuse("nothing moves")


@pytest.mark.parametrize("name, error", [("黑名单", HookRefused), ("坏", RuntimeError)])
def test_what_a_plugin_refuses_ends_the_work_even_if_it_was_swallowed(
    connect: Connect, name: str, error: type[Exception]
) -> None:
    crm = connect(plugins=[Strict()])
    with pytest.raises(WorkEnded), crm.begin(by="li") as work:
        create(work)
        with pytest.raises(error):
            work.customers.create(name=name)
        with pytest.raises(WorkEnded):
            create(work)
    assert 0 == customers(crm)


def test_a_move_that_a_plugin_refuses_ends_the_work_too(connect: Connect) -> None:
    crm = connect(plugins=[Strict()])
    with pytest.raises(WorkEnded), crm.begin(by="li") as work:
        deal = work.opportunities.create(name="deal")
        with pytest.raises(HookRefused):
            work.opportunities.win(deal)
    assert 0 == crm.run(lambda work: work.opportunities.count(), by="li")


class Forger:
    """Returns records with stamps of its own."""

    @hookimpl
    def adding_record(self, record: Any) -> Any:
        stamps: dict[str, Any] = {
            "tenant": Id("other"),
            "version": 7,
            "created_by": Id("boss"),
            "updated_by": Id("boss"),
        }
        return attrs.evolve(record, **stamps) if isinstance(record, Customer) else None

    @hookimpl
    def saving_record(self, after: Any) -> Any:
        return attrs.evolve(after, tenant=Id("other"), version=70, updated_by=Id("boss"))


def test_no_plugin_sets_the_stamps(connect: Connect) -> None:
    """Least of all the tenant: its record would be another company's."""
    crm = connect(plugins=[Forger()])
    made = crm.run(create, by="li")
    saved = crm.run(lambda work: work.customers.edit(made, level="A"), by="wang")

    assert ("main", 1, "li", "li") == (made.tenant, made.version, made.created_by, made.updated_by)
    assert ("main", 2, "li", "wang") == (saved.tenant, saved.version, saved.created_by, saved.updated_by)
    assert saved == crm.run(lambda work: work.customers.get(made.id), by="li")
    assert 0 == customers(crm.for_tenant("other"))


def test_a_refused_plugin_is_not_half_registered(connect: Connect) -> None:
    class Wrapper:
        @hookimpl(wrapper=True)
        def adding_record(self, record: Any) -> Any:
            return (yield)

    crm = connect()
    with pytest.raises(InvalidDefinition):
        crm.hooks.register(Wrapper())
    assert "甲" == crm.run(create, by="li").name


@pytest.mark.parametrize("problem", [Transient("busy"), EngineError("broken"), RuntimeError("a bug")])
def test_an_effect_that_fails_is_told_and_nothing_is_done_twice(crm: Crm, problem: Exception) -> None:
    """The commit has happened: run() must not take the effect's error for the commit's."""
    heard: list[str] = []

    def act(work: Work) -> None:
        create(work)
        work.after_commit(lambda: heard.append("first"))
        work.after_commit(fail)
        work.after_commit(lambda: heard.append("last"))

    def fail() -> None:
        raise problem

    with pytest.raises(type(problem)):
        crm.run(act, by="li")
    assert (1, ["first", "last"]) == (customers(crm), heard)


class Heard:
    def __init__(self) -> None:
        self.ids: list[str] = []

    @hookimpl
    def event_committed(self, event: OutboxEvent) -> None:
        self.ids.append(event.id)


def test_more_events_than_one_question_can_name_are_delivered(connect: Connect) -> None:
    heard = Heard()
    crm = connect(plugins=[heard])
    crm.run(lambda work: work.customers.create_many(Customer(name=f"客户{n}") for n in range(1_203)), by="li")
    assert (1_203, 1_203) == (len(heard.ids), len(set(heard.ids)))
    assert 0 == crm.dispatch()


def test_a_store_that_is_busy_after_the_commit_leaves_the_events_to_the_next_dispatch(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    crm = connect(plugins=[heard], sleep=lambda seconds: None)
    backend = crm.kit.backend
    open_store, opened = backend.open, []

    def busy(tenant: str) -> Any:
        opened.append(tenant)
        if len(opened) > 1:
            raise Transient("no connection came free")
        return open_store(tenant)

    monkeypatch.setattr(type(backend), "open", lambda self, tenant: busy(tenant))
    with crm.begin(by="li") as work:
        work.products.create(name="MES")  # takes no number
    monkeypatch.undo()

    assert [] == heard.ids
    assert (1, 1) == (crm.dispatch(), len(heard.ids))


def test_a_worker_nobody_listens_in_does_not_drain_the_outbox(connect: Connect) -> None:
    deaf, heard = connect(), Heard()
    deaf.run(create, by="li")
    assert 0 == deaf.dispatch()
    assert 1 == connect(plugins=[heard]).dispatch()


def test_a_lease_that_ran_out_during_the_delivery_leaves_the_last_word_to_who_has_it(
    connect: Connect, clock: Clock
) -> None:
    """A slow worker's event goes to another meanwhile; the slow one's outcome does not overwrite the other's."""
    connect().run(create, by="li")
    fast = Heard()
    second = connect(plugins=[fast])

    class Slow:
        @hookimpl
        def event_committed(self) -> None:
            clock.tick(minutes=6)
            assert 1 == second.dispatch()
            raise RuntimeError("and then it fails")

    assert 1 == connect(plugins=[Slow()]).dispatch()
    [event] = second.run(lambda work: work.history.events(), by="li")
    assert ("delivered", 1, None, 1) == (event.status, event.attempts, event.error, len(fast.ids))


def test_a_commit_that_fails_gives_back_what_it_held(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty times: a pool of five connections, or one lock, would long be used up."""
    crm = connect(sleep=lambda seconds: None)
    store = type(crm.kit.backend.open("main"))
    commit = store.commit

    def refuse(self: Any) -> None:
        raise EngineError("the disk is full")

    for _ in range(20):
        monkeypatch.setattr(store, "commit", refuse)
        with pytest.raises(EngineError), crm.begin(by="li") as work:
            work.products.create(name="MES")
        monkeypatch.setattr(store, "commit", commit)
    with crm.begin(by="li") as work:
        work.products.create(name="MES")
    assert 1 == crm.run(lambda work: work.products.count(), by="li")


def test_an_interrupted_write_ends_the_work_even_if_it_was_swallowed(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WorkEnded), crm.begin(by="li") as work:
        create(work)
        monkeypatch.setattr(work, "store", Interrupted(work.store))
        with pytest.raises(KeyboardInterrupt):
            work.products.create(name="MES")
    assert 0 == customers(crm)


@attrs.frozen
class Interrupted:
    """A store whose user presses Ctrl-C behind the first half of a write."""

    store: Any

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)

    def write(self, *writes: Any) -> None:
        self.store.write(*writes[:1])
        raise KeyboardInterrupt


def test_a_work_ends_once(crm: Crm) -> None:
    with pytest.raises(WorkEnded), crm.begin(by="li") as work:
        with work:
            create(work)
        with pytest.raises(WorkEnded):
            create(work)
        with pytest.raises(WorkEnded):
            crm.join(work, by="li")
    assert 1 == customers(crm)


def test_a_stream_left_half_read_disturbs_nobody(crm: Crm) -> None:
    crm.run(lambda work: work.customers.create_many(Customer(name=f"客户{n}") for n in range(40)), by="li")
    left = []
    for _ in range(3):
        with crm.begin(by="li") as work:
            stream = work.customers.stream(size=5)
            next(stream)
            left.append(stream)
    with crm.begin(by="li") as work:
        left.append(stream := work.customers.stream(order=[F.name], size=5))
        next(stream)
        create(work)
    assert 41 == customers(crm)
    for stream in left:
        with pytest.raises(WorkEnded):
            list(stream)
    crm.run(create, by="li")
    assert 42 == customers(crm)


def test_nobody_reads_in_the_moment_of_a_stream_that_was_left(connect: Connect) -> None:
    """A connection that goes back with an open cursor would show its next user an old day."""
    crm, other = connect(), connect()
    crm.run(lambda work: work.customers.create_many(Customer(name=f"客户{n}") for n in range(40)), by="li")
    with crm.begin(by="li") as work:
        stream = work.customers.stream(size=5)
        next(stream)
    other.run(create, by="wang")
    assert (41, 41) == (customers(crm), customers(other))
    with pytest.raises(WorkEnded):
        list(stream)


def test_a_stream_is_asked_for_at_once(crm: Crm) -> None:
    with crm.begin(by="li") as work:
        for wrong in (0, -1, True, 1.5):
            with pytest.raises(Invalid):
                work.customers.stream(size=wrong)  # type: ignore[arg-type]
        with pytest.raises(Invalid):
            work.customers.stream(F.no_such_field == 1)


def test_attempts_below_one_are_refused(crm: Crm) -> None:
    for wrong in (0, -1, True, 2.5):
        with pytest.raises(InvalidValue):
            crm.run(create, by="li", attempts=wrong)  # type: ignore[arg-type]
    assert 0 == customers(crm)


def test_events_happen_in_the_order_of_what_was_done(connect: Connect) -> None:
    heard: list[str] = []

    class Ear:
        @hookimpl
        def event_happened(self, work: UnitOfWork, event: Any) -> None:
            heard.append(event.name)

        @hookimpl
        def event_committed(self, event: OutboxEvent) -> None:
            heard.append(f"committed {event.name}")

    crm = connect(plugins=[Ear()])
    with crm.begin(by="li") as work:
        customer = create(work)
        work.follow_ups.record(
            customer_id=customer.id, result="来电", next={"planned_at": work.now() + timedelta(days=1)}
        )
    told = ["CustomerCreated", "FollowUpPlanned", "FollowUpPlanned", "FollowUpCompleted", "CustomerEdited"]
    assert [*told, *(f"committed {name}" for name in told)] == heard


def test_a_read_that_fails_behind_a_write_ends_the_work_even_if_it_was_swallowed(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL has given up the transaction by then, and answers a commit with a silent rollback."""

    def broken(*_: Any, **__: Any) -> Any:
        raise Transient("canceling statement due to lock timeout")

    reads: tuple[Callable[[Work], object], ...] = (
        lambda work: work.customers.get(Id("x")),
        lambda work: work.customers.many([Id("x")]),
        lambda work: work.customers.find(),
        lambda work: work.customers.count(),
        lambda work: work.customers.select([F.name]),
        lambda work: list(work.customers.stream()),
    )
    for read in reads:
        with pytest.raises(WorkEnded), crm.begin(by="li") as work:
            create(work)
            with monkeypatch.context() as patch, pytest.raises(Transient):
                for name in ("get", "find", "tally", "select", "stream"):
                    patch.setattr(type(work.store), name, broken)
                read(work)
        assert 0 == customers(crm)
